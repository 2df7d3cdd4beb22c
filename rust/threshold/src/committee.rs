//! Who signs: n members, t of whom are enough, in one epoch.

use std::sync::OnceLock;

use crate::error::Error;
use crate::lagrange::Row;

/// The largest committee.
pub const MEMBERS_MAX: u16 = 128;
/// Subsets whose coefficients are kept in a table; 7 of 10 has 120.
const ROWS_MAX: u64 = 10_000;
/// Members up to which a subset is a bit mask of a table's row.
const TABLE_MEMBERS_MAX: u16 = 22;

/// The size, threshold and epoch of a committee.
#[derive(Debug)]
pub struct Committee {
    n: u16,
    t: u16,
    epoch: u64,
    table: OnceLock<Vec<(u32, Row)>>,
}

impl Committee {
    /// A committee of `n`, of whom `t` sign.
    ///
    /// # Errors
    /// [`Error::Threshold`] unless 1 <= t <= n <= 128.
    pub fn new(n: u16, t: u16, epoch: u64) -> Result<Self, Error> {
        if t == 0 || t > n || n > MEMBERS_MAX {
            return Err(Error::Threshold { t, n });
        }
        Ok(Self { n, t, epoch, table: OnceLock::new() })
    }

    /// The threshold under which a certificate implies a quorum: n - f with f = (n - 1) / 3.
    pub fn quorum(n: u16) -> u16 {
        n - n.saturating_sub(1) / 3
    }

    /// Its members.
    pub fn n(&self) -> u16 {
        self.n
    }

    /// How many sign.
    pub fn t(&self) -> u16 {
        self.t
    }

    /// Its epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Refuses an index that no member has.
    ///
    /// # Errors
    /// [`Error::IndexZero`], [`Error::IndexOutOfRange`].
    pub fn check_index(&self, index: u16) -> Result<(), Error> {
        match index {
            0 => Err(Error::IndexZero),
            _ if index > self.n => Err(Error::IndexOutOfRange { index, n: self.n }),
            _ => Ok(()),
        }
    }

    /// The cheapest t of the indices at hand, and how they combine. `indices` are sorted, distinct
    /// members, at least t of them.
    pub(crate) fn cheapest(&self, indices: &[u16]) -> (Vec<u16>, Row) {
        if !self.has_table() {
            let first = indices[..usize::from(self.t)].to_vec();
            let row = Row::of(&first);
            return (first, row);
        }
        let here: u32 = indices.iter().map(|index| 1 << (index - 1)).sum();
        let table = self.table.get_or_init(|| self.rows());
        let (mask, row) = table
            .iter()
            .find(|(mask, _)| mask & here == *mask)
            .expect("t members at hand have a row");
        (members_of(*mask), row.clone())
    }

    fn has_table(&self) -> bool {
        if self.n > TABLE_MEMBERS_MAX {
            return false;
        }
        // C(n, t), by C(n, k + 1) = C(n, k) (n - k) / (k + 1).
        let (n, t) = (u64::from(self.n), u64::from(self.t));
        (0..t).fold(1, |c, k| c * (n - k) / (k + 1)) <= ROWS_MAX
    }

    /// A row for each subset, the cheapest first; equal ones by members, so that all choose alike.
    fn rows(&self) -> Vec<(u32, Row)> {
        let masks = (0u32..1 << self.n).filter(|mask| mask.count_ones() == u32::from(self.t));
        let mut rows: Vec<(u32, Row)> =
            masks.map(|mask| (mask, Row::of(&members_of(mask)))).collect();
        rows.sort_by_key(|(mask, row)| (row.cost(), *mask));
        rows
    }
}

impl Clone for Committee {
    fn clone(&self) -> Self {
        Self { n: self.n, t: self.t, epoch: self.epoch, table: OnceLock::new() }
    }
}

impl PartialEq for Committee {
    fn eq(&self, other: &Self) -> bool {
        (self.n, self.t, self.epoch) == (other.n, other.t, other.epoch)
    }
}

impl Eq for Committee {}

fn members_of(mask: u32) -> Vec<u16> {
    (0..32).filter(|bit| mask >> bit & 1 == 1).map(|bit| bit + 1).collect()
}

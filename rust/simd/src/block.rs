//! A block's columns: written from its records once, in the order of their groups.
//!
//! The kernels never read the records: a gather with a stride of 64 bytes costs four times what
//! reading them one by one does. What a record's fields mean is the caller's knowledge: it passes
//! a function from record to [`Row`].

#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::columns::{Kernel, Limits, Row, Rows};

/// Columns of one block and what the kernels found. Reused from block to block.
#[derive(Debug, Default)]
pub struct Columns {
    px: Vec<i64>,
    qty: Vec<i64>,
    flags: Vec<u8>,
    reasons: Vec<u16>,
    tq: Vec<i64>,
}

impl Columns {
    /// Without rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes all records, in their order.
    pub fn fill<T>(&mut self, records: &[T], row: impl FnMut(&T) -> Row) {
        self.extend(records.iter().map(row));
    }

    /// Takes the records that `order` names, in its order, as [`Groups::order`] gives it.
    ///
    /// # Panics
    ///
    /// If `order` names a record that is not there.
    ///
    /// [`Groups::order`]: crate::Groups::order
    pub fn gather<T>(&mut self, records: &[T], order: &[u16], mut row: impl FnMut(&T) -> Row) {
        self.extend(order.iter().map(|index| row(&records[usize::from(*index)])));
    }

    fn extend(&mut self, rows: impl ExactSizeIterator<Item = Row>) {
        let count = rows.len();
        // What is there is written over; only a longer block has its new end filled twice.
        self.px.resize(count, 0);
        self.qty.resize(count, 0);
        self.flags.resize(count, 0);
        self.reasons.resize(count, 0);
        self.tq.resize(count, 0);
        let columns = self.px.iter_mut().zip(&mut self.qty).zip(&mut self.flags);
        for (((px, qty), flags), row) in columns.zip(rows) {
            (*px, *qty, *flags) = (row.px, row.qty, row.flags);
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.px.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.px.is_empty()
    }

    /// Checks the rows of `run` against their instrument's limits.
    ///
    /// # Panics
    ///
    /// If the run ends after the last row.
    #[inline]
    pub fn check(&mut self, kernel: Kernel, limits: &Limits, run: Range<usize>) {
        let rows = Rows {
            px: &self.px[run.clone()],
            qty: &self.qty[run.clone()],
            flags: &self.flags[run.clone()],
        };
        kernel.check(limits, rows, &mut self.reasons[run.clone()], &mut self.tq[run]);
    }

    /// Bits of [`reason`](crate::columns::reason), by row; of rows not checked since they were
    /// taken, what an earlier block left.
    pub fn reasons(&self) -> &[u16] {
        &self.reasons
    }

    /// Ticks times quantity, by row, as [`reasons`](Self::reasons).
    pub fn tq(&self) -> &[i64] {
        &self.tq
    }

    /// Writes what was found back into arrival order: row i goes to `order[i]`.
    ///
    /// # Panics
    ///
    /// If there are fewer rows than `order` has, or it names a place that is not there.
    pub fn scatter(&self, order: &[u16], reasons: &mut [u16], tq: &mut [i64]) {
        let rows = order.len();
        let found = self.reasons[..rows].iter().zip(&self.tq[..rows]);
        for (place, (row_reasons, row_tq)) in order.iter().zip(found) {
            reasons[usize::from(*place)] = *row_reasons;
            tq[usize::from(*place)] = *row_tq;
        }
    }
}

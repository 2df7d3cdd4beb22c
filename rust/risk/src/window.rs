//! Exact sliding windows: message rates and equal orders.

use serde::{Deserialize, Serialize};

/// Counts messages in (t - w, t], exactly, in a ring of the last `max` times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Window {
    pub(crate) max: u32,
    pub(crate) window_ns: u64,
    /// Only accepted new orders count.
    pub(crate) accepted_new: bool,
    ring: Vec<u64>,
    head: usize,
    live: usize,
    pub(crate) peak: u32,
}

impl Window {
    pub(crate) fn new(max: u32, window_ns: u64, accepted_new: bool) -> Self {
        Self { max, window_ns, accepted_new, ring: Vec::new(), head: 0, live: 0, peak: 0 }
    }

    /// The same stamps under a new bound; a smaller ring keeps the newest.
    pub(crate) fn with_bound(&self, max: u32, window_ns: u64, accepted_new: bool) -> Self {
        let mut out = Self::new(max, window_ns, accepted_new);
        for i in (0..self.live).rev().take(max as usize).rev() {
            out.push(self.ring[(self.head + i) % self.ring.len()]);
        }
        out.peak = self.peak;
        out
    }

    /// Whether the places lie inside the ring.
    pub(crate) fn is_sound(&self) -> bool {
        let size = self.ring.len();
        let head = self.head < size || (self.head == 0 && size == 0);
        head && self.live <= size && size <= self.max as usize
    }

    /// Whether one more at `t` would be more than `max` in (t - w, t].
    #[inline]
    pub(crate) fn refuses(&self, t: u64) -> bool {
        // The oldest of the last `max`: if it is inside, all of them are.
        self.live == self.max as usize && t - self.ring[self.head].min(t) < self.window_ns
    }

    /// How many lie inside (t - w, t].
    pub(crate) fn count(&self, t: u64) -> u32 {
        let inside =
            |i: &usize| t - self.ring[(self.head + i) % self.ring.len()].min(t) < self.window_ns;
        (0..self.live).filter(inside).count() as u32
    }

    /// The same for a `t` that follows the last message: only what has left since is looked at.
    #[inline]
    pub(crate) fn count_ahead(&self, t: u64) -> u32 {
        let mut left = 0;
        let mut at = self.head;
        while left < self.live && t - self.ring[at].min(t) >= self.window_ns {
            at = if at + 1 == self.ring.len() { 0 } else { at + 1 };
            left += 1;
        }
        (self.live - left) as u32
    }

    /// No more than this lie inside any window: a bound that costs nothing.
    #[inline]
    pub(crate) fn count_max(&self) -> u32 {
        self.live as u32
    }

    /// The times where the ring continues and where it begins; reading brings their lines near.
    #[inline]
    pub(crate) fn ends(&self) -> u64 {
        let at = self.head + self.live;
        self.ring
            .get(if at >= self.ring.len() { at - self.ring.len() } else { at })
            .copied()
            .unwrap_or(0)
            ^ self.ring.get(self.head).copied().unwrap_or(0)
    }

    /// Remembers a message at `t`; the oldest goes when the ring is full.
    #[inline]
    pub(crate) fn push(&mut self, t: u64) {
        // Forget what left the window: at most one step a message on average.
        while self.live > 0 && t - self.ring[self.head].min(t) >= self.window_ns {
            self.head = if self.head + 1 == self.ring.len() { 0 } else { self.head + 1 };
            self.live -= 1;
        }
        if self.live == self.ring.len() && self.live < self.max as usize {
            self.grow();
        }
        let size = self.ring.len();
        if self.live == size {
            self.ring[self.head] = t;
            self.head = if self.head + 1 == size { 0 } else { self.head + 1 };
        } else {
            let mut at = self.head + self.live;
            if at >= size {
                at -= size;
            }
            self.ring[at] = t;
            self.live += 1;
        }
        self.peak = self.peak.max(self.live as u32);
    }

    /// Doubles the ring, up to `max`; by count, never by time, so that replicas agree.
    fn grow(&mut self) {
        let size = (self.ring.len() * 2).max(16).min(self.max as usize);
        let mut ring = Vec::with_capacity(size);
        for i in 0..self.live {
            ring.push(self.ring[(self.head + i) % self.ring.len()]);
        }
        ring.resize(size, 0);
        self.ring = ring;
        self.head = 0;
    }
}

/// Notional accepted in (t - w, t], exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sums {
    pub(crate) max: i64,
    pub(crate) window_ns: u64,
    rows: std::collections::VecDeque<(u64, i64)>,
    sum: i64,
}

impl Sums {
    pub(crate) fn new(max: i64, window_ns: u64) -> Self {
        Self { max, window_ns, rows: std::collections::VecDeque::new(), sum: 0 }
    }

    /// The sum inside (t - w, t]; `None` if there is no room to remember one more.
    pub(crate) fn sum(&self, t: u64) -> Option<i64> {
        let old = |row: &&(u64, i64)| t - row.0.min(t) >= self.window_ns;
        let (mut gone, mut count) = (0i64, 0);
        for row in self.rows.iter().take_while(old) {
            gone = gone.saturating_add(row.1);
            count += 1;
        }
        (self.rows.len() - count < SUMS_MAX).then(|| self.sum.saturating_sub(gone))
    }

    pub(crate) fn push(&mut self, t: u64, n: i64) {
        while let Some(row) = self.rows.front().copied()
            && t - row.0.min(t) >= self.window_ns
        {
            self.rows.pop_front();
            self.sum = self.sum.saturating_sub(row.1);
        }
        let is_full = self.rows.len() >= SUMS_MAX;
        self.sum = self.sum.saturating_add(n);
        match self.rows.back_mut().filter(|_| is_full) {
            // Only what reduces comes here when there is no room: it counts with the newest.
            Some(last) => *last = (t, last.1.saturating_add(n)),
            None => self.rows.push_back((t, n)),
        }
    }

    /// Times of the oldest row and of the newest; reading them brings their lines near.
    #[inline]
    pub(crate) fn ends(&self) -> u64 {
        let end = |row: Option<&(u64, i64)>| row.map_or(0, |row| row.0);
        end(self.rows.front()) ^ end(self.rows.back())
    }

    /// The same acceptances under another bound; a longer window knows no more than the old one.
    pub(crate) fn with_bound(&self, max: i64, window_ns: u64) -> Self {
        Self { max, window_ns, ..self.clone() }
    }
}

/// Acceptances that one window of notional remembers; beyond it nothing more is admitted.
const SUMS_MAX: usize = 65_535;

/// Accepted orders of one account in one instrument, to find equal ones.
///
/// Most have sent one within their window: it stands here, beside what else is known of the two,
/// and only more than one have a list elsewhere.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Row>", into = "Vec<Row>")]
#[repr(C)]
pub(crate) struct Accepted {
    t: u64,
    px: i64,
    qty: i64,
    side: u8,
    /// Whether there is a newest one: the four fields above.
    is_any: bool,
    /// Those before it, oldest first.
    #[expect(clippy::box_collection, reason = "a word for those that hardly anybody has")]
    older: Option<Box<std::collections::VecDeque<Row>>>,
}

/// Time, price, quantity, side.
type Row = (u64, i64, i64, u8);

impl Accepted {
    fn newest(&self) -> Option<Row> {
        self.is_any.then_some((self.t, self.px, self.qty, self.side))
    }

    /// From the newest to the oldest.
    fn rows(&self) -> impl Iterator<Item = Row> {
        let older = self.older.iter().flat_map(|rows| rows.iter().rev().copied());
        self.newest().into_iter().chain(older)
    }

    fn oldest(&self) -> Option<Row> {
        self.older.as_ref().and_then(|rows| rows.front().copied()).or_else(|| self.newest())
    }

    /// Equal orders less than `window_ns` before `t`; one exactly that old does not count.
    pub(crate) fn equal(&self, t: u64, window_ns: u64, px: i64, qty: i64, side: u8) -> u32 {
        self.rows()
            .take_while(|row| t - row.0.min(t) < window_ns)
            .filter(|row| row.1 == px && row.2 == qty && row.3 == side)
            .count() as u32
    }

    #[inline]
    pub(crate) fn push(&mut self, t: u64, window_ns: u64, px: i64, qty: i64, side: u8) {
        let is_old = |at: u64| t - at.min(t) >= window_ns;
        if let Some(older) = &mut self.older {
            while older.front().is_some_and(|row| is_old(row.0)) {
                older.pop_front();
            }
        }
        if self.len() == 1 && is_old(self.t) {
            self.is_any = false;
        }
        if self.len() >= ACCEPTED_MAX {
            return;
        }
        if let Some(row) = self.newest() {
            self.older.get_or_insert_default().push_back(row);
        }
        (self.t, self.px, self.qty, self.side, self.is_any) = (t, px, qty, side, true);
    }

    /// Rows that are remembered, however old.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        usize::from(self.is_any) + self.older.as_ref().map_or(0, |rows| rows.len())
    }

    /// Whether the ring has no room: then nobody can say that an order is no duplicate.
    pub(crate) fn is_full(&self, t: u64, window_ns: u64) -> bool {
        self.len() >= ACCEPTED_MAX && self.oldest().is_some_and(|row| t - row.0.min(t) < window_ns)
    }
}

impl PartialEq for Accepted {
    fn eq(&self, other: &Self) -> bool {
        self.rows().eq(other.rows())
    }
}

impl Eq for Accepted {}

impl From<Vec<Row>> for Accepted {
    fn from(mut rows: Vec<Row>) -> Self {
        let Some((t, px, qty, side)) = rows.pop() else { return Self::default() };
        let older = (!rows.is_empty()).then(|| Box::new(rows.into()));
        Self { t, px, qty, side, is_any: true, older }
    }
}

impl From<Accepted> for Vec<Row> {
    fn from(accepted: Accepted) -> Self {
        let mut rows: Self = accepted.rows().collect();
        rows.reverse();
        rows
    }
}

/// Accepted orders of one account in one instrument within one duplicate window.
pub(crate) const ACCEPTED_MAX: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_sum_forgets_nothing_and_grows_no_further() {
        let mut sums = Sums::new(10, 100);
        for _ in 0..SUMS_MAX {
            sums.push(1, 1);
        }
        assert_eq!(sums.sum(1), None);
        sums.push(50, 7);
        sums.push(60, 8);
        assert_eq!((sums.rows.len(), sums.sum), (SUMS_MAX, SUMS_MAX as i64 + 15));
        // The newest row has the rest of the oldest, and goes last.
        assert_eq!(sums.sum(101), Some(16));
        assert_eq!(sums.sum(159), Some(16));
        assert_eq!(sums.sum(160), Some(0));
    }
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_window_agrees_with_a_list(
            max in 1u32..40, window in 1u64..60, steps in prop::collection::vec(0u64..8, 1..400),
            forced in prop::collection::vec(any::<bool>(), 400),
        ) {
            let mut window_ring = Window::new(max, window, false);
            let mut list: Vec<u64> = Vec::new();
            let mut t = 100;
            for (step, force) in steps.into_iter().zip(forced) {
                t += step;
                let inside = list.iter().filter(|x| t - **x < window).count();
                prop_assert_eq!(window_ring.refuses(t), inside >= max as usize);
                prop_assert_eq!(window_ring.count(t) as usize, inside.min(max as usize));
                prop_assert_eq!(window_ring.count_ahead(t), window_ring.count(t));
                prop_assert!(window_ring.count_max() >= window_ring.count(t));
                // A cancel is pushed even when the window is full.
                if force || !window_ring.refuses(t) {
                    window_ring.push(t);
                    list.push(t);
                }
            }
        }

        #[test]
        fn equal_orders_agree_with_a_list(
            window in 1u64..30,
            rows in prop::collection::vec((0u64..6, 0i64..3, 0i64..3, 1u8..3), 1..300),
        ) {
            let mut ring = Accepted::default();
            let mut list: Vec<(u64, i64, i64, u8)> = Vec::new();
            let mut t = 1_000;
            for (step, px, qty, side) in rows {
                t += step;
                let same = list
                    .iter()
                    .filter(|r| t - r.0 < window && (r.1, r.2, r.3) == (px, qty, side))
                    .count();
                prop_assert_eq!(ring.equal(t, window, px, qty, side) as usize, same);
                ring.push(t, window, px, qty, side);
                list.push((t, px, qty, side));
            }
        }
    }

    #[test]
    fn equal_orders_survive_a_snapshot_in_their_order() {
        let mut ring = Accepted::default();
        for k in 0..5 {
            let back: Accepted = Vec::from(ring.clone()).into();
            assert_eq!((back.len(), &back), (ring.len(), &ring));
            assert_eq!(ring.oldest(), Vec::from(ring.clone()).first().copied());
            assert_eq!(ring.len(), k as usize);
            ring.push(100 + k, 50, k as i64, 1, 1);
        }
        // What is old goes from the front, and the last one from its own place.
        ring.push(152, 50, 9, 1, 2);
        assert_eq!(Vec::from(ring.clone()), [(103, 3, 1, 1), (104, 4, 1, 1), (152, 9, 1, 2)]);
        ring.push(900, 50, 7, 1, 2);
        assert_eq!(Vec::from(ring), [(900, 7, 1, 2)]);
    }

    #[test]
    fn exactly_one_window_ago_no_longer_counts() {
        let mut window = Window::new(2, 10, false);
        window.push(0);
        window.push(5);
        assert!(window.refuses(9) && !window.refuses(10));
    }

    #[test]
    fn a_shrunk_window_keeps_its_newest() {
        let mut window = Window::new(4, 100, false);
        for t in [1, 2, 3, 4] {
            window.push(t);
        }
        let small = window.with_bound(2, 100, false);
        assert!(small.refuses(5) && small.refuses(102) && !small.refuses(103));
    }
}

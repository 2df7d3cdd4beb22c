//! The trading day: when it ends, and what starts again then.

use crate::engine::Engine;

impl Engine {
    /// Begins a new day if `ts` lies in one.
    #[inline]
    pub(crate) fn roll_to(&mut self, ts: u64) {
        if ts >= self.next_roll {
            self.roll(ts);
        }
    }

    /// When the trading day of the newest input ends, UTC nanoseconds; 0 before the first input.
    pub fn day_end_ns(&self) -> u64 {
        self.next_roll
    }

    #[cold]
    fn roll(&mut self, ts: u64) {
        self.end_day_counts();
        self.next_roll = self.roll_after(ts);
        for node in &mut self.nodes {
            node.day = 0;
            node.tally.roll();
        }
        for line in self.strategies.iter_mut().flatten() {
            line.tally.roll();
        }
        for holding in &mut self.holdings {
            holding.day_qty = 0;
            holding.short_day = 0;
        }
        self.locates.clear();
        self.day_ids.clear();
        self.roll_pnl();
    }

    /// The first end of a day after `ts`.
    pub(crate) fn roll_after(&self, ts: u64) -> u64 {
        let days = match ts.checked_sub(self.file.day_roll_ns) {
            Some(since) => since / DAY_NS + 1,
            None => 0,
        };
        days.saturating_mul(DAY_NS).saturating_add(self.file.day_roll_ns)
    }
}

/// A day without a leap second, as UTC nanoseconds count it.
pub(crate) const DAY_NS: u64 = 86_400_000_000_000;

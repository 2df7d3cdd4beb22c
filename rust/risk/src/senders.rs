//! Strategies, sessions and venues as the order path sees them.

use crate::caps::{Caps, Latch, Tally};

/// One strategy as the order path sees it.
#[derive(Debug, Clone)]
pub(crate) struct StrategyLine {
    pub(crate) max_qty: i64,
    pub(crate) max_n: i64,
    pub(crate) rate: Option<usize>,
    pub(crate) kill: u8,
    pub(crate) caps: Caps,
    pub(crate) tally: Tally,
    pub(crate) sums: Option<usize>,
    pub(crate) attempts: Option<usize>,
    pub(crate) fills: Option<usize>,
    pub(crate) fills_latch: Latch,
    /// Handle of its session; 0 = none.
    pub(crate) session: u32,
    /// Handles, ascending; all if not said.
    pub(crate) accounts: Option<Vec<u32>>,
    /// Numbers of groups in the file.
    pub(crate) groups: Option<Vec<u32>>,
    pub(crate) types: Option<u32>,
    pub(crate) watch: bool,
}

impl StrategyLine {
    /// A line without limits yet.
    pub(crate) fn new() -> Self {
        Self {
            max_qty: i64::MAX,
            max_n: i64::MAX,
            rate: None,
            kill: 0,
            caps: Caps::NONE,
            tally: Tally::default(),
            sums: None,
            attempts: None,
            fills: None,
            fills_latch: Latch::Open,
            session: 0,
            accounts: None,
            groups: None,
            types: None,
            watch: false,
        }
    }

    /// Whether a rule beyond size and rate could refuse an order.
    pub(crate) fn watches(&self) -> bool {
        self.caps.watch
            || self.sums.is_some()
            || self.attempts.is_some()
            || self.fills.is_some()
            || self.fills_latch.is_shut()
            || self.session != 0
            || self.accounts.is_some()
            || self.groups.is_some()
            || self.types.is_some()
    }
}

/// One session over which strategies send.
#[derive(Debug, Clone, Default)]
pub(crate) struct SessionLine {
    pub(crate) rate: Option<usize>,
    pub(crate) attempts: Option<usize>,
    pub(crate) is_down: bool,
    pub(crate) kill: u8,
}

/// One venue.
#[derive(Debug, Clone, Default)]
pub(crate) struct VenueLine {
    pub(crate) rate: Option<usize>,
    /// [`cwts_types::Phase`] as a code.
    pub(crate) phase: Option<u8>,
    pub(crate) reconciling: bool,
}

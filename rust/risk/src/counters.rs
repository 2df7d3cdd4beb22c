//! What the engine counts.

use serde::{Deserialize, Serialize};

/// What the engine counted; only ever grows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Orders and replaces decided.
    pub orders: u64,
    /// Of those, accepted.
    pub accepted: u64,
    /// Cancels passed.
    pub cancels: u64,
    /// Cancels that named no working order.
    pub unknown_orders: u64,
    /// Execution reports taken in.
    pub execs: u64,
    /// Execution reports on unknown orders.
    pub unknown_execs: u64,
    /// Execution ids seen twice.
    pub duplicate_execs: u64,
    /// Fills beyond an order's quantity.
    pub overfills: u64,
    /// Fills that came after the end of their order; booked all the same.
    pub late_fills: u64,
    /// Inputs whose time was before the last.
    pub time_back: u64,
    /// Refusals by soft controls alone.
    pub soft_blocks: u64,
    /// Refusals by each control.
    pub by_bit: Vec<u64>,
    /// Refusals by lowest bit.
    pub by_first: Vec<u64>,
    /// Soft blocks by each control.
    pub by_bit_soft: Vec<u64>,
    /// Orders that passed with an alert of each control.
    pub by_bit_alerts: Vec<u64>,
    /// Orders that passed by an override, by each control.
    pub by_bit_overridden: Vec<u64>,
}

impl Counters {
    pub(crate) fn new() -> Self {
        let none = vec![0; cwts_types::CONTROLS.len()];
        Self {
            by_bit: none.clone(),
            by_first: none.clone(),
            by_bit_soft: none.clone(),
            by_bit_alerts: none.clone(),
            by_bit_overridden: none,
            ..Self::default()
        }
    }

    /// Whether there is a count for each control.
    pub(crate) fn is_sound(&self) -> bool {
        let lists = [
            &self.by_bit,
            &self.by_first,
            &self.by_bit_soft,
            &self.by_bit_alerts,
            &self.by_bit_overridden,
        ];
        lists.iter().all(|list| list.len() == cwts_types::CONTROLS.len())
    }
}

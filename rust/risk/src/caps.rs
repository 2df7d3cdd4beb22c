//! What a node or a strategy is held to beyond its credit, and what it has used of that.

use cwts_types::Control;
use serde::{Deserialize, Serialize};

use crate::limits::{Aggregates, LossLimit, SelfTrade};

/// Sums and counts that a node or a strategy may not pass; derived from the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caps {
    pub(crate) open_orders: i64,
    pub(crate) day_orders: i64,
    pub(crate) net: i64,
    pub(crate) day: i64,
    pub(crate) concentration_bps: Option<i64>,
    pub(crate) loss: Option<LossLimit>,
    pub(crate) drawdown: Option<LossLimit>,
    pub(crate) self_trade: Option<SelfTrade>,
    /// Whether any of them, or a window, is set: if not, nobody looks.
    pub(crate) watch: bool,
}

impl Caps {
    /// Nothing is capped.
    pub(crate) const NONE: Self = Self {
        open_orders: i64::MAX,
        day_orders: i64::MAX,
        net: i64::MAX,
        day: i64::MAX,
        concentration_bps: None,
        loss: None,
        drawdown: None,
        self_trade: None,
        watch: false,
    };

    pub(crate) fn new(aggregates: &Aggregates) -> Self {
        let caps = Self {
            open_orders: aggregates.max_open_orders.at_most(),
            day_orders: aggregates.daily_orders.at_most(),
            net: aggregates.net_exposure.at_most(),
            day: aggregates.daily_notional.at_most(),
            concentration_bps: aggregates.concentration_bps,
            loss: aggregates.loss_limit,
            drawdown: aggregates.drawdown,
            self_trade: aggregates.self_trade,
            watch: false,
        };
        Self { watch: caps != Self::NONE || aggregates.window_notional.is_some(), ..caps }
    }
}

/// What a node or a strategy has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Working orders.
    pub(crate) open_orders: u32,
    /// Orders accepted today.
    pub(crate) day_orders: u32,
    /// Today's P&L, micros.
    pub(crate) pnl: i64,
    /// The day's highest, from 0.
    pub(crate) peak: i64,
    /// Marks in a row beyond the loss limit, and beyond the drawdown.
    pub(crate) breaches: [u32; 2],
    /// Whether the loss limit has latched, and the drawdown.
    pub(crate) latched: [Latch; 2],
}

/// A control that stays violated until somebody lifts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Latch {
    /// Not latched.
    #[default]
    Open,
    /// Latched; no hold stands for it yet.
    Tripped,
    /// Latched, and the hold with this number stands for it.
    Held(u64),
}

impl Latch {
    /// Whether orders are refused.
    pub(crate) fn is_shut(self) -> bool {
        self != Self::Open
    }
}

impl Tally {
    /// Takes a P&L in; a fill beyond a limit latches at once, marks only after so many in a row.
    pub(crate) fn mark(&mut self, pnl: i64, caps: &Caps, is_fill: bool) {
        self.pnl = pnl;
        self.peak = self.peak.max(pnl);
        for (i, (_, limit, lost)) in self.lost(caps).into_iter().enumerate() {
            let Some(limit) = limit else { continue };
            if lost <= limit.max {
                self.breaches[i] = 0;
                continue;
            }
            self.breaches[i] = self.breaches[i].saturating_add(1);
            let is_sure = is_fill || self.breaches[i] >= limit.confirm_marks;
            if is_sure && self.latched[i] == Latch::Open {
                self.latched[i] = Latch::Tripped;
            }
        }
    }

    /// What the two latched controls see: control, limit, micros lost.
    pub(crate) fn lost(&self, caps: &Caps) -> [(Control, Option<LossLimit>, i64); 2] {
        [
            (Control::LossLimit, caps.loss, self.pnl.saturating_neg()),
            (Control::Drawdown, caps.drawdown, self.peak.saturating_sub(self.pnl)),
        ]
    }

    /// A latch whose limit is gone is gone, too.
    pub(crate) fn keep(&mut self, caps: &Caps) {
        for (i, limit) in [caps.loss, caps.drawdown].into_iter().enumerate() {
            if limit.is_none() {
                self.latched[i] = Latch::Open;
                self.breaches[i] = 0;
            }
        }
    }

    /// A new day: what counts by the day starts again.
    pub(crate) fn roll(&mut self) {
        let open_orders = self.open_orders;
        *self = Self { open_orders, ..Self::default() };
    }
}

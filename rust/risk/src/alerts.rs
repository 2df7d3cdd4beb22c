//! Aggregates that come near their limits: an alert at each stage, and no refusal.
//!
//! Source: design note "risk", section 2, PRE_ALERT. Looked at where something moved: the account,
//! strategy and instrument of an accepted order or of an execution report. A stage is told once;
//! it is told again after the use was [`REARM_PERCENT`] below it.

use cwts_types::{Alert, AlertKind, Body, Clock, Control, Level};

use crate::engine::Engine;
use crate::working::Working;

/// Whose aggregates moved, and by what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moved {
    pub(crate) account: u32,
    pub(crate) strategy: u32,
    pub(crate) instrument: u32,
    pub(crate) order_seq: u64,
    pub(crate) order_id: u64,
}

/// Level, handle or holding, and control: what has a stage of its own.
pub(crate) type Place = (u8, u64, u8);

struct Row {
    control: Control,
    level: Level,
    scope: u32,
    used: i64,
    limit: i64,
}

impl Engine {
    /// A reading of the clock. The first one that does not show it within its bound is told; no
    /// reading moves the time that the controls see.
    pub(crate) fn clock_entry(&mut self, clock: &Clock) {
        let is_off = clock.bound_us > 0 && !clock.is_shown();
        if is_off && !self.clock_is_off {
            self.push_due(Body::Alert(Alert {
                kind: AlertKind::Clock,
                control: None,
                level: Level::Firm,
                percent: 0,
                scope: 0,
                instrument: 0,
                order_seq: 0,
                order_id: 0,
                observed: clock.maxerror_us,
                limit: clock.bound_us.into(),
            }));
        }
        self.clock_is_off = is_off;
    }

    /// The owner of an order that works or has ended, if somebody wants alerts.
    pub(crate) fn moved_by(&self, order_id: u64) -> Option<Moved> {
        if self.file.control.alert[0] == 0 {
            return None;
        }
        let id = self.replaces.get(&order_id).copied().unwrap_or(order_id);
        let of = |id: &u64| self.working.get(id).or_else(|| self.ended.get(id));
        let Working { account, strategy, instrument, .. } = *of(&order_id).or_else(|| of(&id))?;
        Some(Moved { account, strategy, instrument, order_seq: 0, order_id })
    }

    /// Tells every stage that was newly reached.
    #[inline(never)]
    pub(crate) fn mark_stages(&mut self, moved: Moved) {
        for row in self.aggregates(moved) {
            let by_holding = row.level == Level::AccountInstrument;
            let place = if by_holding {
                crate::holding::holding_key(moved.account, moved.instrument)
            } else {
                row.scope.into()
            };
            let key = (row.level as u8, place, row.control as u8);
            let before = self.stages.get(&key).copied().unwrap_or(0);
            let after = self.stage(&row, before);
            match after {
                0 => drop(self.stages.remove(&key)),
                stage => drop(self.stages.insert(key, stage)),
            }
            for stage in before..after {
                self.push_due(Body::Alert(Alert {
                    kind: AlertKind::Stage,
                    control: Some(row.control),
                    level: row.level,
                    percent: self.file.control.alert[usize::from(stage)],
                    scope: row.scope,
                    instrument: if by_holding { moved.instrument } else { 0 },
                    order_seq: moved.order_seq,
                    order_id: moved.order_id,
                    observed: row.used,
                    limit: row.limit,
                }));
            }
        }
    }

    /// The stage that a use is in after `before`: reached at its percentage, left below it.
    fn stage(&self, row: &Row, before: u8) -> u8 {
        let is_at = |percent: i128| {
            percent > 0
                && (1..i64::MAX).contains(&row.limit)
                && i128::from(row.used) * 100 >= i128::from(row.limit) * percent
        };
        let stages = self.file.control.alert.iter().zip(1u8..);
        let in_stage = stages.filter(|(percent, stage)| {
            let margin = if *stage <= before { REARM_PERCENT } else { 0 };
            **percent != 0 && is_at((i128::from(**percent) - margin).max(1))
        });
        in_stage.map(|(_, stage)| stage).max().unwrap_or(0)
    }

    fn aggregates(&self, moved: Moved) -> Vec<Row> {
        let mut out = Vec::with_capacity(ROWS);
        let mut row = |control, level, scope, used, limit| {
            if limit != i64::MAX {
                out.push(Row { control, level, scope, used, limit });
            }
        };
        let account = self.accounts.get(moved.account as usize).and_then(Option::as_ref);
        let mut at = account.map(|line| line.node);
        while let Some(index) = at {
            let node = &self.nodes[index];
            let (level, scope) = (node.level, node.handle);
            let used = node.open.saturating_add(node.held);
            row(Control::CreditLimit, level, scope, used, node.credit);
            row(Control::MaxOpenNotional, level, scope, node.open, node.max_open);
            let caps = &node.caps;
            let long = node.net.saturating_add(node.open_buy);
            let sells = node.open.saturating_sub(node.open_buy);
            let short = node.net.saturating_neg().saturating_add(sells);
            row(Control::NetExposure, level, scope, long.max(short), caps.net);
            let day = node.day.saturating_add(node.open);
            row(Control::DailyNotional, level, scope, day, caps.day);
            let tally = &node.tally;
            row(Control::MaxOpenOrders, level, scope, tally.open_orders.into(), caps.open_orders);
            row(Control::DailyOrders, level, scope, tally.day_orders.into(), caps.day_orders);
            if let Some(line) = account.filter(|_| level == Level::Account) {
                row(Control::BuyingPower, level, scope, node.margin, line.cash);
            }
            at = node.parent;
        }
        let strategy = self.strategies.get(moved.strategy as usize).and_then(Option::as_ref);
        if let Some(line) = strategy {
            let (level, scope) = (Level::Strategy, moved.strategy);
            let (tally, caps) = (&line.tally, &line.caps);
            row(Control::MaxOpenOrders, level, scope, tally.open_orders.into(), caps.open_orders);
            row(Control::DailyOrders, level, scope, tally.day_orders.into(), caps.day_orders);
        }
        let key = crate::holding::holding_key(moved.account, moved.instrument);
        if let Some(index) = self.holding_index.get(&key) {
            let holding = &self.holdings[*index as usize];
            let limits = &holding.limits;
            let (level, scope) = (Level::AccountInstrument, moved.account);
            let long = (holding.pos.saturating_add(holding.work[0]), limits.long);
            let short =
                (holding.pos.saturating_neg().saturating_add(holding.work[1]), limits.short);
            // Of the two sides, the one that has used more of its limit.
            let cross = |a: (i64, i64), b: (i64, i64)| i128::from(a.0) * i128::from(b.1.max(1));
            let is_long = cross(long, short) >= cross(short, long);
            let (used, limit) = if is_long { long } else { short };
            row(Control::MaxPosition, level, scope, used, limit);
            let work = holding.work[0].saturating_add(holding.work[1]);
            let day = holding.day_qty.saturating_add(work);
            row(Control::DailyQty, level, scope, day, limits.day_qty);
        }
        out
    }
}

/// A stage is told again after the use was so many percent of the limit below it.
const REARM_PERCENT: i128 = 5;
/// Aggregates of four nodes, a strategy and a holding.
const ROWS: usize = 4 * 7 + 4;

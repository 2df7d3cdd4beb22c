//! Rules on sums and counts: of a strategy, and of every node from the account to the firm.
//!
//! `ALL`: every comparison is given, not only those that are broken.

use cwts_types::{Control, Level};

use super::Asked;
use super::market::Report;
use crate::caps::{Caps, Tally};
use crate::engine::Engine;
use crate::limits::SelfTrade;
use crate::market::WHOLE_BPS;
use crate::tables::Node;
use crate::working::Terms;

impl Engine {
    pub(super) fn sums<const ALL: bool>(&self, asked: &Asked<'_>, at: &mut Report<'_>) {
        let Asked { order, lines, .. } = asked;
        let strategy = lines.strategy;
        if strategy.caps.watch {
            let owner = (Level::Strategy, order.strategy);
            self.counts::<ALL>(asked, &strategy.caps, &strategy.tally, strategy.sums, owner, at);
        }
        let mut index = Some(lines.account.node);
        while let Some(number) = index {
            let node = &self.nodes[number];
            if node.roomy {
                break;
            }
            index = node.parent;
            if node.caps.watch {
                let owner = (node.level, node.handle);
                self.counts::<ALL>(asked, &node.caps, &node.tally, node.sums, owner, at);
                self.amounts::<ALL>(asked, number, at);
            }
            self.slowed::<ALL>(asked, node, at);
        }
        if !ALL && self.crosses {
            self.own_trades(asked, at);
        }
        self.beyond_cash::<ALL>(asked, at);
        let day = asked.holding.day_qty.saturating_add(asked.added_qty);
        let work = asked.holding.work[0].saturating_add(asked.holding.work[1]);
        let day = day.saturating_add(work);
        if ALL || day > asked.limits.day_qty {
            let level = Level::AccountInstrument;
            at(Control::DailyQty, level, order.account, day, asked.limits.day_qty);
        }
    }

    /// What a strategy and a node have in common.
    fn counts<const ALL: bool>(
        &self,
        asked: &Asked<'_>,
        caps: &Caps,
        tally: &Tally,
        sums: Option<usize>,
        (level, scope): (Level, u32),
        at: &mut Report<'_>,
    ) {
        let mut here = |control, observed, limit| at(control, level, scope, observed, limit);
        if let Some(sums) = sums.map(|s| &self.sums[s]) {
            match sums.sum(asked.ts).map(|sum| sum.saturating_add(asked.added_n)) {
                Some(sum) if !ALL && sum <= sums.max => {}
                sum => here(Control::WindowNotional, sum.unwrap_or(i64::MAX), sums.max),
            }
        }
        if asked.is_new() {
            let open = i64::from(tally.open_orders);
            if ALL || open >= caps.open_orders {
                here(Control::MaxOpenOrders, open.saturating_add(1), caps.open_orders);
            }
            let today = i64::from(tally.day_orders);
            if ALL || today >= caps.day_orders {
                here(Control::DailyOrders, today.saturating_add(1), caps.day_orders);
            }
        }
        for (latch, (control, limit, observed)) in tally.latched.iter().zip(tally.lost(caps)) {
            if ALL || latch.is_shut() {
                let unset = if ALL { i64::MAX } else { 0 };
                here(control, observed, limit.map_or(unset, |limit| limit.max));
            }
        }
    }

    fn amounts<const ALL: bool>(&self, asked: &Asked<'_>, index: usize, at: &mut Report<'_>) {
        let holding = asked.holding;
        let node = &self.nodes[index];
        let added = asked.added_n;
        let is_buy = asked.shape.side.is_buy();
        let mut here =
            |control, observed, limit| at(control, node.level, node.handle, observed, limit);
        let (net, open) = if is_buy {
            (node.net, node.open_buy)
        } else {
            (node.net.saturating_neg(), node.open.saturating_sub(node.open_buy))
        };
        let worst = net.saturating_add(open).saturating_add(added);
        if ALL || worst > node.caps.net {
            here(Control::NetExposure, worst, node.caps.net);
        }
        if let Some(most) = node.concentration_max() {
            let own = holding.cost.saturating_add(holding.open).saturating_add(added);
            if ALL || own > most {
                here(Control::Concentration, own, most);
            }
        }
        let day = node.day.saturating_add(node.open).saturating_add(added);
        if ALL || day > node.caps.day {
            here(Control::DailyNotional, day, node.caps.day);
        }
    }

    /// Own orders that this one would meet, under each node that refuses that.
    fn own_trades(&self, asked: &Asked<'_>, at: &mut Report<'_>) {
        let Asked { order, lines, .. } = asked;
        let is_buy = asked.shape.side.is_buy();
        // As the working orders are kept: only a limit bounds where an order may trade.
        let limit_px = crate::evaluate::limit_px(order, asked.shape.order_type);
        let reach = Terms { px_abs: 0, qty: 0, limit_px }.reach(is_buy);
        let book = self.book_met(lines.account.node, order.instrument, is_buy, reach);
        let Some(book) = book else { return };
        let mut index = Some(lines.account.node);
        while let Some(number) = index {
            let node = &self.nodes[number];
            index = node.parent;
            let refuses = |policy| policy != SelfTrade::CancelOldest;
            if node.caps.self_trade.is_some_and(refuses)
                && let Some(own) = self.meets(book, number, is_buy, reach)
            {
                at(Control::SelfTrade, node.level, node.handle, order.px, own);
            }
        }
    }

    /// Near a limit orders must keep a distance in time.
    fn slowed<const ALL: bool>(&self, asked: &Asked<'_>, node: &Node, at: &mut Report<'_>) {
        let rules = self.file.control;
        if rules.slow == 0 {
            return;
        }
        let account = &self.nodes[asked.lines.account.node];
        let since = asked.ts.saturating_sub(account.last_ts);
        if account.last_ts == 0 || !ALL && since >= rules.slow_delay_ns {
            return;
        }
        let used = node.open.saturating_add(node.held);
        let day = node.day.saturating_add(node.open);
        let rows = [(used, node.credit), (node.open, node.max_open), (day, node.caps.day)];
        let is_near = |(used, limit): (i64, i64)| {
            limit != i64::MAX
                && i128::from(used) * 100 >= i128::from(limit) * i128::from(rules.slow)
        };
        if rows.into_iter().any(is_near) {
            let clamp = |ns: u64| i64::try_from(ns).unwrap_or(i64::MAX);
            let limit = clamp(rules.slow_delay_ns);
            at(Control::SlowDown, node.level, node.handle, clamp(since), limit);
        }
    }

    fn beyond_cash<const ALL: bool>(&self, asked: &Asked<'_>, at: &mut Report<'_>) {
        let Asked { order, lines, holding, .. } = asked;
        if lines.account.cash == i64::MAX {
            return;
        }
        let after = holding.cost.saturating_add(holding.open).saturating_add(asked.added_n);
        let own = margin(after, lines.instrument.rules.margin_bps);
        let node = &self.nodes[lines.account.node];
        let needed = node.margin.saturating_sub(holding.margin).saturating_add(own);
        if ALL || needed > lines.account.cash {
            at(Control::BuyingPower, Level::Account, order.account, needed, lines.account.cash);
        }
    }
}

/// Margin on an amount, rounded up.
pub(crate) fn margin(amount: i64, bps: i64) -> i64 {
    // Most products fit; a division of 128 bits costs more than the rest of the rule.
    if let Some(parts) = amount.checked_mul(bps).and_then(|p| p.checked_add(WHOLE_BPS - 1)) {
        return parts.div_euclid(WHOLE_BPS);
    }
    let parts = i128::from(amount) * i128::from(bps);
    let up = (parts + i128::from(WHOLE_BPS) - 1).div_euclid(i128::from(WHOLE_BPS));
    i64::try_from(up).unwrap_or(i64::MAX)
}

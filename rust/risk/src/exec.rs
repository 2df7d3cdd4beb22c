//! Reservations, and what execution reports do to them.
//!
//! Every change of a working order goes through [`Engine::change_working`]: it subtracts what the
//! order reserved before and adds what it reserves after, so the sums telescope to zero.

use cwts_types::{Exec, exec_type};

use crate::engine::Engine;
use crate::working::{Pending, Replacing, Terms, Working};

/// What an execution report did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecEffect {
    /// It changed the order, or was only informative.
    Applied,
    /// Its id was seen before: ignored.
    Duplicate,
    /// It names no working order: nothing to change.
    UnknownOrder,
    /// More was filled than ordered: booked, and counted.
    Overfill,
}

impl Engine {
    /// Takes an execution report in.
    pub fn exec(&mut self, exec: &Exec) -> ExecEffect {
        let moved = self.moved_by(exec.order_id);
        let effect = self.apply_exec(exec);
        if let Some(moved) = moved {
            self.mark_stages(moved);
        }
        effect
    }

    #[inline]
    fn apply_exec(&mut self, exec: &Exec) -> ExecEffect {
        self.advance(exec.ts);
        self.counters.execs += 1;
        if exec.exec_id != 0 && self.execs.len() < EXEC_IDS_MAX && !self.execs.insert(exec.exec_id)
        {
            self.counters.duplicate_execs += 1;
            return ExecEffect::Duplicate;
        }
        let Some(id) = self.resolve(exec.order_id) else {
            return self.late(exec);
        };
        match exec.exec_type {
            exec_type::TRADE => self.fill(id, exec),
            exec_type::CANCELED
            | exec_type::EXPIRED
            | exec_type::DONE_FOR_DAY
            | exec_type::REJECTED => {
                self.reject_or_end(id, exec);
                ExecEffect::Applied
            }
            exec_type::REPLACED => {
                if !self.confirm(id, exec.order_id) {
                    self.restate(id, exec);
                }
                ExecEffect::Applied
            }
            _ => ExecEffect::Applied,
        }
    }

    /// A reject of a replace goes back to the old terms; of an order, it ends it.
    fn reject_or_end(&mut self, id: u64, exec: &Exec) {
        let named = exec.order_id;
        let replacing = self.replacing.get(&id);
        let is_live = named == id || replacing.is_some_and(|r| r.live_id == named);
        if exec.exec_type != exec_type::REJECTED || is_live {
            self.release(id, true);
            return;
        }
        // A replace that was answered before, or overtaken, has nothing left to give back.
        self.change_working(id, |_, replacing| replacing.pending.retain(|p| p.id != named));
        self.end_if_filled(id);
    }

    /// An accepted replace: both its terms and the old ones are reserved until it is answered.
    pub(crate) fn add_replace(&mut self, id: u64, pending: Pending) {
        let Some(working) = self.working.get_mut(&id) else { return };
        working.was_replaced = true;
        let mut forgotten = None;
        self.change_working(id, |_, replacing| {
            replacing.pending.push(pending);
            replacing.ids.push_back(pending.id);
            if replacing.ids.len() > REPLACE_IDS_MAX {
                forgotten = replacing.ids.pop_front();
            }
        });
        if let Some(old) = forgotten {
            self.replaces.remove(&old);
        }
        self.replaces.insert(pending.id, id);
    }

    /// The venue took a replace. It takes them in order, so earlier ones are settled with it; a
    /// report under the order's own id means the oldest. Whether there was one.
    pub(crate) fn confirm(&mut self, id: u64, named: u64) -> bool {
        let mut found = false;
        self.change_working(id, |working, replacing| {
            let pending = &mut replacing.pending;
            let by_name = pending.iter().position(|p| p.id == named);
            let at = by_name.or_else(|| (named == id && !pending.is_empty()).then_some(0));
            let Some(at) = at else { return };
            working.terms = pending[at].terms;
            replacing.live_id = pending[at].id;
            pending.drain(..=at);
            found = true;
        });
        self.end_if_filled(id);
        found
    }

    /// The venue says what the order is now, and nobody asked: `last_px` and `last_qty` are its
    /// terms. A replay that applies the market's own replaces says them so.
    fn restate(&mut self, id: u64, exec: &Exec) {
        let Some(working) = self.working.get(&id).copied() else { return };
        let replacing = self.replacing.get(&id);
        let is_live = exec.order_id == id || replacing.is_some_and(|r| r.live_id == exec.order_id);
        let is_settled = replacing.is_none_or(|r| r.pending.is_empty());
        if exec.last_qty <= 0 || !is_live || !is_settled {
            return;
        }
        let px_abs =
            if exec.last_px == 0 { working.terms.px_abs } else { exec.last_px.unsigned_abs() };
        let limit_px = if exec.last_px == 0 { working.terms.limit_px } else { Some(exec.last_px) };
        let terms = Terms { px_abs, qty: exec.last_qty, limit_px };
        // Nobody checked it against the sums: what would leave 64 bits stays as it was.
        let Some((qty, n)) = (Working { terms, ..working }).reserved_with(&[], None) else {
            return;
        };
        let (old_qty, old_n) = working.reserved(&[]);
        let fits = |sum: i64, old: i64, new: i64| {
            sum.checked_sub(old).and_then(|rest| rest.checked_add(new)).is_some()
        };
        let work = self.holdings[working.holding as usize].work[usize::from(!working.is_buy())];
        // The firm's sum is the largest.
        if fits(work, old_qty, qty) && fits(self.nodes[0].open, old_n, n) {
            self.change_working(id, |working, _| working.terms = terms);
            self.end_if_filled(id);
        }
    }

    fn fill(&mut self, id: u64, exec: &Exec) -> ExecEffect {
        let Some(working) = self.working.get_mut(&id) else { return ExecEffect::UnknownOrder };
        let (cum, filled) = filled(working, exec);
        if filled == 0 {
            return ExecEffect::Applied;
        }
        let ordered = if working.was_replaced {
            let working = *working;
            let ordered = working.ordered(self.pending(id, &working));
            self.change_working(id, |working, _| working.cum = cum);
            self.book(&working, filled, exec.last_px);
            ordered
        } else {
            // One version only, as almost all have: nothing to look up beside the order.
            let (qty_before, n_before) = working.reserved(&[]);
            working.cum = cum;
            let working = *working;
            let (qty, n) = working.reserved(&[]);
            let (holding, is_buy) = (working.holding, working.is_buy());
            self.reserve(holding, is_buy, qty - qty_before, n - n_before, 0);
            self.move_short(&working, qty - qty_before);
            self.book(&working, filled, exec.last_px);
            working.terms.qty
        };
        if cum >= ordered {
            self.release(id, true);
        }
        self.count_overfill(cum > ordered)
    }

    /// A report on no working order: a fill of one that has ended is still booked, because the
    /// venue may fill what a cancel has not reached yet.
    fn late(&mut self, exec: &Exec) -> ExecEffect {
        let named = exec.order_id;
        let id = if self.ended.contains_key(&named) {
            Some(named)
        } else {
            self.replaces.get(&named).copied()
        };
        let Some(ended) = id.and_then(|id| self.ended.get_mut(&id)) else {
            self.counters.unknown_execs += 1;
            self.unmatched(exec);
            return ExecEffect::UnknownOrder;
        };
        let (cum, filled) = filled(ended, exec);
        if exec.exec_type != exec_type::TRADE || filled == 0 {
            return ExecEffect::Applied;
        }
        ended.cum = cum;
        let ended = *ended;
        self.book(&ended, filled, exec.last_px);
        self.counters.late_fills += 1;
        self.count_overfill(cum > ended.terms.qty)
    }

    /// A venue that fills what nobody here knows has orders of ours that we must find first.
    fn unmatched(&mut self, exec: &Exec) {
        let is_fill = exec.exec_type == exec_type::TRADE;
        let venue = self.venues.get_mut(exec.venue as usize);
        if let Some(line) = venue.filter(|_| is_fill && exec.venue != 0) {
            line.reconciling = true;
            self.venue_watch = true;
        }
    }

    fn count_overfill(&mut self, is_over: bool) -> ExecEffect {
        if !is_over {
            return ExecEffect::Applied;
        }
        self.counters.overfills += 1;
        ExecEffect::Overfill
    }

    /// Books a fill to position and cost; the cost of what is held moves every node above.
    fn book(&mut self, working: &Working, filled: i64, last_px: i64) {
        let px = if last_px == 0 { working.terms.px_abs } else { last_px.unsigned_abs() };
        let holding = &mut self.holdings[working.holding as usize];
        let signed = if working.is_buy() { filled } else { -filled };
        let before = holding.pos;
        let after = before.saturating_add(signed);
        let old_cost = holding.cost;
        let old_net = net_of(before, old_cost);
        let traded = value_of(working, px, filled);
        holding.day_qty = holding.day_qty.saturating_add(filled);
        if working.is_short() {
            holding.short_day = holding.short_day.saturating_add(filled);
        }
        let value = |qty: i64| value_of(working, px, qty);
        holding.cost = if before == 0 || (before > 0) == (signed > 0) {
            old_cost.saturating_add(value(filled))
        } else if after == 0 {
            0
        } else if (after > 0) == (before > 0) {
            // What is left keeps its share of the cost, rounded up: never too little held.
            let share = i128::from(old_cost) * i128::from(after.unsigned_abs());
            let whole = i128::from(before.unsigned_abs());
            i64::try_from((share + whole - 1) / whole).unwrap_or(i64::MAX)
        } else {
            value(after)
        };
        holding.pos = after;
        holding.peak_abs = holding.peak_abs.max(after.saturating_abs());
        let change = i128::from(holding.cost) - i128::from(old_cost);
        let net = net_of(after, holding.cost).saturating_sub(old_net);
        let mut at = self.accounts[working.account as usize].as_ref().map(|l| l.node);
        while let Some(index) = at {
            let node = &mut self.nodes[index];
            let held = i128::from(node.held) + change;
            node.held = i64::try_from(held.max(0)).unwrap_or(i64::MAX);
            node.net = node.net.saturating_add(net);
            node.day = node.day.saturating_add(traded);
            node.peak = node.peak.max(node.open.saturating_add(node.held));
            at = node.parent;
        }
        self.count_margin(working.holding as usize, false);
        self.count_fill(working.strategy, self.last_ts);
        if self.ledgers.is_some() {
            let px = if last_px == 0 { px as i64 } else { last_px };
            self.pnl_fill(working, signed, px);
        }
    }

    /// Moves the quantity that works of sells marked short.
    pub(crate) fn move_short(&mut self, working: &Working, qty: i64) {
        if working.is_short() {
            let holding = &mut self.holdings[working.holding as usize];
            holding.short_work = holding.short_work.saturating_add(qty);
        }
    }

    /// Ends a working order and frees what it still reserves. `may_fill`: the venue had it, so a
    /// fill may still be on its way.
    pub(crate) fn release(&mut self, id: u64, may_fill: bool) {
        if let Some(working) = self.working.remove(&id) {
            self.end(id, working, may_fill);
        }
    }

    /// What [`Engine::release`] does to an order that has left the table.
    pub(crate) fn end(&mut self, id: u64, mut working: Working, may_fill: bool) {
        let pending = self.pending(id, &working);
        let ordered = working.ordered(pending);
        let (qty, n) = working.reserved(pending);
        self.reserve(working.holding, working.is_buy(), -qty, -n, -1);
        self.move_short(&working, -qty);
        self.move_crossing(id, &working, false);
        if let Some(Some(line)) = self.strategies.get_mut(working.strategy as usize) {
            line.tally.open_orders = line.tally.open_orders.saturating_sub(1);
        }
        if !may_fill {
            self.forget_replaces(id, working.was_replaced);
            return;
        }
        working.terms.qty = ordered;
        self.ended.insert(id, working);
        self.ended_order.push_back(id);
        if self.ended_order.len() > ENDED_MAX
            && let Some(oldest) = self.ended_order.pop_front()
        {
            self.forget(oldest);
        }
    }

    /// Forgets an ended order and its ids.
    pub(crate) fn forget(&mut self, id: u64) {
        if let Some(ended) = self.ended.remove(&id) {
            self.forget_replaces(id, ended.was_replaced);
        }
    }

    fn forget_replaces(&mut self, id: u64, was_replaced: bool) {
        if !was_replaced {
            return;
        }
        for replace in self.replacing.remove(&id).unwrap_or_default().ids {
            if self.replaces.get(&replace) == Some(&id) {
                self.replaces.remove(&replace);
            }
        }
    }

    /// Ends an order of which nothing is left to fill.
    fn end_if_filled(&mut self, id: u64) {
        let Some(working) = self.working.get(&id) else { return };
        if working.ordered(self.pending(id, working)) <= working.cum {
            self.release(id, true);
        }
    }

    /// Takes `qty` off a working order.
    pub(crate) fn reduce_working(&mut self, id: u64, qty: i64) {
        self.change_working(id, |working, _| {
            let old = working.terms;
            working.terms = Terms { qty: old.qty.saturating_sub(qty).max(working.cum), ..old };
        });
        self.end_if_filled(id);
    }

    /// An accepted order that was not released after all.
    pub fn deny_release(&mut self, order_id: u64) {
        if let Some(target) = self.replaces.remove(&order_id) {
            self.change_working(target, |_, replacing| {
                replacing.pending.retain(|p| p.id != order_id);
            });
            self.end_if_filled(target);
        } else {
            self.release(order_id, false);
        }
    }

    /// Changes a working order and moves its reservation with it.
    fn change_working(&mut self, id: u64, change: impl FnOnce(&mut Working, &mut Replacing)) {
        let Some(working) = self.working.get_mut(&id) else { return };
        let mut none = Replacing::default();
        let replacing =
            if working.was_replaced { self.replacing.entry(id).or_default() } else { &mut none };
        let (qty_before, n_before) = working.reserved(&replacing.pending);
        let crosses = self.crosses;
        let versions = |replacing: &Replacing| -> Vec<Terms> {
            if crosses { replacing.pending.iter().map(|p| p.terms).collect() } else { Vec::new() }
        };
        let (was, had) = (*working, versions(replacing));
        change(working, replacing);
        let (qty, n) = working.reserved(&replacing.pending);
        let (now, has) = (*working, versions(replacing));
        self.reserve(now.holding, now.is_buy(), qty - qty_before, n - n_before, 0);
        self.move_short(&now, qty - qty_before);
        if crosses {
            self.move_versions(&was, &had, false);
            self.move_versions(&now, &has, true);
        }
    }

    /// Moves a reservation through the holding and every node up to the firm.
    pub(crate) fn reserve(&mut self, holding: u32, is_buy: bool, qty: i64, n: i64, orders: i32) {
        let row = &mut self.holdings[holding as usize];
        let work = &mut row.work[usize::from(!is_buy)];
        *work = work.saturating_add(qty);
        row.open = row.open.saturating_add(n);
        let account = (row.key >> 32) as usize;
        let mut at = self.accounts[account].as_ref().map(|l| l.node);
        while let Some(index) = at {
            let node = &mut self.nodes[index];
            if node.roomy {
                node.due.reserve(n, is_buy);
                break;
            }
            node.open = node.open.saturating_add(n);
            if is_buy {
                node.open_buy = node.open_buy.saturating_add(n);
            }
            let tally = &mut node.tally;
            tally.open_orders = tally.open_orders.saturating_add_signed(orders);
            node.peak_open = node.peak_open.max(node.open);
            node.peak = node.peak.max(node.open.saturating_add(node.held));
            at = node.parent;
        }
        self.count_margin(holding as usize, false);
    }
}

/// Cost with the position's sign.
fn net_of(pos: i64, cost: i64) -> i64 {
    if pos < 0 { cost.saturating_neg() } else { cost }
}

/// Notional of a quantity at a price, micros.
fn value_of(working: &Working, px: u64, qty: i64) -> i64 {
    working.notional.micros(px, qty.unsigned_abs()).unwrap_or(i64::MAX)
}

/// What a trade report says was filled in all, and how much of it is new. By `cum_qty`, not
/// `last_qty`: a lost report is caught up with, a repeated one adds nothing.
fn filled(working: &Working, exec: &Exec) -> (i64, i64) {
    let cum = if exec.cum_qty > 0 {
        exec.cum_qty
    } else {
        working.cum.saturating_add(exec.last_qty.max(0))
    };
    (cum, cum.saturating_sub(working.cum).max(0))
}

/// Ended orders remembered, for fills that come late; then the oldest is forgotten.
const ENDED_MAX: usize = 65_536;
/// Replace ids that name one order; then the oldest is forgotten.
const REPLACE_IDS_MAX: usize = 65_536;
/// Execution ids remembered; beyond it they are told apart by `cum_qty` alone.
const EXEC_IDS_MAX: usize = 1 << 24;

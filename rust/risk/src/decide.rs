//! Decisions: evaluate, and if nothing is violated, reserve.

use cwts_types::{
    Control, Decision, Level, NO_CONTROL, Order, OrderKind, OrderType, Reasons, Verdict, Violation,
};

use crate::alerts::Moved;
use crate::batch::Hint;
use crate::engine::Engine;
use crate::evaluate::Evaluation;
use crate::sight::Sight;
use crate::working::{Pending, Terms, Working};

/// A decision with the details of every violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The record; its `seq` is the order's plus one.
    pub decision: Decision,
    /// One for each bit of its reasons, ascending.
    pub violations: Vec<Violation>,
}

impl Engine {
    /// Decides an order and changes nothing: the answer that [`Engine::decide`] would give.
    pub fn check(&self, order: &Order) -> Outcome {
        let ts = order.ts.max(self.last_ts);
        if ts >= self.next_roll && self.next_roll != 0 {
            // In a day that no input has begun yet: only a copy may begin it.
            let mut tomorrow = self.clone();
            tomorrow.advance(ts);
            return tomorrow.check_at(order, ts);
        }
        self.check_at(order, ts)
    }

    pub(crate) fn check_at(&self, order: &Order, ts: u64) -> Outcome {
        match order.order_kind() {
            Some(OrderKind::Cancel | OrderKind::MassCancel) => {
                self.cancel_outcome(order, self.resolve(order.ref_id).is_some())
            }
            _ => {
                let mut found = self.evaluate_live(order, ts, Hint::NONE);
                let mut verdict = Verdict::Reject;
                if self.lenient && !found.passes() {
                    (found.reasons, verdict) = self.weighed(order, ts, &found);
                }
                self.outcome(order, ts, &found, verdict)
            }
        }
    }

    /// Whether a new order or a replace would be accepted at any time from the last input on.
    ///
    /// No clock is needed to know: windows only empty and duplicates only age as time passes, so
    /// what passes at the time of the last input passes later. The exceptions are an instrument
    /// whose reference can become stale, one whose price is held against that of a period ago, and
    /// a short sale, whose locate ends with the day: the answer is then no, and the caller has to
    /// ask at a time.
    #[inline]
    pub fn admits_from_now_on(&self, order: &Order) -> bool {
        let line = self.instruments.get(order.instrument as usize).and_then(Option::as_ref);
        let is_cancel =
            matches!(order.order_kind(), Some(OrderKind::Cancel | OrderKind::MassCancel));
        is_cancel
            || line.is_some_and(|line| {
                line.fresh_until == u64::MAX
                    && line.rules.price_move.is_none()
                    && !line.rules.reg_sho
            }) && self.evaluate_live(order, self.last_ts, Hint::NONE).passes()
    }

    /// Decides an order; an accepted one is reserved, a cancel always passes.
    ///
    /// `replayed`: the input is a market's own record, so a cancel or replace is already confirmed
    /// and moves its reservation at once. Live, only the venue's report does.
    pub fn decide(&mut self, order: &Order, replayed: bool) -> Outcome {
        self.decide_with(order, replayed, Hint::NONE, |_| {})
    }

    /// The same, and shows each new order or replace to `seen` before anything is reserved.
    #[inline]
    pub fn decide_seen(
        &mut self,
        order: &Order,
        replayed: bool,
        seen: impl FnOnce(Sight<'_>),
    ) -> Outcome {
        self.decide_with(order, replayed, Hint::NONE, seen)
    }

    #[inline]
    pub(crate) fn decide_with(
        &mut self,
        order: &Order,
        replayed: bool,
        hint: Hint,
        seen: impl FnOnce(Sight<'_>),
    ) -> Outcome {
        let ts = self.advance(order.ts);
        self.decisions += 1;
        match order.order_kind() {
            Some(OrderKind::Cancel | OrderKind::MassCancel) => {
                let target = self.resolve(order.ref_id);
                let outcome = self.cancel_outcome(order, target.is_some());
                self.pass_cancel(order, target, ts, replayed);
                self.count_attempt(order.strategy, ts);
                outcome
            }
            _ => {
                let mut found = if replayed {
                    self.evaluate(order, ts, hint)
                } else {
                    self.evaluate_live(order, ts, hint)
                };
                let mut verdict = Verdict::Reject;
                if self.lenient && !found.passes() {
                    (found.reasons, verdict) = self.weigh(order, ts, &found, replayed);
                }
                seen(Sight { engine: self, order, ts, found: &found });
                self.counters.orders += 1;
                let outcome = self.outcome(order, ts, &found, verdict);
                if found.passes() {
                    self.counters.accepted += 1;
                    self.accept(order, ts, &found, replayed);
                    if self.file.control.alert[0] != 0 {
                        self.mark_stages(Moved {
                            account: order.account,
                            strategy: order.strategy,
                            instrument: order.instrument,
                            order_seq: order.seq,
                            order_id: order.order_id,
                        });
                    }
                } else {
                    self.count_refusal(found.reasons);
                }
                self.count_attempt(order.strategy, ts);
                outcome
            }
        }
    }

    /// An id that names an order already, working or ended, is refused: taking it again would
    /// free the first one's reservation while the venue still works it. A market's file may
    /// repeat an id, and then means that the older order is gone.
    #[inline]
    fn evaluate_live(&self, order: &Order, ts: u64, hint: Hint) -> Evaluation {
        let mut found = self.evaluate(order, ts, hint);
        if self.is_fresh(order.order_id) {
            found.reasons.insert_if(Control::DuplicateId, self.is_known_today(order.order_id));
        } else if order.order_id != 0 {
            let named = self.resolve(order.order_id);
            let own = order.kind == OrderKind::Replace as u8
                && named.is_some()
                && named == self.resolve(order.ref_id);
            // An ended order keeps its own id and its replaces' ids: a fill may still name them.
            let last = self.replaces.get(&order.order_id).unwrap_or(&order.order_id);
            let taken = named.is_some() && !own || self.ended.contains_key(last);
            // A replace keeps its order, so the id may be its own; a new one is nobody's yet.
            let known = taken || !own && self.is_known_today(order.order_id);
            found.reasons.insert_if(Control::DuplicateId, known);
        }
        found
    }

    pub(crate) fn blank(&self, order: &Order, verdict: Verdict) -> Decision {
        Decision {
            // A record can hold any number; the log gives real ones.
            seq: order.seq.wrapping_add(1),
            order_seq: order.seq,
            reasons: Reasons::NONE,
            observed: 0,
            limit: 0,
            order_id: order.order_id,
            limits_version: self.version,
            kill_epoch: self.kill_epoch,
            scope: 0,
            first: NO_CONTROL,
            level: Level::Order as u8,
            verdict: verdict as u8,
            flags: 0,
        }
    }

    #[inline]
    fn outcome(&self, order: &Order, ts: u64, found: &Evaluation, refused: Verdict) -> Outcome {
        if found.passes() {
            return Outcome {
                decision: self.blank(order, Verdict::Accept),
                violations: Vec::new(),
            };
        }
        let violations = self.violations(order, ts, found);
        let decision = self.blank(order, refused).with_violations(&violations);
        Outcome { decision, violations }
    }

    /// A cancel passes; `is_known` says whether it names a working order.
    fn cancel_outcome(&self, order: &Order, is_known: bool) -> Outcome {
        let decision = self.blank(order, Verdict::CancelPassed);
        let is_mass = order.kind == OrderKind::MassCancel as u8;
        if is_mass || is_known {
            return Outcome { decision, violations: Vec::new() };
        }
        let violation = Violation {
            control: Control::UnknownOrder,
            level: Level::Order,
            scope: 0,
            observed: order.ref_id as i64,
            limit: 0,
        };
        let violations = vec![violation];
        Outcome { decision: decision.with_violations(&violations), violations }
    }

    /// The working order that an id names, by itself or as an accepted replace of it.
    pub(crate) fn resolve(&self, order_id: u64) -> Option<u64> {
        if self.working.contains_key(&order_id) {
            return Some(order_id);
        }
        self.replaces.get(&order_id).copied().filter(|id| self.working.contains_key(id))
    }

    /// The replaces of a working order that the venue has not answered.
    pub(crate) fn pending(&self, id: u64, working: &Working) -> &[Pending] {
        if !working.was_replaced {
            return &[];
        }
        self.replacing.get(&id).map_or(&[], |replacing| replacing.pending.as_slice())
    }

    fn pass_cancel(&mut self, order: &Order, target: Option<u64>, ts: u64, replayed: bool) {
        self.counters.cancels += 1;
        if target.is_none() && order.kind == OrderKind::Cancel as u8 {
            self.counters.unknown_orders += 1;
        }
        // The rate counts what leaves: a cancel does, and is never refused for it.
        let working = target.and_then(|id| self.working.get(&id));
        let (account, strategy, instrument) = working
            .map_or((order.account, order.strategy, order.instrument), |working| {
                (working.account, working.strategy, working.instrument)
            });
        self.count_message(account, strategy, instrument, ts, false);
        if let (true, Some(id)) = (replayed, target) {
            // A replayed cancel with a quantity takes off only that much.
            match order.qty {
                ..=0 => self.release(id, false),
                qty => self.reduce_working(id, qty),
            }
        }
    }

    /// Counts one message that leaves, in every window that wants it.
    fn count_message(&mut self, account: u32, strategy: u32, instrument: u32, ts: u64, new: bool) {
        let strategy = self.strategies.get(strategy as usize).and_then(Option::as_ref);
        let instrument = self.instruments.get(instrument as usize).and_then(Option::as_ref);
        let session = strategy.and_then(|l| self.sessions.get(l.session as usize)?.rate);
        let venue = instrument.and_then(|l| self.venues.get(l.venue as usize)?.rate);
        let rates = [
            self.accounts.get(account as usize).and_then(|l| l.as_ref()?.rate),
            strategy.and_then(|l| l.rate),
            instrument.and_then(|l| l.rate),
            session,
            venue,
        ];
        for rate in rates.into_iter().flatten() {
            let window = &mut self.windows[rate];
            if new || !window.accepted_new {
                window.push(ts);
            }
        }
    }

    /// Counts one message that came, whatever became of it.
    fn count_attempt(&mut self, strategy: u32, ts: u64) {
        let line = self.strategies.get(strategy as usize).and_then(Option::as_ref);
        let Some(line) = line else { return };
        let session = self.sessions.get(line.session as usize).and_then(|s| s.attempts);
        for window in [line.attempts, session].into_iter().flatten() {
            self.windows[window].push(ts);
        }
    }

    /// Counts an acceptance in what is summed and counted by the day.
    fn count_accepted(&mut self, order: &Order, ts: u64, added_n: i64, is_new: bool) {
        if let Some(Some(line)) = self.strategies.get_mut(order.strategy as usize) {
            if is_new {
                line.tally.open_orders = line.tally.open_orders.saturating_add(1);
                line.tally.day_orders = line.tally.day_orders.saturating_add(1);
            }
            if let Some(sums) = line.sums {
                self.sums[sums].push(ts, added_n);
            }
        }
        let mut at = self.accounts[order.account as usize].as_ref().map(|line| line.node);
        if let Some(node) = at.map(|index| &mut self.nodes[index]) {
            node.last_ts = ts;
        }
        while let Some(index) = at {
            let node = &mut self.nodes[index];
            if node.roomy {
                break;
            }
            if is_new {
                node.tally.day_orders = node.tally.day_orders.saturating_add(1);
            }
            if let Some(sums) = node.sums {
                self.sums[sums].push(ts, added_n);
            }
            at = node.parent;
        }
    }

    fn accept(&mut self, order: &Order, ts: u64, found: &Evaluation, replayed: bool) {
        let is_new = order.kind == OrderKind::New as u8;
        self.count_message(order.account, order.strategy, order.instrument, ts, is_new);
        let index = self.holding_or_new(order.account, order.instrument);
        let rule = self.accounts[order.account as usize].as_ref().and_then(|l| l.duplicates);
        let holding = &mut self.holdings[index as usize];
        if let Some(rule) = rule {
            holding.accepted.push(ts, rule.window_ns, order.px, order.qty, order.side);
        }
        holding.last_ts = ts;
        let order_type = OrderType::from_code(order.type_tif & 0x0f).unwrap_or(OrderType::Limit);
        let limit_px = crate::evaluate::limit_px(order, order_type);
        let terms = Terms { px_abs: found.px_abs, qty: order.qty, limit_px };
        self.count_accepted(order, ts, found.added_n, is_new);
        let is_fresh = self.is_fresh(order.order_id);
        self.use_id(order.order_id);
        if !replayed && self.file.duplicate_ids.is_some() {
            self.day_ids.insert(order.order_id);
        }
        if !is_new {
            if let Some(id) = self.resolve(order.ref_id) {
                self.add_replace(id, Pending { id: order.order_id, terms });
                if replayed {
                    self.confirm(id, order.order_id);
                }
            }
            return;
        }
        let Some(notional) =
            self.instruments[order.instrument as usize].as_ref().map(|line| line.notional)
        else {
            return;
        };
        let working = Working {
            holding: index,
            instrument: order.instrument,
            account: order.account,
            strategy: order.strategy,
            side: order.side,
            tif: order.type_tif >> 4,
            terms,
            was_replaced: false,
            cum: 0,
            notional,
        };
        // An id that is used twice: the older order's reservation goes first, or it would stay
        // reserved for ever. Duplicate client ids are refused upstream.
        if let Some(older) = self.working.insert(order.order_id, working) {
            self.end(order.order_id, older, false);
        }
        if !is_fresh {
            self.forget(order.order_id);
        }
        // The evaluation priced it by the same rule.
        self.reserve(index, working.is_buy(), order.qty, found.n, 1);
        self.move_short(&working, order.qty);
        self.move_crossing(order.order_id, &working, true);
    }
}

impl Engine {
    /// Kill violations of an order that was accepted before: asked again at its release.
    pub fn check_release(&self, order: &Order) -> Vec<Violation> {
        let Some(lines) = self.lines(order) else { return Vec::new() };
        let mask = self.kill_mask(&lines);
        if mask == 0 {
            return Vec::new();
        }
        // Its own reservation is in the working sums already: it adds nothing any more.
        let (holding, _) = self.holding_of(order);
        let side = cwts_types::Side::from_code(order.side);
        let reducing = holding
            .zip(side)
            .is_some_and(|(holding, side)| crate::evaluate::reduces(holding, side, 0));
        let mut reasons = Reasons::NONE;
        let exit = crate::tables::kill_bit::REDUCE_ONLY | crate::tables::kill_bit::HALTED_EXIT;
        if mask & !exit != 0 || (mask & crate::tables::kill_bit::HALTED_EXIT != 0 && !reducing) {
            reasons.insert(Control::KillHalted);
        }
        if mask & crate::tables::kill_bit::REDUCE_ONLY != 0 && !reducing {
            reasons.insert(Control::KillReduceOnly);
        }
        let found = Evaluation { reasons, ..Evaluation::blank(order.side == 1) };
        self.violations(order, order.ts, &found)
    }
}

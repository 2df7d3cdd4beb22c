//! What was observed where: the details of a refusal. Only refused orders come here.

use cwts_types::{Control, Level, Order, OrderKind, Reasons, Scope, ScopeKind, Violation};

use crate::engine::Engine;
use crate::evaluate::{Evaluation, PENDING_MAX};
use crate::tables::{kill_bit, missing};

impl Engine {
    /// One violation for each bit, ascending, at the first level that it fired at.
    #[cold]
    pub(crate) fn violations(&self, order: &Order, ts: u64, found: &Evaluation) -> Vec<Violation> {
        found.reasons.iter().map(|control| self.violation(control, order, ts, found)).collect()
    }

    fn violation(&self, control: Control, order: &Order, ts: u64, found: &Evaluation) -> Violation {
        let at =
            |level, scope, observed, limit| Violation { control, level, scope, observed, limit };
        let own = |observed, limit| at(Level::Order, 0, observed, limit);
        let Some(lines) = self.lines(order) else {
            return match control {
                Control::UnknownHandle => own(i64::from(self.unknown_handles(order)), 0),
                Control::KillHalted | Control::KillReduceOnly => {
                    self.kill_violation(control, order)
                }
                Control::UnknownOrder => own(order.ref_id as i64, 0),
                _ => own(0, 0),
            };
        };
        let (instrument, account, strategy) = (lines.instrument, lines.account, lines.strategy);
        let (holding, limits) = self.holding_of(order);
        // Levels from the most specific: the first one that is passed is named.
        let sized = |observed: i64, by_instrument: i64, by_account: i64, by_strategy: i64| {
            if observed > by_instrument {
                at(Level::Instrument, order.instrument, observed, by_instrument)
            } else if observed > by_account {
                at(Level::Account, order.account, observed, by_account)
            } else {
                at(Level::Strategy, order.strategy, observed, by_strategy)
            }
        };
        match control {
            Control::LimitNotSet => self.missing_limit(order, found.missing),
            Control::MaxOrderQty => {
                sized(order.qty, instrument.max_qty, account.max_qty, strategy.max_qty)
            }
            Control::MaxOrderNotional => {
                sized(found.n, instrument.max_n, account.max_n, strategy.max_n)
            }
            Control::LotSize => {
                let lot = instrument.lot.map_or(0, |d| d.divisor() as i64);
                at(Level::Instrument, order.instrument, order.qty, lot)
            }
            Control::TickSize => {
                let tick = instrument.tick.map_or(0, |d| d.divisor() as i64);
                at(Level::Instrument, order.instrument, order.px, tick)
            }
            Control::PriceCollar => {
                let limit = if order.px < instrument.lo { instrument.lo } else { instrument.hi };
                at(Level::Instrument, order.instrument, order.px, limit)
            }
            Control::ReferenceMissing => at(Level::Instrument, order.instrument, 0, 0),
            Control::ReferenceStale => {
                let age = ts.saturating_sub(instrument.reference.map_or(0, |r| r.1));
                let max = instrument.collar.map_or(0, |c| c.max_age_ns);
                at(Level::Instrument, order.instrument, clamp(age), clamp(max))
            }
            Control::RestrictedInstrument => match limits.restricted {
                Some((level, scope)) if !instrument.restricted => at(level, scope, 0, 0),
                _ => at(Level::Instrument, order.instrument, 0, 0),
            },
            Control::UnknownOrder => own(order.ref_id as i64, 0),
            Control::MessageRate => {
                let session = self.sessions.get(strategy.session as usize);
                let venue = self.venues.get(instrument.venue as usize);
                let rows = [
                    (account.rate, Level::Account, order.account),
                    (strategy.rate, Level::Strategy, order.strategy),
                    (instrument.rate, Level::Instrument, order.instrument),
                    (session.and_then(|s| s.rate), Level::Session, strategy.session),
                    (venue.and_then(|v| v.rate), Level::Venue, instrument.venue),
                ];
                let is_replace = order.kind == OrderKind::Replace as u8;
                for (rate, level, scope) in rows {
                    let Some(window) = rate.map(|r| &self.windows[r]) else { continue };
                    if window.refuses(ts) && !(window.accepted_new && is_replace) {
                        let count = i64::from(window.count(ts)) + 1;
                        return at(level, scope, count, i64::from(window.max));
                    }
                }
                // What is left is a replace behind too many that the venue has not answered.
                own(PENDING_MAX as i64 + 1, PENDING_MAX as i64)
            }
            Control::DuplicateOrder => {
                let rule = account.duplicates.unwrap_or(crate::limits::Duplicates {
                    max: 0,
                    window_ns: 1,
                    severity: None,
                });
                let equal = holding.map_or(0, |h| {
                    h.accepted.equal(ts, rule.window_ns, order.px, order.qty, order.side)
                });
                let observed = i64::from(equal) + 1;
                at(Level::AccountInstrument, order.account, observed, i64::from(rule.max))
            }
            Control::MaxPosition => {
                let side = usize::from(!found.is_buy);
                let (pos, work) = holding.map_or((0, 0), |h| (h.pos, h.work[side]));
                let signed = if found.is_buy { pos } else { pos.saturating_neg() };
                let worst = signed.saturating_add(work).saturating_add(found.added_qty);
                let limit = if found.is_buy { limits.long } else { limits.short };
                at(Level::AccountInstrument, order.account, worst, limit)
            }
            Control::MaxOpenNotional | Control::CreditLimit => {
                self.node_violation(control, order, found)
            }
            Control::KillReduceOnly | Control::KillHalted => self.kill_violation(control, order),
            Control::ArithmeticOverflow => own(found.n, i64::MAX),
            Control::DuplicateId => own(order.order_id as i64, 0),
            _ if found.compared => {
                self.first_broken(control, order, ts, found).unwrap_or_else(|| own(0, 0))
            }
            _ => own(0, 0),
        }
    }

    /// Bits of the handles that nobody registered: 1 account, 2 instrument, 4 strategy.
    pub(crate) fn unknown_handles(&self, order: &Order) -> u32 {
        let account = self.accounts.get(order.account as usize).is_none_or(Option::is_none);
        let instrument =
            self.instruments.get(order.instrument as usize).is_none_or(Option::is_none);
        let strategy = self.strategies.get(order.strategy as usize).is_none_or(Option::is_none);
        u32::from(account) | u32::from(instrument) << 1 | u32::from(strategy) << 2
    }

    fn missing_limit(&self, order: &Order, mask: u32) -> Violation {
        let (level, scope) = match mask & mask.wrapping_neg() {
            missing::MAX_POSITION => (Level::AccountInstrument, order.account),
            missing::TICK | missing::LOT | missing::PRICE_COLLAR => {
                (Level::Instrument, order.instrument)
            }
            missing::CUSTOMER_CREDIT => {
                let node = self.lines(order).and_then(|l| self.nodes[l.account.node].parent);
                (Level::Customer, node.map_or(0, |n| self.nodes[n].handle))
            }
            missing::FIRM_CREDIT => (Level::Firm, 0),
            _ => (Level::Account, order.account),
        };
        let control = Control::LimitNotSet;
        Violation { control, level, scope, observed: i64::from(mask), limit: 0 }
    }

    fn node_violation(&self, control: Control, order: &Order, found: &Evaluation) -> Violation {
        let mut at = self.lines(order).map(|l| l.account.node);
        while let Some(index) = at {
            let node = &self.nodes[index];
            let open = node.open.saturating_add(found.added_n);
            let (observed, limit) = match control {
                Control::MaxOpenNotional => (open, node.max_open),
                _ => (open.saturating_add(node.held), node.credit),
            };
            if observed > limit {
                let (level, scope) = (node.level, node.handle);
                return Violation { control, level, scope, observed, limit };
            }
            at = node.parent;
        }
        Violation { control, level: Level::Order, scope: 0, observed: 0, limit: 0 }
    }

    fn kill_violation(&self, control: Control, order: &Order) -> Violation {
        let wanted = match control {
            Control::KillReduceOnly => kill_bit::REDUCE_ONLY,
            _ => kill_bit::HALTED | kill_bit::HALTED_EXIT,
        };
        let of = |level, scope, mask: u8| Violation {
            control,
            level,
            scope,
            observed: i64::from(mask & wanted),
            limit: 0,
        };
        if let Some(lines) = self.lines(order) {
            let mask = lines.strategy.kill;
            if mask & wanted != 0 {
                return of(Level::Strategy, order.strategy, mask);
            }
            let session = lines.strategy.session;
            let mask = self.sessions.get(session as usize).map_or(0, |session| session.kill);
            if mask & wanted != 0 {
                return of(Level::Session, session, mask);
            }
            // The line's mask holds its venue's too.
            let own = Scope { kind: ScopeKind::Instrument, handle: order.instrument };
            let mask = self.scope_mask(own);
            if mask & wanted != 0 {
                return of(Level::Instrument, order.instrument, mask);
            }
            let mask = lines.instrument.kill;
            if mask & wanted != 0 {
                return of(Level::Venue, lines.instrument.venue, mask);
            }
            let mut at = Some(lines.account.node);
            while let Some(index) = at {
                let node = &self.nodes[index];
                if node.kill & wanted != 0 {
                    return of(node.level, node.handle, node.kill);
                }
                at = node.parent;
            }
        }
        of(Level::Firm, 0, self.nodes[0].kill)
    }
}

fn clamp(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl Evaluation {
    /// Whether nothing was violated.
    pub(crate) fn passes(&self) -> bool {
        self.reasons == Reasons::NONE
    }
}

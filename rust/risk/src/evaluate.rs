//! Which controls an order violates: all of them, reading the state and changing nothing.
//!
//! One pass computes the bits without details; only a refused order pays for the second pass in
//! `violations`, which says what was observed where.

use cwts_types::{Control, Order, OrderKind, OrderType, Reasons, Side, order_flag};

use crate::batch::Hint;
use crate::engine::Engine;
use crate::holding::{Holding, HoldingLimits};
use crate::senders::StrategyLine;
use crate::tables::{AccountLine, InstrumentLine, REDUCING_EXEMPT, kill_bit};
use crate::working::{Terms, Working};

/// What one evaluation found, and what an acceptance will need.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evaluation {
    pub(crate) reasons: Reasons,
    /// Missing-limit bits.
    pub(crate) missing: u32,
    /// Notional of the whole order, micros; saturated when it leaves i64.
    pub(crate) n: i64,
    /// What the order adds to the reservation.
    pub(crate) added_qty: i64,
    pub(crate) added_n: i64,
    /// Absolute price behind `n`, 1e-9.
    pub(crate) px_abs: u64,
    pub(crate) is_buy: bool,
    /// Position that the order could lead to on its side, with what works there.
    pub(crate) worst: i64,
    /// And the limit on it.
    pub(crate) max_position: i64,
    /// Equal orders accepted within the duplicate window.
    pub(crate) equal: u32,
    /// Whether the order only takes a position down.
    pub(crate) reducing: bool,
    /// Whether the order was whole enough to be compared with limits.
    pub(crate) compared: bool,
}

impl Evaluation {
    /// Nothing found yet.
    pub(crate) fn blank(is_buy: bool) -> Self {
        Self {
            reasons: Reasons::NONE,
            missing: 0,
            n: 0,
            added_qty: 0,
            added_n: 0,
            px_abs: 0,
            is_buy,
            worst: 0,
            max_position: i64::MAX,
            equal: 0,
            reducing: false,
            compared: false,
        }
    }
}

/// The lines of an order whose handles are all known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lines<'e> {
    pub(crate) instrument: &'e InstrumentLine,
    pub(crate) account: &'e AccountLine,
    pub(crate) strategy: &'e StrategyLine,
}

/// An order whose bytes are consistent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) order_type: OrderType,
    pub(crate) side: Side,
    pub(crate) is_replace: bool,
}

impl Engine {
    #[inline]
    pub(crate) fn lines(&self, order: &Order) -> Option<Lines<'_>> {
        Some(Lines {
            instrument: self.instruments.get(order.instrument as usize)?.as_ref()?,
            account: self.accounts.get(order.account as usize)?.as_ref()?,
            strategy: self.strategies.get(order.strategy as usize)?.as_ref()?,
        })
    }

    /// Everything that `order` violates at time `ts` (already clamped).
    #[inline]
    pub(crate) fn evaluate(&self, order: &Order, ts: u64, hint: Hint) -> Evaluation {
        let mut out = Evaluation::blank(order.side == Side::Buy as u8);
        let Some(lines) = self.lines(order) else {
            out.reasons.insert(Control::UnknownHandle);
            // What needs no line can still be judged.
            let line = self.instruments.get(order.instrument as usize).and_then(Option::as_ref);
            let nonpositive = line.is_some_and(|line| line.nonpositive);
            out.reasons.insert_if(Control::Malformed, shape(order, nonpositive).is_none());
            let is_replace = order.kind == OrderKind::Replace as u8;
            let is_lost = is_replace && self.resolve(order.ref_id).is_none();
            out.reasons.insert_if(Control::UnknownOrder, is_lost);
            let kill = self.nodes[0].kill;
            out.reasons.insert_if(Control::KillHalted, kill & HALTED_ANY != 0);
            out.reasons.insert_if(Control::KillReduceOnly, kill & kill_bit::REDUCE_ONLY != 0);
            return out;
        };
        let target = if order.kind == OrderKind::Replace as u8 {
            // By any of its ids: a chain of replaces names the last one.
            let id = self.resolve(order.ref_id);
            let target = id.and_then(|id| self.working.get(&id).map(|working| (id, working)));
            out.reasons.insert_if(Control::UnknownOrder, target.is_none());
            target
        } else {
            None
        };
        let shape = shape(order, lines.instrument.nonpositive)
            .filter(|s| target.is_none_or(|(_, t)| replaces(t, order, s.side)));
        let Some(shape) = shape else {
            // A malformed order has no quantity or price that another control could judge.
            out.reasons.insert(Control::Malformed);
            let kill = self.kill_mask(&lines);
            out.reasons.insert_if(Control::KillHalted, kill & HALTED_ANY != 0);
            out.reasons.insert_if(Control::KillReduceOnly, kill & kill_bit::REDUCE_ONLY != 0);
            out.reasons.insert_if(Control::RestrictedInstrument, lines.instrument.restricted);
            return out;
        };
        self.evaluate_shape(order, ts, shape, &lines, (target, hint), &mut out);
        out
    }

    #[inline]
    fn evaluate_shape(
        &self,
        order: &Order,
        ts: u64,
        shape: Shape,
        lines: &Lines<'_>,
        (target, hint): (Option<(u64, &Working)>, Hint),
        out: &mut Evaluation,
    ) {
        let Lines { instrument, account, strategy } = lines;
        let (known, limits) = match hint.holding {
            Some(index) => self.holding_at(index),
            None => self.holding_of(order),
        };
        let fallback;
        let holding = match known {
            Some(holding) => holding,
            None => {
                fallback = Holding::default();
                &fallback
            }
        };
        let buy = usize::from(!shape.side.is_buy());

        // Stateless: the record against the tables.
        out.px_abs = priced(order, shape.order_type, instrument);
        let n = match hint.columns {
            Some(found) => instrument.notional_of(found.tq),
            None => instrument.notional.micros(out.px_abs, order.qty.unsigned_abs()),
        };
        out.n = n.unwrap_or(i64::MAX);
        let r = &mut out.reasons;
        r.insert_if(Control::ArithmeticOverflow, n.is_none());
        let max_qty = instrument.max_qty.min(account.max_qty).min(strategy.max_qty);
        r.insert_if(Control::MaxOrderQty, order.qty > max_qty);
        let max_n = instrument.max_n.min(account.max_n).min(strategy.max_n);
        r.insert_if(Control::MaxOrderNotional, out.n > max_n && max_n != i64::MAX);
        let has_limit = matches!(shape.order_type, OrderType::Limit | OrderType::StopLimit);
        let priced_by_sender = order.px != 0 || has_limit;
        if instrument.has_reference {
            r.insert_if(Control::ReferenceStale, ts > instrument.fresh_until);
        } else {
            let lifted = instrument.allow_missing || !instrument.has_collar;
            let needs = !priced_by_sender || !lifted;
            r.insert_if(Control::ReferenceMissing, needs);
        }
        r.0 |= match hint.columns {
            Some(found) => u64::from(found.reasons),
            None => lot_tick_collar(order, instrument, priced_by_sender),
        };
        r.insert_if(
            Control::RestrictedInstrument,
            instrument.restricted || limits.restricted.is_some(),
        );

        // What the order adds, beyond what the order that it replaces has reserved.
        let mut shrinks = false;
        (out.added_qty, out.added_n) = match target {
            None => (order.qty, out.n),
            Some((id, target)) => {
                let leaves = order.qty - target.cum;
                // At the rate that is pinned in the order: the reservation will use it too.
                let limit_px = limit_px(order, shape.order_type);
                let terms = Terms { px_abs: out.px_abs, qty: order.qty, limit_px };
                let pending = self.pending(id, target);
                r.insert_if(Control::MessageRate, pending.len() >= PENDING_MAX);
                let (reserved_qty, reserved_n) = target.reserved(pending);
                let after = target.reserved_with(pending, Some(terms));
                r.insert_if(Control::ArithmeticOverflow, after.is_none());
                let added_n = after.map_or(i64::MAX, |(_, n)| n) - reserved_n;
                shrinks = leaves < reserved_qty && added_n == 0;
                ((leaves - reserved_qty).max(0), added_n)
            }
        };

        // Stateful: position, then every node up to the firm.
        let after = holding.work[buy].checked_add(out.added_qty);
        let signed = if buy == 0 { Some(holding.pos) } else { holding.pos.checked_neg() };
        let worst = after.zip(signed).and_then(|(work, pos)| work.checked_add(pos));
        r.insert_if(Control::ArithmeticOverflow, worst.is_none());
        let max_position = if buy == 0 { limits.long } else { limits.short };
        r.insert_if(Control::MaxPosition, worst.unwrap_or(0) > max_position);
        let reducing = shrinks || reduces(holding, shape.side, out.added_qty);
        out.worst = worst.unwrap_or(i64::MAX);
        out.max_position = max_position;
        out.reducing = reducing;
        out.compared = true;

        let mut missing = instrument.missing | account.missing;
        if limits.missing {
            missing |= crate::tables::missing::MAX_POSITION;
        }
        let mut kill = strategy.kill | instrument.kill;
        let session = self.sessions.get(strategy.session as usize);
        kill |= session.map_or(0, |session| session.kill);
        // Own orders are looked for under parents with room, too.
        let mut nodes_watch = self.crosses || limits.day_qty != i64::MAX;
        let mut at = Some(account.node);
        while let Some(index) = at {
            let node = &self.nodes[index];
            if node.roomy {
                break;
            }
            nodes_watch |= node.caps.watch;
            let open = node.open.checked_add(out.added_n);
            let used = open.and_then(|open| open.checked_add(node.held));
            r.insert_if(Control::ArithmeticOverflow, used.is_none());
            r.insert_if(Control::MaxOpenNotional, open.unwrap_or(0) > node.max_open);
            r.insert_if(Control::CreditLimit, used.unwrap_or(0) > node.credit);
            missing |= node.missing;
            kill |= node.kill;
            at = node.parent;
        }
        out.missing = missing;
        r.insert_if(Control::LimitNotSet, missing != 0);

        let session_rate = session.and_then(|session| session.rate);
        let venue_rate = self.venues.get(instrument.venue as usize).and_then(|venue| venue.rate);
        let rates = [account.rate, strategy.rate, instrument.rate, session_rate, venue_rate];
        for rate in rates.into_iter().flatten() {
            let window = &self.windows[rate];
            let counts = !(window.accepted_new && shape.is_replace);
            r.insert_if(Control::MessageRate, counts && window.refuses(ts));
        }
        if let Some(rule) = account.duplicates {
            // Only a recent acceptance can have an equal.
            if known.is_some() && ts - holding.last_ts.min(ts) < rule.window_ns {
                let accepted = &holding.accepted;
                let equal = accepted.equal(ts, rule.window_ns, order.px, order.qty, order.side);
                let blind = accepted.is_full(ts, rule.window_ns);
                out.equal = equal;
                r.insert_if(Control::DuplicateOrder, equal >= rule.max || blind);
            }
        }

        if self.is_watched(order, lines, nodes_watch) {
            let asked = crate::rules::Asked {
                order,
                ts,
                shape,
                lines: *lines,
                holding,
                limits,
                n: out.n,
                added_qty: out.added_qty,
                added_n: out.added_n,
                reducing,
            };
            self.broken_rules(&asked, &mut |violation| r.insert(violation.control));
        }

        // Reducing orders are exempt from the controls of column R, and from soft exits.
        if reducing {
            r.0 &= !REDUCING_EXEMPT;
        } else {
            r.insert_if(Control::KillReduceOnly, kill & kill_bit::REDUCE_ONLY != 0);
        }
        let halted = kill & kill_bit::HALTED != 0;
        let halted_exit = kill & kill_bit::HALTED_EXIT != 0 && !reducing;
        r.insert_if(Control::KillHalted, halted || halted_exit);
    }

    /// The holding of an order, and its limits even before the holding exists.
    #[inline]
    pub(crate) fn holding_of(&self, order: &Order) -> (Option<&Holding>, HoldingLimits) {
        let key = crate::holding::holding_key(order.account, order.instrument);
        match self.holding_index.get(&key) {
            Some(index) => self.holding_at(*index),
            None => (None, self.limits_of_holding(order.account, order.instrument)),
        }
    }

    #[inline]
    fn holding_at(&self, index: u32) -> (Option<&Holding>, HoldingLimits) {
        let holding = &self.holdings[index as usize];
        (Some(holding), holding.limits)
    }

    pub(crate) fn kill_mask(&self, lines: &Lines<'_>) -> u8 {
        let mut mask = lines.instrument.kill | lines.strategy.kill;
        let session = self.sessions.get(lines.strategy.session as usize);
        mask |= session.map_or(0, |session| session.kill);
        let mut at = Some(lines.account.node);
        while let Some(index) = at {
            mask |= self.nodes[index].kill;
            at = self.nodes[index].parent;
        }
        mask
    }
}

/// The order's shape, or `None` if its bytes contradict each other.
#[inline]
pub(crate) fn shape(order: &Order, nonpositive: bool) -> Option<Shape> {
    let is_replace = match order.order_kind()? {
        OrderKind::New => false,
        OrderKind::Replace => true,
        OrderKind::Cancel | OrderKind::MassCancel => return None,
    };
    let order_type = OrderType::from_code(order.type_tif & 0x0f)?;
    let side = Side::from_code(order.side)?;
    let priced = match order_type {
        OrderType::Limit | OrderType::StopLimit => order.px > 0 || nonpositive,
        OrderType::Market | OrderType::Stop => order.px == 0,
        OrderType::Pegged => order.px >= 0 || nonpositive,
    };
    let whole = order.qty > 0
        && order.px != i64::MIN
        && priced
        && order.flags & order_flag::RESERVED == 0
        && order.type_tif >> 4 <= TIF_MAX
        && is_replace == (order.ref_id != 0);
    whole.then_some(Shape { order_type, side, is_replace })
}

/// Lot, tick and collar of one order; for many the columns say the same.
#[inline]
pub(crate) fn lot_tick_collar(order: &Order, line: &InstrumentLine, is_priced: bool) -> u64 {
    let mut found = Reasons::NONE;
    let odd_lot = order.flags & order_flag::ODD_LOT != 0;
    let in_lots = line.lot.is_none_or(|lot| lot.divides(order.qty.unsigned_abs()));
    found.insert_if(Control::LotSize, !in_lots && !odd_lot);
    let on_tick = line.tick.is_none_or(|tick| tick.divides(order.px.unsigned_abs()));
    found.insert_if(Control::TickSize, !on_tick);
    let outside = order.px < line.lo || order.px > line.hi;
    found.insert_if(Control::PriceCollar, line.has_reference && is_priced && outside);
    found.0
}

/// A replace keeps account, instrument, strategy and side, and asks for more than is filled.
fn replaces(target: &Working, order: &Order, side: Side) -> bool {
    target.account == order.account
        && target.instrument == order.instrument
        && target.strategy == order.strategy
        && target.is_buy() == side.is_buy()
        && order.qty > target.cum
}

/// The price that an order may trade at or better; `None` if its sender gave none.
#[inline]
pub(crate) fn limit_px(order: &Order, order_type: OrderType) -> Option<i64> {
    let has_limit = matches!(order_type, OrderType::Limit | OrderType::StopLimit);
    (order.px != 0 || has_limit).then_some(order.px)
}

/// The absolute price that exposure is counted at: orders without one use the collar's far end.
#[inline]
pub(crate) fn priced(order: &Order, order_type: OrderType, line: &InstrumentLine) -> u64 {
    let own = order.px.unsigned_abs();
    let is_stop = matches!(order_type, OrderType::Stop | OrderType::StopLimit);
    if own != 0 && !is_stop || order_type == OrderType::Limit || !line.has_reference {
        return own;
    }
    let worst = if line.has_collar {
        line.lo.unsigned_abs().max(line.hi.unsigned_abs())
    } else {
        line.reference.map_or(0, |r| r.0.unsigned_abs())
    };
    own.max(worst)
}

/// Whether the order only takes a position down. Computed, never believed: with what already
/// works on its side it cannot cross zero.
#[inline]
pub(crate) fn reduces(holding: &Holding, side: Side, added_qty: i64) -> bool {
    let (position, work) = if side.is_buy() {
        (holding.pos.checked_neg().unwrap_or(0), holding.work[0])
    } else {
        (holding.pos, holding.work[1])
    };
    position > 0 && work.checked_add(added_qty).is_some_and(|after| after <= position)
}

/// Either kind of halt.
const HALTED_ANY: u8 = kill_bit::HALTED | kill_bit::HALTED_EXIT;
/// Replaces of one order that the venue has not answered; one more is refused.
pub(crate) const PENDING_MAX: usize = 64;
/// Largest FIX 59 code.
const TIF_MAX: u8 = 9;

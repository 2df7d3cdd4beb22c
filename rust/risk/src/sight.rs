//! What a decision compared: each numeric limit beside the value that met it.
//!
//! A look at the state between evaluation and reservation. It decides nothing: reports, what-if
//! curves and suggested limits are counted from it.

use cwts_types::{Control, Level, Order, OrderKind, RegisterKind, Violation};

use crate::compared::{COMPARED, first_row, row_at};
use crate::engine::Engine;
use crate::evaluate::{Evaluation, Lines};
use crate::holding::Holding;
use crate::rules::Asked;
use crate::tables::InstrumentLine;
use crate::window::Window;

/// One comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    /// Its number in [`COMPARED`].
    pub row: usize,
    /// Whose limit: a handle of the level, or for what is of an account in an instrument the
    /// holding's number.
    pub place: u32,
    /// What the order came to, itself included where the row says so.
    pub value: i64,
    /// The limit; beyond it the order is refused.
    pub limit: i64,
}

/// An order at its decision.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'e> {
    pub(crate) engine: &'e Engine,
    pub(crate) order: &'e Order,
    pub(crate) ts: u64,
    pub(crate) found: &'e Evaluation,
}

/// Takes a comparison: row, place, value, limit.
type Give<'g> = dyn FnMut(usize, u32, i64, i64) + 'g;

impl Sight<'_> {
    /// The order.
    pub fn order(&self) -> &Order {
        self.order
    }

    /// Whether it violates nothing.
    pub fn accepted(&self) -> bool {
        self.found.passes()
    }

    /// Gives every comparison with a limit that is set, or, unless `all` are wanted, those whose
    /// value is close to it ([`crate::Comparison::is_close`]): they are few, and finding none
    /// costs next to nothing. What an order is exempt from it is not compared with: a reducing
    /// order meets no limit on growth.
    #[inline]
    pub fn each(&self, all: bool, mut to: impl FnMut(Compared)) {
        let Self { engine, order, ts, found } = *self;
        let Some(lines) = engine.lines(order).filter(|_| found.compared) else { return };
        let (instrument, account, strategy) = (lines.instrument, lines.account, lines.strategy);
        let mut row = |row: usize, place: u32, value: i64, limit: i64| {
            if is_wanted(all, row, value, limit) {
                to(Compared { row, place, value, limit });
            }
        };
        let owners = [
            (order.instrument, instrument.max_qty, instrument.max_n),
            (order.account, account.max_qty, account.max_n),
            (order.strategy, strategy.max_qty, strategy.max_n),
        ];
        for (at, (place, max_qty, max_n)) in owners.into_iter().enumerate() {
            row(QTY + at, place, order.qty, max_qty);
            row(NOTIONAL + at, place, found.n, max_n);
        }
        self.collar(all, instrument, &mut row);
        let is_replace = order.kind == OrderKind::Replace as u8;
        let session = engine.sessions.get(strategy.session as usize);
        let venue = engine.venues.get(instrument.venue as usize);
        let rates = [
            (account.rate, order.account),
            (strategy.rate, order.strategy),
            (instrument.rate, order.instrument),
            (session.and_then(|s| s.rate), strategy.session),
            (venue.and_then(|v| v.rate), instrument.venue),
        ];
        let mut rate = |number: usize, window: Option<usize>, place: u32| {
            let Some(window) = window.map(|index| &engine.windows[index]) else { return };
            let (bound, max) = (i64::from(window.count_max()) + 1, i64::from(window.max));
            if is_wanted(all, number, bound, max) && !(window.accepted_new && is_replace) {
                row(number, place, i64::from(window.count_ahead(ts)) + 1, max);
            }
        };
        for (at, (window, place)) in rates.into_iter().enumerate() {
            rate(RATE + at, window, place);
        }
        rate(ATTEMPTS, strategy.attempts, order.strategy);
        rate(ATTEMPTS + 1, session.and_then(|s| s.attempts), strategy.session);
        if let Some(window) = strategy.fills.map(|index| &engine.windows[index]) {
            row(FILLS, order.strategy, fills(window, ts), i64::from(window.max));
        }
        if let Some(rule) = account.duplicates.filter(|_| found.equal > 0) {
            let value = i64::from(found.equal) + 1;
            row(DUPLICATE, order.account, value, i64::from(rule.max));
        }
        let nothing = Holding::default();
        if let Some(asked) = self.asked(&lines, &nothing) {
            if instrument.watch {
                market(&asked, engine, all, &mut row);
            }
            if let Some((used, located)) = engine.located(&asked) {
                row(LOCATE, self.holding_number(), used, located);
            }
            if !found.reducing {
                engine.compared_sums(&asked, &mut |violation: Violation| {
                    let Violation { control, level, scope, observed, limit } = violation;
                    let of_holding = level == Level::AccountInstrument;
                    let place = if of_holding { self.holding_number() } else { scope };
                    if let Some(number) = row_at(control, level) {
                        row(number, place, observed, limit);
                    }
                });
            }
        }
        if found.reducing {
            return;
        }
        if is_wanted(all, POSITION, found.worst, found.max_position) {
            row(POSITION, self.holding_number(), found.worst, found.max_position);
        }
        let mut at = Some(account.node);
        while let Some(index) = at {
            let node = &engine.nodes[index];
            let number = node_row(node.level);
            let open = node.open.saturating_add(found.added_n);
            row(OPEN + number, node.handle, open, node.max_open);
            row(CREDIT + number, node.handle, open.saturating_add(node.held), node.credit);
            at = node.parent;
        }
    }

    /// Distances from the reference, and its age.
    #[inline]
    fn collar(&self, all: bool, line: &InstrumentLine, row: &mut Give<'_>) {
        let (order, place) = (self.order, self.order.instrument);
        let Some((px, at)) = line.reference.filter(|_| line.has_reference) else { return };
        let Some(collar) = line.collar else { return };
        let shape = crate::evaluate::shape(order, line.nonpositive);
        let is_priced =
            shape.is_some_and(|s| crate::evaluate::limit_px(order, s.order_type).is_some());
        if is_priced {
            if let Some(bps) = collar.bps.filter(|bps| {
                // Without a division for those that are near the reference.
                px > 0 && (all || is_away(order.px, px, *bps))
            }) {
                row(COLLAR, place, distance_bps(order.px, px), bps);
            }
            let away = order.px.abs_diff(px);
            let clamp = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
            if let (Some(ticks), Some(tick)) = (collar.ticks, line.tick) {
                row(COLLAR + 1, place, clamp(away.div_ceil(tick.divisor())), ticks);
            }
            if let Some(distance) = collar.absolute_e9 {
                row(COLLAR + 2, place, clamp(away), distance);
            }
        }
        if collar.max_age_ns != 0 {
            let age = i64::try_from(self.ts.saturating_sub(at)).unwrap_or(i64::MAX);
            let max = i64::try_from(collar.max_age_ns).unwrap_or(i64::MAX);
            row(STALE, place, age, max);
        }
    }

    /// The order as the rules see it, if one of them may ask for it.
    #[inline]
    fn asked<'a>(&'a self, lines: &Lines<'a>, nothing: &'a Holding) -> Option<Asked<'a>> {
        let Self { engine, order, ts, found } = *self;
        if !engine.compares_more(lines) {
            return None;
        }
        let (known, limits) = engine.holding_of(order);
        let shape = crate::evaluate::shape(order, lines.instrument.nonpositive)?;
        Some(Asked {
            order,
            ts,
            shape,
            lines: *lines,
            holding: known.unwrap_or(nothing),
            limits,
            n: found.n,
            added_qty: found.added_qty,
            added_n: found.added_n,
            reducing: found.reducing,
        })
    }

    /// The number of the order's holding, or the one that it will have if this order makes it.
    fn holding_number(&self) -> u32 {
        let key = crate::holding::holding_key(self.order.account, self.order.instrument);
        let new = self.engine.holdings.len() as u32;
        self.engine.holding_index.get(&key).copied().unwrap_or(new)
    }
}

impl Engine {
    /// Whether limits beyond size, collar, rate, position, open notional and credit are compared.
    #[inline]
    fn compares_more(&self, lines: &Lines<'_>) -> bool {
        let mut at = Some(lines.account.node);
        let mut caps = lines.strategy.caps.watch;
        while let Some(index) = at {
            caps |= self.nodes[index].caps.watch;
            at = self.nodes[index].parent;
        }
        let own = &lines.account.limits;
        caps || lines.instrument.watch
            || lines.account.cash != i64::MAX
            || own.daily_qty.is_set()
            || !own.instrument.is_empty()
            || self.file.control.slow != 0
    }

    /// The place of a comparison as text: `account:ACC1`, `account:ACC1/AAPL`, `firm`.
    pub fn place_text(&self, row: usize, place: u32) -> String {
        let level = COMPARED.get(row).map_or(Level::Order, |row| row.level);
        if row == DUPLICATE {
            return crate::explain::scope_text(&self.registry, Level::Account, place);
        }
        if level != Level::AccountInstrument {
            return crate::explain::scope_text(&self.registry, level, place);
        }
        let key = self.holdings.get(place as usize).map_or(0, |holding| holding.key);
        let name = |kind, handle| self.registry.name(kind, handle).unwrap_or("?");
        let account = name(RegisterKind::Account, (key >> 32) as u32);
        format!("account:{account}/{}", name(RegisterKind::Instrument, key as u32))
    }

    /// Notional of an order in micros, as the limits in force count it; `None` if it has no
    /// instrument, or leaves i64.
    pub fn notional(&self, order: &Order) -> Option<i64> {
        let line = self.instruments.get(order.instrument as usize)?.as_ref()?;
        let shape = crate::evaluate::shape(order, line.nonpositive)?;
        let px = crate::evaluate::priced(order, shape.order_type, line);
        line.notional.micros(px, order.qty.unsigned_abs())
    }
}

/// Sizes from below, moves, and what an auction allows.
fn market(asked: &Asked<'_>, engine: &Engine, all: bool, row: &mut Give<'_>) {
    let (order, line) = (asked.order, asked.lines.instrument);
    let place = order.instrument;
    if !asked.reducing {
        row(MIN_QTY, place, order.qty, line.rules.min_qty);
        row(MIN_NOTIONAL, place, asked.n, line.rules.min_n);
    }
    if let Some((from, bps)) = crate::rules::market::moved_from(asked)
        && (all || is_away(order.px, from, bps))
    {
        row(MOVE, place, distance_bps(order.px, from), bps);
    }
    let venue = engine.venues.get(line.venue as usize);
    let Some(auction) = crate::rules::market::auction_rule(asked, venue) else { return };
    row(AUCTION, place, order.qty, auction.max_qty.at_most());
    row(AUCTION + 1, place, asked.n, auction.max_notional.at_most());
    let close = line.market.prior_close;
    if let Some(bps) = auction.collar_bps.filter(|_| close > 0 && asked.is_priced()) {
        row(AUCTION + 2, place, distance_bps(order.px, close), bps);
    }
}

/// Fills in the window now.
pub(crate) fn fills(window: &Window, ts: u64) -> i64 {
    i64::from(window.count_ahead(ts))
}

/// A node's place among the rows of its control.
#[inline]
pub(crate) fn node_row(level: Level) -> usize {
    match level {
        Level::Account => 0,
        Level::Customer => 1,
        Level::Desk => 2,
        _ => 3,
    }
}

/// Whether a comparison is shown: the limit is set, and the value is not far from it.
#[inline]
fn is_wanted(all: bool, row: usize, value: i64, limit: i64) -> bool {
    let row = &COMPARED[row];
    row.is_set(limit) && (all || row.is_close(value, limit))
}

/// Whether the price may lie more than a quarter of the collar away from the reference.
#[inline]
fn is_away(px: i64, reference: i64, bps: i64) -> bool {
    let quarter = u128::from(reference.unsigned_abs()) * u128::from(bps.unsigned_abs() >> 2);
    u128::from(px.abs_diff(reference)) * u128::from(BPS_ONE) > quarter
}

/// The smallest whole number of basis points whose band holds the price.
#[inline]
fn distance_bps(px: i64, reference: i64) -> i64 {
    let away = px.abs_diff(reference);
    let reference = reference.unsigned_abs();
    match away.checked_mul(BPS_ONE) {
        Some(scaled) => scaled.div_ceil(reference) as i64,
        None => {
            let scaled = u128::from(away) * u128::from(BPS_ONE);
            i64::try_from(scaled.div_ceil(u128::from(reference))).unwrap_or(i64::MAX)
        }
    }
}

const QTY: usize = first_row(Control::MaxOrderQty);
const NOTIONAL: usize = first_row(Control::MaxOrderNotional);
const MIN_QTY: usize = first_row(Control::MinOrderQty);
const MIN_NOTIONAL: usize = first_row(Control::MinOrderNotional);
const COLLAR: usize = first_row(Control::PriceCollar);
const STALE: usize = first_row(Control::ReferenceStale);
const MOVE: usize = first_row(Control::PriceMove);
const AUCTION: usize = first_row(Control::AuctionRule);
const LOCATE: usize = first_row(Control::Locate);
const RATE: usize = first_row(Control::MessageRate);
const ATTEMPTS: usize = first_row(Control::AttemptRate);
const FILLS: usize = first_row(Control::RepeatedExecution);
const DUPLICATE: usize = first_row(Control::DuplicateOrder);
const POSITION: usize = first_row(Control::MaxPosition);
const OPEN: usize = first_row(Control::MaxOpenNotional);
const CREDIT: usize = first_row(Control::CreditLimit);
/// 100 %.
const BPS_ONE: u64 = 10_000;

//! What a decision compared: each numeric limit beside the value that met it.
//!
//! A look at the state between evaluation and reservation. It decides nothing: reports, what-if
//! curves and suggested limits are counted from it.

use cwts_types::{Control, Level, Order, OrderType, RegisterKind};

use crate::engine::Engine;
use crate::evaluate::Evaluation;

/// The comparisons that are shown, by number: control, and the level at which it was compared.
pub const COMPARED: [(Control, Level); 17] = [
    (Control::MaxOrderQty, Level::Account),
    (Control::MaxOrderNotional, Level::Account),
    (Control::PriceCollar, Level::Instrument),
    (Control::ReferenceStale, Level::Instrument),
    (Control::MessageRate, Level::Account),
    (Control::MessageRate, Level::Strategy),
    (Control::MessageRate, Level::Instrument),
    (Control::DuplicateOrder, Level::AccountInstrument),
    (Control::MaxPosition, Level::AccountInstrument),
    (Control::MaxOpenNotional, Level::Account),
    (Control::MaxOpenNotional, Level::Customer),
    (Control::MaxOpenNotional, Level::Desk),
    (Control::MaxOpenNotional, Level::Firm),
    (Control::CreditLimit, Level::Account),
    (Control::CreditLimit, Level::Customer),
    (Control::CreditLimit, Level::Desk),
    (Control::CreditLimit, Level::Firm),
];

/// One comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    /// Its number in [`COMPARED`].
    pub row: usize,
    /// Whose limit: a handle of the level, or for a position the holding's number.
    pub place: u32,
    /// What the order came to, itself included; refused when above the limit.
    pub value: i64,
    /// The limit. For a collar both are basis points, for a stale reference nanoseconds.
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
    /// value lies above a quarter of it: they are few, and finding none costs next to nothing.
    /// What an order is exempt from it is not compared with: a reducing order meets no limit on
    /// growth.
    #[inline]
    pub fn each(&self, all: bool, mut to: impl FnMut(Compared)) {
        let Self { engine, order, ts, found } = *self;
        let Some(lines) = engine.lines(order).filter(|_| found.compared) else { return };
        let (instrument, account, strategy) = (lines.instrument, lines.account, lines.strategy);
        let mut row = |row: usize, place: u32, value: i64, limit: i64| {
            if is_wanted(all, value, limit) {
                to(Compared { row, place, value, limit });
            }
        };
        let max_qty = instrument.max_qty.min(account.max_qty).min(strategy.max_qty);
        row(QTY, order.account, order.qty, max_qty);
        let max_n = instrument.max_n.min(account.max_n).min(strategy.max_n);
        row(NOTIONAL, order.account, found.n, max_n);
        if let Some((px, at)) = instrument.reference.filter(|_| instrument.has_reference) {
            let collar = instrument.collar.unwrap_or_default();
            let priced = order.px != 0
                || OrderType::from_code(order.type_tif & 0x0f) == Some(OrderType::Limit);
            if let Some(bps) = collar.bps.filter(|bps| {
                // Without a division for those that are near the reference.
                px > 0 && priced && (all || is_away(order.px, px, *bps))
            }) {
                row(COLLAR, order.instrument, distance_bps(order.px, px), bps);
            }
            if collar.max_age_ns != 0 {
                let age = i64::try_from(ts.saturating_sub(at)).unwrap_or(i64::MAX);
                let max = i64::try_from(collar.max_age_ns).unwrap_or(i64::MAX);
                row(STALE, order.instrument, age, max);
            }
        }
        let is_replace = order.kind == cwts_types::OrderKind::Replace as u8;
        let rates = [
            (RATE, account.rate, order.account),
            (RATE + 1, strategy.rate, order.strategy),
            (RATE + 2, instrument.rate, order.instrument),
        ];
        for (number, rate, place) in rates {
            let Some(window) = rate.map(|rate| &engine.windows[rate]) else { continue };
            let bound = i64::from(window.count_max()) + 1;
            let wanted = is_wanted(all, bound, i64::from(window.max));
            if wanted && !(window.accepted_new && is_replace) {
                let count = i64::from(window.count_ahead(ts)) + 1;
                row(number, place, count, i64::from(window.max));
            }
        }
        if let Some(rule) = account.duplicates.filter(|_| found.equal > 0) {
            let value = i64::from(found.equal) + 1;
            row(DUPLICATE, order.account, value, i64::from(rule.max));
        }
        if found.reducing {
            return;
        }
        if is_wanted(all, found.worst, found.max_position) {
            let key = crate::holding::holding_key(order.account, order.instrument);
            // The number that the holding will have if this order makes it.
            let new = engine.holdings.len() as u32;
            let place = engine.holding_index.get(&key).copied().unwrap_or(new);
            row(POSITION, place, found.worst, found.max_position);
        }
        let mut at = Some(account.node);
        while let Some(index) = at {
            let node = &engine.nodes[index];
            let number = match node.level {
                Level::Account => 0,
                Level::Customer => 1,
                Level::Desk => 2,
                _ => 3,
            };
            let open = node.open.saturating_add(found.added_n);
            row(OPEN + number, node.handle, open, node.max_open);
            row(CREDIT + number, node.handle, open.saturating_add(node.held), node.credit);
            at = node.parent;
        }
    }
}

impl Engine {
    /// The place of a comparison as text: `account:ACC1`, `account:ACC1/AAPL`, `firm`.
    pub fn place_text(&self, row: usize, place: u32) -> String {
        let level = COMPARED.get(row).map_or(Level::Order, |row| row.1);
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

/// Whether a comparison is shown: the limit is set, and the value is not far below it.
#[inline]
fn is_wanted(all: bool, value: i64, limit: i64) -> bool {
    value > limit >> 2 || all && limit != i64::MAX
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

const QTY: usize = 0;
const NOTIONAL: usize = 1;
const COLLAR: usize = 2;
const STALE: usize = 3;
const RATE: usize = 4;
const DUPLICATE: usize = 7;
const POSITION: usize = 8;
const OPEN: usize = 9;
const CREDIT: usize = 13;
/// 100 %.
const BPS_ONE: u64 = 10_000;

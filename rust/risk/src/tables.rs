//! The limits with handles instead of names: what the order path reads.

use cwts_simd::{Bounds, Divisor, Limits};
use cwts_types::{Control, Level, RegisterKind};
use serde::{Deserialize, Serialize};

use crate::caps::{Caps, Tally};
use crate::headroom::Due;
use crate::limits::{
    ANY, AccountLimits, Collar, Duplicates, InstrumentLimits, Limit, LimitsFile, NodeLimits,
    REPLAY_GROUP, RateLimit, StrategyLimits,
};
use crate::market::{Market, MarketRules, WHOLE_BPS};
use crate::window::Window;

/// Bits of a missing-limit mask; `observed` of a LIMIT_NOT_SET violation.
pub(crate) mod missing {
    /// `max_order_qty` of the account.
    pub(crate) const MAX_ORDER_QTY: u32 = 1;
    /// `max_order_notional` of the account.
    pub(crate) const MAX_ORDER_NOTIONAL: u32 = 2;
    /// `credit` of the account.
    pub(crate) const ACCOUNT_CREDIT: u32 = 4;
    /// `message_rate` of the account.
    pub(crate) const MESSAGE_RATE: u32 = 8;
    /// `tick` of the instrument.
    pub(crate) const TICK: u32 = 16;
    /// `lot` of the instrument.
    pub(crate) const LOT: u32 = 32;
    /// `price_collar` of the instrument.
    pub(crate) const PRICE_COLLAR: u32 = 64;
    /// `max_position` of the account in the instrument.
    pub(crate) const MAX_POSITION: u32 = 128;
    /// `credit` of the customer.
    pub(crate) const CUSTOMER_CREDIT: u32 = 256;
    /// `credit` of the firm.
    pub(crate) const FIRM_CREDIT: u32 = 512;
}

/// Bits of a kill mask.
pub(crate) mod kill_bit {
    pub(crate) const REDUCE_ONLY: u8 = 1;
    /// Halted with an exit for reducing orders.
    pub(crate) const HALTED_EXIT: u8 = 2;
    pub(crate) const HALTED: u8 = 4;
}

/// One instrument as the order path sees it; what almost every order reads stands first.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub(crate) struct InstrumentLine {
    pub(crate) max_qty: i64,
    pub(crate) max_n: i64,
    pub(crate) lo: i64,
    pub(crate) hi: i64,
    /// After this time the reference is stale.
    pub(crate) fresh_until: u64,
    pub(crate) missing: u32,
    pub(crate) venue: u32,
    pub(crate) has_collar: bool,
    pub(crate) allow_missing: bool,
    pub(crate) has_reference: bool,
    pub(crate) nonpositive: bool,
    pub(crate) restricted: bool,
    pub(crate) kill: u8,
    /// Whether a rule beyond those above could refuse an order: if not, nobody looks.
    pub(crate) watch: bool,
    pub(crate) rate: Option<usize>,
    pub(crate) notional: Notional,
    pub(crate) tick: Option<Divisor>,
    pub(crate) lot: Option<Divisor>,
    pub(crate) market: Box<Market>,
    pub(crate) rules: Box<MarketRules>,
    /// Size, lot and tick as the columns check them; without a collar.
    pub(crate) columns: Box<Limits>,
    /// Price and time of the last reference, if one came.
    pub(crate) reference: Option<(i64, u64)>,
    pub(crate) collar: Option<Collar>,
}

/// Notional in micros of the base currency: `ceil(|px| * qty * num / den)`, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notional {
    num: u128,
    den: u128,
}

impl Notional {
    /// px in 1e-9, quantity in 10^-decimals, rate in 1e-9, result in 1e-6.
    fn new(multiplier: i64, fx_e9: i64, qty_decimals: u32) -> Self {
        let num = multiplier.unsigned_abs() as u128 * fx_e9.unsigned_abs() as u128;
        let den = 1_000_000_000_000u128 * 10u128.pow(qty_decimals);
        let divisor = gcd(num, den).max(1);
        Self { num: num / divisor, den: den / divisor }
    }

    /// Whether it divides by something.
    pub(crate) fn is_sound(self) -> bool {
        self.den > 0
    }

    /// `None` if it leaves i64.
    #[inline]
    pub(crate) fn micros(self, px_abs: u64, qty: u64) -> Option<i64> {
        self.of_raw(u128::from(px_abs) * u128::from(qty))
    }

    /// Of px * qty.
    #[inline]
    pub(crate) fn of_raw(self, raw: u128) -> Option<i64> {
        // The usual case, without a division of 128 bits.
        if self.num == 1
            && let (Ok(raw), Ok(den)) = (u64::try_from(raw), u64::try_from(self.den))
        {
            return i64::try_from(raw.div_ceil(den)).ok();
        }
        if let Some(scaled) = raw.checked_mul(self.num) {
            return i64::try_from(scaled.div_ceil(self.den)).ok();
        }
        // The product leaves 128 bits, but its quotient may still fit.
        let whole = (raw / self.den).checked_mul(self.num)?;
        let rest = (raw % self.den).checked_mul(self.num)?.div_ceil(self.den);
        i64::try_from(whole.checked_add(rest)?).ok()
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// One account as the order path sees it; what every order reads stands in the first lines.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub(crate) struct AccountLine {
    pub(crate) max_qty: i64,
    pub(crate) max_n: i64,
    pub(crate) node: usize,
    pub(crate) rate: Option<usize>,
    /// Cash that margin is taken from; `i64::MAX` = no such limit.
    pub(crate) cash: i64,
    pub(crate) duplicates: Option<Duplicates>,
    pub(crate) missing: u32,
    pub(crate) limits: AccountLimits,
}

/// One node of account -> customer -> desk -> firm: what every order moves stands in the first
/// line, what it reads in the next two.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub(crate) struct Node {
    pub(crate) open: i64,
    pub(crate) held: i64,
    pub(crate) max_open: i64,
    pub(crate) credit: i64,
    /// The part of `open` that buys.
    pub(crate) open_buy: i64,
    pub(crate) peak: i64,
    pub(crate) peak_open: i64,
    /// When its account last accepted an order.
    pub(crate) last_ts: u64,
    pub(crate) parent: Option<usize>,
    pub(crate) sums: Option<usize>,
    /// Which node keeps the books of own orders: the topmost that has a rule on them; derived.
    pub(crate) books: Option<usize>,
    pub(crate) handle: u32,
    pub(crate) missing: u32,
    pub(crate) level: Level,
    pub(crate) kill: u8,
    /// Whether it and all above it have room for the block under way.
    pub(crate) roomy: bool,
    pub(crate) tally: Tally,
    pub(crate) caps: Caps,
    /// Cost of positions, long less short.
    pub(crate) net: i64,
    /// Notional filled today.
    pub(crate) day: i64,
    /// Margin on what its account holds and works; kept only while it has a cash limit.
    pub(crate) margin: i64,
    /// What the block has reserved under it.
    pub(crate) due: Due,
}

impl Node {
    /// A word of each line that an order reads: reading them brings them near.
    #[inline]
    pub(crate) fn first_lines(&self) -> i64 {
        let (tally, caps) = (&self.tally, &self.caps);
        let counts = i64::from(self.missing) ^ i64::from(tally.open_orders) ^ tally.peak;
        self.open ^ counts ^ caps.net ^ i64::from(caps.watch) ^ self.day
    }

    pub(crate) fn new(level: Level, handle: u32, parent: Option<usize>) -> Self {
        Self {
            level,
            handle,
            parent,
            open: 0,
            held: 0,
            max_open: i64::MAX,
            credit: i64::MAX,
            kill: 0,
            open_buy: 0,
            net: 0,
            day: 0,
            margin: 0,
            last_ts: 0,
            caps: Caps::NONE,
            tally: Tally::default(),
            sums: None,
            books: None,
            peak: 0,
            peak_open: 0,
            missing: 0,
            roomy: false,
            due: Due::default(),
        }
    }
}

fn unless(limit: Limit, bit: u32) -> u32 {
    if limit.is_set() { 0 } else { bit }
}

/// What the file says of this account; `*` where it says nothing.
pub(crate) fn account_limits<'f>(file: &'f LimitsFile, name: &str) -> Option<&'f AccountLimits> {
    file.accounts.get(name).or_else(|| file.accounts.get(ANY))
}

/// What the file says of this strategy.
pub(crate) fn strategy_limits(file: &LimitsFile, name: &str) -> StrategyLimits {
    file.strategies.get(name).or_else(|| file.strategies.get(ANY)).cloned().unwrap_or_default()
}

/// Number of the instrument's group in the file.
fn group_number(file: &LimitsFile, symbol: &str) -> Option<u32> {
    let name = match file.instruments.get(symbol) {
        Some(own) => own.group.as_deref()?,
        None => REPLAY_GROUP,
    };
    file.groups.keys().position(|group| group == name).map(|at| at as u32)
}

/// What the file says of this instrument, its group's values filled in.
pub(crate) fn instrument_limits(file: &LimitsFile, symbol: &str) -> InstrumentLimits {
    let empty = InstrumentLimits::default();
    let Some(own) = file.instruments.get(symbol) else {
        return file.groups.get(REPLAY_GROUP).cloned().unwrap_or(empty);
    };
    let group = own.group.as_ref().and_then(|g| file.groups.get(g)).unwrap_or(&empty);
    own.with_defaults(group)
}

pub(crate) fn instrument_line(
    file: &LimitsFile,
    symbol: &str,
    venue: u32,
    rate: Option<usize>,
) -> InstrumentLine {
    let limits = instrument_limits(file, symbol);
    let currency = limits.currency.as_ref().unwrap_or(&file.base_currency);
    let fx_e9 = if *currency == file.base_currency {
        1_000_000_000
    } else {
        file.fx_e9.get(currency).copied().unwrap_or(1_000_000_000)
    };
    let mut missing = 0;
    if limits.tick_e9.is_none() {
        missing |= missing::TICK;
    }
    if limits.lot.is_none() {
        missing |= missing::LOT;
    }
    if limits.price_collar.is_none() {
        missing |= missing::PRICE_COLLAR;
    }
    let divisor = |v: Option<i64>| v.and_then(|v| Divisor::new(v.unsigned_abs()));
    let rules = MarketRules::new(&limits, group_number(file, symbol));
    let market = Market::default();
    let tick = divisor(limits.tick_e9);
    let lot = divisor(limits.lot);
    let max_qty = limits.max_order_qty.at_most();
    InstrumentLine {
        columns: Box::new(Limits::new(&Bounds {
            max_qty,
            min_qty: 0,
            lot: lot.unwrap_or(Divisor::ONE),
            tick: tick.unwrap_or(Divisor::ONE),
            lo: i64::MIN,
            hi: i64::MAX,
            max_notional: u128::MAX,
            min_notional: 0,
        })),
        watch: rules.watches(&market),
        market: Box::new(market),
        rules: Box::new(rules),
        max_qty,
        max_n: limits.max_order_notional.at_most(),
        lo: i64::MIN,
        hi: i64::MAX,
        tick,
        lot,
        notional: Notional::new(
            limits.multiplier.unwrap_or(1),
            fx_e9,
            limits.qty_decimals.unwrap_or(0),
        ),
        fresh_until: u64::MAX,
        has_collar: limits.price_collar.is_some(),
        allow_missing: limits.price_collar.is_some_and(|c| c.allow_missing),
        has_reference: false,
        nonpositive: limits.allow_nonpositive.unwrap_or(false),
        restricted: file.restricted.refuses(symbol),
        kill: 0,
        rate,
        missing: if file.unlisted_off { 0 } else { missing },
        venue,
        reference: None,
        collar: limits.price_collar,
    }
}

impl InstrumentLine {
    /// A word of each line that an order reads: reading them brings them near.
    #[inline]
    pub(crate) fn first_lines(&self) -> i64 {
        let divisor = |d: Option<Divisor>| d.map_or(0, |d| d.divisor() as i64);
        let num = self.notional.num as i64;
        self.max_qty ^ num ^ divisor(self.tick) ^ divisor(self.lot)
    }

    /// Notional of ticks times quantity, micros; `None` if it leaves i64.
    #[inline]
    pub(crate) fn notional_of(&self, tq: i64) -> Option<i64> {
        let tick = self.tick.map_or(1, Divisor::divisor);
        self.notional.of_raw(u128::from(tq.unsigned_abs()) * u128::from(tick))
    }

    /// Takes a new reference price in: the collar is multiplied out here, not per order.
    pub(crate) fn set_reference(&mut self, px: i64, ts: u64) {
        // In a record 0 means "not known"; only where prices may be zero is it a price.
        if px == 0 && !self.nonpositive {
            return;
        }
        self.reference = Some((px, ts));
        self.has_reference = true;
        let Some(collar) = self.collar else { return };
        let reference = i128::from(px);
        let mut lo = i128::from(i64::MIN);
        let mut hi = i128::from(i64::MAX);
        let mut narrow = |low: i128, high: i128| {
            lo = lo.max(low);
            hi = hi.min(high);
        };
        // Basis points of a price of zero or below mean nothing: that rule is void.
        let bps = collar.bps.filter(|_| px > 0);
        if let Some(bps) = bps {
            let (low, high) = bps_band(px, bps);
            narrow(low, high);
        }
        if let (Some(ticks), Some(tick)) = (collar.ticks, self.tick) {
            let distance = i128::from(ticks) * i128::from(tick.divisor());
            narrow(reference - distance, reference + distance);
        }
        if let Some(distance) = collar.absolute_e9 {
            narrow(reference - i128::from(distance), reference + i128::from(distance));
        }
        self.has_reference =
            bps.is_some() || collar.ticks.is_some() || collar.absolute_e9.is_some();
        self.lo = clamp(lo);
        self.hi = clamp(hi);
        self.fresh_until = match collar.max_age_ns {
            0 => u64::MAX,
            age => ts.saturating_add(age),
        };
    }
}

/// The band of `bps` around a price above zero. Ceiling below and floor above: it never grows by
/// rounding.
pub(crate) fn bps_band(px: i64, bps: i64) -> (i128, i128) {
    let edge = |bps: Option<i64>| bps.and_then(|bps| px.checked_mul(bps));
    let (low, high) = (edge(WHOLE_BPS.checked_sub(bps)), edge(WHOLE_BPS.checked_add(bps)));
    // Most products fit, and are divided faster.
    if let (Some(low), Some(high)) = (low.and_then(i64::checked_neg), high) {
        let (low, high) = (-low.div_euclid(WHOLE_BPS), high.div_euclid(WHOLE_BPS));
        return (low.into(), high.into());
    }
    let (px, bps) = (i128::from(px), i128::from(bps));
    let low = px * (BPS_ONE - bps);
    let high = px * (BPS_ONE + bps);
    (-(-low).div_euclid(BPS_ONE), high.div_euclid(BPS_ONE))
}

fn clamp(value: i128) -> i64 {
    value.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

pub(crate) fn account_line(
    file: &LimitsFile,
    name: &str,
    node: usize,
    rate: Option<usize>,
) -> AccountLine {
    let limits = account_limits(file, name).cloned().unwrap_or_default();
    let mut missing = unless(limits.max_order_qty, missing::MAX_ORDER_QTY)
        | unless(limits.max_order_notional, missing::MAX_ORDER_NOTIONAL)
        | unless(limits.credit, missing::ACCOUNT_CREDIT);
    if limits.message_rate == RateLimit::Unset {
        missing |= missing::MESSAGE_RATE;
    }
    AccountLine {
        max_qty: limits.max_order_qty.at_most(),
        max_n: limits.max_order_notional.at_most(),
        node,
        rate,
        duplicates: limits.duplicate_order,
        missing: if file.unlisted_off { 0 } else { missing },
        cash: match limits.cash {
            Limit::Unset if file.buying_power => 0,
            cash => cash.at_most(),
        },
        limits,
    }
}

/// Sets a node's limits from the file.
pub(crate) fn limit_node(file: &LimitsFile, node: &mut Node, name: &str) {
    let empty = NodeLimits::default();
    let of = |limits: &NodeLimits, bit| {
        (limits.credit, limits.max_open_notional, bit, Caps::new(&limits.aggregates))
    };
    let (credit, max_open, bit, caps) = match node.level {
        Level::Account => {
            let empty = AccountLimits::default();
            let limits = account_limits(file, name).unwrap_or(&empty);
            (limits.credit, limits.max_open_notional, 0, Caps::new(&limits.aggregates))
        }
        Level::Customer => of(file.customers.get(name).unwrap_or(&empty), missing::CUSTOMER_CREDIT),
        Level::Desk => of(file.desks.get(name).unwrap_or(&empty), 0),
        _ => of(&file.firm, missing::FIRM_CREDIT),
    };
    node.caps = caps;
    node.credit = credit.at_most();
    node.max_open = max_open.at_most();
    node.missing = if file.unlisted_off { 0 } else { unless(credit, bit) };
}

/// The rate of a line as a window; one that exists keeps its stamps.
pub(crate) fn window(
    windows: &mut Vec<Window>,
    existing: Option<usize>,
    rate: RateLimit,
) -> Option<usize> {
    let RateLimit::At(rate) = rate else { return None };
    let accepted_new = rate.counts == crate::limits::Counts::AcceptedNew;
    match existing {
        Some(index) => {
            windows[index] = windows[index].with_bound(rate.max, rate.window_ns, accepted_new);
            Some(index)
        }
        None => {
            windows.push(Window::new(rate.max, rate.window_ns, accepted_new));
            Some(windows.len() - 1)
        }
    }
}

/// Bits that a risk-reducing order is exempt from (column R of the table).
pub(crate) const REDUCING_EXEMPT: u64 = {
    let mut mask = 0;
    let mut i = 0;
    while i < cwts_types::CONTROLS.len() {
        if cwts_types::CONTROLS[i].reducing_exempt {
            mask |= 1 << i;
        }
        i += 1;
    }
    mask & !(1 << Control::KillHalted as u64)
};

/// Kinds that own a node, leaf first.
pub(crate) fn node_kind(level: Level) -> Option<RegisterKind> {
    match level {
        Level::Account => Some(RegisterKind::Account),
        Level::Customer => Some(RegisterKind::Customer),
        Level::Desk => Some(RegisterKind::Desk),
        _ => None,
    }
}

/// 100 %.
const BPS_ONE: i128 = 10_000;

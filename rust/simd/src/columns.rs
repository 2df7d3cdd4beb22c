//! The stateless checks of one instrument over columns of orders.
//!
//! For a row (px, qty, flags), with every comparison exact:
//!
//! | bit of [`reason`] | set if |
//! |---|---|
//! | 4 MAX_ORDER_QTY | qty > max_qty |
//! | 5 MIN_ORDER_QTY | qty < min_qty |
//! | 6 LOT_SIZE | abs(qty) is no multiple of lot, and the row is no odd lot |
//! | 7 TICK_SIZE | abs(px) is no multiple of tick |
//! | 8 MAX_ORDER_NOTIONAL | abs(px) * qty > max_notional |
//! | 9 MIN_ORDER_NOTIONAL | abs(px) * qty < min_notional |
//! | 10 PRICE_COLLAR | px < lo or px > hi, and the row has a price of its own |
//! | 15 SCALAR | the notional was not judged: see below |
//!
//! Prices and quantities are multiplied as tq = abs(px)/tick * qty, because px * qty in units of
//! 1e-9 leaves 64 bits at ordinary sizes. A row is **marked SCALAR**, its bits 8 and 9 clear and
//! its tq 0, if it is off the tick, qty < 0, is counted at the collar's far end ([`flag::FAR`]),
//! or is so large that tq could leave i64; its other bits are exact all the same. The caller
//! judges such a row in 128-bit integers.
//!
//! Invariant: of a row that is not marked, `ticks <= ticks_cap` and `0 <= qty <= qty_cap`, and
//! `ticks_cap * qty_cap < 2^63`. If `max(|lo|, |hi|) / tick * max_qty < 2^63`
//! ([`Limits::covers_its_limits`]), no row that keeps the limits is marked for its size.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod kernel;
mod path;
mod scalar;
#[cfg(test)]
mod tests;

pub use kernel::{Kernel, with_path};
pub use path::{Path, PathError, path};

use crate::Divisor;

/// Bits of a row's flags.
pub mod flag {
    /// The row has a price of its own, which the collar is held against.
    pub const COLLARED: u8 = 1;
    /// The row may be a part of a lot.
    pub const ODD_LOT: u8 = 2;
    /// The row's exposure is counted at the collar's far end (market, stop), not at px.
    pub const FAR: u8 = 4;
}

/// Bits of a row's reasons; 4 to 10 stand where the decision record has them.
pub mod reason {
    /// qty > max_qty.
    pub const MAX_ORDER_QTY: u16 = 1 << 4;
    /// qty < min_qty.
    pub const MIN_ORDER_QTY: u16 = 1 << 5;
    /// qty is no multiple of the lot.
    pub const LOT_SIZE: u16 = 1 << 6;
    /// px is no multiple of the tick.
    pub const TICK_SIZE: u16 = 1 << 7;
    /// Notional above its bound.
    pub const MAX_ORDER_NOTIONAL: u16 = 1 << 8;
    /// Notional below its bound.
    pub const MIN_ORDER_NOTIONAL: u16 = 1 << 9;
    /// px outside the collar.
    pub const PRICE_COLLAR: u16 = 1 << 10;
    /// No violation: the row's notional must be judged in 128-bit integers.
    pub const SCALAR: u16 = 1 << 15;
}

/// What an instrument demands of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Largest quantity, in the instrument's smallest unit; `i64::MAX`: none.
    pub max_qty: i64,
    /// Smallest quantity; 0: none.
    pub min_qty: i64,
    /// Quantities are multiples of it; of 1: any.
    pub lot: Divisor,
    /// Prices are multiples of it, 1e-9 currency; of 1: any.
    pub tick: Divisor,
    /// Lowest price, 1e-9 currency; `i64::MIN`: none.
    pub lo: i64,
    /// Highest price, 1e-9 currency; `i64::MAX`: none.
    pub hi: i64,
    /// Largest abs(px) * qty, 1e-9 currency times smallest units; `u128::MAX`: none.
    pub max_notional: u128,
    /// Smallest abs(px) * qty; 0: none.
    pub min_notional: u128,
}

/// [`Bounds`] as the kernels read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    max_qty: i64,
    min_qty: i64,
    lot: Divisor,
    tick: Divisor,
    lo: i64,
    hi: i64,
    max_tq: i64,
    min_tq: i64,
    qty_cap: u64,
    ticks_cap: u64,
}

impl Limits {
    /// Multiplies the bounds out, once a change of limits or reference.
    pub fn new(bounds: &Bounds) -> Self {
        let Bounds { max_qty, min_qty, lot, tick, lo, hi, max_notional, min_notional } = *bounds;
        let tick_wide = u128::from(tick.divisor());
        // tq * tick > max  if and only if  tq > floor(max / tick); below likewise, with ceil.
        let max_tq = i64::try_from(max_notional / tick_wide).unwrap_or(i64::MAX);
        let min_tq = i64::try_from(min_notional.div_ceil(tick_wide));
        let mut limits = Self {
            max_qty,
            min_qty,
            lot,
            tick,
            lo,
            hi,
            max_tq,
            min_tq: min_tq.unwrap_or(i64::MAX),
            qty_cap: 0,
            ticks_cap: 0,
        };
        // A smallest notional beyond i64 has no tq to compare with, but that of nothing.
        if min_tq.is_ok() {
            limits.divide_range();
        }
        limits
    }

    /// The same with another collar.
    pub fn with_collar(mut self, lo: i64, hi: i64) -> Self {
        (self.lo, self.hi) = (lo, hi);
        if !self.is_scalar_only() {
            self.divide_range();
        }
        self
    }

    /// Whether no row that keeps the limits is marked SCALAR for its size.
    pub fn covers_its_limits(&self) -> bool {
        self.max_qty.max(0) as u64 <= self.qty_cap && self.far_ticks() <= self.ticks_cap
    }

    /// Whether every row with a quantity is marked SCALAR: a caller need not ask.
    pub fn is_scalar_only(&self) -> bool {
        self.qty_cap == 0
    }

    /// Shares the 63 bits of a tq between quantity and price.
    fn divide_range(&mut self) {
        let most = i64::MAX as u64;
        let far = self.far_ticks();
        let max_qty = self.max_qty.max(1) as u64;
        // Room for quantities that the limits refuse, if prices leave it; else for those that
        // they admit; else for ordinary ones.
        let [roomy, exact] = [max_qty.max(QTY_CAP_ORDINARY), max_qty];
        self.qty_cap = [roomy, exact]
            .into_iter()
            .find(|cap| far <= most / cap)
            .unwrap_or(max_qty.min(QTY_CAP_ORDINARY));
        // The quotient of a price off the tick lies above the threshold, hence above the cap.
        self.ticks_cap = (most / self.qty_cap).min(self.tick.threshold);
    }

    /// The price in the collar that is farthest from zero, in whole ticks.
    fn far_ticks(&self) -> u64 {
        self.lo.unsigned_abs().max(self.hi.unsigned_abs()) / self.tick.divisor()
    }
}

/// One order as a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Row {
    /// Price, 1e-9 currency; 0: none.
    pub px: i64,
    /// Quantity in the instrument's smallest unit.
    pub qty: i64,
    /// Bits of [`flag`].
    pub flags: u8,
}

/// Orders as columns of one length.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'c> {
    /// Prices, 1e-9 currency.
    pub px: &'c [i64],
    /// Quantities.
    pub qty: &'c [i64],
    /// Bits of [`flag`].
    pub flags: &'c [u8],
}

/// With it 2^32 ticks are left for the price.
const QTY_CAP_ORDINARY: u64 = 1 << 31;

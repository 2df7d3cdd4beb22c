//! The checks one row at a time: the definition that the vector paths are held against.

use super::{Limits, Rows, flag, reason};

pub(super) fn run(limits: &Limits, rows: Rows<'_>, reasons: &mut [u16], tq: &mut [i64]) {
    let inputs = rows.px.iter().zip(rows.qty).zip(rows.flags);
    for (((px, qty), flags), (reasons, tq)) in inputs.zip(reasons.iter_mut().zip(tq)) {
        (*reasons, *tq) = row(limits, *px, *qty, *flags);
    }
}

/// Reasons and tq.
#[inline]
#[expect(clippy::needless_bitwise_bool, reason = "a branch would be mispredicted on mixed orders")]
fn row(limits: &Limits, px: i64, qty: i64, flags: u8) -> (u16, i64) {
    let ticks = limits.tick.rotated(px.unsigned_abs());
    let off_tick = ticks > limits.tick.threshold;
    let off_lot = limits.lot.rotated(qty.unsigned_abs()) > limits.lot.threshold;
    let outside = (px < limits.lo) | (px > limits.hi);
    // Without its sign a quantity below zero is above every cap.
    let too_large = (qty as u64 > limits.qty_cap) | (ticks > limits.ticks_cap);
    let unjudged = too_large | (flags & flag::FAR != 0);
    let tq = if unjudged { 0 } else { (ticks as i64).wrapping_mul(qty) };
    let when = |bit: u16, condition: bool| if condition { bit } else { 0 };
    let reasons = when(reason::MAX_ORDER_QTY, qty > limits.max_qty)
        | when(reason::MIN_ORDER_QTY, qty < limits.min_qty)
        | when(reason::LOT_SIZE, off_lot & (flags & flag::ODD_LOT == 0))
        | when(reason::TICK_SIZE, off_tick)
        | when(reason::MAX_ORDER_NOTIONAL, !unjudged & (tq > limits.max_tq))
        | when(reason::MIN_ORDER_NOTIONAL, !unjudged & (tq < limits.min_tq))
        | when(reason::PRICE_COLLAR, outside & (flags & flag::COLLARED != 0))
        | when(reason::SCALAR, unjudged);
    (reasons, tq)
}

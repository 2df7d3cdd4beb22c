//! The checks eight rows at a time: AVX-512 F, DQ (the 64-bit product), BW and VL (flags).
//!
//! Invariant: a vector is loaded from and stored to an array of exactly its size, behind a
//! reference. The last rows of a run, if they fill no vector, are read again with those before
//! them: a row's result depends on nothing but the row, so writing it twice is harmless.

#![expect(unsafe_code, reason = "loads and stores of whole vectors")]

use std::arch::x86_64::*;

use super::{Limits, Rows, avx2, flag, reason};
use crate::Divisor;

/// Rows of a vector.
const LANES: usize = 8;

#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl")]
pub(super) fn run(limits: &Limits, rows: Rows<'_>, reasons: &mut [u16], tq: &mut [i64]) {
    if rows.px.len() < LANES {
        // A processor with AVX-512 has AVX2, and a short run does not pay for wider limits.
        return avx2::run(limits, rows, reasons, tq);
    }
    let wide = Wide::new(limits);
    let (px, rest) = rows.px.as_chunks::<LANES>();
    let columns = px.iter().zip(rows.qty.as_chunks().0).zip(rows.flags.as_chunks().0);
    let results = reasons.as_chunks_mut().0.iter_mut().zip(tq.as_chunks_mut().0);
    for (((px, qty), flags), (reasons, tq)) in columns.zip(results) {
        wide.rows(px, qty, *flags, reasons, tq);
    }
    if rest.is_empty() {
        return;
    }
    if let (Some(px), Some(qty), Some(flags), Some(reasons), Some(tq)) = (
        rows.px.last_chunk(),
        rows.qty.last_chunk(),
        rows.flags.last_chunk(),
        reasons.last_chunk_mut(),
        tq.last_chunk_mut(),
    ) {
        wide.rows(px, qty, *flags, reasons, tq);
    }
}

/// A divisor in every lane.
struct WideDivisor {
    inverse: __m512i,
    threshold: __m512i,
    shift: __m512i,
}

impl WideDivisor {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new(divisor: Divisor) -> Self {
        Self {
            inverse: _mm512_set1_epi64(divisor.inverse as i64),
            threshold: _mm512_set1_epi64(divisor.threshold as i64),
            shift: _mm512_set1_epi64(i64::from(divisor.shift)),
        }
    }

    /// As [`Divisor::rotated`].
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    fn rotated(&self, x: __m512i) -> __m512i {
        _mm512_rorv_epi64(_mm512_mullo_epi64(x, self.inverse), self.shift)
    }

    /// Where a rotated quotient says that its dividend is no multiple.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn refuses(&self, quotient: __m512i) -> __mmask8 {
        if cfg!(planted = "signed_threshold") {
            return _mm512_cmpgt_epi64_mask(quotient, self.threshold);
        }
        _mm512_cmpgt_epu64_mask(quotient, self.threshold)
    }
}

/// One instrument's limits in every lane.
struct Wide {
    max_qty: __m512i,
    min_qty: __m512i,
    lot: WideDivisor,
    tick: WideDivisor,
    lo: __m512i,
    /// One more than hi - lo; 0 if no price is inside.
    inside: __m512i,
    max_tq: __m512i,
    min_tq: __m512i,
    qty_cap: __m512i,
    ticks_cap: __m512i,
    /// For each value of a row's flags, the reasons that they do not lift.
    kept: __m128i,
}

impl Wide {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new(limits: &Limits) -> Self {
        let (lo, hi) = (i128::from(limits.lo), i128::from(limits.hi));
        let inside = (hi - lo + 1).max(0);
        // All prices are one more than 64 bits can count: then no row has a collar.
        let (inside, has_collar) = (inside as u64, inside <= i128::from(u64::MAX));
        Self {
            max_qty: _mm512_set1_epi64(limits.max_qty),
            min_qty: _mm512_set1_epi64(limits.min_qty),
            lot: WideDivisor::new(limits.lot),
            tick: WideDivisor::new(limits.tick),
            lo: _mm512_set1_epi64(limits.lo),
            inside: _mm512_set1_epi64(inside as i64),
            max_tq: _mm512_set1_epi64(limits.max_tq),
            min_tq: _mm512_set1_epi64(limits.min_tq),
            qty_cap: _mm512_set1_epi64(limits.qty_cap as i64),
            ticks_cap: _mm512_set1_epi64(limits.ticks_cap as i64),
            kept: kept(has_collar),
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl")]
    fn rows(
        &self,
        px: &[i64; LANES],
        qty: &[i64; LANES],
        flags: [u8; LANES],
        reasons: &mut [u16; LANES],
        tq: &mut [i64; LANES],
    ) {
        let (px, qty) = (load(px), load(qty));
        let flags = _mm_cvtsi64_si128(i64::from_le_bytes(flags));

        // The absolute value of i64::MIN is 2^63 when it is read without a sign, as here.
        let ticks = self.tick.rotated(_mm512_abs_epi64(px));
        let lots = self.lot.rotated(_mm512_abs_epi64(qty));
        // Without its sign a quantity below zero is above every cap. Each comparison looks only
        // where the one before held: that joins them without an instruction.
        let judged = _mm512_cmple_epu64_mask(qty, self.qty_cap);
        let judged = _mm512_mask_cmple_epu64_mask(judged, ticks, self.ticks_cap);
        let far = _mm_set1_epi8(flag::FAR as i8);
        let judged = _mm_mask_testn_epi8_mask(u16::from(judged), flags, far) as __mmask8;
        let product = _mm512_maskz_mullo_epi64(judged, ticks, qty);
        let from_lo = _mm512_sub_epi64(px, self.lo);

        let bit = |reason: u16, lanes| _mm_maskz_mov_epi16(lanes, _mm_set1_epi16(reason as i16));
        let size = either(
            bit(reason::MAX_ORDER_QTY, _mm512_cmpgt_epi64_mask(qty, self.max_qty)),
            bit(reason::MIN_ORDER_QTY, _mm512_cmplt_epi64_mask(qty, self.min_qty)),
            bit(reason::LOT_SIZE, self.lot.refuses(lots)),
        );
        let notional = either(
            // The product of a marked row is 0, and no bound lies below that.
            bit(reason::MAX_ORDER_NOTIONAL, _mm512_cmpgt_epi64_mask(product, self.max_tq)),
            bit(
                reason::MIN_ORDER_NOTIONAL,
                _mm512_mask_cmplt_epi64_mask(judged, product, self.min_tq),
            ),
            bit(reason::SCALAR, !judged),
        );
        let price = either(
            bit(reason::TICK_SIZE, self.tick.refuses(ticks)),
            bit(reason::PRICE_COLLAR, _mm512_cmpge_epu64_mask(from_lo, self.inside)),
            size,
        );
        let kept = _mm_permutexvar_epi16(_mm_cvtepu8_epi16(flags), self.kept);
        let found = _mm_and_si128(_mm_or_si128(price, notional), kept);
        store(tq, product);
        store_narrow(reasons, found);
    }
}

/// The reasons that flags do not lift, by the flags' three bits.
#[inline]
#[target_feature(enable = "avx512f")]
fn kept(has_collar: bool) -> __m128i {
    let kept = |flags: u8| {
        let collared = has_collar && flags & flag::COLLARED != 0;
        let lifted = if collared { 0 } else { reason::PRICE_COLLAR }
            | if flags & flag::ODD_LOT == 0 { 0 } else { reason::LOT_SIZE };
        !lifted as i16
    };
    _mm_setr_epi16(kept(0), kept(1), kept(2), kept(3), kept(4), kept(5), kept(6), kept(7))
}

/// The bits of all three.
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn either(a: __m128i, b: __m128i, c: __m128i) -> __m128i {
    _mm_ternarylogic_epi64::<0b1111_1110>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(lanes: &[i64; LANES]) -> __m512i {
    // SAFETY: the reference is to an array of exactly the vector's size, 64 bytes, all of them
    // initialised; the load asks for no alignment.
    unsafe { _mm512_loadu_epi64(lanes.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(lanes: &mut [i64; LANES], vector: __m512i) {
    // SAFETY: the reference is to an array of exactly the vector's size, 64 bytes, and is the
    // only one to it; the store asks for no alignment, and every bit pattern is an i64.
    unsafe { _mm512_storeu_epi64(lanes.as_mut_ptr(), vector) }
}

#[inline]
#[target_feature(enable = "avx512bw,avx512vl")]
fn store_narrow(lanes: &mut [u16; LANES], vector: __m128i) {
    // SAFETY: the reference is to an array of exactly the vector's size, 16 bytes, and is the
    // only one to it; the store asks for no alignment, and every bit pattern is a u16.
    unsafe { _mm_storeu_epi16(lanes.as_mut_ptr().cast(), vector) }
}

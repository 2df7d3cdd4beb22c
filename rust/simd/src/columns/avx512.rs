//! The checks eight rows at a time: AVX-512 F, DQ (the 64-bit product), BW and VL (flags).
//!
//! Invariant: a vector is loaded from and stored to an array of exactly its size, behind a
//! reference. The last rows of a run, if they fill no vector, are read again with those before
//! them: a row's result depends on nothing but the row, so writing it twice is harmless.

#![expect(unsafe_code, reason = "loads and stores of whole vectors")]

use std::arch::x86_64::*;

use super::{Limits, Rows, flag, reason, scalar};
use crate::Divisor;

/// Rows of a vector.
const LANES: usize = 8;

#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl")]
pub(super) fn run(limits: &Limits, rows: Rows<'_>, reasons: &mut [u16], tq: &mut [i64]) {
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
    } else {
        scalar::run(limits, rows, reasons, tq);
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
    hi: __m512i,
    max_tq: __m512i,
    min_tq: __m512i,
    qty_cap: __m512i,
    ticks_cap: __m512i,
}

impl Wide {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new(limits: &Limits) -> Self {
        Self {
            max_qty: _mm512_set1_epi64(limits.max_qty),
            min_qty: _mm512_set1_epi64(limits.min_qty),
            lot: WideDivisor::new(limits.lot),
            tick: WideDivisor::new(limits.tick),
            lo: _mm512_set1_epi64(limits.lo),
            hi: _mm512_set1_epi64(limits.hi),
            max_tq: _mm512_set1_epi64(limits.max_tq),
            min_tq: _mm512_set1_epi64(limits.min_tq),
            qty_cap: _mm512_set1_epi64(limits.qty_cap as i64),
            ticks_cap: _mm512_set1_epi64(limits.ticks_cap as i64),
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
        let flagged = |flag: u8| _mm_test_epi8_mask(flags, _mm_set1_epi8(flag as i8)) as __mmask8;

        // The absolute value of i64::MIN is 2^63 when it is read without a sign, as here.
        let ticks = self.tick.rotated(_mm512_abs_epi64(px));
        let lots = self.lot.rotated(_mm512_abs_epi64(qty));
        let outside = _mm512_cmplt_epi64_mask(px, self.lo) | _mm512_cmpgt_epi64_mask(px, self.hi);
        let below = _mm512_sub_epi64(qty, _mm512_set1_epi64(1));
        let unjudged = _mm512_cmpge_epu64_mask(below, self.qty_cap)
            | _mm512_cmpgt_epu64_mask(ticks, self.ticks_cap)
            | flagged(flag::FAR);
        let product = _mm512_maskz_mullo_epi64(!unjudged, ticks, qty);

        let mut found = _mm512_setzero_si512();
        for (bit, lanes) in [
            (reason::MAX_ORDER_QTY, _mm512_cmpgt_epi64_mask(qty, self.max_qty)),
            (reason::MIN_ORDER_QTY, _mm512_cmplt_epi64_mask(qty, self.min_qty)),
            (reason::LOT_SIZE, self.lot.refuses(lots) & !flagged(flag::ODD_LOT)),
            (reason::TICK_SIZE, self.tick.refuses(ticks)),
            (reason::PRICE_COLLAR, outside & flagged(flag::COLLARED)),
            (
                reason::MAX_ORDER_NOTIONAL,
                _mm512_mask_cmpgt_epi64_mask(!unjudged, product, self.max_tq),
            ),
            (
                reason::MIN_ORDER_NOTIONAL,
                _mm512_mask_cmplt_epi64_mask(!unjudged, product, self.min_tq),
            ),
            (reason::SCALAR, unjudged),
        ] {
            let bit = _mm512_set1_epi64(i64::from(bit));
            found = _mm512_mask_or_epi64(found, lanes, found, bit);
        }
        store(tq, product);
        store_narrow(reasons, _mm512_cvtepi64_epi16(found));
    }
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

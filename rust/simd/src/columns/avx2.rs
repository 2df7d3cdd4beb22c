//! The checks four rows at a time. AVX2 has no 64-bit product, no rotation and no comparison
//! without a sign; each is made of what it has.
//!
//! Invariant: a vector is loaded from and stored to an array of exactly its size, behind a
//! reference. The last rows of a run, if they fill no vector, are read again with those before
//! them: a row's result depends on nothing but the row, so writing it twice is harmless.

#![expect(unsafe_code, reason = "loads and stores of whole vectors")]

use std::arch::x86_64::*;

use super::{Limits, Rows, flag, reason, scalar};
use crate::Divisor;

/// Rows of a vector.
const LANES: usize = 4;

#[target_feature(enable = "avx2")]
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
    inverse: __m256i,
    /// The inverse with the halves of each lane exchanged.
    inverse_crossed: __m256i,
    /// With its sign bit flipped.
    threshold: __m256i,
    right: __m128i,
    left: __m128i,
}

impl WideDivisor {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(divisor: Divisor) -> Self {
        let inverse = _mm256_set1_epi64x(divisor.inverse as i64);
        Self {
            inverse,
            inverse_crossed: crossed(inverse),
            threshold: flipped(_mm256_set1_epi64x(divisor.threshold as i64)),
            right: _mm_cvtsi64_si128(i64::from(divisor.shift)),
            // A shift by 64 gives zero, which is what a rotation by 0 needs.
            left: _mm_cvtsi64_si128(i64::from(64 - divisor.shift)),
        }
    }

    /// As [`Divisor::rotated`].
    #[inline]
    #[target_feature(enable = "avx2")]
    fn rotated(&self, x: __m256i) -> __m256i {
        let product = mullo(x, self.inverse, self.inverse_crossed);
        _mm256_or_si256(_mm256_srl_epi64(product, self.right), _mm256_sll_epi64(product, self.left))
    }

    /// All ones where a rotated quotient, its sign flipped, says that its dividend is no multiple.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn refuses(&self, quotient_flipped: __m256i) -> __m256i {
        if cfg!(planted = "signed_threshold") {
            return _mm256_cmpgt_epi64(flipped(quotient_flipped), flipped(self.threshold));
        }
        _mm256_cmpgt_epi64(quotient_flipped, self.threshold)
    }
}

/// One instrument's limits in every lane.
struct Wide {
    max_qty: __m256i,
    min_qty: __m256i,
    lot: WideDivisor,
    tick: WideDivisor,
    lo: __m256i,
    hi: __m256i,
    max_tq: __m256i,
    min_tq: __m256i,
    /// With its sign bit flipped, as the next.
    qty_cap: __m256i,
    ticks_cap: __m256i,
}

impl Wide {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(limits: &Limits) -> Self {
        Self {
            max_qty: _mm256_set1_epi64x(limits.max_qty),
            min_qty: _mm256_set1_epi64x(limits.min_qty),
            lot: WideDivisor::new(limits.lot),
            tick: WideDivisor::new(limits.tick),
            lo: _mm256_set1_epi64x(limits.lo),
            hi: _mm256_set1_epi64x(limits.hi),
            max_tq: _mm256_set1_epi64x(limits.max_tq),
            min_tq: _mm256_set1_epi64x(limits.min_tq),
            qty_cap: flipped(_mm256_set1_epi64x(limits.qty_cap as i64)),
            ticks_cap: flipped(_mm256_set1_epi64x(limits.ticks_cap as i64)),
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn rows(
        &self,
        px: &[i64; LANES],
        qty: &[i64; LANES],
        flags: [u8; LANES],
        reasons: &mut [u16; LANES],
        tq: &mut [i64; LANES],
    ) {
        let (px, qty) = (load(px), load(qty));
        let flags = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(i32::from_le_bytes(flags)));
        let flagged = |flag: u8| {
            let flag = _mm256_set1_epi64x(i64::from(flag));
            _mm256_cmpeq_epi64(_mm256_and_si256(flags, flag), flag)
        };

        let ticks = self.tick.rotated(absolute(px));
        let ticks_flipped = flipped(ticks);
        let lots_flipped = flipped(self.lot.rotated(absolute(qty)));
        let outside =
            _mm256_or_si256(_mm256_cmpgt_epi64(self.lo, px), _mm256_cmpgt_epi64(px, self.hi));
        // Without its sign a quantity below zero is above every cap.
        let too_large = _mm256_or_si256(
            _mm256_cmpgt_epi64(flipped(qty), self.qty_cap),
            _mm256_cmpgt_epi64(ticks_flipped, self.ticks_cap),
        );
        let unjudged = _mm256_or_si256(too_large, flagged(flag::FAR));
        let product = _mm256_andnot_si256(unjudged, mullo(ticks, qty, crossed(qty)));

        let mut found = _mm256_setzero_si256();
        for (bit, lanes) in [
            (reason::MAX_ORDER_QTY, _mm256_cmpgt_epi64(qty, self.max_qty)),
            (reason::MIN_ORDER_QTY, _mm256_cmpgt_epi64(self.min_qty, qty)),
            (
                reason::LOT_SIZE,
                _mm256_andnot_si256(flagged(flag::ODD_LOT), self.lot.refuses(lots_flipped)),
            ),
            (reason::TICK_SIZE, self.tick.refuses(ticks_flipped)),
            (reason::PRICE_COLLAR, _mm256_and_si256(outside, flagged(flag::COLLARED))),
            // The product of a marked row is 0, and no bound lies below that.
            (reason::MAX_ORDER_NOTIONAL, _mm256_cmpgt_epi64(product, self.max_tq)),
            (
                reason::MIN_ORDER_NOTIONAL,
                _mm256_andnot_si256(unjudged, _mm256_cmpgt_epi64(self.min_tq, product)),
            ),
            (reason::SCALAR, unjudged),
        ] {
            let bit = _mm256_set1_epi64x(i64::from(bit));
            found = _mm256_or_si256(found, _mm256_and_si256(lanes, bit));
        }
        store(tq, product);
        store_narrow(reasons, narrowed(found));
    }
}

/// The low half of a 64-bit product, from three 32-bit ones; `y_crossed` is [`crossed`] of y.
#[inline]
#[target_feature(enable = "avx2")]
fn mullo(x: __m256i, y: __m256i, y_crossed: __m256i) -> __m256i {
    let crosses = _mm256_mullo_epi32(x, y_crossed);
    let sums = _mm256_add_epi32(crosses, _mm256_srli_epi64::<32>(crosses));
    _mm256_add_epi64(_mm256_mul_epu32(x, y), _mm256_slli_epi64::<32>(sums))
}

/// The 32-bit halves of each lane exchanged.
#[inline]
#[target_feature(enable = "avx2")]
fn crossed(x: __m256i) -> __m256i {
    _mm256_shuffle_epi32::<0b10_11_00_01>(x)
}

/// Its sign bit flipped: then the comparison with a sign is that without one.
#[inline]
#[target_feature(enable = "avx2")]
fn flipped(x: __m256i) -> __m256i {
    _mm256_xor_si256(x, _mm256_set1_epi64x(i64::MIN))
}

/// Of i64::MIN it is 2^63 when it is read without a sign, as here.
#[inline]
#[target_feature(enable = "avx2")]
fn absolute(x: __m256i) -> __m256i {
    let negative = _mm256_cmpgt_epi64(_mm256_setzero_si256(), x);
    _mm256_sub_epi64(_mm256_xor_si256(x, negative), negative)
}

/// The low 16 bits of each lane, which has no others set, in the low half of the answer.
#[inline]
#[target_feature(enable = "avx2")]
fn narrowed(x: __m256i) -> __m128i {
    let low_halves = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
    let words = _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(x, low_halves));
    _mm_packus_epi32(words, words)
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(lanes: &[i64; LANES]) -> __m256i {
    // SAFETY: the reference is to an array of exactly the vector's size, 32 bytes, all of them
    // initialised; the load asks for no alignment.
    unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(lanes: &mut [i64; LANES], vector: __m256i) {
    // SAFETY: the reference is to an array of exactly the vector's size, 32 bytes, and is the
    // only one to it; the store asks for no alignment, and every bit pattern is an i64.
    unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), vector) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store_narrow(lanes: &mut [u16; LANES], vector: __m128i) {
    // SAFETY: the reference is to an array of exactly half the vector's size, 8 bytes, which is
    // what the store writes, and is the only one to it; the store asks for no alignment, and
    // every bit pattern is a u16.
    unsafe { _mm_storel_epi64(lanes.as_mut_ptr().cast(), vector) }
}

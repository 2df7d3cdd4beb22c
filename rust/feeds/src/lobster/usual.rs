//! The shape that almost every row has, read without a branch on its digits.
//!
//! Lengths of numbers change from row to row in no order, so a loop over digits mispredicts a few
//! times a row, and that is most of its time. Here one pass finds what is no digit, the six
//! delimiters follow from it, and each number is one word of eight bytes: a load, a mask and three
//! multiplications. Source: Lamport, "Multiple Byte Processing with Full-Word Instructions"
//! (1975), and Lemire, "Quickly parsing eight digits" (2018).
//!
//! Invariant: an event that is returned is the one that [`super::slow_row`] leads to.

use super::{DAY_NS, KINDS, NO_HANDLE, NS_PER_S, PRICE_FACTOR};
use crate::event::Event;

/// The event of the row that starts at `at` if it has the usual shape, without its place in the
/// file, and the row's length with the newline: a time with a point, a type other than 7, quantity
/// and price of up to 8 digits, an id of up to 16.
///
/// A row so near to either end of `bytes` that a word would reach over it is left to
/// [`super::slow_row`], and so is every row when midnight is so late that a time could wrap.
#[inline(always)]
pub(super) fn usual_event(bytes: &[u8], at: usize, base_ns: u64) -> Option<(Event, usize)> {
    let window = bytes.get(at.checked_sub(BEFORE)?..)?.first_chunk::<WINDOW>()?;
    let mut others = others(window);
    // Taken in order; where one is missing the rest are position 0, whose byte is no delimiter.
    let [point, c1, c2, c3, c4, c5] = std::array::from_fn(|_| next(&mut others));
    let byte = |at: usize| usize::from(window[BEFORE + (at & 63)]);
    let strange = (byte(point) ^ usize::from(b'.'))
        | (byte(c1) ^ usize::from(b','))
        | (byte(c2) ^ usize::from(b','))
        | (byte(c3) ^ usize::from(b','))
        | (byte(c4) ^ usize::from(b','))
        | (byte(c5) ^ usize::from(b','))
        // The type is one digit, and there is no other byte between these two.
        | (c2 ^ (c1 + 2));
    let code = byte(c1 + 1).wrapping_sub(usize::from(b'1'));
    let part_len = c1.wrapping_sub(point + 1);
    let [id_len, size_len, price_len] =
        [(c2, c3), (c3, c4), (c4, c5)].map(|(from, to)| to.wrapping_sub(from + 1));
    // All three are 1 to 8: a bound that is a power of two holds for all when it holds for their
    // union.
    let to_eight = point.wrapping_sub(1) | size_len.wrapping_sub(1) | price_len.wrapping_sub(1);
    let (side, end) = ending(window, c5 + 1);
    let fits = strange == 0
        && to_eight < 8
        && part_len.wrapping_sub(1) < 9
        && id_len.wrapping_sub(1) < 16
        && code < KINDS.len()
        && end != 0
        && base_ns <= u64::MAX - DAY_NS;
    if !fits {
        return None;
    }
    let seconds = number(window, point, point);
    let day_ns = seconds * NS_PER_S + nanos(window, point + 1, part_len);
    if day_ns >= DAY_NS {
        return None;
    }
    let front = number(window, c3.wrapping_sub(8), id_len.saturating_sub(8));
    let id = front * 100_000_000 + number(window, c3, id_len.min(8));
    let &(kind, flags, id_bits) = KINDS.get(code)?;
    let event = Event {
        ts_ns: base_ns + day_ns,
        order_id: id & id_bits,
        // Eight digits times the factor are below 10^13.
        px: number(window, c5, price_len) as i64 * PRICE_FACTOR,
        qty: number(window, c4, size_len) as i64,
        ref_id: 0,
        src: 0,
        instrument: 0,
        account: NO_HANDLE,
        strategy: NO_HANDLE,
        kind,
        side,
        flags,
    };
    Some((event, end))
}

/// A bit for each of the first [`SCANNED`] bytes of the row that is no ASCII digit.
#[inline(always)]
fn others(window: &[u8; WINDOW]) -> u64 {
    let mut bits = 0;
    for word in 0..SCANNED / 8 {
        let value = load(window, BEFORE + word * 8) ^ ZEROS;
        // The top bit of a byte is set where its value is above 9: no sum leaves its byte.
        let above = (((value & !TOPS) + TENS_TO_TOP) | value) & TOPS;
        // Shifted in one after the other: where the words' bits are joined by `|` alone, the
        // compiler takes two words at a time and multiplies in six instructions, not in one.
        bits = bits >> 8 | above.wrapping_mul(GATHER_TOPS) & LAST[1];
    }
    bits >> (64 - SCANNED)
}

/// The place of the lowest bit, which is taken off; 64 when there is none.
#[inline(always)]
fn next(bits: &mut u64) -> usize {
    let at = bits.trailing_zeros() as usize;
    *bits &= bits.wrapping_sub(1);
    at
}

/// The side that the direction at `at` says, and where the next row starts; 0 when this is no
/// direction with a newline behind it.
#[inline(always)]
fn ending(window: &[u8; WINDOW], at: usize) -> (u8, usize) {
    let rest = load(window, BEFORE + (at & 63));
    let sell = rest as u8 == b'-';
    let rest = if sell { rest >> 8 } else { rest };
    let plain = rest as u16 == u16::from_le_bytes(*b"1\n");
    let carriage = rest & 0xff_ffff == u64::from(u32::from_le_bytes(*b"1\r\n\0"));
    let end = at + 2 + usize::from(sell) + usize::from(carriage);
    (1 + u8::from(sell), if plain | carriage { end } else { 0 })
}

/// The number whose last digit stands before `end`; `len` is 0, and then the number too, to 8.
#[inline(always)]
fn number(window: &[u8; WINDOW], end: usize, len: usize) -> u64 {
    let word = load(window, BEFORE - 8 + (end & 63)) ^ ZEROS;
    // What stands before the number counts as leading zeros.
    eight_digits(word & LAST[len & 15])
}

/// Digits from `start` as a fraction of a second; `len` is 1 to 9.
#[inline(always)]
fn nanos(window: &[u8; WINDOW], start: usize, len: usize) -> u64 {
    let word = load(window, BEFORE + (start & 63)) ^ ZEROS;
    // What stands behind the digits counts as trailing zeros.
    let front = eight_digits(word & !LAST[8 - len.min(8)]);
    let ninth = window[BEFORE + ((start + 8) & 63)].wrapping_sub(b'0');
    front * 10 + if len == 9 { u64::from(ninth) } else { 0 }
}

/// Eight bytes of value 0 to 9, the first the most significant digit.
#[inline(always)]
fn eight_digits(digits: u64) -> u64 {
    // In every second byte a pair's value, at most 99; then pairs to fours to all eight, each in
    // the upper half of a product.
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let even = (pairs & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let odd = ((pairs >> 16) & PAIRS).wrapping_mul(1 + (10_000 << 32));
    even.wrapping_add(odd) >> 32
}

#[inline(always)]
fn load(window: &[u8; WINDOW], at: usize) -> u64 {
    // The caller's `at` is at most `BEFORE + 63`; a word behind the window would be zeros.
    window.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u64::from_le_bytes(*word))
}

/// Bytes that are looked at before a row, so that a number's word may start before it.
const BEFORE: usize = 16;
/// Bytes of a row in which its delimiters must stand.
const SCANNED: usize = 48;
/// Positions go up to 63, and a word from there on is eight bytes.
const WINDOW: usize = BEFORE + 64 + 8;
/// Masks of the last 0 to 8 bytes of a word.
const LAST: [u64; 16] = {
    let mut masks = [u64::MAX; 16];
    let mut len = 0;
    while len < 8 {
        masks[len] = !(u64::MAX >> (8 * len));
        len += 1;
    }
    masks
};
const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);
const TOPS: u64 = u64::from_le_bytes([0x80; 8]);
/// Added to a byte of 10 to 127 it reaches the top bit.
const TENS_TO_TOP: u64 = u64::from_le_bytes([0x80 - 10; 8]);
/// Multiplied with top bits it moves that of byte i to bit 56 + i; no two meet below.
const GATHER_TOPS: u64 = 0x0002_0408_1020_4081;
/// The lowest byte of each half.
const PAIRS: u64 = 0x0000_00ff_0000_00ff;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::FeedError;
    use crate::lobster::slow_row;
    use proptest::prelude::*;

    /// `row` in the middle of others, so that only its shape can be refused.
    fn read(row: &[u8]) -> Option<(Event, usize)> {
        let text = [&[b'\n'; BEFORE], row, &[b'7'; WINDOW]].concat();
        usual_event(&text, BEFORE, BASE_NS)
    }

    fn read_slowly(row: &[u8]) -> Result<Event, FeedError> {
        slow_row(row)?.event(BASE_NS)
    }

    const BASE_NS: u64 = 1_340_251_200_000_000_000;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn what_it_reads_is_what_the_slow_reader_reads(
            row in "[0-9]{1,6}(\\.[0-9]{0,12})?,[0-9]{1,2}(,-?[0-9]{1,20}){3},-?[12]",
            newline in "\r?\n",
        ) {
            if let Some((read, len)) = read(format!("{row}{newline}").as_bytes()) {
                prop_assert_eq!(Ok(read), read_slowly(row.as_bytes()));
                prop_assert_eq!(len, row.len() + newline.len());
            }
        }

        #[test]
        fn the_usual_shape_is_read(
            row in "[0-7][0-9]{0,4}\\.[0-9]{1,9},[1-6],[0-9]{1,10},[0-9]{1,4},[0-9]{1,8},-?1",
            newline in "\r?\n",
        ) {
            let found = read(format!("{row}{newline}").as_bytes());
            if row.len() - usize::from(row.ends_with("-1")) <= SCANNED {
                prop_assert_eq!(found.map(|(event, _)| event), read_slowly(row.as_bytes()).ok());
            }
        }

        #[test]
        fn one_changed_byte_is_read_alike_or_not_at_all(
            row in "[0-7][0-9]{4}\\.[0-9]{5,9},[1-7],[0-9]{1,9},[0-9]{1,3},[0-9]{7},-?1",
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut line = row.into_bytes();
            let at = at.index(line.len());
            line[at] = byte;
            line.push(b'\n');
            if let Some((read, len)) = read(&line) {
                prop_assert_eq!(Ok(read), read_slowly(line[..len].trim_ascii_end()));
            }
        }

        #[test]
        fn eight_digits_are_a_number(value in 0_u64..100_000_000) {
            let text = format!("{value:08}");
            let word = u64::from_le_bytes(text.as_bytes().try_into().expect("eight"));
            prop_assert_eq!(eight_digits(word ^ ZEROS), value);
        }
    }

    #[test]
    fn a_byte_is_a_digit_or_not_whatever_stands_beside_it() {
        for byte in 0..=u8::MAX {
            for beside in [0, b'/', b'0', b'9', b':', 0x7f, 0x80, 0xff] {
                let mut window = [beside; WINDOW];
                window[BEFORE + 21] = byte;
                let found = others(&window);
                assert_eq!(found >> 21 & 1 == 0, byte.is_ascii_digit(), "{byte}, {beside}");
                assert_eq!(found >> 22 & 1 == 0, beside.is_ascii_digit(), "{byte}, {beside}");
                assert_eq!(found >> SCANNED, 0);
            }
        }
    }

    #[test]
    fn a_row_at_either_end_is_left_to_the_other_reader() {
        let row = b"34200.01746,5,0,1,2238200,-1\n";
        let text = [&[b'\n'; BEFORE][..], row, &[b'7'; WINDOW][..]].concat();
        let reads = |text: &[u8], at, base_ns| usual_event(text, at, base_ns).is_some();
        assert!(reads(&text, BEFORE, 0));
        assert!(!reads(&text[1..], BEFORE - 1, 0));
        assert!(!reads(&text[..WINDOW - 1], BEFORE, 0));
        assert!(reads(&text[..WINDOW], BEFORE, 0));
        assert!(!reads(&text, usize::MAX, 0));
        assert!(reads(&text, BEFORE, u64::MAX - DAY_NS));
        assert!(!reads(&text, BEFORE, u64::MAX - DAY_NS + 1));
    }
}

//! Exact decimal text to scaled integers, by digit loops: no float is ever involved.
//!
//! Invariant: a returned value equals the text, or (times only) is the half-to-even rounding of it
//! to nanoseconds; anything else is an error.

use crate::error::{FeedError, FeedErrorKind, shown};

/// Nanoseconds of one day: a time of day is less.
pub const DAY_NS: u64 = 86_400 * NS_PER_S;
/// Nanoseconds of one second.
pub const NS_PER_S: u64 = 1_000_000_000;
/// Decimal places of a price and of a nanosecond.
pub const NANO_SCALE: u32 = 9;

/// `text` times `10^scale`, exactly; `field` names it in an error.
///
/// An optional sign, at least one digit, at most one point. More fractional digits than `scale`
/// are refused even when they are zeros: the writer believed in a precision that we do not keep.
pub fn scaled(text: &[u8], scale: u32, field: &'static str) -> Result<i64, FeedError> {
    let not_a_number = || error(FeedErrorKind::BadNumber, field, text, "is not a decimal number");
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (whole, fraction) = split_at_point(digits);
    if whole.is_empty() && fraction.is_empty() {
        return Err(not_a_number());
    }
    if !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return Err(not_a_number());
    }
    if fraction.len() > scale as usize {
        let detail = format!("{field} {} has more than {scale} decimal places", shown(text));
        return Err(FeedError::new(FeedErrorKind::TooFine, detail));
    }
    // Folded as a negative number: i64::MIN has no positive twin.
    let zeros = scale as usize - fraction.len();
    let places = whole.iter().chain(fraction).map(|byte| i64::from(byte - b'0'));
    places
        .chain(std::iter::repeat_n(0, zeros))
        .try_fold(0_i64, |value, digit| value.checked_mul(10)?.checked_sub(digit))
        .and_then(|value| if negative { Some(value) } else { value.checked_neg() })
        .ok_or_else(|| error(FeedErrorKind::NumberOutOfRange, field, text, "exceeds 64 bits"))
}

/// An unsigned integer of digits only.
pub fn unsigned(text: &[u8], field: &'static str) -> Result<u64, FeedError> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Err(error(FeedErrorKind::BadNumber, field, text, "is not an unsigned integer"));
    }
    text.iter()
        .try_fold(0_u64, |value, byte| value.checked_mul(10)?.checked_add(u64::from(byte - b'0')))
        .ok_or_else(|| error(FeedErrorKind::NumberOutOfRange, field, text, "exceeds 64 bits"))
}

/// Seconds after midnight to nanoseconds, half to even past nine places; 86,400 s is refused.
pub fn day_ns(text: &[u8], field: &'static str) -> Result<u64, FeedError> {
    let (whole, fraction) = split_at_point(text);
    let seconds =
        if whole.is_empty() && !fraction.is_empty() { 0 } else { unsigned(whole, field)? };
    let part_ns = fraction_ns(fraction, field)?;
    seconds
        .checked_mul(NS_PER_S)
        .and_then(|whole_ns| whole_ns.checked_add(part_ns))
        .filter(|&value| value < DAY_NS)
        .ok_or_else(|| error(FeedErrorKind::BadTime, field, text, "is not below 86400 s"))
}

/// The digits after a point to nanoseconds, half to even; may be a whole second after rounding.
pub(crate) fn fraction_ns(digits: &[u8], field: &'static str) -> Result<u64, FeedError> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(error(FeedErrorKind::BadNumber, field, digits, "is not a decimal fraction"));
    }
    let kept = &digits[..digits.len().min(NANO_SCALE as usize)];
    let rest = &digits[kept.len()..];
    let mut value = kept.iter().fold(0, |value, byte| value * 10 + u64::from(byte - b'0'));
    value *= 10_u64.pow(NANO_SCALE - kept.len() as u32);
    let beyond_half = match rest {
        [first, ..] if *first != b'5' => *first > b'5',
        [_, tail @ ..] => tail.iter().any(|&byte| byte != b'0') || value % 2 == 1,
        [] => false,
    };
    Ok(value + u64::from(beyond_half))
}

fn split_at_point(text: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b'.', text) {
        Some(point) => (&text[..point], &text[point + 1..]),
        None => (text, &[]),
    }
}

fn error(kind: FeedErrorKind, field: &str, text: &[u8], what: &str) -> FeedError {
    FeedError::new(kind, format!("{field} {} {what}", shown(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The oracle: pads the text to the scale and lets `str::parse::<i128>` read it.
    fn oracle(text: &str, scale: usize) -> Option<i64> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if fraction.len() > scale {
            return None;
        }
        let joined = format!("{whole}{fraction:0<scale$}");
        i64::try_from(sign * joined.parse::<i128>().ok()?).ok()
    }

    /// The oracle for times: 10^-18 units in i128, then an explicit half-to-even division.
    fn oracle_ns(text: &str) -> Option<u64> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let atto = format!("{whole}{fraction:0<18}").parse::<i128>().ok()?;
        let (floor, rest) = (atto / 1_000_000_000, atto % 1_000_000_000);
        let up = rest > 500_000_000 || (rest == 500_000_000 && floor % 2 == 1);
        u64::try_from(floor + i128::from(up)).ok().filter(|&value| value < DAY_NS)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn scaled_equals_oracle(text in "-?[0-9]{1,22}(\\.[0-9]{0,11})?", scale in 0_usize..=9) {
            prop_assert_eq!(scaled(text.as_bytes(), scale as u32, "px").ok(), oracle(&text, scale));
        }

        #[test]
        fn day_ns_equals_oracle(text in "[0-9]{1,6}(\\.[0-9]{0,18})?") {
            prop_assert_eq!(day_ns(text.as_bytes(), "time").ok(), oracle_ns(&text));
        }

        #[test]
        fn ties_round_to_even(text in "[0-9]{1,4}\\.[0-9]{9}5(0{0,8})") {
            let value = day_ns(text.as_bytes(), "time").unwrap();
            prop_assert_eq!(value % 2, 0);
            prop_assert_eq!(Some(value), oracle_ns(&text));
        }

        #[test]
        fn any_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = scaled(&bytes, 9, "px");
            let _ = day_ns(&bytes, "time");
            let _ = unsigned(&bytes, "id");
        }
    }

    #[test]
    fn edges() {
        assert_eq!(scaled(b"-9223372036854775808", 0, "px"), Ok(i64::MIN));
        assert_eq!(scaled(b"9223372036.854775807", 9, "px"), Ok(i64::MAX));
        let kind = |text: &[u8], scale| scaled(text, scale, "px").map_err(|error| error.kind);
        assert_eq!(kind(b"9223372036.854775808", 9), Err(FeedErrorKind::NumberOutOfRange));
        assert_eq!(kind(b"1.0", 0), Err(FeedErrorKind::TooFine));
        for text in ["", "-", ".", "+.", "1e3", "1..2", " 1", "--1", "1.2.3", "NaN"] {
            assert_eq!(kind(text.as_bytes(), 9), Err(FeedErrorKind::BadNumber), "{text}");
        }
        assert_eq!(day_ns(b"86399.9999999994", "time"), Ok(DAY_NS - 1));
        for text in ["86400", "86399.9999999995", "99999999999999999999"] {
            assert!(day_ns(text.as_bytes(), "time").is_err(), "{text}");
        }
        assert_eq!(day_ns(b"0.5", "time"), day_ns(b".5", "time"));
    }
}

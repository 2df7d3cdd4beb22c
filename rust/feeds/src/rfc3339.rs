//! RFC 3339 text to epoch nanoseconds and back, exactly.
//!
//! Source: RFC 3339 section 5.6; the day count is the proleptic Gregorian calendar's, by months
//! counted from March so that the leap day is a year's last. Second 60 is the next minute's first.

use crate::decimal::{NS_PER_S, fraction_ns};
use crate::error::{FeedError, FeedErrorKind, shown};

/// Epoch nanoseconds of `text`: integer nanoseconds, or `YYYY-MM-DDTHH:MM:SS[.f](Z|+hh:mm|-hh:mm)`.
pub fn epoch_ns(text: &[u8], field: &'static str) -> Result<u64, FeedError> {
    if text.iter().all(u8::is_ascii_digit) {
        return crate::decimal::unsigned(text, field);
    }
    parse(text, field)?.ok_or_else(|| {
        let detail = format!("{field} {} is neither nanoseconds nor RFC 3339", shown(text));
        FeedError::new(FeedErrorKind::BadTime, detail)
    })
}

/// `ts_ns` as RFC 3339 in UTC with nine places.
pub fn text_of(ts_ns: u64) -> String {
    let (seconds, nanos) = (ts_ns / NS_PER_S, ts_ns % NS_PER_S);
    let (days, second) = (seconds / DAY_S as u64, seconds % DAY_S as u64);
    let from_march = days as i64 + MARCH_DAYS;
    let era = from_march / ERA_DAYS;
    let day_of_era = from_march % ERA_DAYS;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
}

fn parse(text: &[u8], field: &'static str) -> Result<Option<u64>, FeedError> {
    let Some((stamp, rest)) = text.split_at_checked(STAMP_BYTES) else { return Ok(None) };
    let number = |from: usize, to: usize| {
        stamp[from..to].iter().try_fold(0_i64, |value, byte| {
            byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0'))
        })
    };
    let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    let shaped = marks.iter().all(|&(at, mark)| stamp[at] == mark)
        && matches!(stamp[10], b'T' | b't' | b' ');
    let parts = [(0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19)];
    let [Some(year), Some(month), Some(day), Some(hour), Some(minute), Some(second)] =
        parts.map(|(from, to)| number(from, to))
    else {
        return Ok(None);
    };
    let in_range = (1..=12).contains(&month)
        && (1..=month_days(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !shaped || !in_range {
        return Ok(None);
    }
    let (fraction, zone) = match rest {
        [b'.', rest @ ..] => {
            let len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if len == 0 {
                return Ok(None);
            }
            rest.split_at(len)
        }
        _ => (&[][..], rest),
    };
    let Some(zone_s) = zone_seconds(zone) else { return Ok(None) };
    let seconds = days_from_epoch(year, month, day) * DAY_S + hour * 3_600 + minute * 60 + second;
    let part_ns = fraction_ns(fraction, field)?;
    Ok(u64::try_from(seconds - zone_s)
        .ok()
        .and_then(|seconds| seconds.checked_mul(NS_PER_S)?.checked_add(part_ns)))
}

fn zone_seconds(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" | b"z" => Some(0),
        &[sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let digits = [h1, h2, m1, m2];
            if !digits.iter().all(u8::is_ascii_digit) {
                return None;
            }
            let [h1, h2, m1, m2] = digits.map(|byte| i64::from(byte - b'0'));
            let (hours, minutes) = (h1 * 10 + h2, m1 * 10 + m2);
            let seconds = hours * 3_600 + minutes * 60;
            (hours < 24 && minutes < 60).then_some(if sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn month_days(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * ERA_DAYS + day_of_era - MARCH_DAYS
}

const STAMP_BYTES: usize = 19;
const DAY_S: i64 = 86_400;
/// Days of 400 years.
const ERA_DAYS: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const MARCH_DAYS: i64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The oracle: counts years and months one by one.
    fn days_by_counting(year: i64, month: i64, day: i64) -> i64 {
        let years: i64 =
            (1970..year).map(|year| (1..=12).map(|m| month_days(year, m)).sum::<i64>()).sum();
        years + (1..month).map(|m| month_days(year, m)).sum::<i64>() + day - 1
    }

    proptest! {
        #[test]
        fn days_equal_counting(year in 1970_i64..2554, month in 1_i64..=12, day in 1_i64..=28) {
            prop_assert_eq!(days_from_epoch(year, month, day), days_by_counting(year, month, day));
        }

        #[test]
        fn round_trip(ts_ns in any::<u64>()) {
            prop_assert_eq!(epoch_ns(text_of(ts_ns).as_bytes(), "ts"), Ok(ts_ns));
        }

        #[test]
        fn any_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = epoch_ns(&bytes, "ts");
        }
    }

    #[test]
    fn known_stamps() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29t12:00:00.5z", 951_825_600_500_000_000),
            ("2024-01-02T03:04:05.123456789+01:30", 1_704_159_245_123_456_789),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000_000_000),
            ("1700000000000000001", 1_700_000_000_000_000_001),
        ];
        for (text, ts_ns) in cases {
            assert_eq!(epoch_ns(text.as_bytes(), "ts"), Ok(ts_ns), "{text}");
        }
        let refused = [
            "",
            "2023-02-29T00:00:00Z",
            "2024-01-02T03:04:05",
            "2024-01-02",
            "1969-12-31T23:59:59Z",
            "2024-01-02T03:04:05.Z",
            "2024-01-02T24:00:00Z",
            "2600-01-01T00:00:00Z",
            "-5",
        ];
        for text in refused {
            assert!(epoch_ns(text.as_bytes(), "ts").is_err(), "{text}");
        }
    }
}

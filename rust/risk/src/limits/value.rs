//! Values of the limits file: money, quantities, durations.

use cwts_types::parse_e9;

/// Parses money (text, or whole units) to micros of the currency, rounded down: stricter.
pub(super) fn money_micros(text: &str) -> Result<i64, String> {
    let e9 = money_e9_wide(text)?;
    i64::try_from(e9 / 1_000).map_err(|_| "is beyond 9_223_372_036_854".to_owned())
}

/// Money to 1e-9 in 128 bits: limits may be larger than prices.
fn money_e9_wide(text: &str) -> Result<i128, String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = whole.chars().filter(|c| *c != '_').collect();
    let clean = !whole.starts_with('_') && !whole.ends_with('_') && !whole.contains("__");
    if !clean
        || digits.is_empty()
        || digits.len() > 18
        || !digits.bytes().all(|b| b.is_ascii_digit())
    {
        return Err(format!("`{text}` is not an amount such as \"150_000\" or \"0.50\""));
    }
    let units: i128 = digits.parse().map_err(|_| "is out of range".to_owned())?;
    let part = if text.contains('.') {
        parse_e9(&format!("0.{fraction}")).map_err(|e| e.to_string())?
    } else {
        0
    };
    Ok(units * 1_000_000_000 + i128::from(part))
}

/// Parses `100us`, `1ms`, `2s`, `5m`, `1h` to nanoseconds.
pub(super) fn duration_ns(text: &str) -> Result<u64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let scale: u64 = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(format!("`{text}` is not a duration such as \"100us\", \"1ms\", \"2s\"")),
    };
    let count: u64 =
        digits.parse().map_err(|_| format!("`{text}` does not start with a number"))?;
    match count.checked_mul(scale) {
        Some(ns) if ns > 0 && ns <= DURATION_NS_MAX => Ok(ns),
        _ => Err(format!("`{text}` is not between 1ns and 24h")),
    }
}

/// Longest duration: a day.
const DURATION_NS_MAX: u64 = 86_400_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_exact_and_rounds_down_to_micros() {
        assert_eq!(money_micros("150000"), Ok(150_000_000_000));
        assert_eq!(money_micros("500_000_000"), Ok(500_000_000_000_000));
        assert_eq!(money_micros("0.0000019"), Ok(1));
        for bad in ["", "-1", "1e6", "1,000", "_1", "1__0", "9999999999999999999", "1.", "nan"] {
            assert!(money_micros(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_have_a_unit_and_a_bound() {
        assert_eq!(duration_ns("100us"), Ok(100_000));
        assert_eq!(duration_ns("1s"), Ok(1_000_000_000));
        for bad in ["", "1", "0s", "25h", "1 s", "s", "99999999999999999999s", "-1s"] {
            assert!(duration_ns(bad).is_err(), "{bad}");
        }
    }
}

//! Decimal text to integers and back. No float ever stands between.

/// Text that is not a decimal number of the wanted scale.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not digits with at most one point.
    #[error("`{0}` is not a decimal number")]
    Syntax(String),
    /// More digits after the point than the scale has.
    #[error("`{text}` has more than {scale} digits after the point")]
    Precision {
        /// The text.
        text: String,
        /// Digits that fit.
        scale: u32,
    },
    /// The value leaves 64 bits.
    #[error("`{text}` times 10^{scale} is outside 64 bits")]
    Range {
        /// The text.
        text: String,
        /// Digits after the point.
        scale: u32,
    },
}

/// Parses decimal text to an integer of the given scale, exactly.
///
/// `_` may stand between digits, as in TOML. Zeros beyond the scale are accepted; any other digit
/// there is an error, because nothing may be rounded in silence.
pub fn parse_decimal(text: &str, scale: u32) -> Result<i64, DecimalError> {
    let syntax = || DecimalError::Syntax(text.chars().take(64).collect());
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let mut value: i128 = 0;
    let mut seen = false;
    let mut fraction: Option<u32> = None;
    let mut previous = 0u8;
    for &byte in digits {
        match byte {
            b'0'..=b'9' => {
                seen = true;
                if let Some(n) = fraction {
                    if n == scale {
                        if byte != b'0' {
                            let text = text.chars().take(64).collect();
                            return Err(DecimalError::Precision { text, scale });
                        }
                        previous = byte;
                        continue;
                    }
                    fraction = Some(n + 1);
                }
                value = value * 10 + i128::from(byte - b'0');
                if value > i128::from(u64::MAX) {
                    return Err(DecimalError::Range {
                        text: text.chars().take(64).collect(),
                        scale,
                    });
                }
            }
            b'.' if fraction.is_none() && seen && previous != b'_' => fraction = Some(0),
            b'_' if previous.is_ascii_digit() => {}
            _ => return Err(syntax()),
        }
        previous = byte;
    }
    if !seen || !previous.is_ascii_digit() {
        return Err(syntax());
    }
    let range = || DecimalError::Range { text: text.chars().take(64).collect(), scale };
    for _ in fraction.unwrap_or(0)..scale {
        value = value.checked_mul(10).ok_or_else(range)?;
    }
    if negative {
        value = -value;
    }
    i64::try_from(value).map_err(|_| range())
}

/// Parses a price or an amount to units of 1e-9.
pub fn parse_e9(text: &str) -> Result<i64, DecimalError> {
    parse_decimal(text, 9)
}

/// Writes a value in units of 1e-9 as the shortest decimal text with at least two decimals.
pub fn format_e9(value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let magnitude = value.unsigned_abs();
    let fraction = format!("{:09}", magnitude % 1_000_000_000);
    let kept = fraction.trim_end_matches('0').len().max(2);
    format!("{sign}{}.{}", magnitude / 1_000_000_000, &fraction[..kept])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn exact_or_refused() {
        assert_eq!(parse_e9("185.00"), Ok(185_000_000_000));
        assert_eq!(parse_e9("-0.000000001"), Ok(-1));
        assert_eq!(parse_e9("1_000"), Ok(1_000_000_000_000));
        assert_eq!(parse_e9("4100.000000000000"), Ok(4_100_000_000_000));
        assert_eq!(parse_e9("-9223372036.854775808"), Ok(i64::MIN));
        for bad in
            ["", "-", ".", ".5", "5.", "1e3", "1__0", "_1", "1_", "1._5", "0x1", "1 ", "NaN", "٣"]
        {
            assert!(matches!(parse_e9(bad), Err(DecimalError::Syntax(_))), "{bad}");
        }
        assert!(matches!(parse_e9("0.0000000001"), Err(DecimalError::Precision { .. })));
        assert!(matches!(parse_e9("9223372036.854775808"), Err(DecimalError::Range { .. })));
        assert!(matches!(parse_e9(&"9".repeat(400)), Err(DecimalError::Range { .. })));
    }

    proptest! {
        #[test]
        fn text_and_back(value in any::<i64>()) {
            prop_assert_eq!(parse_e9(&format_e9(value)), Ok(value));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}", scale in 0u32..20) {
            let _ = parse_decimal(&text, scale);
        }
    }
}

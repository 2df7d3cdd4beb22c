//! From what was compared to limits that a person can read.

use cwts_risk::COMPARED;
use cwts_types::{Control, Level};

use super::is_money;
use super::observe::Observed;

/// The limits of a suggestion.
pub(super) struct Chosen {
    /// By row of [`COMPARED`]; a row that nothing was compared with is missing.
    rows: Vec<Option<Row>>,
    /// Orders that each limit may refuse.
    pub(super) each: u64,
    /// Whether orders before the first reference are refused.
    pub(super) denies_missing: bool,
}

/// One limit and where it comes from.
pub(super) struct Row {
    pub(super) control: Control,
    pub(super) level: Level,
    /// As the file writes it.
    pub(super) literal: String,
    pub(super) orders: u64,
    pub(super) p50: i64,
    pub(super) p999: i64,
    pub(super) max: i64,
}

impl Chosen {
    pub(super) fn new(observed: &Observed, each: u64, allowed: u64) -> Self {
        let row = |number: usize| {
            let found = observed.limit_use.row(number);
            if found.orders() == 0 {
                return None;
            }
            let (control, level) = COMPARED[number];
            Some(Row {
                control,
                level,
                literal: literal(control, found.bound(each)),
                orders: found.orders(),
                p50: found.quantile(0.5),
                p999: found.quantile(0.999),
                max: found.max(),
            })
        };
        let spent = observed.before_reference.saturating_add(observed.refused);
        Self {
            rows: (0..COMPARED.len()).map(row).collect(),
            each,
            // Fail closed where that refuses no more than was asked for.
            denies_missing: observed.before_reference == 0
                || each > 0 && spent.saturating_mul(2) <= allowed,
        }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().flatten()
    }

    pub(super) fn row(&self, control: Control, level: Level) -> Option<&Row> {
        self.rows().find(|row| row.control == control && row.level == level)
    }
}

/// The value as the file writes it, rounded outward to two digits.
fn literal(control: Control, value: i64) -> String {
    let value = u64::try_from(value).unwrap_or(0);
    if is_money(control) {
        return format!("\"{}\"", grouped(readable(value.div_ceil(MICROS).max(1)).min(MONEY_MAX)));
    }
    let value = readable(value.max(1));
    match control {
        Control::PriceCollar => value.min(BPS_MAX).to_string(),
        Control::MessageRate => value.min(RATE_MAX).to_string(),
        Control::DuplicateOrder => value.min(DUPLICATES_MAX).to_string(),
        _ => grouped(value.min(QTY_MAX)),
    }
}

/// The next number with at most two digits that are not 0.
pub(super) fn readable(value: u64) -> u64 {
    let mut step = 1u64;
    while value / step >= 100 {
        step *= 10;
    }
    value.div_ceil(step).checked_mul(step).unwrap_or(value)
}

/// A number with a line between thousands.
pub(super) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('_');
        }
        out.push(digit);
    }
    out
}

const MICROS: u64 = 1_000_000;
/// The largest amounts that a limits file can hold.
const MONEY_MAX: u64 = 9_223_372_036_853;
const QTY_MAX: u64 = i64::MAX as u64 - 1;
const BPS_MAX: u64 = 100_000;
const RATE_MAX: u64 = 65_535;
const DUPLICATES_MAX: u64 = 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_readable_number_is_never_smaller(value in any::<u64>()) {
            let shown = readable(value);
            prop_assert!(shown >= value);
            if shown != value {
                let digits = shown.to_string();
                prop_assert!(digits.trim_end_matches('0').len() <= 2, "{digits}");
                // Outward by less than a tenth.
                prop_assert!(u128::from(shown - value) * 10 <= u128::from(value));
            }
        }
    }

    #[test]
    fn limits_are_written_as_the_file_has_them() {
        assert_eq!(literal(Control::MaxOrderQty, 33_570), "34_000");
        assert_eq!(literal(Control::MaxOrderNotional, 7_512_000_000_001), "\"7_600_000\"");
        assert_eq!(literal(Control::CreditLimit, -5), "\"1\"");
        assert_eq!(literal(Control::PriceCollar, 502), "510");
        assert_eq!(literal(Control::MessageRate, 99_999), "65535");
        assert_eq!(literal(Control::DuplicateOrder, 12), "12");
    }
}

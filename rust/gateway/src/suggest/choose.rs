//! From what was compared to limits that a person can read.

use cwts_risk::{COMPARED, Of, Unit};
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
            if found.orders() == 0 || !is_suggested(number) {
                return None;
            }
            let of = &COMPARED[number];
            let (control, level) = (of.control, of.level);
            // A latch stops everything, and what it watches moves between orders.
            let latched = (of.of == Of::Latch).then(|| observed.latched(control, level));
            if latched == Some(0) {
                return None;
            }
            let bound = latched.map_or_else(|| found.bound(each), |peak| peak.saturating_mul(2));
            Some(Row {
                control,
                level,
                literal: literal(control, bound)?,
                orders: found.orders(),
                p50: found.quantile(0.5),
                p999: found.quantile(0.999),
                max: latched.unwrap_or_else(|| found.max()),
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

/// Whether a flow can tell what this limit should be. Limits from below, an auction's and a locate
/// are the market's; cash is a fact; a part of the credit means nothing beside a suggested credit;
/// sizes are written for accounts, collars in basis points.
pub(super) fn is_suggested(row: usize) -> bool {
    let row = &COMPARED[row];
    let is_size = matches!(row.control, Control::MaxOrderQty | Control::MaxOrderNotional);
    row.of != Of::Floor
        && !matches!(
            row.control,
            Control::AuctionRule | Control::Locate | Control::BuyingPower | Control::Concentration
        )
        && (!is_size || row.level == Level::Account)
        && (row.control != Control::PriceCollar || row.unit == Unit::Bps)
}

/// The value as the file writes it, rounded outward to two digits; `None` where a file cannot hold
/// one that large.
fn literal(control: Control, value: i64) -> Option<String> {
    let value = u64::try_from(value).unwrap_or(0);
    if is_money(control) {
        let money = readable(value.div_ceil(MICROS).max(1)).min(MONEY_MAX);
        return Some(format!("\"{}\"", grouped(money)));
    }
    let value = readable(value.max(1));
    Some(match control {
        Control::PriceCollar | Control::PriceMove => value.min(BPS_MAX).to_string(),
        Control::MessageRate | Control::AttemptRate | Control::RepeatedExecution => {
            value.min(RATE_MAX).to_string()
        }
        Control::DuplicateOrder => value.min(DUPLICATES_MAX).to_string(),
        Control::ReferenceStale => return duration(value),
        _ => grouped(value.min(QTY_MAX)),
    })
}

/// Nanoseconds in the largest unit that holds them whole; a file goes up to a day.
fn duration(ns: u64) -> Option<String> {
    if ns > DAY_NS {
        return None;
    }
    let units = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];
    let (unit, size) = units.into_iter().find(|(_, size)| ns.is_multiple_of(*size))?;
    Some(format!("\"{}{unit}\"", ns / size))
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
const DAY_NS: u64 = 86_400_000_000_000;

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
        let literal = |control, value| literal(control, value).unwrap();
        assert_eq!(literal(Control::MaxOrderQty, 33_570), "34_000");
        assert_eq!(literal(Control::MaxOrderNotional, 7_512_000_000_001), "\"7_600_000\"");
        assert_eq!(literal(Control::CreditLimit, -5), "\"1\"");
        assert_eq!(literal(Control::PriceCollar, 502), "510");
        assert_eq!(literal(Control::MessageRate, 99_999), "65535");
        assert_eq!(literal(Control::DuplicateOrder, 12), "12");
        assert_eq!(literal(Control::DailyOrders, 1_234), "1_300");
        assert_eq!(literal(Control::LossLimit, 1_500_000), "\"2\"");
        assert_eq!(literal(Control::ReferenceStale, 1_234_567_890), "\"1300ms\"");
        assert_eq!(literal(Control::ReferenceStale, 7), "\"7ns\"");
        assert_eq!(super::literal(Control::ReferenceStale, i64::MAX), None);
    }
}

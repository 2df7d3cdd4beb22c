//! Decisions in sentences, and what would cure them.

use cwts_types::{Control, KillState, Level, RegisterKind, Violation, format_e9};

use crate::engine::Engine;
use crate::limits::ReferenceSource;
use crate::registry::Registry;
use crate::tables::{kill_bit, missing};

/// The scope of a violation as text: `account:ACC1`.
pub fn scope_text(registry: &Registry, level: Level, scope: u32) -> String {
    let kind = match level {
        Level::Order => return "order".to_owned(),
        Level::Firm => return "firm".to_owned(),
        Level::Instrument => RegisterKind::Instrument,
        Level::Account | Level::AccountInstrument => RegisterKind::Account,
        Level::Strategy => RegisterKind::Strategy,
        Level::Customer => RegisterKind::Customer,
        Level::Desk => RegisterKind::Desk,
        Level::Venue => RegisterKind::Venue,
        Level::Session => RegisterKind::Session,
    };
    format!("{}:{}", level.name(), registry.name(kind, scope).unwrap_or("?"))
}

/// A value in the unit of its control.
pub fn value_text(control: Control, value: i64) -> String {
    match control {
        Control::MaxOrderNotional
        | Control::MinOrderNotional
        | Control::MaxOpenNotional
        | Control::CreditLimit
        | Control::WindowNotional
        | Control::NetExposure
        | Control::Concentration
        | Control::DailyNotional
        | Control::BuyingPower
        | Control::LossLimit
        | Control::Drawdown => {
            let sign = if value < 0 { "-" } else { "" };
            let magnitude = value.unsigned_abs();
            let fraction = format!("{:06}", magnitude % 1_000_000);
            let kept = fraction.trim_end_matches('0').len().max(2);
            format!("{sign}{}.{}", magnitude / 1_000_000, &fraction[..kept])
        }
        Control::PriceCollar
        | Control::TickSize
        | Control::PriceMove
        | Control::LuldBand
        | Control::ShortSaleRestriction
        | Control::SelfTrade => format_e9(value),
        Control::ReferenceStale | Control::SlowDown => format!("{value}ns"),
        Control::InstrumentHalted | Control::MarketWideHalt => {
            if value == 0 { "trading" } else { "halted" }.to_owned()
        }
        Control::KillHalted | Control::KillReduceOnly => {
            let mask = value as u8;
            let state = if mask & (kill_bit::HALTED | kill_bit::HALTED_EXIT) != 0 {
                KillState::Halted
            } else if mask & kill_bit::REDUCE_ONLY != 0 {
                KillState::ReduceOnly
            } else {
                KillState::Active
            };
            state.name().to_owned()
        }
        Control::LimitNotSet => missing_keys(value as u32).join(", "),
        Control::UnknownHandle => {
            let names = [(1, "account"), (2, "instrument"), (4, "strategy")];
            let list: Vec<_> =
                names.iter().filter(|(bit, _)| value & bit != 0).map(|(_, n)| *n).collect();
            list.join(", ")
        }
        _ => value.to_string(),
    }
}

/// Keys behind a missing-limit mask.
pub fn missing_keys(mask: u32) -> Vec<&'static str> {
    MISSING.iter().filter(|row| mask & row.0 != 0).map(|row| row.1).collect()
}

/// One violation as a line: control, observed value, limit, where, and the rule.
pub fn violation_text(registry: &Registry, violation: &Violation) -> String {
    let Violation { control, level, scope, observed, limit } = *violation;
    let info = control.info();
    let place = scope_text(registry, level, scope);
    let observed = value_text(control, observed);
    let limit = value_text(control, limit);
    let detail = match control {
        Control::LimitNotSet => format!("missing={observed}"),
        Control::UnknownHandle => format!("unknown={observed}"),
        Control::KillHalted | Control::KillReduceOnly => format!("state={observed}"),
        Control::Malformed | Control::ReferenceMissing | Control::RestrictedInstrument => {
            String::new()
        }
        Control::UnknownOrder => format!("target={observed}"),
        _ => format!("observed={observed} limit={limit}"),
    };
    let gap = if detail.is_empty() { "" } else { " " };
    format!("{}: {detail}{gap}level={place} rule=\"{}\"", info.name, info.citation)
}

impl Engine {
    /// The TOML line or the call that cures a violation, where one does.
    pub fn cure(&self, violation: &Violation, symbol: &str) -> Option<String> {
        let name = scope_text(&self.registry, violation.level, violation.scope);
        let name = name.split_once(':').map_or(name.as_str(), |(_, n)| n);
        match violation.control {
            Control::LimitNotSet => {
                let lines: Vec<String> = MISSING
                    .iter()
                    .filter(|row| violation.observed as u32 & row.0 != 0)
                    .map(|(_, _, section, line)| match *section {
                        "firm" => format!("[firm] {line}"),
                        "instrument" => format!("[instrument.{symbol}] {line}"),
                        section => format!("[{section}.{name}] {line}"),
                    })
                    .collect();
                Some(format!("add to the limits file: {}", lines.join("; ")))
            }
            Control::ReferenceMissing | Control::ReferenceStale => {
                let is_mid = self.reference_source(violation.scope) == Some(ReferenceSource::Mid);
                let prices = if is_mid { "bid=\"...\", ask=\"...\"" } else { "last=\"...\"" };
                let missing = violation.control == Control::ReferenceMissing;
                let when = if missing { "first" } else { "again" };
                Some(format!("call gateway.set_reference(\"{symbol}\", {prices}) {when}"))
            }
            _ => None,
        }
    }
}

/// Mask bit, key, section and the line to write.
const MISSING: &[(u32, &str, &str, &str)] = &[
    (missing::MAX_ORDER_QTY, "max_order_qty", "account", "max_order_qty = 1_000"),
    (
        missing::MAX_ORDER_NOTIONAL,
        "max_order_notional",
        "account",
        "max_order_notional = \"150_000\"",
    ),
    (missing::ACCOUNT_CREDIT, "credit", "account", "credit = \"1_000_000\""),
    (
        missing::MESSAGE_RATE,
        "message_rate",
        "account",
        "message_rate = { max = 60, window = \"1s\" }",
    ),
    (missing::TICK, "tick", "instrument", "tick = \"0.01\""),
    (missing::LOT, "lot", "instrument", "lot = 1"),
    (missing::PRICE_COLLAR, "price_collar", "instrument", "price_collar = { bps = 500 }"),
    (
        missing::MAX_POSITION,
        "max_position",
        "account",
        "max_position = { long = 1_000, short = 0 }",
    ),
    (missing::CUSTOMER_CREDIT, "credit", "customer", "credit = \"10_000_000\""),
    (missing::FIRM_CREDIT, "credit", "firm", "credit = \"100_000_000\""),
];

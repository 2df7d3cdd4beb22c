//! The limits file itself: what is observed stands beside each limit.

use std::fmt::Write as _;

use cwts_risk::limits::{ANY, InstrumentLimits, LimitsFile, NodeLimits, REPLAY_GROUP, Restricted};
use cwts_types::{Control, Level, format_e9};

use super::choose::{Chosen, Row, grouped};
use super::observe::{Grid, Observed, gcd};
use super::{Flow, SuggestOptions, is_money};
use crate::GatewayError;

/// Whose limits are written: a file's flow has templates, a log has its own names.
pub(super) struct Shape {
    /// The log's limits; of a file only the base currency's default.
    file: LimitsFile,
    /// Name and customer.
    accounts: Vec<(String, Option<String>, Restricted)>,
    strategies: Vec<String>,
}

impl Shape {
    pub(super) fn of(flow: &Flow<'_>) -> Result<Self, GatewayError> {
        let Flow::Log(dir) = flow else {
            let file = LimitsFile { base_currency: "USD".to_owned(), ..LimitsFile::default() };
            let accounts = vec![(ANY.to_owned(), None, Restricted::default())];
            return Ok(Self { file, accounts, strategies: vec![ANY.to_owned()] });
        };
        let folded = crate::follow::fold_log(dir, |_, _, _| Ok(()))?;
        let file = folded.engine.limits().clone();
        let account = |(name, a): (&String, &cwts_risk::limits::AccountLimits)| {
            (name.clone(), a.customer.clone(), a.restricted.clone())
        };
        let accounts = file.accounts.iter().map(account).collect();
        let strategies = file.strategies.keys().cloned().collect();
        Ok(Self { file, accounts, strategies })
    }

    /// What the log's limits say of an instrument, its group's values filled in.
    fn instrument(&self, symbol: &str) -> InstrumentLimits {
        let empty = InstrumentLimits::default();
        let Some(own) = self.file.instruments.get(symbol) else {
            return self.file.groups.get(REPLAY_GROUP).cloned().unwrap_or(empty);
        };
        let group = own.group.as_ref().and_then(|g| self.file.groups.get(g)).unwrap_or(&empty);
        own.with_defaults(group)
    }
}

/// Limits that nothing reaches, but that everything is compared with.
pub(super) fn measuring(shape: &Shape) -> String {
    let mut out = String::from("schema = 1\nunlisted = \"off\"\n");
    let value = |control: Control, _: Level| {
        let most = match control {
            Control::MessageRate | Control::AttemptRate | Control::RepeatedExecution => {
                "65535".to_owned()
            }
            Control::DuplicateOrder => "1024".to_owned(),
            control if is_money(control) => format!("\"{MOST_MONEY}\""),
            _ => MOST_QTY.to_string(),
        };
        Some(in_its_table(control, &most))
    };
    sections(&mut out, shape, &value, &|_, _| String::new());
    let collar = "price_collar = { bps = 100000, max_age = \"24h\", on_missing = \"allow\" }\n\
                  price_move = { bps = 100000, period = \"5m\" }\n";
    let _ = writeln!(out, "[group.{REPLAY_GROUP}]\n{collar}");
    for symbol in shape.file.instruments.keys() {
        let limits = shape.instrument(symbol);
        let _ = writeln!(out, "[instrument.{}]", quoted(symbol));
        facts(&mut out, &limits);
        if limits.allow_nonpositive == Some(true) {
            own_collar(&mut out, &limits);
        } else {
            out.push_str(collar);
        }
    }
    fx(&mut out, shape);
    out
}

/// The suggestion.
pub(super) fn suggestion(
    shape: &Shape,
    observed: &Observed,
    chosen: &Chosen,
    options: SuggestOptions,
) -> String {
    let mut out = String::new();
    let share = format_e9(i64::try_from(options.false_rejects_ppb).unwrap_or(0) * 100);
    let _ = writeln!(
        out,
        "# Suggested by `cwts limits suggest` from {}:\n# {} orders, of which at most {share} % \
         may be refused by all limits together.\n# Each limit was set where at most {} orders pass \
         it, and rounded outward to two digits.\n# They say what this flow did, not what a firm \
         should allow: read them before they are in force.",
        observed.source,
        grouped(observed.orders).replace('_', ","),
        chosen.each,
    );
    out.push_str("schema = 1\n\n");
    let value = |control: Control, level: Level| limit_text(chosen, control, level);
    let comment = |control: Control, level: Level| {
        chosen.row(control, level).map_or_else(
            || "  # nothing was observed".to_owned(),
            |row| format!("  # observed: {}", seen(row)),
        )
    };
    sections(&mut out, shape, &value, &comment);
    instruments(&mut out, shape, observed, chosen);
    fx(&mut out, shape);
    out
}

/// A limit's value as the file writes it. Without an observation a mandatory one is the strictest,
/// and another is left out.
fn limit_text(chosen: &Chosen, control: Control, level: Level) -> Option<String> {
    let row = chosen.row(control, level).map(|row| row.literal.as_str());
    let value = row.or(match control {
        Control::MaxOrderQty | Control::MaxPosition => Some("0"),
        Control::MaxOrderNotional | Control::CreditLimit | Control::MaxOpenNotional => {
            Some("\"0\"")
        }
        Control::MessageRate | Control::DuplicateOrder => Some("1"),
        _ => None,
    })?;
    Some(in_its_table(control, value))
}

/// The table around a value, where its key has one.
fn in_its_table(control: Control, value: &str) -> String {
    match control {
        Control::MessageRate
        | Control::AttemptRate
        | Control::RepeatedExecution
        | Control::WindowNotional => format!("{{ max = {value}, window = \"1s\" }}"),
        Control::DuplicateOrder => format!("{{ max = {value}, window = \"1ms\" }}"),
        Control::MaxPosition => format!("{{ long = {value}, short = {value} }}"),
        Control::LossLimit => format!("{{ day = {value} }}"),
        Control::Drawdown => format!("{{ max = {value} }}"),
        _ => value.to_owned(),
    }
}

type Value<'v> = dyn Fn(Control, Level) -> Option<String> + 'v;
type Comment<'v> = dyn Fn(Control, Level) -> String + 'v;

/// Limits of a firm, a desk and a customer.
const OF_NODE: [Control; 8] = [
    Control::CreditLimit,
    Control::MaxOpenNotional,
    Control::MaxOpenOrders,
    Control::NetExposure,
    Control::DailyNotional,
    Control::WindowNotional,
    Control::LossLimit,
    Control::Drawdown,
];
/// Those that an account has beside.
const OF_ACCOUNT: [Control; 4] =
    [Control::MaxOrderQty, Control::MaxOrderNotional, Control::DailyOrders, Control::MessageRate];
/// Those of an account in an instrument.
const OF_HOLDING: [Control; 3] = [Control::DuplicateOrder, Control::MaxPosition, Control::DailyQty];
/// Those of a strategy.
const OF_STRATEGY: [Control; 8] = [
    Control::MessageRate,
    Control::AttemptRate,
    Control::RepeatedExecution,
    Control::MaxOpenOrders,
    Control::DailyOrders,
    Control::WindowNotional,
    Control::LossLimit,
    Control::Drawdown,
];

/// Firm, desks, customers, accounts, strategies, sessions and venues.
fn sections(out: &mut String, shape: &Shape, value: &Value<'_>, comment: &Comment<'_>) {
    let lines = |out: &mut String, level: Level, controls: &[Control]| {
        for control in controls {
            line(out, *control, level, value, comment);
        }
    };
    let node = |out: &mut String, level: Level, limits: &NodeLimits| {
        lines(out, level, &OF_NODE);
        lists(out, &limits.restricted, "restricted");
    };
    let file = &shape.file;
    let _ = writeln!(out, "[firm]\nbase_currency = {}", quoted(&file.base_currency));
    if file.day_roll_ns != 0 {
        let minutes = file.day_roll_ns / 60_000_000_000;
        let _ = writeln!(out, "day_roll = \"{:02}:{:02}\"", minutes / 60, minutes % 60);
    }
    node(out, Level::Firm, &file.firm);
    for (name, desk) in &file.desks {
        let _ = writeln!(out, "\n[desk.{}]", quoted(name));
        node(out, Level::Desk, desk);
    }
    for (name, customer) in &file.customers {
        let _ = writeln!(out, "\n[customer.{}]", quoted(name));
        if let Some(desk) = &customer.desk {
            let _ = writeln!(out, "desk = {}", quoted(desk));
        }
        node(out, Level::Customer, customer);
    }
    for (name, customer, restricted) in &shape.accounts {
        if name == ANY {
            out.push_str("\n# Every account of the flow. For a live gateway give each its name.");
        }
        let _ = writeln!(out, "\n[account.{}]", quoted(name));
        if let Some(customer) = customer {
            let _ = writeln!(out, "customer = {}", quoted(customer));
        }
        lines(out, Level::Account, &OF_ACCOUNT);
        lines(out, Level::Account, &OF_NODE);
        lines(out, Level::AccountInstrument, &OF_HOLDING);
        lists(out, restricted, "restricted");
    }
    for name in &shape.strategies {
        let _ = writeln!(out, "\n[strategy.{}]", quoted(name));
        let own = file.strategies.get(name).and_then(|limits| limits.session.as_ref());
        if let Some(session) = own {
            let _ = writeln!(out, "session = {}", quoted(session));
        }
        lines(out, Level::Strategy, &OF_STRATEGY);
    }
    for name in file.sessions.keys() {
        let _ = writeln!(out, "\n[session.{}]", quoted(name));
        lines(out, Level::Session, &[Control::MessageRate, Control::AttemptRate]);
    }
    for name in file.venues.keys() {
        let _ = writeln!(out, "\n[venue.{}]", quoted(name));
        lines(out, Level::Venue, &[Control::MessageRate]);
    }
    out.push('\n');
}

fn line(
    out: &mut String,
    control: Control,
    level: Level,
    value: &Value<'_>,
    comment: &Comment<'_>,
) {
    let key = match control {
        Control::CreditLimit => "credit".to_owned(),
        control => control.name().to_lowercase(),
    };
    if let Some(value) = value(control, level) {
        let _ = writeln!(out, "{key} = {value}{}", comment(control, level));
    }
}

/// Ticks, lots, collars, and the list of what was traded.
fn instruments(out: &mut String, shape: &Shape, observed: &Observed, chosen: &Chosen) {
    let collar = chosen.row(Control::PriceCollar, Level::Instrument);
    let on_missing = if chosen.denies_missing { "deny" } else { "allow" };
    let text = |out: &mut String| {
        let bps = collar.map_or("0", |row| row.literal.as_str());
        let seen = collar.map_or_else(|| "nothing, for want of a price".to_owned(), seen);
        let _ = writeln!(
            out,
            "# observed, in basis points from the last price: {seen}; before the first price: {} \
             orders",
            grouped(observed.before_reference),
        );
        let age = chosen.row(Control::ReferenceStale, Level::Instrument).map(|row| {
            let _ = writeln!(out, "# observed, age of that price in ns: {}", self::seen(row));
            format!("max_age = {}, ", row.literal)
        });
        let age = age.unwrap_or_default();
        let _ =
            writeln!(out, "price_collar = {{ bps = {bps}, {age}on_missing = \"{on_missing}\" }}");
        if let Some(row) = chosen.row(Control::PriceMove, Level::Instrument) {
            let _ = writeln!(
                out,
                "price_move = {{ bps = {}, period = \"5m\" }}  # observed: {}",
                row.literal,
                self::seen(row)
            );
        }
    };
    let whole = observed.instruments.iter().fold(Grid::default(), |all, (_, grid)| Grid {
        orders: all.orders + grid.orders,
        px: gcd(all.px, grid.px),
        qty: gcd(all.qty, grid.qty),
    });
    let _ = writeln!(out, "[group.{REPLAY_GROUP}]");
    grid(out, whole);
    text(out);
    // A name that is too long for a limits file is served by the group.
    let nameable = |row: &&(String, Grid)| row.0.len() <= NAME_BYTES_MAX;
    let listed: Vec<&(String, Grid)> =
        observed.instruments.iter().filter(nameable).take(INSTRUMENTS_MAX).collect();
    for (symbol, own) in &listed {
        let limits = shape.instrument(symbol);
        let _ = writeln!(out, "\n[instrument.{}]", quoted(symbol));
        grid(out, *own);
        facts(out, &limits);
        if limits.allow_nonpositive == Some(true) {
            out.push_str("# Basis points say nothing of prices of zero: the log's own collar.\n");
            own_collar(out, &limits);
        } else {
            let _ = writeln!(out, "group = \"{REPLAY_GROUP}\"");
        }
    }
    let deny = shape.file.restricted.deny.clone();
    let allow = if listed.len() == observed.instruments.len() {
        out.push_str("\n# What was not traded is refused.\n");
        Some(listed.iter().map(|(symbol, _)| symbol.clone()).collect())
    } else {
        out.push_str("\n# Not every instrument is listed: too many, or too long a name.\n");
        shape.file.restricted.allow.clone()
    };
    let _ = writeln!(out, "[restricted]");
    if !deny.is_empty() {
        let _ = writeln!(out, "deny = {}", list(&deny));
    }
    if let Some(allow) = allow {
        let _ = writeln!(out, "allow = {}", list(&allow));
    }
}

/// Tick and lot: what all prices and quantities are multiples of.
fn grid(out: &mut String, grid: Grid) {
    let orders = grouped(grid.orders);
    let little = grid.orders < GRID_ORDERS_MIN;
    // A handful of round prices is no evidence of a coarse tick.
    let px = if little || grid.px == 0 { gcd(grid.px, CENT_E9) } else { grid.px };
    let qty = if little { 1 } else { grid.qty.max(1) };
    let why = if little { ", too few to tell more" } else { "" };
    let px = format_e9(i64::try_from(px).unwrap_or(i64::MAX));
    let _ = writeln!(
        out,
        "tick = \"{px}\"  # all prices of {orders} orders are multiples of it{why}\nlot = {qty}  \
         # all quantities are multiples of it{why}",
    );
}

/// What the log's limits say of an instrument that is no limit.
fn facts(out: &mut String, limits: &InstrumentLimits) {
    let mut text = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(out, "{key} = {value}");
        }
    };
    text("venue", limits.venue.as_deref().map(quoted));
    text("currency", limits.currency.as_deref().map(quoted));
    text("multiplier", limits.multiplier.map(|v| v.to_string()));
    text("qty_decimals", limits.qty_decimals.map(|v| v.to_string()));
    text("allow_nonpositive", limits.allow_nonpositive.map(|v| v.to_string()));
}

/// The collar as the log's limits have it, and the tick that it may need.
fn own_collar(out: &mut String, limits: &InstrumentLimits) {
    let Some(collar) = limits.price_collar else { return };
    let mut parts: Vec<String> = Vec::new();
    parts.extend(collar.bps.map(|v| format!("bps = {v}")));
    parts.extend(collar.absolute_e9.map(|v| format!("absolute = \"{}\"", format_e9(v))));
    if let (Some(ticks), Some(tick)) = (collar.ticks, limits.tick_e9) {
        // As a distance: the suggested tick may be another.
        let away = format_e9(ticks.saturating_mul(tick));
        if collar.absolute_e9.is_none() {
            parts.push(format!("absolute = \"{away}\""));
        }
    }
    parts.push("on_missing = \"allow\"".to_owned());
    let _ = writeln!(out, "price_collar = {{ {} }}", parts.join(", "));
}

fn fx(out: &mut String, shape: &Shape) {
    if shape.file.fx_e9.is_empty() {
        return;
    }
    out.push_str("\n[fx]\n");
    for (currency, rate) in &shape.file.fx_e9 {
        let _ = writeln!(out, "{} = \"{}\"", quoted(currency), format_e9(*rate));
    }
}

fn lists(out: &mut String, lists: &Restricted, key: &str) {
    let mut parts: Vec<String> = Vec::new();
    if !lists.deny.is_empty() {
        parts.push(format!("deny = {}", list(&lists.deny)));
    }
    parts.extend(lists.allow.as_ref().map(|names| format!("allow = {}", list(names))));
    if !parts.is_empty() {
        let _ = writeln!(out, "{key} = {{ {} }}", parts.join(", "));
    }
}

fn list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    format!("[{}]", quoted.join(", "))
}

/// A TOML basic string (TOML 1.0): names come from files, and may hold anything.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// What was observed of a limit, in its unit.
fn seen(row: &Row) -> String {
    let shown = |value: i64| {
        let value = u64::try_from(value).unwrap_or(0);
        if is_money(row.control) { grouped(value.div_ceil(1_000_000)) } else { grouped(value) }
    };
    let (p50, p999, max) = (shown(row.p50), shown(row.p999), shown(row.max));
    // An order without an equal before it is not compared.
    let of = match row.control {
        Control::DuplicateOrder => format!(", of {} orders with an equal", grouped(row.orders)),
        Control::LossLimit | Control::Drawdown | Control::RepeatedExecution => {
            "; twice that, because it latches".to_owned()
        }
        _ => String::new(),
    };
    format!("p50 {p50}, p99.9 {p999}, max {max}{of}")
}

const MOST_MONEY: u64 = 9_223_372_036_853;
const MOST_QTY: i64 = i64::MAX - 1;
/// Instruments that are written one by one.
const INSTRUMENTS_MAX: usize = 4_096;
/// Orders of an instrument below which its grid says little.
const GRID_ORDERS_MIN: u64 = 100;
/// Longest name in a limits file.
const NAME_BYTES_MAX: usize = 64;
const CENT_E9: u64 = 10_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shape(names: &[String]) -> Shape {
        Shape {
            file: LimitsFile { base_currency: "USD".to_owned(), ..LimitsFile::default() },
            accounts: names.iter().map(|n| (n.clone(), None, Restricted::default())).collect(),
            strategies: names.to_vec(),
        }
    }

    proptest! {
        #[test]
        fn any_name_can_be_written(
            names in prop::collection::btree_set("\\PC{1,12}|[\\x01-\\x7f]{1,9}", 1..5),
        ) {
            let names: Vec<String> = names.into_iter().collect();
            let text = measuring(&shape(&names));
            let file = cwts_risk::limits::parse(&text).unwrap();
            prop_assert_eq!(file.accounts.keys().cloned().collect::<Vec<_>>(), names);
        }
    }

    #[test]
    fn a_few_round_prices_are_no_coarse_tick() {
        let mut out = String::new();
        grid(&mut out, Grid { orders: 3, px: 185_000_000_000, qty: 100 });
        assert!(out.contains("tick = \"0.01\"") && out.contains("lot = 1 "), "{out}");
        out.clear();
        grid(&mut out, Grid { orders: 5_000, px: 250_000_000, qty: 100 });
        assert!(out.contains("tick = \"0.25\"") && out.contains("lot = 100 "), "{out}");
    }
}

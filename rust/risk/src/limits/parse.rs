//! Reading a limits file: every error with its line, nothing applied if there is one.

use std::collections::BTreeMap;

use toml_edit::Document;

use super::section::{Section, Sink};
use super::{
    ANY, AccountLimits, Collar, Counts, HoldingRules, InstrumentLimits, LIMITS_BYTES_MAX,
    LimitError, LimitErrors, LimitsFile, NodeLimits, RateLimit, ReferenceSource, ReplayRules,
    Restricted, SessionLimits, StrategyLimits, VenueLimits,
};

/// Parses a limits file.
///
/// # Errors
/// All that is wrong with it, each with line, column and dotted key.
pub fn parse(text: &str) -> Result<LimitsFile, LimitErrors> {
    let mut sink = Sink { text, errors: Vec::new() };
    if text.len() > LIMITS_BYTES_MAX {
        sink.push(0, "file", format!("has {} bytes; at most {LIMITS_BYTES_MAX}", text.len()));
        return Err(LimitErrors(sink.errors));
    }
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let at = error.span().map_or(0, |s| s.start);
            let message = error.message().to_owned();
            sink.push(at, "syntax", message);
            return Err(LimitErrors(sink.errors));
        }
    };
    let file = read(Section::new("", document.as_table()), &mut sink);
    check_names(&file, document.as_table(), &mut sink);
    if sink.errors.is_empty() { Ok(file) } else { Err(LimitErrors(sink.errors)) }
}

/// An error at the place of a unit, for what only a room above can know of its value.
pub fn error_at(text: &str, place: &super::units::Place, message: &str) -> LimitError {
    let mut sink = Sink { text, errors: Vec::new() };
    let key = (!place.key.is_empty()).then_some(place.key.as_str());
    let path: Vec<&str> = place.path.iter().map(String::as_str).chain(key).collect();
    let at = Document::parse(text).map_or(0, |d| position(d.as_table(), &path));
    sink.push(at, &place.to_string(), message);
    sink.errors.swap_remove(0)
}

/// The text of a limits file.
///
/// # Errors
/// It is not UTF-8: a name that was repaired in silence would be another name.
pub fn utf8(bytes: &[u8]) -> Result<&str, LimitErrors> {
    std::str::from_utf8(bytes).map_err(|error| {
        let good = &bytes[..error.valid_up_to()];
        let text = std::str::from_utf8(good).unwrap_or("");
        let mut sink = Sink { text, errors: Vec::new() };
        sink.push(good.len(), "syntax", "the file is not UTF-8 from here on");
        LimitErrors(sink.errors)
    })
}

fn read(mut root: Section<'_>, sink: &mut Sink<'_>) -> LimitsFile {
    let mut file = LimitsFile { base_currency: "USD".to_owned(), ..LimitsFile::default() };
    if root.integer("schema", 1, 1, sink).is_none() && root.item("schema").is_none() {
        sink.push(0, "schema", "is missing; write `schema = 1` on the first line");
    }
    if root.choice("unlisted", &["off", "deny"], sink) == Some("off") {
        file.unlisted_off = true;
        file.replay_only = Some("unlisted");
    }
    if let Some(mut firm) = root.section("firm", sink) {
        if let Some(currency) = firm.text("base_currency", sink) {
            currency.clone_into(&mut file.base_currency);
        }
        file.day_roll_ns = firm.day_roll_ns("day_roll", sink).unwrap_or(0);
        file.duplicate_ids = firm.duplicate_ids("duplicate_id", sink);
        file.buying_power = firm.boolean("buying_power", sink).unwrap_or(false);
        file.firm = node(&mut firm, false, sink);
        firm.finish(sink);
    }
    file.desks = nodes(&mut root, "desk", false, sink);
    file.customers = nodes(&mut root, "customer", true, sink);
    for (name, mut section) in sub(&mut root, "account", sink) {
        let account = account(&mut section, sink);
        if rate_counts_accepted(account.message_rate) {
            file.replay_only = Some("message_rate.counts");
        }
        section.finish(sink);
        file.accounts.insert(name, account);
    }
    for (name, mut section) in sub(&mut root, "strategy", sink) {
        let strategy = strategy(&mut section, sink);
        if rate_counts_accepted(strategy.message_rate) {
            file.replay_only = Some("message_rate.counts");
        }
        section.finish(sink);
        file.strategies.insert(name, strategy);
    }
    for (name, mut section) in sub(&mut root, "session", sink) {
        let session = SessionLimits {
            message_rate: section.rate("message_rate", sink),
            attempt_rate: section.rate("attempt_rate", sink),
            cancel_on_disconnect: section.boolean("cancel_on_disconnect", sink).unwrap_or(false),
        };
        section.finish(sink);
        file.sessions.insert(name, session);
    }
    for (name, mut section) in sub(&mut root, "venue", sink) {
        let venue = VenueLimits { message_rate: section.rate("message_rate", sink) };
        section.finish(sink);
        file.venues.insert(name, venue);
    }
    if let Some(mut control) = root.section("control", sink) {
        file.control = control.control_rules(sink);
        super::operators::four_eyes(&mut control, sink);
        control.finish(sink);
    }
    for (key, target) in [("group", &mut file.groups), ("instrument", &mut file.instruments)] {
        for (name, mut section) in sub(&mut root, key, sink) {
            let instrument = instrument(&mut section, key == "instrument", sink);
            if rate_counts_accepted(instrument.message_rate) {
                file.replay_only = Some("message_rate.counts");
            }
            // A live gateway has no file whose rows could set it: no order would ever pass.
            if instrument.price_collar.is_some_and(|c| c.reference == ReferenceSource::Column) {
                file.replay_only = Some("price_collar.reference");
            }
            section.finish(sink);
            target.insert(name, instrument);
        }
    }
    file.restricted = restricted(&mut root, sink);
    if let Some(mut fx) = root.section("fx", sink) {
        let mut rates = BTreeMap::new();
        for (currency, rate_e9) in fx.prices_e9(sink) {
            rates.insert(currency, rate_e9);
        }
        file.fx_e9 = rates;
    }
    file.operators = super::operators::read(&mut root, sink);
    if let Some(mut replay) = root.section("replay", sink) {
        let mapping = replay.choice("mapping", &["all", "file"], sink);
        let apply = replay.choice("replace", &["check", "apply"], sink) == Some("apply");
        file.replay =
            ReplayRules { replace_apply: apply, mapping_all: mapping.map(|m| m == "all") };
        if apply {
            file.replay_only = Some("replay.replace");
        }
        replay.finish(sink);
    }
    root.finish(sink);
    file.scopes_lists = [&file.firm]
        .into_iter()
        .chain(file.desks.values())
        .chain(file.customers.values())
        .map(|node| &node.restricted)
        .chain(file.accounts.values().map(|account| &account.restricted))
        .any(|lists| !lists.is_empty());
    file
}

fn rate_counts_accepted(rate: RateLimit) -> bool {
    matches!(rate, RateLimit::At(r) if r.counts == Counts::AcceptedNew)
}

fn sub<'d>(
    root: &mut Section<'d>,
    key: &'static str,
    sink: &mut Sink<'_>,
) -> Vec<(String, Section<'d>)> {
    let Some(mut section) = root.section(key, sink) else { return Vec::new() };
    section.sections(sink).into_iter().map(|(name, s)| (name.to_owned(), s)).collect()
}

fn nodes(
    root: &mut Section<'_>,
    key: &'static str,
    has_desk: bool,
    sink: &mut Sink<'_>,
) -> BTreeMap<String, NodeLimits> {
    let mut out = BTreeMap::new();
    for (name, mut section) in sub(root, key, sink) {
        let node = node(&mut section, has_desk, sink);
        section.finish(sink);
        out.insert(name, node);
    }
    out
}

fn node(section: &mut Section<'_>, has_desk: bool, sink: &mut Sink<'_>) -> NodeLimits {
    NodeLimits {
        desk: if has_desk { section.text("desk", sink).map(str::to_owned) } else { None },
        credit: section.money("credit", sink),
        max_open_notional: section.money("max_open_notional", sink),
        aggregates: section.node_aggregates(sink),
        restricted: restricted(section, sink),
    }
}

fn strategy(section: &mut Section<'_>, sink: &mut Sink<'_>) -> StrategyLimits {
    StrategyLimits {
        max_order_qty: section.quantity("max_order_qty", sink),
        max_order_notional: section.money("max_order_notional", sink),
        message_rate: section.rate("message_rate", sink),
        attempt_rate: section.rate("attempt_rate", sink),
        repeated_execution: match section.rate("repeated_execution", sink) {
            RateLimit::At(rate) => Some(rate),
            RateLimit::Unset | RateLimit::Unlimited => None,
        },
        session: section.text("session", sink).map(str::to_owned),
        accounts: section.names("accounts", sink),
        groups: section.names("groups", sink),
        types: section.types("types", sink),
        aggregates: section.strategy_aggregates(sink),
    }
}

fn restricted(section: &mut Section<'_>, sink: &mut Sink<'_>) -> Restricted {
    let Some(mut lists) = section.section("restricted", sink) else { return Restricted::default() };
    let out = Restricted {
        deny: lists.names("deny", sink).unwrap_or_default(),
        allow: lists.names("allow", sink),
    };
    lists.finish(sink);
    out
}

fn account(section: &mut Section<'_>, sink: &mut Sink<'_>) -> AccountLimits {
    let mut out = AccountLimits {
        customer: section.text("customer", sink).map(str::to_owned),
        max_order_qty: section.quantity("max_order_qty", sink),
        max_order_notional: section.money("max_order_notional", sink),
        credit: section.money("credit", sink),
        max_open_notional: section.money("max_open_notional", sink),
        message_rate: section.rate("message_rate", sink),
        duplicate_order: section.duplicates("duplicate_order", sink),
        max_position: section.position("max_position", sink),
        daily_qty: section.quantity("daily_qty", sink),
        cash: section.money("cash", sink),
        aggregates: section.account_aggregates(sink),
        instrument: BTreeMap::new(),
        restricted: restricted(section, sink),
    };
    if let Some(mut by_symbol) = section.section("instrument", sink) {
        for (symbol, mut inner) in by_symbol.sections(sink) {
            let rules = HoldingRules {
                max_position: inner.position("max_position", sink),
                daily_qty: inner.quantity("daily_qty", sink),
            };
            inner.finish(sink);
            out.instrument.insert(symbol.to_owned(), rules);
        }
    }
    out
}

fn instrument(section: &mut Section<'_>, has_group: bool, sink: &mut Sink<'_>) -> InstrumentLimits {
    InstrumentLimits {
        group: if has_group { section.text("group", sink).map(str::to_owned) } else { None },
        venue: section.text("venue", sink).map(str::to_owned),
        currency: section.text("currency", sink).map(str::to_owned),
        tick_e9: section.price_e9("tick", sink),
        lot: section.integer("lot", 1, i64::MAX, sink),
        multiplier: section.integer("multiplier", 1, MULTIPLIER_MAX, sink),
        qty_decimals: section
            .integer("qty_decimals", 0, 9, sink)
            .and_then(|d| u32::try_from(d).ok()),
        allow_nonpositive: section.boolean("allow_nonpositive", sink),
        max_order_qty: section.quantity("max_order_qty", sink),
        max_order_notional: section.money("max_order_notional", sink),
        price_collar: collar(section, sink),
        message_rate: section.rate("message_rate", sink),
        min_order_qty: section.quantity("min_order_qty", sink),
        min_order_notional: section.money("min_order_notional", sink),
        price_move: section.price_move("price_move", sink),
        trades_halted: section
            .choice("on_halt", &["deny", "allow"], sink)
            .map(|word| word == "allow"),
        phases: section.phases("phases", sink),
        auction: section.auction("auction", sink),
        types: section.types("types", sink),
        reg_sho: section.boolean("reg_sho", sink),
        margin_bps: section.percent_bps("margin", PERCENT_BPS_MAX, sink),
    }
}

fn collar(section: &mut Section<'_>, sink: &mut Sink<'_>) -> Option<Collar> {
    let mut inner = section.section("price_collar", sink)?;
    let collar = Collar {
        bps: inner.integer("bps", 0, BPS_MAX, sink),
        ticks: inner.integer("ticks", 0, i64::from(i32::MAX), sink),
        absolute_e9: inner.price_e9("absolute", sink),
        reference: match inner.choice("reference", &REFERENCES, sink) {
            Some("external") => ReferenceSource::External,
            Some("mid") => ReferenceSource::Mid,
            Some("column") => ReferenceSource::Column,
            _ => ReferenceSource::LastTrade,
        },
        max_age_ns: inner.duration_ns("max_age", sink).unwrap_or(0),
        allow_missing: inner.choice("on_missing", &["deny", "allow"], sink) == Some("allow"),
    };
    inner.finish(sink);
    if collar.bps.is_none() && collar.ticks.is_none() && collar.absolute_e9.is_none() {
        let at = section.at("price_collar");
        sink.push(at, &section.key("price_collar"), "needs at least one of bps, ticks, absolute");
        return None;
    }
    Some(collar)
}

/// Names that are used must be defined, and what depends on another value must fit it.
fn check_names(file: &LimitsFile, root: &toml_edit::Table, sink: &mut Sink<'_>) {
    let at = |path: &[&str]| position(root, path);
    let mut missing = |path: &[&str], name: &str, what: &str| {
        sink.push(at(path), &path.join("."), format!("`{name}` is no {what} of this file"));
    };
    for (name, customer) in &file.customers {
        if let Some(desk) = customer.desk.as_ref().filter(|d| !file.desks.contains_key(*d)) {
            missing(&["customer", name, "desk"], desk, "[desk]");
        }
    }
    for (name, account) in &file.accounts {
        let customer = account.customer.as_ref();
        if let Some(customer) = customer.filter(|c| !file.customers.contains_key(*c)) {
            missing(&["account", name, "customer"], customer, "[customer]");
        }
    }
    for (name, strategy) in &file.strategies {
        let path = |key| ["strategy", name.as_str(), key];
        if let Some(s) = strategy.session.as_ref().filter(|s| !file.sessions.contains_key(*s)) {
            missing(&path("session"), s, "[session]");
        }
        let known = |accounts: &&String| !file.accounts.contains_key(*accounts);
        for account in strategy.accounts.iter().flatten().filter(known) {
            missing(&path("accounts"), account, "[account]");
        }
        for group in strategy.groups.iter().flatten().filter(|g| !file.groups.contains_key(*g)) {
            missing(&path("groups"), group, "[group]");
        }
    }
    for (symbol, instrument) in &file.instruments {
        if let Some(group) = instrument.group.as_ref().filter(|g| !file.groups.contains_key(*g)) {
            missing(&["instrument", symbol, "group"], group, "[group]");
        }
    }
    for (symbol, instrument) in &file.instruments {
        let empty = InstrumentLimits::default();
        let group = instrument.group.as_ref().and_then(|g| file.groups.get(g)).unwrap_or(&empty);
        let whole = instrument.with_defaults(group);
        let path = ["instrument", symbol.as_str()];
        if let Some(currency) = &whole.currency
            && *currency != file.base_currency
            && !file.fx_e9.contains_key(currency)
        {
            let message =
                format!("currency `{currency}` has no rate; add [fx] {currency} = \"...\"");
            sink.push(at(&path), &path.join("."), message);
        }
        let collar = whole.price_collar.unwrap_or_default();
        let only_bps = collar.ticks.is_none() && collar.absolute_e9.is_none();
        if whole.allow_nonpositive == Some(true) && whole.price_collar.is_some() && only_bps {
            let message = "allow_nonpositive needs a collar in ticks or absolute: bps of a price \
             of zero mean nothing";
            sink.push(at(&path), &path.join("."), message);
        }
        if collar.ticks.is_some() && whole.tick_e9.is_none() {
            sink.push(at(&path), &path.join("."), "a collar in ticks needs a tick");
        }
    }
    if file.instruments.contains_key(ANY) {
        let message =
            "`*` is for [account] and [strategy]; instruments of a replay use [group.replay]";
        sink.push(at(&["instrument", ANY]), "instrument.*", message);
    }
}

fn position(root: &toml_edit::Table, path: &[&str]) -> usize {
    let mut table: &dyn toml_edit::TableLike = root;
    let mut at = 0;
    for key in path {
        let Some((found, item)) = table.get_key_value(key) else { break };
        at = found.span().map_or(at, |s| s.start);
        match item.as_table_like() {
            Some(inner) => table = inner,
            None => break,
        }
    }
    at
}

/// What a collar may listen to.
const REFERENCES: [&str; 4] = ["last_trade", "external", "mid", "column"];
/// 1,000 %: wider than that is no collar.
const BPS_MAX: i64 = 100_000;
/// 1,000 %: margin beyond the notional is possible, more than that is a slip.
const PERCENT_BPS_MAX: i64 = 100_000;
/// Largest contract multiplier.
const MULTIPLIER_MAX: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limit;

    fn errors(text: &str) -> Vec<String> {
        parse(text).unwrap_err().0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_whole_file_reads_as_written() {
        let file = parse(
            r#"
schema = 1
[firm]
credit = "500_000_000"
[desk]
equities = { credit = 200 }
[customer]
acme = { desk = "equities", credit = "none" }
[account.ACC1]
customer = "acme"
max_order_qty = 1_000
max_position = { long = 10, short = 0 }
message_rate = { max = 60, window = "1s" }
duplicate_order = { window = "1ms", max = 2 }
[account.ACC1.instrument]
AAPL = { max_position = { long = 5_000, short = 7 } }
[group.us]
price_collar = { bps = 500, max_age = "2s" }
tick = "0.01"
[instrument]
AAPL = { group = "us", lot = 1 }
[restricted]
deny = ["XYZ"]
"#,
        )
        .unwrap();
        assert_eq!(file.firm.credit, Limit::At(500_000_000_000_000));
        assert_eq!(file.desks["equities"].credit, Limit::At(200_000_000));
        assert_eq!(file.customers["acme"].credit, Limit::Unlimited);
        let account = &file.accounts["ACC1"];
        assert_eq!(account.max_order_qty, Limit::At(1_000));
        assert_eq!(account.credit, Limit::Unset);
        assert_eq!(account.instrument["AAPL"].max_position.short, Limit::At(7));
        assert!(file.restricted.refuses("XYZ") && !file.restricted.refuses("AAPL"));
        assert_eq!(file.groups["us"].tick_e9, Some(10_000_000));
        assert_eq!(file.replay_only, None);
    }

    #[test]
    fn every_error_comes_at_once_with_its_line_and_key() {
        let found = errors(
            "schema = 1\n[account.A]\nmax_order_qyt = 5\ncredit = 1.5\nmax_order_notional = \
             \"-3\"\n\
             message_rate = { max = 0, window = \"1s\" }\n[customer]\nc = { desk = \"nowhere\" }\n",
        );
        assert_eq!(found.len(), 6, "{found:#?}");
        assert!(found.iter().any(|e| e.starts_with("line 3, column 1: account.A.max_order_qyt: ")
            && e.contains("did you mean `max_order_qty`")));
        assert!(found.iter().any(|e| e.starts_with("line 4") && e.contains("never a float")));
        assert!(found.iter().any(|e| e.starts_with("line 5") && e.contains("-3")));
        assert!(found.iter().any(|e| e.starts_with("line 6") && e.contains("from 1 to 65535")));
        assert!(found.iter().any(|e| e.starts_with("line 8") && e.contains("no [desk]")));
    }

    #[test]
    fn a_key_of_a_later_release_is_refused_not_ignored() {
        let found = errors("schema = 1\n[strategy.s]\nmodel_gate = \"5\"\n");
        assert!(found[0].contains("not enforced in this release"), "{found:?}");
    }

    #[test]
    fn duplicate_keys_syntax_and_overflow_name_their_line() {
        assert!(errors("schema = 1\n[firm]\ncredit = 1\ncredit = 2\n")[0].starts_with("line 4"));
        assert!(errors("schema = 1\n[firm\n")[0].starts_with("line 2"));
        assert!(
            errors("schema = 1\n[firm]\ncredit = \"99999999999999999999\"\n")[0]
                .starts_with("line 3")
        );
        assert!(
            errors("schema = 1\n[firm]\ncredit = 99999999999999999999\n")[0].starts_with("line 3")
        );
        assert!(errors("[firm]\n")[0].contains("schema"));
        assert!(errors("schema = 2\n")[0].contains("from 1 to 1"));
    }
}

//! Every limit that an order meets, and where each value comes from.

use super::LimitsFile;
use super::diff::fallback;
use super::schema::{self, Absent};
use super::units::{Datum, Place, Units, units};
use super::{ANY, REPLAY_GROUP};

/// One value in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// Level at which it holds: `firm`, `desk:equities`, `account:ACC1`, and so on.
    pub level: String,
    /// The key.
    pub key: &'static str,
    /// The value, as TOML; `None` where nothing says it.
    pub value: Option<String>,
    /// Where it is written, dotted; or `default`.
    pub origin: String,
    /// Whether orders are refused because nothing says it.
    pub refuses: bool,
}

/// Every value that an order of this account in this symbol, by this strategy, meets.
///
/// `text` is a limits text that the reader accepts, and `file` what it made of it. Within a level
/// the most specific value holds; across levels an order must pass all of them.
pub fn effective(
    text: &str,
    file: &LimitsFile,
    account: &str,
    symbol: &str,
    strategy: Option<&str>,
) -> Vec<Effective> {
    let units = units(text);
    let mut out = Vec::new();
    let mut level = |level: String, path: &[&str]| {
        let whole = Place::new(path, "");
        let Some(section) = schema::section(&whole.section()) else { return };
        for key in section.keys {
            out.push(value(&units, &level, key, &Place::new(path, key.name)));
        }
    };
    level("firm".to_owned(), &["firm"]);
    let account_section = named(file.accounts.contains_key(account), account);
    let customer = file.accounts.get(account_section).and_then(|a| a.customer.as_deref());
    let desk = customer.and_then(|c| file.customers.get(c)).and_then(|c| c.desk.as_deref());
    if let Some(desk) = desk {
        level(format!("desk:{desk}"), &["desk", desk]);
    }
    if let Some(customer) = customer {
        level(format!("customer:{customer}"), &["customer", customer]);
    }
    level(format!("account:{account}"), &["account", account_section]);
    let both = format!("account:{account} in {symbol}");
    level(both, &["account", account_section, "instrument", symbol]);
    if let Some(strategy) = strategy {
        let section = named(file.strategies.contains_key(strategy), strategy);
        level(format!("strategy:{strategy}"), &["strategy", section]);
    }
    if file.instruments.contains_key(symbol) {
        level(format!("instrument:{symbol}"), &["instrument", symbol]);
    } else {
        level(format!("instrument:{symbol}"), &["group", REPLAY_GROUP]);
    }
    level("firm".to_owned(), &["restricted"]);
    // The account's own position limit is told once, as the one for the symbol.
    let account_level = format!("account:{account}");
    out.retain(|row| row.key != "max_position" || row.level != account_level);
    out
}

/// The section that serves a name.
fn named(is_there: bool, name: &str) -> &str {
    if is_there { name } else { ANY }
}

fn value(units: &Units, level: &str, key: &'static schema::Key, place: &Place) -> Effective {
    let own = units.get(place).map(|value| (place.clone(), value));
    let inherited = || {
        let place = fallback(place, units)?;
        let value = units.get(&place)?;
        Some((place, value))
    };
    let found = own.or_else(inherited);
    let refuses = found.is_none() && key.absent == Absent::Refuses;
    let (value, origin) = match found {
        Some((place, value)) => (Some(value.to_string()), place.to_string()),
        None => (silence(key.absent), "default".to_owned()),
    };
    Effective { level: level.to_owned(), key: key.name, value, origin, refuses }
}

/// What silence stands for, where it is a value.
fn silence(absent: Absent) -> Option<String> {
    match absent {
        Absent::Number(n) => Some(Datum::Number(n).to_string()),
        Absent::Word(word) => Some(Datum::Text(word.to_owned()).to_string()),
        Absent::NoLimit => Some(Datum::Text("none".to_owned()).to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::parse;

    const TEXT: &str = r#"
schema = 1
[firm]
credit = "500"
[desk]
equities = { credit = "200" }
[customer]
acme = { desk = "equities", credit = "50" }
[account.ACC1]
customer = "acme"
max_order_qty = 1_000
max_position = { long = 5, short = 0 }
[account.ACC1.instrument]
AAPL = { max_position = { long = 2, short = 0 } }
[group.us]
tick = "0.01"
price_collar = { bps = 500 }
[instrument]
AAPL = { group = "us", lot = 1 }
MSFT = { group = "us", lot = 1, tick = "0.05" }
"#;

    fn origins(symbol: &str) -> Vec<String> {
        let file = parse(TEXT).unwrap();
        effective(TEXT, &file, "ACC1", symbol, Some("mm-1"))
            .iter()
            .map(|row| {
                let value = row.value.as_deref().unwrap_or("-");
                format!("{} {} {value} {}", row.level, row.key, row.origin)
            })
            .collect()
    }

    #[test]
    fn each_value_says_where_it_comes_from() {
        let rows = origins("AAPL");
        for wanted in [
            "firm credit \"500\" firm.credit",
            "desk:equities credit \"200\" desk.equities.credit",
            "customer:acme credit \"50\" customer.acme.credit",
            "account:ACC1 max_order_qty 1000 account.ACC1.max_order_qty",
            "account:ACC1 credit - default",
            "account:ACC1 in AAPL max_position { long = 2, short = 0 } \
             account.ACC1.instrument.AAPL.max_position",
            "instrument:AAPL tick \"0.01\" group.us.tick",
            "instrument:AAPL lot 1 instrument.AAPL.lot",
            "instrument:AAPL max_order_qty \"none\" default",
            "strategy:mm-1 message_rate \"none\" default",
        ] {
            assert!(rows.iter().any(|row| row == wanted), "{wanted}\n{rows:#?}");
        }
        let other = origins("MSFT");
        assert!(other.iter().any(|r| r == "instrument:MSFT tick \"0.05\" instrument.MSFT.tick"));
        let wanted = "account:ACC1 in MSFT max_position { long = 5, short = 0 } \
                      account.ACC1.max_position";
        assert!(other.iter().any(|row| row == wanted), "{other:#?}");
    }
}

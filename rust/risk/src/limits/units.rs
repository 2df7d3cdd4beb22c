//! A limits text as units: one value a dotted key, read off the document itself.
//!
//! A unit is what is written under one key of one section: a number, a list, or a table such as
//! `message_rate`. They come from the document and not from what the reader makes of it, so that a
//! key which this room has no row for is still a unit, and no change goes unseen.

use std::collections::BTreeMap;
use std::fmt;

use toml_edit::{DocumentMut, InlineTable, Item, TableLike, Value};

use super::schema;

/// Where a unit stands: the names of its sections, and its key; the key is empty where the unit
/// is the section itself being there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Sections from the top, names included: `["account", "ACC1"]`.
    pub path: Vec<String>,
    /// The key; empty for the section itself.
    pub key: String,
}

impl Place {
    /// A place by its sections and key.
    pub fn new(path: &[&str], key: &str) -> Self {
        Self { path: path.iter().map(|p| (*p).to_owned()).collect(), key: key.to_owned() }
    }

    /// The path of its section in [`schema::SECTIONS`].
    pub fn section(&self) -> String {
        match self.path.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            [kind, _] => format!("{kind}.*"),
            [kind, _, inner, ..] => format!("{kind}.*.{inner}.*"),
        }
    }

    /// Its row in the table, if it has one.
    pub fn row(&self) -> Option<&'static schema::Key> {
        schema::row(&self.section(), &self.key)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = (!self.key.is_empty()).then_some(&self.key);
        for (i, part) in self.path.iter().chain(key).enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            f.write_str(&quoted(part))?;
        }
        Ok(())
    }
}

/// A key as TOML writes it: bare, or in quotes.
pub fn quoted(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.chars().all(bare) {
        return name.to_owned();
    }
    Value::from(name).to_string()
}

/// A value, free of the ways in which it can be written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Datum {
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
    /// A truth.
    Truth(bool),
    /// A list.
    List(Vec<Datum>),
    /// A table.
    Table(BTreeMap<String, Datum>),
    /// Anything else, as it is written: the reader refuses it.
    Other(String),
}

impl fmt::Display for Datum {
    /// As an inline value of TOML.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(n) => write!(f, "{n}"),
            Self::Text(text) => f.write_str(Value::from(text.as_str()).to_string().trim()),
            Self::Truth(yes) => write!(f, "{yes}"),
            Self::Other(text) => f.write_str(text),
            Self::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{item}")?;
                }
                f.write_str("]")
            }
            Self::Table(rows) if rows.is_empty() => f.write_str("{}"),
            Self::Table(rows) => {
                f.write_str("{ ")?;
                for (i, (name, value)) in rows.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{} = {value}", quoted(name))?;
                }
                f.write_str(" }")
            }
        }
    }
}

fn datum(item: &Item) -> Datum {
    match item.as_value() {
        Some(value) => datum_of(value),
        None => match item.as_table_like() {
            Some(table) => Datum::Table(rows(table)),
            None => Datum::Other(item.to_string()),
        },
    }
}

fn datum_of(value: &Value) -> Datum {
    match value {
        Value::Integer(n) => Datum::Number(*n.value()),
        Value::String(text) => Datum::Text(text.value().clone()),
        Value::Boolean(yes) => Datum::Truth(*yes.value()),
        Value::Array(items) => Datum::List(items.iter().map(datum_of).collect()),
        Value::InlineTable(table) => Datum::Table(rows(table)),
        other => Datum::Other(other.to_string().trim().to_owned()),
    }
}

fn rows(table: &dyn TableLike) -> BTreeMap<String, Datum> {
    table.iter().map(|(name, item)| (name.to_owned(), datum(item))).collect()
}

/// The units of a limits text, by place.
pub type Units = BTreeMap<Place, Datum>;

/// The units of a limits text that the reader accepts; none of a text that is no TOML.
pub fn units(text: &str) -> Units {
    let mut out = Units::new();
    let Ok(document) = text.parse::<DocumentMut>() else { return out };
    for (name, item) in document.iter() {
        let named = schema::section(&format!("{name}.*")).is_some();
        let plain = schema::section(name).is_some();
        match item.as_table_like() {
            Some(table) if named => {
                for (inner, item) in table.iter() {
                    section(&mut out, &[name, inner], item);
                }
            }
            Some(table) if plain => {
                for (key, item) in table.iter() {
                    out.insert(Place::new(&[name], key), datum(item));
                }
            }
            _ => {
                out.insert(Place::new(&[], name), datum(item));
            }
        }
    }
    out
}

/// A section that has a name: it is there, and it says something.
fn section(out: &mut Units, path: &[&str], item: &Item) {
    let Some(table) = item.as_table_like() else {
        out.insert(Place::new(path, ""), datum(item));
        return;
    };
    // An account's own word on an instrument is no new name: its keys tell all, if it has any.
    if path.len() == 2 || table.is_empty() {
        out.insert(Place::new(path, ""), Datum::Table(BTreeMap::new()));
    }
    for (key, item) in table.iter() {
        let inner = format!("{}.*.{key}.*", path[0]);
        match item.as_table_like() {
            Some(names) if path.len() == 2 && schema::section(&inner).is_some() => {
                for (name, item) in names.iter() {
                    section(out, &[path[0], path[1], key, name], item);
                }
            }
            _ => {
                out.insert(Place::new(path, key), datum(item));
            }
        }
    }
}

/// The text with some units set to other values, or taken out; what stands beside them stays as it
/// is written. A unit whose section is not there is left alone; but an account's word on an
/// instrument is a section only as long as it says something, and comes and goes with its keys.
///
/// # Errors
/// The text or a value is no TOML.
pub fn with_units(
    text: &str,
    changes: &BTreeMap<Place, Option<String>>,
) -> Result<String, toml_edit::TomlError> {
    let mut document: DocumentMut = text.parse()?;
    for (place, value) in changes {
        if value.is_some() && place.path.len() > NAMED_DEPTH {
            make_sections(&mut document, &place.path);
        }
        let Some(table) = table_at(&mut document, &place.path) else { continue };
        match value {
            Some(value) => {
                let value: Value = value.parse()?;
                table.insert(&place.key, Item::Value(value));
            }
            None => {
                table.remove(&place.key);
                let is_bare = table.is_empty();
                if let Some((last, above)) = place.path.split_last()
                    && is_bare
                    && above.len() >= NAMED_DEPTH
                    && let Some(above) = table_at(&mut document, above)
                {
                    above.remove(last);
                }
            }
        }
    }
    Ok(document.to_string())
}

fn table_at<'d>(document: &'d mut DocumentMut, path: &[String]) -> Option<&'d mut dyn TableLike> {
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for part in path {
        table = table.get_mut(part)?.as_table_like_mut()?;
    }
    Some(table)
}

/// Makes the sections below a named one that is there.
fn make_sections(document: &mut DocumentMut, path: &[String]) {
    for depth in NAMED_DEPTH..path.len() {
        let Some(table) = table_at(document, &path[..depth]) else { return };
        if !table.contains_key(&path[depth]) {
            table.insert(&path[depth], Item::Value(Value::InlineTable(InlineTable::new())));
        }
    }
}

/// A kind and a name: `account`, `ACC1`.
const NAMED_DEPTH: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "schema = 1\n[account.ACC1]\ncredit = 5 # why\nmax_order_qty = 7\n\
        [account.ACC1.instrument]\n\"BRK.B\" = { max_position = \"none\" }\n\
        [fx]\nEUR = \"1.08\"\n[future.S]\nx = 1\n[instrument]\nAAPL = { lot = 1 }\n";

    #[test]
    fn every_value_of_a_text_is_a_unit_whether_it_has_a_row_or_not() {
        let units = units(TEXT);
        let shown: Vec<String> = units.iter().map(|(p, v)| format!("{p} = {v}")).collect();
        assert_eq!(
            shown,
            [
                "future = { S = { x = 1 } }",
                "schema = 1",
                "account.ACC1 = {}",
                "account.ACC1.credit = 5",
                "account.ACC1.max_order_qty = 7",
                "account.ACC1.instrument.\"BRK.B\".max_position = \"none\"",
                "fx.EUR = \"1.08\"",
                "instrument.AAPL = {}",
                "instrument.AAPL.lot = 1",
            ]
        );
    }

    #[test]
    fn units_are_set_and_taken_out_and_the_rest_stays_as_written() {
        let changes = BTreeMap::from([
            (Place::new(&["account", "ACC1"], "max_order_qty"), Some("9".to_owned())),
            (Place::new(&["account", "gone"], "credit"), Some("9".to_owned())),
            (Place::new(&["instrument", "AAPL"], "lot"), None),
            (
                Place::new(&["account", "ACC1", "instrument", "BRK.B"], "max_position"),
                Some("{ long = 1, short = 0 }".to_owned()),
            ),
        ]);
        let text = with_units(TEXT, &changes).unwrap();
        assert!(text.contains("credit = 5 # why\n"));
        let changed = units(&text);
        let at = |path: &[&str], key: &str| changed.get(&Place::new(path, key));
        assert_eq!(at(&["account", "ACC1"], "max_order_qty"), Some(&Datum::Number(9)));
        assert_eq!(at(&["instrument", "AAPL"], "lot"), None);
        assert!(text.contains("max_position = { long = 1, short = 0 }"), "{text}");
        assert!(!text.contains("gone"));
    }
}

//! One table of the limits file, read key by key; what nobody asked for is an error.

use toml_edit::{Item, TableLike, Value};

use super::value::{duration_ns, money_micros};
use super::{Counts, Duplicates, Limit, LimitError, PositionLimit, RATE_MAX, Rate, RateLimit};

/// Collects every error with its position.
pub(super) struct Sink<'t> {
    pub(super) text: &'t str,
    pub(super) errors: Vec<LimitError>,
}

impl Sink<'_> {
    pub(super) fn push(&mut self, at: usize, key: &str, message: impl Into<String>) {
        if self.errors.len() >= ERRORS_MAX {
            return;
        }
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|b| **b != b'\n').count() + 1;
        self.errors.push(LimitError { line, column, key: key.to_owned(), message: message.into() });
    }
}

/// One table; every key that is read is ticked off.
pub(super) struct Section<'d> {
    pub(super) path: String,
    table: &'d dyn TableLike,
    seen: Vec<&'static str>,
}

impl<'d> Section<'d> {
    pub(super) fn new(path: impl Into<String>, table: &'d dyn TableLike) -> Self {
        Self { path: path.into(), table, seen: Vec::new() }
    }

    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn at(&self, key: &str) -> usize {
        let span = self.table.get_key_value(key).and_then(|(k, _)| k.span());
        span.map_or(0, |s| s.start)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub(super) fn item(&mut self, key: &'static str) -> Option<&'d Item> {
        self.seen.push(key);
        self.table.get(key)
    }

    pub(super) fn value(&mut self, key: &'static str, sink: &mut Sink<'_>) -> Option<&'d Value> {
        let item = self.item(key)?;
        let value = item.as_value();
        if value.is_none() {
            sink.push(self.at(key), &self.key(key), "must be a value, not a table");
        }
        value
    }

    pub(super) fn wrong(&self, sink: &mut Sink<'_>, key: &str, message: impl Into<String>) {
        sink.push(self.at(key), &self.key(key), message);
    }

    pub(super) fn text(&mut self, key: &'static str, sink: &mut Sink<'_>) -> Option<&'d str> {
        let value = self.value(key, sink)?;
        let text = value.as_str();
        if text.is_none() {
            self.wrong(sink, key, "must be a text in quotes");
        }
        text
    }

    /// A text out of a closed set.
    pub(super) fn choice(
        &mut self,
        key: &'static str,
        allowed: &[&'static str],
        sink: &mut Sink<'_>,
    ) -> Option<&'static str> {
        let text = self.text(key, sink)?;
        let found = allowed.iter().find(|a| **a == text).copied();
        if found.is_none() {
            let list = allowed.join("\", \"");
            self.wrong(sink, key, format!("`{text}` is not one of \"{list}\""));
        }
        found
    }

    pub(super) fn boolean(&mut self, key: &'static str, sink: &mut Sink<'_>) -> Option<bool> {
        let found = self.value(key, sink)?.as_bool();
        if found.is_none() {
            self.wrong(sink, key, "must be true or false");
        }
        found
    }

    /// An integer between two bounds.
    pub(super) fn integer(
        &mut self,
        key: &'static str,
        low: i64,
        high: i64,
        sink: &mut Sink<'_>,
    ) -> Option<i64> {
        let found = self.value(key, sink)?.as_integer().filter(|v| (low..=high).contains(v));
        if found.is_none() {
            self.wrong(sink, key, format!("must be a whole number from {low} to {high}"));
        }
        found
    }

    /// A price or a distance: text, or a whole number of currency units; above zero.
    pub(super) fn price_e9(&mut self, key: &'static str, sink: &mut Sink<'_>) -> Option<i64> {
        let value = self.value(key, sink)?;
        let text = match value {
            Value::String(s) => s.value().clone(),
            Value::Integer(i) => i.value().to_string(),
            _ => {
                self.wrong(
                    sink,
                    key,
                    "must be text such as \"0.01\" or a whole number, never a float",
                );
                return None;
            }
        };
        match cwts_types::parse_e9(&text) {
            Ok(v) if v > 0 => Some(v),
            Ok(_) => {
                self.wrong(sink, key, "must be above 0");
                None
            }
            Err(error) => {
                self.wrong(sink, key, error.to_string());
                None
            }
        }
    }

    /// Money in the base currency, or `"none"`.
    pub(super) fn money(&mut self, key: &'static str, sink: &mut Sink<'_>) -> Limit {
        let Some(value) = self.value(key, sink) else { return Limit::Unset };
        let text = match value {
            Value::String(s) if s.value() == UNLIMITED => return Limit::Unlimited,
            Value::String(s) => s.value().clone(),
            Value::Integer(i) => i.value().to_string(),
            _ => {
                let message =
                    "must be text such as \"150_000\", a whole number or \"none\", never a float";
                self.wrong(sink, key, message);
                return Limit::Unset;
            }
        };
        match money_micros(&text) {
            Ok(micros) => Limit::At(micros),
            Err(message) => {
                self.wrong(sink, key, message);
                Limit::Unset
            }
        }
    }

    /// A quantity in the instrument's smallest unit, or `"none"`.
    pub(super) fn quantity(&mut self, key: &'static str, sink: &mut Sink<'_>) -> Limit {
        let Some(value) = self.value(key, sink) else { return Limit::Unset };
        if value.as_str() == Some(UNLIMITED) {
            return Limit::Unlimited;
        }
        match value.as_integer() {
            Some(v) if v >= 0 => Limit::At(v),
            _ => {
                self.wrong(sink, key, "must be a whole number from 0, or \"none\"");
                Limit::Unset
            }
        }
    }

    pub(super) fn duration_ns(&mut self, key: &'static str, sink: &mut Sink<'_>) -> Option<u64> {
        let text = self.text(key, sink)?;
        match duration_ns(text) {
            Ok(ns) => Some(ns),
            Err(message) => {
                self.wrong(sink, key, message);
                None
            }
        }
    }

    pub(super) fn names(&mut self, key: &'static str, sink: &mut Sink<'_>) -> Option<Vec<String>> {
        let value = self.value(key, sink)?;
        let Some(array) = value.as_array() else {
            self.wrong(sink, key, "must be a list of names");
            return None;
        };
        let mut names = Vec::with_capacity(array.len().min(NAMES_MAX));
        for value in array {
            match value.as_str() {
                Some(name) if names.len() < NAMES_MAX => names.push(name.to_owned()),
                Some(_) => {
                    self.wrong(sink, key, format!("has more than {NAMES_MAX} names"));
                    return None;
                }
                None => self.wrong(sink, key, "must be a list of names"),
            }
        }
        Some(names)
    }

    /// A sub-table, inline or not.
    pub(super) fn section(
        &mut self,
        key: &'static str,
        sink: &mut Sink<'_>,
    ) -> Option<Section<'d>> {
        let item = self.item(key)?;
        match item.as_table_like() {
            Some(table) => Some(Section::new(self.key(key), table)),
            None => {
                self.wrong(sink, key, "must be a table");
                None
            }
        }
    }

    /// Every sub-table by name.
    pub(super) fn sections(&mut self, sink: &mut Sink<'_>) -> Vec<(&'d str, Section<'d>)> {
        let mut out = Vec::new();
        for (name, item) in self.table.iter() {
            match item.as_table_like() {
                Some(_)
                    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains('\0') =>
                {
                    let message = format!("a name has 1 to {NAME_BYTES_MAX} bytes and no NUL");
                    self.wrong(sink, name, message);
                }
                Some(table) => out.push((name, Section::new(self.key(name), table))),
                None => self.wrong(sink, name, "must be a table"),
            }
        }
        out
    }

    /// Every key as a price above zero.
    pub(super) fn prices_e9(&mut self, sink: &mut Sink<'_>) -> Vec<(String, i64)> {
        let mut out = Vec::new();
        for (name, item) in self.table.iter() {
            match item.as_str().map(cwts_types::parse_e9) {
                Some(Ok(v)) if v > 0 => out.push((name.to_owned(), v)),
                _ => self.wrong(sink, name, "must be text such as \"1.08\", above 0"),
            }
        }
        out
    }

    pub(super) fn rate(&mut self, key: &'static str, sink: &mut Sink<'_>) -> RateLimit {
        if self.table.get(key).and_then(Item::as_str) == Some(UNLIMITED) {
            self.seen.push(key);
            return RateLimit::Unlimited;
        }
        let Some(mut inner) = self.section(key, sink) else { return RateLimit::Unset };
        let max = inner.integer("max", 1, RATE_MAX, sink);
        let window_ns = inner.duration_ns("window", sink);
        let counts = match inner.choice("counts", &["all", "accepted_new"], sink) {
            Some("accepted_new") => Counts::AcceptedNew,
            _ => Counts::All,
        };
        inner.choice("algorithm", &["window"], sink);
        inner.finish(sink);
        match (max, window_ns) {
            (Some(max), Some(window_ns)) => {
                RateLimit::At(Rate { max: u32::try_from(max).unwrap_or(1), window_ns, counts })
            }
            _ => {
                self.wrong(sink, key, "needs max and window, as in { max = 60, window = \"1s\" }");
                RateLimit::Unset
            }
        }
    }

    pub(super) fn duplicates(
        &mut self,
        key: &'static str,
        sink: &mut Sink<'_>,
    ) -> Option<Duplicates> {
        let mut inner = self.section(key, sink)?;
        let max = inner.integer("max", 1, DUPLICATES_MAX, sink).unwrap_or(1);
        let window_ns = inner.duration_ns("window", sink);
        inner.choice("against", &["accepted"], sink);
        let severity = inner.severity("severity", sink);
        if let Some(key) = inner.names("key", sink) {
            let mut sorted = key;
            sorted.sort();
            if sorted != ["price", "qty", "side"] {
                let at = inner.at("key");
                sink.push(at, &inner.key("key"), "must be [\"side\", \"price\", \"qty\"]");
            }
        }
        inner.finish(sink);
        if window_ns.is_none() {
            self.wrong(sink, key, "needs a window, as in { window = \"1ms\" }");
        }
        let max = u32::try_from(max).unwrap_or(1);
        Some(Duplicates { max, window_ns: window_ns?, severity })
    }

    pub(super) fn position(&mut self, key: &'static str, sink: &mut Sink<'_>) -> PositionLimit {
        if self.table.get(key).and_then(Item::as_str) == Some(UNLIMITED) {
            self.seen.push(key);
            return PositionLimit { long: Limit::Unlimited, short: Limit::Unlimited };
        }
        let Some(mut inner) = self.section(key, sink) else { return PositionLimit::default() };
        let limit = PositionLimit {
            long: inner.quantity("long", sink),
            short: inner.quantity("short", sink),
        };
        inner.finish(sink);
        if !limit.long.is_set() || !limit.short.is_set() {
            self.wrong(sink, key, "needs long and short, as in { long = 5_000, short = 0 }");
        }
        limit
    }

    /// Reports every key that nobody read.
    pub(super) fn finish(self, sink: &mut Sink<'_>) {
        for (name, _) in self.table.iter() {
            if self.seen.contains(&name) {
                continue;
            }
            let message = if LATER.contains(&name) {
                "is not enforced in this release, so it is refused rather than ignored".to_owned()
            } else {
                match nearest(name, &self.seen) {
                    Some(known) => format!("unknown key; did you mean `{known}`?"),
                    None => format!("unknown key; known here: {}", self.seen.join(", ")),
                }
            };
            sink.push(self.at(name), &self.key(name), message);
        }
    }
}

/// The known word with the fewest edits, if few.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|k| (edits(word, k), *k))
        .min()
        .filter(|(n, k)| *n <= 1 + k.len() / 4)
        .map(|(_, k)| k)
}

fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(NAME_BYTES_MAX).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// How unlimited is written.
const UNLIMITED: &str = "none";
/// More errors than this help nobody.
const ERRORS_MAX: usize = 100;
/// Names in one list.
const NAMES_MAX: usize = 65_536;
/// Longest name.
const NAME_BYTES_MAX: usize = 64;
/// Equal orders that a ring has to remember.
const DUPLICATES_MAX: i64 = 1_024;
/// Keys of later releases: to accept one without enforcing it would be a lie.
const LATER: &[&str] = &["approval", "halt", "model_gate"];

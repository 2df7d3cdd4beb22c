//! What a new limits file changes, key by key, and whether it is provably stricter.
//!
//! Source: design note "risk", section 5. Law: where every row tightens, no new order that the old
//! file refused is accepted under the new one from the same state. Whatever this room cannot prove
//! counts as a raise: a key without a row, a new name, a fact such as a tick, a key of an operator.

use super::schema::{Absent, Key, Kind, Stricter};
use super::units::{Datum, Place, Units, units};
use super::value::{duration_ns, money_micros};

/// Which way a value moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Provably stricter.
    Tighten,
    /// A bound that admits more.
    Raise,
    /// No bound, or none that compares: counts as a raise.
    Neutral,
}

impl Direction {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tighten => "tighten",
            Self::Raise => "raise",
            Self::Neutral => "neutral",
        }
    }

    /// Whether one person is enough for it.
    pub fn is_tightening(self) -> bool {
        self == Self::Tighten
    }
}

/// One key that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The unit that it belongs to.
    pub place: Place,
    /// The dotted key, with the field inside a table: `account.ACC1.message_rate.max`.
    pub key: String,
    /// The value before, as TOML; `None` where nothing was written.
    pub old: Option<String>,
    /// The value after.
    pub new: Option<String>,
    /// Which way it moved.
    pub direction: Direction,
}

/// Everything that changed between two limits texts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diff {
    /// By place.
    pub rows: Vec<Row>,
}

impl Diff {
    /// Whether every change is provably stricter; a text that changes nothing is.
    pub fn is_tightening(&self) -> bool {
        self.rows.iter().all(|row| row.direction.is_tightening())
    }

    /// The direction of the whole: a mixed file counts as a raise.
    pub fn direction(&self) -> Direction {
        if self.is_tightening() { Direction::Tighten } else { Direction::Raise }
    }

    /// The units in which something is not stricter.
    pub fn raised(&self) -> impl Iterator<Item = &Place> {
        self.rows.iter().filter(|row| !row.direction.is_tightening()).map(|row| &row.place)
    }
}

/// Compares two limits texts that the reader accepts.
pub fn diff(old: &str, new: &str) -> Diff {
    let (old, new) = (units(old), units(new));
    let mut places: Vec<&Place> = old.keys().chain(new.keys()).collect();
    places.sort();
    places.dedup();
    // Without mandatory limits, one that is not written admits everything: nothing is proved.
    let unlisted = Place::new(&[], "unlisted");
    let provable = !old.contains_key(&unlisted) && !new.contains_key(&unlisted);
    let mut rows = Vec::new();
    for place in places {
        if old.get(place) != new.get(place) {
            compare_unit(place, &old, &new, provable, &mut rows);
        }
    }
    Diff { rows }
}

/// Which way one unit moves between two values of it, as its section alone has them.
pub(crate) fn unit_direction(place: &Place, old: &Units, new: &Units) -> Option<Direction> {
    let mut rows = Vec::new();
    if old.get(place) != new.get(place) {
        compare_unit(place, old, new, true, &mut rows);
    }
    rows.iter().map(|row| row.direction).max()
}

fn compare_unit(place: &Place, old: &Units, new: &Units, provable: bool, rows: &mut Vec<Row>) {
    let written = (old.get(place), new.get(place));
    let before = rows.len();
    match place.row() {
        Some(key) => {
            let (from, to) = (in_force(place, old), in_force(place, new));
            // A table that both have is told field by field.
            match (key.kind, written) {
                (
                    Kind::Table(fields) | Kind::TableOrNone(fields),
                    (Some(Datum::Table(a)), Some(Datum::Table(b))),
                ) => {
                    for name in names(fields, a, b) {
                        let (a, b) = (a.get(&name), b.get(&name));
                        if a != b {
                            let direction = match fields.iter().find(|f| f.name == name) {
                                Some(field) => compare(field, a, b),
                                None => Some(Direction::Neutral),
                            };
                            push(rows, place, Some(&name), (a, b), direction);
                        }
                    }
                }
                _ => push(rows, place, None, written, compare(key, from, to)),
            }
        }
        None => push(rows, place, None, written, Some(Direction::Neutral)),
    }
    if !provable {
        for row in &mut rows[before..] {
            row.direction = Direction::Neutral;
        }
    }
}

fn names(
    fields: &[Key],
    a: &std::collections::BTreeMap<String, Datum>,
    b: &std::collections::BTreeMap<String, Datum>,
) -> Vec<String> {
    let mut out: Vec<String> = fields.iter().map(|f| f.name.to_owned()).collect();
    out.extend(a.keys().chain(b.keys()).filter(|n| fields.iter().all(|f| f.name != *n)).cloned());
    out.dedup();
    out
}

fn push(
    rows: &mut Vec<Row>,
    place: &Place,
    field: Option<&str>,
    (old, new): (Option<&Datum>, Option<&Datum>),
    direction: Option<Direction>,
) {
    // Two spellings of one value change nothing.
    let Some(direction) = direction else { return };
    let key = field.map_or_else(|| place.to_string(), |field| format!("{place}.{field}"));
    let text = |v: Option<&Datum>| v.map(ToString::to_string);
    rows.push(Row { place: place.clone(), key, old: text(old), new: text(new), direction });
}

/// The value that holds at a place: its own, or the one that it falls back to.
fn in_force<'u>(place: &Place, units: &'u Units) -> Option<&'u Datum> {
    units.get(place).or_else(|| fallback(place, units).and_then(|place| units.get(&place)))
}

/// Where a unit's value comes from when it says nothing itself.
pub(crate) fn fallback(place: &Place, units: &Units) -> Option<Place> {
    let path: Vec<&str> = place.path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["instrument", symbol] if place.key != "group" => {
            match units.get(&Place::new(&["instrument", symbol], "group")) {
                Some(Datum::Text(group)) => Some(Place::new(&["group", group], &place.key)),
                _ => None,
            }
        }
        ["account", account, "instrument", _] => {
            Some(Place::new(&["account", account], &place.key))
        }
        _ => None,
    }
}

/// Which way a value moved; `None` if it means the same.
fn compare(key: &Key, old: Option<&Datum>, new: Option<&Datum>) -> Option<Direction> {
    if old == new {
        return None;
    }
    match key.stricter {
        Stricter::Never => match (word(key, old), word(key, new)) {
            (Some(a), Some(b)) if a == b => None,
            _ => Some(Direction::Neutral),
        },
        Stricter::Word(strict) => match (word(key, old), word(key, new)) {
            (Some(a), Some(b)) if a == b => None,
            (_, Some(b)) if b == strict => Some(Direction::Tighten),
            _ => Some(Direction::Raise),
        },
        Stricter::Smaller | Stricter::Larger => {
            let (Some(a), Some(b)) = (bound(key, old), bound(key, new)) else {
                return Some(Direction::Neutral);
            };
            let smaller = key.stricter == Stricter::Smaller;
            match (b.cmp(&a), smaller) {
                (std::cmp::Ordering::Equal, _) => None,
                (std::cmp::Ordering::Less, true) | (std::cmp::Ordering::Greater, false) => {
                    Some(Direction::Tighten)
                }
                _ => Some(Direction::Raise),
            }
        }
        Stricter::Multiple => match (old, new) {
            (Some(Datum::Number(a)), Some(Datum::Number(b))) if *a > 0 && b % a == 0 => {
                Some(Direction::Tighten)
            }
            (Some(_), None) if key.absent == Absent::Refuses => Some(Direction::Tighten),
            _ => Some(Direction::Raise),
        },
        Stricter::More | Stricter::Fewer => compare_lists(key, old, new),
        Stricter::Keys => compare_tables(key, old, new),
    }
}

/// A word, or the one that silence stands for.
fn word<'d>(key: &Key, value: Option<&'d Datum>) -> Option<&'d str> {
    match (value, key.absent) {
        (Some(Datum::Text(text)), _) => Some(text),
        (None, Absent::Word(word)) => Some(word),
        _ => None,
    }
}

/// A bound on a line: an absent limit lies at the end of it.
fn bound(key: &Key, value: Option<&Datum>) -> Option<i128> {
    let (strictest, laxest) = match key.stricter {
        Stricter::Larger => (i128::MAX, i128::MIN),
        _ => (i128::MIN, i128::MAX),
    };
    let Some(value) = value else {
        return match key.absent {
            Absent::Refuses => Some(strictest),
            Absent::NoLimit => Some(laxest),
            Absent::Number(n) => Some(n.into()),
            _ => None,
        };
    };
    match (key.kind, value) {
        (Kind::Money | Kind::Quantity, Datum::Text(text)) if text == "none" => Some(laxest),
        (Kind::Money, Datum::Text(text)) => money_micros(text).ok().map(i128::from),
        (Kind::Money, Datum::Number(n)) => money_micros(&n.to_string()).ok().map(i128::from),
        (Kind::Quantity | Kind::Integer(..), Datum::Number(n)) => Some((*n).into()),
        (Kind::Price, Datum::Text(text)) => cwts_types::parse_e9(text).ok().map(i128::from),
        (Kind::Price, Datum::Number(n)) => Some(i128::from(*n) * 1_000_000_000),
        (Kind::Duration, Datum::Text(text)) => duration_ns(text).ok().map(i128::from),
        _ => None,
    }
}

fn compare_lists(key: &Key, old: Option<&Datum>, new: Option<&Datum>) -> Option<Direction> {
    let names = |value: Option<&Datum>| match value {
        Some(Datum::List(items)) => Some({
            let mut items: Vec<Datum> = items.clone();
            items.sort();
            items.dedup();
            items
        }),
        _ => None,
    };
    let within = |a: &[Datum], b: &[Datum]| a.iter().all(|item| b.contains(item));
    let (a, b) = (names(old), names(new));
    let tighter = match key.stricter {
        // No list refuses nothing, like an empty one.
        Stricter::More => {
            let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
            if a == b {
                return None;
            }
            within(&a, &b)
        }
        // No list of the admitted admits everything, an empty one nothing.
        _ => match (a, b) {
            (Some(a), Some(b)) if a == b => return None,
            (Some(a), Some(b)) => within(&b, &a),
            (None, Some(_)) => true,
            _ => false,
        },
    };
    Some(if tighter { Direction::Tighten } else { Direction::Raise })
}

/// Tables as wholes, where one is not written, is `"none"`, or is inherited.
fn compare_tables(key: &Key, old: Option<&Datum>, new: Option<&Datum>) -> Option<Direction> {
    let (Kind::Table(fields) | Kind::TableOrNone(fields)) = key.kind else {
        return Some(Direction::Neutral);
    };
    let unlimited = |value: Option<&Datum>| match value {
        Some(Datum::Text(text)) => text == "none",
        None => key.absent == Absent::NoLimit,
        _ => false,
    };
    match (old, new) {
        (Some(Datum::Table(a)), Some(Datum::Table(b))) => {
            let known = |name: &String| fields.iter().any(|f| f.name == name);
            if !a.keys().chain(b.keys()).all(known) {
                return Some(Direction::Neutral);
            }
            fields.iter().filter_map(|f| compare(f, a.get(f.name), b.get(f.name))).max()
        }
        // From no limit to one.
        (old, Some(Datum::Table(fields))) if unlimited(old) => {
            // A table that says nothing is no limit, either.
            (!fields.is_empty()).then_some(Direction::Tighten)
        }
        (old, new) if unlimited(old) && unlimited(new) => None,
        (Some(Datum::Table(fields)), None)
            if key.absent == Absent::NoLimit && fields.is_empty() =>
        {
            None
        }
        (Some(_), None) if key.absent == Absent::Refuses => Some(Direction::Tighten),
        _ => Some(Direction::Raise),
    }
}

//! `[operator.NAME]` and `[control] four_eyes`: whose keys change limits and lift holds.
//!
//! Source: design, "Settled": operators are keys, not names. This room knows a key as text; who
//! checks signatures parses it.

use std::collections::BTreeMap;

use super::section::{Section, Sink};

/// What a key may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Halting; it never asks for a key, so that nothing can keep anybody from it.
    Halt,
    /// Changing limits.
    Raise,
    /// Lifting a hold.
    Resume,
    /// Letting one order pass.
    Override,
    /// Changing the committee.
    Epoch,
    /// Opening and closing a case, for which entries are kept.
    Hold,
    /// Destroying the key of a subject's texts.
    Shred,
}

impl Right {
    /// The word in the file.
    pub fn name(self) -> &'static str {
        RIGHTS[self as usize]
    }

    fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Halt, Self::Raise, Self::Resume, Self::Override, Self::Epoch];
        all.into_iter().chain([Self::Hold, Self::Shred]).find(|right| right.name() == name)
    }
}

/// One person's key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Operator {
    /// The verification key, `name+id+base64`.
    pub key: String,
    /// What it may sign.
    pub may: Vec<Right>,
}

impl Operator {
    /// Whether the key may sign this.
    pub fn has(&self, right: Right) -> bool {
        self.may.contains(&right)
    }
}

/// Reads every `[operator.NAME]`.
pub(super) fn read(root: &mut Section<'_>, sink: &mut Sink<'_>) -> BTreeMap<String, Operator> {
    let mut out: BTreeMap<String, Operator> = BTreeMap::new();
    let Some(mut section) = root.section("operator", sink) else { return out };
    for (name, mut inner) in section.sections(sink) {
        let key = inner.text("key", sink).unwrap_or_default().to_owned();
        let may = rights(&mut inner, "may", RIGHTS, sink).unwrap_or_default();
        let at = inner.at("key");
        let key_path = inner.key("key");
        // The name in a key is free; the bytes behind the last `+` are the key.
        let same = |other: &Operator| key.rsplit('+').next() == other.key.rsplit('+').next();
        if key.is_empty() {
            sink.push(at, &key_path, "is missing; `cwts operator new` prints one");
        } else if let Some((other, _)) = out.iter().find(|(_, other)| same(other)) {
            let message = format!("is the key of `{other}`: two operators are two keys");
            sink.push(at, &key_path, message);
        }
        if may.is_empty() {
            let message = "says nothing; as in may = [\"raise\", \"resume\"]";
            sink.push(inner.at("may"), &inner.key("may"), message);
        }
        if !is_plain(name) {
            let message =
                "an operator's name is 1 to 64 of a-z A-Z 0-9 . _ - and starts with no dot";
            sink.push(at, &inner.path, message);
        }
        inner.finish(sink);
        out.insert(name.to_owned(), Operator { key, may });
    }
    out
}

/// Reads `four_eyes` of `[control]`.
pub(super) fn four_eyes(control: &mut Section<'_>, sink: &mut Sink<'_>) {
    let Some(listed) = rights(control, "four_eyes", FOUR_EYES, sink) else { return };
    if listed.len() != FOUR_EYES.len() {
        // To accept less and still ask for two would be a lie; to ask for one, a hole.
        let message = "must be [\"raise\", \"resume\", \"override\"]: each of them takes two keys";
        sink.push(control.at("four_eyes"), &control.key("four_eyes"), message);
    }
}

fn rights(
    section: &mut Section<'_>,
    key: &'static str,
    allowed: &[&str],
    sink: &mut Sink<'_>,
) -> Option<Vec<Right>> {
    let names = section.names(key, sink)?;
    let mut out = Vec::new();
    for name in names {
        match Right::from_name(&name).filter(|right| allowed.contains(&right.name())) {
            Some(right) if !out.contains(&right) => out.push(right),
            Some(_) => {}
            None => {
                let message = format!("`{name}` is not one of {}", allowed.join(", "));
                sink.push(section.at(key), &section.key(key), message);
            }
        }
    }
    Some(out)
}

/// Whether the text can name an operator, and the folder of a key.
pub fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=64).contains(&name.len()) && !name.starts_with('.') && name.chars().all(plain)
}

/// All rights, by their words.
pub const RIGHTS: &[&str] = &["halt", "raise", "resume", "override", "epoch", "hold", "shred"];
/// What takes two keys.
pub const FOUR_EYES: &[&str] = &["raise", "resume", "override"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::parse;

    fn file(operators: &str) -> String {
        format!(
            "schema = 1\n[control]\nfour_eyes = [\"resume\", \"raise\", \"override\"]\n{operators}"
        )
    }

    #[test]
    fn operators_are_read_with_their_rights() {
        let text = file("[operator.anna]\nkey = \"anna+1+AAA\"\nmay = [\"raise\", \"resume\"]\n");
        let read = parse(&text).unwrap();
        assert_eq!(read.operators["anna"].key, "anna+1+AAA");
        assert!(read.operators["anna"].has(Right::Raise));
        assert!(!read.operators["anna"].has(Right::Halt));
    }

    #[test]
    fn one_key_under_two_names_is_refused_and_so_is_a_hole_in_four_eyes() {
        let twice = file(
            "[operator.anna]\nkey = \"anna+1+AAA\"\nmay = [\"raise\"]\n[operator.bo]\nkey = \
             \"bo+2+AAA\"\nmay = [\"raise\", \"fly\"]\n[operator.\"a b\"]\n",
        );
        let errors: Vec<String> =
            parse(&twice).unwrap_err().0.iter().map(ToString::to_string).collect();
        assert!(errors[0].contains("line 9") && errors[0].contains("`fly`"), "{errors:?}");
        assert!(errors[1].contains("the key of `anna`"), "{errors:?}");
        assert!(errors.iter().any(|e| e.contains("cwts operator new")), "{errors:?}");
        assert!(errors.iter().any(|e| e.contains("starts with no dot")), "{errors:?}");
        let hole = "schema = 1\n[control]\nfour_eyes = [\"resume\"]\n";
        assert!(parse(hole).unwrap_err().to_string().contains("takes two keys"));
    }
}

//! `[control] severity`: which controls block softly, and which only alert.
//!
//! Source: design note "risk", section 2. What a state, a permission or a broken record refuses is
//! always hard: nobody's word makes such an order right.

use cwts_types::{CONTROLS, Control};

use super::schema::{Absent, Key, Kind, Stricter, key};
use super::section::{Section, Sink};

/// What a violation of a control means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Severity {
    /// The order is refused.
    #[default]
    Hard,
    /// It is blocked until two people let exactly this order pass.
    Soft,
    /// It passes, and an ALERT says so.
    Alert,
}

impl Severity {
    /// The words in the file.
    pub const WORDS: &[&'static str] = &["hard", "soft", "alert"];

    /// The word in the file.
    pub fn name(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

/// The controls that are not hard, as bits of [`Control`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Severities {
    /// Those that block softly.
    pub soft: u64,
    /// Those that only alert.
    pub alert: u64,
}

impl Severities {
    /// The same with another severity of one control.
    #[must_use]
    pub fn with(self, control: Control, severity: Severity) -> Self {
        let bit = 1 << control as u8;
        let set = |mask: u64, wanted| {
            if severity == wanted { mask | bit } else { mask & !bit }
        };
        Self { soft: set(self.soft, Severity::Soft), alert: set(self.alert, Severity::Alert) }
    }

    /// Whether every control is hard.
    pub fn is_hard(self) -> bool {
        self == Self::default()
    }
}

/// Whether the control can be anything but hard.
pub const fn can_soften(control: Control) -> bool {
    !matches!(control as u8, 0..=3 | 15..=17 | 20..=25 | 45..=50)
}

impl Section<'_> {
    /// The severity that a key names.
    pub(super) fn severity(&mut self, key: &'static str, sink: &mut Sink<'_>) -> Option<Severity> {
        let word = self.choice(key, Severity::WORDS, sink)?;
        [Severity::Hard, Severity::Soft, Severity::Alert].into_iter().find(|s| s.name() == word)
    }

    /// The table `severity`, a key a control.
    pub(super) fn severities(&mut self, sink: &mut Sink<'_>) -> Severities {
        let mut out = Severities::default();
        let Some(mut table) = self.section("severity", sink) else { return out };
        for row in CONTROLS {
            if can_soften(row.control) {
                if let Some(severity) = table.severity(row.name, sink) {
                    out = out.with(row.control, severity);
                }
            } else if table.has(row.name) {
                table.item(row.name);
                table.wrong(sink, row.name, "is always hard: leave it out");
            }
        }
        table.finish(sink);
        out
    }
}

const COUNT: usize = {
    let (mut n, mut i) = (0, 0);
    while i < CONTROLS.len() {
        n += can_soften(CONTROLS[i].control) as usize;
        i += 1;
    }
    n
};

/// A row for each control that can be anything but hard.
pub(super) static KEYS: [Key; COUNT] = {
    let hard = Absent::Word("hard");
    let blank = key("", Kind::Choice(Severity::WORDS), Stricter::Word("hard"), hard, "");
    let mut out = [blank; COUNT];
    let (mut n, mut i) = (0, 0);
    while i < CONTROLS.len() {
        let row = &CONTROLS[i];
        if can_soften(row.control) {
            out[n] = key(row.name, blank.kind, blank.stricter, hard, row.text);
            n += 1;
        }
        i += 1;
    }
    out
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::parse;

    fn errors(line: &str) -> Vec<String> {
        let text = format!("schema = 1\n[control]\n{line}\n");
        match parse(&text) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.0.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_severity_stands_for_the_whole_file_and_what_cannot_be_softened_is_refused() {
        let text = "schema = 1\n[control]\nseverity = { PRICE_COLLAR = \"soft\", LOT_SIZE = \
                    \"alert\", TICK_SIZE = \"hard\" }\n";
        let read = parse(text).unwrap().control.severity;
        assert_eq!(read.soft, 1 << Control::PriceCollar as u8);
        assert_eq!(read.alert, 1 << Control::LotSize as u8);
        for row in CONTROLS {
            for word in ["soft", "alert"] {
                let found = errors(&format!("severity = {{ {} = \"{word}\" }}", row.name));
                if can_soften(row.control) {
                    assert_eq!(found, Vec::<String>::new());
                } else {
                    let name = row.name;
                    let wanted = format!(
                        "line 3, column 14: control.severity.{name}: is always hard: leave it out"
                    );
                    assert_eq!(found, [wanted]);
                }
            }
        }
        assert!(errors("severity = { PRICE_COLAR = \"soft\" }")[0].contains("`PRICE_COLLAR`"));
        assert!(errors("severity = { PRICE_COLLAR = \"mild\" }")[0].contains("\"alert\""));
    }

    #[test]
    fn the_bits_that_stay_hard_are_those_of_the_design() {
        let hard = CONTROLS.iter().filter(|row| !can_soften(row.control));
        let bits: Vec<u8> = hard.map(|row| row.control as u8).collect();
        let wanted: Vec<u8> = (0..=3).chain(15..=17).chain(20..=25).chain(45..=50).collect();
        assert_eq!(bits, wanted);
    }
}

//! The registers of a log: which limits were in force by whose word, who stopped what, and how
//! often each control refused, day by day.
//!
//! Source: design notes "risk" (LIMIT_CHANGE_CONTROL, DAILY_TRIGGER_COUNTS) and "audit", section
//! 13: each field of a record names the entry that it was read from. Everything is counted from
//! the log's own entries, by whoever folds them: a reader of a log, or a replay while it writes
//! one. Nothing is proved by reading; `cwts log verify` does that.

mod kills;
mod limits;
mod triggers;

use std::path::Path;

use cwts_risk::Engine;
use cwts_types::{Entry, EntryType};
use serde_json::{Map, Value, json};

use crate::GatewayError;
use crate::follow::{Folded, fold_log};
use kills::KillRegister;
use limits::LimitRegister;
use triggers::TriggerRegister;

/// A register by its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegisterKind {
    /// Versions of the limits.
    Limits,
    /// Holds.
    Kills,
    /// Refusals by control and day.
    Triggers,
}

impl RegisterKind {
    /// Every kind, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Limits, Self::Kills, Self::Triggers];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Limits => "limits",
            Self::Kills => "kills",
            Self::Triggers => "triggers",
        }
    }

    /// The kind with this word, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What the registers gather while a log is folded.
#[derive(Debug, Default)]
pub struct Registers {
    limits: LimitRegister,
    kills: KillRegister,
    triggers: TriggerRegister,
}

impl Registers {
    /// Takes an entry in; `engine` has taken it.
    pub fn entry(&mut self, index: u64, entry: &Entry, engine: &Engine) {
        self.limits.entry(index, entry, engine);
        self.kills.entry(index, entry, engine);
        self.triggers.entry(index, entry, engine);
    }

    /// The triggers' part, for one who decides and does not read entries.
    pub(crate) fn triggers(&mut self) -> &mut TriggerRegister {
        &mut self.triggers
    }

    /// The records of one kind, and the order of their fields.
    pub fn records(&self, kind: RegisterKind) -> Value {
        let (fields, rows): (&[&str], _) = match kind {
            RegisterKind::Limits => (&limits::FIELDS, self.limits.rows()),
            RegisterKind::Kills => (&kills::FIELDS, self.kills.rows()),
            RegisterKind::Triggers => (&triggers::FIELDS, self.triggers.rows()),
        };
        let mut out = json!({
            "schema": format!("cwts/report/{}/v1", kind.name()),
            "kind": kind.name(),
            "fields": fields,
            "rows": rows,
        });
        if kind == RegisterKind::Triggers {
            out["days"] = json!(self.triggers.days());
        }
        out
    }
}

/// The records of one kind out of a log, and which log that is.
///
/// # Errors
/// There is no log, or it does not fold.
pub fn register(dir: &Path, kinds: &[RegisterKind]) -> Result<Vec<Value>, GatewayError> {
    let mut registers = Registers::default();
    // An entry is given before it is folded: what it made is seen with the next one.
    let mut last: Option<(u64, Entry)> = None;
    let folded = fold_log(dir, |index, entry, engine| {
        if let Some((index, entry)) = last.replace((index, entry.clone())) {
            registers.entry(index, &entry, engine);
        }
        Ok(())
    })?;
    if let Some((index, entry)) = last {
        registers.entry(index, &entry, &folded.engine);
    }
    let log = log_row(dir, &folded);
    let records = kinds.iter().map(|kind| {
        let mut record = registers.records(*kind);
        record["log"] = log.clone();
        record
    });
    Ok(records.collect())
}

fn log_row(dir: &Path, folded: &Folded) -> Value {
    json!({
        "dir": dir.display().to_string(),
        "origin": folded.genesis.as_ref().map(|genesis| genesis.origin.clone()),
        "entries": folded.facts.size,
        "closed": folded.is_closed,
        "last_utc_ns": folded.engine.last_ts(),
    })
}

/// Where a field was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) index: u64,
    pub(crate) entry_type: EntryType,
}

impl Source {
    fn of(index: u64, entry: &Entry) -> Self {
        Self { index, entry_type: entry.body.entry_type() }
    }

    fn row(self) -> Value {
        json!({ "entry": self.index, "type": self.entry_type.name() })
    }
}

/// A record that is built field by field, each with its source.
#[derive(Debug, Clone, Default)]
struct Record {
    fields: Map<String, Value>,
    sources: Map<String, Value>,
}

impl Record {
    fn set(&mut self, field: &str, value: impl Into<Value>, source: Source) {
        self.fields.insert(field.to_owned(), value.into());
        self.sources.insert(field.to_owned(), source.row());
    }

    /// A field that follows from others, or that nothing was read for.
    fn derive(&mut self, field: &str, value: impl Into<Value>) {
        self.fields.insert(field.to_owned(), value.into());
    }

    /// The record with every field of `order`, null where nothing is known.
    fn row(&self, order: &[&str]) -> Value {
        let mut out = Map::new();
        for field in order {
            out.insert((*field).to_owned(), self.fields.get(*field).cloned().unwrap_or_default());
        }
        out.insert("sources".to_owned(), Value::Object(self.sources.clone()));
        Value::Object(out)
    }
}

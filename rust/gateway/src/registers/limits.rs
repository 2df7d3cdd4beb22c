//! The limit register: each version that was in force, and each change that was asked for.

use std::collections::BTreeMap;

use cwts_risk::Engine;
use cwts_risk::limits::diff::diff;
use cwts_types::{Body, Entry, LimitDirection};
use serde_json::{Value, json};

use super::{Record, Source};

/// Changes in the order in which they were asked for.
#[derive(Debug, Default)]
pub(super) struct LimitRegister {
    rows: Vec<Record>,
    /// By number of the proposal: its row.
    proposed: BTreeMap<u64, usize>,
    /// By log index of a proposal's text: its number.
    texts: BTreeMap<u64, u64>,
    /// The row whose version is in force.
    in_force: Option<usize>,
    /// The text that is in force.
    text: String,
}

/// The fields of a record, in order.
pub(super) const FIELDS: [&str; 19] = [
    "version",
    "state",
    "how",
    "direction",
    "proposal",
    "proposed_by",
    "proposed_ns",
    "approved_by",
    "approved_ns",
    "authenticated",
    "reason",
    "in_force_ns",
    "until_ns",
    "expires_ns",
    "ends_proposal",
    "parts",
    "sha256",
    "changed_total",
    "changed",
];

impl LimitRegister {
    pub(super) fn entry(&mut self, index: u64, entry: &Entry, engine: &Engine) {
        let source = Source::of(index, entry);
        match &entry.body {
            Body::LimitPropose(propose) => {
                let mut record = Record::default();
                let mut set = |field: &str, value: Value| record.set(field, value, source);
                set("version", propose.version.into());
                set("direction", direction(propose.direction).into());
                set("proposal", propose.id.into());
                set("proposed_by", propose.maker.clone().into());
                set("proposed_ns", entry.header.utc_ns.into());
                set("authenticated", propose.signature.is_some().into());
                set("reason", propose.reason.clone().into());
                set("parts", propose.parts.into());
                set("sha256", crate::hex(&propose.sha256).into());
                if propose.expires_ns != 0 {
                    set("expires_ns", propose.expires_ns.into());
                }
                record.derive("how", "proposal");
                record.derive("state", WAITING);
                let text = engine.changes().pending.get(&propose.id).map(|p| p.text.as_slice());
                let text = String::from_utf8_lossy(text.unwrap_or_default());
                changed(&mut record, &self.text, &text, source);
                self.texts.insert(propose.first_part, propose.id);
                self.proposed.insert(propose.id, self.rows.len());
                self.rows.push(record);
            }
            Body::LimitApprove(approve) => {
                let Some(record) = self.proposed.get(&approve.id).map(|at| &mut self.rows[*at])
                else {
                    return;
                };
                record.set("approved_by", approve.checker.clone(), source);
                record.set("approved_ns", entry.header.utc_ns, source);
                let both = record.fields.get("authenticated") == Some(&Value::Bool(true));
                record.set("authenticated", both && approve.signature.is_some(), source);
            }
            Body::LimitActivate(active) => {
                let of = self.texts.get(&active.first_part).and_then(|id| self.proposed.get(id));
                let at = of.copied().unwrap_or_else(|| {
                    // A gateway was started with a file, or a replay: nobody proposed it.
                    let mut record = Record::default();
                    record.derive("how", "start");
                    record.set("version", active.version, source);
                    record.set("parts", active.parts, source);
                    record.set("sha256", crate::hex(&active.sha256), source);
                    let text = String::from_utf8_lossy(engine.limits_text());
                    if self.in_force.is_some() {
                        let moved = diff(&self.text, &text).direction();
                        record.derive("direction", moved.name());
                    }
                    changed(&mut record, &self.text, &text, source);
                    self.rows.push(record);
                    self.rows.len() - 1
                });
                self.put_in_force(at, entry, source, engine);
            }
            Body::LimitExpire(expire) => {
                let mut record = Record::default();
                record.derive("how", "expiry");
                record.set("version", expire.version, source);
                record.set("ends_proposal", expire.id, source);
                record.set("parts", expire.parts, source);
                record.set("sha256", crate::hex(&expire.sha256), source);
                let text = String::from_utf8_lossy(engine.limits_text());
                record.derive("direction", diff(&self.text, &text).direction().name());
                changed(&mut record, &self.text, &text, source);
                self.rows.push(record);
                self.put_in_force(self.rows.len() - 1, entry, source, engine);
            }
            _ => {}
        }
    }

    fn put_in_force(&mut self, at: usize, entry: &Entry, source: Source, engine: &Engine) {
        let now = entry.header.utc_ns;
        for (number, row) in self.rows.iter_mut().enumerate() {
            // Any change ends what waited: it was for the version that this one became.
            if number != at && row.fields.get("state") == Some(&json!(WAITING)) {
                row.set("state", VOID, source);
            }
        }
        if let Some(before) = self.in_force.replace(at) {
            self.rows[before].set("state", REPLACED, source);
            self.rows[before].set("until_ns", now, source);
        }
        self.rows[at].set("state", IN_FORCE, source);
        self.rows[at].set("in_force_ns", now, source);
        self.text = String::from_utf8_lossy(engine.limits_text()).into_owned();
        self.texts.clear();
    }

    pub(super) fn rows(&self) -> Vec<Value> {
        self.rows.iter().map(|record| record.row(&FIELDS)).collect()
    }
}

/// Key by key what a text changes; of a large file the first ones, and how many there are.
fn changed(record: &mut Record, old: &str, new: &str, source: Source) {
    let rows = diff(old, new).rows;
    record.set("changed_total", rows.len(), source);
    let shown = rows.iter().take(CHANGED_MAX).map(|row| {
        json!({
            "key": row.key, "old": row.old, "new": row.new, "direction": row.direction.name(),
        })
    });
    record.set("changed", shown.collect::<Vec<_>>(), source);
}

fn direction(direction: LimitDirection) -> &'static str {
    match direction {
        LimitDirection::Tighten => "tighten",
        LimitDirection::Raise => "raise",
    }
}

const WAITING: &str = "waiting";
const IN_FORCE: &str = "in force";
const REPLACED: &str = "replaced";
const VOID: &str = "void";
/// Changed keys in one record.
const CHANGED_MAX: usize = 1_000;

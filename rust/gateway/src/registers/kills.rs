//! The kill register: every hold, who set it and why, who lifted it.

use cwts_risk::{Engine, RANK_RISK};
use cwts_types::{Body, Entry};
use serde_json::Value;

use super::{Record, Source};

/// Holds in the order in which they were set.
#[derive(Debug, Default)]
pub(super) struct KillRegister {
    holds: Vec<(u64, Record)>,
}

/// The fields of a record, in order.
pub(super) const FIELDS: [&str; 15] = [
    "hold",
    "scope",
    "state",
    "allow_reduce",
    "automatic",
    "actor",
    "rank",
    "reason",
    "set_ns",
    "lifted",
    "lifted_by",
    "lifted_approved_by",
    "lifted_reason",
    "lifted_ns",
    "lifted_authenticated",
];

impl KillRegister {
    pub(super) fn entry(&mut self, index: u64, entry: &Entry, engine: &Engine) {
        let source = Source::of(index, entry);
        match &entry.body {
            Body::Kill(kill) => {
                let mut record = Record::default();
                let mut set = |field: &str, value: Value| record.set(field, value, source);
                set("hold", kill.hold.into());
                set("scope", engine.registry().scope_name(kill.scope).into());
                set("state", kill.state.name().into());
                set("allow_reduce", kill.allow_reduce.into());
                // The gateway's own holds have this rank, and no person may take it.
                set("automatic", (kill.rank == RANK_RISK && kill.actor == GATEWAY).into());
                set("actor", kill.actor.clone().into());
                set("rank", kill.rank.into());
                set("reason", kill.reason.clone().into());
                set("set_ns", entry.header.utc_ns.into());
                record.derive("lifted", false);
                self.holds.push((kill.hold, record));
            }
            Body::Resume(resume) => {
                let found = self.holds.iter_mut().rev().find(|row| row.0 == resume.hold);
                let Some((_, record)) = found else { return };
                let mut set = |field: &str, value: Value| record.set(field, value, source);
                set("lifted", true.into());
                set("lifted_by", resume.actor.clone().into());
                set("lifted_approved_by", resume.approver.clone().into());
                set("lifted_reason", resume.reason.clone().into());
                set("lifted_ns", entry.header.utc_ns.into());
                set("lifted_authenticated", resume.signatures.is_some().into());
            }
            _ => {}
        }
    }

    pub(super) fn rows(&self) -> Vec<Value> {
        self.holds.iter().map(|(_, record)| record.row(&FIELDS)).collect()
    }
}

/// The actor of the gateway's own holds.
const GATEWAY: &str = "gateway";

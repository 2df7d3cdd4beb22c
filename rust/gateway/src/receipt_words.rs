//! What receipts prove, in words, with no log at hand: who, what, which limit, which version.
//!
//! Every sentence is about entries whose receipts hold. What an entry names and no receipt here
//! explains is said to be a number without a name, never guessed.

use std::collections::BTreeMap;

use cwts_audit::{Finding, FindingKind, LineKey as _, NoteKey, Receipt};
use cwts_risk::value_text;
use cwts_types::{
    Body, Decision, Entry, Level, Order, OrderKind, RegisterKind, Side, Verdict, Violation,
    format_e9,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::entry_fields::entry_fields;
use crate::hex;
use crate::receipt::scope_kind;

/// What was found of some receipts.
#[derive(Debug, Default)]
pub struct ReceiptsVerdict {
    /// The log that they are of.
    pub origin: String,
    /// The size under the checkpoint.
    pub size: u64,
    /// The signed root.
    pub root: [u8; 32],
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What the receipts leave open.
    pub not_checked: Vec<String>,
    /// The entries, decoded, by index.
    pub entries: Vec<Value>,
    /// What they say.
    pub text: Vec<String>,
}

/// Verifies receipts against the keys, and reads them together. Each is a file's name and bytes.
pub fn verify_receipts(files: &[(String, Vec<u8>)], keys: &[NoteKey]) -> ReceiptsVerdict {
    let mut out = ReceiptsVerdict::default();
    let mut held: BTreeMap<u64, Entry> = BTreeMap::new();
    let mut head: Option<cwts_audit::Checkpoint> = None;
    for (name, bytes) in files {
        let wrong = |kind, expected: &str, got: String| {
            Finding::new(kind, name)
                .says(expected, got)
                .by("the receipt itself, and the keys given")
        };
        let receipt = match Receipt::parse(bytes) {
            Ok(receipt) => receipt,
            Err(error) => {
                let why = error.to_string();
                out.findings.push(wrong(FindingKind::NotCanonical, "a receipt", why));
                continue;
            }
        };
        let index = receipt.index;
        let entry = match receipt.verify(keys) {
            Ok(entry) => entry,
            Err(error) => {
                use cwts_audit::ReceiptError as E;
                let kind = match &error {
                    E::Note(cwts_audit::NoteError::UnknownLine { .. }) => FindingKind::UnknownLine,
                    E::Note(_) | E::Origin { .. } => FindingKind::BadSignature,
                    _ => FindingKind::EntryChanged,
                };
                let expected = "an entry under the signed root";
                out.findings.push(wrong(kind, expected, error.to_string()).index(index));
                continue;
            }
        };
        let checkpoint = head.get_or_insert_with(|| receipt.checkpoint.clone());
        if *checkpoint != receipt.checkpoint {
            let expected = format!("the checkpoint of size {}", checkpoint.size);
            let got = format!("another, of size {}", receipt.checkpoint.size);
            out.findings.push(wrong(FindingKind::Inconsistent, &expected, got).index(index));
            continue;
        }
        out.entries.extend(entry_fields(index, entry));
        match Entry::decode(entry) {
            Ok(entry) => {
                held.insert(index, entry);
            }
            Err(_) => out.not_checked.push(format!("entry {index}: it is no entry of CWTS")),
        }
    }
    out.entries.sort_by_key(|row| row["index"].as_u64());
    if let Some(head) = head {
        (out.origin, out.size, out.root) = (head.origin, head.size, head.root);
    }
    let names: Vec<String> = keys.iter().map(|key| key.name().to_owned()).collect();
    let mut words = Words { held: &held, out: &mut out };
    words.all(&names);
    out
}

struct Words<'a> {
    held: &'a BTreeMap<u64, Entry>,
    out: &'a mut ReceiptsVerdict,
}

impl Words<'_> {
    fn all(&mut self, keys: &[String]) {
        if self.held.is_empty() {
            return;
        }
        let head = format!(
            "{} of the {} entries of {} are proved by receipts under root {}, signed by {}.",
            self.held.len(),
            self.out.size,
            self.out.origin,
            hex(&self.out.root),
            keys.join(" and ")
        );
        self.out.text.push(head);
        let mut told = false;
        for (index, entry) in self.held {
            if let Body::Decision(decision, violations) = &entry.body {
                self.decided(*index, decision, violations);
                told = true;
            }
        }
        if told {
            return;
        }
        for (index, entry) in self.held {
            let what = match &entry.body {
                Body::Order(order, _) => self.order(order),
                body => body.entry_type().name().to_owned(),
            };
            let when = utc(entry.header.utc_ns);
            self.out.text.push(format!("Entry {index}, of {when}: {what}."));
        }
    }

    fn decided(&mut self, index: u64, decision: &Decision, violations: &[Violation]) {
        let order = match self.held.get(&decision.order_seq).map(|entry| (entry, &entry.body)) {
            Some((entry, Body::Order(order, _))) => Some((entry, order)),
            _ => None,
        };
        match order {
            Some((entry, order)) if order.order_id == decision.order_id => {
                let when = utc(entry.header.utc_ns);
                let who = self.who(entry, order);
                let what = self.order(order);
                let text = format!(
                    "Order {}, entry {}, of {when}: {what}; {who}.",
                    order.order_id, order.seq
                );
                self.out.text.push(text);
            }
            Some((_, order)) => self.out.findings.push(
                Finding::new(FindingKind::ParentBad, "receipts")
                    .index(index)
                    .says(format!("order id {}", order.order_id), decision.order_id),
            ),
            None => self.out.not_checked.push(format!(
                "the order of decision {index}: no receipt of entry {} is here",
                decision.order_seq
            )),
        }
        let verdict = match Verdict::from_code(decision.verdict) {
            Some(Verdict::Accept) => "accepted",
            Some(Verdict::Reject) => "rejected",
            Some(Verdict::SoftBlock) => "held back",
            Some(Verdict::CancelPassed) => "passed as a cancel",
            None => "decided in a way that this release does not know",
        };
        self.out.text.push(format!(
            "It was {verdict} at entry {index}, under limits version {}, after {} kill events.",
            decision.limits_version, decision.kill_epoch
        ));
        for violation in violations {
            let info = violation.control.info();
            let place = match (violation.level, scope_kind(violation.level)) {
                (Level::Order, _) => "the order itself".to_owned(),
                (Level::Firm, _) => "the firm".to_owned(),
                (_, Some(kind)) => self.name(kind, violation.scope),
                _ => "no scope".to_owned(),
            };
            self.out.text.push(format!(
                "{}: {} Observed {}, limit {}, at {place} ({}).",
                info.name,
                info.text,
                value_text(violation.control, violation.observed),
                value_text(violation.control, violation.limit),
                info.citation
            ));
        }
        self.limits(decision.limits_version);
    }

    fn order(&mut self, order: &Order) -> String {
        let kind = match order.order_kind() {
            Some(OrderKind::New) => "new",
            Some(OrderKind::Replace) => "replace",
            Some(OrderKind::Cancel) => "cancel",
            Some(OrderKind::MassCancel) => "mass cancel",
            None => "malformed",
        };
        let side = Side::from_code(order.side).map_or("no side", Side::name);
        let px = if order.px == 0 { "the market".to_owned() } else { format_e9(order.px) };
        let instrument = self.name(RegisterKind::Instrument, order.instrument);
        format!("{kind}, {side} {} of {instrument} at {px}", order.qty)
    }

    /// Account with what is above it, strategy, and who is responsible.
    fn who(&mut self, entry: &Entry, order: &Order) -> String {
        let mut text = self.name(RegisterKind::Account, order.account);
        let mut parent = self.register(RegisterKind::Account, order.account).map(|r| r.1);
        for kind in [RegisterKind::Customer, RegisterKind::Desk] {
            let Some(handle) = parent.filter(|handle| *handle > 0) else { break };
            text = format!("{text} of {}", self.name(kind, handle));
            parent = self.register(kind, handle).map(|r| r.1);
        }
        text = format!("{text}, {}", self.name(RegisterKind::Strategy, order.strategy));
        match entry.header.actor {
            0 => text,
            actor => format!("{text}, sent by {}", self.name(RegisterKind::Actor, actor)),
        }
    }

    fn register(&self, kind: RegisterKind, handle: u32) -> Option<(String, u32)> {
        self.held.values().find_map(|entry| match &entry.body {
            Body::Register(r) if r.kind == kind && r.handle == handle => {
                Some((r.name.clone(), r.parent))
            }
            _ => None,
        })
    }

    fn name(&mut self, kind: RegisterKind, handle: u32) -> String {
        let noun = match kind {
            RegisterKind::Desk => "desk",
            RegisterKind::Customer => "customer",
            RegisterKind::Account => "account",
            RegisterKind::Strategy => "strategy",
            RegisterKind::Instrument => "instrument",
            RegisterKind::Venue => "venue",
            RegisterKind::Actor => "actor",
            RegisterKind::Session => "session",
        };
        if let Some((name, _)) = self.register(kind, handle) {
            return format!("{noun} {name}");
        }
        let open = format!("the name of {noun} number {handle}: no receipt here gives it");
        if !self.out.not_checked.contains(&open) {
            self.out.not_checked.push(open);
        }
        format!("{noun} number {handle}")
    }

    /// Which limits: their text, and who proposed and approved them.
    fn limits(&mut self, version: u32) {
        let active = self.held.iter().find_map(|(index, entry)| match &entry.body {
            Body::LimitActivate(l) if l.version == version => {
                Some((*index, l.first_part, l.parts, l.sha256))
            }
            Body::LimitExpire(l) if l.version == version => {
                Some((*index, l.first_part, l.parts, l.sha256))
            }
            _ => None,
        });
        let Some((index, first_part, parts, sha256)) = active else {
            let open = format!("limits version {version}: no receipt of its entry is here");
            self.out.not_checked.push(open);
            return;
        };
        let mut text = Vec::new();
        let end = first_part.saturating_add(parts.into());
        for (_, entry) in self.held.range(first_part..end) {
            if let Body::Config(config) = &entry.body {
                text.extend_from_slice(&config.text);
            }
        }
        let digest: [u8; 32] = Sha256::digest(&text).into();
        if self.held.range(first_part..end).count() != usize::from(parts) {
            let open = format!("the text of limits version {version}: entries of it are not here");
            self.out.not_checked.push(open);
        } else if digest == sha256 {
            self.out.text.push(format!(
                "Limits version {version} came into force at entry {index}; their text, {} bytes, \
                 has SHA-256 {}.",
                text.len(),
                hex(&sha256)
            ));
        } else {
            self.out.findings.push(
                Finding::new(FindingKind::ParentBad, "receipts")
                    .index(index)
                    .says(hex(&sha256), hex(&digest))
                    .by("the text of the limits, in the CONFIG entries"),
            );
        }
        let proposal = self.held.values().find_map(|entry| match &entry.body {
            Body::LimitPropose(p) if p.first_part == first_part => Some(p.clone()),
            _ => None,
        });
        let Some(proposal) = proposal else { return };
        let approver = self.held.values().find_map(|entry| match &entry.body {
            Body::LimitApprove(a) if a.id == proposal.id => Some(a.checker.clone()),
            _ => None,
        });
        let approved = approver.map_or_else(String::new, |name| format!(", {name} approved them"));
        let signed = if proposal.signature.is_some() {
            "signatures of both are in the entries; `cwts log verify` of the log checks them"
        } else {
            "unauthenticated: no operators were listed"
        };
        self.out.text.push(format!(
            "{} proposed them ({}){approved}; {signed}.",
            proposal.maker, proposal.reason
        ));
    }
}

/// A time as people and machines read it, to the nanosecond.
pub(crate) fn utc(utc_ns: i64) -> String {
    let seconds = utc_ns.div_euclid(1_000_000_000);
    let nanos = utc_ns.rem_euclid(1_000_000_000);
    // Howard Hinnant's civil_from_days: years from March, eras of 400 of them.
    let days = seconds.div_euclid(86_400) + 719_468;
    let second = seconds.rem_euclid(86_400);
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
}

/// The verdict as the command line shows it.
pub fn receipts_json(verdict: &ReceiptsVerdict, finding: impl Fn(&Finding) -> Value) -> Value {
    json!({
        "ok": verdict.findings.is_empty(),
        "origin": verdict.origin,
        "size": verdict.size,
        "root": hex(&verdict.root),
        "findings": verdict.findings.iter().map(finding).collect::<Vec<_>>(),
        "not_checked": verdict.not_checked,
        "entries": verdict.entries,
        "text": verdict.text,
    })
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn times_are_written_to_the_nanosecond() {
        for (ns, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400_000_000_001, "2000-02-29T00:00:00.000000001Z"),
            (1_795_000_000_000_005_582, "2026-11-18T11:06:40.000005582Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
        ] {
            assert_eq!(utc(ns), text);
        }
    }
}

//! How often each control triggered, by trading day: counted from decisions and alerts themselves.
//!
//! A day is the firm's: it ends at `[firm] day_roll`.

use std::collections::BTreeMap;

use cwts_risk::Engine;
use cwts_types::{
    Alert, AlertKind, Body, Control, Decision, Entry, EntryType, Order, OrderKind, Reasons, Verdict,
};
use serde_json::{Value, json};

use super::{Record, Source};

/// Counts by the end of a day, and in it by control.
#[derive(Debug, Default)]
pub(crate) struct TriggerRegister {
    days: BTreeMap<u64, Day>,
    /// The order that its decision follows: whether it is a cancel.
    open: Option<bool>,
}

#[derive(Debug, Default)]
struct Day {
    orders: u64,
    accepted: u64,
    refused: u64,
    soft_blocked: u64,
    cancels: u64,
    unlogged: u64,
    held_back: u64,
    controls: BTreeMap<Control, Count>,
    first: Option<Source>,
    last: Option<Source>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    refused: u64,
    decided: u64,
    soft_blocked: u64,
    alerted: u64,
    overridden: u64,
    passed: u64,
    first: Source,
    last: Source,
}

/// The fields of a record, in order.
pub(super) const FIELDS: [&str; 12] = [
    "day_ends_ns",
    "control",
    "bit",
    "refused",
    "decided",
    "soft_blocked",
    "alerted",
    "overridden",
    "passed",
    "first_entry",
    "last_entry",
    "citation",
];

impl TriggerRegister {
    pub(super) fn entry(&mut self, index: u64, entry: &Entry, engine: &Engine) {
        let source = Source::of(index, entry);
        match &entry.body {
            Body::Order(order, _) => self.open = Some(is_cancel(order)),
            Body::Decision(decision, _) => {
                let is_cancel = self.open.take().unwrap_or(false);
                self.count(decision, is_cancel, source, engine.day_end_ns());
            }
            Body::Gap(gap) => {
                let day = self.days.entry(engine.day_end_ns()).or_default();
                day.unlogged = day.unlogged.saturating_add(gap.count);
                day.count(Control::AuditBackpressure, source, |count| {
                    count.refused = count.refused.saturating_add(gap.count);
                    count.decided = count.decided.saturating_add(gap.count);
                });
            }
            Body::Alert(alert) => self.alert(alert, source, engine.day_end_ns()),
            Body::ReleaseDenied(_) => {
                self.days.entry(engine.day_end_ns()).or_default().held_back += 1;
            }
            _ => {}
        }
    }

    /// Counts an order that is decided here and now.
    pub(crate) fn decided(&mut self, order: &Order, decision: &Decision, day_end_ns: u64) {
        let source = Source { index: decision.seq, entry_type: EntryType::Decision };
        self.count(decision, is_cancel(order), source, day_end_ns);
    }

    /// An order that passed all the same; a stage that was reached is no trigger of a control.
    fn alert(&mut self, alert: &Alert, source: Source, day_end_ns: u64) {
        let Some(control) = alert.control else { return };
        let day = self.days.entry(day_end_ns).or_default();
        match alert.kind {
            AlertKind::Violated => day.count(control, source, |count| count.alerted += 1),
            AlertKind::Overridden => day.count(control, source, |count| count.overridden += 1),
            AlertKind::Stage | AlertKind::InOut | AlertKind::Clock => {}
        }
    }

    fn count(&mut self, decision: &Decision, is_cancel: bool, source: Source, day_end_ns: u64) {
        let day = self.days.entry(day_end_ns).or_default();
        day.first = day.first.or(Some(source));
        day.last = Some(source);
        let verdict = Verdict::from_code(decision.verdict);
        if is_cancel {
            day.cancels += 1;
        } else {
            day.orders += 1;
            match verdict {
                Some(Verdict::Accept) => day.accepted += 1,
                Some(Verdict::SoftBlock) => day.soft_blocked += 1,
                _ => day.refused += 1,
            }
        }
        if decision.reasons == Reasons::NONE {
            return;
        }
        let first = decision.reasons.first();
        for control in decision.reasons.iter() {
            day.count(control, source, |count| match verdict {
                Some(Verdict::SoftBlock) => count.soft_blocked += 1,
                Some(Verdict::CancelPassed) => count.passed += 1,
                _ => {
                    count.refused += 1;
                    count.decided += u64::from(first == Some(control));
                }
            });
        }
    }

    pub(super) fn rows(&self) -> Vec<Value> {
        let mut out = Vec::new();
        for (end, day) in &self.days {
            for (control, count) in &day.controls {
                let mut record = Record::default();
                record.derive("day_ends_ns", *end);
                let mut set = |field: &str, value: Value| record.set(field, value, count.last);
                set("control", control.name().into());
                set("bit", (*control as u8).into());
                set("refused", count.refused.into());
                set("decided", count.decided.into());
                set("soft_blocked", count.soft_blocked.into());
                set("alerted", count.alerted.into());
                set("overridden", count.overridden.into());
                set("passed", count.passed.into());
                set("last_entry", count.last.index.into());
                record.set("first_entry", count.first.index, count.first);
                record.derive("citation", control.info().citation);
                out.push(record.row(&FIELDS));
            }
        }
        out
    }

    /// What each day held in all.
    pub(super) fn days(&self) -> Vec<Value> {
        let row = |(end, day): (&u64, &Day)| {
            json!({
                "day_ends_ns": end,
                "orders": day.orders,
                "accepted": day.accepted,
                "refused": day.refused,
                "soft_blocked": day.soft_blocked,
                "cancels": day.cancels,
                "held_back": day.held_back,
                "unlogged": day.unlogged,
                "first_entry": day.first.map(|source| source.index),
                "last_entry": day.last.map(|source| source.index),
            })
        };
        self.days.iter().map(row).collect()
    }
}

impl Day {
    fn count(&mut self, control: Control, source: Source, change: impl FnOnce(&mut Count)) {
        let blank = Count {
            refused: 0,
            decided: 0,
            soft_blocked: 0,
            alerted: 0,
            overridden: 0,
            passed: 0,
            first: source,
            last: source,
        };
        let count = self.controls.entry(control).or_insert(blank);
        count.last = source;
        change(count);
    }
}

fn is_cancel(order: &Order) -> bool {
    matches!(order.order_kind(), Some(OrderKind::Cancel | OrderKind::MassCancel))
}

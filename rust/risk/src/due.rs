//! Entries that follow from what was folded, and that whoever keeps the log appends next.
//!
//! A fold of the log expects them in this order and is refused a log that says otherwise. After a
//! crash between an input and what follows from it, they are still due.

use cwts_types::{AlertKind, Body, CONTROLS, Control, TriggerCounts, TriggerRow};

use crate::counters::Counters;
use crate::engine::{Engine, StepError};

impl Engine {
    /// Whether entries are due.
    #[inline]
    pub fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// The entries that are due, to be appended in this order at once.
    pub fn take_due(&mut self) -> Vec<Body> {
        self.due.drain(..).collect()
    }

    pub(crate) fn push_due(&mut self, body: Body) {
        if self.due.len() >= DUE_MAX {
            // Whoever folds under other limits and never asks must not fill the memory.
            self.due.pop_front();
        }
        self.due.push_back(body);
    }

    /// An entry of the log that should have been due.
    pub(crate) fn take_expected(&mut self, body: &Body) -> Result<(), StepError> {
        if self.due.front() == Some(body) {
            self.due.pop_front();
            return Ok(());
        }
        match body {
            // What left is not in the log: only the gateway can compare.
            Body::Alert(alert) if alert.kind == AlertKind::InOut => Ok(()),
            // The day so far, at a clean end.
            Body::TriggerCounts(counts) if self.trigger_counts(counts.to_ns) == *counts => Ok(()),
            _ => Err(StepError::NotDue { name: body.entry_type().name() }),
        }
    }

    /// What was decided since the day began, and what it triggered.
    pub fn trigger_counts(&self, to_ns: u64) -> TriggerCounts {
        let (now, then) = (&self.counters, &self.day_start);
        let since = |of: fn(&Counters) -> u64| of(now).saturating_sub(of(then));
        let row = |control: Control| {
            let bit = control as usize;
            let at = |list: fn(&Counters) -> &Vec<u64>| {
                let of = |counters| list(counters).get(bit).copied().unwrap_or(0);
                of(now).saturating_sub(of(then))
            };
            TriggerRow {
                control,
                refused: at(|c| &c.by_bit),
                soft: at(|c| &c.by_bit_soft),
                alerts: at(|c| &c.by_bit_alerts),
                overridden: at(|c| &c.by_bit_overridden),
            }
        };
        let any = |row: &TriggerRow| row.refused | row.alerts | row.overridden != 0;
        TriggerCounts {
            from_ns: self.next_roll.saturating_sub(crate::day::DAY_NS),
            to_ns,
            orders: since(|c| c.orders),
            accepted: since(|c| c.accepted),
            cancels: since(|c| c.cancels),
            rows: CONTROLS.iter().map(|c| row(c.control)).filter(any).collect(),
        }
    }

    /// The day ends: its counts are due, if anything was decided in it.
    pub(crate) fn end_day_counts(&mut self) {
        if self.next_roll != 0 {
            let counts = self.trigger_counts(self.next_roll);
            if counts.orders | counts.cancels != 0 {
                self.push_due(Body::TriggerCounts(counts));
            }
        }
        self.day_start = self.counters.clone();
    }
}

/// Entries that may be due at once.
const DUE_MAX: usize = 65_536;

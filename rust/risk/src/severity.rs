//! What a violation comes to: a refusal, a soft block that two people may lift for one order, or an
//! alert beside an order that passes.
//!
//! Source: design note "risk", section 2, "severity"; RTS 6 Art. 15(6). Only orders that violate
//! something come here. Invariant: an override counts for an order that is equal to the blocked one
//! in every field but number and time, once, before it expires.

use std::collections::{BTreeMap, VecDeque};

use cwts_types::{
    Alert, AlertKind, Body, Control, Order, OrderKind, OrderType, Override, Reasons, Verdict,
};
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, StepError};
use crate::evaluate::{Evaluation, PENDING_MAX};
use crate::limits::{Right, Severities, can_soften};

/// An order that may pass in spite of soft controls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Granted {
    /// Its record, without number and time.
    terms: Vec<u8>,
    /// The controls that it may violate.
    controls: u64,
    /// From when on it counts no longer.
    expires_ns: u64,
}

/// Orders that were blocked softly, and those of them that may pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Blocked {
    /// The newest ones, oldest first.
    pub(crate) orders: VecDeque<Order>,
    /// By order id.
    pub(crate) granted: BTreeMap<u64, Granted>,
}

impl Blocked {
    fn find(&self, order_id: u64) -> Option<&Order> {
        self.orders.iter().rev().find(|order| order.order_id == order_id)
    }

    fn remember(&mut self, order: &Order) {
        if self.orders.len() >= BLOCKED_MAX {
            self.orders.pop_front();
        }
        self.orders.push_back(*order);
    }
}

impl Engine {
    /// The newest order with this id that was blocked softly, if it is still remembered.
    pub fn blocked_order(&self, order_id: u64) -> Option<&Order> {
        self.blocked.find(order_id)
    }

    /// Whether an override stands for this order at this time.
    pub fn is_granted(&self, order_id: u64, now: u64) -> bool {
        self.blocked.granted.get(&order_id).is_some_and(|granted| now < granted.expires_ns)
    }

    /// Whether any violation could be anything but a refusal.
    pub(crate) fn refresh_severity(&mut self) {
        let own = self.file.accounts.values().filter_map(|a| a.duplicate_order);
        self.lenient = !self.file.control.severity.is_hard()
            || own.into_iter().any(|rule| rule.severity.is_some());
        if self.file.control.alert[0] == 0 {
            self.stages.clear();
        }
    }

    /// The severities that hold for one order.
    fn severities(&self, order: &Order, found: &Evaluation) -> Severities {
        let mut out = self.file.control.severity;
        let account = self.accounts.get(order.account as usize).and_then(Option::as_ref);
        let own = account.and_then(|line| line.duplicates?.severity);
        if let Some(severity) = own {
            out = out.with(Control::DuplicateOrder, severity);
        }
        let hard = self.stays_hard(order, found);
        Severities { soft: out.soft & !hard, alert: out.alert & !hard }
    }

    /// What a softer severity would take from under the other controls: a bound on memory, an id
    /// that names an order already, an order that nothing can price.
    fn stays_hard(&self, order: &Order, found: &Evaluation) -> u64 {
        let mut hard = Reasons::NONE;
        let is_replace = order.kind == OrderKind::Replace as u8;
        let target = if is_replace { self.resolve(order.ref_id) } else { None };
        let pending = target.and_then(|id| Some(self.pending(id, self.working.get(&id)?).len()));
        hard.insert_if(Control::MessageRate, pending.unwrap_or(0) >= PENDING_MAX);
        let last = self.replaces.get(&order.order_id).unwrap_or(&order.order_id);
        let names = self.resolve(order.order_id).is_some() || self.ended.contains_key(last);
        let is_full = self.file.duplicate_ids.is_some_and(|max| self.day_ids.len() as u64 >= max);
        hard.insert_if(Control::DuplicateId, names || is_full);
        let order_type = OrderType::from_code(order.type_tif & 0x0f);
        let has_limit = matches!(order_type, Some(OrderType::Limit | OrderType::StopLimit));
        hard.insert_if(Control::ReferenceMissing, order.px == 0 && !has_limit);
        // What was not compared is not known to be within anything.
        if found.compared { hard.0 } else { u64::MAX }
    }

    /// What is left of the violations once severities and overrides are counted in, and how the
    /// order is refused for it.
    #[cold]
    pub(crate) fn weighed(&self, order: &Order, ts: u64, found: &Evaluation) -> (Reasons, Verdict) {
        let Severities { soft, alert } = self.severities(order, found);
        let all = found.reasons;
        if all.0 & !(soft | alert) != 0 {
            return (all, Verdict::Reject);
        }
        let blocking = all.0 & soft;
        let granted = self.blocked.granted.get(&order.order_id).filter(|granted| {
            ts < granted.expires_ns
                && blocking & !granted.controls == 0
                && granted.terms == terms(order)
        });
        if blocking != 0 && granted.is_none() {
            return (all, Verdict::SoftBlock);
        }
        (Reasons::NONE, Verdict::Accept)
    }

    /// The same for a decision: remembers what was blocked, and alerts of what passes.
    #[cold]
    pub(crate) fn weigh(
        &mut self,
        order: &Order,
        ts: u64,
        found: &Evaluation,
        replayed: bool,
    ) -> (Reasons, Verdict) {
        let weighed = self.weighed(order, ts, found);
        match weighed.1 {
            Verdict::Accept => self.let_pass(order, ts, found),
            Verdict::SoftBlock => {
                self.counters.soft_blocks += 1;
                for control in found.reasons.iter() {
                    self.counters.by_bit_soft[control as usize] += 1;
                }
                // Nobody lets an order of the past pass.
                if !replayed && order.order_id != 0 {
                    self.blocked.remember(order);
                }
            }
            _ => {}
        }
        weighed
    }

    fn let_pass(&mut self, order: &Order, ts: u64, found: &Evaluation) {
        let soft = self.severities(order, found).soft;
        if found.reasons.0 & soft != 0 {
            self.blocked.granted.remove(&order.order_id);
            self.blocked.orders.retain(|blocked| blocked.order_id != order.order_id);
        }
        for violation in self.violations(order, ts, found) {
            let bit = violation.control as usize;
            let overridden = soft >> bit & 1 == 1;
            let counter = if overridden {
                &mut self.counters.by_bit_overridden
            } else {
                &mut self.counters.by_bit_alerts
            };
            counter[bit] += 1;
            self.push_due(Body::Alert(Alert {
                kind: if overridden { AlertKind::Overridden } else { AlertKind::Violated },
                control: Some(violation.control),
                level: violation.level,
                percent: 0,
                scope: violation.scope,
                instrument: order.instrument,
                order_seq: order.seq,
                order_id: order.order_id,
                observed: violation.observed,
                limit: violation.limit,
            }));
        }
    }

    /// Folds an OVERRIDE.
    ///
    /// # Errors
    /// It names no blocked order, it may not be said, or not by these people.
    pub(crate) fn override_entry(&mut self, said: &Override, now: u64) -> Result<(), StepError> {
        let order = self.check_override(said, now)?;
        self.blocked.granted.retain(|_, granted| now < granted.expires_ns);
        let granted = Granted {
            terms: terms(&order),
            controls: said.controls.0,
            expires_ns: said.expires_ns,
        };
        self.blocked.granted.insert(said.order_id, granted);
        Ok(())
    }

    /// Whether an override could be said now, signatures aside; gives the order that it lets pass.
    ///
    /// # Errors
    /// What keeps it from counting, and what to do.
    pub fn check_override(&self, said: &Override, now: u64) -> Result<Order, StepError> {
        let order_id = said.order_id;
        let wrong = |why: String| Err(StepError::Override { order_id, why });
        let found = self.blocked.find(order_id).filter(|order| order.seq == said.order_seq);
        let Some(order) = found else {
            return wrong(format!(
                "no soft block of it is known; the last {BLOCKED_MAX} are remembered"
            ));
        };
        if let Some(hard) = said.controls.iter().find(|control| !can_soften(*control)) {
            return wrong(format!("{} is always hard: nobody can override it", hard.name()));
        }
        if said.expires_ns <= now {
            return wrong("it would expire before it counts".to_owned());
        }
        if said.expires_ns > now.saturating_add(OVERRIDE_NS_MAX) {
            return wrong("it would count for more than 24 hours".to_owned());
        }
        if said.actor == said.approver || said.actor.is_empty() || said.approver.is_empty() {
            return wrong("overriding takes a second person".to_owned());
        }
        let standing = self.blocked.granted.values().filter(|g| now < g.expires_ns).count();
        if standing >= OVERRIDES_MAX {
            return wrong(format!("{OVERRIDES_MAX} overrides stand already"));
        }
        for who in [&said.actor, &said.approver] {
            let signed = said.signatures.is_some();
            crate::change::check_signer(&self.file, who, signed, Some(Right::Override))
                .map_err(|why| StepError::Override { order_id, why })?;
        }
        Ok(*order)
    }
}

/// What makes an order the same one: its record without number and time.
fn terms(order: &Order) -> Vec<u8> {
    Order { seq: 0, ts: 0, ..*order }.to_bytes().to_vec()
}

/// Soft blocks that are remembered for an override.
pub const BLOCKED_MAX: usize = 4_096;
/// Overrides that may stand at once.
const OVERRIDES_MAX: usize = 4_096;
/// The longest that an override may count.
pub const OVERRIDE_NS_MAX: u64 = 86_400_000_000_000;

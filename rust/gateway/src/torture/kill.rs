//! What the log of a killed gateway must show, without believing the gateway: `cwts torture kill`.
//!
//! Holds, positions of reducing orders and numbers of producers are followed here from the entries
//! alone; the engine is only asked for who belongs to whom, and for its state as bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cwts_risk::Engine;
use cwts_types::{
    Body, Decision, Entry, KillState, Order, OrderKind, RegisterKind, Scope, ScopeKind, Side,
    Verdict,
};
use serde_json::{Value, json};

use crate::follow::{fold_log, scope_text};
use crate::{Gateway, GatewayError, sha256_hex};

/// Folds a log and judges it; `at` are numbers of entries after which the state is wanted,
/// `emptied` the reasons of halts whose cancels must all be there.
///
/// Gives `size`, `digests` (of the state after each number of `at`, null beyond the end), `digest`
/// (at the end), `holds`, `counts` and `broken`: one sentence for each law that does not hold.
///
/// # Errors
/// There is no log, or it does not fold.
pub fn judge(dir: &Path, at: &[u64], emptied: &[String]) -> Result<Value, GatewayError> {
    let mut judge = Judge { emptied: emptied.iter().cloned().collect(), ..Judge::default() };
    let mut digests: BTreeMap<u64, String> = BTreeMap::new();
    let wanted: BTreeSet<u64> = at.iter().copied().collect();
    let folded = fold_log(dir, |index, entry, engine| {
        if wanted.contains(&index) {
            digests.insert(index, sha256_hex(&engine.snapshot()));
        }
        judge.entry(index, entry, engine);
        Ok(())
    })?;
    judge.end();
    let digest = sha256_hex(&folded.engine.snapshot());
    digests.insert(folded.facts.size, digest.clone());
    let scopes = folded.holds.scopes();
    let snapshot = folded.holds.snapshot();
    let holds: Vec<Value> = snapshot
        .holds
        .iter()
        .map(|hold| {
            json!({
                "id": hold.id,
                "scope": scopes.get(hold.slot as usize).map(scope_text),
                "state": hold.state.name(),
                "actor": hold.actor,
                "reason": hold.reason,
                "seq": hold.seq,
            })
        })
        .collect();
    let counters = folded.engine.counters();
    Ok(json!({
        "size": folded.facts.size,
        "closed": folded.is_closed,
        "digests": at.iter().map(|n| digests.get(n)).collect::<Vec<_>>(),
        "digest": digest,
        "holds": holds,
        "broken": judge.broken,
        "counts": {
            "orders": counters.orders,
            "accepted": counters.accepted,
            "cancels": counters.cancels,
            "cancels_by_gateway": judge.cancels_by_gateway,
            "denied": judge.denied,
            "kills": judge.kills,
            "resumes": judge.resumes,
            "time_back": counters.time_back,
            "unlogged": folded.unlogged,
        },
    }))
}

impl Gateway {
    /// Goes on as if the system's clock had been set, forward or back.
    pub fn step_clock(&mut self, by_ns: i64) {
        self.clock.step(by_ns);
    }
}

/// A hold as the entries tell it.
#[derive(Debug, Clone, Copy)]
struct Held {
    scope: Scope,
    state: KillState,
    allow_reduce: bool,
    seq: u64,
}

#[derive(Debug, Default)]
struct Judge {
    holds: BTreeMap<u64, Held>,
    /// The order whose decision comes next, and the position that it meets.
    open: Option<(Order, i64)>,
    produced: BTreeMap<u32, u64>,
    accepted_ids: BTreeSet<u64>,
    emptied: BTreeSet<String>,
    /// What worked in the scope of such a halt when it came, by its reason.
    to_cancel: BTreeMap<String, BTreeSet<u64>>,
    broken: Vec<String>,
    cancels_by_gateway: u64,
    denied: u64,
    kills: u64,
    resumes: u64,
}

impl Judge {
    fn entry(&mut self, index: u64, entry: &Entry, engine: &Engine) {
        let header = &entry.header;
        let next = self.produced.entry(header.producer).or_default();
        if header.producer_seq != *next {
            let (producer, seq, due) = (header.producer, header.producer_seq, *next);
            self.breaks(format!("entry {index}: producer {producer} counts {seq}, not {due}"));
        }
        self.produced.insert(header.producer, header.producer_seq + 1);
        match &entry.body {
            Body::Order(order, _) => {
                let is_cancel = order.kind == OrderKind::Cancel as u8;
                let is_own = header.producer == cwts_types::producer::GATEWAY;
                if is_cancel && is_own {
                    self.cancels_by_gateway += 1;
                    self.to_cancel.values_mut().for_each(|ids| {
                        ids.remove(&order.ref_id);
                    });
                }
                self.open = Some((*order, engine.position(order.account, order.instrument)));
            }
            Body::Decision(decision, _) => self.decision(index, decision, engine),
            Body::ReleaseDenied(denied) => {
                self.denied += 1;
                // Whoever had it accepted was told otherwise; its id is used up all the same.
                if !self.accepted_ids.contains(&denied.order_id) {
                    let id = denied.order_id;
                    self.breaks(format!("entry {index}: order {id} is held back, not accepted"));
                }
            }
            Body::Kill(kill) => {
                self.kills += 1;
                if self.emptied.contains(&kill.reason) {
                    let works = engine.working_in(kill.scope).into_iter();
                    self.to_cancel.entry(kill.reason.clone()).or_default().extend(works);
                }
                let (scope, state, seq) = (kill.scope, kill.state, index);
                let held = Held { scope, state, allow_reduce: kill.allow_reduce, seq };
                self.holds.insert(kill.hold, held);
            }
            Body::Resume(resume) => {
                self.resumes += 1;
                if resume.actor == resume.approver || self.holds.remove(&resume.hold).is_none() {
                    let hold = resume.hold;
                    self.breaks(format!("entry {index}: hold {hold} is lifted by nobody's right"));
                }
            }
            _ => {}
        }
    }

    /// What an acknowledged halt left uncancelled.
    fn end(&mut self) {
        for (reason, ids) in std::mem::take(&mut self.to_cancel) {
            if let Some(first) = ids.first() {
                let count = ids.len();
                self.breaks(format!("{count} orders, {first} first, outlived the halt `{reason}`"));
            }
        }
    }

    fn decision(&mut self, index: u64, decision: &Decision, engine: &Engine) {
        let Some((order, position)) = self.open.take() else {
            return self.breaks(format!("entry {index}: a decision without its order"));
        };
        let is_new = matches!(order.order_kind(), Some(OrderKind::New | OrderKind::Replace));
        if !is_new || decision.verdict != Verdict::Accept as u8 {
            return;
        }
        if !self.accepted_ids.insert(order.order_id) {
            let id = order.order_id;
            self.breaks(format!("entry {index}: order {id} is accepted a second time"));
        }
        let held: Vec<(u64, Held)> = self.holds.iter().map(|(id, held)| (*id, *held)).collect();
        for (id, held) in held {
            if !covers(held.scope, &order, engine) {
                continue;
            }
            let exits = held.state == KillState::ReduceOnly || held.allow_reduce;
            if exits && reduces(&order, position) {
                continue;
            }
            let (order_id, state, seq) = (order.order_id, held.state.name(), held.seq);
            self.breaks(format!(
                "entry {index}: order {order_id} is accepted under hold {id} ({state}, entry {seq})"
            ));
        }
    }

    fn breaks(&mut self, what: String) {
        if self.broken.len() < BROKEN_MAX {
            self.broken.push(what);
        }
    }
}

/// Whether an order belongs to a scope, by the registry alone.
fn covers(scope: Scope, order: &Order, engine: &Engine) -> bool {
    let parent = |kind, handle| engine.registry().parent(kind, handle);
    let customer = parent(RegisterKind::Account, order.account);
    match scope.kind {
        ScopeKind::Firm => true,
        ScopeKind::Account => order.account == scope.handle,
        ScopeKind::Strategy => order.strategy == scope.handle,
        ScopeKind::Instrument => order.instrument == scope.handle,
        ScopeKind::Venue => {
            parent(RegisterKind::Instrument, order.instrument) == Some(scope.handle)
        }
        // The torture's limits have no sessions.
        ScopeKind::Session => false,
        ScopeKind::Customer => customer == Some(scope.handle),
        ScopeKind::Desk => {
            customer.and_then(|c| parent(RegisterKind::Customer, c)) == Some(scope.handle)
        }
    }
}

/// Necessary for reducing, whatever else works: the other side, and no more than there is.
fn reduces(order: &Order, position: i64) -> bool {
    let against = if order.side == Side::Buy as u8 { position < 0 } else { position > 0 };
    against && order.qty.unsigned_abs() <= position.unsigned_abs()
}

/// Sentences that are kept; one is enough to stop.
const BROKEN_MAX: usize = 16;

#[cfg(test)]
mod tests;

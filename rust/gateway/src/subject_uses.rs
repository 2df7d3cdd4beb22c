//! When a log last named a subject: from then on its records' years run.
//!
//! Whatever names the subject counts: its orders and what is said later of them, its limits for as
//! long as they stand, what a person did or agreed to, and the sealed texts themselves.

use std::collections::BTreeSet;

use cwts_risk::Engine;
use cwts_types::{Body, Entry, RegisterKind, producer};

use crate::names::names_of;

/// The fold over a log's entries, in index order.
#[derive(Debug, Clone)]
pub(crate) struct Uses {
    kind: RegisterKind,
    handle: u32,
    code: String,
    /// Ids and log indices of its orders.
    ids: BTreeSet<u64>,
    orders: BTreeSet<u64>,
    /// Index and UTC nanoseconds of the newest entry that names it: the latest time, not the last.
    pub(crate) newest: Option<(u64, i64)>,
    /// Sealed texts about it.
    pub(crate) sealed: u64,
}

impl Uses {
    pub(crate) fn new(kind: RegisterKind, handle: u32, code: &str) -> Self {
        let (ids, orders) = (BTreeSet::new(), BTreeSet::new());
        Self { kind, handle, code: code.to_owned(), ids, orders, newest: None, sealed: 0 }
    }

    pub(crate) fn kind(&self) -> RegisterKind {
        self.kind
    }

    /// Takes one entry in; the engine is as the entries before it leave it.
    pub(crate) fn take(&mut self, index: u64, entry: &Entry, engine: &Engine) {
        if self.named(index, entry, engine) {
            let utc_ns = entry.header.utc_ns;
            if self.newest.is_none_or(|(_, newest)| newest <= utc_ns) {
                self.newest = Some((index, utc_ns));
            }
        }
    }

    /// Whether these limits still list it.
    pub(crate) fn listed(&self, engine: &Engine) -> bool {
        let file = engine.limits();
        if self.kind == RegisterKind::Actor {
            return file.operators.contains_key(&self.code);
        }
        names_of(file).iter().any(|(kind, _, name)| *kind == self.kind && *name == self.code)
    }

    /// Until when its records are kept, UTC nanoseconds, if so many years are promised. As if each
    /// year were a leap year: never too short.
    pub(crate) fn over_ns(&self, years: u16) -> u128 {
        let newest = self.newest.map_or(0, |(_, utc_ns)| u128::try_from(utc_ns).unwrap_or(0));
        newest + u128::from(years) * u128::from(crate::retention::YEAR_NS)
    }

    fn named(&mut self, index: u64, entry: &Entry, engine: &Engine) -> bool {
        let (kind, handle) = (self.kind, self.handle);
        let header = &entry.header;
        if kind == RegisterKind::Actor
            && (header.actor == handle || header.producer == producer::NAMED + handle)
        {
            self.remember(index, &entry.body);
            return true;
        }
        match &entry.body {
            Body::Order(order, _) => {
                let is_its = match kind {
                    RegisterKind::Account => order.account == handle,
                    RegisterKind::Strategy => order.strategy == handle,
                    RegisterKind::Customer => above(engine, order.account)[0] == handle,
                    RegisterKind::Desk => above(engine, order.account)[1] == handle,
                    _ => false,
                };
                if is_its {
                    self.remember(index, &entry.body);
                }
                is_its
            }
            Body::Decision(decision, _) => self.orders.contains(&decision.order_seq),
            Body::ReleaseDenied(denied) => self.orders.contains(&denied.order_seq),
            Body::Exec(exec) => self.ids.contains(&exec.order_id),
            Body::Register(row) => row.kind == kind && row.handle == handle,
            Body::Sealed(row) => {
                let is_its = row.kind == kind && row.subject == handle;
                self.sealed += u64::from(is_its);
                is_its
            }
            Body::Kill(kill) => {
                kind.scope_kind() == Some(kill.scope.kind) && kill.scope.handle == handle
                    || self.is_person(&[&kill.actor])
            }
            Body::Locate(locate) => {
                kind == RegisterKind::Account && locate.account == handle
                    || self.is_person(&[&locate.actor])
            }
            Body::Override(said) => {
                self.orders.contains(&said.order_seq)
                    || self.is_person(&[&said.actor, &said.approver])
            }
            // Whom a case is about is kept as long as it is open, and no longer for its sake.
            Body::Hold(said) => self.is_person(&[&said.actor, &said.approver]),
            Body::HoldRelease(said) => self.is_person(&[&said.actor, &said.approver]),
            Body::Shred(said) => self.is_person(&[&said.actor, &said.approver]),
            Body::Resume(said) => self.is_person(&[&said.actor, &said.approver]),
            Body::LimitPropose(said) => self.is_person(&[&said.maker]),
            Body::LimitApprove(said) => self.is_person(&[&said.checker]),
            Body::Access(said) => self.is_person(&[&said.who]),
            // Until now it was listed: so long its limits stood.
            Body::LimitActivate(_) | Body::LimitExpire(_) => self.listed(engine),
            _ => false,
        }
    }

    fn remember(&mut self, index: u64, body: &Body) {
        if let Body::Order(order, _) = body {
            self.orders.insert(index);
            self.ids.insert(order.order_id);
        }
    }

    fn is_person(&self, names: &[&str]) -> bool {
        self.kind == RegisterKind::Actor && names.contains(&self.code.as_str())
    }
}

/// Customer and desk above an account; 0 for none.
fn above(engine: &Engine, account: u32) -> [u32; 2] {
    let registry = engine.registry();
    let customer = registry.parent(RegisterKind::Account, account).unwrap_or(0);
    let desk = registry.parent(RegisterKind::Customer, customer).unwrap_or(0);
    [customer, desk]
}

//! The same entries under other limits.
//!
//! An engine of its own takes every entry of a log or a replay in, except the limits. Names keep
//! their meaning and get its own handles, because the other limits may say of an account that it
//! is another customer's. An order that these limits refuse never existed for them: what follows
//! on its id is left out (DENIED_UPSTREAM).

use cwts_risk::limits::LimitsFile;
use cwts_risk::{Engine, Outcome, Peaks, Registry, Sight};
use cwts_types::{
    Body, Entry, Exec, Header, Kill, Locate, Order, OrderKind, Reference, Register, RegisterKind,
    Scope, Session, SessionKind, exec_type,
};
use rustc_hash::FxHashMap;

use crate::GatewayError;
use crate::limits_text::parse_limits;
use crate::names::{names_of, parent_kind};
use crate::replay::live::LiveOrders;

/// An engine under other limits, in step with entries made under the old ones.
pub(crate) struct Refold {
    pub(crate) engine: Engine,
    file: LimitsFile,
    /// By kind and the entries' handle: the handle here.
    handles: [Vec<u32>; KINDS],
    /// Accepted by the old limits, refused here: nothing on these ids happened.
    upstream: LiveOrders,
    /// A replace that was refused here -> the order that it would have changed.
    unchanged: FxHashMap<u64, Unchanged>,
    /// Orders and reports left out.
    pub(crate) left_out: u64,
    /// The highest use of limits, where somebody asks for it.
    pub(crate) peaks: Option<Peaks>,
}

/// An order that a replace would have changed.
#[derive(Clone, Copy)]
struct Unchanged {
    target: u64,
    /// A market's: its rows on the new id are on the order as it stays, as in a replay. A session's
    /// venue fills what was sent, and that replace was not.
    replayed: bool,
}

/// What became of an order here.
pub(crate) enum Again {
    /// Decided: the order with handles of this engine.
    Decided(Order, Outcome),
    /// It follows on an order that was refused here.
    LeftOut,
}

impl Refold {
    pub(crate) fn new(path: &str, text: &[u8]) -> Result<Self, GatewayError> {
        let file = parse_limits(path, text)?;
        let mut engine = Engine::new();
        let step = |source| GatewayError::Step { index: 0, source };
        engine.activate(1, text).map_err(step)?;
        engine.ignore_operators();
        let mut out = Self {
            engine,
            file,
            handles: Default::default(),
            upstream: LiveOrders::default(),
            unchanged: FxHashMap::default(),
            left_out: 0,
            peaks: None,
        };
        for (kind, parent, name) in names_of(&out.file) {
            let parent = parent.and_then(|p| out.known(parent_kind(kind)?, &p)).unwrap_or(0);
            out.register(kind, parent, &name)?;
        }
        Ok(out)
    }

    /// Takes over the names that were registered before the first entry.
    pub(crate) fn adopt(&mut self, registry: &Registry) -> Result<(), GatewayError> {
        for kind in PARENTS_FIRST {
            for (i, name) in registry.names(kind).enumerate() {
                let handle = i as u32 + 1;
                let parent = registry.parent(kind, handle).unwrap_or(0);
                let name = name.to_owned();
                self.name(&Register { kind, handle, parent, salt: [0; 16], name })?;
            }
        }
        Ok(())
    }

    fn known(&self, kind: RegisterKind, name: &str) -> Option<u32> {
        self.engine.registry().handle(kind, name)
    }

    fn register(
        &mut self,
        kind: RegisterKind,
        parent: u32,
        name: &str,
    ) -> Result<u32, GatewayError> {
        if let Some(handle) = self.known(kind, name) {
            return Ok(handle);
        }
        let handle = self.engine.registry().len(kind) + 1;
        let register = Register { kind, handle, parent, salt: [0; 16], name: name.to_owned() };
        let failed = |source| GatewayError::Step { index: 0, source };
        self.engine.register(&register).map_err(failed)?;
        Ok(handle)
    }

    /// A name of the entries: these limits say whose it is, and where they say nothing the
    /// entries do.
    fn name(&mut self, register: &Register) -> Result<(), GatewayError> {
        let Register { kind, parent, ref name, .. } = *register;
        let entries = parent_kind(kind).map_or(0, |kind| self.handle(kind, parent));
        let parent = match kind {
            RegisterKind::Customer => match self.file.customers.get(name) {
                Some(customer) => self.parent(RegisterKind::Desk, customer.desk.clone()),
                None => entries,
            },
            RegisterKind::Account => {
                let accounts = &self.file.accounts;
                let own = accounts.get(name).or_else(|| accounts.get(cwts_risk::limits::ANY));
                match own.map(|account| account.customer.clone()) {
                    Some(customer) => self.parent(RegisterKind::Customer, customer),
                    None => entries,
                }
            }
            // A venue is a fact and no limit; these limits may leave it unsaid.
            _ => entries,
        };
        let handle = self.register(kind, parent, name)?;
        let handles = &mut self.handles[kind as usize];
        let wanted = register.handle as usize + 1;
        if handles.len() < wanted {
            handles.resize(wanted, UNKNOWN);
        }
        handles[register.handle as usize] = handle;
        Ok(())
    }

    fn parent(&self, kind: RegisterKind, name: Option<String>) -> u32 {
        name.and_then(|name| self.known(kind, &name)).unwrap_or(0)
    }

    /// The handle here of a handle of the entries; 0 stays nobody.
    fn handle(&self, kind: RegisterKind, handle: u32) -> u32 {
        if handle == 0 {
            return 0;
        }
        self.handles[kind as usize].get(handle as usize).copied().unwrap_or(UNKNOWN)
    }

    /// Takes an entry in that is neither an order nor a decision.
    pub(crate) fn entry(&mut self, index: u64, entry: &Entry) -> Result<(), GatewayError> {
        let body = match &entry.body {
            Body::Register(register) => return self.name(register),
            Body::Exec(exec) => match self.exec(exec) {
                Some(exec) => Body::Exec(exec),
                None => return Ok(()),
            },
            Body::ReleaseDenied(denied) if self.upstream.contains(denied.order_id) => {
                self.forget(denied.order_id);
                self.left_out += 1;
                return Ok(());
            }
            Body::Reference(reference) => {
                let instrument = self.handle(RegisterKind::Instrument, reference.instrument);
                Body::Reference(Reference { instrument, ..*reference })
            }
            Body::Kill(kill) => {
                let handle = RegisterKind::from_code(kill.scope.kind as u8)
                    .map_or(0, |kind| self.handle(kind, kill.scope.handle));
                let scope = Scope { kind: kill.scope.kind, handle };
                Body::Kill(Kill { scope, ..kill.clone() })
            }
            Body::Session(session) => {
                let kind = match session.kind {
                    SessionKind::Instrument => RegisterKind::Instrument,
                    SessionKind::Venue => RegisterKind::Venue,
                    SessionKind::Session => RegisterKind::Session,
                };
                Body::Session(Session { handle: self.handle(kind, session.handle), ..*session })
            }
            Body::Locate(locate) => {
                let account = self.handle(RegisterKind::Account, locate.account);
                let instrument = self.handle(RegisterKind::Instrument, locate.instrument);
                Body::Locate(Locate { account, instrument, ..locate.clone() })
            }
            Body::Resume(_) | Body::ReleaseDenied(_) | Body::Tick | Body::Clock(_) => {
                entry.body.clone()
            }
            // Limits are ours, orders come with their decision, the rest changes no state.
            _ => return Ok(()),
        };
        let header = Header { utc_ns: entry.header.utc_ns, ..Header::default() };
        let step = |source| GatewayError::Step { index, source };
        let entry = Entry { header, body };
        self.engine.step(index, &entry).map_err(step)?;
        if let Some(peaks) = &mut self.peaks {
            peaks.entry(&self.engine, &entry.body);
        }
        Ok(())
    }

    /// A report, unless it is on an order that was refused here.
    fn exec(&mut self, exec: &Exec) -> Option<Exec> {
        if !self.upstream.contains(exec.order_id) {
            return Some(*exec);
        }
        if exec.exec_type == exec_type::TRADE {
            return self.trade(exec);
        }
        self.left_out += 1;
        let ends = matches!(
            exec.exec_type,
            exec_type::CANCELED | exec_type::EXPIRED | exec_type::DONE_FOR_DAY
        );
        if !ends && exec.exec_type != exec_type::REJECTED {
            return None;
        }
        self.upstream.remove(exec.order_id);
        // The order that was not replaced here still works: its end is an end here too.
        let order_id = self.unchanged.remove(&exec.order_id)?.target;
        ends.then_some(Exec { order_id, ..*exec })
    }

    /// A trade on an order that was refused here: of none, or of the one that it left as it was.
    fn trade(&mut self, exec: &Exec) -> Option<Exec> {
        let id = exec.order_id;
        let stays = self.unchanged.get(&id).filter(|unchanged| unchanged.replayed).copied();
        let stays = stays.filter(|unchanged| self.engine.is_working(unchanged.target));
        self.upstream.take(id, exec.last_qty);
        if !self.upstream.contains(id) {
            self.unchanged.remove(&id);
        }
        self.left_out += u64::from(stays.is_none());
        stays.map(|unchanged| Exec { order_id: unchanged.target, ..*exec })
    }

    fn forget(&mut self, id: u64) {
        self.upstream.remove(id);
        self.unchanged.remove(&id);
    }

    /// Orders that it holds: those that work, and those refused here that the entries are not done
    /// with.
    pub(crate) fn live(&self) -> usize {
        self.engine.known_order_ids() + self.upstream.len()
    }

    pub(crate) fn limits(&self) -> &LimitsFile {
        &self.file
    }

    /// Decides an order that the old limits accepted or refused.
    pub(crate) fn order(
        &mut self,
        order: &Order,
        replayed: bool,
        was_accepted: bool,
        seen: impl FnOnce(Sight<'_>),
    ) -> Again {
        let mut own = *order;
        own.instrument = self.handle(RegisterKind::Instrument, order.instrument);
        own.account = self.handle(RegisterKind::Account, order.account);
        own.strategy = self.handle(RegisterKind::Strategy, order.strategy);
        let kind = order.order_kind();
        if kind != Some(OrderKind::New) && self.upstream.contains(order.ref_id) {
            let target = self.unchanged.get(&order.ref_id).copied();
            let stays = target.filter(|t| replayed && self.engine.is_working(t.target));
            let is_replace = kind == Some(OrderKind::Replace);
            if is_replace && replayed && was_accepted {
                // The market has it under the new id from here on.
                self.forget(order.ref_id);
            }
            if is_replace && stays.is_none() {
                self.left_out += 1;
                if was_accepted {
                    self.upstream.add(order.order_id, order.qty);
                    target.and_then(|target| self.unchanged.insert(order.order_id, target));
                }
                return Again::LeftOut;
            }
            if replayed && !is_replace {
                let off = if order.qty <= 0 { i64::MAX } else { order.qty };
                self.upstream.take(order.ref_id, off);
                if !self.upstream.contains(order.ref_id) {
                    self.unchanged.remove(&order.ref_id);
                }
            }
            let Some(target) = target else {
                self.left_out += 1;
                return Again::LeftOut;
            };
            own.ref_id = target.target;
        }
        let outcome = self.engine.decide_seen(&own, replayed, seen);
        if let Some(peaks) = &mut self.peaks {
            peaks.order(&self.engine, &own);
        }
        // Nobody keeps a log of what would have been.
        self.engine.take_due();
        let accepted = outcome.decision.is_accepted();
        if !matches!(kind, Some(OrderKind::New | OrderKind::Replace)) {
            return Again::Decided(own, outcome);
        }
        if accepted {
            self.forget(order.order_id);
        } else if was_accepted {
            let filled = self.engine.filled(own.ref_id).unwrap_or(0);
            self.upstream.add(order.order_id, order.qty.saturating_sub(filled));
            if kind == Some(OrderKind::Replace) {
                let target = own.ref_id;
                self.unchanged.insert(order.order_id, Unchanged { target, replayed });
            }
        }
        Again::Decided(own, outcome)
    }
}

/// A handle that no registry gives.
const UNKNOWN: u32 = u32::MAX;
/// Codes of [`RegisterKind`], 0 included.
const KINDS: usize = 9;
/// Kinds of name, each after those of its parents.
const PARENTS_FIRST: [RegisterKind; 7] = [
    RegisterKind::Desk,
    RegisterKind::Customer,
    RegisterKind::Account,
    RegisterKind::Session,
    RegisterKind::Strategy,
    RegisterKind::Venue,
    RegisterKind::Instrument,
];

#[cfg(test)]
mod tests;

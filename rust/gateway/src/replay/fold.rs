//! From a market's events to an account's entries.
//!
//! Rules: design note "replay", section 6. A denied order never existed for the account: later
//! rows on its id are consumed in silence, but their trades still move the reference, because
//! the market traded. Rows on ids never seen are prints, or cancels that pass as UNKNOWN_ORDER.

use cwts_audit::holds::HoldsFold;
use cwts_feeds::event::{Event, EventKind, flag};
use cwts_feeds::source::EventSource;
use cwts_risk::Engine;
use cwts_types::{
    Alias, AliasKind, Body, Entry, Exec, Header, Kill, KillState, Order, OrderKind, Reference,
    Register, RegisterKind, Scope, Session, entry_flag, exec_type, producer, reference_flag,
};
use rustc_hash::FxHashSet;

use super::rows::DecisionRows;
use super::stats::ReplayStats;
use super::{Mapping, ReplayOptions};
use crate::GatewayError;
use crate::gateway::push_pair;
use crate::log::LogTail;

/// The replay's one writer.
pub(super) struct Fold<'o> {
    pub(super) engine: Engine,
    pub(super) holds: HoldsFold,
    pub(super) log: Option<LogTail>,
    pub(super) origin: String,
    pub(super) index: u64,
    /// Entries so far of the gateway and of the replay.
    pub(super) produced: [u64; 3],
    pub(super) options: &'o ReplayOptions,
    pub(super) mapping: Mapping,
    pub(super) replace_apply: bool,
    /// The input is one party's session with a venue: the venue's reports say what became of an
    /// order, so cancels and replaces wait for them as they do live.
    pub(super) is_session: bool,
    instruments: Vec<u32>,
    accounts: Vec<u32>,
    strategies: Vec<u32>,
    /// Handles of `ALL`, or of `default`, for rows without a name.
    fallback: (u32, u32),
    references: Vec<i64>,
    pub(super) denied: FxHashSet<u64>,
    /// Live orders of a snapshot: the market's, nobody's.
    pub(super) foreign: FxHashSet<u64>,
    texts: usize,
    pub(super) stats: ReplayStats,
    pub(super) rows: Option<DecisionRows>,
    pub(super) orders: Vec<u8>,
    pub(super) decisions: Vec<u8>,
    last_ts: u64,
    /// Measures; it never enters the log.
    clock: crate::Clock,
}

impl<'o> Fold<'o> {
    pub(super) fn new(
        engine: Engine,
        holds: HoldsFold,
        options: &'o ReplayOptions,
        mapping: Mapping,
        rows: Option<DecisionRows>,
    ) -> Self {
        let replace_apply = engine.limits().replay.replace_apply;
        Self {
            engine,
            holds,
            log: None,
            origin: String::new(),
            index: 0,
            produced: [0; 3],
            options,
            mapping,
            replace_apply,
            is_session: false,
            instruments: Vec::new(),
            accounts: Vec::new(),
            strategies: Vec::new(),
            fallback: (0, 0),
            references: vec![0],
            denied: FxHashSet::default(),
            foreign: FxHashSet::default(),
            texts: 0,
            stats: ReplayStats::new(options),
            rows,
            orders: Vec::new(),
            decisions: Vec::new(),
            last_ts: 0,
            clock: crate::Clock::default(),
        }
    }

    pub(super) fn into_parts(self) -> (ReplayStats, Vec<u8>, Vec<u8>) {
        (self.stats, self.orders, self.decisions)
    }

    /// The header of the next entry of a producer.
    pub(super) fn header(&mut self, who: u32, ts: u64) -> Header {
        let producer_seq = self.produced[who as usize];
        self.produced[who as usize] += 1;
        Header {
            flags: entry_flag::REPLAYED,
            producer: who,
            producer_seq,
            utc_ns: i64::try_from(ts).unwrap_or(i64::MAX),
            ..Header::default()
        }
    }

    /// Appends one entry.
    pub(super) fn push(&mut self, body: Body, who: u32, ts: u64) -> Result<(), GatewayError> {
        let header = self.header(who, ts);
        self.index += 1;
        let Some(log) = &mut self.log else { return Ok(()) };
        if log.push(&Entry { header, body }.to_bytes()) {
            return Ok(());
        }
        Err(GatewayError::LogFailed { why: log.failure().unwrap_or_default() })
    }

    /// Appends an entry that the engine and the holds fold.
    pub(super) fn push_and_step(
        &mut self,
        body: Body,
        who: u32,
        ts: u64,
    ) -> Result<(), GatewayError> {
        let index = self.index;
        let entry = Entry { header: Header::default(), body };
        self.engine.step(index, &entry).map_err(|source| GatewayError::Step { index, source })?;
        self.holds
            .apply(index, &entry.body)
            .map_err(|e| GatewayError::Replay(format!("entry {index}: {e}")))?;
        self.push(entry.body, who, ts)
    }

    fn handle(&mut self, kind: RegisterKind, name: &str) -> Result<u32, GatewayError> {
        if let Some(handle) = self.engine.registry().handle(kind, name) {
            return Ok(handle);
        }
        if name.is_empty() || name.contains('\0') {
            // An entry's text holds no NUL: such a log could not be read again.
            let shown: String = name.chars().take(64).collect();
            let why = format!("name {shown:?}: must have a character and no NUL");
            return Err(GatewayError::Replay(why));
        }
        let handle = self.engine.registry().len(kind) + 1;
        let parent = match kind {
            RegisterKind::Account => {
                let file = self.engine.limits();
                let customer = file.accounts.get(name).or_else(|| file.accounts.get("*"));
                let customer = customer.and_then(|a| a.customer.clone());
                let registry = self.engine.registry();
                customer.and_then(|c| registry.handle(RegisterKind::Customer, &c)).unwrap_or(0)
            }
            _ => 0,
        };
        let name = name.to_owned();
        let register = Register { kind, handle, parent, salt: [0; 16], name };
        let ts = self.last_ts;
        self.push_and_step(Body::Register(register), producer::GATEWAY, ts)?;
        Ok(handle)
    }

    /// Registers the names that appeared since the last batch.
    pub(super) fn names(&mut self, source: &dyn EventSource) -> Result<(), GatewayError> {
        let names = source.names();
        if self.fallback == (0, 0) {
            let name = if self.mapping == Mapping::All { "ALL" } else { "default" };
            self.fallback = (
                self.handle(RegisterKind::Account, name)?,
                self.handle(RegisterKind::Strategy, name)?,
            );
        }
        for symbol in &names.instruments[self.instruments.len()..] {
            let handle = self.handle(RegisterKind::Instrument, symbol)?;
            self.instruments.push(handle);
            let wanted = self.references.len().max(handle as usize + 1);
            self.references.resize(wanted, 0);
        }
        if self.mapping == Mapping::File {
            for name in &names.accounts[self.accounts.len()..] {
                let handle = self.handle(RegisterKind::Account, name)?;
                self.accounts.push(handle);
            }
            for name in &names.strategies[self.strategies.len()..] {
                let handle = self.handle(RegisterKind::Strategy, name)?;
                self.strategies.push(handle);
            }
        }
        let texts = source.order_texts();
        for (k, text) in texts.iter().enumerate().skip(self.texts) {
            let id = cwts_feeds::decoder::ORDER_TEXT_BASE + k as u64;
            let alias = Alias { id, kind: AliasKind::ClOrdId, text: text.as_bytes().to_vec() };
            let ts = self.last_ts;
            self.push(Body::Alias(alias), producer::REPLAY, ts)?;
        }
        self.texts = texts.len();
        Ok(())
    }

    /// Takes one event in.
    pub(super) fn event(&mut self, event: &Event) -> Result<(), GatewayError> {
        if self.options.halt_at == Some(self.stats.events) {
            self.halt_firm(event.ts_ns)?;
        }
        self.last_ts = self.last_ts.max(event.ts_ns);
        let Some(instrument) = self.instruments.get(event.instrument as usize).copied() else {
            let why = format!("record {}: instrument {} has no name", event.src, event.instrument);
            return Err(GatewayError::Replay(why));
        };
        self.stats.event(event);
        match event.kind {
            _ if event.flags & flag::SNAPSHOT != 0 => {
                self.stats.snapshot += 1;
                self.foreign.insert(event.order_id);
            }
            _ if event.flags & flag::CONSEQUENCE != 0 => self.stats.consequence += 1,
            _ if event.flags & flag::REPORT != 0 => self.venue_report(event)?,
            _ if event.flags & flag::POSSDUP != 0 => self.possible_duplicate(event)?,
            EventKind::Add => self.order(event, instrument, OrderKind::New)?,
            EventKind::Replace => self.replace(event, instrument)?,
            EventKind::Delete | EventKind::Reduce => self.cancel(event, instrument)?,
            EventKind::Fill => self.fill(event)?,
            EventKind::State => {
                let phase = u8::try_from(event.qty).unwrap_or(2).min(2);
                let body = Body::Session(Session { instrument, phase });
                self.push(body, producer::REPLAY, event.ts_ns)?;
            }
            EventKind::Clock => {
                self.push_and_step_at(Body::Tick, event.ts_ns)?;
            }
            EventKind::Ref => self.reference(event, instrument, reference_flag::EXTERNAL)?,
            EventKind::Trade | EventKind::Cross | EventKind::Clear => {}
        }
        let is_print = matches!(event.kind, EventKind::Fill | EventKind::Trade | EventKind::Cross);
        if is_print && event.flags & (flag::NO_REF | flag::UNDEF_PX) == 0 {
            // It applies to the next record on: the reference is strictly earlier in the file.
            self.reference(event, instrument, reference_flag::LAST_TRADE)?;
        }
        self.stats.events += 1;
        Ok(())
    }

    fn push_and_step_at(&mut self, body: Body, ts: u64) -> Result<(), GatewayError> {
        let mut entry = Entry { header: Header::default(), body };
        entry.header.utc_ns = i64::try_from(ts).unwrap_or(i64::MAX);
        let index = self.index;
        self.engine.step(index, &entry).map_err(|source| GatewayError::Step { index, source })?;
        self.push(entry.body, producer::REPLAY, ts)
    }

    fn reference(
        &mut self,
        event: &Event,
        instrument: u32,
        flags: u32,
    ) -> Result<(), GatewayError> {
        let known = &mut self.references[instrument as usize];
        if *known == event.px {
            return Ok(());
        }
        *known = event.px;
        let body =
            Reference { instrument, flags, px: event.px, ts: event.ts_ns, ..Reference::default() };
        self.engine.reference_entry(&body);
        self.push(Body::Reference(body), producer::REPLAY, event.ts_ns)
    }

    fn parties(&self, event: &Event) -> (u32, u32) {
        let pick =
            |list: &[u32], at: u32, other: u32| list.get(at as usize).copied().unwrap_or(other);
        (
            pick(&self.accounts, event.account, self.fallback.0),
            pick(&self.strategies, event.strategy, self.fallback.1),
        )
    }

    fn order(
        &mut self,
        event: &Event,
        instrument: u32,
        kind: OrderKind,
    ) -> Result<(), GatewayError> {
        let (account, strategy) = self.parties(event);
        let is_market = event.flags & flag::UNDEF_PX != 0;
        let ref_id = match kind {
            OrderKind::Replace if event.ref_id != 0 => event.ref_id,
            OrderKind::Replace => event.order_id,
            _ => 0,
        };
        let order = Order {
            seq: self.index,
            ts: event.ts_ns,
            px: if is_market { 0 } else { event.px },
            qty: event.qty,
            order_id: event.order_id,
            ref_id,
            instrument,
            account,
            strategy,
            kind: kind as u8,
            side: event.side,
            type_tif: if is_market { 1 } else { 2 },
            flags: 0,
        };
        let before = self.clock.mono_ns();
        let outcome = self.decide(&order, event.ts_ns)?;
        self.stats.latency(self.clock.mono_ns() - before, event.ts_ns);
        let accepted = outcome.decision.is_accepted();
        if accepted {
            self.denied.remove(&event.order_id);
        } else if kind == OrderKind::New || self.is_session {
            self.denied.insert(event.order_id);
        }
        self.stats.decision(event, &order, &outcome, &self.engine);
        if let Some(rows) = &mut self.rows {
            rows.row(&order, &outcome)?;
        }
        if self.options.keep {
            self.orders.extend_from_slice(&order.to_bytes());
            self.decisions.extend_from_slice(&outcome.decision.to_bytes());
        }
        Ok(())
    }

    fn replace(&mut self, event: &Event, instrument: u32) -> Result<(), GatewayError> {
        let target = if event.ref_id == 0 { event.order_id } else { event.ref_id };
        if self.denied.contains(&target) {
            self.denied.insert(event.order_id);
            self.stats.denied_upstream += 1;
            return Ok(());
        }
        if !self.engine.is_working(target) {
            self.stats.orphan(&self.foreign, target);
            return Ok(());
        }
        if self.replace_apply {
            return self.report(event, target, exec_type::REPLACED, event.px, event.qty, 0);
        }
        self.order(event, instrument, OrderKind::Replace)?;
        if self.is_session {
            return Ok(());
        }
        self.report(event, event.order_id, exec_type::REPLACED, 0, 0, 0)
    }

    fn cancel(&mut self, event: &Event, instrument: u32) -> Result<(), GatewayError> {
        if self.denied.contains(&event.order_id) {
            // In a session the venue's reports on it are still to come.
            if event.kind == EventKind::Delete && !self.is_session {
                self.denied.remove(&event.order_id);
            }
            self.stats.denied_upstream += 1;
            return Ok(());
        }
        if self.foreign.contains(&event.order_id) {
            if event.kind == EventKind::Delete {
                self.foreign.remove(&event.order_id);
            }
            return Ok(());
        }
        let known = self.engine.is_working(event.order_id);
        if !known {
            self.stats.orphan(&self.foreign, event.order_id);
            self.stats.label(event.src, "UNKNOWN_ORDER");
        }
        let (account, strategy) = self.parties(event);
        let order = Order {
            seq: self.index,
            ts: event.ts_ns,
            px: 0,
            qty: if event.kind == EventKind::Reduce { event.qty } else { 0 },
            order_id: event.order_id,
            ref_id: event.order_id,
            instrument,
            account,
            strategy,
            kind: OrderKind::Cancel as u8,
            side: event.side,
            type_tif: 2,
            flags: 0,
        };
        self.decide(&order, event.ts_ns)?;
        self.stats.cancels += 1;
        Ok(())
    }

    fn fill(&mut self, event: &Event) -> Result<(), GatewayError> {
        if self.denied.contains(&event.order_id) {
            self.stats.denied_upstream += 1;
            return Ok(());
        }
        let Some(cum) = self.engine.filled(event.order_id) else {
            self.stats.orphan(&self.foreign, event.order_id);
            return Ok(());
        };
        self.stats.fills += 1;
        let cum = cum.saturating_add(event.qty);
        self.report(event, event.order_id, exec_type::TRADE, event.px, event.qty, cum)
    }

    fn report(
        &mut self,
        event: &Event,
        order_id: u64,
        exec_type: u8,
        last_px: i64,
        last_qty: i64,
        cum_qty: i64,
    ) -> Result<(), GatewayError> {
        let exec = Exec { last_px, last_qty, cum_qty, ..self.exec(event, order_id, exec_type) };
        self.engine.exec(&exec);
        self.push(Body::Exec(exec), producer::REPLAY, event.ts_ns)
    }

    /// Decides and logs one order record.
    fn decide(&mut self, order: &Order, ts: u64) -> Result<cwts_risk::Outcome, GatewayError> {
        let mut header = self.header(producer::REPLAY, ts);
        if self.is_session {
            // Whoever folds the log again must wait for the reports too.
            header.flags &= !entry_flag::REPLAYED;
        }
        let decisions = self.engine.decisions();
        let outcome = self.engine.decide(order, !self.is_session);
        self.index += 2;
        let Some(log) = &mut self.log else { return Ok(outcome) };
        // A replay waits for room where a live gateway would refuse.
        if log.wait_room(2) && push_pair(log, &header, order, &outcome, decisions) {
            return Ok(outcome);
        }
        Err(GatewayError::LogFailed { why: log.failure().unwrap_or_default() })
    }

    fn halt_firm(&mut self, ts: u64) -> Result<(), GatewayError> {
        let kill = Kill {
            hold: self.engine.next_hold(),
            epoch: self.engine.kill_epoch() + 1,
            state: KillState::Halted,
            scope: Scope::FIRM,
            rank: crate::RANK_OPERATOR,
            allow_reduce: false,
            actor: "replay".to_owned(),
            reason: "halt asked for by the replay's options".to_owned(),
        };
        self.stats.halted_at = Some(self.stats.orders);
        self.push_and_step(Body::Kill(kill), producer::GATEWAY, ts)
    }
}

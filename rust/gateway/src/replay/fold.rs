//! From a market's events to an account's entries.
//!
//! Rules: design note "replay", section 6. A denied order never existed for the account: later
//! rows on its id are consumed in silence, but their trades still move the reference, because
//! the market traded. Rows on ids never seen are prints, or cancels that pass as UNKNOWN_ORDER.

use cwts_audit::holds::HoldsFold;
use cwts_feeds::event::{Event, EventKind, flag};
use cwts_feeds::synth::Label;
use cwts_risk::Engine;
use cwts_risk::limits::ReferenceSource;
use cwts_types::{
    Body, Entry, Header, Kill, KillState, Order, OrderKind, Phase, Reference, Register,
    RegisterKind, Scope, Session, SessionKind, entry_flag, producer, reference_flag,
};
use rustc_hash::FxHashMap;

use super::inputs::{InputState, SharedIds};
use super::limit_use::LimitUse;
use super::live::LiveOrders;
use super::mid::{MidBooks, NewMid};
use super::rows::DecisionRows;
use super::stats::ReplayStats;
use super::tap::Tap;
use super::{Mapping, ReplayOptions};
use crate::GatewayError;
use crate::gateway::push_pair;
use crate::log::LogTail;
use crate::registers::Registers;

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
    /// Whether the quantity of a replace is what rests from then on, as a market tells it; an
    /// order's own quantity includes what was filled of it.
    pub(super) replace_rests: bool,
    pub(super) inputs: Vec<InputState>,
    /// Which of them the next event is of.
    pub(super) input: usize,
    /// Of several inputs only.
    pub(super) shared_ids: Option<SharedIds>,
    /// Handles of `ALL`, or of `default`, for rows without a name.
    pub(super) fallback: (u32, u32),
    pub(super) references: Vec<i64>,
    /// The market's books, where a collar is around their middle.
    pub(super) mid: Option<MidBooks>,
    pub(super) denied: LiveOrders,
    /// Live orders of a snapshot: the market's, nobody's.
    pub(super) foreign: LiveOrders,
    /// The newer ids of working orders, where the market replaced one and the engine did not.
    pub(super) renamed: FxHashMap<u64, u64>,
    pub(super) stats: ReplayStats,
    pub(super) rows: Option<DecisionRows>,
    pub(super) orders: Vec<u8>,
    pub(super) decisions: Vec<u8>,
    /// How orders stood against their limits, where a report is wanted.
    pub(super) limit_use: Option<LimitUse>,
    /// What the log's registers say, where a report is in view.
    pub(super) registers: Option<Registers>,
    /// Labels of the anomalies that came with the input.
    pub(super) injected: Vec<Label>,
    /// Whoever wants every entry too.
    pub(super) tap: Option<&'o mut dyn Tap>,
    pub(super) last_ts: u64,
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
            replace_rests: false,
            inputs: vec![InputState::default()],
            input: 0,
            shared_ids: None,
            fallback: (0, 0),
            references: vec![0],
            mid: None,
            denied: LiveOrders::default(),
            foreign: LiveOrders::default(),
            renamed: FxHashMap::default(),
            stats: ReplayStats::new(options),
            rows,
            injected: Vec::new(),
            orders: Vec::new(),
            decisions: Vec::new(),
            limit_use: options.observe.limit_use(),
            registers: options.observe.registers(),
            tap: None,
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
        let entry = Entry { header: self.header(who, ts), body };
        if let Some(seen) = &mut self.limit_use {
            seen.after_entry(&self.engine, &entry.body);
        }
        if let Some(registers) = &mut self.registers {
            registers.entry(self.index, &entry, &self.engine);
        }
        if let Some(tap) = &mut self.tap {
            tap.entry(self.index, &entry)?;
        }
        self.index += 1;
        if self.log.as_mut().is_none_or(|log| log.push(&entry.to_bytes())) {
            return self.push_due(ts);
        }
        let Some(log) = &mut self.log else { return Ok(()) };
        Err(GatewayError::LogFailed { why: log.failure().unwrap_or_default() })
    }

    /// Appends what follows from what was folded: alerts, and the counts of a day that ended.
    #[inline]
    pub(super) fn push_due(&mut self, ts: u64) -> Result<(), GatewayError> {
        if !self.engine.has_due() {
            return Ok(());
        }
        for body in self.engine.take_due() {
            self.push(body, producer::REPLAY, ts)?;
        }
        Ok(())
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

    pub(super) fn handle(&mut self, kind: RegisterKind, name: &str) -> Result<u32, GatewayError> {
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

    /// Takes one event in.
    pub(super) fn event(&mut self, event: &Event) -> Result<(), GatewayError> {
        if self.options.halt_at == Some(self.stats.events) {
            self.halt_firm(event.ts_ns)?;
        }
        self.use_names(event)?;
        let shared;
        let event = if self.shared_ids.is_some() {
            shared = self.with_shared_ids(event)?;
            &shared
        } else {
            event
        };
        self.last_ts = self.last_ts.max(event.ts_ns);
        let input = &mut self.inputs[self.input];
        let Some(instrument) = input.instruments.get(event.instrument as usize).copied() else {
            let why = format!("record {}: instrument {} has no name", event.src, event.instrument);
            return Err(GatewayError::Replay(why));
        };
        self.stats.event(event);
        match event.kind {
            _ if event.flags & flag::SNAPSHOT != 0 => {
                input.snapshot += 1;
                // A venue that recovers lists orders anew that this file has added: they stay whose
                // they are.
                let is_known =
                    self.engine.is_working(event.order_id) || self.denied.contains(event.order_id);
                if event.kind == EventKind::Add && !is_known {
                    self.foreign.add(event.order_id, event.qty);
                    self.check_live(event)?;
                }
            }
            _ if event.flags & flag::CONSEQUENCE != 0 => input.consequence += 1,
            _ if event.flags & flag::REPORT != 0 => self.venue_report(event)?,
            _ if event.flags & flag::POSSDUP != 0 => self.possible_duplicate(event)?,
            EventKind::Add => {
                self.order(event, instrument, OrderKind::New)?;
            }
            EventKind::Replace => self.replace(event, instrument)?,
            EventKind::Delete | EventKind::Reduce | EventKind::Fill => {
                self.change(event, instrument)?;
            }
            EventKind::State => {
                let code = u8::try_from(event.qty).ok();
                let phase = code.and_then(Phase::from_code);
                let phase = phase.filter(|p| p.fits(SessionKind::Instrument));
                let session = Session {
                    kind: SessionKind::Instrument,
                    handle: instrument,
                    phase: phase.unwrap_or(Phase::Halted),
                };
                self.push_and_step_at(Body::Session(session), event.ts_ns)?;
            }
            EventKind::Clock => {
                self.push_and_step_at(Body::Tick, event.ts_ns)?;
            }
            EventKind::Ref => self.reference(event, instrument, reference_flag::EXTERNAL)?,
            // A cleared book frees no reservation: a venue that recovers lists its orders again.
            EventKind::Trade | EventKind::Cross | EventKind::Clear => {}
        }
        let is_print = matches!(event.kind, EventKind::Fill | EventKind::Trade | EventKind::Cross);
        if is_print && event.flags & (flag::NO_REF | flag::UNDEF_PX) == 0 {
            // It applies to the next record on: the reference is strictly earlier in the file.
            self.reference(event, instrument, reference_flag::LAST_TRADE)?;
        }
        // As for a trade: the book that an order is decided by ends before its own row.
        if let Some(books) = &mut self.mid
            && let Some(mid) = books
                .event(&Event { instrument, ..*event })
                .map_err(|error| error.in_file(&self.inputs[self.input].path))?
        {
            self.mid_reference(event, instrument, mid)?;
        }
        self.stats.events += 1;
        Ok(())
    }

    /// Logs the new middle of an instrument whose collar is around it.
    fn mid_reference(
        &mut self,
        event: &Event,
        instrument: u32,
        mid: NewMid,
    ) -> Result<(), GatewayError> {
        let NewMid { px, bid, ask } = mid;
        // A snapshot's rows keep older times, and its book is true now.
        let (flags, ts) = (reference_flag::MID, self.last_ts);
        let body = Reference { instrument, flags, px, bid, ask, ts, ..Reference::default() };
        if self.engine.reference_source(instrument) != Some(ReferenceSource::Mid) {
            // These limits do not listen. Whoever decides under others too may, and is told beside
            // the log: its entries stay those of a replay under these.
            return match &mut self.tap {
                Some(tap) => {
                    let header = Header::default();
                    tap.entry(self.index, &Entry { header, body: Body::Reference(body) })
                }
                None => Ok(()),
            };
        }
        self.engine.reference_entry(&body);
        self.push(Body::Reference(body), producer::REPLAY, event.ts_ns)
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

    pub(super) fn parties(&self, event: &Event) -> (u32, u32) {
        let pick =
            |list: &[u32], at: u32, other: u32| list.get(at as usize).copied().unwrap_or(other);
        let input = &self.inputs[self.input];
        (
            pick(&input.accounts, event.account, self.fallback.0),
            pick(&input.strategies, event.strategy, self.fallback.1),
        )
    }

    /// Refuses to go on with more live orders than the bound, before memory does.
    pub(super) fn check_live(&self, event: &Event) -> Result<(), GatewayError> {
        let others = self.denied.len() + self.foreign.len() + self.renamed.len();
        let live = self.engine.known_order_ids() + others;
        if live <= self.options.max_live {
            return Ok(());
        }
        Err(GatewayError::TooManyLiveOrders {
            path: self.inputs[self.input].path.clone(),
            record: event.src,
            max: self.options.max_live,
        })
    }

    /// Decides a new order or a replace; whether it was accepted.
    pub(super) fn order(
        &mut self,
        event: &Event,
        instrument: u32,
        kind: OrderKind,
    ) -> Result<bool, GatewayError> {
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
        // An id that is added again names the newer order.
        self.renamed.remove(&event.order_id);
        if accepted {
            self.denied.remove(event.order_id);
            self.foreign.remove(event.order_id);
        } else if self.is_session && self.engine.is_remembered(event.order_id) {
            // Refused for the id that it repeats: reports on it are about the order that has it.
        } else if kind == OrderKind::New || self.is_session {
            self.foreign.remove(event.order_id);
            self.denied.add(event.order_id, event.qty);
        }
        self.check_live(event)?;
        self.stats.decision(event, &order, &outcome, &self.engine);
        if let Some(rows) = &mut self.rows {
            rows.row(&order, &outcome)?;
        }
        if self.options.keep && self.stats.orders <= self.options.keep_max {
            self.orders.extend_from_slice(&order.to_bytes());
            self.decisions.extend_from_slice(&outcome.decision.to_bytes());
        }
        Ok(accepted)
    }

    /// Decides and logs one order record.
    pub(super) fn decide(
        &mut self,
        order: &Order,
        ts: u64,
    ) -> Result<cwts_risk::Outcome, GatewayError> {
        let mut header = self.header(producer::REPLAY, ts);
        let replayed = !self.is_session;
        if !replayed {
            // Whoever folds the log again must wait for the reports too.
            header.flags &= !entry_flag::REPLAYED;
        }
        let decisions = self.engine.decisions();
        let outcome = match &mut self.limit_use {
            Some(seen) => {
                let outcome = self.engine.decide_seen(order, replayed, |sight| seen.take(&sight));
                seen.after_order(&self.engine, order);
                outcome
            }
            None => self.engine.decide(order, replayed),
        };
        if let Some(tap) = &mut self.tap {
            tap.decided(order, replayed, &outcome)?;
        }
        if let Some(registers) = &mut self.registers {
            let day_end_ns = self.engine.day_end_ns();
            registers.triggers().decided(order, &outcome.decision, day_end_ns);
        }
        self.index += 2;
        let Some(log) = &mut self.log else {
            self.push_due(ts)?;
            return Ok(outcome);
        };
        // A replay waits for room where a live gateway would refuse.
        if log.wait_room(2) && push_pair(log, &header, order, &outcome, decisions) {
            self.push_due(ts)?;
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

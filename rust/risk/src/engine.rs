//! The state that entries fold into.

use std::collections::{BTreeMap, HashMap, VecDeque};

use cwts_types::{Control, Entry, Level, Register, RegisterKind};
use rustc_hash::FxBuildHasher;

use crate::counters::Counters;
use crate::holding::Holding;
use crate::ids::{IdMap, IdSet};
use crate::limits::LimitsFile;
use crate::registry::Registry;
use crate::senders::{SessionLine, StrategyLine, VenueLine};
use crate::tables::{
    AccountLine, InstrumentLine, Node, account_line, instrument_line, limit_node, window,
};
use crate::tables::{account_limits, instrument_limits};
use crate::window::{Sums, Window};
use crate::working::{Replacing, Working};

/// The risk engine: a pure fold over entries. It has no clock, no randomness and no I/O.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(crate) file: LimitsFile,
    pub(crate) text: Vec<u8>,
    pub(crate) pending_text: BTreeMap<u16, Vec<u8>>,
    pub(crate) version: u32,
    pub(crate) changes: crate::change::Changes,
    pub(crate) registry: Registry,
    /// Index = handle; 0 is nobody.
    pub(crate) instruments: Vec<Option<InstrumentLine>>,
    pub(crate) accounts: Vec<Option<AccountLine>>,
    pub(crate) strategies: Vec<Option<StrategyLine>>,
    /// Index = handle; 0 is none.
    pub(crate) sessions: Vec<SessionLine>,
    pub(crate) venues: Vec<VenueLine>,
    /// Whether a venue's state could refuse an order.
    pub(crate) venue_watch: bool,
    pub(crate) customers: Vec<usize>,
    pub(crate) desks: Vec<usize>,
    /// 0 is the firm.
    pub(crate) nodes: Vec<Node>,
    pub(crate) windows: Vec<Window>,
    pub(crate) sums: Vec<Sums>,
    /// What is located for the day, by account and instrument.
    pub(crate) locates: BTreeMap<u64, i64>,
    /// Ids accepted today, where the limits ask for it.
    pub(crate) day_ids: IdSet,
    /// When the day ends; 0 before the first input.
    pub(crate) next_roll: u64,
    pub(crate) ledgers: Option<crate::pnl::Ledgers>,
    pub(crate) has_trips: bool,
    /// Own orders by price, of nodes that refuse to meet them; derived.
    pub(crate) crossing: crate::crossing::Books,
    pub(crate) crosses: bool,
    /// Whether any of them cancels its own orders instead of refusing the new one.
    pub(crate) cancels_own: bool,
    pub(crate) holdings: Vec<Holding>,
    pub(crate) holding_index: HashMap<u64, u32, FxBuildHasher>,
    pub(crate) working: IdMap<Working>,
    /// Replace order id -> the order that it changes.
    pub(crate) replaces: IdMap<u64>,
    /// Order id -> its replaces, for the few orders that have any.
    pub(crate) replacing: IdMap<Replacing>,
    /// Orders that ended, as they were: a fill that comes late is still booked.
    pub(crate) ended: IdMap<Working>,
    /// Their ids, oldest first; bounded by count, so that replicas forget alike.
    pub(crate) ended_order: VecDeque<u64>,
    pub(crate) execs: IdSet,
    /// No order id in the tables above is higher; derived.
    pub(crate) id_max: u64,
    pub(crate) holds: BTreeMap<u64, crate::kill::Hold>,
    pub(crate) next_hold: u64,
    pub(crate) kill_epoch: u32,
    pub(crate) kill_seq: u64,
    pub(crate) last_ts: u64,
    pub(crate) decisions: u64,
    pub(crate) counters: Counters,
    /// What was counted when the day began.
    pub(crate) day_start: Counters,
    /// Entries that follow from what was folded.
    pub(crate) due: VecDeque<cwts_types::Body>,
    /// Whether a violation can be anything but a refusal; derived.
    pub(crate) lenient: bool,
    pub(crate) blocked: crate::severity::Blocked,
    /// The stage that each aggregate is in, where alerts are asked for; none below the first.
    pub(crate) stages: BTreeMap<crate::alerts::Place, u8>,
    /// Whether the last reading of the clock broke its bound, and was told.
    pub(crate) clock_is_off: bool,
}

/// An entry that cannot be folded: the log and this engine do not belong together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// A limits text that does not parse.
    #[error("limits version {version}: {errors}")]
    Limits {
        /// The version that it was to become.
        version: u32,
        /// What is wrong.
        errors: crate::limits::LimitErrors,
    },
    /// Versions grow by one, and all chunks must be there.
    #[error("limits version {version} does not follow {current}, or a chunk is missing")]
    Version {
        /// The version that it was to become.
        version: u32,
        /// The version in force.
        current: u32,
    },
    /// A registration that does not fit.
    #[error("register `{name}`: {why}")]
    Register {
        /// The name.
        name: String,
        /// What does not fit.
        why: String,
    },
    /// A change of the limits that does not fit.
    #[error("limits proposal {id}: {why}")]
    Change {
        /// The proposal.
        id: u64,
        /// What does not fit.
        why: String,
    },
    /// A kill or resume that does not fit.
    #[error("hold {hold}: {why}")]
    Hold {
        /// The hold.
        hold: u64,
        /// What does not fit.
        why: &'static str,
    },
    /// An override that does not fit.
    #[error("override of order {order_id}: {why}")]
    Override {
        /// The order.
        order_id: u64,
        /// What does not fit.
        why: String,
    },
    /// An entry that does not follow from those before.
    #[error("{name}: does not follow from the entries before")]
    NotDue {
        /// Its type.
        name: &'static str,
    },
    /// A state that was not made by this release.
    #[error("snapshot: {0}")]
    Snapshot(&'static str),
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine {
    /// An engine without limits: it refuses every order.
    pub fn new() -> Self {
        let counters = Counters::new();
        Self {
            file: LimitsFile::default(),
            text: Vec::new(),
            pending_text: BTreeMap::new(),
            version: 0,
            changes: crate::change::Changes::default(),
            registry: Registry::default(),
            instruments: vec![None],
            accounts: vec![None],
            strategies: vec![None],
            sessions: vec![SessionLine::default()],
            venues: vec![VenueLine::default()],
            venue_watch: false,
            customers: vec![0],
            desks: vec![0],
            nodes: vec![Node::new(Level::Firm, 0, None)],
            windows: Vec::new(),
            sums: Vec::new(),
            locates: BTreeMap::new(),
            day_ids: IdSet::default(),
            next_roll: 0,
            ledgers: None,
            has_trips: false,
            crossing: HashMap::default(),
            crosses: false,
            cancels_own: false,
            holdings: Vec::new(),
            holding_index: HashMap::default(),
            working: IdMap::default(),
            replaces: IdMap::default(),
            replacing: IdMap::default(),
            ended: IdMap::default(),
            ended_order: VecDeque::new(),
            execs: IdSet::default(),
            id_max: 0,
            holds: BTreeMap::new(),
            next_hold: 1,
            kill_epoch: 0,
            kill_seq: 0,
            last_ts: 0,
            decisions: 0,
            day_start: counters.clone(),
            counters,
            due: VecDeque::new(),
            lenient: false,
            blocked: crate::severity::Blocked::default(),
            stages: BTreeMap::new(),
            clock_is_off: false,
        }
    }

    /// The limits in force.
    pub fn limits(&self) -> &LimitsFile {
        &self.file
    }

    /// The text of the limits in force.
    pub fn limits_text(&self) -> &[u8] {
        &self.text
    }

    /// Version of the limits in force; 0 = none yet.
    pub fn limits_version(&self) -> u32 {
        self.version
    }

    /// Names and handles.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What was counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Decisions so far: the `producer_seq` of the next one.
    pub fn decisions(&self) -> u64 {
        self.decisions
    }

    /// Working orders.
    pub fn working_orders(&self) -> usize {
        self.working.len()
    }

    /// Ids that name a working order, or one that was replaced: what the tables hold.
    pub fn known_order_ids(&self) -> usize {
        self.working.len() + self.replaces.len()
    }

    /// Time of the newest input.
    pub fn last_ts(&self) -> u64 {
        self.last_ts
    }

    /// Position of an account in an instrument.
    pub fn position(&self, account: u32, instrument: u32) -> i64 {
        self.holding(account, instrument).map_or(0, |h| h.pos)
    }

    /// Takes a registration in.
    ///
    /// # Errors
    /// The handle is not the next one, or its parent is not registered.
    pub fn register(&mut self, register: &Register) -> Result<(), StepError> {
        let name = register.name.as_str();
        let parent_known = match register.kind {
            RegisterKind::Customer => (register.parent as usize) < self.desks.len(),
            RegisterKind::Account => (register.parent as usize) < self.customers.len(),
            RegisterKind::Instrument => register.parent <= self.registry.len(RegisterKind::Venue),
            _ => register.parent == 0,
        };
        if !parent_known {
            return Err(StepError::Register {
                name: name.to_owned(),
                why: format!("parent {} is not registered", register.parent),
            });
        }
        self.registry.insert(register)?;
        match register.kind {
            RegisterKind::Desk => {
                let node = self.add_node(Level::Desk, register.handle, 0, name);
                self.desks.push(node);
            }
            RegisterKind::Customer => {
                let parent = self.desks[register.parent as usize];
                let node = self.add_node(Level::Customer, register.handle, parent, name);
                self.customers.push(node);
            }
            RegisterKind::Account => {
                let parent = self.customers[register.parent as usize];
                let node = self.add_node(Level::Account, register.handle, parent, name);
                let rate = account_limits(&self.file, name).map(|l| l.message_rate);
                let rate = window(&mut self.windows, None, rate.unwrap_or_default());
                self.accounts.push(Some(account_line(&self.file, name, node, rate)));
            }
            RegisterKind::Strategy => {
                self.strategies.push(Some(StrategyLine::new()));
                self.limit_strategy(register.handle as usize);
            }
            RegisterKind::Instrument => {
                let rate = instrument_limits(&self.file, name).message_rate;
                let rate = window(&mut self.windows, None, rate);
                let line = instrument_line(&self.file, name, register.parent, rate);
                self.instruments.push(Some(line));
            }
            RegisterKind::Venue => {
                self.venues.push(VenueLine::default());
                self.limit_venue(register.handle as usize);
            }
            RegisterKind::Session => {
                self.sessions.push(SessionLine::default());
                self.limit_session(register.handle as usize);
                // Strategies that were registered before their session find it now.
                (1..self.strategies.len()).for_each(|handle| self.limit_strategy(handle));
            }
            RegisterKind::Actor => {}
        }
        if register.kind == RegisterKind::Account {
            self.list_account(register.handle, name);
        }
        // No hold, nothing to inherit; else each of many registrations would walk every line.
        if !self.holds.is_empty() {
            self.refresh_kill();
        }
        Ok(())
    }

    fn add_node(&mut self, level: Level, handle: u32, parent: usize, name: &str) -> usize {
        let mut node = Node::new(level, handle, Some(parent));
        limit_node(&self.file, &mut node, name);
        self.nodes.push(node);
        let index = self.nodes.len() - 1;
        self.limit_sums(index);
        self.find_books(index);
        index
    }

    /// Puts a limits text in force: every line is compiled again, positions and windows stay.
    ///
    /// # Errors
    /// The text does not parse, or the version does not follow; nothing has changed then.
    pub fn activate(&mut self, version: u32, text: &[u8]) -> Result<(), StepError> {
        if version != self.version.saturating_add(1) {
            return Err(StepError::Version { version, current: self.version });
        }
        let limits = |errors| StepError::Limits { version, errors };
        let source = crate::limits::utf8(text).map_err(limits)?;
        let file = crate::limits::parse(source).map_err(limits)?;
        self.file = file;
        text.clone_into(&mut self.text);
        self.version = version;
        self.compile();
        Ok(())
    }

    pub(crate) fn compile(&mut self) {
        let file = &self.file;
        for handle in 1..self.accounts.len() {
            let name = self.registry.name(RegisterKind::Account, handle as u32).unwrap_or("");
            let Some(line) = &mut self.accounts[handle] else { continue };
            let rate = account_limits(file, name).map(|l| l.message_rate).unwrap_or_default();
            let rate = window(&mut self.windows, line.rate, rate);
            *line = account_line(file, name, line.node, rate);
        }
        for handle in 1..self.instruments.len() {
            let symbol = self.registry.name(RegisterKind::Instrument, handle as u32).unwrap_or("");
            let Some(line) = &mut self.instruments[handle] else { continue };
            let rate = instrument_limits(file, symbol).message_rate;
            let rate = window(&mut self.windows, line.rate, rate);
            let mut fresh = instrument_line(file, symbol, line.venue, rate);
            if let Some((px, ts)) = line.reference {
                fresh.set_reference(px, ts);
            }
            std::mem::swap(&mut fresh.market, &mut line.market);
            fresh.watch = fresh.rules.watches(&fresh.market);
            *line = fresh;
        }
        for node in &mut self.nodes {
            let name = crate::tables::node_kind(node.level)
                .and_then(|kind| self.registry.name(kind, node.handle))
                .unwrap_or("");
            limit_node(file, node, name);
        }
        (1..self.venues.len()).for_each(|handle| self.limit_venue(handle));
        (1..self.sessions.len()).for_each(|handle| self.limit_session(handle));
        (1..self.strategies.len()).for_each(|handle| self.limit_strategy(handle));
        (0..self.nodes.len()).for_each(|index| self.limit_sums(index));
        for index in 0..self.holdings.len() {
            let key = self.holdings[index].key;
            let limits = self.limits_of_holding((key >> 32) as u32, key as u32);
            self.holdings[index].limits = limits;
        }
        self.next_roll = if self.next_roll == 0 { 0 } else { self.roll_after(self.last_ts) };
        self.recount_margins();
        self.rebuild_crossing();
        self.refresh_severity();
        self.start_pnl();
        self.refresh_kill();
    }

    /// Time as the controls see it: it never steps back.
    pub(crate) fn advance(&mut self, ts: u64) -> u64 {
        if ts < self.last_ts {
            self.counters.time_back += 1;
        } else {
            self.last_ts = ts;
            self.roll_to(ts);
        }
        self.last_ts
    }

    /// Applies any entry. Orders give a decision; entries of other rooms change nothing.
    ///
    /// # Errors
    /// The entry does not fit the state: the log and this engine do not belong together.
    pub fn step(&mut self, index: u64, entry: &Entry) -> Result<Option<crate::Outcome>, StepError> {
        use cwts_types::{Body, ConfigKind};
        match &entry.body {
            Body::Order(order, _) => {
                let replayed = entry.header.flags & cwts_types::entry_flag::REPLAYED != 0;
                return Ok(Some(self.decide(order, replayed)));
            }
            Body::Exec(exec) => {
                self.exec(exec);
            }
            Body::Reference(reference) => {
                self.reference_entry(reference);
            }
            Body::Session(session) => {
                self.advance(u64::try_from(entry.header.utc_ns).unwrap_or(0));
                self.session_entry(*session);
            }
            Body::Locate(locate) => {
                self.advance(u64::try_from(entry.header.utc_ns).unwrap_or(0));
                self.locate_entry(locate);
            }
            Body::Config(config) if config.kind == ConfigKind::Limits => {
                if config.part == 0 {
                    self.pending_text.clear();
                }
                if self.pending_text.len() < CHUNKS_MAX {
                    self.pending_text.insert(config.part, config.text.clone());
                }
            }
            Body::LimitPropose(_)
            | Body::LimitApprove(_)
            | Body::LimitActivate(_)
            | Body::LimitExpire(_) => self.change(index, entry)?,
            Body::Register(register) => self.register(register)?,
            Body::Kill(kill) => self.kill(index, kill)?,
            Body::Resume(resume) => self.resume(index, resume)?,
            Body::Override(said) => {
                let now = self.advance(u64::try_from(entry.header.utc_ns).unwrap_or(0));
                self.override_entry(said, now)?;
            }
            Body::Clock(clock) => self.clock_entry(clock),
            body @ (Body::Alert(_) | Body::TriggerCounts(_)) => self.take_expected(body)?,
            Body::ReleaseDenied(denied) => self.deny_release(denied.order_id),
            Body::Tick => {
                self.advance(u64::try_from(entry.header.utc_ns).unwrap_or(0));
            }
            _ => {}
        }
        Ok(None)
    }

    pub(crate) fn count_refusal(&mut self, reasons: cwts_types::Reasons) {
        for control in reasons.iter() {
            self.counters.by_bit[control as usize] += 1;
        }
        if let Some(first) = reasons.first() {
            self.counters.by_first[first as usize] += 1;
        }
    }

    /// How often each control refused, by name.
    pub fn refusals(&self) -> Vec<(Control, u64)> {
        let rows = cwts_types::CONTROLS.iter().zip(&self.counters.by_bit);
        rows.filter(|(_, n)| **n > 0).map(|(row, n)| (row.control, *n)).collect()
    }
}

/// Chunks of one limits text: 64 of 64 KiB hold the largest file.
const CHUNKS_MAX: usize = 128;

//! The state as bytes, and back. Equal states give equal bytes: maps are written sorted.

use std::collections::{BTreeMap, VecDeque};

use cwts_types::{Entry, Header, Order, Register, RegisterKind};
use serde::{Deserialize, Serialize};

use crate::caps::{Latch, Tally};
use crate::counters::Counters;
use crate::engine::{Engine, StepError};
use crate::holding::Holding;
use crate::kill::Hold;
use crate::market::Market;
use crate::pnl::Ledgers;
use crate::window::{Sums, Window};
use crate::working::{Replacing, Working};

/// Everything that the tables do not give again.
#[derive(Serialize, Deserialize)]
struct Image {
    format: u32,
    text: Vec<u8>,
    pending_text: BTreeMap<u16, Vec<u8>>,
    version: u32,
    changes: crate::change::Changes,
    names: Vec<(u8, u32, String)>,
    /// In order of creation: parent first.
    node_order: Vec<(u8, u32)>,
    nodes: Vec<NodeImage>,
    references: Vec<Option<(i64, u64)>>,
    markets: Vec<Market>,
    strategies: Vec<(Tally, Latch)>,
    sessions: Vec<bool>,
    venues: Vec<(Option<u8>, bool)>,
    venue_watch: bool,
    /// Places of windows, line by line.
    rates: Vec<Option<u64>>,
    windows: Vec<Window>,
    /// Places of sums, line by line.
    sums_at: Vec<Option<u64>>,
    sums: Vec<Sums>,
    locates: Vec<(u64, i64)>,
    day_ids: Vec<u64>,
    next_roll: u64,
    ledgers: Option<Ledgers>,
    holdings: Vec<Holding>,
    working: Vec<(u64, Working)>,
    replaces: Vec<(u64, u64)>,
    replacing: Vec<(u64, Replacing)>,
    ended: Vec<(u64, Working)>,
    ended_order: VecDeque<u64>,
    execs: Vec<u64>,
    holds: Vec<Hold>,
    next_hold: u64,
    kill_epoch: u32,
    kill_seq: u64,
    last_ts: u64,
    decisions: u64,
    counters: Counters,
    day_start: Counters,
    /// Entries, as their bytes.
    due: Vec<Vec<u8>>,
    /// Records of orders that were blocked softly.
    blocked: Vec<Vec<u8>>,
    granted: BTreeMap<u64, crate::severity::Granted>,
    stages: BTreeMap<crate::alerts::Place, u8>,
    clock_is_off: bool,
}

impl Engine {
    /// The whole state as canonical bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut working: Vec<_> = self.working.iter().map(|(k, v)| (*k, *v)).collect();
        working.sort_unstable_by_key(|row| row.0);
        let mut replaces: Vec<_> = self.replaces.iter().map(|(k, v)| (*k, *v)).collect();
        replaces.sort_unstable();
        let mut replacing: Vec<_> = self.replacing.iter().map(|(k, v)| (*k, v.clone())).collect();
        replacing.sort_unstable_by_key(|row| row.0);
        let mut ended: Vec<_> = self.ended.iter().map(|(k, v)| (*k, *v)).collect();
        ended.sort_unstable_by_key(|row| row.0);
        let mut execs: Vec<u64> = self.execs.iter().copied().collect();
        execs.sort_unstable();
        let mut day_ids: Vec<u64> = self.day_ids.iter().copied().collect();
        day_ids.sort_unstable();
        let image = Image {
            format: FORMAT,
            text: self.text.clone(),
            pending_text: self.pending_text.clone(),
            version: self.version,
            changes: self.changes.clone(),
            names: self
                .registry
                .rows()
                .into_iter()
                .map(|r| (r.kind as u8, r.parent, r.name))
                .collect(),
            node_order: self.nodes.iter().map(|n| (n.level as u8, n.handle)).collect(),
            nodes: self
                .nodes
                .iter()
                .map(|n| NodeImage {
                    sums: [n.open, n.held, n.peak, n.peak_open, n.open_buy, n.net, n.day],
                    last_ts: n.last_ts,
                    tally: n.tally,
                })
                .collect(),
            references: self.instruments.iter().flatten().map(|l| l.reference).collect(),
            markets: self.instruments.iter().flatten().map(|l| (*l.market).clone()).collect(),
            strategies: self
                .strategies
                .iter()
                .flatten()
                .map(|l| (l.tally, l.fills_latch))
                .collect(),
            sessions: self.sessions.iter().map(|l| l.is_down).collect(),
            venues: self.venues.iter().map(|l| (l.phase, l.reconciling)).collect(),
            venue_watch: self.venue_watch,
            rates: self.rates(),
            windows: self.windows.clone(),
            sums_at: self.sums_at(),
            sums: self.sums.clone(),
            locates: self.locates.iter().map(|(k, v)| (*k, *v)).collect(),
            day_ids,
            next_roll: self.next_roll,
            ledgers: self.ledgers.clone(),
            holdings: self.holdings.clone(),
            working,
            replaces,
            replacing,
            ended,
            ended_order: self.ended_order.clone(),
            execs,
            holds: self.holds.values().cloned().collect(),
            next_hold: self.next_hold,
            kill_epoch: self.kill_epoch,
            kill_seq: self.kill_seq,
            last_ts: self.last_ts,
            decisions: self.decisions,
            counters: self.counters.clone(),
            day_start: self.day_start.clone(),
            due: self
                .due
                .iter()
                .map(|body| Entry { header: Header::default(), body: body.clone() }.to_bytes())
                .collect(),
            blocked: self.blocked.orders.iter().map(|o| o.to_bytes().to_vec()).collect(),
            granted: self.blocked.granted.clone(),
            stages: self.stages.clone(),
            clock_is_off: self.clock_is_off,
        };
        // A Vec grows as it must; the serialiser has no other way to fail.
        postcard::to_allocvec(&image).unwrap_or_default()
    }

    /// The engine with this state.
    ///
    /// # Errors
    /// The bytes are not a snapshot of this release.
    pub fn restore(bytes: &[u8]) -> Result<Self, StepError> {
        let broken = StepError::Snapshot("not a snapshot of this release");
        let image: Image = postcard::from_bytes(bytes).map_err(|_| broken.clone())?;
        if image.format != FORMAT {
            return Err(broken);
        }
        let mut engine = Self::new();
        if image.version > 0 {
            engine.version = image.version - 1;
            engine.activate(image.version, &image.text)?;
        }
        engine.register_all(&image)?;
        let instruments = engine.instruments.iter_mut().flatten();
        for (line, reference) in instruments.zip(&image.references) {
            if let Some((px, ts)) = *reference {
                line.set_reference(px, ts);
            }
        }
        if image.nodes.len() != engine.nodes.len() {
            return Err(broken);
        }
        for (node, row) in engine.nodes.iter_mut().zip(&image.nodes) {
            [node.open, node.held, node.peak, node.peak_open, node.open_buy, node.net, node.day] =
                row.sums;
            node.last_ts = row.last_ts;
            node.tally = row.tally;
        }
        let known = |len: usize| move |r: &Option<u64>| r.is_none_or(|r| (r as usize) < len);
        if !image.rates.iter().all(known(image.windows.len()))
            || !image.sums_at.iter().all(known(image.sums.len()))
            || image.rates.len() != engine.rates_mut().count()
            || image.sums_at.len() != engine.sums_mut().count()
            || !engine.holds_together(&image)
        {
            return Err(broken);
        }
        for (place, at) in engine.rates_mut().zip(&image.rates) {
            *place = at.map(|r| r as usize);
        }
        for (place, at) in engine.sums_mut().zip(&image.sums_at) {
            *place = at.map(|r| r as usize);
        }
        engine.windows = image.windows;
        engine.sums = image.sums;
        for (line, market) in engine.instruments.iter_mut().flatten().zip(image.markets) {
            *line.market = market;
            line.watch = line.rules.watches(&line.market);
        }
        for (line, (tally, latch)) in engine.strategies.iter_mut().flatten().zip(image.strategies) {
            line.tally = tally;
            line.fills_latch = latch;
            line.watch = line.watches();
        }
        for (line, is_down) in engine.sessions.iter_mut().zip(image.sessions) {
            line.is_down = is_down;
        }
        for (line, (phase, reconciling)) in engine.venues.iter_mut().zip(image.venues) {
            line.phase = phase;
            line.reconciling = reconciling;
        }
        engine.venue_watch = image.venue_watch;
        engine.locates = image.locates.into_iter().collect();
        engine.day_ids = image.day_ids.into_iter().collect();
        engine.next_roll = image.next_roll;
        engine.ledgers = image.ledgers;
        let mut holdings = image.holdings;
        for (i, holding) in holdings.iter_mut().enumerate() {
            let (account, instrument) = ((holding.key >> 32) as u32, holding.key as u32);
            holding.limits = engine.limits_of_holding(account, instrument);
            engine.holding_index.insert(holding.key, i as u32);
        }
        engine.holdings = holdings;
        engine.working = image.working.into_iter().collect();
        engine.replaces = image.replaces.into_iter().collect();
        engine.replacing = image.replacing.into_iter().collect();
        engine.ended = image.ended.into_iter().collect();
        engine.ended_order = image.ended_order;
        engine.execs = image.execs.into_iter().collect();
        let ids = engine.working.keys().chain(engine.replaces.keys()).chain(engine.ended.keys());
        engine.id_max = ids.chain(&engine.day_ids).copied().max().unwrap_or(0);
        engine.holds = image.holds.into_iter().map(|h| (h.id, h)).collect();
        engine.next_hold = image.next_hold;
        engine.kill_epoch = image.kill_epoch;
        engine.kill_seq = image.kill_seq;
        engine.last_ts = image.last_ts;
        engine.decisions = image.decisions;
        engine.counters = image.counters;
        engine.day_start = image.day_start;
        for bytes in &image.due {
            engine.due.push_back(Entry::decode(bytes).map_err(|_| broken.clone())?.body);
        }
        for bytes in &image.blocked {
            let record = bytes.as_slice().try_into().map_err(|_| broken.clone())?;
            engine.blocked.orders.push_back(Order::from_bytes(record));
        }
        engine.blocked.granted = image.granted;
        engine.stages = image.stages;
        engine.clock_is_off = image.clock_is_off;
        engine.pending_text = image.pending_text;
        // Margins are in the holdings; their sums and the own orders by price follow from them.
        for index in 0..engine.holdings.len() {
            engine.holdings[index].margin = 0;
        }
        engine.recount_margins();
        engine.rebuild_crossing();
        engine.has_trips = !engine.trips().is_empty();
        engine.changes = image.changes;
        engine.refresh_kill();
        Ok(engine)
    }

    /// Whether every index of the image points at something, and every sum can be taken apart
    /// again: bytes that were changed on the way must not become a panic later.
    fn holds_together(&self, image: &Image) -> bool {
        let account = |h: u32| self.accounts.get(h as usize).is_some_and(Option::is_some);
        let instrument = |h: u32| self.instruments.get(h as usize).is_some_and(Option::is_some);
        let holding = |h: &Holding| account((h.key >> 32) as u32) && instrument(h.key as u32);
        let working = |w: &Working| {
            (w.holding as usize) < image.holdings.len()
                && account(w.account)
                && instrument(w.instrument)
                && w.terms.qty >= 0
                && w.cum >= 0
                && w.notional.is_sound()
        };
        image.holdings.iter().all(holding)
            && image.working.iter().chain(&image.ended).all(|row| working(&row.1))
            && image.replacing.iter().flat_map(|row| &row.1.pending).all(|p| p.terms.qty >= 0)
            && image.windows.iter().all(Window::is_sound)
            && image.counters.is_sound()
            && image.day_start.is_sound()
    }

    /// Registers every name again, nodes in their order of creation.
    fn register_all(&mut self, image: &Image) -> Result<(), StepError> {
        let mut rows: BTreeMap<RegisterKind, Vec<(u32, &str)>> = BTreeMap::new();
        for (kind, parent, name) in &image.names {
            let kind = RegisterKind::from_code(*kind).ok_or(StepError::Snapshot("names"))?;
            rows.entry(kind).or_default().push((*parent, name));
        }
        let mut order: Vec<(RegisterKind, u32)> = Vec::new();
        for (level, handle) in &image.node_order {
            let level = cwts_types::Level::from_code(*level);
            if let Some(kind) = level.and_then(crate::tables::node_kind) {
                order.push((kind, *handle));
            }
        }
        for kind in [
            RegisterKind::Venue,
            RegisterKind::Session,
            RegisterKind::Strategy,
            RegisterKind::Instrument,
            RegisterKind::Actor,
        ] {
            let count = rows.get(&kind).map_or(0, Vec::len) as u32;
            order.extend((1..=count).map(|handle| (kind, handle)));
        }
        for (kind, handle) in order {
            let row = rows.get(&kind).and_then(|r| r.get((handle as usize).wrapping_sub(1)));
            let (parent, name) = row.copied().ok_or(StepError::Snapshot("names"))?;
            let name = name.to_owned();
            self.register(&Register { kind, handle, parent, salt: [0; 16], name })?;
        }
        Ok(())
    }
}

/// A node's state.
#[derive(Serialize, Deserialize)]
struct NodeImage {
    /// open, held, peak, peak of open, open to buy, net cost, filled today.
    sums: [i64; 7],
    last_ts: u64,
    tally: Tally,
}

impl Engine {
    /// What [`Engine::rates_mut`] goes over.
    fn rates(&self) -> Vec<Option<u64>> {
        let accounts = self.accounts.iter().flatten().map(|l| l.rate);
        let strategies = self.strategies.iter().flatten();
        let strategies = strategies.flat_map(|l| [l.rate, l.attempts, l.fills]);
        let instruments = self.instruments.iter().flatten().map(|l| l.rate);
        let sessions = self.sessions.iter().flat_map(|l| [l.rate, l.attempts]);
        let venues = self.venues.iter().map(|l| l.rate);
        let all = accounts.chain(strategies).chain(instruments).chain(sessions).chain(venues);
        all.map(|place| place.map(|at| at as u64)).collect()
    }

    /// What [`Engine::sums_mut`] goes over.
    fn sums_at(&self) -> Vec<Option<u64>> {
        let nodes = self.nodes.iter().map(|n| n.sums);
        let all = nodes.chain(self.strategies.iter().flatten().map(|l| l.sums));
        all.map(|place| place.map(|at| at as u64)).collect()
    }

    /// Every place of a window, in a fixed order.
    fn rates_mut(&mut self) -> impl Iterator<Item = &mut Option<usize>> {
        let accounts = self.accounts.iter_mut().flatten().map(|l| &mut l.rate);
        let strategies = self.strategies.iter_mut().flatten();
        let strategies = strategies.flat_map(|l| [&mut l.rate, &mut l.attempts, &mut l.fills]);
        let instruments = self.instruments.iter_mut().flatten().map(|l| &mut l.rate);
        let sessions = self.sessions.iter_mut().flat_map(|l| [&mut l.rate, &mut l.attempts]);
        let venues = self.venues.iter_mut().map(|l| &mut l.rate);
        accounts.chain(strategies).chain(instruments).chain(sessions).chain(venues)
    }

    /// Every place of a sum, in a fixed order.
    fn sums_mut(&mut self) -> impl Iterator<Item = &mut Option<usize>> {
        let nodes = self.nodes.iter_mut().map(|n| &mut n.sums);
        nodes.chain(self.strategies.iter_mut().flatten().map(|l| &mut l.sums))
    }
}

/// Layout of [`Image`].
const FORMAT: u32 = 4;

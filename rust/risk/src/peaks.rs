//! The highest use of limits whose peak the engine does not keep: an observer beside it.
//!
//! Deciding pays nothing for it. Who reads a log or replays a file shows it each entry after the
//! engine took it; it looks at what that entry could have raised, and at nothing at all while no
//! such limit is set. Law: it has what looking at every use after every entry finds.

use cwts_types::{Body, Exec, Order};

use crate::compared::COMPARED;
use crate::engine::Engine;
use crate::limits::{Aggregates, LimitsFile};
use crate::usage::Use;

/// The highest use so far, by row of [`COMPARED`] and place.
#[derive(Debug, Clone, Default)]
pub struct Peaks {
    most: Vec<Vec<i64>>,
    version: u32,
    looks: bool,
}

impl Peaks {
    /// An observer that has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks after an entry that the engine has taken.
    pub fn entry(&mut self, engine: &Engine, body: &Body) {
        match body {
            Body::Order(order, _) => self.order(engine, order),
            Body::Exec(exec) => self.exec(engine, exec),
            Body::Reference(reference) => self.reference(engine, reference.instrument),
            Body::LimitActivate(_) | Body::LimitExpire(_) => _ = self.is_idle(engine),
            Body::Locate(locate) if !self.is_idle(engine) => {
                self.owners(engine, locate.account, 0, locate.instrument);
            }
            _ => {}
        }
    }

    /// Looks after an order was decided.
    pub fn order(&mut self, engine: &Engine, order: &Order) {
        if !self.is_idle(engine) {
            self.owners(engine, order.account, order.strategy, order.instrument);
        }
    }

    /// Looks after an execution report.
    pub fn exec(&mut self, engine: &Engine, exec: &Exec) {
        if self.is_idle(engine) {
            return;
        }
        let named = exec.order_id;
        let replaced = engine.replaces.get(&named).copied().unwrap_or(named);
        let ids = [named, replaced];
        let working = ids.iter().find_map(|id| engine.working.get(id));
        if let Some(order) = working.or_else(|| ids.iter().find_map(|id| engine.ended.get(id))) {
            self.owners(engine, order.account, order.strategy, order.instrument);
        }
    }

    /// Looks after a reference price: whoever holds the instrument may have lost.
    pub fn reference(&mut self, engine: &Engine, instrument: u32) {
        if self.is_idle(engine) {
            return;
        }
        let Some(ledgers) = &engine.ledgers else { return };
        for (_, kind, owner) in
            ledgers.range((instrument, 0, 0)..=(instrument, u8::MAX, u32::MAX)).map(|row| *row.0)
        {
            if kind == crate::pnl::STRATEGY {
                engine.strategy_uses(owner as usize, &mut |found| raise(&mut self.most, found));
            } else {
                self.chain(engine, owner);
            }
        }
    }

    /// The highest use of a row at a place.
    pub(crate) fn most(&self, row: usize, place: u32) -> Option<i64> {
        let most = *self.most.get(row)?.get(place as usize)?;
        (most != i64::MIN).then_some(most)
    }

    /// Whether there is nothing to look at. New limits show what was in use before them.
    #[inline]
    fn is_idle(&mut self, engine: &Engine) -> bool {
        if self.version != engine.version {
            self.version = engine.version;
            self.looks = is_limited(&engine.file);
            if self.looks {
                engine.each_use(&mut |found| raise(&mut self.most, found));
            }
        }
        !self.looks
    }

    fn owners(&mut self, engine: &Engine, account: u32, strategy: u32, instrument: u32) {
        self.chain(engine, account);
        engine.strategy_uses(strategy as usize, &mut |found| raise(&mut self.most, found));
        let key = crate::holding::holding_key(account, instrument);
        if let Some(index) = engine.holding_index.get(&key) {
            engine.holding_uses(*index as usize, &mut |found| raise(&mut self.most, found));
        }
    }

    /// An account and the nodes above it.
    fn chain(&mut self, engine: &Engine, account: u32) {
        let line = engine.accounts.get(account as usize).and_then(Option::as_ref);
        let mut at = line.map(|line| line.node);
        while let Some(index) = at {
            engine.node_uses(index, &mut |found| raise(&mut self.most, found));
            at = engine.nodes[index].parent;
        }
    }
}

fn raise(most: &mut Vec<Vec<i64>>, found: Use) {
    if found.peak.is_some() {
        return;
    }
    if most.is_empty() {
        most.resize(COMPARED.len(), Vec::new());
    }
    let places = &mut most[found.row];
    let place = found.place as usize;
    if place >= places.len() {
        // Handles and holdings count up: as long as there are scopes.
        places.resize(place + 1, i64::MIN);
    }
    places[place] = places[place].max(found.used);
}

/// Whether a file has a limit whose peak the engine does not keep.
fn is_limited(file: &LimitsFile) -> bool {
    let mut instruments = file.groups.values().chain(file.instruments.values());
    file.buying_power
        || file.aggregates().any(|sums| *sums != Aggregates::default())
        || instruments.any(|limits| limits.reg_sho == Some(true))
        || file.accounts.values().any(|account| {
            account.cash.is_set()
                || account.daily_qty.is_set()
                || account.instrument.values().any(|own| own.daily_qty.is_set())
        })
}

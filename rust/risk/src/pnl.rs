//! P&L of the day, and the latches on it.
//!
//! Kept from the first limits on that have a loss limit or a drawdown. P&L is the cash of fills
//! (sales in, purchases out) and the value of what is held at the last reference, each rounded
//! away from zero to micros; it starts at 0 each day.

use std::collections::BTreeMap;

use cwts_types::{Control, Level, Scope, ScopeKind};
use serde::{Deserialize, Serialize};

use crate::caps::{Caps, Latch, Tally};
use crate::engine::Engine;
use crate::limits::Aggregates;
use crate::working::Working;

/// A latch for which no hold stands yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trip {
    /// What latched.
    pub control: Control,
    /// Where.
    pub scope: Scope,
    /// What was observed: micros lost, or fills.
    pub observed: i64,
    /// The limit.
    pub limit: i64,
}

/// One owner in one instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Ledger {
    pub(crate) pos: i64,
    pub(crate) cash: i64,
    /// Price of the last fill: the mark of an instrument without a reference.
    pub(crate) last_px: i64,
    pub(crate) pnl: i64,
}

/// Ledgers by instrument, kind of owner (0 account, 1 strategy) and owner.
pub(crate) type Ledgers = BTreeMap<(u32, u8, u32), Ledger>;

const ACCOUNT: u8 = 0;
pub(crate) const STRATEGY: u8 = 1;

impl Engine {
    /// Starts to keep P&L if the limits ask for it; what is held counts from here on.
    pub(crate) fn start_pnl(&mut self) {
        let asks = |a: &Aggregates| a.loss_limit.is_some() || a.drawdown.is_some();
        if self.ledgers.is_some() || !self.file.aggregates().any(asks) {
            return;
        }
        let mut ledgers = Ledgers::new();
        for holding in &self.holdings {
            let (account, instrument) = ((holding.key >> 32) as u32, holding.key as u32);
            let mut ledger = Ledger { pos: holding.pos, ..Ledger::default() };
            ledger.cash = self.value(instrument, ledger.mark(self, instrument), ledger.pos);
            ledger.cash = ledger.cash.saturating_neg();
            ledgers.insert((instrument, ACCOUNT, account), ledger);
        }
        self.ledgers = Some(ledgers);
    }

    /// Value of a position in micros, with the signs of both.
    fn value(&self, instrument: u32, px: i64, qty: i64) -> i64 {
        let line = self.instruments.get(instrument as usize).and_then(Option::as_ref);
        let micros = line.and_then(|l| l.notional.micros(px.unsigned_abs(), qty.unsigned_abs()));
        let size = micros.unwrap_or(i64::MAX);
        if (px < 0) == (qty < 0) { size } else { -size }
    }

    /// Books a fill of `signed` units at `px` to its account and its strategy.
    pub(crate) fn pnl_fill(&mut self, working: &Working, signed: i64, px: i64) {
        let Some(mut ledgers) = self.ledgers.take() else { return };
        let instrument = working.instrument;
        let spent = self.value(instrument, px, signed);
        for (kind, owner) in [(ACCOUNT, working.account), (STRATEGY, working.strategy)] {
            let ledger = ledgers.entry((instrument, kind, owner)).or_default();
            ledger.cash = ledger.cash.saturating_sub(spent);
            ledger.pos = ledger.pos.saturating_add(signed);
            ledger.last_px = px;
            let change = self.remark(instrument, ledger);
            self.move_pnl(kind, owner, change, true);
        }
        self.ledgers = Some(ledgers);
    }

    /// The reference of an instrument moved: everybody who holds it is marked again.
    pub(crate) fn pnl_mark(&mut self, instrument: u32) {
        let Some(mut ledgers) = self.ledgers.take() else { return };
        let first = (instrument, 0, 0);
        let last = (instrument, u8::MAX, u32::MAX);
        // Changes first: a node above two holders is marked once, with both.
        let mut nodes: BTreeMap<usize, i64> = BTreeMap::new();
        let mut strategies: Vec<(u32, i64)> = Vec::new();
        for ((_, kind, owner), ledger) in ledgers.range_mut(first..=last) {
            let change = self.remark(instrument, ledger);
            if *kind == STRATEGY {
                strategies.push((*owner, change));
                continue;
            }
            let mut at = self.account_node(*owner);
            while let Some(index) = at {
                let sum = nodes.entry(index).or_default();
                *sum = sum.saturating_add(change);
                at = self.nodes[index].parent;
            }
        }
        for (index, change) in nodes {
            let node = &mut self.nodes[index];
            let pnl = node.tally.pnl.saturating_add(change);
            node.tally.mark(pnl, &node.caps, false);
            self.has_trips |= node.tally.latched.contains(&Latch::Tripped);
        }
        for (owner, change) in strategies {
            self.move_pnl(STRATEGY, owner, change, false);
        }
        self.ledgers = Some(ledgers);
    }

    /// Values a ledger again; gives the change.
    fn remark(&self, instrument: u32, ledger: &mut Ledger) -> i64 {
        let held = self.value(instrument, ledger.mark(self, instrument), ledger.pos);
        let pnl = ledger.cash.saturating_add(held);
        let change = pnl.saturating_sub(ledger.pnl);
        ledger.pnl = pnl;
        change
    }

    fn account_node(&self, account: u32) -> Option<usize> {
        self.accounts.get(account as usize)?.as_ref().map(|line| line.node)
    }

    fn move_pnl(&mut self, kind: u8, owner: u32, change: i64, is_fill: bool) {
        if kind == STRATEGY {
            let Some(Some(line)) = self.strategies.get_mut(owner as usize) else { return };
            let pnl = line.tally.pnl.saturating_add(change);
            line.tally.mark(pnl, &line.caps, is_fill);
            self.has_trips |= line.tally.latched.contains(&Latch::Tripped);
            return;
        }
        let mut at = self.account_node(owner);
        while let Some(index) = at {
            let node = &mut self.nodes[index];
            let pnl = node.tally.pnl.saturating_add(change);
            node.tally.mark(pnl, &node.caps, is_fill);
            self.has_trips |= node.tally.latched.contains(&Latch::Tripped);
            at = node.parent;
        }
    }

    /// A new day: everybody's P&L starts at 0.
    pub(crate) fn roll_pnl(&mut self) {
        let Some(mut ledgers) = self.ledgers.take() else { return };
        ledgers.retain(|_, ledger| ledger.pos != 0);
        for ((instrument, _, _), ledger) in &mut ledgers {
            let held = self.value(*instrument, ledger.mark(self, *instrument), ledger.pos);
            ledger.cash = held.saturating_neg();
            ledger.pnl = 0;
        }
        self.ledgers = Some(ledgers);
    }

    /// Whether a latch waits for its hold: one comparison for whoever asks after each input.
    #[inline]
    pub fn has_trips(&self) -> bool {
        self.has_trips
    }

    /// Latches for which no hold stands yet, in a fixed order.
    pub fn trips(&self) -> Vec<Trip> {
        let mut out = Vec::new();
        for node in &self.nodes {
            look(&mut out, &node.tally, &node.caps, node.scope());
        }
        for (handle, line) in self.strategies.iter().enumerate() {
            let Some(line) = line else { continue };
            let scope = Scope { kind: ScopeKind::Strategy, handle: handle as u32 };
            look(&mut out, &line.tally, &line.caps, scope);
            if line.fills_latch == Latch::Tripped {
                let limit = line.fills.map_or(0, |w| i64::from(self.windows[w].max));
                let control = Control::RepeatedExecution;
                out.push(Trip { control, scope, observed: limit, limit });
            }
        }
        out
    }

    /// A hold of the gateway's own stands for what latched on this scope and has none.
    pub(crate) fn hold_latches(&mut self, scope: Scope, hold: u64) {
        self.each_latch(scope, |latch| {
            if *latch == Latch::Tripped {
                *latch = Latch::Held(hold);
            }
        });
        self.has_trips = !self.trips().is_empty();
    }

    /// That hold was lifted: the latches with it.
    pub(crate) fn open_latches(&mut self, scope: Scope, hold: u64) {
        self.each_latch(scope, |latch| {
            if *latch == Latch::Held(hold) {
                *latch = Latch::Open;
            }
        });
    }

    fn each_latch(&mut self, scope: Scope, mut change: impl FnMut(&mut Latch)) {
        if scope.kind == ScopeKind::Strategy {
            let Some(Some(line)) = self.strategies.get_mut(scope.handle as usize) else { return };
            line.tally.latched.iter_mut().for_each(&mut change);
            change(&mut line.fills_latch);
            return;
        }
        for node in &mut self.nodes {
            if node.scope() == scope {
                node.tally.latched.iter_mut().for_each(&mut change);
            }
        }
    }
}

/// Adds what has latched here and has no hold yet.
fn look(out: &mut Vec<Trip>, tally: &Tally, caps: &Caps, scope: Scope) {
    for (latch, (control, limit, observed)) in tally.latched.iter().zip(tally.lost(caps)) {
        if *latch == Latch::Tripped {
            let limit = limit.map_or(0, |limit| limit.max);
            out.push(Trip { control, scope, observed, limit });
        }
    }
}

impl Ledger {
    fn mark(&self, engine: &Engine, instrument: u32) -> i64 {
        let line = engine.instruments.get(instrument as usize).and_then(Option::as_ref);
        line.and_then(|line| line.reference).map_or(self.last_px, |reference| reference.0)
    }
}

impl crate::tables::Node {
    /// The node as something that can be halted.
    pub(crate) fn scope(&self) -> Scope {
        match self.level {
            Level::Account => Scope { kind: ScopeKind::Account, handle: self.handle },
            Level::Customer => Scope { kind: ScopeKind::Customer, handle: self.handle },
            Level::Desk => Scope { kind: ScopeKind::Desk, handle: self.handle },
            _ => Scope::FIRM,
        }
    }
}

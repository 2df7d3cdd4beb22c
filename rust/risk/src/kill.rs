//! Holds: who stopped what, and the state that follows for every scope.
//!
//! Source: design note "risk", section 6. A state is the maximum over holds; a kill adds one, a
//! resume removes one by its number.

use cwts_types::{Kill, KillState, Level, RegisterKind, Resume, Scope, ScopeKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::engine::{Engine, StepError};
use crate::limits::Right;
use crate::tables::kill_bit;

/// One hold in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Number; grows by one.
    pub id: u64,
    /// Kind of scope, as its code.
    pub scope_kind: u8,
    /// Handle of the scope.
    pub scope: u32,
    /// [`KillState`] as its code.
    pub state: u8,
    /// Who may lift it: this rank or higher.
    pub rank: u8,
    /// Whether reducing orders pass.
    pub allow_reduce: bool,
    /// Log index of the KILL entry.
    pub seq: u64,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
}

impl Hold {
    /// Where it holds.
    pub fn at(&self) -> Scope {
        let kind = ScopeKind::from_code(self.scope_kind).unwrap_or(ScopeKind::Firm);
        Scope { kind, handle: self.scope }
    }

    /// What it sets.
    pub fn kill_state(&self) -> KillState {
        KillState::from_code(self.state).unwrap_or(KillState::Halted)
    }
}

impl Engine {
    /// Holds in force, by number.
    pub fn holds(&self) -> impl Iterator<Item = &Hold> {
        self.holds.values()
    }

    /// The number of the next hold.
    pub fn next_hold(&self) -> u64 {
        self.next_hold
    }

    /// Number of kill events so far.
    pub fn kill_epoch(&self) -> u32 {
        self.kill_epoch
    }

    /// Log index of the last kill event.
    pub fn kill_seq(&self) -> u64 {
        self.kill_seq
    }

    /// The strictest state that holds on exactly this scope.
    pub fn scope_state(&self, scope: Scope) -> KillState {
        let own = self.holds.values().filter(|h| h.at() == scope);
        own.map(Hold::kill_state).max().unwrap_or_default()
    }

    /// Adds a hold.
    ///
    /// # Errors
    /// Its number or epoch does not follow, or the scope is not registered.
    pub fn kill(&mut self, index: u64, kill: &Kill) -> Result<(), StepError> {
        let wrong = |why| Err(StepError::Hold { hold: kill.hold, why });
        if kill.hold != self.next_hold {
            return wrong("the number does not follow the last hold's");
        }
        if kill.epoch <= self.kill_epoch {
            return wrong("the epoch does not follow the last event's");
        }
        if kill.state == KillState::Active {
            return wrong("a hold that holds nothing");
        }
        if !self.knows(kill.scope) {
            return wrong("the scope is not registered");
        }
        if self.holds.len() >= HOLDS_MAX {
            return wrong("too many holds in force");
        }
        let hold = Hold {
            id: kill.hold,
            scope_kind: kill.scope.kind as u8,
            scope: kill.scope.handle,
            state: kill.state as u8,
            rank: kill.rank,
            allow_reduce: kill.allow_reduce,
            seq: index,
            actor: kill.actor.clone(),
            reason: kill.reason.clone(),
        };
        if kill.rank >= RANK_RISK {
            self.hold_latches(kill.scope, kill.hold);
        }
        self.holds.insert(kill.hold, hold);
        self.next_hold += 1;
        self.kill_epoch = kill.epoch;
        self.kill_seq = index;
        self.refresh_kill();
        Ok(())
    }

    /// Removes a hold.
    ///
    /// # Errors
    /// There is no such hold, the epoch does not follow, or one person did both parts.
    pub fn resume(&mut self, index: u64, resume: &Resume) -> Result<(), StepError> {
        let wrong = |why| Err(StepError::Hold { hold: resume.hold, why });
        if !self.holds.contains_key(&resume.hold) {
            return wrong("no such hold is in force");
        }
        if resume.epoch <= self.kill_epoch {
            return wrong("the epoch does not follow the last event's");
        }
        if resume.actor == resume.approver || resume.actor.is_empty() || resume.approver.is_empty()
        {
            return wrong("resuming takes a second person");
        }
        for who in [&resume.actor, &resume.approver] {
            let signed = resume.signatures.is_some();
            if crate::change::check_signer(&self.file, who, signed, Some(Right::Resume)).is_err() {
                return wrong("resuming takes the keys of two operators who may resume");
            }
        }
        let lifted = self.holds.remove(&resume.hold);
        if let Some(hold) = lifted {
            self.open_latches(hold.at(), hold.id);
        }
        self.kill_epoch = resume.epoch;
        self.kill_seq = index;
        self.refresh_kill();
        Ok(())
    }

    /// Whether the scope is the firm, or registered.
    pub fn knows(&self, scope: Scope) -> bool {
        match RegisterKind::from_code(scope.kind as u8) {
            None => scope.handle == 0,
            Some(kind) => scope.handle >= 1 && scope.handle <= self.registry.len(kind),
        }
    }

    /// The kill mask of exactly this scope.
    pub(crate) fn scope_mask(&self, scope: Scope) -> u8 {
        mask_of(&self.holds, scope)
    }

    /// Recomputes the mask of every line from the holds in force.
    pub(crate) fn refresh_kill(&mut self) {
        let holds = &self.holds;
        let mask = |kind, handle| mask_of(holds, Scope { kind, handle });
        for node in &mut self.nodes {
            node.kill = match node.level {
                Level::Account => mask(ScopeKind::Account, node.handle),
                Level::Customer => mask(ScopeKind::Customer, node.handle),
                Level::Desk => mask(ScopeKind::Desk, node.handle),
                _ => mask(ScopeKind::Firm, 0),
            };
        }
        for (handle, line) in self.strategies.iter_mut().enumerate() {
            if let Some(line) = line {
                line.kill = mask(ScopeKind::Strategy, handle as u32);
            }
        }
        for (handle, line) in self.sessions.iter_mut().enumerate() {
            line.kill = mask(ScopeKind::Session, handle as u32);
        }
        for (handle, line) in self.instruments.iter_mut().enumerate() {
            if let Some(line) = line {
                line.kill = mask(ScopeKind::Instrument, handle as u32);
                if line.venue != 0 {
                    line.kill |= mask(ScopeKind::Venue, line.venue);
                }
            }
        }
    }
}

/// The kill mask that holds on exactly this scope give.
fn mask_of(holds: &BTreeMap<u64, Hold>, scope: Scope) -> u8 {
    holds.values().filter(|hold| hold.at() == scope).fold(0, |mask, hold| {
        mask | match (hold.kill_state(), hold.allow_reduce) {
            (KillState::Active, _) => 0,
            (KillState::ReduceOnly, _) => kill_bit::REDUCE_ONLY,
            (KillState::Halted, true) => kill_bit::HALTED_EXIT,
            (KillState::Halted, false) => kill_bit::HALTED,
        }
    })
}

/// Rank of the gateway's own holds; those that stand for a latch are among them.
pub const RANK_RISK: u8 = 2;
/// Holds in force at once.
const HOLDS_MAX: usize = 4_096;

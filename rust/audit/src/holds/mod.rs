//! Kill state beside the log: which scopes there are, which holds stand, and what the shared
//! page must show.
//!
//! The log alone decides: [`HoldsFold`] folds REGISTER, KILL and RESUME into exactly the bytes
//! of `kill.scopes`, `kill.state` and `kill.page`, so a verifier can recompute all three.
//! Invariant: every text ends with the SHA-256 of all bytes before it, and parses only if
//! encoding the result gives it back.

use std::collections::BTreeMap;

use cwts_types::{Body, Scope, ScopeKind};

mod change;
mod page;
mod request;
mod scopes;
mod state;
#[cfg(test)]
mod tests;
mod text;

pub use change::{CHANGE_BYTES_MAX, CHANGE_SUFFIX, ChangeAction, ChangeRequest, HALF_SUFFIX, Yes};
pub use page::{PAGE_BYTES, PAGE_FILE, PAGE_SLOTS, page_image, page_is_at_least};
pub use request::{KillAction, KillRequest, REQUEST_BYTES_MAX, REQUESTS_DIRECTORY};
pub use scopes::{NamedScope, SCOPES_FILE, encode_scopes, parse_scopes};
pub use state::{Hold, KillSnapshot, STATE_FILE};

/// Folds the log into scopes, holds and epoch.
#[derive(Clone, Debug)]
pub struct HoldsFold {
    scopes: Vec<NamedScope>,
    slots: BTreeMap<Scope, u32>,
    holds: BTreeMap<u64, Hold>,
    epoch: u32,
    seq: u64,
    last_hold: u64,
}

impl Default for HoldsFold {
    fn default() -> Self {
        let firm = NamedScope { kind: ScopeKind::Firm, name: "firm".to_owned() };
        Self {
            scopes: vec![firm],
            slots: BTreeMap::from([(Scope::FIRM, 0)]),
            holds: BTreeMap::new(),
            epoch: 0,
            seq: 0,
            last_hold: 0,
        }
    }
}

impl HoldsFold {
    /// The firm, and no hold.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the entry at `index`; entries of other types change nothing.
    pub fn apply(&mut self, index: u64, body: &Body) -> Result<(), HoldsError> {
        match body {
            Body::Register(register) => {
                let Some(kind) = register.kind.scope_kind() else { return Ok(()) };
                let scope = Scope { kind, handle: register.handle };
                let slot = self.scopes.len() as u32;
                if self.slots.contains_key(&scope) {
                    let (kind, handle) = (kind.name(), scope.handle);
                    return Err(HoldsError::ScopeTwice { kind, handle });
                }
                self.slots.insert(scope, slot);
                self.scopes.push(NamedScope { kind, name: register.name.clone() });
            }
            Body::Kill(kill) => {
                let Some(&slot) = self.slots.get(&kill.scope) else {
                    let (kind, handle) = (kill.scope.kind.name(), kill.scope.handle);
                    return Err(HoldsError::ScopeUnknown { kind, handle });
                };
                if kill.hold <= self.last_hold && self.last_hold > 0 {
                    return Err(HoldsError::HoldOrder { hold: kill.hold, last: self.last_hold });
                }
                self.step_epoch(kill.epoch)?;
                self.last_hold = kill.hold;
                self.seq = index;
                let hold = Hold {
                    id: kill.hold,
                    slot,
                    state: kill.state,
                    rank: kill.rank,
                    allow_reduce: kill.allow_reduce,
                    seq: index,
                    actor: kill.actor.clone(),
                    reason: kill.reason.clone(),
                };
                self.holds.insert(kill.hold, hold);
            }
            Body::Resume(resume) => {
                if !self.holds.contains_key(&resume.hold) {
                    return Err(HoldsError::HoldUnknown { hold: resume.hold });
                }
                if resume.actor == resume.approver {
                    let actor = resume.actor.clone();
                    return Err(HoldsError::OnePerson { hold: resume.hold, actor });
                }
                self.step_epoch(resume.epoch)?;
                self.holds.remove(&resume.hold);
                self.seq = index;
            }
            _ => {}
        }
        Ok(())
    }

    /// The scopes, in slot order.
    pub fn scopes(&self) -> &[NamedScope] {
        &self.scopes
    }

    /// The slot of a scope.
    pub fn slot(&self, scope: Scope) -> Option<u32> {
        self.slots.get(&scope).copied()
    }

    /// Number of kill events so far.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The standing holds and the epoch.
    pub fn snapshot(&self) -> KillSnapshot {
        let holds = self.holds.values().cloned().collect();
        KillSnapshot { epoch: self.epoch, seq: self.seq, holds }
    }

    /// The bytes of `kill.scopes`, `kill.state` and `kill.page`, each with its name.
    pub fn files(&self) -> [(&'static str, Vec<u8>); 3] {
        let snapshot = self.snapshot();
        let page = snapshot.page();
        [
            (SCOPES_FILE, encode_scopes(&self.scopes).into_bytes()),
            (STATE_FILE, snapshot.encode().into_bytes()),
            (PAGE_FILE, page),
        ]
    }

    fn step_epoch(&mut self, epoch: u32) -> Result<(), HoldsError> {
        if epoch <= self.epoch {
            return Err(HoldsError::EpochOrder { epoch, last: self.epoch });
        }
        self.epoch = epoch;
        Ok(())
    }
}

/// The longest kill text that is read.
pub const KILL_TEXT_BYTES_MAX: usize = 64 << 20;

/// Why a kill text is refused, or an entry does not fit those before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoldsError {
    /// The text is not of its form.
    #[error("line {line}: {what}")]
    Malformed {
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// The digest at the end is not that of the bytes before it.
    #[error("the sha256 in the last line is not that of the lines before")]
    Digest,
    /// A scope was registered before.
    #[error("{kind} {handle} is registered twice")]
    ScopeTwice {
        /// Its kind.
        kind: &'static str,
        /// Its handle.
        handle: u32,
    },
    /// A hold is on a scope that no entry registered.
    #[error("{kind} {handle} is not registered")]
    ScopeUnknown {
        /// Its kind.
        kind: &'static str,
        /// Its handle.
        handle: u32,
    },
    /// The numbers of holds must grow.
    #[error("hold {hold} follows hold {last}")]
    HoldOrder {
        /// The new hold.
        hold: u64,
        /// The newest before.
        last: u64,
    },
    /// The epoch must grow with each kill event.
    #[error("kill epoch {epoch} follows {last}")]
    EpochOrder {
        /// The new epoch.
        epoch: u32,
        /// The one before.
        last: u32,
    },
    /// A resume names no standing hold.
    #[error("hold {hold} does not stand")]
    HoldUnknown {
        /// The hold.
        hold: u64,
    },
    /// A resume takes two people.
    #[error("hold {hold} was lifted by `{actor}` alone")]
    OnePerson {
        /// The hold.
        hold: u64,
        /// Who.
        actor: String,
    },
}

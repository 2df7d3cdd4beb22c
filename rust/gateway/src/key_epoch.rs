//! When the frame key evolves, and how the thread that gives indexes and the one that has the
//! keys agree on where.
//!
//! Source: design note "audit", section 4, "Key evolution". The gateway appends a KEY_EPOCH entry
//! whose body is empty, like any other entry; it has its index by its place in the queue. The
//! log's thread makes durable what came before, and seals it there: its size is the entry's index,
//! and root and chain are those that it has. So nobody waits, and nothing is reserved.

use cwts_types::{Body, KeyEpoch};

use crate::clock::Now;
use crate::gateway::Gateway;

/// How long a frame key serves; whichever bound comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLife {
    /// Entries under one key.
    pub entries: u64,
    /// Nanoseconds under one key, if anything was written in them.
    pub ns: u64,
}

impl Default for KeyLife {
    fn default() -> Self {
        Self { entries: 65_536, ns: 10_000_000_000 }
    }
}

/// Where the epoch began, and when it is to end.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KeyClock {
    life: KeyLife,
    from_index: u64,
    from_ns: u64,
}

impl KeyClock {
    /// An epoch whose first entry behind its seal has this index.
    pub(crate) fn from(index: u64) -> Self {
        Self { from_index: index, ..Self::default() }
    }

    #[inline]
    fn is_due(&self, index: u64, now: Now) -> bool {
        let written = index.saturating_sub(self.from_index);
        written > 0
            && (written >= self.life.entries
                || now.mono_ns.saturating_sub(self.from_ns) >= self.life.ns)
    }
}

impl Gateway {
    /// Changes how long a frame key serves, from here on.
    pub fn set_key_life(&mut self, life: KeyLife) {
        self.key_clock.life = life;
    }

    /// Ends the frame key's epoch if it has served its time and anything was written under it.
    #[inline]
    pub(crate) fn evolve_if_due(&mut self, now: Now) {
        if self.log.is_some() && self.key_clock.is_due(self.next_index(), now) {
            self.evolve(now);
        }
    }

    #[cold]
    fn evolve(&mut self, now: Now) {
        if !self.log.as_mut().is_some_and(|log| log.has_room(1)) {
            // It waits: a cancel that was promised its slots must find them.
            return;
        }
        let body = KeyEpoch { epoch: 0, size: 0, root: [0; 32], chain: [0; 32], mac: [0; 32] };
        // A failure is kept by the gateway, and told to its next caller.
        if self.append(Body::KeyEpoch(body), now, 0).is_ok() {
            self.key_clock.from_index = self.next_index();
            self.key_clock.from_ns = now.mono_ns;
        }
    }
}

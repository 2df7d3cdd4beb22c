//! What a ceremony is told, and what it wants done.

use super::board::Phase;
use super::fault::{Cause, Fault, Party, Refusal};
use super::message::MessageKind;
use super::output::Output;
use crate::point::Signature;
use crate::secret::Share;

/// As what somebody takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CeremonyRole {
    /// A dealer, a player, or both: the signing key says which.
    Member,
    /// Whoever orders the messages. It deals and gets nothing.
    Sequencer,
}

/// What a refresh or reshare goes on from.
pub struct Previous {
    /// The output of the ceremony before: everybody has it.
    pub output: Output,
    /// This member's old share. Without one it is a player only.
    pub share: Option<Share>,
}

/// What a ceremony is told.
#[derive(Debug, Clone, Copy)]
pub enum Input<'b> {
    /// Begin, or begin again after a restart; the list follows from its first entry.
    Start,
    /// The entry at a place of the list, in order.
    Delivered {
        /// Its place, from 0.
        pos: u64,
        /// The message.
        bytes: &'b [u8],
    },
    /// A peer's [`Effect::Broadcast`], outside the list.
    Heard {
        /// The message.
        bytes: &'b [u8],
    },
    /// Enough time passed. The sequencer closes a round that has n - f messages; a member says for
    /// whom it waits.
    Timeout,
    /// The sequencer gives the ceremony up.
    GiveUp,
}

/// What the caller does, in this order. The ceremony itself does nothing.
pub enum Effect {
    /// Persist the seed, before anything that was made with it leaves.
    PersistSeed,
    /// Persist the list up to here, before what follows leaves. A restarted member is given its own
    /// copy again, never a fresh one: the sequencer could show it another list, and it would say
    /// two things.
    PersistList {
        /// How many entries.
        entries: u64,
    },
    /// Give this message to the ordered list. Sent again after a restart, byte for byte.
    Submit(Vec<u8>),
    /// The sequencer's own entry, for this place alone: nothing may come between. At a place that
    /// the list has already (it is being replayed) it is dropped.
    Append {
        /// The place.
        pos: u64,
        /// The message.
        bytes: Vec<u8>,
    },
    /// Send this to every member beside the list, as [`Input::Heard`]: so two lists are found.
    Broadcast(Vec<u8>),
    /// Something to show.
    Status(Status),
    /// t members signed with their new shares: persist the share, then let the epoch begin.
    Activated {
        /// The result.
        output: Box<Output>,
        /// The committee's signature over [`Output::activation`].
        certificate: Signature,
        /// This member's new share; none for one that leaves, an observer and the sequencer.
        share: Option<Share>,
    },
    /// Erase the old share, and the seed.
    WipeOld,
    /// The ceremony is over without a result; the old epoch goes on.
    Failed {
        /// Why.
        cause: Cause,
        /// Who did what.
        faults: Vec<Fault>,
        /// Whose message was awaited. Silence is no fault.
        missing: Vec<Party>,
    },
}

/// Something to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// A message counts.
    Accepted {
        /// Its place.
        pos: u64,
        /// What.
        kind: MessageKind,
        /// Whose.
        party: Party,
    },
    /// A message counts for nothing.
    Refused {
        /// Its place; none if it came beside the list.
        pos: Option<u64>,
        /// Why.
        why: Refusal,
    },
    /// An entry is missing before this one: deliver from `want` on.
    Gap {
        /// The place that was expected.
        want: u64,
        /// The one that came.
        got: u64,
    },
    /// Another phase began.
    Entered {
        /// Which.
        phase: Phase,
        /// How long the one before took.
        after_ns: u64,
    },
    /// Somebody is at fault.
    Faulted(Fault),
    /// For whom this phase waits, and since when.
    Waiting {
        /// The phase.
        phase: Phase,
        /// For how long.
        since_ns: u64,
        /// Whose message is awaited.
        missing: Vec<Party>,
    },
    /// This member can't make its new share; it follows, and signs nothing until the next refresh.
    Observer,
}

//! Who did what: faults that everybody finds in the same list, and messages that count for nothing.

use super::info::CeremonyKind;
use super::message::MessageKind;

/// Who takes part, counted from 1 in the ceremony's lists; never by what a payload says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// A dealer.
    Dealer(u16),
    /// A player.
    Player(u16),
    /// Whoever orders the messages.
    Sequencer,
}

/// What somebody did that no honest member does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// A partial signature that is not by the member's new share.
    BadActivation,
    /// A dealing that is no polynomial of the degree, or a share that is not on it.
    BadDealing,
    /// A constant term whose logarithm the dealer did not show that it knows.
    BadProof,
    /// A share shown that is not on the polynomial, of the wrong player, or not shown although due.
    BadReveal,
    /// Two different messages where there may be one.
    Equivocation,
    /// A complaint about a share that is on the polynomial.
    FalseComplaint,
    /// More than f shares shown.
    TooManyReveals,
    /// A constant term that is not the dealer's share of the old key.
    WrongOldShare,
}

impl FaultKind {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::BadActivation => "BAD_ACTIVATION",
            Self::BadDealing => "BAD_DEALING",
            Self::BadProof => "BAD_PROOF",
            Self::BadReveal => "BAD_REVEAL",
            Self::Equivocation => "EQUIVOCATION",
            Self::FalseComplaint => "FALSE_COMPLAINT",
            Self::TooManyReveals => "TOO_MANY_REVEALS",
            Self::WrongOldShare => "WRONG_OLD_SHARE",
        }
    }
}

/// A provable fault. [`super::verify_transcript`] judges it again, from public messages alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Who.
    pub member: Party,
    /// What.
    pub kind: FaultKind,
    /// The signed messages that show it, as they stand in the list.
    pub proof: Vec<Vec<u8>>,
}

/// Why a message counts for nothing. It names nobody: what is not signed by a member, or comes at
/// the wrong time, is nobody's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Above [`super::MESSAGE_BYTES_MAX`].
    #[error("{got} bytes are more than a message has")]
    TooLong {
        /// Its length.
        got: usize,
    },
    /// No message of a ceremony.
    #[error("is no message of a ceremony")]
    Malformed,
    /// Of another ceremony: chain, epoch, number, kind or members differ.
    #[error("is of another ceremony")]
    WrongCeremony,
    /// By a key that has no such part.
    #[error("is by nobody who sends a {}", kind.name())]
    Stranger {
        /// What it is.
        kind: MessageKind,
    },
    /// Not signed by the key that it names.
    #[error("its signature is false")]
    BadSignature,
    /// Sent before its round.
    #[error("its round has not begun")]
    Early,
    /// Sent after its round was closed.
    #[error("its round is closed")]
    Late,
    /// The same message again.
    #[error("is there already")]
    Duplicate,
    /// A second, different one: counted as a fault.
    #[error("is a second one, and differs")]
    Second,
    /// By a dealer that was disqualified.
    #[error("its dealer is disqualified")]
    Disqualified,
    /// A close with fewer messages than close a round.
    #[error("closes a round with {have} messages, {need} are needed")]
    CloseEarly {
        /// Valid messages so far.
        have: u16,
        /// n - f.
        need: u16,
    },
    /// A close of another list than the one that was delivered here.
    #[error("closes another list than this one")]
    CloseMismatch,
    /// The ceremony is over.
    #[error("the ceremony is over")]
    Over,
}

/// Why a ceremony failed. The old epoch goes on; the next try has the next number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The sequencer gave it up.
    Aborted,
    /// The list has more entries or bytes than a ceremony may.
    ListFull,
    /// The result is no sharing: a member's key would be the identity.
    NoSharing,
    /// The sequencer showed two lists.
    SequencerEquivocated,
    /// Fewer than t members can still show that their new share is right.
    TooFewActivations,
    /// Fewer dealers than make a key are left.
    TooFewDealers,
}

impl Cause {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Aborted => "ABORTED",
            Self::ListFull => "LIST_FULL",
            Self::NoSharing => "NO_SHARING",
            Self::SequencerEquivocated => "SEQUENCER_EQUIVOCATED",
            Self::TooFewActivations => "TOO_FEW_ACTIVATIONS",
            Self::TooFewDealers => "TOO_FEW_DEALERS",
        }
    }
}

impl CeremonyKind {
    /// What a wrong constant term is called.
    pub(crate) fn constant_fault(self) -> FaultKind {
        if self == Self::New { FaultKind::BadProof } else { FaultKind::WrongOldShare }
    }
}

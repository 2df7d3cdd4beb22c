//! Why a ceremony's terms, keys or transcript are refused.

use crate::error::Error;
use cwts_proofs::ProofError;

/// Why something is no information, identity, output or transcript of a ceremony. What a member
/// sends during one is a [`super::Refusal`] or a [`super::Fault`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CeremonyError {
    /// The bytes end inside a field.
    #[error("{field}: the bytes end at {at}")]
    Truncated {
        /// What was read.
        field: &'static str,
        /// Where the field began.
        at: usize,
    },
    /// Bytes behind the last field.
    #[error("{left} bytes behind the end")]
    Trailing {
        /// How many.
        left: usize,
    },
    /// Above a bound.
    #[error("{field}: {got}, at most {max} are allowed")]
    TooLong {
        /// What was counted.
        field: &'static str,
        /// How many there are.
        got: usize,
        /// The bound.
        max: usize,
    },
    /// A field that a rule forbids.
    #[error("{field}: {reason}")]
    Field {
        /// Which.
        field: &'static str,
        /// What the rule says.
        reason: &'static str,
    },
    /// A member's keys.
    #[error("{list} {index}: {reason}")]
    Member {
        /// Dealers or players.
        list: &'static str,
        /// Which, from 1.
        index: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// A point, scalar or share.
    #[error(transparent)]
    Curve(#[from] Error),
    /// A proof or an encryption key.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The signing key is that of no member, or not the sequencer's.
    #[error("this key has no part in the ceremony")]
    NoPart,
    /// The seed does not give the encryption key that the ceremony's information names: its
    /// journal was lost.
    #[error("the seed is not the one of this member's encryption key; it can't take part")]
    WrongSeed,
    /// A refresh or reshare without the output that it goes on from, or with another one.
    #[error("the previous output: {reason}")]
    Previous {
        /// What does not fit.
        reason: &'static str,
    },
}

impl CeremonyError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Truncated { .. } => "TRUNCATED",
            Self::Trailing { .. } => "TRAILING",
            Self::TooLong { .. } => "TOO_LONG",
            Self::Field { .. } => "FIELD",
            Self::Member { .. } => "MEMBER",
            Self::Curve(error) => error.code(),
            Self::Proof(error) => error.code(),
            Self::NoPart => "NO_PART",
            Self::WrongSeed => "WRONG_SEED",
            Self::Previous { .. } => "PREVIOUS",
        }
    }
}

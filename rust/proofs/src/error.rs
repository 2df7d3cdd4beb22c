//! What is refused, and under which code. A proof that does not hold is no error: it is `false`.

use crate::Kind;

/// Why something is no proof, no statement, or cannot be proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The bytes do not begin as a proof does.
    #[error("is no proof: it does not begin with CWTSPROF")]
    Magic,
    /// A version that this release does not know.
    #[error("proof version {0} is not known; this release reads version 1")]
    Version(u16),
    /// No kind has this number.
    #[error("proof kind {0} is not known")]
    UnknownKind(u8),
    /// A sound proof of something else.
    #[error("is a proof of {found:?}, and {wanted:?} was asked for")]
    WrongKind {
        /// What the proof says of itself.
        found: Kind,
        /// What the caller wants to verify.
        wanted: Kind,
    },
    /// Too short, too long, or a length inside that is not the kind's.
    #[error("has {found} bytes and must have {wanted}")]
    Length {
        /// Bytes that are there.
        found: usize,
        /// Bytes that must be there.
        wanted: usize,
    },
    /// A field that must be zero is not, or text is not as it must be.
    #[error("{field} is not as it must be")]
    Field {
        /// Which.
        field: &'static str,
    },
    /// 32 bytes that encode no group element, or not in the one way.
    #[error("{what} is no canonical ristretto255 element")]
    PointEncoding {
        /// Which.
        what: &'static str,
    },
    /// The identity, where it would make a statement empty.
    #[error("{what} is the identity")]
    PointIdentity {
        /// Which.
        what: &'static str,
    },
    /// 32 bytes that are no number below the group's order.
    #[error("{what} is no canonical scalar")]
    ScalarEncoding {
        /// Which.
        what: &'static str,
    },
    /// A secret of zero, which anybody knows.
    #[error("a secret of zero is none")]
    SecretZero,
    /// No desk, or more than a proof takes.
    #[error("{found} desks; a proof takes 1 to {max}")]
    Desks {
        /// Desks given.
        found: usize,
        /// The bound.
        max: usize,
    },
    /// The statement is not true, so there is no proof of it.
    #[error("the exposure is above the limit: there is no proof")]
    AboveLimit,
    /// The desks' sum leaves 64 bits.
    #[error("the sum of the desks leaves 64 bits")]
    SumOverflow,
    /// The statement is not true, so there is no proof of it.
    #[error("the two commitments are to different numbers: there is no proof")]
    ValuesDiffer,
    /// Equal by their bytes.
    #[error("the two commitments are one and the same: nothing is left to prove")]
    SameCommitment,
    /// An opening's file whose commitment is not that of its number.
    #[error("an opening does not open the commitment beside it")]
    OpeningMismatch,
    /// A library refused what it should not refuse.
    #[error("the prover failed: {what} (this is a bug in cwts)")]
    Prover {
        /// Where.
        what: &'static str,
    },
}

impl ProofError {
    /// A name that does not change.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Magic => "PROOF_MAGIC",
            Self::Version(_) => "PROOF_VERSION",
            Self::UnknownKind(_) => "PROOF_KIND",
            Self::WrongKind { .. } => "PROOF_WRONG_KIND",
            Self::Length { .. } => "PROOF_LENGTH",
            Self::Field { .. } => "PROOF_FIELD",
            Self::PointEncoding { .. } => "POINT_ENCODING",
            Self::PointIdentity { .. } => "POINT_IDENTITY",
            Self::ScalarEncoding { .. } => "SCALAR_ENCODING",
            Self::SecretZero => "SECRET_ZERO",
            Self::Desks { .. } => "DESKS",
            Self::AboveLimit => "ABOVE_LIMIT",
            Self::SumOverflow => "SUM_OVERFLOW",
            Self::ValuesDiffer => "VALUES_DIFFER",
            Self::SameCommitment => "SAME_COMMITMENT",
            Self::OpeningMismatch => "OPENING_MISMATCH",
            Self::Prover { .. } => "PROVER",
        }
    }
}

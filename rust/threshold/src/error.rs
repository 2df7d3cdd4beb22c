//! Why something is refused.

/// What is wrong with an encoded point or scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodingFault {
    /// Not of the only length that its kind has.
    #[error("has {got} bytes, not {want}")]
    Length {
        /// What was given.
        got: usize,
        /// What its kind has.
        want: usize,
    },
    /// The compression flag is not set.
    #[error("its compression flag is not set")]
    NotCompressed,
    /// The point at infinity, or its flag with other bits.
    #[error("is the point at infinity")]
    Identity,
    /// No point of the curve has this spelling.
    #[error("is no point of the curve")]
    NotOnCurve,
    /// On the curve, outside the group of prime order.
    #[error("is not in the subgroup of prime order")]
    NotInSubgroup,
    /// A scalar of at least the group's order.
    #[error("is not below the group's order")]
    NotCanonical,
    /// A secret of zero.
    #[error("is zero")]
    Zero,
}

/// Why a key, a share or a signature is refused. No text holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Bytes that encode nothing of their kind.
    #[error("{field}: {fault}")]
    Encoding {
        /// What was read.
        field: &'static str,
        /// What is wrong with it.
        fault: EncodingFault,
    },
    /// Members are counted from 1: the value at 0 is the secret.
    #[error("index 0: members are counted from 1")]
    IndexZero,
    /// An index above the number of members.
    #[error("index {index}: there are {n} members")]
    IndexOutOfRange {
        /// The index.
        index: u16,
        /// The members.
        n: u16,
    },
    /// Two partials of one member.
    #[error("index {index} is there twice")]
    DuplicateIndex {
        /// The index.
        index: u16,
    },
    /// Too few good partials.
    #[error("{have} good partials, {need} are needed{}", blamed_text(blamed))]
    NotEnoughShares {
        /// Good ones at hand.
        have: u16,
        /// The threshold.
        need: u16,
        /// Members whose partial was bad.
        blamed: Vec<u16>,
    },
    /// A share or partial of another epoch.
    #[error("epoch {got}, not {want}")]
    WrongEpoch {
        /// The epoch it is of.
        got: u64,
        /// The epoch it is used in.
        want: u64,
    },
    /// No such committee: 1 <= t <= n <= 128.
    #[error("a threshold of {t} of {n} members: 1 <= t <= n <= 128 is needed")]
    Threshold {
        /// The threshold.
        t: u16,
        /// The members.
        n: u16,
    },
    /// A share that is not on the public polynomial.
    #[error("the share of member {index} is not on the public polynomial")]
    ShareMismatch {
        /// The member.
        index: u16,
    },
    /// Nothing to add up or check.
    #[error("{field}: empty")]
    Empty {
        /// What is empty.
        field: &'static str,
    },
    /// More than is handled at once, or lists of different lengths.
    #[error("{field}: {got}, not {want}")]
    Count {
        /// What was counted.
        field: &'static str,
        /// How many there are.
        got: usize,
        /// How many there may be.
        want: usize,
    },
    /// A key without a proof that its owner holds the secret.
    #[error("a key without a valid proof of possession")]
    NoPossession,
}

impl Error {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Encoding { .. } => "ENCODING",
            Self::IndexZero => "INDEX_ZERO",
            Self::IndexOutOfRange { .. } => "INDEX_OUT_OF_RANGE",
            Self::DuplicateIndex { .. } => "DUPLICATE_INDEX",
            Self::NotEnoughShares { .. } => "NOT_ENOUGH_SHARES",
            Self::WrongEpoch { .. } => "WRONG_EPOCH",
            Self::Threshold { .. } => "THRESHOLD",
            Self::ShareMismatch { .. } => "SHARE_MISMATCH",
            Self::Empty { .. } => "EMPTY",
            Self::Count { .. } => "COUNT",
            Self::NoPossession => "NO_POSSESSION",
        }
    }
}

fn blamed_text(blamed: &[u16]) -> String {
    if blamed.is_empty() { String::new() } else { format!("; bad: members {blamed:?}") }
}

pub(crate) fn encoding(field: &'static str, fault: EncodingFault) -> Error {
    Error::Encoding { field, fault }
}

//! A proof as bytes: a header of 16 bytes and a body whose length follows from it.
//!
//! `CWTSPROF` | version u16 | kind u8 | desks u8 | body's length u32 | body, little-endian. There
//! is one spelling: what decodes encodes to the same bytes. What is proven is not in it: whoever
//! verifies says of which commitments.

use crate::{DESKS_MAX, ProofError, range, sigma};

const MAGIC: &[u8; 8] = b"CWTSPROF";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 16;

/// Bytes of the largest proof: of eight desks.
pub const PROOF_BYTES_MAX: usize =
    HEADER_BYTES + range::body_bytes(DESKS_MAX) + range::body_bytes(2);

/// What a proof is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// I know the logarithm of this point.
    Knowledge = 1,
    /// Two points have one logarithm, each to its base.
    Dleq = 2,
    /// Two commitments are to one number.
    Equal = 3,
    /// A hidden exposure is at most a hidden limit.
    ExposureBelow = 4,
    /// A hidden exposure is at most a limit that everybody knows.
    ExposureBelowPublic = 5,
    /// The sum of hidden exposures is at most a hidden limit.
    DesksSumBelow = 6,
    /// The sum of hidden exposures is at most a limit that everybody knows.
    DesksSumBelowPublic = 7,
}

impl Kind {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Knowledge,
        Self::Dleq,
        Self::Equal,
        Self::ExposureBelow,
        Self::ExposureBelowPublic,
        Self::DesksSumBelow,
        Self::DesksSumBelowPublic,
    ];

    /// Its name in messages and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Knowledge => "schnorr",
            Self::Dleq => "dleq",
            Self::Equal => "equal",
            Self::ExposureBelow => "exposure_below",
            Self::ExposureBelowPublic => "exposure_below_public",
            Self::DesksSumBelow => "desks_sum_below",
            Self::DesksSumBelowPublic => "desks_sum_below_public",
        }
    }

    fn counts_desks(self) -> bool {
        matches!(self, Self::DesksSumBelow | Self::DesksSumBelowPublic)
    }
}

/// A proof whose points and scalars are canonical. Whether it holds, `verify` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    kind: Kind,
    desks: u8,
    body: Vec<u8>,
}

impl Proof {
    pub(crate) fn new(kind: Kind, desks: usize, body: Vec<u8>) -> Self {
        Self { kind, desks: desks as u8, body }
    }

    /// What it is about.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Of how many desks; 0 for what is not about desks.
    pub fn desks(&self) -> usize {
        usize::from(self.desks)
    }

    /// The body, if this is a proof of that kind.
    pub(crate) fn body(&self, wanted: Kind) -> Result<&[u8], ProofError> {
        if self.kind != wanted {
            return Err(ProofError::WrongKind { found: self.kind, wanted });
        }
        Ok(&self.body)
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES + self.body.len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.push(self.kind as u8);
        out.push(self.desks);
        out.extend_from_slice(&(self.body.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.body);
        out
    }

    /// Reads a proof: header, exact length, each point and scalar canonical, no identity.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProofError> {
        let found = bytes.len();
        let Some((header, body)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            return Err(ProofError::Length { found, wanted: HEADER_BYTES });
        };
        let [m0, m1, m2, m3, m4, m5, m6, m7, v0, v1, kind, desks, l0, l1, l2, l3] = *header;
        if [m0, m1, m2, m3, m4, m5, m6, m7] != *MAGIC {
            return Err(ProofError::Magic);
        }
        let version = u16::from_le_bytes([v0, v1]);
        if version != VERSION {
            return Err(ProofError::Version(version));
        }
        let kind = Kind::ALL
            .into_iter()
            .find(|known| *known as u8 == kind)
            .ok_or(ProofError::UnknownKind(kind))?;
        let count = usize::from(desks);
        let wanted = if kind.counts_desks() {
            range::check_desks(count)?;
            range::body_bytes(count) + range::body_bytes(2)
        } else if desks != 0 {
            return Err(ProofError::Field { field: "desks" });
        } else if matches!(kind, Kind::ExposureBelow | Kind::ExposureBelowPublic) {
            range::body_bytes(2)
        } else {
            sigma::BODY_BYTES
        };
        if body.len() != wanted {
            return Err(ProofError::Length { found, wanted: HEADER_BYTES + wanted });
        }
        if u32::from_le_bytes([l0, l1, l2, l3]) as usize != wanted {
            return Err(ProofError::Field { field: "length" });
        }
        match kind {
            Kind::Knowledge | Kind::Dleq | Kind::Equal => sigma::check_body(body)?,
            Kind::ExposureBelow | Kind::ExposureBelowPublic => range::check_body(body)?,
            Kind::DesksSumBelow | Kind::DesksSumBelowPublic => {
                let (desks, sum) = body.split_at(range::body_bytes(count));
                range::check_body(desks)?;
                range::check_body(sum)?;
            }
        }
        Ok(Self { kind, desks, body: body.to_vec() })
    }
}

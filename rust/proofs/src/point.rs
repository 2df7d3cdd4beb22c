//! A group element from outside: 32 bytes that were checked once.

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::traits::IsIdentity as _;

use crate::ProofError;

/// A canonical ristretto255 element (RFC 9496) that is not the identity: a public key, a base or
/// a commitment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point([u8; 32]);

impl Point {
    /// Takes 32 bytes if they encode an element, and not the identity; `what` is what an error
    /// calls it.
    pub fn parse(bytes: &[u8], what: &'static str) -> Result<Self, ProofError> {
        let bytes: [u8; 32] =
            bytes.try_into().map_err(|_| ProofError::Length { found: bytes.len(), wanted: 32 })?;
        check(&bytes, what)?;
        Ok(Self(bytes))
    }

    /// An element that was computed here; the identity is refused all the same.
    pub(crate) fn computed(bytes: [u8; 32], what: &'static str) -> Result<Self, ProofError> {
        if bytes == [0; 32] {
            return Err(ProofError::PointIdentity { what });
        }
        Ok(Self(bytes))
    }

    /// Its encoding.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// As the sigma protocols' library has it.
    pub(crate) fn element(self, what: &'static str) -> Result<RistrettoPoint, ProofError> {
        CompressedRistretto(self.0).decompress().ok_or(ProofError::PointEncoding { what })
    }
}

/// Refuses what is no element, and the identity.
pub(crate) fn check(bytes: &[u8; 32], what: &'static str) -> Result<(), ProofError> {
    let element =
        CompressedRistretto(*bytes).decompress().ok_or(ProofError::PointEncoding { what })?;
    if element.is_identity() {
        return Err(ProofError::PointIdentity { what });
    }
    Ok(())
}

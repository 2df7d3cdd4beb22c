//! What opens a Pedersen commitment C = v B + r B': the number and its blinding.

use curve25519_dalek_4::ristretto::RistrettoPoint;
use curve25519_dalek_4::scalar::Scalar;
use merlin::Transcript;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{PEDERSEN, keyed_rng};
use crate::{Point, ProofError, Secret, Seed};

const MAGIC: &[u8; 8] = b"CWTSOPEN";
const VERSION: u16 = 1;
const LABEL: &[u8] = b"cwts/opening/v1";

/// Bytes of an opening's file.
pub const OPENING_BYTES: usize = 88;

/// A number in units of 0.01 of the reporting currency, and 32 bytes that hide it. No `Debug`, no
/// `Clone`; wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Opening {
    value: u64,
    blinding: Scalar,
}

impl Opening {
    /// Blinds a number.
    pub fn new(value: u64, seed: &Seed) -> Self {
        let number = Zeroizing::new(value.to_le_bytes());
        let mut rng = keyed_rng(&Transcript::new(LABEL), &[seed.bytes(), &*number]);
        Self { value, blinding: Scalar::random(&mut rng) }
    }

    /// The commitment, which is all that others see.
    pub fn commitment(&self) -> Result<Point, ProofError> {
        Point::computed(self.point().compress().to_bytes(), "the commitment")
    }

    pub(super) fn point(&self) -> RistrettoPoint {
        PEDERSEN.commit(Scalar::from(self.value), self.blinding)
    }

    pub(super) fn value(&self) -> u64 {
        self.value
    }

    pub(crate) fn blinding(&self) -> Zeroizing<Scalar> {
        Zeroizing::new(self.blinding)
    }

    /// Nothing, unblinded: where a sum begins.
    pub(super) fn zero() -> Self {
        Self { value: 0, blinding: Scalar::ZERO }
    }

    /// The opening of the sum of two commitments.
    pub(super) fn plus(&self, other: &Self) -> Result<Self, ProofError> {
        let value = self.value.checked_add(other.value).ok_or(ProofError::SumOverflow)?;
        Ok(Self { value, blinding: self.blinding + other.blinding })
    }

    /// Whether two openings are of one number, in constant time.
    pub(crate) fn is_to_same_value(&self, other: &Self) -> bool {
        self.value.ct_eq(&other.value).into()
    }

    /// The logarithm of a difference of two commitments to one number, to B'.
    pub(crate) fn blinding_minus(&self, other: &Self) -> Result<Secret, ProofError> {
        let difference = Zeroizing::new(self.blinding - other.blinding);
        Secret::parse(&Zeroizing::new(difference.to_bytes()))
    }

    /// The opening's file: `CWTSOPEN` | version u16 | zeros 6 | number u64 | blinding 32 |
    /// commitment 32, little-endian. Secret: it goes into a file that its owner alone reads.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, ProofError> {
        let mut out = Zeroizing::new(Vec::with_capacity(OPENING_BYTES));
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 6]);
        out.extend_from_slice(&self.value.to_le_bytes());
        out.extend_from_slice(self.blinding.as_bytes());
        out.extend_from_slice(&self.commitment()?.to_bytes());
        Ok(out)
    }

    /// Reads such a file; the commitment in it must be the opening's.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProofError> {
        let whole: &[u8; OPENING_BYTES] = bytes
            .try_into()
            .map_err(|_| ProofError::Length { found: bytes.len(), wanted: OPENING_BYTES })?;
        if !whole.starts_with(MAGIC) {
            return Err(ProofError::Field { field: "the opening's first 8 bytes" });
        }
        let version = u16::from_le_bytes(word(whole, 8));
        if version != VERSION {
            return Err(ProofError::Version(version));
        }
        if word(whole, 10) != [0; 6] {
            return Err(ProofError::Field { field: "the opening's bytes 10 to 15" });
        }
        let blinding = Zeroizing::new(word::<32>(whole, 24));
        let blinding = Option::<Scalar>::from(Scalar::from_canonical_bytes(*blinding))
            .ok_or(ProofError::ScalarEncoding { what: "the blinding" })?;
        let opening = Self { value: u64::from_le_bytes(word(whole, 16)), blinding };
        if opening.commitment()?.to_bytes() != word(whole, 56) {
            return Err(ProofError::OpeningMismatch);
        }
        Ok(opening)
    }

    #[cfg(test)]
    pub(super) fn of(value: u64, blinding: Scalar) -> Self {
        Self { value, blinding }
    }
}

impl ConstantTimeEq for Opening {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.value.ct_eq(&other.value) & self.blinding.ct_eq(&other.blinding)
    }
}

/// The `N` bytes at an offset that lies within.
fn word<const N: usize>(bytes: &[u8; OPENING_BYTES], at: usize) -> [u8; N] {
    std::array::from_fn(|index| bytes[at + index])
}

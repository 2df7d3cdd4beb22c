//! A secret scalar: a newtype that cannot be printed, copied or compared but in constant time.

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use spongefish::PrivateRng;
use spongefish::instantiations::Shake128;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{Point, ProofError, Seed};

/// What sets a secret apart from a nonce out of the same seed; a block of the generator's.
const DOMAIN: &[u8; 32] = b"cwts/secret/v1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// A number from 1 to the group's order less 1. No `Debug`, no `Clone`; wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret(Scalar);

impl Secret {
    /// Takes 32 bytes, little-endian, below the group's order and not zero.
    pub fn parse(bytes: &Zeroizing<[u8; 32]>) -> Result<Self, ProofError> {
        let scalar = Option::<Scalar>::from(Scalar::from_canonical_bytes(**bytes))
            .ok_or(ProofError::ScalarEncoding { what: "the secret" })?;
        if bool::from(scalar.ct_eq(&Scalar::ZERO)) {
            return Err(ProofError::SecretZero);
        }
        Ok(Self(scalar))
    }

    /// Makes one out of a seed.
    pub fn generate(seed: &Seed) -> Self {
        let mut wide = Zeroizing::new([0; 64]);
        let mut rng = PrivateRng::<Shake128>::from_seed(*seed.bytes());
        rng.mix_entropy(DOMAIN);
        rng.fill_bytes(&mut *wide);
        // Zero comes once in 2^252 draws; `public` refuses the point that it would have.
        Self(Scalar::from_bytes_mod_order_wide(&wide))
    }

    /// X = x G.
    pub fn public(&self) -> Result<Point, ProofError> {
        let point = RistrettoPoint::mul_base(&self.0).compress().to_bytes();
        Point::computed(point, "the public point")
    }

    pub(super) fn scalar(&self) -> Scalar {
        self.0
    }

    pub(super) fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }
}

impl ConstantTimeEq for Secret {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

/// K = x R: what two parties share, and what [`crate::prove_dleq`] is about.
pub fn shared_point(secret: &Secret, base: &Point) -> Result<Point, ProofError> {
    let point = (base.element("the base")? * secret.0).compress().to_bytes();
    Point::computed(point, "the shared point")
}

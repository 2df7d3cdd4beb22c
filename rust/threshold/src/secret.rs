//! Secrets. None of these types can be printed, copied, compared or serialized by accident.

use blstrs::{G1Projective, G2Projective};
use ff::Field as _;
use group::{Curve as _, Group as _};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

use crate::error::{EncodingFault, Error, encoding};
use crate::point::PublicKey;
use crate::scalar::{self, SCALAR_BYTES, Scalar};

/// What keys are derived under.
const SECRET_KEY_DOMAIN: &[u8] = b"cwts/secret-key/v1";

/// A scalar at rest: bytes that are wiped when they are dropped.
#[derive(ZeroizeOnDrop)]
pub(crate) struct SecretScalar([u8; SCALAR_BYTES]);

impl SecretScalar {
    pub(crate) fn of(scalar: &Scalar) -> Self {
        Self(scalar.to_bytes_be())
    }

    pub(crate) fn parse(field: &'static str, bytes: &[u8]) -> Result<Self, Error> {
        let mut scalar = scalar::parse(field, bytes)?;
        let secret = Self::of(&scalar);
        wipe(&mut scalar);
        Ok(secret)
    }

    pub(crate) fn bytes(&self) -> &[u8; SCALAR_BYTES] {
        &self.0
    }

    /// The only way to the value; the copy that `work` sees is wiped behind it.
    pub(crate) fn expose<T>(&self, work: impl FnOnce(&Scalar) -> T) -> T {
        let scalar: Option<Scalar> = Scalar::from_bytes_be(&self.0).into();
        let mut scalar = scalar.expect("only canonical scalars are kept");
        let result = work(&scalar);
        wipe(&mut scalar);
        result
    }
}

/// Overwrites a scalar; `black_box` keeps the store, which nothing reads.
pub(crate) fn wipe(scalar: &mut Scalar) {
    *scalar = Scalar::ZERO;
    std::hint::black_box(scalar);
}

/// 32 random bytes from which secrets are derived. The caller draws them.
#[derive(ZeroizeOnDrop)]
pub struct Seed(pub(crate) [u8; 32]);

impl Seed {
    /// Takes the bytes over; the caller's copy is wiped.
    pub fn take(bytes: &mut [u8; 32]) -> Self {
        let seed = Self(*bytes);
        bytes.zeroize();
        seed
    }
}

/// A secret key, 1 <= x < r.
pub struct SecretKey(pub(crate) SecretScalar);

impl SecretKey {
    /// A key out of a seed.
    pub fn generate(seed: &Seed) -> Self {
        let mut scalar = scalar::derive(&seed.0, SECRET_KEY_DOMAIN, &[]);
        let key = Self(SecretScalar::of(&scalar));
        wipe(&mut scalar);
        key
    }

    /// Reads 32 bytes, big-endian.
    ///
    /// # Errors
    /// [`Error::Encoding`]: of another length, not below the order, zero.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let secret = SecretScalar::parse("secret key", bytes)?;
        if bool::from(secret.bytes().ct_eq(&[0; SCALAR_BYTES])) {
            return Err(encoding("secret key", EncodingFault::Zero));
        }
        Ok(Self(secret))
    }

    /// The key that verifies.
    pub fn public_key(&self) -> PublicKey {
        let point = self.0.expose(|x| G2Projective::generator() * x);
        PublicKey::of(point.to_affine()).expect("the secret is not zero")
    }

    /// The 32 bytes, for who stores them encrypted.
    pub fn export(&self) -> Zeroizing<[u8; SCALAR_BYTES]> {
        Zeroizing::new(*self.0.bytes())
    }
}

/// One member's share of a key that nobody holds.
pub struct Share {
    pub(crate) secret: SecretScalar,
    index: u16,
    epoch: u64,
}

impl Share {
    pub(crate) fn of(secret: SecretScalar, index: u16, epoch: u64) -> Self {
        Self { secret, index, epoch }
    }

    /// Reads a share's 32 bytes. [`crate::Sharing::check_share`] says whether it belongs to a
    /// committee.
    ///
    /// # Errors
    /// [`Error::Encoding`], [`Error::IndexZero`].
    pub fn parse(bytes: &[u8], index: u16, epoch: u64) -> Result<Self, Error> {
        if index == 0 {
            return Err(Error::IndexZero);
        }
        Ok(Self { secret: SecretScalar::parse("share", bytes)?, index, epoch })
    }

    /// The member, from 1.
    pub fn index(&self) -> u16 {
        self.index
    }

    /// The epoch in which it signs.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The 32 bytes, for who stores them encrypted.
    pub fn export(&self) -> Zeroizing<[u8; SCALAR_BYTES]> {
        Zeroizing::new(*self.secret.bytes())
    }

    /// secret * g2, which stands on the public polynomial.
    pub(crate) fn commitment(&self) -> G2Projective {
        self.secret.expose(|x| G2Projective::generator() * x)
    }

    /// secret * point, in constant time.
    pub(crate) fn times(&self, point: &G1Projective) -> G1Projective {
        self.secret.expose(|x| point * x)
    }
}

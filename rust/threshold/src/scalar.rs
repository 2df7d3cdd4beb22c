//! Scalars: integers modulo the group's order, 32 bytes big-endian.

use ff::Field as _;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::{EncodingFault, Error, encoding};

/// A public integer modulo the group's order. Secret ones are in [`crate::SecretKey`] and
/// [`crate::Share`].
pub type Scalar = blstrs::Scalar;

/// The length of an encoded scalar.
pub const SCALAR_BYTES: usize = 32;

/// Reads a canonical big-endian scalar.
pub(crate) fn parse(field: &'static str, bytes: &[u8]) -> Result<Scalar, Error> {
    let fixed: &[u8; SCALAR_BYTES] = bytes.try_into().map_err(|_| {
        encoding(field, EncodingFault::Length { got: bytes.len(), want: SCALAR_BYTES })
    })?;
    Option::from(Scalar::from_bytes_be(fixed))
        .ok_or_else(|| encoding(field, EncodingFault::NotCanonical))
}

/// A scalar from 48 bytes: the bias is below 2^-128.
pub(crate) fn reduce(bytes: &[u8; 48]) -> Scalar {
    let shift = Scalar::from(1 << 32).square();
    bytes.chunks_exact(8).fold(Scalar::ZERO, |sum, limb| {
        let mut word = [0; 8];
        word.copy_from_slice(limb);
        sum * shift + Scalar::from(u64::from_be_bytes(word))
    })
}

/// A scalar that is not zero, out of a seed; each `info` gives another one (RFC 5869).
pub(crate) fn derive(seed: &[u8; 32], salt: &[u8], info: &[&[u8]]) -> Scalar {
    let hkdf = Hkdf::<Sha256>::new(Some(salt), seed);
    let mut counter = 0u8;
    loop {
        let mut wide = Zeroizing::new([0; 48]);
        let last = [counter];
        let parts: Vec<&[u8]> = info.iter().copied().chain([&last[..]]).collect();
        hkdf.expand_multi_info(&parts, &mut *wide).expect("48 bytes are within HKDF's bound");
        let scalar = reduce(&wide);
        if !bool::from(scalar.is_zero()) {
            return scalar;
        }
        counter = counter.wrapping_add(1);
    }
}

//! The other variant, with keys in G1 and signatures in G2, for what other networks signed.
//!
//! Source: draft-irtf-cfrg-bls-signature-05; the suites are named by the caller. Nothing of ours
//! is signed this way.

use blst::BLST_ERROR;
use blst::min_pk::{AggregateSignature, PublicKey, SecretKey, Signature};
use blstrs::G2Projective;

use crate::error::{EncodingFault, Error, encoding};

/// The suite without proofs of possession: the one of drand's first network.
pub const NUL_DST: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_";
/// The suite of Ethereum's signatures.
pub const POP_DST: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

fn fault(error: BLST_ERROR) -> EncodingFault {
    match error {
        BLST_ERROR::BLST_POINT_NOT_ON_CURVE => EncodingFault::NotOnCurve,
        BLST_ERROR::BLST_POINT_NOT_IN_GROUP => EncodingFault::NotInSubgroup,
        BLST_ERROR::BLST_PK_IS_INFINITY => EncodingFault::Identity,
        BLST_ERROR::BLST_BAD_SCALAR => EncodingFault::NotCanonical,
        _ => EncodingFault::NotOnCurve,
    }
}

fn compressed(field: &'static str, bytes: &[u8], want: usize) -> Result<(), Error> {
    if bytes.len() != want {
        return Err(encoding(field, EncodingFault::Length { got: bytes.len(), want }));
    }
    if bytes[0] & 0x80 == 0 {
        return Err(encoding(field, EncodingFault::NotCompressed));
    }
    Ok(())
}

/// Signs; the key is 32 bytes, big-endian.
///
/// # Errors
/// [`Error::Encoding`]: not below the order, or zero.
pub fn sign(key: &[u8; 32], message: &[u8], dst: &[u8]) -> Result<[u8; 96], Error> {
    let key = SecretKey::from_bytes(key).map_err(|error| encoding("secret key", fault(error)))?;
    Ok(key.sign(message, dst, &[]).to_bytes())
}

/// Whether a signature is the key's. Both points are checked to be in the subgroup and not the
/// identity.
///
/// # Errors
/// [`Error::Encoding`].
pub fn verify(key: &[u8], message: &[u8], signature: &[u8], dst: &[u8]) -> Result<bool, Error> {
    compressed("public key", key, 48)?;
    compressed("signature", signature, 96)?;
    let key = PublicKey::key_validate(key).map_err(|error| encoding("public key", fault(error)))?;
    let signature = Signature::sig_validate(signature, true).map_err(|error| match error {
        BLST_ERROR::BLST_PK_IS_INFINITY => encoding("signature", EncodingFault::Identity),
        other => encoding("signature", fault(other)),
    })?;
    Ok(signature.verify(false, message, dst, &[], &key, false) == BLST_ERROR::BLST_SUCCESS)
}

/// The sum of signatures: group arithmetic, and no verification. One identity gives it back.
///
/// # Errors
/// [`Error::Empty`]; [`Error::Encoding`].
pub fn aggregate(signatures: &[&[u8]]) -> Result<[u8; 96], Error> {
    let mut parsed = Vec::with_capacity(signatures.len());
    for signature in signatures {
        compressed("signature", signature, 96)?;
        let point = Signature::sig_validate(signature, false);
        parsed.push(point.map_err(|error| encoding("signature", fault(error)))?);
    }
    let parsed: Vec<&Signature> = parsed.iter().collect();
    AggregateSignature::aggregate(&parsed, false)
        .map(|sum| sum.to_signature().to_bytes())
        .map_err(|_| Error::Empty { field: "signatures" })
}

/// A message's point in G2 (RFC 9380): x and y, big-endian, each with the part at u first.
pub fn hash_to_g2(message: &[u8], dst: &[u8]) -> [u8; 192] {
    G2Projective::hash_to_curve(message, dst, &[]).to_uncompressed()
}

//! What a member can prove of its share: that it has it, and that a partial was made with it.
//!
//! Source: Schnorr 1991 for the first; Chaum and Pedersen 1992 for the second, over two groups of
//! one order: log of the member's key to g2 = log of the partial to the message's point. It checks
//! a partial without a pairing. The nonce is a function of share and statement, so that one
//! statement never has two challenges under one nonce.

use blstrs::{G1Projective, G2Projective};
use group::Group as _;
use sha2::{Digest as _, Sha512};

use crate::error::Error;
use crate::recover::Partial;
use crate::scalar::{self, SCALAR_BYTES, Scalar};
use crate::secret::{Share, wipe};
use crate::sharing::Sharing;
use crate::sign::{SIGNATURE_DST, hash};

/// Bytes of a proof: challenge and response.
pub const SHARE_PROOF_BYTES: usize = 2 * SCALAR_BYTES;

const SHARE_DOMAIN: &[u8] = b"cwts/share-possession/v1\0";
const PARTIAL_DOMAIN: &[u8] = b"cwts/partial-equality/v1\0";
const NONCE_DOMAIN: &[u8] = b"cwts/share-nonce/v1";

/// A proof about a member's share. Which statement it is of, the verifier says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareProof {
    challenge: Scalar,
    response: Scalar,
}

impl ShareProof {
    /// Reads [`SHARE_PROOF_BYTES`] bytes.
    ///
    /// # Errors
    /// [`Error::Encoding`]: another length, or a scalar that is not below the order.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let half = bytes.len().min(SCALAR_BYTES);
        let (challenge, response) = bytes.split_at(half);
        Ok(Self {
            challenge: scalar::parse("challenge", challenge)?,
            response: scalar::parse("response", response)?,
        })
    }

    /// The 64 bytes.
    pub fn to_bytes(self) -> [u8; SHARE_PROOF_BYTES] {
        let mut bytes = [0; SHARE_PROOF_BYTES];
        bytes[..SCALAR_BYTES].copy_from_slice(&self.challenge.to_bytes_be());
        bytes[SCALAR_BYTES..].copy_from_slice(&self.response.to_bytes_be());
        bytes
    }

    /// response * base - challenge * point: the commitment, if the proof holds.
    fn in_g2(&self, point: &G2Projective) -> G2Projective {
        G2Projective::generator() * self.response - point * self.challenge
    }
}

/// Proves that a member has its share. `session` is what the verifier drew, with what the proof is
/// for: an old proof answers no new one.
pub fn prove_share(share: &Share, session: &[u8; 32]) -> ShareProof {
    let statement = [SHARE_DOMAIN, &name(share.index(), share.epoch()), session].concat();
    let key = share.commitment();
    prove(share, &statement, |nonce| {
        challenge(&statement, &[], &[key, G2Projective::generator() * nonce])
    })
}

/// Whether a member has its share.
///
/// # Errors
/// An index that no member has.
pub fn verify_share(
    sharing: &Sharing,
    index: u16,
    session: &[u8; 32],
    proof: &ShareProof,
) -> Result<bool, Error> {
    let key = sharing.member(index)?;
    let name = name(index, sharing.committee().epoch());
    let statement = [SHARE_DOMAIN, &name, session].concat();
    Ok(challenge(&statement, &[], &[*key, proof.in_g2(key)]) == proof.challenge)
}

/// Signs a message, and proves that the partial is made with the member's share.
pub fn prove_partial(share: &Share, message: &[u8]) -> (Partial, ShareProof) {
    let partial = crate::sign::partial_sign(share, message);
    let statement = [PARTIAL_DOMAIN, &name(share.index(), share.epoch()), message].concat();
    let (key, point) = (share.commitment(), hash(message, SIGNATURE_DST));
    let signed = G1Projective::from(partial.point());
    let proof = prove(share, &statement, |nonce| {
        let committed = (point * nonce, G2Projective::generator() * nonce);
        challenge(&statement, &[signed, committed.0], &[key, committed.1])
    });
    (partial, proof)
}

/// Whether a partial is its member's, over this message: without a pairing.
///
/// # Errors
/// An index that no member has; [`Error::WrongEpoch`].
pub fn verify_partial_proof(
    sharing: &Sharing,
    message: &[u8],
    partial: Partial,
    proof: &ShareProof,
) -> Result<bool, Error> {
    let (got, want) = (partial.epoch(), sharing.committee().epoch());
    let key = sharing.member(partial.index())?;
    if got != want {
        return Err(Error::WrongEpoch { got, want });
    }
    if !bool::from(partial.point().is_torsion_free()) {
        return Ok(false);
    }
    let statement = [PARTIAL_DOMAIN, &name(partial.index(), got), message].concat();
    let signed = G1Projective::from(partial.point());
    let committed = hash(message, SIGNATURE_DST) * proof.response - signed * proof.challenge;
    let again = challenge(&statement, &[signed, committed], &[*key, proof.in_g2(key)]);
    Ok(again == proof.challenge)
}

fn name(index: u16, epoch: u64) -> [u8; 10] {
    let mut name = [0; 10];
    name[..2].copy_from_slice(&index.to_le_bytes());
    name[2..].copy_from_slice(&epoch.to_le_bytes());
    name
}

fn prove(share: &Share, statement: &[u8], challenge: impl Fn(&Scalar) -> Scalar) -> ShareProof {
    let digest: [u8; 64] = Sha512::digest(statement).into();
    let mut nonce = scalar::derive(&share.export(), &digest, &[NONCE_DOMAIN]);
    let challenge = challenge(&nonce);
    let response = share.secret.expose(|secret| nonce + challenge * secret);
    wipe(&mut nonce);
    ShareProof { challenge, response }
}

/// Hashes the whole statement: whose it is, and every point in its order.
fn challenge(statement: &[u8], g1: &[G1Projective], g2: &[G2Projective]) -> Scalar {
    let mut hash = Sha512::new_with_prefix((statement.len() as u64).to_le_bytes());
    hash.update(statement);
    for point in g1 {
        hash.update(point.to_compressed());
    }
    for point in g2 {
        hash.update(point.to_compressed());
    }
    let mut wide = [0; 48];
    wide.copy_from_slice(&hash.finalize()[..48]);
    scalar::reduce(&wide)
}

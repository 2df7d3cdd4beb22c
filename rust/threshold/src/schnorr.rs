//! Knowledge of a logarithm in G2: the dealer of a new key knows its constant term, so it is no
//! rogue key made of the others'.
//!
//! Source: Schnorr 1991; the compact form, challenge and response. The challenge hashes the whole
//! statement and who makes it, so that no other dealer can repeat it.

use blstrs::G2Projective;
use group::Group as _;
use sha2::{Digest as _, Sha512};

use crate::scalar::{self, SCALAR_BYTES, Scalar};
use crate::secret::{Seed, wipe};

/// Bytes of a proof: challenge and response.
pub(crate) const G2_PROOF_BYTES: usize = 2 * SCALAR_BYTES;

const CHALLENGE_DOMAIN: &[u8] = b"cwts/schnorr-g2/v1\0";
const NONCE_DOMAIN: &[u8] = b"cwts/schnorr-g2-nonce/v1";

/// Proves that the prover knows `secret`, `point` = `secret` g2. The nonce is a function of the
/// seed and the statement: one statement never has two challenges under one nonce.
pub(crate) fn prove(
    secret: &Scalar,
    point: &G2Projective,
    context: &[u8; 64],
    seed: &Seed,
) -> [u8; G2_PROOF_BYTES] {
    let mut nonce = scalar::derive(&seed.0, context, &[NONCE_DOMAIN, &point.to_compressed()]);
    let challenge = challenge(context, point, &(G2Projective::generator() * nonce));
    let mut response = nonce + challenge * secret;
    let mut proof = [0; G2_PROOF_BYTES];
    proof[..SCALAR_BYTES].copy_from_slice(&challenge.to_bytes_be());
    proof[SCALAR_BYTES..].copy_from_slice(&response.to_bytes_be());
    wipe(&mut nonce);
    wipe(&mut response);
    proof
}

/// Whether a proof holds.
pub(crate) fn verify(
    point: &G2Projective,
    context: &[u8; 64],
    proof: &[u8; G2_PROOF_BYTES],
) -> bool {
    let (left, right) = proof.split_at(SCALAR_BYTES);
    let (Ok(claimed), Ok(response)) =
        (scalar::parse("challenge", left), scalar::parse("response", right))
    else {
        return false;
    };
    let commitment = G2Projective::generator() * response - *point * claimed;
    challenge(context, point, &commitment) == claimed
}

fn challenge(context: &[u8; 64], point: &G2Projective, commitment: &G2Projective) -> Scalar {
    let hash = Sha512::new_with_prefix(CHALLENGE_DOMAIN)
        .chain_update(context)
        .chain_update(point.to_compressed())
        .chain_update(commitment.to_compressed())
        .finalize();
    let mut wide = [0; 48];
    wide.copy_from_slice(&hash[..48]);
    scalar::reduce(&wide)
}

//! Many signatures checked at once, with weights that no signer can know.
//!
//! Source: Bellare, Garay, Rabin 1998 (small exponents test), weights of 128 bits.
//! Invariant: each point was checked to be in the subgroup before; errors outside it would cancel.

use blstrs::G1Projective;
use group::Curve as _;
use sha2::{Digest, Sha256};
use zeroize::ZeroizeOnDrop;

use crate::error::Error;
use crate::point::{PublicKey, Signature};
use crate::sign::{SIGNATURE_DST, hash};
use crate::vartime;

/// The most signatures in one batch.
pub const BATCH_MAX: usize = 1 << 20;
/// Signatures that are added up at once.
const CHUNK: usize = 1_024;

/// What the weights are derived under.
const BATCH_DOMAIN: &[u8] = b"cwts/batch/v1\0";

/// 32 random bytes that no signer knows when he signs. The caller draws them for each batch.
#[derive(ZeroizeOnDrop)]
pub struct BatchSecret([u8; 32]);

impl BatchSecret {
    /// Takes the bytes over.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Weights of 128 bits that depend on everything that is checked with them.
    pub(crate) fn weights(&self, transcript: &Sha256, count: usize) -> Vec<[u8; 16]> {
        let inputs = transcript.clone().finalize();
        let seeded = Sha256::new().chain_update(BATCH_DOMAIN).chain_update(self.0);
        let seeded = seeded.chain_update(inputs);
        (0..count as u64)
            .map(|at| {
                let digest = seeded.clone().chain_update(at.to_le_bytes()).finalize();
                let mut weight = [0; 16];
                weight.copy_from_slice(&digest[..16]);
                weight
            })
            .collect()
    }
}

/// Checks signatures of one key, one for each message; gives the places of those that are not
/// valid.
///
/// # Errors
/// [`Error::Count`]: lists of different lengths, or more than [`BATCH_MAX`].
pub fn verify_batch(
    key: &PublicKey,
    messages: &[&[u8]],
    signatures: &[Signature],
    secret: &BatchSecret,
) -> Result<Vec<usize>, Error> {
    if messages.len() != signatures.len() {
        let (got, want) = (signatures.len(), messages.len());
        return Err(Error::Count { field: "signatures", got, want });
    }
    if messages.len() > BATCH_MAX {
        return Err(Error::Count { field: "signatures", got: messages.len(), want: BATCH_MAX });
    }
    let mut bad = Vec::new();
    for (chunk, at) in messages.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
        let signatures = &signatures[at..at + chunk.len()];
        let mut transcript = Sha256::new().chain_update(key.to_bytes());
        for (message, signature) in chunk.iter().zip(signatures) {
            transcript.update((message.len() as u64).to_le_bytes());
            transcript.update(message);
            transcript.update(signature.to_bytes());
        }
        let weights = secret.weights(&transcript, chunk.len());
        let hashes: Vec<G1Projective> =
            chunk.iter().map(|message| hash(message, SIGNATURE_DST)).collect();
        let points: Vec<G1Projective> = signatures.iter().map(|one| one.0.into()).collect();
        let holds = |from: usize, to: usize| {
            let weights = &weights[from..to];
            let hash = vartime::g1_weighted(&hashes[from..to], weights);
            let signature = vartime::g1_weighted(&points[from..to], weights);
            key.pairs(&hash.to_affine(), &signature.to_affine())
        };
        bisect(0, chunk.len(), false, &holds, &mut |one| bad.push(at + one));
    }
    Ok(bad)
}

/// Names every place at which what holds for a good range does not. A range whose other half is
/// good is bad without a look, if the two together are; `is_bad` says that of this one.
pub(crate) fn bisect(
    from: usize,
    to: usize,
    is_bad: bool,
    holds: &dyn Fn(usize, usize) -> bool,
    found: &mut dyn FnMut(usize),
) -> bool {
    if from == to || (!is_bad && holds(from, to)) {
        return true;
    }
    if to - from == 1 {
        found(from);
        return false;
    }
    let middle = from.midpoint(to);
    let left = bisect(from, middle, false, holds, found);
    bisect(middle, to, left, holds, found);
    false
}

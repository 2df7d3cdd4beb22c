//! Signing and verifying, with signatures in G1 and keys in G2.

use blstrs::{G1Affine, G1Projective, G2Projective};
use group::Curve as _;

use crate::error::Error;
use crate::point::{self, PublicKey, Signature};
use crate::recover::Partial;
use crate::secret::{SecretKey, Share};

/// The suite of signatures: the one of the drand network's "quicknet" too, so that others'
/// verifiers exist.
pub const SIGNATURE_DST: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";
/// The suite of proofs of possession: a signature is never one.
pub const POP_DST: &[u8] = b"BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";

pub(crate) fn hash(message: &[u8], dst: &[u8]) -> G1Projective {
    G1Projective::hash_to_curve(message, dst, &[])
}

/// Signs a message.
pub fn sign(key: &SecretKey, message: &[u8]) -> Signature {
    signed(key, message, SIGNATURE_DST)
}

/// Whether a signature is the key's, over this message.
pub fn verify(key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
    verify_with_dst(key, message, signature, SIGNATURE_DST)
}

/// [`verify`] in another suite: for the signatures of other networks.
pub fn verify_with_dst(key: &PublicKey, message: &[u8], signature: &Signature, dst: &[u8]) -> bool {
    key.pairs(&hash(message, dst).to_affine(), &signature.0)
}

/// One member's part of a signature.
pub fn partial_sign(share: &Share, message: &[u8]) -> Partial {
    let point = share.times(&hash(message, SIGNATURE_DST)).to_affine();
    Partial::of(share.index(), share.epoch(), point)
}

fn signed(key: &SecretKey, message: &[u8], dst: &[u8]) -> Signature {
    let hash = hash(message, dst);
    Signature(key.0.expose(|x| hash * x).to_affine())
}

/// A proof that the owner of a key holds its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof(Signature);

impl Proof {
    /// Reads 48 bytes.
    ///
    /// # Errors
    /// [`Error::Encoding`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        Signature::parse(bytes).map(Self)
    }

    /// The 48 bytes.
    pub fn to_bytes(self) -> [u8; point::G1_BYTES] {
        self.0.to_bytes()
    }
}

/// Proves possession of a key (draft-irtf-cfrg-bls-signature-05, 3.3.2).
pub fn pop_prove(key: &SecretKey) -> Proof {
    Proof(signed(key, &key.public_key().to_bytes(), POP_DST))
}

/// Whether a proof of possession holds (3.3.3).
pub fn pop_verify(key: &PublicKey, proof: &Proof) -> bool {
    verify_with_dst(key, &key.to_bytes(), &proof.0, POP_DST)
}

/// Keys of which each proved possession: only these may be added up. Without the proofs a rogue
/// key X = g^x - sum of the others' signs alone for all.
#[derive(Debug, Default)]
pub struct Registry(Vec<PublicKey>);

/// Keys in one registry.
pub(crate) const REGISTRY_MAX: usize = 1 << 16;

impl Registry {
    /// Takes a key; says at which place.
    ///
    /// # Errors
    /// [`Error::NoPossession`]; [`Error::Count`] at 65,536 keys.
    pub fn register(&mut self, key: PublicKey, proof: &Proof) -> Result<usize, Error> {
        if self.0.len() >= REGISTRY_MAX {
            return Err(Error::Count {
                field: "registered keys",
                got: self.0.len() + 1,
                want: REGISTRY_MAX,
            });
        }
        if !pop_verify(&key, proof) {
            return Err(Error::NoPossession);
        }
        self.0.push(key);
        Ok(self.0.len() - 1)
    }

    /// The keys, in the order in which they came.
    pub fn keys(&self) -> &[PublicKey] {
        &self.0
    }
}

/// The sum of signatures.
///
/// # Errors
/// [`Error::Empty`] without any; [`Error::Encoding`] if they add up to the identity.
pub fn aggregate(signatures: &[Signature]) -> Result<Signature, Error> {
    if signatures.is_empty() {
        return Err(Error::Empty { field: "signatures" });
    }
    let sum: G1Projective = signatures.iter().map(|one| G1Projective::from(one.0)).sum();
    Signature::of(sum.to_affine())
}

/// Whether one aggregate is by all members at these places of the registry, over one message.
/// `false` without any place, with one that is not there or is there twice.
pub fn fast_aggregate_verify(
    registry: &Registry,
    places: &[usize],
    message: &[u8],
    signature: &Signature,
) -> bool {
    let mut sorted = places.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let keys: Option<Vec<G2Projective>> =
        sorted.iter().map(|at| Some(registry.keys().get(*at)?.point.into())).collect();
    match keys {
        Some(keys) if !keys.is_empty() && sorted.len() == places.len() => {
            let key: G2Projective = keys.into_iter().sum();
            let hash: G1Affine = hash(message, SIGNATURE_DST).to_affine();
            point::pairs_once(&signature.0, &hash, &key.to_affine())
        }
        _ => false,
    }
}

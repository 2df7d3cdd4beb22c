//! Sigma protocols over ristretto255: the compact form of draft-irtf-cfrg-sigma-protocols with the
//! SHAKE128 transcript of draft-irtf-cfrg-fiat-shamir, as `sigma-proofs` has them.
//!
//! A body is challenge and response, each a scalar of 32 bytes, big-endian. The transcript takes
//! the session (this module's tag and the context), then the whole statement, then the commitment.

use curve25519_dalek::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use sha2::{Digest as _, Sha256};
use sigma_proofs::linear_relation::{Instance, LinearRelation};
use sigma_proofs::{SessionId, derive_session_id, prove_compact_with, verify_compact_with};
use spongefish::PrivateRng;
use spongefish::instantiations::Shake128;
use zeroize::Zeroizing;

pub use secret::{Secret, shared_point};

use crate::{Context, Kind, Point, Proof, ProofError, Seed};

mod secret;

/// Bytes of a proof's body: challenge and response.
pub(crate) const BODY_BYTES: usize = 64;

// The draft wants the flavor and the ciphersuite in every tag. The context's digest follows.
const KNOWLEDGE_TAG: &[u8] = b"cwts/schnorr/v1-CMPT-with-sigma-proofs_Shake128_ristretto255\0";
const DLEQ_TAG: &[u8] = b"cwts/dleq/v1-CMPT-with-sigma-proofs_Shake128_ristretto255\0";
const EQUAL_TAG: &[u8] = b"cwts/equal/v1-CMPT-with-sigma-proofs_Shake128_ristretto255\0";

/// Proves that the prover knows the secret of its public point X = x G.
pub fn prove_knowledge(
    secret: &Secret,
    context: &Context,
    seed: &Seed,
) -> Result<Proof, ProofError> {
    let instance = knowledge(&secret.public()?)?;
    let body = prove(&instance, secret, &session(KNOWLEDGE_TAG, context, &[]), seed)?;
    Ok(Proof::new(Kind::Knowledge, 0, body))
}

/// Tells whether a proof of knowledge of X's logarithm holds.
pub fn verify_knowledge(
    proof: &Proof,
    public: &Point,
    context: &Context,
) -> Result<bool, ProofError> {
    let body = proof.body(Kind::Knowledge)?;
    Ok(holds(&knowledge(public)?, body, &session(KNOWLEDGE_TAG, context, &[])))
}

/// Proves that the public point X = x G and the shared point K = x R have one logarithm.
pub fn prove_dleq(
    secret: &Secret,
    base: &Point,
    context: &Context,
    seed: &Seed,
) -> Result<Proof, ProofError> {
    let instance = dleq(&secret.public()?, base, &shared_point(secret, base)?)?;
    let body = prove(&instance, secret, &session(DLEQ_TAG, context, &[]), seed)?;
    Ok(Proof::new(Kind::Dleq, 0, body))
}

/// Tells whether a proof holds that the logarithm of `public` to G is that of `shared` to `base`.
pub fn verify_dleq(
    proof: &Proof,
    public: &Point,
    base: &Point,
    shared: &Point,
    context: &Context,
) -> Result<bool, ProofError> {
    let body = proof.body(Kind::Dleq)?;
    Ok(holds(&dleq(public, base, shared)?, body, &session(DLEQ_TAG, context, &[])))
}

/// The session of a proof about two commitments.
pub(crate) fn equal_session(first: &Point, second: &Point, context: &Context) -> SessionId {
    session(EQUAL_TAG, context, &[*first, *second])
}

/// A body that proves knowledge of x in `point` = x `base`.
pub(crate) fn prove_multiple(
    point: &Point,
    base: &Point,
    secret: &Secret,
    session: &SessionId,
    seed: &Seed,
) -> Result<Vec<u8>, ProofError> {
    prove(&multiple(point, base)?, secret, session, seed)
}

/// Whether such a body holds.
pub(crate) fn verify_multiple(
    point: &Point,
    base: &Point,
    body: &[u8],
    session: &SessionId,
) -> Result<bool, ProofError> {
    Ok(holds(&multiple(point, base)?, body, session))
}

/// Refuses a body whose scalars are not canonical.
pub(crate) fn check_body(body: &[u8]) -> Result<(), ProofError> {
    for (bytes, what) in body.chunks_exact(32).zip(["the challenge", "the response"]) {
        let mut little = [0; 32];
        little.copy_from_slice(bytes);
        little.reverse();
        if bool::from(Scalar::from_canonical_bytes(little).is_none()) {
            return Err(ProofError::ScalarEncoding { what });
        }
    }
    Ok(())
}

/// X = x G.
fn knowledge(public: &Point) -> Result<Instance<RistrettoPoint>, ProofError> {
    let mut relation = LinearRelation::<RistrettoPoint>::new();
    let x = relation.allocate_scalar();
    let generator = relation.generator();
    relation.allocate_eq_with(public.element("the public point")?, x * generator);
    compiled(&relation)
}

/// X = x G and K = x R.
fn dleq(
    public: &Point,
    base: &Point,
    shared: &Point,
) -> Result<Instance<RistrettoPoint>, ProofError> {
    let mut relation = LinearRelation::<RistrettoPoint>::new();
    let x = relation.allocate_scalar();
    let generator = relation.generator();
    let base = relation.allocate_element_with(base.element("the base")?);
    relation.allocate_eq_with(public.element("the public point")?, x * generator);
    relation.allocate_eq_with(shared.element("the shared point")?, x * base);
    compiled(&relation)
}

/// D = r B'.
fn multiple(point: &Point, base: &Point) -> Result<Instance<RistrettoPoint>, ProofError> {
    let mut relation = LinearRelation::<RistrettoPoint>::new();
    let r = relation.allocate_scalar();
    let base = relation.allocate_element_with(base.element("the base")?);
    relation.allocate_eq_with(point.element("the point")?, r * base);
    compiled(&relation)
}

fn compiled(
    relation: &LinearRelation<RistrettoPoint>,
) -> Result<Instance<RistrettoPoint>, ProofError> {
    relation.compile().map_err(|_| ProofError::Prover { what: "a relation" })
}

fn session(tag: &[u8], context: &Context, points: &[Point]) -> SessionId {
    let mut whole = tag.to_vec();
    whole.extend_from_slice(&context.digest());
    for point in points {
        whole.extend_from_slice(&point.to_bytes());
    }
    derive_session_id::<Shake128>(&whole)
}

fn prove(
    instance: &Instance<RistrettoPoint>,
    secret: &Secret,
    session: &SessionId,
    seed: &Seed,
) -> Result<Vec<u8>, ProofError> {
    let witness = Zeroizing::new([secret.scalar()]);
    let mut rng = nonces(instance, secret, session, seed);
    prove_compact_with::<Shake128, _>(session, instance, &*witness, &mut rng)
        .map_err(|_| ProofError::Prover { what: "a sigma protocol" })
}

fn holds(instance: &Instance<RistrettoPoint>, body: &[u8], session: &SessionId) -> bool {
    verify_compact_with::<Shake128, _>(session, instance, body).is_ok()
}

/// Nonces out of seed, session, statement and secret: two proofs share one only if they are the
/// same proof. Two answers under one nonce would give the secret away.
fn nonces(
    instance: &Instance<RistrettoPoint>,
    secret: &Secret,
    session: &SessionId,
    seed: &Seed,
) -> PrivateRng<Shake128> {
    let mut rng = PrivateRng::<Shake128>::from_seed(*seed.bytes());
    rng.mix_entropy(session.as_bytes());
    rng.mix_entropy(&Sha256::digest(instance.serialize()).into());
    rng.mix_entropy(&secret.to_bytes());
    rng
}

#[cfg(test)]
mod tests;

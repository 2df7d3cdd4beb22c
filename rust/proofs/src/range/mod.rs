//! Range proofs over hidden numbers: Bulletproofs (Bünz, Bootle, Boneh, Poelstra, Wuille, Maxwell,
//! IEEE S&P 2018) with merlin transcripts.
//!
//! That an exposure E is at most a limit L is shown by two numbers in [0, 2^64): E and L - E. The
//! second alone would let a negative E through. The verifier forms C_L - C_E itself, so the sum of
//! the two numbers is L over the integers: 2^65 is far from the group's order.

use std::sync::LazyLock;

use bulletproofs::{BulletproofGens, PedersenGens, RangeProof};
use curve25519_dalek_4::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek_4::scalar::Scalar;
use curve25519_dalek_4::traits::Identity as _;
use merlin::{Transcript, TranscriptRng};
use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

pub use opening::{OPENING_BYTES, Opening};

use crate::{Context, Kind, Point, Proof, ProofError, Seed, point};

mod opening;

/// Desks that one proof takes.
pub const DESKS_MAX: usize = 8;

/// Bits of a number.
const BITS: usize = 64;

// Merlin frames its labels, so these end without the NUL that other domains end with.
const EXPOSURE_LABEL: &[u8] = b"cwts/exposure/v1";
const DESKS_LABEL: &[u8] = b"cwts/desks/v1";

static PEDERSEN: LazyLock<PedersenGens> = LazyLock::new(PedersenGens::default);
static GENERATORS: LazyLock<BulletproofGens> =
    LazyLock::new(|| BulletproofGens::new(BITS, DESKS_MAX));

/// A limit as its verifier knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// By its commitment.
    Hidden(Point),
    /// By its number, in units of 0.01 of the reporting currency.
    Public(u64),
}

/// A limit as its prover knows it.
pub enum OpenedLimit<'a> {
    /// Hidden from others.
    Hidden(&'a Opening),
    /// Known to everybody.
    Public(u64),
}

/// Proves that a hidden exposure is at most a limit.
///
/// # Errors
///
/// [`ProofError::AboveLimit`] if it is not.
pub fn prove_exposure_below(
    exposure: &Opening,
    limit: &OpenedLimit<'_>,
    context: &Context,
    seed: &Seed,
) -> Result<Proof, ProofError> {
    let known = known(limit)?;
    let mut transcript = transcript(EXPOSURE_LABEL, context, &known, &[exposure.commitment()?]);
    let body = prove_below(&mut transcript, exposure, limit, seed)?;
    Ok(Proof::new(exposure_kind(&known), 0, body))
}

/// Tells whether a proof holds that a committed exposure is at most a limit.
pub fn verify_exposure_below(
    proof: &Proof,
    exposure: &Point,
    limit: &Limit,
    context: &Context,
) -> Result<bool, ProofError> {
    let body = proof.body(exposure_kind(limit))?;
    let mut transcript = transcript(EXPOSURE_LABEL, context, limit, &[*exposure]);
    verify_below(&mut transcript, element(exposure)?, limit, body)
}

/// Proves that 1 to [`DESKS_MAX`] hidden exposures are numbers, and their sum is at most a limit.
///
/// # Errors
///
/// [`ProofError::AboveLimit`] if it is not; [`ProofError::SumOverflow`] if it leaves 64 bits.
pub fn prove_desks_sum_below(
    desks: &[&Opening],
    limit: &OpenedLimit<'_>,
    context: &Context,
    seed: &Seed,
) -> Result<Proof, ProofError> {
    check_desks(desks.len())?;
    let known = known(limit)?;
    let commitments =
        desks.iter().map(|desk| desk.commitment()).collect::<Result<Vec<_>, ProofError>>()?;
    let mut transcript = transcript(DESKS_LABEL, context, &known, &commitments);
    let firm = sum(desks)?;
    let slots = desks.len().next_power_of_two();
    let mut values = Zeroizing::new(vec![0; slots]);
    let mut blindings = Zeroizing::new(vec![Scalar::ZERO; slots]);
    for (at, desk) in desks.iter().enumerate() {
        values[at] = desk.value();
        blindings[at] = *desk.blinding();
    }
    let mut body = prove_range(&mut transcript, &values, &blindings, seed)?;
    body.extend(prove_below(&mut transcript, &firm, limit, seed)?);
    Ok(Proof::new(desks_kind(&known), desks.len(), body))
}

/// Tells whether a proof holds that the sum of committed exposures is at most a limit.
pub fn verify_desks_sum_below(
    proof: &Proof,
    desks: &[Point],
    limit: &Limit,
    context: &Context,
) -> Result<bool, ProofError> {
    let body = proof.body(desks_kind(limit))?;
    check_desks(desks.len())?;
    if proof.desks() != desks.len() {
        return Ok(false);
    }
    let mut transcript = transcript(DESKS_LABEL, context, limit, desks);
    let elements = desks.iter().map(element).collect::<Result<Vec<_>, ProofError>>()?;
    let (ranges, below) = body.split_at(body_bytes(desks.len()));
    let mut commitments: Vec<_> = desks.iter().map(|d| CompressedRistretto(d.to_bytes())).collect();
    commitments.resize(desks.len().next_power_of_two(), CompressedRistretto::identity());
    Ok(verify_range(&mut transcript, &commitments, ranges)
        && verify_below(&mut transcript, elements.iter().sum(), limit, below)?)
}

/// Bytes of a range proof over so many numbers: their count is rounded up to a power of two.
pub(crate) const fn body_bytes(numbers: usize) -> usize {
    let rounds = (BITS * numbers.next_power_of_two()).ilog2() as usize;
    32 * (9 + 2 * rounds)
}

/// Refuses no desk, and too many.
pub(crate) fn check_desks(found: usize) -> Result<(), ProofError> {
    if (1..=DESKS_MAX).contains(&found) {
        return Ok(());
    }
    Err(ProofError::Desks { found, max: DESKS_MAX })
}

/// Refuses a range proof with a point or scalar that is not canonical, or with the identity.
pub(crate) fn check_body(body: &[u8]) -> Result<(), ProofError> {
    let last = body.len() / 32 - 2;
    for (at, bytes) in body.as_chunks::<32>().0.iter().enumerate() {
        // A, S, T_1, T_2; t_x and two blindings; pairs L, R; a and b.
        if (4..7).contains(&at) || at >= last {
            if bool::from(Scalar::from_canonical_bytes(*bytes).is_none()) {
                return Err(ProofError::ScalarEncoding { what: "a scalar of the range proof" });
            }
        } else {
            point::check(bytes, "a point of the range proof")?;
        }
    }
    Ok(())
}

/// B', the base of blindings: nobody knows its logarithm to B.
pub(crate) fn blinding_base() -> Point {
    // The hash of B to the group; it is a constant, and not the identity.
    static BASE: LazyLock<Point> = LazyLock::new(|| {
        Point::computed(PEDERSEN.B_blinding.compress().to_bytes(), "the base of blindings")
            .unwrap_or_else(|_| unreachable!("the hash of B is not the identity"))
    });
    *BASE
}

/// C1 - C2, which is no commitment to anything if both are the same.
pub(crate) fn difference(first: &Point, second: &Point) -> Result<Point, ProofError> {
    if first == second {
        return Err(ProofError::SameCommitment);
    }
    let point = element(first)? - element(second)?;
    Point::computed(point.compress().to_bytes(), "the difference")
}

fn element(point: &Point) -> Result<RistrettoPoint, ProofError> {
    CompressedRistretto(point.to_bytes())
        .decompress()
        .ok_or(ProofError::PointEncoding { what: "a commitment" })
}

fn exposure_kind(limit: &Limit) -> Kind {
    match limit {
        Limit::Hidden(_) => Kind::ExposureBelow,
        Limit::Public(_) => Kind::ExposureBelowPublic,
    }
}

fn desks_kind(limit: &Limit) -> Kind {
    match limit {
        Limit::Hidden(_) => Kind::DesksSumBelow,
        Limit::Public(_) => Kind::DesksSumBelowPublic,
    }
}

fn known(limit: &OpenedLimit<'_>) -> Result<Limit, ProofError> {
    Ok(match limit {
        OpenedLimit::Hidden(opening) => Limit::Hidden(opening.commitment()?),
        OpenedLimit::Public(number) => Limit::Public(*number),
    })
}

/// All that is said, before anything is proven.
fn transcript(
    label: &'static [u8],
    context: &Context,
    limit: &Limit,
    commitments: &[Point],
) -> Transcript {
    let mut transcript = Transcript::new(label);
    for (label, value) in context.fields() {
        transcript.append_message(label, &value);
    }
    transcript.append_u64(b"commitments", commitments.len() as u64);
    for commitment in commitments {
        transcript.append_message(b"commitment", &commitment.to_bytes());
    }
    match limit {
        Limit::Hidden(point) => transcript.append_message(b"hidden limit", &point.to_bytes()),
        Limit::Public(number) => transcript.append_u64(b"public limit", *number),
    }
    transcript
}

/// E and L - E in range.
fn prove_below(
    transcript: &mut Transcript,
    exposure: &Opening,
    limit: &OpenedLimit<'_>,
    seed: &Seed,
) -> Result<Vec<u8>, ProofError> {
    let (bound, blinding) = match limit {
        OpenedLimit::Hidden(opening) => (opening.value(), opening.blinding()),
        OpenedLimit::Public(number) => (*number, Zeroizing::new(Scalar::ZERO)),
    };
    let room = bound.checked_sub(exposure.value()).ok_or(ProofError::AboveLimit)?;
    let values = Zeroizing::new([exposure.value(), room]);
    let blindings = Zeroizing::new([*exposure.blinding(), *blinding - *exposure.blinding()]);
    prove_range(transcript, &*values, &*blindings, seed)
}

fn verify_below(
    transcript: &mut Transcript,
    exposure: RistrettoPoint,
    limit: &Limit,
    body: &[u8],
) -> Result<bool, ProofError> {
    let bound = match limit {
        Limit::Hidden(point) => element(point)?,
        Limit::Public(number) => PEDERSEN.commit(Scalar::from(*number), Scalar::ZERO),
    };
    Ok(verify_range(transcript, &[exposure.compress(), (bound - exposure).compress()], body))
}

fn prove_range(
    transcript: &mut Transcript,
    values: &[u64],
    blindings: &[Scalar],
    seed: &Seed,
) -> Result<Vec<u8>, ProofError> {
    let numbers: Zeroizing<Vec<u8>> =
        Zeroizing::new(values.iter().flat_map(|value| value.to_le_bytes()).collect());
    let hidings: Zeroizing<Vec<u8>> =
        Zeroizing::new(blindings.iter().flat_map(Scalar::to_bytes).collect());
    let mut rng = keyed_rng(transcript, &[seed.bytes(), &numbers, &hidings]);
    let proven = RangeProof::prove_multiple_with_rng(
        &GENERATORS,
        &PEDERSEN,
        transcript,
        values,
        blindings,
        BITS,
        &mut rng,
    );
    let (proof, _) = proven.map_err(|_| ProofError::Prover { what: "a range proof" })?;
    Ok(proof.to_bytes())
}

fn verify_range(
    transcript: &mut Transcript,
    commitments: &[CompressedRistretto],
    body: &[u8],
) -> bool {
    let Ok(proof) = RangeProof::from_bytes(body) else {
        return false;
    };
    // The weight that joins the verifier's two equations is a hash of all of them: whoever chose
    // the proof could not choose it, and the same proof gets the same answer everywhere.
    let mut statement = transcript.clone();
    for commitment in commitments {
        statement.append_message(b"V", commitment.as_bytes());
    }
    statement.append_message(b"proof", body);
    let mut rng = keyed_rng(&statement, &[]);
    proof
        .verify_multiple_with_rng(&GENERATORS, &PEDERSEN, transcript, commitments, BITS, &mut rng)
        .is_ok()
}

fn sum(desks: &[&Opening]) -> Result<Opening, ProofError> {
    desks.iter().try_fold(Opening::zero(), |sum, desk| sum.plus(desk))
}

/// Merlin's own generator, keyed by a transcript and by secrets. It wants a generator beside them;
/// the seed among the secrets has taken that one's place.
fn keyed_rng(transcript: &Transcript, secrets: &[&[u8]]) -> TranscriptRng {
    let mut builder = transcript.build_rng();
    for secret in secrets {
        builder = builder.rekey_with_witness_bytes(b"secret", secret);
    }
    builder.finalize(&mut NoFurtherEntropy)
}

struct NoFurtherEntropy;

impl CryptoRng for NoFurtherEntropy {}

impl RngCore for NoFurtherEntropy {
    fn next_u32(&mut self) -> u32 {
        0
    }

    fn next_u64(&mut self) -> u64 {
        0
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        out.fill(0);
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

#[cfg(test)]
mod tests;

//! Two commitments are to one number: C1 - C2 = r B', and I know r.
//!
//! Both commitments, and not their difference alone, are in the transcript: a proof about one pair
//! would else be one about every pair with that difference.

use crate::{Context, Kind, Opening, Point, Proof, ProofError, Seed, range, sigma};

/// Proves that two commitments, of which the openings are known, are to one number.
///
/// # Errors
///
/// [`ProofError::ValuesDiffer`] and [`ProofError::SameCommitment`].
pub fn prove_equal(
    first: &Opening,
    second: &Opening,
    context: &Context,
    seed: &Seed,
) -> Result<Proof, ProofError> {
    let (left, right) = (first.commitment()?, second.commitment()?);
    if !first.is_to_same_value(second) {
        return Err(ProofError::ValuesDiffer);
    }
    let difference = range::difference(&left, &right)?;
    let blinding = first.blinding_minus(second)?;
    let body = sigma::prove_multiple(
        &difference,
        &range::blinding_base(),
        &blinding,
        &sigma::equal_session(&left, &right, context),
        seed,
    )?;
    Ok(Proof::new(Kind::Equal, 0, body))
}

/// Tells whether a proof holds that two commitments are to one number.
pub fn verify_equal(
    proof: &Proof,
    first: &Point,
    second: &Point,
    context: &Context,
) -> Result<bool, ProofError> {
    let body = proof.body(Kind::Equal)?;
    let difference = range::difference(first, second)?;
    let session = sigma::equal_session(first, second, context);
    sigma::verify_multiple(&difference, &range::blinding_base(), body, &session)
}

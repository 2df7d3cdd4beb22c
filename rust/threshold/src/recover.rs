//! The committee's signature out of t partials.

use blstrs::{G1Affine, G1Projective, G2Projective};
use group::Curve as _;
use group::prime::PrimeCurveAffine as _;
use sha2::{Digest, Sha256};

use crate::batch::{BatchSecret, bisect};
use crate::error::Error;
use crate::lagrange::{Coefficients, Row, inverse};
use crate::point::{G1_BYTES, Signature, pairs_once, parse_g1_curve};
use crate::polynomial::weights_at;
use crate::sharing::Sharing;
use crate::sign::{SIGNATURE_DST, hash};
use crate::vartime;

/// One member's part of a signature, not checked: a point of the curve, and who sent it.
///
/// Whoever knows t partials of a message can make those of all other members, so a partial is
/// never evidence against anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partial {
    index: u16,
    epoch: u64,
    point: G1Affine,
}

impl Partial {
    pub(crate) fn of(index: u16, epoch: u64, point: G1Affine) -> Self {
        Self { index, epoch, point }
    }

    /// Reads 48 bytes. The index is the authenticated sender's, never one that the payload names.
    ///
    /// # Errors
    /// [`Error::Encoding`]: no point of the curve, or the identity; [`Error::IndexZero`].
    pub fn parse(bytes: &[u8], index: u16, epoch: u64) -> Result<Self, Error> {
        if index == 0 {
            return Err(Error::IndexZero);
        }
        Ok(Self { index, epoch, point: parse_g1_curve("partial signature", bytes)? })
    }

    /// The 48 bytes.
    pub fn to_bytes(self) -> [u8; G1_BYTES] {
        self.point.to_compressed()
    }

    /// The member, from 1.
    pub fn index(self) -> u16 {
        self.index
    }

    /// The epoch of the share that made it.
    pub fn epoch(self) -> u64 {
        self.epoch
    }

    pub(crate) fn point(self) -> G1Affine {
        self.point
    }

    /// Whether it is its member's, over this message: one verification.
    ///
    /// # Errors
    /// An index that no member has; [`Error::WrongEpoch`].
    pub fn verify(self, sharing: &Sharing, message: &[u8]) -> Result<bool, Error> {
        same_epoch(sharing, self)?;
        let key = sharing.member(self.index)?.to_affine();
        let hash = hash(message, SIGNATURE_DST).to_affine();
        let is_inside = bool::from(self.point.is_torsion_free());
        Ok(is_inside && pairs_once(&self.point, &hash, &key))
    }
}

/// A recovered signature. Who contributed a good part is not said: two bad ones may cancel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The committee's signature; it verifies.
    pub signature: Signature,
    /// Members whose partial was bad. Empty where the first t at hand were enough: then nobody
    /// was looked at.
    pub blamed: Vec<u16>,
}

/// Recovers the committee's signature from at least t partials of a message.
///
/// Optimistic: combines without checking the parts, and verifies the result. Only if that fails,
/// each part is checked and the bad ones are named.
///
/// # Errors
/// [`Error::WrongEpoch`], [`Error::DuplicateIndex`], an index that no member has, and
/// [`Error::NotEnoughShares`] with the members to blame.
pub fn recover(
    sharing: &Sharing,
    message: &[u8],
    partials: &[Partial],
    secret: &BatchSecret,
) -> Result<Recovered, Error> {
    let mut partials = sorted(sharing, partials)?;
    enough(sharing, partials.len(), &[])?;
    let hash = hash(message, SIGNATURE_DST);
    let hash_affine = hash.to_affine();
    let combined = combine(sharing, &partials).to_affine();
    if verifies(sharing, &hash_affine, &combined) {
        return Ok(Recovered { signature: Signature::of(combined)?, blamed: Vec::new() });
    }
    let blamed = blame(sharing, message, &hash, &partials, secret, true);
    partials.retain(|partial| !blamed.contains(&partial.index));
    enough(sharing, partials.len(), &blamed)?;
    let combined = combine(sharing, &partials).to_affine();
    if !verifies(sharing, &hash_affine, &combined) {
        // The parts hold one by one, up to 2^-128.
        return Err(Error::NotEnoughShares { have: 0, need: sharing.committee().t(), blamed });
    }
    Ok(Recovered { signature: Signature::of(combined)?, blamed })
}

/// By index; refuses what no committee has.
fn sorted(sharing: &Sharing, partials: &[Partial]) -> Result<Vec<Partial>, Error> {
    let mut partials = partials.to_vec();
    partials.sort_by_key(|partial| partial.index);
    for (at, partial) in partials.iter().enumerate() {
        sharing.committee().check_index(partial.index)?;
        same_epoch(sharing, *partial)?;
        if at > 0 && partials[at - 1].index == partial.index {
            return Err(Error::DuplicateIndex { index: partial.index });
        }
    }
    Ok(partials)
}

fn same_epoch(sharing: &Sharing, partial: Partial) -> Result<(), Error> {
    let (got, want) = (partial.epoch, sharing.committee().epoch());
    if got == want { Ok(()) } else { Err(Error::WrongEpoch { got, want }) }
}

fn enough(sharing: &Sharing, have: usize, blamed: &[u16]) -> Result<(), Error> {
    let need = sharing.committee().t();
    if have >= usize::from(need) {
        return Ok(());
    }
    Err(Error::NotEnoughShares { have: have as u16, need, blamed: blamed.to_vec() })
}

/// The result's subgroup is checked, which is enough for the result and says nothing of the parts.
fn verifies(sharing: &Sharing, hash: &G1Affine, combined: &G1Affine) -> bool {
    !bool::from(combined.is_identity())
        && bool::from(combined.is_torsion_free())
        && sharing.key().pairs(hash, combined)
}

/// Combines the cheapest t of at least t partials, sorted by index.
fn combine(sharing: &Sharing, partials: &[Partial]) -> G1Projective {
    let here: Vec<u16> = partials.iter().map(|partial| partial.index).collect();
    let (chosen, row) = sharing.committee().cheapest(&here);
    let points = partials.iter().filter(|partial| chosen.binary_search(&partial.index).is_ok());
    interpolate(&row, &points.map(|partial| partial.point).collect::<Vec<_>>())
}

/// sum lambda_i P_i, for public points.
pub(crate) fn interpolate(row: &Row, points: &[G1Affine]) -> G1Projective {
    match row.coefficients() {
        Coefficients::Integers { weights, denominator } => {
            let sum = vartime::straus(points, weights);
            if *denominator == 1 { sum } else { sum * inverse(*denominator) }
        }
        Coefficients::Field(weights) => vartime::g1_sum(points, weights),
    }
}

/// Names the members whose partial is not theirs, after one look at all: none is needed where the
/// caller knows that some `are_bad`.
pub(crate) fn blame(
    sharing: &Sharing,
    message: &[u8],
    hash: &G1Projective,
    partials: &[Partial],
    secret: &BatchSecret,
    are_bad: bool,
) -> Vec<u16> {
    let (inside, outside): (Vec<&Partial>, Vec<&Partial>) =
        partials.iter().partition(|partial| bool::from(partial.point.is_torsion_free()));
    let mut blamed: Vec<u16> = outside.iter().map(|partial| partial.index).collect();
    let mut transcript = Sha256::new().chain_update(sharing.key().to_bytes());
    transcript.update(message);
    for partial in &inside {
        transcript.update(partial.index.to_le_bytes());
        transcript.update(partial.to_bytes());
    }
    let weights = secret.weights(&transcript, inside.len());
    let weighted: Vec<(G1Projective, G2Projective)> = inside
        .iter()
        .zip(&weights)
        .map(|(partial, weight)| {
            let key = sharing.member(partial.index).expect("indices were checked");
            vartime::weighted(&partial.point.into(), key, weight)
        })
        .collect();
    let hash = hash.to_affine();
    let holds = |from: usize, to: usize| {
        let signature: G1Projective = weighted[from..to].iter().map(|(point, _)| point).sum();
        let key: G2Projective = weighted[from..to].iter().map(|(_, key)| key).sum();
        pairs_once(&signature.to_affine(), &hash, &key.to_affine())
    };
    // One that is outside may be all that was wrong; else something inside is.
    let is_bad = are_bad && outside.is_empty();
    bisect(0, inside.len(), is_bad, &holds, &mut |at| blamed.push(inside[at].index));
    blamed.sort_unstable();
    blamed
}

/// The sum alone, which verifies nothing: what a benchmark compares.
///
/// # Errors
/// As [`recover`]'s, of the indices.
#[doc(hidden)]
pub fn combine_unverified(sharing: &Sharing, partials: &[Partial]) -> Result<G1Projective, Error> {
    let partials = sorted(sharing, partials)?;
    enough(sharing, partials.len(), &[])?;
    Ok(combine(sharing, &partials))
}

/// Makes the partial of another member out of t: what any t colluding members can do, too. It is
/// here to show that a partial proves nothing against its member.
///
/// # Errors
/// As [`recover`]'s, of the indices.
pub fn forge_partial(
    sharing: &Sharing,
    partials: &[Partial],
    index: u16,
) -> Result<Partial, Error> {
    sharing.committee().check_index(index)?;
    let partials = sorted(sharing, partials)?;
    enough(sharing, partials.len(), &[])?;
    if let Some(own) = partials.iter().find(|partial| partial.index == index) {
        return Ok(*own);
    }
    let partials = &partials[..usize::from(sharing.committee().t())];
    let members: Vec<u16> = partials.iter().map(|partial| partial.index).collect();
    let points: Vec<G1Affine> = partials.iter().map(|partial| partial.point).collect();
    let point = vartime::g1_sum(&points, &weights_at(&members, index));
    Ok(Partial::of(index, sharing.committee().epoch(), point.to_affine()))
}

//! The public polynomial of a shared key.
//!
//! Source: Shamir 1979; Feldman 1987 (commitments to the coefficients).

use blstrs::G2Projective;
use group::{Curve as _, Group as _};

use crate::committee::Committee;
use crate::error::Error;
use crate::point::{G2_BYTES, PublicKey, parse_g2};
use crate::polynomial::{evaluate, value_at};
use crate::scalar::{self, Scalar};
use crate::secret::{SecretScalar, Seed, Share, wipe};

/// What a dealer's coefficients are derived under.
const DEAL_DOMAIN: &[u8] = b"cwts/deal/v1";

/// A committee's public polynomial: its key, and each member's.
#[derive(Clone, Debug)]
pub struct Sharing {
    committee: Committee,
    commitments: Vec<G2Projective>,
    key: PublicKey,
    members: Vec<G2Projective>,
}

impl Sharing {
    pub(crate) fn of(committee: Committee, commitments: Vec<G2Projective>) -> Result<Self, Error> {
        let t = usize::from(committee.t());
        if commitments.len() != t {
            return Err(Error::Count { field: "commitments", got: commitments.len(), want: t });
        }
        let key = PublicKey::of(commitments[0].to_affine())?;
        let members: Vec<G2Projective> =
            (1..=committee.n()).map(|index| evaluate(&commitments, index)).collect();
        // A share of zero would sign everything with the identity.
        for member in &members {
            PublicKey::of(member.to_affine())?;
        }
        Ok(Self { committee, commitments, key, members })
    }

    /// Reads t commitments of 96 bytes each.
    ///
    /// # Errors
    /// [`Error::Count`], [`Error::Encoding`]: also where a member's key is the identity.
    pub fn parse(committee: Committee, bytes: &[u8]) -> Result<Self, Error> {
        let want = usize::from(committee.t()) * G2_BYTES;
        if bytes.len() != want {
            return Err(Error::Count { field: "bytes of commitments", got: bytes.len(), want });
        }
        let points = bytes.chunks_exact(G2_BYTES);
        let commitments = points.map(|point| Ok(parse_g2("commitment", point)?.into()));
        Self::of(committee, commitments.collect::<Result<_, Error>>()?)
    }

    /// The commitments, 96 bytes each.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.commitments.iter().flat_map(G2Projective::to_compressed).collect()
    }

    /// The committee.
    pub fn committee(&self) -> &Committee {
        &self.committee
    }

    /// The key that verifies what the committee signs.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The key of one member's partials.
    ///
    /// # Errors
    /// [`Error::IndexZero`], [`Error::IndexOutOfRange`].
    pub fn member_key(&self, index: u16) -> Result<PublicKey, Error> {
        PublicKey::of(self.member(index)?.to_affine())
    }

    pub(crate) fn member(&self, index: u16) -> Result<&G2Projective, Error> {
        self.committee.check_index(index)?;
        Ok(&self.members[usize::from(index) - 1])
    }

    /// Refuses a share that does not belong to this committee.
    ///
    /// # Errors
    /// [`Error::WrongEpoch`], an index that no member has, [`Error::ShareMismatch`].
    pub fn check_share(&self, share: &Share) -> Result<(), Error> {
        let (got, want) = (share.epoch(), self.committee.epoch());
        if got != want {
            return Err(Error::WrongEpoch { got, want });
        }
        if *self.member(share.index())? != share.commitment() {
            return Err(Error::ShareMismatch { index: share.index() });
        }
        Ok(())
    }
}

/// What a dealer makes: the public polynomial, and each member's share.
pub struct Dealing {
    /// The public polynomial.
    pub sharing: Sharing,
    /// The shares, of members 1 to n.
    pub shares: Vec<Share>,
}

impl std::fmt::Debug for Dealing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dealing").field("sharing", &self.sharing).finish_non_exhaustive()
    }
}

/// Deals a new key. Whoever runs this knows it: for tests and demonstrations; the ceremony makes
/// keys that nobody knows.
///
/// # Errors
/// A key of zero, once in 2^255.
pub fn deal(committee: Committee, seed: &Seed) -> Result<Dealing, Error> {
    let mut coefficients: Vec<Scalar> = (0..committee.t())
        .map(|k| scalar::derive(&seed.0, DEAL_DOMAIN, &[&k.to_le_bytes()]))
        .collect();
    let shares = (1..=committee.n())
        .map(|index| {
            let mut value = value_at(&coefficients, index);
            let share = Share::of(SecretScalar::of(&value), index, committee.epoch());
            wipe(&mut value);
            share
        })
        .collect();
    let commitments = coefficients.iter().map(|c| G2Projective::generator() * c).collect();
    coefficients.iter_mut().for_each(wipe);
    Ok(Dealing { sharing: Sharing::of(committee, commitments)?, shares })
}

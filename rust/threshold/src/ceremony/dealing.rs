//! Round 1: a dealer's polynomial in the exponent, and a share for each player that only that
//! player opens.
//!
//! Source: Feldman 1987; Pedersen 1991 (joint Feldman); Desmedt and Jajodia 1997 (resharing).

use blstrs::G2Projective;
use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _, Nonce, Tag};
use ff::Field as _;
use group::{Curve as _, Group as _};
use hkdf::Hkdf;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use cwts_proofs::{Point, Secret, shared_point};

use super::fault::FaultKind;
use super::identity::expand;
use super::info::{CeremonyKind, Info};
use super::wire::Reader;
use crate::batch::{BatchSecret, bisect};
use crate::point::{G2_BYTES, parse_g2};
use crate::polynomial::{evaluate, value_at};
use crate::scalar::{self, SCALAR_BYTES, Scalar};
use crate::schnorr::{self, G2_PROOF_BYTES};
use crate::secret::{SecretScalar, Seed, Share, wipe};
use crate::sharing::Sharing;
use crate::vartime;

const COEFFICIENT_DOMAIN: &[u8] = b"cwts/ceremony-coefficient/v1";
const EPHEMERAL_DOMAIN: &[u8] = b"cwts/ceremony-ephemeral/v1";
const SHARE_DOMAIN: &[u8] = b"cwts/ceremony-share/v1";
const COMMITMENTS_DOMAIN: &[u8] = b"cwts/ceremony-commitments/v1\0";
const DEALING_DOMAIN: &[u8] = b"cwts/ceremony-dealing/v1\0";
const TAG_BYTES: usize = 16;
/// Each key encrypts one share.
const NONCE: [u8; 12] = [0; 12];

/// A dealer's secret polynomial: a function of seed and information, so that a restarted dealer
/// deals the same.
pub(crate) struct Polynomial(Vec<Scalar>);

impl Polynomial {
    /// `old` is the constant term of a refresh or reshare.
    pub(crate) fn derive(seed: &Seed, info: &Info, old: Option<&Share>) -> Self {
        let mut coefficients: Vec<Scalar> = (0..info.t())
            .map(|k| {
                let label: [&[u8]; 2] = [COEFFICIENT_DOMAIN, &k.to_le_bytes()];
                scalar::derive(&seed.0, &info.digest(), &label)
            })
            .collect();
        if let Some(old) = old {
            coefficients[0] = old.secret.expose(|share| *share);
        }
        Self(coefficients)
    }

    pub(crate) fn share(&self, player: u16) -> SecretScalar {
        let mut value = value_at(&self.0, player);
        let share = SecretScalar::of(&value);
        wipe(&mut value);
        share
    }

    fn commitments(&self) -> Vec<G2Projective> {
        self.0.iter().map(|c| G2Projective::generator() * c).collect()
    }
}

impl Drop for Polynomial {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(wipe);
    }
}

/// The body of a dealing.
pub(crate) fn deal(info: &Info, dealer: u16, seed: &Seed, polynomial: &Polynomial) -> Vec<u8> {
    let commitments = polynomial.commitments();
    let mut out: Vec<u8> =
        commitments.iter().flat_map(|point| point.to_affine().to_compressed()).collect();
    let bound = commitments_digest(&out);
    if info.kind() == CeremonyKind::New {
        let context = context(info, dealer);
        out.extend_from_slice(&schnorr::prove(&polynomial.0[0], &commitments[0], &context, seed));
    }
    for (player, keys) in (1..).zip(info.players()) {
        let ephemeral = ephemeral(seed, info, player);
        let point = ephemeral.public().expect("an ephemeral key is zero once in 2^252");
        let shared = shared_point(&ephemeral, &keys.enc).expect("keys were parsed");
        let mut share = Zeroizing::new(*polynomial.share(player).bytes());
        let tag = cipher(info, dealer, player, &point, &shared)
            .encrypt_inout_detached(&Nonce::from(NONCE), &bound, (&mut share[..]).into())
            .expect("32 bytes are within the cipher's bound");
        out.extend_from_slice(&point.to_bytes());
        out.extend_from_slice(&*share);
        out.extend_from_slice(&tag);
    }
    out
}

fn ephemeral(seed: &Seed, info: &Info, player: u16) -> Secret {
    let label: [&[u8]; 2] = [EPHEMERAL_DOMAIN, &player.to_le_bytes()];
    Secret::generate(&cwts_proofs::Seed::new(&expand(seed, &info.digest(), &label)))
}

/// Who proves in which ceremony.
fn context(info: &Info, dealer: u16) -> [u8; 64] {
    let mut context = [0; 64];
    context[..32].copy_from_slice(&info.digest());
    context[32..].copy_from_slice(&info.dealers()[usize::from(dealer) - 1].vote());
    context
}

fn commitments_digest(commitments: &[u8]) -> [u8; 32] {
    Sha256::new_with_prefix(COMMITMENTS_DOMAIN).chain_update(commitments).finalize().into()
}

fn cipher(
    info: &Info,
    dealer: u16,
    player: u16,
    point: &Point,
    shared: &Point,
) -> ChaCha20Poly1305 {
    let mut key = Zeroizing::new([0; 32]);
    let shared = Zeroizing::new(shared.to_bytes());
    let (dealer, player) = (dealer.to_le_bytes(), player.to_le_bytes());
    Hkdf::<Sha256>::new(Some(&info.digest()), &*shared)
        .expand_multi_info(&[SHARE_DOMAIN, &dealer, &player, &point.to_bytes()], &mut *key)
        .expect("32 bytes are within HKDF's bound");
    ChaCha20Poly1305::new((&*key).into())
}

/// A share on its way.
struct Sealed {
    point: Point,
    ciphertext: [u8; SCALAR_BYTES],
    tag: [u8; TAG_BYTES],
}

/// A dealing whose public part holds.
pub(crate) struct Dealing {
    pub(crate) commitments: Vec<G2Projective>,
    sealed: Vec<Sealed>,
    bound: [u8; 32],
    /// What an ack acknowledges.
    pub(crate) digest: [u8; 32],
}

impl Dealing {
    /// Reads a body and checks all that is public: exactly t commitments, each in the subgroup and
    /// not the identity, and the constant term.
    pub(crate) fn parse(
        info: &Info,
        dealer: u16,
        body: &[u8],
        previous: Option<&Sharing>,
    ) -> Result<Self, FaultKind> {
        let mut reader = Reader::new(body);
        let bad = FaultKind::BadDealing;
        let bytes = reader.take("commitments", usize::from(info.t()) * G2_BYTES);
        let bytes = bytes.map_err(|_| bad)?;
        let is_new = info.kind() == CeremonyKind::New;
        let proof: Option<[u8; G2_PROOF_BYTES]> =
            if is_new { Some(reader.array("proof").map_err(|_| bad)?) } else { None };
        let sealed = (0..info.n()).map(|_| {
            let point = Point::parse(reader.take("point", 32).ok()?, "point").ok()?;
            let ciphertext = reader.array("ciphertext").ok()?;
            Some(Sealed { point, ciphertext, tag: reader.array("tag").ok()? })
        });
        let sealed: Vec<Sealed> = sealed.collect::<Option<_>>().ok_or(bad)?;
        reader.end().map_err(|_| bad)?;
        let points = bytes.chunks_exact(G2_BYTES);
        let commitments = points.map(|point| Some(parse_g2("commitment", point).ok()?.into()));
        let commitments: Vec<G2Projective> = commitments.collect::<Option<_>>().ok_or(bad)?;
        let holds = match (proof, previous) {
            (Some(proof), _) => schnorr::verify(&commitments[0], &context(info, dealer), &proof),
            (None, Some(old)) => old.member(dealer) == Ok(&commitments[0]),
            (None, None) => false,
        };
        if !holds {
            return Err(info.kind().constant_fault());
        }
        let digest = Sha256::new_with_prefix(DEALING_DOMAIN).chain_update(body).finalize().into();
        Ok(Self { commitments, sealed, bound: commitments_digest(bytes), digest })
    }

    /// The point under which a player's share is encrypted.
    pub(crate) fn point(&self, player: u16) -> &Point {
        &self.sealed[usize::from(player) - 1].point
    }

    /// Decrypts a player's share with the point that dealer and player have in common.
    pub(crate) fn open(
        &self,
        info: &Info,
        dealer: u16,
        player: u16,
        shared: &Point,
    ) -> Option<SecretScalar> {
        let sealed = &self.sealed[usize::from(player) - 1];
        let mut share = Zeroizing::new(sealed.ciphertext);
        cipher(info, dealer, player, &sealed.point, shared)
            .decrypt_inout_detached(
                &Nonce::from(NONCE),
                &self.bound,
                (&mut share[..]).into(),
                &Tag::from(sealed.tag),
            )
            .ok()?;
        SecretScalar::parse("share", &*share).ok()
    }

    /// Whether a share is on the polynomial.
    pub(crate) fn holds(&self, player: u16, share: &SecretScalar) -> bool {
        share.expose(|share| G2Projective::generator() * share)
            == evaluate(&self.commitments, player)
    }
}

/// Names the places of shares that are not on their polynomials: all are checked at once with
/// weights that no dealer knows, and one by one only where that fails.
pub(crate) fn false_shares(
    player: u16,
    shares: &[(&Dealing, &SecretScalar)],
    secret: &BatchSecret,
) -> Vec<usize> {
    let points: Vec<G2Projective> =
        shares.iter().map(|(dealing, _)| evaluate(&dealing.commitments, player)).collect();
    let mut transcript = Sha256::new();
    for (dealing, share) in shares {
        transcript.update(dealing.digest);
        transcript.update(share.bytes());
    }
    let weights = secret.weights(&transcript, shares.len());
    let holds = |from: usize, to: usize| {
        // A batch holds no identity: the addition chain of its sum has none.
        if to - from == 1 || points[from..to].iter().any(|point| point.is_identity().into()) {
            return (from..to).all(|at| {
                shares[at].1.expose(|share| G2Projective::generator() * share) == points[at]
            });
        }
        let mut sum = Scalar::ZERO;
        for ((_, share), weight) in shares[from..to].iter().zip(&weights[from..to]) {
            share.expose(|share| sum += weight_of(weight) * share);
        }
        let holds = G2Projective::generator() * sum
            == vartime::g2_weighted(&points[from..to], &weights[from..to]);
        wipe(&mut sum);
        holds
    };
    let mut bad = Vec::new();
    bisect(0, shares.len(), false, &holds, &mut |at| bad.push(at));
    bad
}

/// A weight of 16 bytes, little-endian.
fn weight_of(bytes: &[u8; 16]) -> Scalar {
    let weight = u128::from_le_bytes(*bytes);
    let shift = Scalar::from(1 << 32).square();
    Scalar::from((weight >> 64) as u64) * shift + Scalar::from(weight as u64)
}

/// A player's share out of those that the qualified dealers gave it.
pub(crate) fn add_up(shares: &[(SecretScalar, Scalar)], player: u16, epoch: u64) -> Share {
    let mut sum = Scalar::ZERO;
    for (share, weight) in shares {
        share.expose(|share| sum += *share * weight);
    }
    let share = Share::of(SecretScalar::of(&sum), player, epoch);
    wipe(&mut sum);
    share
}

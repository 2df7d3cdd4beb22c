//! Rounds 2 and 3: what players say of the dealings, and what dealers then have to show.
//!
//! A complaint opens one ciphertext to everybody: K = enc_j R_j with a proof that it is that. So
//! either the dealer or the complainer is at fault, and anyone can tell which.

use cwts_proofs::{Context, Point, Proof, Role, Secret, prove_dleq, shared_point, verify_dleq};

use super::dealing::Dealing;
use super::identity::expand;
use super::info::{Info, PROOF_BYTES};
use super::wire::Reader;
use crate::scalar::{self, SCALAR_BYTES, Scalar};
use crate::secret::{SecretScalar, Seed};

const PROOF_SEED_DOMAIN: &[u8] = b"cwts/ceremony-complaint-seed/v1";
const ACK: u8 = 0;
const COMPLAINT: u8 = 1;

/// What a player says of one dealing.
pub(crate) enum Verdict {
    /// The share is right; the dealing's digest.
    Ack([u8; 32]),
    /// It is not: the point that opens it, and the proof that it does.
    Complaint(Box<(Point, Proof)>),
}

/// A player's whole answer: every dealing that round 1 closed with, in the order of dealers.
pub(crate) type Answer = Vec<(u16, Verdict)>;

pub(crate) fn write_answer(answer: &[(u16, Verdict)]) -> Vec<u8> {
    let mut out = (answer.len() as u16).to_le_bytes().to_vec();
    for (dealer, verdict) in answer {
        out.extend_from_slice(&dealer.to_le_bytes());
        match verdict {
            Verdict::Ack(digest) => {
                out.push(ACK);
                out.extend_from_slice(digest);
            }
            Verdict::Complaint(complaint) => {
                out.push(COMPLAINT);
                out.extend_from_slice(&complaint.0.to_bytes());
                out.extend_from_slice(&complaint.1.encode());
            }
        }
    }
    out
}

/// `None` unless it is one verdict for each of `dealers`, in their order, and no ack is of another
/// dealing.
pub(crate) fn read_answer(body: &[u8], dealings: &[(u16, [u8; 32])]) -> Option<Answer> {
    let mut reader = Reader::new(body);
    if usize::from(reader.u16("count").ok()?) != dealings.len() {
        return None;
    }
    let mut answer = Vec::with_capacity(dealings.len());
    for (dealer, dealt) in dealings {
        if reader.u16("dealer").ok()? != *dealer {
            return None;
        }
        let verdict = match reader.u8("verdict").ok()? {
            ACK => Verdict::Ack(reader.array("digest").ok().filter(|digest| digest == dealt)?),
            COMPLAINT => {
                let point = Point::parse(reader.take("point", 32).ok()?, "point").ok()?;
                let proof = Proof::decode(reader.take("proof", PROOF_BYTES).ok()?).ok()?;
                Verdict::Complaint(Box::new((point, proof)))
            }
            _ => return None,
        };
        answer.push((*dealer, verdict));
    }
    reader.end().ok()?;
    Some(answer)
}

/// What a complaint's proof is bound to.
fn context(info: &Info, dealer: u16, player: u16) -> Context {
    let subject = format!("complaint of player {player} about dealer {dealer}");
    let (chain, epoch, number) = (info.chain(), info.new_epoch(), info.number());
    Context::new(chain, epoch, Role::Member, &subject, number, info.digest())
        .expect("the subject is sound")
}

pub(crate) fn complain(
    info: &Info,
    dealer: u16,
    player: u16,
    dealing: &Dealing,
    enc: &Secret,
    seed: &Seed,
) -> Option<Verdict> {
    let base = dealing.point(player);
    let shared = shared_point(enc, base).ok()?;
    let label: [&[u8]; 2] = [PROOF_SEED_DOMAIN, &dealer.to_le_bytes()];
    let seed = cwts_proofs::Seed::new(&expand(seed, &info.digest(), &label));
    let proof = prove_dleq(enc, base, &context(info, dealer, player), &seed).ok()?;
    Some(Verdict::Complaint(Box::new((shared, proof))))
}

/// Whether a complaint is right: its proof holds, and what it opens is no share on the polynomial.
pub(crate) fn is_right(
    info: &Info,
    dealer: u16,
    player: u16,
    dealing: &Dealing,
    complaint: &(Point, Proof),
) -> bool {
    let (shared, proof) = complaint;
    let enc = &info.players()[usize::from(player) - 1].enc;
    let context = context(info, dealer, player);
    verify_dleq(proof, enc, dealing.point(player), shared, &context) == Ok(true)
        && !dealing
            .open(info, dealer, player, shared)
            .is_some_and(|share| dealing.holds(player, &share))
}

/// A dealer's log: the shares of players who did not answer.
pub(crate) fn write_reveals(reveals: &[(u16, SecretScalar)]) -> Vec<u8> {
    let mut out = (reveals.len() as u16).to_le_bytes().to_vec();
    for (player, share) in reveals {
        out.extend_from_slice(&player.to_le_bytes());
        out.extend_from_slice(share.bytes());
    }
    out
}

/// `None` if it is no list of canonical shares. From here on they are public.
pub(crate) fn read_reveals(body: &[u8]) -> Option<Vec<(u16, Scalar)>> {
    let mut reader = Reader::new(body);
    let count = usize::from(reader.u16("count").ok()?);
    let mut reveals = Vec::new();
    for _ in 0..count {
        let player = reader.u16("player").ok()?;
        let share = scalar::parse("share", reader.take("share", SCALAR_BYTES).ok()?).ok()?;
        reveals.push((player, share));
    }
    reader.end().ok()?;
    Some(reveals)
}

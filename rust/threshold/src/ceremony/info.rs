//! Round 0: who deals to whom, under which number. Everybody agrees on its digest before anything
//! is sent, and every message names that digest.

use cwts_proofs::{Context, Point, Proof, Role, verify_knowledge};
use ed25519_dalek::VerifyingKey;
use sha2::{Digest as _, Sha256};

use super::error::CeremonyError;
use super::output::Output;
use super::wire::Reader;
use crate::committee::{Committee, MEMBERS_MAX};

/// Bytes of a member's keys: vote key, encryption key, proof.
pub const MEMBER_BYTES: usize = 32 + 32 + PROOF_BYTES;
/// Bytes of a proof of a logarithm over ristretto255.
pub(crate) const PROOF_BYTES: usize = 80;

const MAGIC: &[u8; 8] = b"CWTSINFO";
const VERSION: u16 = 1;
const INFO_DOMAIN: &[u8] = b"cwts/ceremony-info/v1\0";
const ENC_SUBJECT: &str = "ceremony encryption key";

/// What a ceremony makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum CeremonyKind {
    /// A new key.
    New = 1,
    /// New shares of the same key for the same members.
    Refresh = 2,
    /// New shares of the same key for other members.
    Reshare = 3,
}

impl CeremonyKind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Refresh => "refresh",
            Self::Reshare => "reshare",
        }
    }
}

/// What a member signs with and what shares are sent to it under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberKeys {
    pub(crate) vote: VerifyingKey,
    pub(crate) enc: Point,
    pub(crate) proof: Proof,
}

impl MemberKeys {
    /// Reads [`MEMBER_BYTES`] bytes.
    ///
    /// # Errors
    /// [`CeremonyError`]: another length, a weak or no vote key, no canonical point or proof.
    pub fn parse(bytes: &[u8]) -> Result<Self, CeremonyError> {
        let mut reader = Reader::new(bytes);
        let vote = vote_key("vote key", &reader.array("vote key")?)?;
        let enc = Point::parse(reader.take("encryption key", 32)?, "encryption key")?;
        let proof = Proof::decode(reader.take("proof", PROOF_BYTES)?)?;
        reader.end()?;
        Ok(Self { vote, enc, proof })
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.vote.to_bytes()[..], &self.enc.to_bytes(), &self.proof.encode()].concat()
    }

    /// The Ed25519 key of its messages.
    pub fn vote(&self) -> [u8; 32] {
        self.vote.to_bytes()
    }

    /// The ristretto255 key that shares are encrypted to, of this ceremony alone.
    pub fn enc(&self) -> [u8; 32] {
        self.enc.to_bytes()
    }
}

/// What the proof of an encryption key is bound to: another member's, or one of another number,
/// proves nothing here.
pub(crate) fn enc_context(chain: [u8; 32], number: u64, vote: [u8; 32]) -> Context {
    Context::new(chain, number, Role::Member, ENC_SUBJECT, 0, vote).expect("the subject is sound")
}

/// What [`Info::new`] is made of; n, t and the digest follow from it.
#[derive(Debug, Clone)]
pub struct Terms {
    /// What is made.
    pub kind: CeremonyKind,
    /// The log's chain id.
    pub chain: [u8; 32],
    /// Never used before on this chain, not even by a ceremony that failed.
    pub number: u64,
    /// The epoch that ends; the new one is the next.
    pub old_epoch: u64,
    /// The digest of the output that this one goes on from; zeros for a new key.
    pub previous: [u8; 32],
    /// The Ed25519 key of whoever orders the messages.
    pub sequencer: [u8; 32],
    /// Who deals: the old set, or all where the key is new.
    pub dealers: Vec<MemberKeys>,
    /// Who gets shares.
    pub players: Vec<MemberKeys>,
}

/// The ceremony's information, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    kind: CeremonyKind,
    chain: [u8; 32],
    number: u64,
    old_epoch: u64,
    new_epoch: u64,
    t: u16,
    previous: [u8; 32],
    sequencer: VerifyingKey,
    dealers: Vec<MemberKeys>,
    players: Vec<MemberKeys>,
    bytes: Vec<u8>,
    digest: [u8; 32],
}

impl Info {
    /// Sorts the members by vote key, and checks everything that [`Info::parse`] does.
    ///
    /// # Errors
    /// As [`Info::parse`].
    pub fn new(terms: Terms) -> Result<Self, CeremonyError> {
        let Terms { mut dealers, mut players, .. } = terms;
        for list in [&mut dealers, &mut players] {
            list.sort_by_key(MemberKeys::vote);
        }
        let n = u16::try_from(players.len()).unwrap_or(u16::MAX);
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[terms.kind as u8, 0]);
        out.extend_from_slice(&terms.chain);
        for number in [terms.number, terms.old_epoch, terms.old_epoch.wrapping_add(1)] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        let dealers_count = u16::try_from(dealers.len()).unwrap_or(u16::MAX);
        for count in [n, Committee::quorum(n), dealers_count, 0] {
            out.extend_from_slice(&count.to_le_bytes());
        }
        out.extend_from_slice(&terms.previous);
        out.extend_from_slice(&terms.sequencer);
        for member in dealers.iter().chain(&players) {
            out.extend_from_slice(&member.to_bytes());
        }
        Self::parse(&out)
    }

    /// Reads what [`Info::to_bytes`] gives; there is one spelling.
    ///
    /// # Errors
    /// [`CeremonyError`]: a field that is not what the rules of round 0 say, with its name.
    pub fn parse(bytes: &[u8]) -> Result<Self, CeremonyError> {
        let mut reader = Reader::new(bytes);
        reader.literal("magic", MAGIC)?;
        reader.literal("version", &VERSION.to_le_bytes())?;
        let kind = match reader.u8("kind")? {
            1 => CeremonyKind::New,
            2 => CeremonyKind::Refresh,
            3 => CeremonyKind::Reshare,
            _ => return Err(CeremonyError::Field { field: "kind", reason: "is not known" }),
        };
        reader.literal("reserved byte", &[0])?;
        let chain = reader.array("chain")?;
        let number = reader.u64("number")?;
        let (old_epoch, new_epoch) = (reader.u64("old epoch")?, reader.u64("new epoch")?);
        if old_epoch.checked_add(1) != Some(new_epoch) {
            return Err(CeremonyError::Field { field: "new epoch", reason: "is not the next one" });
        }
        let (n, t) = (reader.u16("n")?, reader.u16("t")?);
        let dealers = reader.u16("dealers")?;
        reader.literal("reserved field", &[0, 0])?;
        for (field, got) in [("players", n), ("dealers", dealers)] {
            if got == 0 || got > MEMBERS_MAX {
                let (got, max) = (usize::from(got), usize::from(MEMBERS_MAX));
                return Err(CeremonyError::TooLong { field, got, max });
            }
        }
        if t != Committee::quorum(n) {
            return Err(CeremonyError::Field { field: "t", reason: "is not n - f" });
        }
        let previous = reader.array("previous output")?;
        let sequencer = vote_key("sequencer", &reader.array("sequencer")?)?;
        let dealers = members(&mut reader, "dealer", dealers)?;
        let players = members(&mut reader, "player", n)?;
        reader.end()?;
        let digest = Sha256::new_with_prefix(INFO_DOMAIN).chain_update(bytes).finalize().into();
        let bytes = bytes.to_vec();
        let info = Self {
            kind,
            chain,
            number,
            old_epoch,
            new_epoch,
            t,
            previous,
            sequencer,
            dealers,
            players,
            bytes,
            digest,
        };
        info.check_sets()?;
        info.check_proofs()?;
        Ok(info)
    }

    fn check_sets(&self) -> Result<(), CeremonyError> {
        let is_same = self.dealers == self.players;
        if self.kind != CeremonyKind::Reshare && !is_same {
            return Err(CeremonyError::Field { field: "dealers", reason: "are not the players" });
        }
        if (self.kind == CeremonyKind::New) != (self.previous == [0; 32]) {
            let reason = "is zero for a new key, and only then";
            return Err(CeremonyError::Field { field: "previous output", reason });
        }
        // One person has one pair of keys, and no key is two persons'.
        for (index, player) in self.players.iter().enumerate() {
            let clash = self.dealers.iter().any(|dealer| {
                (dealer.vote == player.vote || dealer.enc == player.enc) && dealer != player
            });
            if clash {
                let reason = "has other keys as a dealer";
                return Err(CeremonyError::Member { list: "player", index: index + 1, reason });
            }
        }
        Ok(())
    }

    fn check_proofs(&self) -> Result<(), CeremonyError> {
        let others = self.players.iter().filter(|player| !self.dealers.contains(player));
        for member in self.dealers.iter().chain(others) {
            let context = enc_context(self.chain, self.number, member.vote());
            if !verify_knowledge(&member.proof, &member.enc, &context)? {
                let reason = "is not proven for this member and number";
                return Err(CeremonyError::Field { field: "encryption key", reason });
            }
        }
        Ok(())
    }

    /// Refuses encryption keys of earlier ceremonies: a complaint there may have opened what is
    /// sent under them here.
    ///
    /// # Errors
    /// [`CeremonyError::Member`].
    pub fn check_fresh(&self, known: &[[u8; 32]]) -> Result<(), CeremonyError> {
        for (list, members) in [("dealer", &self.dealers), ("player", &self.players)] {
            if let Some(at) = members.iter().position(|member| known.contains(&member.enc())) {
                let reason = "has an encryption key of an earlier ceremony";
                return Err(CeremonyError::Member { list, index: at + 1, reason });
            }
        }
        Ok(())
    }

    /// Refuses an output that this ceremony does not go on from: another digest, epoch, chain or
    /// set of dealers, or a number that is not above its own.
    ///
    /// # Errors
    /// [`CeremonyError::Previous`].
    pub fn check_previous(&self, previous: Option<&Output>) -> Result<(), CeremonyError> {
        let refuse = |reason| Err(CeremonyError::Previous { reason });
        match previous {
            None if self.kind == CeremonyKind::New => Ok(()),
            None => refuse("is needed"),
            Some(_) if self.kind == CeremonyKind::New => refuse("a new key has none"),
            Some(output) if output.digest() != self.previous => refuse("has another digest"),
            Some(output) if output.chain() != self.chain => refuse("is of another chain"),
            Some(output) if output.epoch() != self.old_epoch => refuse("is of another epoch"),
            Some(output) if output.number() >= self.number => refuse("has no smaller number"),
            Some(output)
                if !self
                    .dealers
                    .iter()
                    .map(MemberKeys::vote)
                    .eq(output.votes().iter().copied()) =>
            {
                refuse("its members are not the dealers")
            }
            Some(_) => Ok(()),
        }
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the members read to each other, and what every message is bound to.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// What is made.
    pub fn kind(&self) -> CeremonyKind {
        self.kind
    }

    /// The log's chain id.
    pub fn chain(&self) -> [u8; 32] {
        self.chain
    }

    /// The ceremony's number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The epoch that ends.
    pub fn old_epoch(&self) -> u64 {
        self.old_epoch
    }

    /// The epoch that begins.
    pub fn new_epoch(&self) -> u64 {
        self.new_epoch
    }

    /// The digest of the output that this one goes on from.
    pub fn previous(&self) -> [u8; 32] {
        self.previous
    }

    /// Who deals, by vote key.
    pub fn dealers(&self) -> &[MemberKeys] {
        &self.dealers
    }

    /// Who gets shares, by vote key.
    pub fn players(&self) -> &[MemberKeys] {
        &self.players
    }

    /// The Ed25519 key of whoever orders the messages.
    pub fn sequencer(&self) -> [u8; 32] {
        self.sequencer.to_bytes()
    }

    pub(crate) fn sequencer_key(&self) -> &VerifyingKey {
        &self.sequencer
    }

    /// The players.
    pub fn n(&self) -> u16 {
        self.players.len() as u16
    }

    /// How many of them will sign together: n - f.
    pub fn t(&self) -> u16 {
        self.t
    }

    /// How many of the players may be faulty.
    pub fn f(&self) -> u16 {
        self.n() - self.t
    }

    /// How many dealings make a key, and how many of the dealers close a round.
    pub fn dealers_quorum(&self) -> u16 {
        Committee::quorum(self.dealers.len() as u16)
    }

    pub(crate) fn dealer(&self, vote: &[u8; 32]) -> Option<u16> {
        index(&self.dealers, vote)
    }

    pub(crate) fn player(&self, vote: &[u8; 32]) -> Option<u16> {
        index(&self.players, vote)
    }
}

fn index(members: &[MemberKeys], vote: &[u8; 32]) -> Option<u16> {
    members.binary_search_by_key(vote, MemberKeys::vote).ok().map(|at| at as u16 + 1)
}

fn members(
    reader: &mut Reader<'_>,
    list: &'static str,
    count: u16,
) -> Result<Vec<MemberKeys>, CeremonyError> {
    let mut members: Vec<MemberKeys> = Vec::with_capacity(usize::from(count));
    for at in 0..usize::from(count) {
        let member = MemberKeys::parse(reader.take(list, MEMBER_BYTES)?)?;
        let refuse = |reason| Err(CeremonyError::Member { list, index: at + 1, reason });
        if members.last().is_some_and(|last| last.vote() >= member.vote()) {
            return refuse("is there twice, or not in the order of vote keys");
        }
        if members.iter().any(|other| other.enc == member.enc) {
            return refuse("has another member's encryption key");
        }
        members.push(member);
    }
    Ok(members)
}

/// A key of small order would accept signatures of nobody.
pub(crate) fn vote_key(
    field: &'static str,
    bytes: &[u8; 32],
) -> Result<VerifyingKey, CeremonyError> {
    match VerifyingKey::from_bytes(bytes) {
        Ok(key) if !key.is_weak() && key.to_bytes() == *bytes => Ok(key),
        _ => Err(CeremonyError::Field { field, reason: "is no Ed25519 key" }),
    }
}

//! What a ceremony makes: the public polynomial, and who made it.

use sha2::{Digest as _, Sha256};

use super::error::CeremonyError;
use super::info::{CeremonyKind, Info};
use super::wire::{Reader, put_block};
use crate::committee::{Committee, MEMBERS_MAX};
use crate::point::G2_BYTES;
use crate::sharing::Sharing;

const MAGIC: &[u8; 8] = b"CWTSCOUT";
const VERSION: u16 = 1;
const OUTPUT_DOMAIN: &[u8] = b"cwts/ceremony-output/v1\0";
const ACTIVATE_DOMAIN: &[u8] = b"cwts/activate/v1\0";

/// The result of round 4. Members whose lists differ have outputs that differ.
#[derive(Debug, Clone)]
pub struct Output {
    kind: CeremonyKind,
    chain: [u8; 32],
    number: u64,
    info_digest: [u8; 32],
    list_digest: [u8; 32],
    votes: Vec<[u8; 32]>,
    qualified: Vec<u16>,
    revealed: Vec<u16>,
    sharing: Sharing,
    digest: [u8; 32],
}

impl Output {
    pub(crate) fn of(
        info: &Info,
        sharing: Sharing,
        list_digest: [u8; 32],
        qualified: Vec<u16>,
        revealed: Vec<u16>,
    ) -> Self {
        let mut output = Self {
            kind: info.kind(),
            chain: info.chain(),
            number: info.number(),
            info_digest: info.digest(),
            list_digest,
            votes: info.players().iter().map(super::info::MemberKeys::vote).collect(),
            qualified,
            revealed,
            sharing,
            digest: [0; 32],
        };
        output.digest = hash(&output.to_bytes());
        output
    }

    /// Its bytes: what the next ceremony goes on from.
    pub fn to_bytes(&self) -> Vec<u8> {
        let committee = self.sharing.committee();
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[self.kind as u8, 0]);
        out.extend_from_slice(&self.chain);
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&committee.epoch().to_le_bytes());
        out.extend_from_slice(&self.info_digest);
        out.extend_from_slice(&self.list_digest);
        out.extend_from_slice(&committee.n().to_le_bytes());
        out.extend_from_slice(&committee.t().to_le_bytes());
        self.votes.iter().for_each(|vote| out.extend_from_slice(vote));
        for list in [&self.qualified, &self.revealed] {
            let bytes: Vec<u8> = list.iter().flat_map(|index| index.to_le_bytes()).collect();
            put_block(&mut out, &bytes);
        }
        out.extend_from_slice(&self.sharing.to_bytes());
        out
    }

    /// Reads what [`Output::to_bytes`] gives.
    ///
    /// # Errors
    /// [`CeremonyError`]: the field that is not as it must be; also a sharing that is none.
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
        let (number, epoch) = (reader.u64("number")?, reader.u64("epoch")?);
        let (info_digest, list_digest) =
            (reader.array("info digest")?, reader.array("list digest")?);
        let (n, t) = (reader.u16("n")?, reader.u16("t")?);
        let committee = Committee::new(n, t, epoch)?;
        let votes: Vec<[u8; 32]> =
            (0..n).map(|_| reader.array("vote key")).collect::<Result<_, _>>()?;
        if !votes.is_sorted_by(|a, b| a < b) {
            let reason = "are not sorted and distinct";
            return Err(CeremonyError::Field { field: "vote keys", reason });
        }
        let qualified = indices(&mut reader, "qualified dealers", MEMBERS_MAX)?;
        let revealed = indices(&mut reader, "revealed players", n)?;
        if !revealed.is_sorted_by(|a, b| a < b) {
            let reason = "are not sorted and distinct";
            return Err(CeremonyError::Field { field: "revealed players", reason });
        }
        let sharing = reader.take("commitments", usize::from(t) * G2_BYTES)?;
        reader.end()?;
        let sharing = Sharing::parse(committee, sharing)?;
        let digest = hash(bytes);
        Ok(Self {
            kind,
            chain,
            number,
            info_digest,
            list_digest,
            votes,
            qualified,
            revealed,
            sharing,
            digest,
        })
    }

    /// What was made.
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

    /// The epoch in which its shares sign.
    pub fn epoch(&self) -> u64 {
        self.sharing.committee().epoch()
    }

    /// The digest of the ceremony's information.
    pub fn info_digest(&self) -> [u8; 32] {
        self.info_digest
    }

    /// The running digest of the list, up to the close of round 3.
    pub fn list_digest(&self) -> [u8; 32] {
        self.list_digest
    }

    /// The members' vote keys: member i is the i-th, from 1.
    pub fn votes(&self) -> &[[u8; 32]] {
        &self.votes
    }

    /// The dealers whose dealings make the key, in the order of their logs.
    pub fn qualified(&self) -> &[u16] {
        &self.qualified
    }

    /// Players whose share, or a part of it, became public. If there are any, refresh at once.
    pub fn revealed(&self) -> &[u16] {
        &self.revealed
    }

    /// The public polynomial, with the key.
    pub fn sharing(&self) -> &Sharing {
        &self.sharing
    }

    /// Over everything above.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// What t of the new members sign before the epoch begins.
    pub fn activation(&self) -> Vec<u8> {
        [ACTIVATE_DOMAIN, &self.digest].concat()
    }
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::new_with_prefix(OUTPUT_DOMAIN).chain_update(bytes).finalize().into()
}

/// Distinct indices from 1 to `max`.
fn indices(
    reader: &mut Reader<'_>,
    field: &'static str,
    max: u16,
) -> Result<Vec<u16>, CeremonyError> {
    let bytes = reader.block(field, 2 * usize::from(max))?;
    let list: Vec<u16> =
        bytes.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]])).collect();
    let mut seen = 0u128;
    for index in &list {
        let is_new = (1..=max).contains(index) && seen >> (index - 1) & 1 == 0;
        if !is_new || bytes.len() % 2 != 0 {
            return Err(CeremonyError::Field { field, reason: "is no list of distinct indices" });
        }
        seen |= 1 << (index - 1);
    }
    if bytes.len() % 2 != 0 {
        return Err(CeremonyError::Field { field, reason: "is no list of distinct indices" });
    }
    Ok(list)
}

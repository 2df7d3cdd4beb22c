//! Entries by which limits change: proposed, approved, and ended when they were temporary.
//!
//! Source: design note "risk", section 5, "Change". The proposed text stands in the CONFIG entries
//! before LIMIT_PROPOSE, so a log has every text that was ever in force, and those that never were.

use crate::codec::{DecodeError, Reader, put_blob};

/// An Ed25519 signature.
pub type Signature = [u8; 64];

/// What a change does to what is admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum LimitDirection {
    /// Every key that changed is provably stricter: one person is enough.
    Tighten = 1,
    /// Anything else: it takes a second person.
    Raise = 2,
}

/// A change of the limits is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitPropose {
    /// Number of the proposal; grows by one.
    pub id: u64,
    /// The version that it becomes: the one in force and one more.
    pub version: u32,
    /// Chunks of its text.
    pub parts: u16,
    /// Against the limits in force.
    pub direction: LimitDirection,
    /// Log index of the first chunk.
    pub first_part: u64,
    /// UTC nanoseconds from which on it may come into force; 0 = at once.
    pub effective_ns: u64,
    /// UTC nanoseconds at which what it raises goes back; 0 = never.
    pub expires_ns: u64,
    /// SHA-256 of its text.
    pub sha256: [u8; 32],
    /// Who proposes.
    pub maker: String,
    /// Why.
    pub reason: String,
    /// By the maker's key; `None` where no operators are listed.
    pub signature: Option<Signature>,
}

/// A second person agrees to a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitApprove {
    /// The proposal.
    pub id: u64,
    /// SHA-256 of the text that was agreed to.
    pub sha256: [u8; 32],
    /// Who agrees; never the maker.
    pub checker: String,
    /// By the checker's key, over the digest that the maker signed.
    pub signature: Option<Signature>,
}

/// A temporary raise has ended: what it raised is back at its standing value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitExpire {
    /// The proposal that ended.
    pub id: u64,
    /// Version from here on; grows by one.
    pub version: u32,
    /// Chunks of the text from here on.
    pub parts: u16,
    /// Log index of the first chunk.
    pub first_part: u64,
    /// SHA-256 of the text.
    pub sha256: [u8; 32],
}

impl LimitPropose {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.to_le_bytes());
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&self.parts.to_le_bytes());
        out.extend_from_slice(&[self.direction as u8, 0]);
        out.extend_from_slice(&self.first_part.to_le_bytes());
        out.extend_from_slice(&self.effective_ns.to_le_bytes());
        out.extend_from_slice(&self.expires_ns.to_le_bytes());
        out.extend_from_slice(&self.sha256);
        put_blob(out, self.maker.as_bytes());
        put_blob(out, self.reason.as_bytes());
        put_signature(out, self.signature.as_ref());
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let id = r.u64("id")?;
        let version = r.u32("version")?;
        let parts = r.u16("parts")?;
        let code = r.u8("direction")?;
        let direction = match code {
            1 => Some(LimitDirection::Tighten),
            2 => Some(LimitDirection::Raise),
            _ => None,
        };
        let direction = r.value(direction, 1, "direction", code.into(), "1 or 2")?;
        r.zero(1, "reserved")?;
        Ok(Self {
            id,
            version,
            parts,
            direction,
            first_part: r.u64("first_part")?,
            effective_ns: r.u64("effective_ns")?,
            expires_ns: r.u64("expires_ns")?,
            sha256: r.array("sha256")?,
            maker: r.text("maker")?,
            reason: r.text("reason")?,
            signature: signature(r)?,
        })
    }
}

impl LimitApprove {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.to_le_bytes());
        out.extend_from_slice(&self.sha256);
        put_blob(out, self.checker.as_bytes());
        put_signature(out, self.signature.as_ref());
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: r.u64("id")?,
            sha256: r.array("sha256")?,
            checker: r.text("checker")?,
            signature: signature(r)?,
        })
    }
}

impl LimitExpire {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.to_le_bytes());
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&self.parts.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.first_part.to_le_bytes());
        out.extend_from_slice(&self.sha256);
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let id = r.u64("id")?;
        let version = r.u32("version")?;
        let parts = r.u16("parts")?;
        r.zero(2, "reserved")?;
        let first_part = r.u64("first_part")?;
        Ok(Self { id, version, parts, first_part, sha256: r.array("sha256")? })
    }
}

/// A length of 0 or 64, and as many bytes.
fn put_signature(out: &mut Vec<u8>, signature: Option<&Signature>) {
    put_blob(out, signature.map_or(&[], |s| s.as_slice()));
}

fn signature(r: &mut Reader<'_>) -> Result<Option<Signature>, DecodeError> {
    let length = r.u16("signature")?;
    match length {
        0 => Ok(None),
        64 => r.array("signature").map(Some),
        _ => r.value(None, 2, "signature", length.into(), "0 or 64 bytes"),
    }
}

/// Two people and their reason, with both signatures where they gave them.
pub(super) struct TwoPeople {
    pub(super) actor: String,
    pub(super) approver: String,
    pub(super) reason: String,
    pub(super) signatures: Option<[Signature; 2]>,
}

/// The tail of an entry that two people stand behind.
pub(super) fn decode_two(
    r: &mut Reader<'_>,
    authenticated: bool,
) -> Result<TwoPeople, DecodeError> {
    let (actor, approver) = (r.text("actor")?, r.text("approver")?);
    let reason = r.text("reason")?;
    let signatures = if authenticated {
        Some([r.array("actor_signature")?, r.array("approver_signature")?])
    } else {
        None
    };
    Ok(TwoPeople { actor, approver, reason, signatures })
}

pub(super) fn encode_two(out: &mut Vec<u8>, texts: [&str; 3], signatures: Option<&[Signature; 2]>) {
    for text in texts {
        put_blob(out, text.as_bytes());
    }
    for signature in signatures.into_iter().flatten() {
        out.extend_from_slice(signature);
    }
}

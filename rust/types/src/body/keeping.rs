//! Entries about the log itself and how it is kept: its key's epochs, its clock, checks of it, what
//! was archived, held, erased or given out.
//!
//! Source: design note "audit", sections 3, 4, 10 and 12; SEC Rule 17a-4(f) (what a record keeper
//! must be able to show); RTS 25 (the clock).

use super::change::{TwoPeople, decode_two, encode_two};
use super::{Signature, boolean};
use crate::ClockState;
use crate::codec::{DecodeError, Reader, put_blob};

/// An epoch of the frame keys has ended; its key signs what the log was then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyEpoch {
    /// The epoch that ended.
    pub epoch: u64,
    /// Entries before this one.
    pub size: u64,
    /// Their root.
    pub root: [u8; 32],
    /// The frame chain's head behind them.
    pub chain: [u8; 32],
    /// By the key of the epoch that ended.
    pub mac: [u8; 32],
}

/// Where a reading of the clock came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ClockSource {
    /// Nothing could be asked.
    None = 0,
    /// The kernel: `adjtimex`.
    Adjtimex = 1,
}

/// What the kernel says of the clock, and how far the log's own times stand from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Who was asked.
    pub source: ClockSource,
    /// `adjtimex`'s answer: `TIME_OK` 0 to `TIME_ERROR` 5.
    pub status: i32,
    /// `timex.status`: `STA_UNSYNC` and the like.
    pub flags: u32,
    /// The most that the clock may be off UTC, microseconds.
    pub maxerror_us: i64,
    /// The estimated error, microseconds.
    pub esterror_us: i64,
    /// What is still to be slewed, nanoseconds.
    pub offset_ns: i64,
    /// The frequency correction, 2^-16 parts per million.
    pub freq: i64,
    /// TAI less UTC, seconds; 0 if the kernel was not told.
    pub tai: i32,
    /// The bound that is configured, microseconds; 0 for none.
    pub bound_us: u32,
    /// `CLOCK_MONOTONIC_RAW`, nanoseconds: no one slews it.
    pub raw_ns: u64,
    /// What is added to the monotonic clock to give UTC, nanoseconds.
    pub utc_minus_mono_ns: i64,
}

/// A scheduled check of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fsck {
    /// Entries that were checked.
    pub size: u64,
    /// Their root.
    pub root: [u8; 32],
    /// What was found to be wrong.
    pub findings: u64,
    /// How deep: 0 roots, 1 full, 2 replay.
    pub level: u8,
}

/// A correction: nothing is overwritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amend {
    /// Log index of what is corrected.
    pub index: u64,
    /// Random bytes, so that the value cannot be guessed from the leaf's hash.
    pub salt: [u8; 16],
    /// The field.
    pub field: String,
    /// What it should say.
    pub value: String,
    /// Why.
    pub reason: String,
}

/// Entries that may not be deleted while a case is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The case.
    pub case: String,
    /// Handle of an account; 0 for any.
    pub account: u32,
    /// Handle of an instrument; 0 for any.
    pub instrument: u32,
    /// Handle of a person or algorithm; 0 for any.
    pub person: u32,
    /// UTC nanoseconds from which on.
    pub from_ns: i64,
    /// UTC nanoseconds before which.
    pub to_ns: i64,
    /// Who asked.
    pub actor: String,
    /// Who agreed; never the same.
    pub approver: String,
    /// Why.
    pub reason: String,
    /// By the keys of both, in this order; `None` where no operators are listed.
    pub signatures: Option<[Signature; 2]>,
}

/// A case is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRelease {
    /// The case.
    pub case: String,
    /// Who asked.
    pub actor: String,
    /// Who agreed; never the same.
    pub approver: String,
    /// Why.
    pub reason: String,
    /// By the keys of both, in this order; `None` where no operators are listed.
    pub signatures: Option<[Signature; 2]>,
}

/// A subject's data key was destroyed: the texts under it can be read by nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shred {
    /// Kind of the handle, as a REGISTER entry has it.
    pub kind: u8,
    /// The subject's handle.
    pub subject: u32,
    /// Who asked.
    pub actor: String,
    /// Who agreed; never the same.
    pub approver: String,
    /// On what basis.
    pub reason: String,
    /// By the keys of both, in this order; `None` where no operators are listed.
    pub signatures: Option<[Signature; 2]>,
}

/// How an archived block is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ArchiveCodec {
    /// Entry bundles in a zstd file.
    Zst = 1,
    /// Columns.
    Cwz = 2,
}

/// Entries now stand in an archived block, and there alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Archive {
    /// Index of its first entry.
    pub first: u64,
    /// Index of its last entry.
    pub last: u64,
    /// The root of these entries as a tree of their own.
    pub root: [u8; 32],
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// How it is stored.
    pub codec: ArchiveCodec,
    /// Length of the file.
    pub bytes: u64,
}

/// What was done with the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum AccessKind {
    /// Entries were exported.
    Export = 1,
    /// Receipts were given out.
    Receipt = 2,
    /// Entries were read.
    Query = 3,
    /// A report was made.
    Report = 4,
    /// Entries were to be deleted, and were not.
    DeletionRefused = 5,
    /// Entries were deleted.
    Deleted = 6,
}

/// Who got or asked for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// What was done.
    pub kind: AccessKind,
    /// The first entries of the log that it was about.
    pub size: u64,
    /// Who.
    pub who: String,
    /// What.
    pub what: String,
}

/// Answers and flags of adjtimex(2).
const TIME_INS: i32 = 1;
const TIME_WAIT: i32 = 4;
const TIME_ERROR: i32 = 5;
const STA_UNSYNC: u32 = 0x40;

impl KeyEpoch {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&self.size.to_le_bytes());
        for part in [&self.root, &self.chain, &self.mac] {
            out.extend_from_slice(part);
        }
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            epoch: r.u64("epoch")?,
            size: r.u64("size")?,
            root: r.array("root")?,
            chain: r.array("chain")?,
            mac: r.array("mac")?,
        })
    }
}

impl Clock {
    /// Whether it shows that the clock is within the configured bound of UTC. Without a bound,
    /// whether the kernel takes it for synchronised at all.
    pub fn is_shown(&self) -> bool {
        let synchronised = self.source == ClockSource::Adjtimex
            && self.status != TIME_ERROR
            && self.flags & STA_UNSYNC == 0;
        let error_us = self.maxerror_us.saturating_add(self.offset_ns.saturating_abs() / 1_000);
        synchronised && (self.bound_us == 0 || error_us <= i64::from(self.bound_us))
    }

    /// What headers say of the clock from here on.
    pub fn state(&self) -> ClockState {
        match (self.source, self.status) {
            (ClockSource::None, _) => ClockState::Unknown,
            (_, TIME_INS..=TIME_WAIT) => ClockState::Leap,
            _ if self.flags & STA_UNSYNC != 0 || self.status == TIME_ERROR => ClockState::Unsynced,
            _ => ClockState::Synced,
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.source as u8, 0, 0, 0]);
        out.extend_from_slice(&self.status.to_le_bytes());
        out.extend_from_slice(&self.flags.to_le_bytes());
        out.extend_from_slice(&self.tai.to_le_bytes());
        for n in [self.maxerror_us, self.esterror_us, self.offset_ns, self.freq] {
            out.extend_from_slice(&n.to_le_bytes());
        }
        out.extend_from_slice(&self.bound_us.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.raw_ns.to_le_bytes());
        out.extend_from_slice(&self.utc_minus_mono_ns.to_le_bytes());
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let code = r.u8("source")?;
        let source = match code {
            0 => Some(ClockSource::None),
            1 => Some(ClockSource::Adjtimex),
            _ => None,
        };
        let source = r.value(source, 1, "source", code.into(), "0 or 1")?;
        r.zero(3, "reserved")?;
        let (status, flags, tai) = (r.i32("status")?, r.u32("flags")?, r.i32("tai")?);
        let (maxerror_us, esterror_us) = (r.i64("maxerror_us")?, r.i64("esterror_us")?);
        let (offset_ns, freq) = (r.i64("offset_ns")?, r.i64("freq")?);
        let bound_us = r.u32("bound_us")?;
        r.zero(4, "reserved")?;
        Ok(Self {
            source,
            status,
            flags,
            maxerror_us,
            esterror_us,
            offset_ns,
            freq,
            tai,
            bound_us,
            raw_ns: r.u64("raw_ns")?,
            utc_minus_mono_ns: r.i64("utc_minus_mono_ns")?,
        })
    }
}

impl Fsck {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.size.to_le_bytes());
        out.extend_from_slice(&self.root);
        out.extend_from_slice(&self.findings.to_le_bytes());
        out.extend_from_slice(&[self.level, 0, 0, 0, 0, 0, 0, 0]);
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (size, root, findings) = (r.u64("size")?, r.array("root")?, r.u64("findings")?);
        let level = r.u8("level")?;
        let level = r.value((level <= 2).then_some(level), 1, "level", level.into(), "0 to 2")?;
        r.zero(7, "reserved")?;
        Ok(Self { size, root, findings, level })
    }
}

impl Amend {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.index.to_le_bytes());
        out.extend_from_slice(&self.salt);
        for text in [&self.field, &self.value, &self.reason] {
            put_blob(out, text.as_bytes());
        }
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            index: r.u64("index")?,
            salt: r.array("salt")?,
            field: r.text("field")?,
            value: r.text("value")?,
            reason: r.text("reason")?,
        })
    }
}

impl Hold {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for handle in [self.account, self.instrument, self.person] {
            out.extend_from_slice(&handle.to_le_bytes());
        }
        out.extend_from_slice(&[u8::from(self.signatures.is_some()), 0, 0, 0]);
        out.extend_from_slice(&self.from_ns.to_le_bytes());
        out.extend_from_slice(&self.to_ns.to_le_bytes());
        put_blob(out, self.case.as_bytes());
        let texts = [self.actor.as_str(), &self.approver, &self.reason];
        encode_two(out, texts, self.signatures.as_ref());
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (account, instrument) = (r.u32("account")?, r.u32("instrument")?);
        let person = r.u32("person")?;
        let authenticated = boolean(r, "authenticated")?;
        r.zero(3, "reserved")?;
        let (from_ns, to_ns) = (r.i64("from_ns")?, r.i64("to_ns")?);
        let to_ns =
            r.value((from_ns < to_ns).then_some(to_ns), 8, "to_ns", to_ns as u64, "after from_ns")?;
        let case = r.text("case")?;
        let TwoPeople { actor, approver, reason, signatures } = decode_two(r, authenticated)?;
        Ok(Self {
            case,
            account,
            instrument,
            person,
            from_ns,
            to_ns,
            actor,
            approver,
            reason,
            signatures,
        })
    }
}

impl HoldRelease {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[u8::from(self.signatures.is_some()), 0, 0, 0]);
        put_blob(out, self.case.as_bytes());
        let texts = [self.actor.as_str(), &self.approver, &self.reason];
        encode_two(out, texts, self.signatures.as_ref());
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let authenticated = boolean(r, "authenticated")?;
        r.zero(3, "reserved")?;
        let case = r.text("case")?;
        let TwoPeople { actor, approver, reason, signatures } = decode_two(r, authenticated)?;
        Ok(Self { case, actor, approver, reason, signatures })
    }
}

impl Shred {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.kind, u8::from(self.signatures.is_some()), 0, 0]);
        out.extend_from_slice(&self.subject.to_le_bytes());
        let texts = [self.actor.as_str(), &self.approver, &self.reason];
        encode_two(out, texts, self.signatures.as_ref());
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let code = r.u8("kind")?;
        let kind = super::RegisterKind::from_code(code).map(|kind| kind as u8);
        let kind = r.value(kind, 1, "kind", code.into(), "1 to 8")?;
        let authenticated = boolean(r, "authenticated")?;
        r.zero(2, "reserved")?;
        let subject = r.u32("subject")?;
        let TwoPeople { actor, approver, reason, signatures } = decode_two(r, authenticated)?;
        Ok(Self { kind, subject, actor, approver, reason, signatures })
    }
}

impl Archive {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.last.to_le_bytes());
        out.extend_from_slice(&self.root);
        out.extend_from_slice(&self.sha256);
        out.extend_from_slice(&[self.codec as u8, 0, 0, 0, 0, 0, 0, 0]);
        out.extend_from_slice(&self.bytes.to_le_bytes());
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (first, last) = (r.u64("first")?, r.u64("last")?);
        let last = r.value((first <= last).then_some(last), 8, "last", last, "first or more")?;
        let (root, sha256) = (r.array("root")?, r.array("sha256")?);
        let code = r.u8("codec")?;
        let codec = match code {
            1 => Some(ArchiveCodec::Zst),
            2 => Some(ArchiveCodec::Cwz),
            _ => None,
        };
        let codec = r.value(codec, 1, "codec", code.into(), "1 or 2")?;
        r.zero(7, "reserved")?;
        Ok(Self { first, last, root, sha256, codec, bytes: r.u64("bytes")? })
    }
}

impl Access {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.kind as u8, 0, 0, 0, 0, 0, 0, 0]);
        out.extend_from_slice(&self.size.to_le_bytes());
        put_blob(out, self.who.as_bytes());
        put_blob(out, self.what.as_bytes());
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let code = r.u8("kind")?;
        let kind = match code {
            1 => Some(AccessKind::Export),
            2 => Some(AccessKind::Receipt),
            3 => Some(AccessKind::Query),
            4 => Some(AccessKind::Report),
            5 => Some(AccessKind::DeletionRefused),
            6 => Some(AccessKind::Deleted),
            _ => None,
        };
        let kind = r.value(kind, 1, "kind", code.into(), "1 to 6")?;
        r.zero(7, "reserved")?;
        Ok(Self { kind, size: r.u64("size")?, who: r.text("who")?, what: r.text("what")? })
    }
}

#[cfg(test)]
pub(crate) mod drawn;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_shown_to_be_right_up_to_its_bound() {
        let good = Clock {
            source: ClockSource::Adjtimex,
            status: 0,
            flags: 0x2001,
            maxerror_us: 60,
            esterror_us: 5,
            offset_ns: -40_000,
            freq: 0,
            tai: 37,
            bound_us: 100,
            raw_ns: 1,
            utc_minus_mono_ns: 2,
        };
        assert!(good.is_shown());
        assert!(!Clock { maxerror_us: 61, ..good }.is_shown());
        assert!(!Clock { offset_ns: 41_000, ..good }.is_shown());
        assert!(Clock { maxerror_us: i64::MAX, bound_us: 0, ..good }.is_shown());
        assert_eq!(good.state(), ClockState::Synced);
        for (bad, state) in [
            (Clock { source: ClockSource::None, ..good }, ClockState::Unknown),
            (Clock { status: 5, ..good }, ClockState::Unsynced),
            (Clock { flags: 0x40, ..good }, ClockState::Unsynced),
        ] {
            assert!(!bad.is_shown() && bad.state() == state, "{bad:?}");
        }
        assert_eq!(Clock { status: 1, ..good }.state(), ClockState::Leap);
    }
}

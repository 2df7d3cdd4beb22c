//! Text about a person or firm, under a key that can be destroyed.
//!
//! Source: design note "audit", section 10. An order names its account by number, a limits file by
//! a code; who stands behind the code is said here alone. Without the key this is noise of a
//! length, so what the log proves of it stays proved when the key is gone.

use super::RegisterKind;
use crate::codec::{DecodeError, Reader, put_blob};

/// What a sealed text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum SealedKind {
    /// Who the subject is.
    Identity = 1,
    /// A note about the subject.
    Note = 2,
}

impl SealedKind {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Note => "note",
        }
    }
}

/// A text about a subject, which only the subject's key opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Kind of the handle, as a REGISTER entry has it.
    pub kind: RegisterKind,
    /// What the text is.
    pub what: SealedKind,
    /// The subject's handle.
    pub subject: u32,
    /// AES-256-GCM-SIV (RFC 8452): the padded text and its tag.
    pub sealed: Vec<u8>,
}

impl Sealed {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.kind as u8, self.what as u8, 0, 0]);
        out.extend_from_slice(&self.subject.to_le_bytes());
        put_blob(out, &self.sealed);
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let code = r.u8("kind")?;
        let kind = r.value(RegisterKind::from_code(code), 1, "kind", code.into(), "1 to 8")?;
        let code = r.u8("what")?;
        let what = match code {
            1 => Some(SealedKind::Identity),
            2 => Some(SealedKind::Note),
            _ => None,
        };
        let what = r.value(what, 1, "what", code.into(), "1 or 2")?;
        r.zero(2, "reserved")?;
        Ok(Self { kind, what, subject: r.u32("subject")?, sealed: r.blob("sealed")? })
    }
}

//! The keys of every line that a checkpoint may carry: the log's, its committee's, a witness's.
//!
//! Source: C2SP signed-note (Ed25519, type 01), tlog-cosignature (witnesses, type 04); design note
//! "audit", section 5 (the committee's line: type ff, BLS12-381 with signatures in G1).
//! Invariant: a key's text has one spelling, and its id binds name, type and key.

use std::fmt;
use std::str::FromStr;

use blst::min_sig;

use crate::note::{NoteError, SigningKey, VerifyKey, is_name, key_id, parse_vkey, vkey_text};

/// Verifies the signature lines of one key.
pub trait LineKey {
    /// The name on its lines.
    fn name(&self) -> &str;
    /// The id on its lines.
    fn id(&self) -> [u8; 4];
    /// Whether these bytes, which follow the id, sign the note's text.
    fn verifies(&self, text: &str, signature: &[u8]) -> bool;
    /// The origin whose checkpoints this key makes. A witness makes none: it has only seen them.
    fn speaks_for(&self) -> Option<&str>;
}

/// A key of one of the kinds that a checkpoint's lines have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoteKey {
    /// A log's own key; its line signs the text as it is.
    Log(VerifyKey),
    /// A committee's threshold key; its line says that a quorum executed the log again.
    Committee(CommitteeKey),
    /// A witness's key; its line says when it saw the checkpoint.
    Witness(WitnessKey),
}

impl NoteKey {
    /// The log's key, if it is one.
    pub fn as_log(&self) -> Option<&VerifyKey> {
        if let Self::Log(key) = self { Some(key) } else { None }
    }

    fn line_key(&self) -> &dyn LineKey {
        match self {
            Self::Log(key) => key,
            Self::Committee(key) => key,
            Self::Witness(key) => key,
        }
    }
}

impl LineKey for NoteKey {
    fn name(&self) -> &str {
        self.line_key().name()
    }

    fn id(&self) -> [u8; 4] {
        self.line_key().id()
    }

    fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        self.line_key().verifies(text, signature)
    }

    fn speaks_for(&self) -> Option<&str> {
        self.line_key().speaks_for()
    }
}

impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(key) => key.fmt(f),
            Self::Committee(key) => key.fmt(f),
            Self::Witness(key) => key.fmt(f),
        }
    }
}

impl FromStr for NoteKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let (name, typed) = parse_vkey(text)?;
        match typed.first() {
            Some(&COSIGNATURE) => WitnessKey::of(name, &typed[1..]).map(Self::Witness),
            Some(&OTHER) => CommitteeKey::of(name, &typed).map(Self::Committee),
            _ => text.parse().map(Self::Log),
        }
    }
}

/// A witness's Ed25519 key: `name+id+base64(04 || key)`. Its lines carry the time of signing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessKey(VerifyKey, [u8; 4]);

impl WitnessKey {
    fn of(name: &str, key: &[u8]) -> Result<Self, NoteError> {
        let plain = VerifyKey::from_bytes(name, key)?;
        let id = key_id(name, &[&[COSIGNATURE], key].concat());
        Ok(Self(plain, id))
    }
}

impl LineKey for WitnessKey {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn id(&self) -> [u8; 4] {
        self.1
    }

    fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        let Some((time, signature)) = signature.split_first_chunk() else { return false };
        self.0.verifies(&cosigned_text(u64::from_be_bytes(*time), text), signature)
    }

    fn speaks_for(&self) -> Option<&str> {
        None
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed = [&[COSIGNATURE][..], self.0.key_bytes()].concat();
        f.write_str(&vkey_text(self.0.name(), self.1, &typed))
    }
}

/// A witness's signing key.
#[derive(Clone, Debug)]
pub struct WitnessSigner {
    key: SigningKey,
    verify_key: WitnessKey,
}

impl WitnessSigner {
    /// The key of this 32-byte seed under this name.
    ///
    /// # Errors
    /// The text is no name.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        let key = SigningKey::from_seed(name, seed)?;
        let verify_key = WitnessKey::of(name, key.verify_key().key_bytes())?;
        Ok(Self { key, verify_key })
    }

    /// The public half.
    pub fn verify_key(&self) -> &WitnessKey {
        &self.verify_key
    }

    /// The bytes behind the key id on a line that says: seen at this time, in seconds of 1970.
    pub fn cosign(&self, text: &str, unix_seconds: u64) -> Vec<u8> {
        let signature = self.key.sign_text(&cosigned_text(unix_seconds, text));
        [&unix_seconds.to_be_bytes()[..], &signature].concat()
    }
}

/// A committee's threshold key: `name+id+base64(ff || purpose || G2 key)`.
///
/// Its line carries an epoch and a view, which the signature covers: one quorum certificate is
/// for one decision of one membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitteeKey {
    name: String,
    id: [u8; 4],
    key: min_sig::PublicKey,
}

impl CommitteeKey {
    fn of(name: &str, typed: &[u8]) -> Result<Self, NoteError> {
        let malformed = |what| NoteError::Key { what };
        let key = typed
            .strip_prefix(&[OTHER])
            .and_then(|rest| rest.strip_prefix(COMMITTEE_PURPOSE))
            .ok_or(malformed("the key's type is none of Ed25519, witness, committee"))?;
        // Length, curve, subgroup, and not the identity: all in one.
        let key = min_sig::PublicKey::key_validate(key)
            .map_err(|_| malformed("the committee's key is no point of G2"))?;
        Ok(Self { name: name.to_owned(), id: key_id(name, typed), key })
    }

    /// The key of this public point, compressed, under this name.
    ///
    /// # Errors
    /// The text is no name, or the bytes are no point of the subgroup.
    pub fn from_bytes(name: &str, key: &[u8]) -> Result<Self, NoteError> {
        if !is_name(name) {
            return Err(NoteError::Key { what: "a name is not empty, without space or `+`" });
        }
        Self::of(name, &[&[OTHER], COMMITTEE_PURPOSE, key].concat())
    }
}

impl LineKey for CommitteeKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> [u8; 4] {
        self.id
    }

    fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        let Some((epoch, rest)) = signature.split_first_chunk() else { return false };
        let Some((view, point)) = rest.split_first_chunk() else { return false };
        let Ok(point) = min_sig::Signature::sig_validate(point, true) else { return false };
        let text = certificate_text(u64::from_be_bytes(*epoch), u64::from_be_bytes(*view), text);
        // The key was validated when it was read.
        let verdict = point.verify(true, text.as_bytes(), CERTIFICATE_DST, &[], &self.key, false);
        verdict == blst::BLST_ERROR::BLST_SUCCESS
    }

    fn speaks_for(&self) -> Option<&str> {
        self.name.strip_suffix(COMMITTEE_SUFFIX)
    }
}

impl fmt::Display for CommitteeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed = [&[OTHER], COMMITTEE_PURPOSE, &self.key.to_bytes()[..]].concat();
        f.write_str(&vkey_text(&self.name, self.id, &typed))
    }
}

/// What a committee signs of a checkpoint's text.
pub fn certificate_text(epoch: u64, view: u64, text: &str) -> String {
    format!("{CERTIFICATE_HEAD}epoch {epoch}\nview {view}\n{text}")
}

fn cosigned_text(unix_seconds: u64, text: &str) -> String {
    format!("{COSIGNATURE_HEAD}time {unix_seconds}\n{text}")
}

/// C2SP signed-note: the type of keys that other texts define.
const OTHER: u8 = 0xff;
/// C2SP tlog-cosignature: the type of a witness's Ed25519 key.
const COSIGNATURE: u8 = 4;
const COSIGNATURE_HEAD: &str = "cosignature/v1\n";
/// A committee is named after the log whose checkpoints it signs.
const COMMITTEE_SUFFIX: &str = "/committee";
/// What follows the type byte in a committee's key.
const COMMITTEE_PURPOSE: &[u8] = b"cwts-bls12381-threshold-v1";
/// Lines, so without the NUL of hashed domains.
const CERTIFICATE_HEAD: &str = "cwts/certificate/v1\n";
/// RFC 9380, section 8.8.1: the suite of signatures in G1.
pub const CERTIFICATE_DST: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";

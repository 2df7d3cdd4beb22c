//! Signed notes, their keys, and checkpoints: the exact bytes that other people's tools read.
//!
//! Source: C2SP signed-note and tlog-checkpoint; Go's sumdb/note package is the oracle.
//! Invariant: parse accepts only what encode gives back byte for byte, so no bit of a note is
//! without meaning (base64 padding and trailing bits included).

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;
use sha2::{Digest, Sha256};

use crate::line_key::LineKey;
use crate::merkle::Hash;

/// The longest note that is read.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;
/// The most signature lines that are read.
pub const SIGNATURES_MAX: usize = 64;

/// Why a note, key or checkpoint is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The note is longer than the bound.
    #[error("the note has {bytes} bytes, more than {NOTE_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The note does not have the form of a signed note.
    #[error("the note is malformed: {what}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
    },
    /// A key's text does not have the form `name+id+base64`.
    #[error("the verification key is malformed: {what}")]
    Key {
        /// What is wrong.
        what: &'static str,
    },
    /// A line of a known key does not verify.
    #[error("the signature by `{name}` does not verify")]
    BadSignature {
        /// Name of the key.
        name: String,
    },
    /// A line is by a key that was not given.
    #[error("the signature line by `{name}` is by no known key")]
    UnknownLine {
        /// Name on the line.
        name: String,
    },
    /// No line is by a known key.
    #[error("no signature line is by a known key")]
    Unsigned,
    /// The signed text is not a checkpoint.
    #[error("the text is not a checkpoint: {what}")]
    Checkpoint {
        /// What is wrong.
        what: &'static str,
    },
}

/// An Ed25519 verification key with its name: `name+id+base64(01 || key)`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifyKey {
    name: String,
    id: [u8; 4],
    key: [u8; 32],
}

impl VerifyKey {
    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key id: first 4 bytes of SHA-256(name || 0A || 01 || key).
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The same public key under another name: one secret may sign several logs, each as itself.
    ///
    /// # Errors
    /// The text is no name.
    pub fn renamed(&self, name: &str) -> Result<Self, NoteError> {
        Self::new(name, self.key)
    }

    /// The key of these 32 bytes under this name.
    ///
    /// # Errors
    /// The text is no name, or the bytes are no point of the curve.
    pub(crate) fn from_bytes(name: &str, key: &[u8]) -> Result<Self, NoteError> {
        let malformed = |what| NoteError::Key { what };
        let key: [u8; 32] = key.try_into().map_err(|_| malformed("the key is not 32 bytes"))?;
        ed25519_dalek::VerifyingKey::from_bytes(&key)
            .map_err(|_| malformed("the key is no point of the curve"))?;
        Self::new(name, key)
    }

    pub(crate) fn key_bytes(&self) -> &[u8] {
        &self.key
    }

    fn new(name: &str, key: [u8; 32]) -> Result<Self, NoteError> {
        if !is_name(name) {
            return Err(NoteError::Key { what: "a name is not empty, without space or `+`" });
        }
        let id = key_id(name, &[&[ED25519], &key[..]].concat());
        Ok(Self { name: name.to_owned(), id, key })
    }

    /// Whether this key signed the digest of a domain-separated text.
    pub fn verify_digest(&self, digest: &Hash, signature: &[u8; 64]) -> bool {
        self.verify_bytes(digest, signature)
    }

    fn verify_bytes(&self, bytes: &[u8], signature: &[u8]) -> bool {
        let Ok(signature) = ed25519_dalek::Signature::from_slice(signature) else { return false };
        let Ok(key) = ed25519_dalek::VerifyingKey::from_bytes(&self.key) else { return false };
        key.verify_strict(bytes, &signature).is_ok()
    }
}

impl LineKey for VerifyKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> [u8; 4] {
        self.id
    }

    fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        self.verify_bytes(text.as_bytes(), signature)
    }

    fn speaks_for(&self) -> Option<&str> {
        Some(&self.name)
    }
}

impl fmt::Display for VerifyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&vkey_text(&self.name, self.id, &[&[ED25519], &self.key[..]].concat()))
    }
}

impl FromStr for VerifyKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let (name, typed) = parse_vkey(text)?;
        let Some((&ED25519, key)) = typed.split_first() else {
            return Err(NoteError::Key { what: "the key's type is not Ed25519" });
        };
        Self::from_bytes(name, key)
    }
}

/// The key id: first 4 bytes of SHA-256(name || 0A || type || key).
pub(crate) fn key_id(name: &str, typed: &[u8]) -> [u8; 4] {
    let mut hasher = Sha256::new();
    hasher.update(name);
    hasher.update(b"\n");
    hasher.update(typed);
    let digest = hasher.finalize();
    [digest[0], digest[1], digest[2], digest[3]]
}

/// Name, and type with key, of a key's text; only its one spelling is accepted.
pub(crate) fn parse_vkey(text: &str) -> Result<(&str, Vec<u8>), NoteError> {
    let malformed = |what| NoteError::Key { what };
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(_), Some(body)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(malformed("the form is name+id+base64"));
    };
    if !is_name(name) {
        return Err(malformed("a name is not empty, without space or `+`"));
    }
    let typed = STANDARD.decode(body).map_err(|_| malformed("the key is not base64"))?;
    // The id in the text is checked here with everything else that could be written two ways.
    if vkey_text(name, key_id(name, &typed), &typed) != text {
        return Err(malformed("the key id does not belong to this name and key"));
    }
    Ok((name, typed))
}

/// A key's text.
pub(crate) fn vkey_text(name: &str, id: [u8; 4], typed: &[u8]) -> String {
    format!("{name}+{:08x}+{}", u32::from_be_bytes(id), STANDARD.encode(typed))
}

/// An Ed25519 signing key with its name. The secret is erased when it is dropped.
#[derive(Clone)]
pub struct SigningKey {
    verify_key: VerifyKey,
    key: ed25519_dalek::SigningKey,
}

impl SigningKey {
    /// The key of this 32-byte seed under this name.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        let key = ed25519_dalek::SigningKey::from_bytes(seed);
        let verify_key = VerifyKey::new(name, key.verifying_key().to_bytes())?;
        Ok(Self { verify_key, key })
    }

    /// The public half.
    pub fn verify_key(&self) -> &VerifyKey {
        &self.verify_key
    }

    /// A signature of the digest of a domain-separated text.
    pub fn sign_digest(&self, digest: &Hash) -> [u8; 64] {
        self.key.sign(digest).to_bytes()
    }

    /// A signature of a text that says what it is.
    pub(crate) fn sign_text(&self, text: &str) -> [u8; 64] {
        self.key.sign(text.as_bytes()).to_bytes()
    }

    /// A note of this text with one line by this key. The text must end with a line feed.
    pub fn sign(&self, text: &str) -> Result<Note, NoteError> {
        let signature = NoteSignature {
            name: self.verify_key.name.clone(),
            id: self.verify_key.id,
            bytes: self.key.sign(text.as_bytes()).to_bytes().to_vec(),
        };
        let note = Note { text: text.to_owned(), signatures: vec![signature] };
        // What could not be parsed again is not signed.
        Note::parse(note.encode().as_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.verify_key.to_string()).finish()
    }
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// The key's name.
    pub name: String,
    /// The key's id.
    pub id: [u8; 4],
    /// The signature after the id.
    pub bytes: Vec<u8>,
}

/// A text and the lines that sign it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The signed text, its last line feed included.
    pub text: String,
    /// The signature lines, in their order.
    pub signatures: Vec<NoteSignature>,
}

/// Which lines of a note were checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckedLines {
    /// Positions of the lines by known keys; each verified.
    pub verified: Vec<usize>,
    /// Positions of the lines by unknown keys.
    pub unknown: Vec<usize>,
}

impl Note {
    /// Reads a note; only its one canonical spelling is accepted.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        let malformed = |what| NoteError::Malformed { what };
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong { bytes: bytes.len() });
        }
        let whole = str::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8"))?;
        if whole.chars().any(|c| c.is_ascii_control() && c != '\n') {
            return Err(malformed("it holds a control character"));
        }
        // The text may hold blank lines: the last one ends it.
        let gap = whole.rfind("\n\n").ok_or(malformed("no blank line before the signatures"))?;
        let (text, lines) = (&whole[..=gap], &whole[gap + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(malformed("the last line does not end"))?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            if signatures.len() == SIGNATURES_MAX {
                return Err(malformed("too many signature lines"));
            }
            let line = line.strip_prefix(LINE_START).ok_or(malformed("a line is no signature"))?;
            let (name, body) = line.split_once(' ').ok_or(malformed("a signature has no body"))?;
            if !is_name(name) {
                return Err(malformed("a signature's name is not a key name"));
            }
            let body = STANDARD.decode(body).map_err(|_| malformed("a signature is not base64"))?;
            let (id, bytes) =
                body.split_first_chunk::<4>().ok_or(malformed("a signature has no key id"))?;
            if bytes.is_empty() {
                return Err(malformed("a signature is empty"));
            }
            signatures.push(NoteSignature {
                name: name.to_owned(),
                id: *id,
                bytes: bytes.to_vec(),
            });
        }
        let note = Self { text: text.to_owned(), signatures };
        if note.encode().as_bytes() != bytes {
            return Err(malformed("it can be written in another way"));
        }
        Ok(note)
    }

    /// The bytes of the note.
    pub fn encode(&self) -> String {
        let mut out = format!("{}\n", self.text);
        for signature in &self.signatures {
            let mut body = signature.id.to_vec();
            body.extend_from_slice(&signature.bytes);
            out.push_str(LINE_START);
            out.push_str(&signature.name);
            out.push(' ');
            STANDARD.encode_string(body, &mut out);
            out.push('\n');
        }
        out
    }

    /// Checks every line by one of `keys`. A known key's line that fails refuses the note, and so
    /// does a note without a line by a known key. Unknown lines are left to the caller.
    pub fn check<K: LineKey>(&self, keys: &[K]) -> Result<CheckedLines, NoteError> {
        let mut checked = CheckedLines::default();
        for (position, line) in self.signatures.iter().enumerate() {
            match keys.iter().find(|key| key.name() == line.name && key.id() == line.id) {
                None => checked.unknown.push(position),
                Some(key) if key.verifies(&self.text, &line.bytes) => {
                    checked.verified.push(position);
                }
                Some(_) => return Err(NoteError::BadSignature { name: line.name.clone() }),
            }
        }
        if checked.verified.is_empty() {
            return Err(NoteError::Unsigned);
        }
        Ok(checked)
    }

    /// Like [`Note::check`], but a line by an unknown key refuses the note: its bits would be
    /// without meaning.
    pub fn check_all<K: LineKey>(&self, keys: &[K]) -> Result<(), NoteError> {
        match self.check(keys)?.unknown.first() {
            None => Ok(()),
            Some(&position) => {
                Err(NoteError::UnknownLine { name: self.signatures[position].name.clone() })
            }
        }
    }
}

/// The head of a log: how many entries, under which root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

impl Checkpoint {
    /// Reads the signed text of a checkpoint note: three lines, no extension.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let malformed = |what| NoteError::Checkpoint { what };
        let lines = text.strip_suffix('\n').ok_or(malformed("the last line does not end"))?;
        let mut lines = lines.split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(malformed("it has not three lines"));
        };
        if origin.is_empty() {
            return Err(malformed("the origin is empty"));
        }
        let size = size.parse().map_err(|_| malformed("the size is no decimal of 64 bits"))?;
        let root = STANDARD.decode(root).map_err(|_| malformed("the root is not base64"))?;
        let root = root.try_into().map_err(|_| malformed("the root is not 32 bytes"))?;
        let parsed = Self { origin: origin.to_owned(), size, root };
        // Leading zeros and a plus sign end here.
        if parsed.encode() != text {
            return Err(malformed("it can be written in another way"));
        }
        Ok(parsed)
    }

    /// The text to sign.
    pub fn encode(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }
}

/// Standard base64.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads standard base64; no other spelling is accepted.
pub fn parse_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// The standard base64 of a hash.
pub fn base64_hash(hash: &Hash) -> String {
    STANDARD.encode(hash)
}

/// Reads the standard base64 of a hash; no other spelling is accepted.
pub fn parse_base64_hash(text: &str) -> Option<Hash> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// Whether the text can name a key.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// C2SP signed-note: Ed25519's type byte.
const ED25519: u8 = 1;
/// An em dash and a space.
const LINE_START: &str = "\u{2014} ";

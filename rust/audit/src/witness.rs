//! Witnesses: what a log sends them, how one judges it, and what becomes of the answer.
//!
//! Source: C2SP tlog-witness (`add-checkpoint`) and tlog-cosignature. A witness keeps the newest
//! checkpoint of each log that it knows and cosigns only one that goes on from it, so a log that
//! shows different people different histories is found out. It proves nothing of the entries.
//!
//! Invariant: a witness's record only ever grows, and what is cosigned was kept first. Nothing here
//! does I/O: whoever owns a [`Witness`] makes [`Witness::state_with`] durable, then calls
//! [`Witness::keep`], and only then answers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::str::Lines;

use crate::line_key::{LineKey, NoteKey, WitnessSigner};
use crate::merkle::{Hash, empty_root, verify_consistency};
use crate::note::{
    Checkpoint, NOTE_BYTES_MAX, Note, NoteError, NoteSignature, VerifyKey, base64_hash,
    parse_base64_hash,
};
use sha2::{Digest as _, Sha256};

/// The newest checkpoint that witnesses have cosigned, beside `checkpoint`.
pub const WITNESSED_FILE: &str = "checkpoint.witnessed";
/// C2SP tlog-witness: hashes of a consistency proof.
pub const PROOF_LINES_MAX: usize = 63;
/// The longest body of `add-checkpoint`: `old`, 63 hashes a line each, and a note.
pub const REQUEST_BYTES_MAX: usize = 32 + PROOF_LINES_MAX * 45 + NOTE_BYTES_MAX;
/// Logs that one witness knows.
pub const LOGS_MAX: usize = 256;
/// The longest state: a note for each log.
pub const STATE_BYTES_MAX: usize = LOGS_MAX * (NOTE_BYTES_MAX + 16) + 128;

/// The body of `add-checkpoint`: a checkpoint, and that it goes on from the first `old` entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the witness is taken to have seen.
    pub old: u64,
    /// The consistency proof from there; empty from 0.
    pub proof: Vec<Hash>,
    /// The signed checkpoint.
    pub note: Note,
    /// What it says.
    pub checkpoint: Checkpoint,
}

impl AddCheckpoint {
    /// Reads a body; only its one spelling is accepted.
    ///
    /// # Errors
    /// It is malformed, or longer than [`REQUEST_BYTES_MAX`].
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        if body.len() > REQUEST_BYTES_MAX {
            return Err(Refusal::TooLong);
        }
        let malformed = |what| Refusal::Malformed { what };
        let text = str::from_utf8(body).map_err(|_| malformed("it is not UTF-8"))?;
        let (head, note) =
            text.split_once("\n\n").ok_or(malformed("no empty line before the checkpoint"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let old = old.ok_or(malformed("its first line is not `old` and a size"))?;
        let old = old.parse().map_err(|_| malformed("the old size is no decimal of 64 bits"))?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == PROOF_LINES_MAX {
                return Err(malformed("the proof has more than 63 lines"));
            }
            proof.push(parse_base64_hash(line).ok_or(malformed("a proof line is no hash"))?);
        }
        let note = Note::parse(note.as_bytes())
            .map_err(|_| malformed("the checkpoint is no signed note"))?;
        let checkpoint = Checkpoint::parse(&note.text)
            .map_err(|_| malformed("the note is no checkpoint of three lines"))?;
        let parsed = Self { old, proof, note, checkpoint };
        // Leading zeros and a plus sign end here.
        if parsed.encode() != text {
            return Err(malformed("it can be written in another way"));
        }
        Ok(parsed)
    }

    /// The bytes to send.
    pub fn encode(&self) -> String {
        let mut out = format!("old {}\n", self.old);
        for hash in &self.proof {
            out.push_str(&base64_hash(hash));
            out.push('\n');
        }
        out.push('\n');
        out.push_str(&self.note.encode());
        out
    }
}

/// Why a witness does not cosign; each has its HTTP status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The body is not what the protocol says.
    #[error("malformed: {what}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
    },
    /// No line by the log's key, or one that does not verify.
    #[error("{0}")]
    Signature(NoteError),
    /// The witness does not know this log.
    #[error("no log of this origin is known here")]
    UnknownOrigin,
    /// The witness has seen another size.
    #[error("{size}")]
    Conflict {
        /// Which.
        size: u64,
    },
    /// The body is too long.
    #[error("the body has more than {REQUEST_BYTES_MAX} bytes")]
    TooLong,
    /// The checkpoint does not go on from the one that was seen.
    #[error("inconsistent: {what}")]
    Inconsistent {
        /// In what.
        what: &'static str,
    },
}

impl Refusal {
    /// The status that C2SP tlog-witness gives it.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed { .. } => 400,
            Self::Signature(_) => 403,
            Self::UnknownOrigin => 404,
            Self::Conflict { .. } => 409,
            Self::TooLong => 413,
            Self::Inconsistent { .. } => 422,
        }
    }

    /// The body of the answer: the size that was seen, or the reason in words.
    pub fn body(&self) -> String {
        format!("{self}\n")
    }

    /// The type of that body.
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "text/x.tlog.size",
            _ => "text/plain; charset=utf-8",
        }
    }
}

/// A checkpoint that a witness will have cosigned once it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    checkpoint: Checkpoint,
    /// Text, the log's lines that were verified, and the witness's own line.
    note: Note,
}

impl Cosigned {
    /// The answer: the witness's signature line.
    pub fn line(&self) -> String {
        let own = Note { text: String::new(), signatures: self.note.signatures[..1].to_vec() };
        own.encode().trim_start_matches('\n').to_owned()
    }
}

/// A witness: its key, the logs that it knows, and the newest checkpoint that it has seen of each.
#[derive(Debug)]
pub struct Witness {
    signer: WitnessSigner,
    logs: Vec<VerifyKey>,
    seen: BTreeMap<String, Cosigned>,
}

/// Why a witness's state is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct StateError {
    /// In which line.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

impl Witness {
    /// A witness that has seen nothing.
    ///
    /// # Errors
    /// More logs than [`LOGS_MAX`].
    pub fn new(signer: WitnessSigner, logs: Vec<VerifyKey>) -> Result<Self, StateError> {
        if logs.len() > LOGS_MAX {
            let what = format!("{} logs, at most {LOGS_MAX} are known", logs.len());
            return Err(StateError { line: 0, what });
        }
        Ok(Self { signer, logs, seen: BTreeMap::new() })
    }

    /// A witness that goes on from its state.
    ///
    /// # Errors
    /// The state is torn, changed, or another witness's.
    pub fn restore(
        signer: WitnessSigner,
        logs: Vec<VerifyKey>,
        state: &[u8],
    ) -> Result<Self, StateError> {
        let mut witness = Self::new(signer, logs)?;
        let own = [NoteKey::Witness(witness.signer.verify_key().clone())];
        let wrong = |line: usize, what: &str| StateError { line, what: what.to_owned() };
        let text = str::from_utf8(state).map_err(|_| wrong(1, "it is not UTF-8"))?;
        let (head, rest) = text.split_once('\n').ok_or(wrong(1, "the first line does not end"))?;
        if head != state_head(rest) {
            return Err(wrong(1, "the rest is not what the first line says: torn, or changed"));
        }
        let mut lines = rest.lines();
        let mut line = 2;
        while let Some(count) = lines.next() {
            let count = count.parse().map_err(|_| wrong(line, "it is no number of lines"))?;
            let note = take_lines(&mut lines, count);
            let read = || {
                let note = Note::parse(note.as_bytes())?;
                note.check(&own)?;
                Ok((Checkpoint::parse(&note.text)?, note))
            };
            let (checkpoint, note) = read().map_err(|e: NoteError| wrong(line, &e.to_string()))?;
            let origin = checkpoint.origin.clone();
            if witness.seen.insert(origin, Cosigned { checkpoint, note }).is_some() {
                return Err(wrong(line, "this log stands here twice"));
            }
            line += 1 + count;
        }
        Ok(witness)
    }

    /// The public half of its key.
    pub fn verify_key(&self) -> NoteKey {
        NoteKey::Witness(self.signer.verify_key().clone())
    }

    /// Judges a request, in the order of the protocol, and changes nothing.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn judge(&self, body: &[u8], unix_seconds: u64) -> Result<Cosigned, Refusal> {
        let AddCheckpoint { old, proof, note, checkpoint } = AddCheckpoint::parse(body)?;
        let origin = &checkpoint.origin;
        let keys: Vec<VerifyKey> =
            self.logs.iter().filter(|key| key.name() == origin).cloned().collect();
        if keys.is_empty() {
            return Err(Refusal::UnknownOrigin);
        }
        let checked = note.check(&keys).map_err(Refusal::Signature)?;
        if old > checkpoint.size {
            return Err(Refusal::Malformed { what: "the old size is above the checkpoint's" });
        }
        let seen = self.seen.get(origin).map(|seen| &seen.checkpoint);
        let (size, root) = seen.map_or((0, empty_root()), |seen| (seen.size, seen.root));
        if old != size {
            return Err(Refusal::Conflict { size });
        }
        if checkpoint.size == 0 && checkpoint.root != empty_root() {
            return Err(Refusal::Inconsistent { what: "the root of no entries" });
        }
        verify_consistency(old, checkpoint.size, &root, &checkpoint.root, &proof).map_err(
            |_| {
                let what = if old == checkpoint.size && proof.is_empty() {
                    "another root of the same size"
                } else {
                    "the proof does not verify"
                };
                Refusal::Inconsistent { what }
            },
        )?;
        let key = self.signer.verify_key();
        let bytes = self.signer.cosign(&note.text, unix_seconds);
        let own = NoteSignature { name: key.name().to_owned(), id: key.id(), bytes };
        let by_log = checked.verified.iter().map(|&at| note.signatures[at].clone());
        let signatures = [own].into_iter().chain(by_log).collect();
        Ok(Cosigned { checkpoint, note: Note { text: note.text, signatures } })
    }

    /// The state in which this checkpoint is kept, to be made durable.
    pub fn state_with(&self, cosigned: &Cosigned) -> String {
        let origin = &cosigned.checkpoint.origin;
        let others = self.seen.iter().filter(|(name, _)| *name != origin).map(|(_, seen)| seen);
        encode_state(others.chain([cosigned]))
    }

    /// The state of a witness that has seen nothing yet, or what it has seen.
    pub fn state(&self) -> String {
        encode_state(self.seen.values())
    }

    /// Keeps a checkpoint whose state is durable.
    pub fn keep(&mut self, cosigned: Cosigned) {
        self.seen.insert(cosigned.checkpoint.origin.clone(), cosigned);
    }

    /// The newest cosigned checkpoint of the log whose origin has this SHA-256 in hexadecimal.
    pub fn newest(&self, origin_sha256: &str) -> Option<String> {
        let of = |origin: &&String| hex(&Sha256::digest(origin.as_bytes())) == origin_sha256;
        let origin = self.seen.keys().find(of)?;
        let mut note = self.seen.get(origin)?.note.clone();
        // The log's lines first, as everywhere.
        note.signatures.rotate_left(1);
        Some(note.encode())
    }
}

/// The line of an answer that this key signed, for the checkpoint that was sent.
///
/// # Errors
/// The answer is no run of signature lines, has none by this key, or one that does not verify.
pub fn cosignature(note: &Note, answer: &[u8], key: &NoteKey) -> Result<NoteSignature, NoteError> {
    let malformed = NoteError::Malformed { what: "the answer is not UTF-8" };
    let answer = str::from_utf8(answer).map_err(|_| malformed)?;
    let cosigned = Note::parse(format!("{}\n{answer}", note.text).as_bytes())?;
    let checked = cosigned.check(std::slice::from_ref(key))?;
    // A key's own line is there, or the check had refused it.
    let line = checked.verified.first().and_then(|&at| cosigned.signatures.get(at));
    line.cloned().ok_or(NoteError::Unsigned)
}

/// The checkpoint with the lines of its witnesses, by name, behind its own. Of an older note of the
/// same text the lines of other witnesses are kept.
pub fn witnessed(note: &Note, lines: Vec<NoteSignature>, older: Option<&Note>) -> Note {
    let own = |line: &NoteSignature| {
        note.signatures.iter().any(|o| o.name == line.name && o.id == line.id)
    };
    let mut by_key: BTreeMap<(String, [u8; 4]), NoteSignature> = BTreeMap::new();
    let older = older.filter(|older| older.text == note.text).map(|older| older.signatures.clone());
    for line in older.into_iter().flatten().chain(lines) {
        if !own(&line) {
            by_key.insert((line.name.clone(), line.id), line);
        }
    }
    let signatures = note.signatures.iter().cloned().chain(by_key.into_values()).collect();
    Note { text: note.text.clone(), signatures }
}

fn encode_state<'c>(seen: impl Iterator<Item = &'c Cosigned>) -> String {
    let mut rest = String::new();
    for cosigned in seen {
        let note = cosigned.note.encode();
        // Writing to a String cannot fail.
        let _ = write!(rest, "{}\n{note}", note.lines().count());
    }
    format!("{}\n{rest}", state_head(&rest))
}

/// The first line of a state: what it is, and the digest of all other lines.
fn state_head(rest: &str) -> String {
    let digest = Sha256::new_with_prefix(STATE_DOMAIN).chain_update(rest).finalize();
    format!("{} {}", STATE_DOMAIN.trim_end_matches('\0'), hex(&digest))
}

fn take_lines(lines: &mut Lines<'_>, count: usize) -> String {
    lines.take(count).flat_map(|line| [line, "\n"]).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Of the digest in a state's first line, which says it too.
const STATE_DOMAIN: &str = "cwts/witness-state/v1\0";

//! Receipts: one entry's place in a signed log, to be checked by anyone, offline.
//!
//! Source: C2SP tlog-proof. The entry itself stands in `extra`; it is not trusted there, its hash
//! is the leaf that the proof leads from.
//! Invariant: parse accepts only what encode gives back, so no bit of a receipt is without meaning.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::frame::ENTRY_BYTES_MAX;
use crate::line_key::LineKey;
use crate::merkle::{Hash, PROOF_HASHES_MAX, ProofError, leaf_hash, verify_inclusion};
use crate::note::{
    Checkpoint, NOTE_BYTES_MAX, Note, NoteError, NoteSignature, base64_hash, parse_base64_hash,
};

/// How a receipt's file name ends.
pub const RECEIPT_SUFFIX: &str = ".tlog-proof";
/// The longest receipt: the longest entry in base64, the longest proof, the longest note.
pub const RECEIPT_BYTES_MAX: usize =
    (ENTRY_BYTES_MAX / 3 + 1) * 4 + PROOF_HASHES_MAX * 45 + NOTE_BYTES_MAX + 256;

/// Why a receipt is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The bytes are longer than a receipt can be.
    #[error("the receipt has {bytes} bytes, more than {RECEIPT_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The bytes are no receipt.
    #[error("line {line} of the receipt: {what}")]
    Malformed {
        /// Which line, counted from 1.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// It holds no entry.
    #[error("the receipt holds no entry (no `extra` line), so only its hash could be checked")]
    NoEntry,
    /// Checkpoint or signature.
    #[error("the receipt's checkpoint: {0}")]
    Note(#[from] NoteError),
    /// The entry is not the one under the root.
    #[error("the receipt's proof: {0}")]
    Proof(#[from] ProofError),
    /// No line is by the log that the checkpoint names, or by its committee.
    #[error("the receipt's checkpoint is of `{origin}`, and no key given speaks for that log")]
    Origin {
        /// What the checkpoint says.
        origin: String,
    },
}

/// An entry, the way from it to a root, and the signed root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The entry, if the receipt carries it.
    pub entry: Option<Vec<u8>>,
    /// Its index.
    pub index: u64,
    /// From the leaf's sibling to the root's child.
    pub proof: Vec<Hash>,
    /// The signed checkpoint.
    pub note: Note,
    /// What the note says.
    pub checkpoint: Checkpoint,
}

impl Receipt {
    /// Reads a receipt; only its one spelling is accepted.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReceiptError> {
        let malformed = |line, what| ReceiptError::Malformed { line, what };
        if bytes.len() > RECEIPT_BYTES_MAX {
            return Err(ReceiptError::TooLong { bytes: bytes.len() });
        }
        let text = str::from_utf8(bytes).map_err(|_| malformed(1, "it is not UTF-8"))?;
        let (head, note) = text.split_once("\n\n").ok_or(malformed(1, "no blank line"))?;
        let mut lines = head.split('\n').enumerate().map(|(at, line)| (at + 1, line)).peekable();
        if lines.next() != Some((1, HEAD)) {
            return Err(malformed(1, "it is not `c2sp.org/tlog-proof@v1`"));
        }
        let extra = lines.next_if(|(_, line)| line.starts_with(EXTRA));
        let entry = match extra {
            None => None,
            Some((at, line)) => {
                let entry = STANDARD.decode(&line[EXTRA.len()..]);
                let entry = entry.map_err(|_| malformed(at, "the entry is not base64"))?;
                if entry.len() > ENTRY_BYTES_MAX {
                    return Err(malformed(at, "the entry is longer than an entry can be"));
                }
                Some(entry)
            }
        };
        let at = if entry.is_some() { 3 } else { 2 };
        let index = lines
            .next()
            .and_then(|(_, line)| line.strip_prefix(INDEX)?.parse().ok())
            .ok_or(malformed(at, "it is not `index` and a number"))?;
        let mut proof = Vec::new();
        for (at, line) in lines {
            if proof.len() == PROOF_HASHES_MAX {
                return Err(malformed(at, "too many hashes"));
            }
            proof.push(parse_base64_hash(line).ok_or(malformed(at, "it is no hash"))?);
        }
        let note = Note::parse(note.as_bytes())?;
        let checkpoint = Checkpoint::parse(&note.text)?;
        let receipt = Self { entry, index, proof, note, checkpoint };
        if receipt.encode().as_bytes() != bytes {
            return Err(malformed(at, "it can be written in another way"));
        }
        Ok(receipt)
    }

    /// The bytes of the receipt.
    pub fn encode(&self) -> String {
        let mut out = format!("{HEAD}\n");
        if let Some(entry) = &self.entry {
            out.push_str(EXTRA);
            STANDARD.encode_string(entry, &mut out);
            out.push('\n');
        }
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{INDEX}{}", self.index);
        for hash in &self.proof {
            let _ = writeln!(out, "{}", base64_hash(hash));
        }
        out.push('\n');
        out.push_str(&self.note.encode());
        out
    }

    /// Checks every signature line and the way from the entry to the root, and gives the entry.
    ///
    /// # Errors
    /// No entry, a line that does not verify or is by no key given, or a proof that leads
    /// elsewhere.
    pub fn verify<K: LineKey>(&self, keys: &[K]) -> Result<&[u8], ReceiptError> {
        let entry = self.entry.as_deref().ok_or(ReceiptError::NoEntry)?;
        self.note.check_all(keys)?;
        // `wal.head` is signed by the same key, under another origin: it is no checkpoint.
        let Checkpoint { origin, .. } = &self.checkpoint;
        let speaks = |key: &K| {
            let line = |s: &NoteSignature| s.name == key.name() && s.id == key.id();
            key.speaks_for() == Some(origin) && self.note.signatures.iter().any(line)
        };
        if !keys.iter().any(speaks) {
            return Err(ReceiptError::Origin { origin: origin.clone() });
        }
        self.verify_leaf(&leaf_hash(entry))?;
        Ok(entry)
    }

    /// Checks the way from a leaf to the root alone; no signature.
    pub fn verify_leaf(&self, leaf: &Hash) -> Result<(), ReceiptError> {
        let Checkpoint { size, root, .. } = &self.checkpoint;
        Ok(verify_inclusion(leaf, self.index, *size, root, &self.proof)?)
    }
}

const HEAD: &str = "c2sp.org/tlog-proof@v1";
const EXTRA: &str = "extra ";
const INDEX: &str = "index ";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::SigningKey;
    use crate::plain::write_plain;
    use crate::published::Published;
    use crate::storage::MemStorage;

    #[test]
    fn a_receipt_has_one_spelling() {
        let key = SigningKey::from_seed("cwts.example/log", &[7; 32]).unwrap();
        let mut log = MemStorage::new();
        let entries: Vec<Vec<u8>> = (0..9).map(|n| vec![n; 5]).collect();
        write_plain(&mut log, &key, entries.iter().map(Vec::as_slice)).unwrap();
        let text = Published::read(&log).unwrap().receipt(7).unwrap().encode();
        let read = Receipt::parse(text.as_bytes()).unwrap();
        assert_eq!(read.verify(&[key.verify_key().clone()]).unwrap(), [7; 5]);
        for (as_written, other) in [
            ("index 7\n", "index 07\n"),
            ("index 7\n", "index +7\n"),
            ("index 7\n", "index 7\nindex 7\n"),
            ("index 7\n", "index 7 \n"),
            ("index 7\n", "index 7\r\n"),
            ("extra ", "extra  "),
            ("extra ", "Extra "),
            ("@v1\n", "@v1\n\n"),
        ] {
            let changed = text.replacen(as_written, other, 1);
            assert_ne!(changed, text);
            assert!(Receipt::parse(changed.as_bytes()).is_err(), "{other:?}");
        }
        assert!(Receipt::parse(b"").is_err() && Receipt::parse(&[b'x'; 200]).is_err());
        let long = vec![b'x'; RECEIPT_BYTES_MAX + 1];
        assert!(matches!(Receipt::parse(&long), Err(ReceiptError::TooLong { .. })));
    }
}

//! A log checked while it grows: each frame as soon as it can be read.
//!
//! Bounded in memory and constant in work for each new entry, whatever the log's length. What
//! stands in files already read, in tiles and bundles is [`super::verify`]'s to look at.

use std::collections::VecDeque;

use super::FINDINGS_MAX;
use super::entries::{EntryChecks, Place};
use super::finding::{Finding, FindingKind, Findings, Stop, hex};
use crate::frame::{Entries, FRAME_HEADER_BYTES, Frame, Window, chain_value, segment_name};
use crate::merkle::{CompactRange, Hash};
use crate::note::{Checkpoint, NOTE_BYTES_MAX, Note, VerifyKey};
use crate::storage::{Storage, StorageError};
use crate::writer::{CHAIN_START, CHECKPOINT_FILE, log_id_of};

/// What a frame's entries are given to, each with its index; it says what is wrong with them.
pub type EntryCheck<'c> = dyn FnMut(u64, &[u8]) -> Vec<Finding> + 'c;

/// Where the check of a live log stands.
pub struct LiveCheck {
    vkey: Option<VerifyKey>,
    entries: EntryChecks,
    range: CompactRange,
    chain: Hash,
    log_id: Option<[u8; 8]>,
    segment: u64,
    offset: u64,
    /// Sizes and roots after the newest frames, which a checkpoint may sign.
    heads: VecDeque<(u64, Hash)>,
    /// The checkpoint that was found right last.
    checkpoint: Vec<u8>,
    signed: u64,
}

impl std::fmt::Debug for LiveCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveCheck").field("size", &self.range.size()).finish_non_exhaustive()
    }
}

impl LiveCheck {
    /// A check that has seen nothing. Without a key signatures are not checked, roots are.
    pub fn new(vkey: Option<VerifyKey>) -> Self {
        Self {
            vkey,
            entries: EntryChecks::new(),
            range: CompactRange::new(),
            chain: CHAIN_START,
            log_id: None,
            segment: 0,
            offset: 0,
            heads: VecDeque::new(),
            checkpoint: Vec::new(),
            signed: 0,
        }
    }

    /// Entries that were checked.
    pub fn size(&self) -> u64 {
        self.range.size()
    }

    /// The root over them.
    pub fn root(&self) -> Hash {
        self.range.root()
    }

    /// Whether the last entry is CLOSE.
    pub fn is_closed(&self) -> bool {
        self.entries.last == Some(cwts_types::EntryType::Close)
    }

    /// Checks what was written since; gives what is wrong with it. After a finding the check is
    /// over: what follows from a false entry is not told apart.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn advance(
        &mut self,
        storage: &dyn Storage,
        each: &mut EntryCheck<'_>,
    ) -> Result<Vec<Finding>, StorageError> {
        let mut findings = Findings { list: Vec::new(), max: FINDINGS_MAX };
        // The note before the frames: a writer signs only what is on disk.
        let note = storage.read_all(CHECKPOINT_FILE, NOTE_BYTES_MAX)?;
        match self.frames(storage, each, &mut findings) {
            Ok(()) if findings.list.is_empty() => self.head(note, &mut findings),
            Ok(()) | Err(Stop::Enough) => {}
            Err(Stop::Storage(error)) => return Err(error),
        }
        Ok(findings.list)
    }

    fn frames(
        &mut self,
        storage: &dyn Storage,
        each: &mut EntryCheck<'_>,
        findings: &mut Findings,
    ) -> Result<(), Stop> {
        loop {
            let name = segment_name(self.segment);
            let mut window = Window::new(&name);
            // What a reader catches half written looks forged, once.
            let mut is_doubted = false;
            loop {
                let frame = match window.frame(storage, self.offset) {
                    Ok(Ok(frame)) if frame.payload_is_whole() && is_settled(&frame) => frame,
                    // The end, or a frame that is being written.
                    Ok(_) => break,
                    Err(StorageError::Missing { .. }) if self.size() == 0 => return Ok(()),
                    Err(error) => return Err(error.into()),
                };
                let leaves = match self.leaves(&name, &frame) {
                    Ok(leaves) => leaves,
                    Err(_) if !is_doubted => {
                        is_doubted = true;
                        window = Window::new(&name);
                        continue;
                    }
                    Err(finding) => return findings.push(*finding),
                };
                is_doubted = false;
                self.take(&name, &frame, leaves, each, findings)?;
                if !findings.list.is_empty() {
                    return Ok(());
                }
                self.offset += frame.size_bytes() as u64;
            }
            let next = self.size();
            let mut first = [0; FRAME_HEADER_BYTES];
            if next == self.segment || !there(storage, &segment_name(next), &mut first)? {
                return Ok(());
            }
            (self.segment, self.offset) = (next, 0);
        }
    }

    /// The leaves of a frame that follows the one before and has the root that it says.
    fn leaves(&self, name: &str, frame: &Frame<'_>) -> Result<Vec<Hash>, Box<Finding>> {
        let (header, first) = (frame.header, self.size());
        let wrong = |kind, expected: String, got: String| {
            let finding = Finding::new(kind, name).range(first, header.end_index());
            Err(Box::new(finding.at(self.offset).says(expected, got)))
        };
        let log_id = self.log_id.or_else(|| {
            let genesis = Entries::new(frame.payload).flatten().nth(1);
            genesis.map(|(_, genesis)| log_id_of(genesis))
        });
        let follows = header.first_index == first
            && *frame.prev == self.chain
            && log_id == Some(header.log_id);
        if !follows {
            let expected = format!("a frame from {first} behind {}", hex(&self.chain));
            let got = format!("one from {} behind {}", header.first_index, hex(frame.prev));
            return wrong(FindingKind::WalChain, expected, got);
        }
        let mut range = self.range.clone();
        let entries = Entries::new(frame.payload).map_while(Result::ok);
        let leaves: Vec<Hash> = entries.map(|(_, entry)| range.append(entry)).collect();
        let root = range.root();
        if range.size() == header.end_index() && root == *frame.root_after {
            return Ok(leaves);
        }
        let expected = format!("{} {}", range.size(), hex(&root));
        let got = format!("{} {}", header.end_index(), hex(frame.root_after));
        wrong(FindingKind::WalFrame, expected, got)
    }

    fn take(
        &mut self,
        name: &str,
        frame: &Frame<'_>,
        leaves: Vec<Hash>,
        each: &mut EntryCheck<'_>,
        findings: &mut Findings,
    ) -> Result<(), Stop> {
        for ((position, entry), leaf) in Entries::new(frame.payload).flatten().zip(leaves) {
            let index = self.size();
            let offset = self.offset + (FRAME_HEADER_BYTES + position) as u64;
            let place = Place { file: name, offset, index };
            self.entries.take(&place, entry, Some(&self.range), findings)?;
            for finding in each(index, entry) {
                findings.push(Finding { file: name.to_owned(), ..finding }.at(offset))?;
            }
            self.range.append_leaf_hash(leaf);
        }
        self.log_id = Some(frame.header.log_id);
        self.chain = chain_value(&frame.hash(), frame.mac);
        if self.heads.len() == HEADS_MAX {
            self.heads.pop_front();
        }
        self.heads.push_back((self.size(), *frame.root_after));
        Ok(())
    }

    /// What the log signs must be what was read.
    fn head(&mut self, note: Option<Vec<u8>>, findings: &mut Findings) {
        let Some(bytes) = note.filter(|bytes| *bytes != self.checkpoint) else { return };
        let finding = |kind| Finding::new(kind, CHECKPOINT_FILE).at(0);
        let parsed = Note::parse(&bytes).and_then(|note| {
            let head = Checkpoint::parse(&note.text)?;
            self.vkey.iter().try_for_each(|key| note.check(std::slice::from_ref(key)).map(drop))?;
            Ok(head)
        });
        let found = match parsed {
            Err(error) => Some(finding(FindingKind::BadSignature).says("a signed head", error)),
            Ok(head) if head.size < self.signed => {
                Some(finding(FindingKind::Rollback).says(self.signed, head.size))
            }
            Ok(head) if head.size > self.size() => Some(
                finding(FindingKind::WalFrame)
                    .range(self.size(), head.size)
                    .says(format!("{} entries", head.size), self.size())
                    .by("a checkpoint is signed when its entries are on disk"),
            ),
            Ok(head) => {
                self.signed = head.size;
                self.checkpoint = bytes;
                let known = self.heads.iter().find(|(size, _)| *size == head.size);
                // One that is older than what is kept was signed before the watch began.
                let old = self.heads.front().is_none_or(|(size, _)| head.size < *size);
                let same = known.map_or(old, |(_, root)| *root == head.root);
                let expected = known.map_or_else(String::new, |(_, root)| hex(root));
                (!same).then(|| {
                    finding(FindingKind::Inconsistent)
                        .range(0, head.size)
                        .says(expected, hex(&head.root))
                        .by("the entries in the frames")
                })
            }
        };
        // Findings are within their bound: there was none before this one.
        let _ = found.map_or(Ok(()), |found| findings.push(found));
    }
}

/// Whether a frame's last field is there: a writer fills it from its start, into zeros. A MAC ends
/// in eight of them once in 2^64.
fn is_settled(frame: &Frame<'_>) -> bool {
    frame.mac[24..] != [0; 8]
}

fn there(storage: &dyn Storage, name: &str, buffer: &mut [u8]) -> Result<bool, StorageError> {
    match storage.read_at(name, 0, buffer) {
        Ok(got) => Ok(got > 0),
        Err(StorageError::Missing { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Frames whose root is kept: a checkpoint trails by 100 ms, a frame takes no less than 20 us.
const HEADS_MAX: usize = 1 << 14;

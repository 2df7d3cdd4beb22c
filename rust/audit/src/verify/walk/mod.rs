//! The walk over the write-ahead log that goes on behind damage.
//!
//! Opening a log stops at the first bad frame; verifying names every one. Where a frame is
//! damaged, its entries are still read as far as they parse, so that the tiles can say which of
//! them was changed, and the next good frame is taken up again.

use crate::epoch::is_seal;
use crate::frame::{
    Entries, FRAME_HEADER_BYTES, Frame, LENGTH_BYTES, Window, chain_value, nonzero_end,
    parse_segment_name,
};
use crate::keys::KeyChain;
use crate::merkle::{CompactRange, Hash};
use crate::note::Checkpoint;
use crate::storage::{FileStat, Storage};
use crate::writer::{CHAIN_START, log_id_of};

mod damage;
mod macs;

use super::bundles::BundleCheck;
use super::entries::{EntryChecks, Place};
use super::finding::{Finding, FindingKind, Findings, Stop, hex};
use super::tiles::{LeafPlace, TileCheck};
use macs::{Macs, seal_within};

/// A frame with a fault that a changed entry may explain: told only if none does.
pub(super) struct Suspect {
    pub(super) finding: Finding,
    pub(super) first: u64,
    pub(super) end: u64,
    /// Whether a length led astray: only the first entry that differs is then the changed one.
    pub(super) astray: bool,
    /// The entry whose length leads past the frame, and where it stands.
    pub(super) broke_at: Option<(u64, u64)>,
}

/// What the walk needs, and what it leaves.
pub(super) struct Walk<'a, 's> {
    pub(super) storage: &'s dyn Storage,
    pub(super) segments: &'a [FileStat],
    pub(super) findings: &'a mut Findings,
    pub(super) tiles: &'a mut TileCheck<'s>,
    pub(super) bundles: &'a mut BundleCheck<'s>,
    pub(super) entries: &'a mut EntryChecks,
    /// What `checkpoint` says, its signature not yet checked: where the log cannot end before.
    pub(super) signed: Option<&'a Checkpoint>,
    pub(super) wal_head: Option<&'a Checkpoint>,
    /// What witnesses have cosigned, its lines not yet checked.
    pub(super) witnessed: Option<&'a Checkpoint>,
    /// `K_0`, or what a replay's GENESIS gives.
    pub(super) keys: Option<KeyChain>,
    pub(super) out: Walked,
}

/// What was found on the way.
#[derive(Default)]
pub(super) struct Walked {
    /// Entries up to the last good frame.
    pub(super) size: u64,
    pub(super) range: CompactRange,
    /// The root over the signed number of entries, if none before was lost.
    pub(super) root_at_signed: Option<Hash>,
    /// The same at the size that witnesses have cosigned.
    pub(super) root_at_witnessed: Option<Hash>,
    /// Whether the root can no longer be computed.
    pub(super) lost: bool,
    pub(super) suspects: Vec<Suspect>,
    /// The chain value after the last frame; `None` behind damage.
    pub(super) chain: Option<Hash>,
    /// Whether some frame that ends with CLOSE is the one that `wal.head` signs.
    pub(super) head_seen: bool,
    /// File, first byte and length of what follows the last frame: zeros, or a torn frame.
    pub(super) zero_tail: Option<(String, u64, u64)>,
    pub(super) torn_tail: Option<(String, u64, u64)>,
    pub(super) macs_checked: bool,
    /// The epoch of the frame key in which the last good frame is, and its keys if they follow
    /// from those given.
    epoch: u64,
    macs: Option<Macs>,
    epochs_lost: u64,
    log_id: Option<[u8; 8]>,
}

impl Walk<'_, '_> {
    pub(super) fn run(&mut self) -> Result<(), Stop> {
        if self.findings.first_only() {
            self.scan()?;
        }
        self.out.chain = Some(CHAIN_START);
        let mut number = 0;
        while let Some(file) = self.segments.get(number) {
            let stated = parse_segment_name(&file.name).unwrap_or(u64::MAX);
            if stated != self.out.size {
                self.findings.push(
                    Finding::new(FindingKind::WalChain, &file.name)
                        .index(self.out.size)
                        .says(format!("a segment from {}", self.out.size), stated)
                        .by("the name of a segment is its first index"),
                )?;
            }
            if !self.segment(number, file)? {
                break;
            }
            number += 1;
        }
        Ok(())
    }

    /// The checks that hash no entry, for frames that the checkpoint covers: where the first sign
    /// is all that is asked for, most faults show here already.
    fn scan(&mut self) -> Result<(), Stop> {
        let mut chain = CHAIN_START;
        for file in self.segments {
            let mut window = Window::new(&file.name);
            let mut offset = 0;
            while offset < file.size_bytes {
                let Ok(frame) = window.frame(self.storage, offset)? else { return Ok(()) };
                if self.signed.is_none_or(|s| s.size < frame.header.end_index()) {
                    return Ok(());
                }
                if !frame.payload_is_whole() || *frame.prev != chain {
                    self.findings.push(
                        Finding::new(FindingKind::WalFrame, &file.name)
                            .at(offset)
                            .range(frame.header.first_index, frame.header.end_index())
                            .says("a whole frame that follows the one before", "another"),
                    )?;
                }
                chain = chain_value(&frame.hash(), frame.mac);
                offset += frame.size_bytes() as u64;
            }
        }
        Ok(())
    }

    /// Walks one segment; gives whether the log goes on in the next.
    fn segment(&mut self, number: usize, file: &FileStat) -> Result<bool, Stop> {
        let mut window = Window::new(&file.name);
        let mut offset = 0;
        while offset < file.size_bytes {
            match window.frame(self.storage, offset)? {
                Ok(frame) => {
                    let frame_bytes = frame.size_bytes() as u64;
                    if self.is_torn(&frame, number, offset)? {
                        return self.tail(number, file, offset);
                    }
                    self.frame(&frame, number, file, offset)?;
                    offset += frame_bytes;
                }
                Err(fault) => {
                    let later = self.later(number, offset)?;
                    let signed_beyond = self.signed.is_some_and(|s| s.size > self.out.size);
                    let size = file.size_bytes;
                    let nothing = || nonzero_end(self.storage, &file.name, offset, size);
                    if later.is_none() && (!signed_beyond || nothing()? == offset) {
                        return self.tail(number, file, offset);
                    }
                    let here = later.as_ref().filter(|l| l.0 == number);
                    let region_end = here.map_or(file.size_bytes, |l| l.1);
                    // The entries before the next good frame, or up to the signed size.
                    let end_index = later.as_ref().map_or_else(
                        || self.signed.map_or(self.out.size, |s| s.size),
                        |l| l.2.first_index,
                    );
                    let what = fault.to_string();
                    self.damaged(number, file, offset..region_end, end_index, &what)?;
                    if here.is_none() {
                        return Ok(later.is_some());
                    }
                    offset = region_end;
                }
            }
        }
        Ok(true)
    }

    /// Takes in the next entry; `None` for one that could not be read.
    fn leaf(&mut self, entry: Option<&[u8]>, number: usize, offset: u64) -> Result<(), Stop> {
        let leaf = entry.map(crate::merkle::leaf_hash);
        let mut tile_root = None;
        match leaf {
            Some(leaf) => tile_root = self.out.range.append_to_tile(leaf),
            None => self.out.lost = true,
        }
        self.out.size += 1;
        if !self.out.lost && self.signed.is_some_and(|s| s.size == self.out.size) {
            self.out.root_at_signed = Some(self.out.range.root());
        }
        if !self.out.lost && self.witnessed.is_some_and(|w| w.size == self.out.size) {
            self.out.root_at_witnessed = Some(self.out.range.root());
        }
        self.bundles.entry(entry)?;
        if self.findings.first_only() {
            self.bundles.first_sign(self.signed.map_or(0, |s| s.size), self.findings)?;
        }
        // Behind a leaf that is lost the tree's tiles are not the log's.
        let tile_root = tile_root.filter(|_| !self.out.lost);
        self.tiles.leaf(leaf, tile_root, LeafPlace { file: number as u32, offset })
    }

    fn frame(
        &mut self,
        frame: &Frame<'_>,
        number: usize,
        file: &FileStat,
        offset: u64,
    ) -> Result<(), Stop> {
        let header = frame.header;
        let name = &file.name;
        let chain_at = offset + (FRAME_HEADER_BYTES + frame.payload.len()) as u64;
        let found_before = self.findings.list.len() + self.out.suspects.len();

        if header.first_index < self.out.size {
            // A frame twice: its entries stand already.
            self.out.chain = None;
            return self.findings.push(
                Finding::new(FindingKind::WalChain, name)
                    .at(offset)
                    .range(header.first_index, header.end_index())
                    .says(format!("a frame from {}", self.out.size), header.first_index),
            );
        }
        if header.first_index > self.out.size {
            let first = self.out.size;
            self.findings.push(
                Finding::new(FindingKind::RangeChanged, name)
                    .at(offset)
                    .range(first, header.first_index)
                    .says(format!("a frame from {first}"), header.first_index)
                    .by("frames follow one another without a gap"),
            )?;
            self.lose_until(header.first_index, number, offset)?;
            self.out.chain = None;
        }
        if self.out.size == 0 {
            // A damaged GENESIS has another hash: then the header's word is the better one.
            self.out.log_id = Some(header.log_id);
            if frame.payload_is_whole()
                && let Some(Ok((_, genesis))) = Entries::new(frame.payload).nth(1)
            {
                self.out.log_id = Some(log_id_of(genesis));
                self.choose_mac(genesis);
            }
        }
        let first = self.out.size;
        let end = header.end_index();
        let frame_finding = |kind| Finding::new(kind, name).range(first, end);
        if self.out.log_id.is_some_and(|id| id != header.log_id) {
            self.findings.push(
                frame_finding(FindingKind::WalChain)
                    .at(offset + 40)
                    .says(hex(&self.out.log_id.unwrap_or_default()), hex(&header.log_id))
                    .by("the log id is a hash of GENESIS"),
            )?;
            // Told once: the frames that follow are of the same log.
            self.out.log_id = Some(header.log_id);
        }
        if let Some(chain) = self.out.chain
            && chain != *frame.prev
        {
            self.findings.push(
                frame_finding(FindingKind::WalChain)
                    .at(chain_at)
                    .says(hex(&chain), hex(frame.prev))
                    .by("each frame names the one before with its MAC"),
            )?;
        }
        let whole = frame.payload_is_whole();
        if !whole {
            let finding = frame_finding(FindingKind::WalFrame)
                .at(offset + FRAME_HEADER_BYTES as u64)
                .says("the crc32c of the payload", "another");
            if self.findings.first_only() {
                return self.findings.push(finding);
            }
            let astray = !payload_parses(frame);
            if self.out.suspects.len() < self.findings.max {
                self.out.suspects.push(Suspect { finding, first, end, astray, broke_at: None });
            }
            self.entries.lose();
        } else if !payload_parses(frame) {
            self.findings.push(
                frame_finding(FindingKind::BundleLength)
                    .at(offset + FRAME_HEADER_BYTES as u64)
                    .says(format!("{} entries", header.count), "another number"),
            )?;
        }
        self.check_mac(frame, offset, whole, &frame_finding)?;
        self.entries_of(frame, number, file, offset, whole)?;
        if self.out.size < end {
            self.lose_until(end, number, offset)?;
        }
        if !self.out.lost && self.out.range.root() != *frame.root_after {
            let finding = frame_finding(FindingKind::WalFrame)
                .at(chain_at + 32)
                .says(hex(&self.out.range.root()), hex(frame.root_after))
                .by("the entries of this frame and of those before");
            let suspect = Suspect { finding, first: 0, end, astray: false, broke_at: None };
            self.out.suspects.push(suspect);
            // Once is enough: every later root follows from the same change.
            self.out.lost = true;
        }
        if let Some(at) = frame.padding.iter().position(|b| *b != 0) {
            let padding_at = offset + (frame.size_bytes() - frame.padding.len() + at) as u64;
            self.findings.push(
                frame_finding(FindingKind::WalPadding)
                    .at(padding_at)
                    .says(0, frame.padding[at])
                    .by("a frame is filled up with zeros"),
            )?;
        }
        // Behind a fault the next link is taken as it stands, so that one fault is told once.
        let sound = self.findings.list.len() + self.out.suspects.len() == found_before;
        let chain = chain_value(&frame.hash(), frame.mac);
        self.out.chain = sound.then_some(chain);
        let closed = self.entries.last == Some(cwts_types::EntryType::Close);
        let signed_end = self.wal_head.is_some_and(|h| h.size == end && h.root == chain);
        self.out.head_seen |= closed && signed_end;
        Ok(())
    }

    fn entries_of(
        &mut self,
        frame: &Frame<'_>,
        number: usize,
        file: &FileStat,
        offset: u64,
        whole: bool,
    ) -> Result<(), Stop> {
        let end = frame.header.end_index();
        for item in Entries::new(frame.payload) {
            if self.out.size == end {
                break;
            }
            let (position, entry) = match item {
                Ok(entry) => entry,
                Err(fault) => {
                    let at = offset + (FRAME_HEADER_BYTES + fault.offset) as u64;
                    if let Some(suspect) = self.out.suspects.last_mut().filter(|s| s.end == end) {
                        suspect.broke_at = Some((self.out.size, at));
                    }
                    break;
                }
            };
            let index = self.out.size;
            let offset = offset + (FRAME_HEADER_BYTES + position) as u64;
            if whole {
                let place = Place { file: &file.name, offset, index };
                let before = (!self.out.lost).then_some(&self.out.range);
                if is_seal(entry) && position > LENGTH_BYTES {
                    self.findings.push(seal_within(&place))?;
                }
                self.entries.take(&place, entry, before, self.findings)?;
            }
            // The length is part of the place: a change of it moves the entry.
            self.leaf(Some(entry), number, offset)?;
        }
        Ok(())
    }
}

/// Whether the payload holds exactly as many entries as the header says.
fn payload_parses(frame: &Frame<'_>) -> bool {
    let count = frame.header.count as usize;
    let mut seen = 0;
    for item in Entries::new(frame.payload) {
        if item.is_err() {
            return false;
        }
        seen += 1;
    }
    seen == count
}

//! What stands where no good frame does: the torn end of a crash, or damage to walk past.

use super::{Suspect, Walk};
use crate::frame::{
    Entries, FRAME_HEADER_BYTES, FRAME_PAYLOAD_BYTES_MAX, FRAME_TRAILER_BYTES, Frame, FrameHeader,
    Window, find_later_frame, frame_bytes, nonzero_end,
};
use crate::merkle::Hash;
use crate::storage::FileStat;
use crate::verify::finding::{Finding, FindingKind, Stop};

impl Walk<'_, '_> {
    /// Whether a readable frame is just the torn end of a log that crashed: it is faulty, nothing
    /// signed reaches beyond it, and no good frame stands behind it.
    pub(super) fn is_torn(
        &self,
        frame: &Frame<'_>,
        number: usize,
        offset: u64,
    ) -> Result<bool, Stop> {
        if self.signed.is_some_and(|s| s.size > self.out.size) {
            return Ok(false);
        }
        let sound = frame.payload_is_whole()
            && frame.header.first_index == self.out.size
            && self.out.chain.is_none_or(|chain| chain == *frame.prev)
            && self.mac_may_hold(frame)
            && (self.out.lost || self.root_with(frame) == *frame.root_after);
        if sound || number + 1 < self.segments.len() {
            return Ok(false);
        }
        let last_byte = offset + frame.size_bytes() as u64 - 1;
        Ok(self.later(number, last_byte)?.is_none())
    }

    /// The root after a frame's entries. They are hashed once more when they are taken in: that
    /// happens only between the last checkpoint and the end.
    fn root_with(&self, frame: &Frame<'_>) -> Hash {
        let mut range = self.out.range.clone();
        for (_, entry) in Entries::new(frame.payload).flatten() {
            range.append(entry);
        }
        range.root()
    }

    /// The next good frame behind an offset: segment, position, header.
    pub(super) fn later(
        &self,
        number: usize,
        offset: u64,
    ) -> Result<Option<(usize, u64, FrameHeader)>, Stop> {
        for (at, file) in self.segments.iter().enumerate().skip(number) {
            let from = if at == number { offset + 1 } else { 0 };
            let size = file.size_bytes;
            let above = self.out.size;
            let found =
                find_later_frame(self.storage, &file.name, from, size, self.out.log_id, above)?;
            if let Some((position, header)) = found {
                return Ok(Some((at, position, header)));
            }
        }
        Ok(None)
    }

    /// What follows the last frame.
    pub(super) fn tail(
        &mut self,
        number: usize,
        file: &FileStat,
        offset: u64,
    ) -> Result<bool, Stop> {
        let end = nonzero_end(self.storage, &file.name, offset, file.size_bytes)?;
        let tail = (file.name.clone(), offset, file.size_bytes - offset);
        if end == offset {
            self.out.zero_tail = Some(tail);
        } else {
            self.out.torn_tail = Some(tail);
        }
        for later in self.segments.iter().skip(number + 1) {
            self.findings.push(
                Finding::new(FindingKind::WalChain, &later.name)
                    .index(self.out.size)
                    .says("no segment behind the end", "a segment")
                    .by("a segment is begun only when all frames before it are durable"),
            )?;
        }
        Ok(false)
    }

    /// A frame whose header cannot be read: its entries may still parse.
    pub(super) fn damaged(
        &mut self,
        number: usize,
        file: &FileStat,
        region: std::ops::Range<u64>,
        end_index: u64,
        what: &str,
    ) -> Result<(), Stop> {
        let first = self.out.size;
        let finding = Finding::new(FindingKind::WalFrame, &file.name)
            .at(region.start)
            .range(first, end_index)
            .says("a whole frame", what);
        if self.findings.first_only() {
            return self.findings.push(finding);
        }
        self.out.chain = None;
        self.entries.lose();
        let wanted = end_index - first;
        let length = (region.end - region.start).min(frame_bytes(FRAME_PAYLOAD_BYTES_MAX) as u64);
        let mut window = Window::new(&file.name);
        let bytes = window.read(self.storage, region.start, length as usize)?;
        let payload = bytes.get(FRAME_HEADER_BYTES..).unwrap_or_default();
        let mut taken = 0;
        let mut entries = Vec::new();
        for item in Entries::new(payload) {
            let Ok((position, entry)) = item else { break };
            if taken == wanted || position + entry.len() + FRAME_TRAILER_BYTES > payload.len() {
                break;
            }
            let offset = region.start + (FRAME_HEADER_BYTES + position) as u64;
            entries.push((entry.to_vec(), offset));
            taken += 1;
        }
        if taken == wanted {
            for (entry, offset) in entries {
                self.leaf(Some(&entry), number, offset)?;
            }
            let end = end_index;
            self.out.suspects.push(Suspect { finding, first, end, astray: true, broke_at: None });
        } else {
            self.findings.push(Finding { kind: FindingKind::RangeChanged, ..finding })?;
            self.lose_until(end_index, number, region.start)?;
        }
        Ok(())
    }

    /// Entries up to `end` cannot be read.
    pub(super) fn lose_until(&mut self, end: u64, number: usize, offset: u64) -> Result<(), Stop> {
        self.out.lost = true;
        self.entries.lose();
        // A hostile index must not make this loop long: beyond the signed size nothing compares.
        let bound = self.signed.map_or(self.out.size, |s| s.size).min(end);
        let bound = bound.min(self.out.size.saturating_add(LOST_ENTRIES_MAX));
        while self.out.size < bound {
            self.leaf(None, number, offset)?;
        }
        self.out.size = end;
        Ok(())
    }
}

/// Entries that are counted as lost one by one; a stated index beyond is taken at its word.
const LOST_ENTRIES_MAX: u64 = 1 << 24;

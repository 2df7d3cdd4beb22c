//! Archived blocks in a log: whole, of this log, and logged before anything was removed.
//!
//! Frames that stand in blocks alone are made again and walked like any others, so their entries
//! are under the signed root and in the chain. What is checked here is what that does not see:
//! which file is damaged, blocks beside files that are still there, and the ARCHIVE entries.

use std::collections::BTreeMap;

use cwts_types::Archive;
use sha2::{Digest as _, Sha256};

use super::Check;
use super::finding::{Finding, FindingKind, Stop};
use crate::archive::{ArchiveError, parse_range_name, range_name, read_block};
use crate::frame::segment_name;
use crate::storage::StorageError;
use crate::tiers::{FRAMES_ENDING, SEGMENT_BYTES_MAX, read_frames};

/// Whether a name is one of an archive's files.
pub(super) fn is_archived_name(name: &str) -> bool {
    parse_range_name(name)
        .is_some_and(|(_, _, ending)| matches!(ending, "cwz" | "json" | FRAMES_ENDING))
}

impl Check<'_> {
    /// Reads every archived file; `false` if one is not what it must be, so that the entries in it
    /// cannot be told.
    pub(super) fn check_archived(&mut self) -> Result<bool, Stop> {
        let before = self.findings.list.len();
        let ranges: Vec<(u64, u64, String)> = self
            .files
            .iter()
            .filter_map(|f| parse_range_name(&f.name))
            .map(|(first, last, ending)| (first, last, ending.to_owned()))
            .collect();
        let mut blocks: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        let has = |first, last, ending: &str| {
            ranges.iter().any(|r| (r.0, r.1, r.2.as_str()) == (first, last, ending))
        };
        for (first, last, ending) in &ranges {
            let (first, last) = (*first, *last);
            let name = range_name(first, last, ending);
            match ending.as_str() {
                "cwz" => match read_block(self.storage, &name) {
                    Ok((block, _)) => {
                        blocks.insert(first, block.framed().to_vec());
                        // Segments are large, blocks are many: no more than a segment's stay.
                        self.check_segments_of(&mut blocks, last)?;
                    }
                    Err(ArchiveError::Differs { file, what }) => {
                        self.differs(&file, first, last, what)?;
                    }
                    Err(ArchiveError::Block { file, source }) => {
                        self.differs(&file, first, last, source)?;
                    }
                    Err(ArchiveError::Log(crate::LogError::Storage(error))) => {
                        return Err(Stop::Storage(error));
                    }
                    Err(other) => self.differs(&name, first, last, other)?,
                },
                "json" if !has(first, last, "cwz") => {
                    self.differs(&name, first, last, "the block that it describes is missing")?;
                }
                FRAMES_ENDING => match read_frames(self.storage, &name) {
                    Ok(_) => {}
                    Err(StorageError::Io { source, .. })
                        if source.kind() == std::io::ErrorKind::InvalidData =>
                    {
                        self.differs(&name, first, last, source)?;
                    }
                    Err(error) => return Err(Stop::Storage(error)),
                },
                _ => {}
            }
        }
        Ok(self.findings.list.len() == before)
    }

    /// The segments whose entries end here: those that are still there, and their blocks, must give
    /// the same bytes.
    fn check_segments_of(
        &mut self,
        blocks: &mut BTreeMap<u64, Vec<u8>>,
        last: u64,
    ) -> Result<(), Stop> {
        let ranges = self.files.iter().filter_map(|file| parse_range_name(&file.name));
        let mut here = ranges.filter(|(_, end, ending)| *end == last && *ending == FRAMES_ENDING);
        let Some((first, _, _)) = here.next() else {
            if blocks.len() > BLOCKS_MAX {
                blocks.pop_first();
            }
            return Ok(());
        };
        let held = std::mem::take(blocks);
        let segment = segment_name(first);
        if self.storage.is_archived(&segment).unwrap_or(true) {
            // Walked with the others.
            return Ok(());
        }
        let name = range_name(first, last, FRAMES_ENDING);
        let Ok(frames) = read_frames(self.storage, &name) else { return Ok(()) };
        let Some(stored) = self.storage.read_all(&segment, SEGMENT_BYTES_MAX)? else {
            return Ok(());
        };
        let entries = held.range(first..).flat_map(|(_, framed)| {
            crate::frame::Entries::new(framed).filter_map(Result::ok).map(|(_, entry)| entry)
        });
        match frames.segment(entries) {
            Ok(bytes) if bytes == stored => Ok(()),
            Ok(_) => self.differs(&name, first, last, "its blocks give another segment"),
            Err(what) => self.differs(&name, first, last, what),
        }
    }

    /// What is in blocks alone must have been logged; what was logged must be there, in a block or
    /// in its frames again.
    pub(super) fn check_archive_entries(
        &mut self,
        logged: &BTreeMap<(u64, u64), Archive>,
        clean: bool,
    ) -> Result<(), Stop> {
        let (mut alone, mut entries) = (0_u64, 0_u64);
        let names: Vec<String> = self.files.iter().map(|file| file.name.clone()).collect();
        let segments: Vec<(u64, u64)> = names
            .iter()
            .filter_map(|name| parse_range_name(name))
            .filter(|(_, _, ending)| *ending == FRAMES_ENDING)
            .map(|(first, last, _)| (first, last))
            .collect();
        for name in &names {
            let Some((first, last, "cwz")) = parse_range_name(name) else { continue };
            let of = segments.iter().find(|(start, end)| *start <= first && last <= *end);
            let Some((start, _)) = of else {
                // Packing was cut short; opening the log removes it.
                if clean {
                    self.differs(name, first, last, "a block of no segment")?;
                } else {
                    self.verdict.notes.push(format!("`{name}` is a block of no segment"));
                }
                continue;
            };
            if !self.storage.is_archived(&segment_name(*start))? {
                continue;
            }
            alone += 1;
            entries += last - first + 1;
            let (_, bytes) = match read_block(self.storage, name) {
                Ok(read) => read,
                Err(error) => {
                    self.differs(name, first, last, error)?;
                    continue;
                }
            };
            let sha256: [u8; 32] = Sha256::digest(&bytes).into();
            let fits =
                |archive: &Archive| archive.sha256 == sha256 && archive.bytes == bytes.len() as u64;
            if !logged.get(&(first, last)).is_some_and(fits) {
                self.findings.push(
                    Finding::new(FindingKind::ArchiveDiffers, name)
                        .range(first, last + 1)
                        .says("an ARCHIVE entry with this file's digest", "none")
                        .by("a block is logged before what it holds is removed"),
                )?;
            }
        }
        if alone > 0 {
            let note = format!("{entries} entries stand in {alone} archived blocks alone");
            self.verdict.notes.push(note);
        }
        Ok(())
    }

    fn differs(
        &mut self,
        file: &str,
        first: u64,
        last: u64,
        got: impl ToString,
    ) -> Result<(), Stop> {
        self.findings.push(
            Finding::new(FindingKind::ArchiveDiffers, file)
                .range(first, last.saturating_add(1))
                .says("the archived file that was written", got)
                .by("its checksum, its manifest, or the frames"),
        )
    }
}

/// Blocks of one segment at most, each of many more bytes than an entry has.
const BLOCKS_MAX: usize = 256;

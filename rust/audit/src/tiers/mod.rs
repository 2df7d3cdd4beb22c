//! A log whose older entries stand in archived blocks, read as if nothing had been moved.
//!
//! Source: design note "audit", section 9: any tier answers. A segment of frames is a function of
//! its entries (in cold blocks) and of what its frames say beyond them ([`frames`]); full bundles
//! and tiles of level 0 are functions of the entries. So [`Tiered`] makes each such file again when
//! somebody reads it, bit for bit, and everything that reads or verifies a log works on an archived
//! one. A file that is there is read as it is: a segment counts as archived only once it is gone,
//! and until then both ways give the same bytes. At no moment is an entry in neither.

mod frames;
mod pack;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use pack::{Packed, pack, prune, put_back, repack_bound};

use crate::archive::{ARCHIVE_DIRECTORY, ArchiveError, parse_range_name, range_name, read_block};
use crate::bundle::BundleId;
use crate::cold::Block;
use crate::frame::{LENGTH_BYTES, parse_segment_name, segment_name};
use crate::merkle::leaf_hash;
use crate::storage::{FileStat, Storage, StorageError, TEMPORARY};
use crate::tile::{TILE_BYTES, TILE_WIDTH, TileId};
pub(crate) use frames::SEGMENT_BYTES_MAX;
use frames::{FRAMES_BYTES_MAX, SegmentFrames};

/// How the name of a file of frames ends.
pub(crate) const FRAMES_ENDING: &str = "frames";

/// A storage whose archived files are read out of their blocks.
#[derive(Debug, Default)]
pub struct Tiered<S> {
    stored: S,
    cache: Mutex<Cache>,
}

/// What was made of blocks last: reading goes forward, and a verifier reads three kinds of file at
/// once.
#[derive(Debug, Default)]
struct Cache {
    index: Option<Arc<Index>>,
    segment: Option<(String, Arc<Vec<u8>>)>,
    small: Option<(String, Arc<Vec<u8>>)>,
    blocks: VecDeque<(u64, Arc<Block>)>,
}

/// Which entries stand in which archived files.
#[derive(Debug, Default)]
struct Index {
    /// Last entry of each archived segment, by its first.
    segments: BTreeMap<u64, u64>,
    /// Last entry of each block, by its first.
    blocks: BTreeMap<u64, u64>,
    /// Up to where segments follow one another from entry 0 on.
    end: u64,
}

impl Index {
    fn of(files: &[FileStat]) -> Self {
        let mut index = Self::default();
        for (first, last, ending) in files.iter().filter_map(|f| parse_range_name(&f.name)) {
            match ending {
                FRAMES_ENDING => index.segments.insert(first, last),
                "cwz" => index.blocks.insert(first, last),
                _ => continue,
            };
        }
        while let Some(last) = index.segments.get(&index.end) {
            index.end = last + 1;
        }
        index
    }
}

impl<S> Tiered<S> {
    /// Reads what is not there out of archived blocks.
    pub fn new(stored: S) -> Self {
        Self { stored, cache: Mutex::default() }
    }

    /// The files as they are.
    pub fn stored(&self) -> &S {
        &self.stored
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        // A cache that a panic left behind holds whole files only.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that entries give.
enum Derived {
    Segment(u64),
    Bundle(u64),
    Tile(u64),
}

impl Derived {
    fn of(name: &str) -> Option<Self> {
        if let Some(first) = parse_segment_name(name) {
            return Some(Self::Segment(first));
        }
        if let Some(bundle) = BundleId::parse(name) {
            return (bundle.width == 256).then_some(Self::Bundle(bundle.number));
        }
        let tile = TileId::parse(name)?;
        (tile.level == 0 && tile.width == 256).then_some(Self::Tile(tile.number))
    }

    fn is_in(&self, index: &Index) -> bool {
        match self {
            Self::Segment(first) => index.segments.contains_key(first) && *first < index.end,
            Self::Bundle(number) | Self::Tile(number) => *number < index.end / TILE_WIDTH,
        }
    }
}

impl<S: Storage> Tiered<S> {
    /// What is archived; listed anew where `name` is not among it.
    fn index(&self, wanted: &Derived) -> Result<Option<Arc<Index>>, StorageError> {
        if let Some(index) = self.cache().index.clone().filter(|index| wanted.is_in(index)) {
            return Ok(Some(index));
        }
        let index = Arc::new(self.list_archived()?);
        let found = wanted.is_in(&index).then(|| Arc::clone(&index));
        self.cache().index = Some(index);
        Ok(found)
    }

    fn list_archived(&self) -> Result<Index, StorageError> {
        Ok(Index::of(&self.stored.list_under(ARCHIVE_DIRECTORY)?))
    }

    /// The bytes of a file that is archived.
    fn derive(&self, name: &str) -> Result<Option<Arc<Vec<u8>>>, StorageError> {
        let Some(wanted) = Derived::of(name) else { return Ok(None) };
        let held = |slot: &Option<(String, Arc<Vec<u8>>)>| {
            slot.as_ref().filter(|(known, _)| known == name).map(|(_, bytes)| Arc::clone(bytes))
        };
        let cache = self.cache();
        if let Some(bytes) = held(&cache.segment).or_else(|| held(&cache.small)) {
            return Ok(Some(bytes));
        }
        drop(cache);
        let Some(index) = self.index(&wanted)? else { return Ok(None) };
        let bytes = Arc::new(match wanted {
            Derived::Segment(first) => self.segment(&index, first)?,
            Derived::Bundle(number) => {
                let mut bytes = Vec::new();
                self.entries(&index, number * TILE_WIDTH, TILE_WIDTH, |entry| {
                    bytes.extend_from_slice(&(entry.len() as u16).to_be_bytes());
                    bytes.extend_from_slice(entry);
                })?;
                bytes
            }
            Derived::Tile(number) => {
                let mut bytes = Vec::with_capacity(TILE_BYTES);
                self.entries(&index, number * TILE_WIDTH, TILE_WIDTH, |entry| {
                    bytes.extend_from_slice(&leaf_hash(entry));
                })?;
                bytes
            }
        });
        let mut cache = self.cache();
        let slot = match wanted {
            Derived::Segment(_) => &mut cache.segment,
            _ => &mut cache.small,
        };
        *slot = Some((name.to_owned(), Arc::clone(&bytes)));
        Ok(Some(bytes))
    }

    fn segment(&self, index: &Index, first: u64) -> Result<Vec<u8>, StorageError> {
        let last = index.segments.get(&first).copied().unwrap_or(first);
        let name = range_name(first, last, FRAMES_ENDING);
        let frames = read_frames(&self.stored, &name)?;
        let mut framed = Vec::new();
        self.entries(index, first, frames.entries, |entry| {
            framed.extend_from_slice(&(entry.len() as u16).to_be_bytes());
            framed.extend_from_slice(entry);
        })?;
        let entries = crate::frame::Entries::new(&framed).filter_map(Result::ok);
        frames.segment(entries.map(|(_, entry)| entry)).map_err(|what| broken(&name, what))
    }

    fn entries(
        &self,
        index: &Index,
        first: u64,
        count: u64,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), StorageError> {
        let (mut next, end) = (first, first + count);
        while next < end {
            let held = index.blocks.range(..=next).next_back().filter(|(_, last)| **last >= next);
            let Some((&start, &last)) = held else {
                let what = format!("no block holds entry {next}");
                return Err(broken(ARCHIVE_DIRECTORY, what));
            };
            let block = self.block(start, last)?;
            let skip = (next - start) as usize;
            for entry in block.entries().skip(skip).take((end - next) as usize) {
                each(entry);
            }
            next = last + 1;
        }
        Ok(())
    }

    fn block(&self, first: u64, last: u64) -> Result<Arc<Block>, StorageError> {
        if let Some((_, block)) = self.cache().blocks.iter().find(|(start, _)| *start == first) {
            return Ok(Arc::clone(block));
        }
        let name = range_name(first, last, "cwz");
        let (block, _) = read_block(&self.stored, &name).map_err(|error| match error {
            ArchiveError::Differs { file, what } => broken(&file, what),
            ArchiveError::Block { file, source } => broken(&file, source.to_string()),
            other => broken(&name, other.to_string()),
        })?;
        let block = Arc::new(block);
        let mut cache = self.cache();
        cache.blocks.push_back((first, Arc::clone(&block)));
        if cache.blocks.len() > BLOCKS_KEPT {
            cache.blocks.pop_front();
        }
        Ok(block)
    }

    fn forget(&mut self) {
        *self.cache() = Cache::default();
    }
}

pub(crate) fn read_frames(
    storage: &dyn Storage,
    name: &str,
) -> Result<SegmentFrames, StorageError> {
    let bytes = storage.read_all(name, FRAMES_BYTES_MAX)?;
    let bytes = bytes.ok_or_else(|| StorageError::Missing { name: name.to_owned() })?;
    let frames = SegmentFrames::parse(&bytes).map_err(|what| broken(name, what))?;
    let named = range_name(frames.first, frames.first + frames.entries - 1, FRAMES_ENDING);
    if named == name {
        Ok(frames)
    } else {
        Err(broken(name, "its name is not that of its entries"))
    }
}

/// Whether a file is a part of a segment whose packing did not end: its frames come last.
pub(crate) fn is_unfinished(name: &str, files: &[FileStat]) -> bool {
    if name.starts_with(ARCHIVE_DIRECTORY) && name.ends_with(TEMPORARY) {
        return true;
    }
    let Some((first, last, _)) = parse_range_name(name) else { return false };
    let mut ranges = files.iter().filter_map(|file| parse_range_name(&file.name));
    !ranges.any(|(start, end, ending)| ending == FRAMES_ENDING && start <= first && last <= end)
}

fn broken(name: &str, what: impl Into<String>) -> StorageError {
    let source = io::Error::new(io::ErrorKind::InvalidData, what.into());
    StorageError::Io { what: "read the archived", name: name.to_owned(), source }
}

impl<S: Storage> Storage for Tiered<S> {
    fn lock(&mut self) -> Result<(), StorageError> {
        self.stored.lock()
    }

    fn create(&mut self, name: &str) -> Result<(), StorageError> {
        self.stored.create(name)
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        self.stored.write_at(name, offset, bytes)
    }

    fn set_len(&mut self, name: &str, size_bytes: u64) -> Result<(), StorageError> {
        self.stored.set_len(name, size_bytes)
    }

    fn sync_data(&mut self, name: &str) -> Result<(), StorageError> {
        self.stored.sync_data(name)
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), StorageError> {
        if to.starts_with(ARCHIVE_DIRECTORY) {
            self.forget();
        }
        self.stored.rename(from, to)
    }

    fn unlink(&mut self, name: &str) -> Result<(), StorageError> {
        if name.starts_with(ARCHIVE_DIRECTORY) {
            self.forget();
        }
        self.stored.unlink(name)
    }

    fn sync_dir(&mut self, directory: &str) -> Result<(), StorageError> {
        self.stored.sync_dir(directory)
    }

    fn syncfs(&mut self) -> Result<(), StorageError> {
        self.stored.syncfs()
    }

    fn write_file(&mut self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        self.stored.write_file(name, bytes)
    }

    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError> {
        let missing = match self.stored.read_at(name, offset, buffer) {
            Err(missing @ StorageError::Missing { .. }) => missing,
            other => return other,
        };
        let Some(bytes) = self.derive(name)? else { return Err(missing) };
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let count = buffer.len().min(bytes.len() - from);
        buffer[..count].copy_from_slice(&bytes[from..from + count]);
        Ok(count)
    }

    fn list(&self) -> Result<Vec<FileStat>, StorageError> {
        let mut files = self.stored.list()?;
        let index = Index::of(&files);
        if index.end == 0 {
            return Ok(files);
        }
        let there = |name: &str| files.binary_search_by(|f| f.name.as_str().cmp(name)).is_ok();
        let mut archived = Vec::new();
        let mut add = |name: String, size_bytes| {
            if !there(&name) {
                archived.push(FileStat { name, size_bytes, regular: true });
            }
        };
        for (&first, &last) in index.segments.range(..index.end) {
            // One that cannot be read is missing here; who verifies is told why.
            let name = range_name(first, last, FRAMES_ENDING);
            if let Ok(frames) = read_frames(&self.stored, &name) {
                add(segment_name(first), frames.size_bytes);
            }
        }
        for number in 0..index.end / TILE_WIDTH {
            // Nobody asks for the length of a bundle without reading it.
            let least = TILE_WIDTH * LENGTH_BYTES as u64;
            add(BundleId { number, width: 256 }.path(), least);
            add(TileId { level: 0, number, width: 256 }.path(), TILE_BYTES as u64);
        }
        files.append(&mut archived);
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }

    fn list_under(&self, directory: &str) -> Result<Vec<FileStat>, StorageError> {
        self.stored.list_under(directory)
    }

    fn is_archived(&self, name: &str) -> Result<bool, StorageError> {
        match self.stored.read_at(name, 0, &mut []) {
            Err(StorageError::Missing { .. }) => Ok(self.derive(name)?.is_some()),
            other => other.map(|_| false),
        }
    }
}

/// Blocks kept in memory: a segment's, and where bundles and tiles are read beside it.
const BLOCKS_KEPT: usize = 2;

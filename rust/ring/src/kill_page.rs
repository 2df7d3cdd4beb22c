//! The kill page: one file of 16 KiB in the log's directory, mapped by every process that may
//! halt the gateway and by the gateway itself, which looks at the epoch before each order.
//!
//! Layout, in 256 lines of eight 64-bit little-endian words:
//!
//! | line | word 0 | word 1 | word 2 | the rest |
//! |---|---|---|---|---|
//! | 0 | magic `CWTSKILL` | version, 1 | epoch | zero |
//! | 1 + slot | state: 0 active, 1 reduce-only, 2 halted | epoch when raised | zero | zero |
//!
//! Which scope has which slot is the caller's affair. The page is a signal: after a restart the
//! log decides. What cannot be opened is read by the caller as HALTED at firm.
//!
//! Invariant: the file is [`PAGE_SIZE_BYTES`] long from the moment it is mapped and is never
//! truncated, so every word of the map is there; all access is by atomics. Someone who
//! truncates it by force ends the process (SIGBUS), and the next start is halted.

#![expect(unsafe_code, reason = "the words of a mapped file are reached through a pointer")]

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use memmap2::{MmapOptions, MmapRaw};

use crate::kill_cells::{EPOCH_WORD, HALTED, KillCellError, KillCells, LINE_WORDS, SLOTS};
use crate::sync::{AtomicU64, Ordering};

#[cfg(test)]
mod tests;

/// A mapped kill page, shared with every other process that mapped the same file.
///
/// All methods take `&self` and may be called from any thread.
pub struct KillPage {
    map: MmapRaw,
    path: PathBuf,
}

impl KillPage {
    /// Makes the file, all slots active at epoch 0, forces it to disk and maps it.
    ///
    /// Fails if the file exists, whatever it holds: a halt is never overwritten by accident.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, KillPageError> {
        let path = path.as_ref();
        let io = |source| KillPageError::Io { path: path.to_owned(), source };
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path);
        let mut file = file.map_err(io)?;
        // A crash from here to the end leaves a short file or a whole one; a short one is
        // refused by `open`.
        let image = page_image(0, &[]).map_err(|source| KillPageError::Cell { source })?;
        file.write_all(&image).map_err(io)?;
        file.sync_all().map_err(io)?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new("."))).and_then(|dir| dir.sync_all()).map_err(io)?;
        Self::map(&file, path)
    }

    /// Maps a page that exists.
    ///
    /// Any error means that nothing is known about the firm's state: read it as HALTED.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, KillPageError> {
        let path = path.as_ref();
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(|source| {
            let path = path.to_owned();
            match source.kind() {
                io::ErrorKind::NotFound => KillPageError::Missing { path },
                _ => KillPageError::Io { path, source },
            }
        })?;
        Self::map(&file, path)
    }

    /// The number that moves with every change: one load, meant for the order path.
    ///
    /// A caller that finds another epoch than last time reads the states again; they are at
    /// least as new as the epoch that it found.
    #[inline(always)]
    pub fn epoch(&self) -> u64 {
        // Acquire: as in `KillCells::epoch`, less its bounds check.
        self.words()[EPOCH_WORD].load(Ordering::Acquire)
    }

    /// The state of `slot`: `ACTIVE`, `REDUCE_ONLY` or `HALTED`. A value that nobody defined
    /// and a slot that does not exist are halted.
    #[inline]
    pub fn state(&self, slot: usize) -> u8 {
        self.cells().state(slot)
    }

    /// Makes `slot` at least as strict as `state` (above `HALTED` counts as halted) and moves
    /// the epoch; returns the new epoch.
    ///
    /// When this returns, every process sees the state as soon as it looks at the epoch. The
    /// epoch moves even if the state stood already. It never lowers a state.
    pub fn raise(&self, slot: usize, state: u8) -> Result<u64, KillCellError> {
        self.cells().raise(slot, state)
    }

    /// Rewrites the whole page as [`page_image`]`(epoch, states)`; the only way to lower a state.
    ///
    /// `seen` is the epoch up to which the caller has read the states and dealt with them. If
    /// anyone raised one since, nothing is lowered and the answer is [`KillCellError::Moved`]:
    /// so no raise is lost to a rewrite that did not know of it. `epoch` must be greater than
    /// `seen`, or equal if no state changes. Only one process at a time may call this, the one
    /// that holds the log's lock.
    pub fn store_all(&self, seen: u64, epoch: u64, states: &[u8]) -> Result<(), KillCellError> {
        self.cells().store_all(seen, epoch, states)
    }

    /// Forces the page to disk (`msync`). Other processes see a change without this; a power
    /// cut forgets what was not forced.
    pub fn sync(&self) -> Result<(), KillPageError> {
        self.map.flush().map_err(|source| KillPageError::Io { path: self.path.clone(), source })
    }

    fn map(file: &File, path: &Path) -> Result<Self, KillPageError> {
        let io = |source| KillPageError::Io { path: path.to_owned(), source };
        let metadata = file.metadata().map_err(io)?;
        if !metadata.is_file() || metadata.len() != PAGE_SIZE_BYTES as u64 {
            let size_bytes = metadata.len();
            return Err(KillPageError::Size { path: path.to_owned(), size_bytes });
        }
        let map = MmapOptions::new().len(PAGE_SIZE_BYTES).map_raw(file).map_err(io)?;
        let page = Self { map, path: path.to_owned() };
        page.check_header()?;
        Ok(page)
    }

    fn check_header(&self) -> Result<(), KillPageError> {
        for (word, wanted) in HEADER.into_iter().enumerate() {
            let value = self.words()[word].load(Ordering::Relaxed);
            if word != EPOCH_WORD && value != wanted {
                let path = self.path.clone();
                return Err(KillPageError::Header { path, word, value, wanted });
            }
        }
        Ok(())
    }

    fn cells(&self) -> KillCells<'_> {
        KillCells(self.words())
    }

    #[inline(always)]
    #[expect(clippy::cast_ptr_alignment, reason = "a map begins at a page, hence aligned for u64")]
    fn words(&self) -> &[AtomicU64; PAGE_WORDS] {
        let words = self.map.as_mut_ptr().cast::<[AtomicU64; PAGE_WORDS]>();
        // SAFETY: `map` was made by `MmapOptions::len(PAGE_SIZE_BYTES)` over a file of exactly
        // that length, which is never truncated (the invariant above), so all `PAGE_WORDS`
        // words lie inside the map; it begins at a page boundary, hence aligned; every bit
        // pattern is a `u64`; it stays mapped while `self` lives, and the borrow cannot outlive
        // `self`. Nobody in this process makes a plain reference into the map, and other
        // processes write it by atomics too.
        unsafe { &*words }
    }
}

impl fmt::Debug for KillPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KillPage").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The exact bytes of a page that holds `states` (the slots after them active) at `epoch`, with
/// no memory of when each was raised: what [`KillPage::store_all`] leaves behind, so that a
/// verifier can compare a file byte for byte.
///
/// Fails if there are more states than [`SLOTS`].
pub fn page_image(epoch: u64, states: &[u8]) -> Result<Vec<u8>, KillCellError> {
    if states.len() > SLOTS {
        return Err(KillCellError::Slot { slot: states.len(), slots: SLOTS });
    }
    let mut image = vec![0; PAGE_SIZE_BYTES];
    let (words, _) = image.as_chunks_mut::<8>();
    for (place, word) in words.iter_mut().zip(HEADER) {
        *place = word.to_le_bytes();
    }
    words[EPOCH_WORD] = epoch.to_le_bytes();
    for (line, state) in words.chunks_exact_mut(LINE_WORDS).skip(1).zip(states) {
        line[0] = u64::from((*state).min(HALTED)).to_le_bytes();
    }
    Ok(image)
}

/// Why there is no kill page to trust: HALTED at firm.
#[derive(Debug, thiserror::Error)]
pub enum KillPageError {
    /// A page's first states could not be laid out.
    #[error(transparent)]
    Cell {
        /// What was refused.
        source: KillCellError,
    },
    /// The first line is not that of a kill page of this version.
    #[error("{path}: header word {word} is {value:#018x}, not {wanted:#018x}")]
    Header {
        /// The file.
        path: PathBuf,
        /// 0 magic, 1 version, 3 to 7 reserved.
        word: usize,
        /// What stands there.
        value: u64,
        /// What must stand there.
        wanted: u64,
    },
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
    /// There is no file.
    #[error("{path}: no kill page")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file is too short, too long, or not a plain file.
    #[error("{path}: {size_bytes} bytes, not a plain file of {PAGE_SIZE_BYTES}")]
    Size {
        /// The file.
        path: PathBuf,
        /// Its length.
        size_bytes: u64,
    },
}

/// Length of a kill page's file.
pub const PAGE_SIZE_BYTES: usize = (1 + SLOTS) * LINE_WORDS * size_of::<u64>();
/// The layout described at the head of this file.
pub const PAGE_VERSION: u64 = 1;

const PAGE_WORDS: usize = PAGE_SIZE_BYTES / size_of::<u64>();

/// The first line at epoch 0.
const HEADER: [u64; LINE_WORDS] =
    [u64::from_le_bytes(*b"CWTSKILL"), PAGE_VERSION, 0, 0, 0, 0, 0, 0];

const _: () = assert!(PAGE_SIZE_BYTES == 16 * 1024);
// The atomics are native words, and the file's are little-endian.
const _: () = assert!(cfg!(target_endian = "little"), "the kill page needs a little-endian host");

//! The cold form of entries: 65,536 of them as one file of columns.
//!
//! Source: design note "audit", section 9. Each field is stored as its difference from what the
//! entries before it let one expect ([`model`]), all differences of a field together, each of
//! their bytes in a plane of its own ([`columns`]), and each plane packed by zstd. A decision
//! whose fields all follow from its order so costs next to nothing.
//!
//! Law: `decode(encode(x)) == x`, byte for byte, for any entries whatever: what fits no layout is
//! kept as it is. A block stands alone: nothing outside it is needed to read it.
//!
//! | bytes | field |
//! |---|---|
//! | 8, 4, 4 | "CWTSCOL1", codec version 1, number of entries |
//! | 8, 4 | index of the first entry, CRC-32C of all that follows |
//! | then | the columns, in the order of [`columns::Column`], and the tails |

mod columns;
mod model;
#[cfg(test)]
mod tests;

use crate::frame::{Entries, LENGTH_BYTES};

use columns::{Reading, Writing};
use model::Model;

/// What a block starts with.
pub const BLOCK_MAGIC: [u8; 8] = *b"CWTSCOL1";
/// Entries of one block at most.
pub const BLOCK_ENTRIES_MAX: u64 = 1 << 16;
/// Bytes of its entries with their lengths at most; 256 of the longest always fit.
pub const BLOCK_BYTES_MAX: usize = 64 << 20;
/// Bytes before the columns.
const HEAD_BYTES: usize = 28;
const CODEC_VERSION: u32 = 1;

/// Puts the checksum of what follows a block's head into it; a file without a head stays.
pub fn seal(file: &mut [u8]) {
    if let Some((head, rest)) = file.split_at_mut_checked(HEAD_BYTES) {
        head[HEAD_BYTES - 4..].copy_from_slice(&crc32c::crc32c(rest).to_le_bytes());
    }
}

/// Why a block cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// More entries, or longer ones, than a block holds.
    #[error("{what} {value} is beyond a block's bound of {bound}; make blocks of fewer entries")]
    Large {
        /// Entries or bytes.
        what: &'static str,
        /// How many.
        value: u64,
        /// How many may be.
        bound: u64,
    },
    /// The bytes are no block of this version.
    #[error("byte {offset}: {what}")]
    Format {
        /// Where.
        offset: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// The columns are whole, but no entry follows from them.
    #[error("entry {index}: {what}")]
    Entry {
        /// Which.
        index: u64,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Consecutive entries of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    first: u64,
    count: u64,
    framed: Vec<u8>,
}

impl Block {
    /// An empty block, whose first entry will have this index.
    pub fn new(first: u64) -> Self {
        Self { first, count: 0, framed: Vec::new() }
    }

    /// Appends the next entry.
    ///
    /// # Errors
    /// The block is full: it is unchanged.
    pub fn push(&mut self, entry: &[u8]) -> Result<(), BlockError> {
        let large = |what, value, bound| Err(BlockError::Large { what, value, bound });
        let Ok(length) = u16::try_from(entry.len()) else {
            return large("an entry's length", entry.len() as u64, u16::MAX.into());
        };
        if self.count == BLOCK_ENTRIES_MAX {
            return large("the number of entries", self.count + 1, BLOCK_ENTRIES_MAX);
        }
        let bytes = self.framed.len() + LENGTH_BYTES + entry.len();
        if bytes > BLOCK_BYTES_MAX {
            return large("the length in bytes", bytes as u64, BLOCK_BYTES_MAX as u64);
        }
        self.framed.extend_from_slice(&length.to_be_bytes());
        self.framed.extend_from_slice(entry);
        self.count += 1;
        Ok(())
    }

    /// Whether another entry of this length still goes into the block.
    pub fn fits(&self, entry: &[u8]) -> bool {
        let bytes = self.framed.len() + LENGTH_BYTES + entry.len();
        self.count < BLOCK_ENTRIES_MAX && bytes <= BLOCK_BYTES_MAX
    }

    /// Index of the first entry.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// How many entries.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The entries, each behind its big-endian length, as a bundle has them.
    pub fn framed(&self) -> &[u8] {
        &self.framed
    }

    /// The entries in order.
    pub fn entries(&self) -> impl Iterator<Item = &[u8]> {
        Entries::new(&self.framed).map_while(Result::ok).map(|(_, entry)| entry)
    }

    /// The block's file.
    pub fn encode(&self) -> Vec<u8> {
        let mut model = Model::new(self.first, Writing::default());
        let mut scratch = Vec::new();
        for entry in self.entries() {
            scratch.clear();
            scratch.extend_from_slice(entry);
            // Writing a column cannot fail: only what is read can be wrong.
            let _ = model.entry(&mut scratch);
        }
        let mut out = Vec::with_capacity(self.framed.len() / 8 + HEAD_BYTES);
        out.extend_from_slice(&BLOCK_MAGIC);
        out.extend_from_slice(&CODEC_VERSION.to_le_bytes());
        out.extend_from_slice(&(self.count as u32).to_le_bytes());
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        model.into_coder().finish(&mut out);
        seal(&mut out);
        out
    }

    /// The block of a file.
    ///
    /// # Errors
    /// The first byte, or the first entry, that cannot be: nothing larger than
    /// [`BLOCK_BYTES_MAX`] is allocated on a file's word.
    pub fn decode(bytes: &[u8]) -> Result<Self, BlockError> {
        let wrong = |offset, what| BlockError::Format { offset, what };
        let head: &[u8; HEAD_BYTES] =
            bytes.first_chunk().ok_or(wrong(bytes.len(), "the file ends within its head"))?;
        if head[..8] != BLOCK_MAGIC {
            return Err(wrong(0, "no block: CWTSCOL1 is missing"));
        }
        if columns::le(&head[8..12]) != u64::from(CODEC_VERSION) {
            return Err(wrong(8, "another codec version than 1"));
        }
        let count = columns::le(&head[12..16]);
        let first = columns::le(&head[16..24]);
        if count > BLOCK_ENTRIES_MAX || first.checked_add(count).is_none() {
            return Err(wrong(12, "more entries than a block holds"));
        }
        if columns::le(&head[24..]) != u64::from(crc32c::crc32c(&bytes[HEAD_BYTES..])) {
            return Err(wrong(24, "the CRC-32C of what follows is another"));
        }
        let mut model = Model::new(first, Reading::parse(bytes, HEAD_BYTES, count)?);
        let mut block = Self::new(first);
        let mut entry = Vec::new();
        for index in first..first + count {
            entry.clear();
            model.entry(&mut entry).map_err(|what| BlockError::Entry { index, what })?;
            block.push(&entry)?;
        }
        model.into_coder().end()?;
        Ok(block)
    }
}

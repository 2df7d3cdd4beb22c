//! Why a log cannot be opened, or not be written.

use std::error::Error;

use crate::frame::ENTRY_BYTES_MAX;
use crate::note::NoteError;
use crate::storage::StorageError;

/// Why the log refuses.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Another writer holds the log.
    #[error("another writer holds the log")]
    InUse,
    /// The directory already holds a log.
    #[error("`{file}` exists: there is a log here already")]
    Exists {
        /// What was found.
        file: String,
    },
    /// There is no log, or none whose creation was finished.
    #[error("there is no log here")]
    Empty,
    /// The entry's length does not fit 16 bits.
    #[error("the entry has {bytes} bytes, at most {ENTRY_BYTES_MAX} fit")]
    EntryTooLong {
        /// Its length.
        bytes: usize,
    },
    /// An epoch of the frame key does not end by an entry that somebody else wrote.
    #[error("KEY_EPOCH is written when the frame key evolves, and not otherwise")]
    Seal,
    /// A new log starts with SCHEMA and GENESIS.
    #[error("a new log needs at least 2 entries to start with, {count} were given")]
    FirstEntries {
        /// How many were given.
        count: usize,
    },
    /// An earlier I/O error has ended this writer.
    #[error("an earlier I/O error has ended this writer")]
    Failed,
    /// An entry was numbered, and did not arrive.
    #[error("entry {expected} was lost on its way to the log: entry {got} came instead")]
    Lost {
        /// The entry that should have come.
        expected: u64,
        /// The one that came.
        got: u64,
    },
    /// Bytes that a crash cannot leave behind.
    #[error("tampering: `{file}` at byte {offset}: {what}")]
    Tamper {
        /// Which file.
        file: String,
        /// Where.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// Less is left than was signed, or something else.
    #[error("rollback: {what}")]
    Rollback {
        /// What is missing or differs.
        what: String,
    },
    /// The anchor is not what it must be, or was moved by another writer.
    #[error("anchor: {what}")]
    Anchor {
        /// What is wrong.
        what: String,
    },
    /// The MAC key is not this log's.
    #[error("the frame key is not this log's: the MAC of the first frame does not verify")]
    WrongKey,
    /// The file of the frame keys is not of its form, or another log's.
    #[error("`epoch.key` {what}")]
    KeyFile {
        /// What is wrong with it.
        what: String,
    },
    /// A name or note is malformed.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The caller refused an entry while the log was opened.
    #[error("entry {index}: {source}")]
    Visit {
        /// Which.
        index: u64,
        /// Why.
        source: VisitError,
    },
    /// The storage failed.
    #[error(transparent)]
    Storage(StorageError),
}

/// What a visitor of entries may fail with.
pub type VisitError = Box<dyn Error + Send + Sync>;

impl From<StorageError> for LogError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::InUse => Self::InUse,
            other => Self::Storage(other),
        }
    }
}

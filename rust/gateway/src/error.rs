//! Everything that can go wrong with a gateway, each with a stable code.

use cwts_audit::{LogError, NoteError, StorageError};
use cwts_feeds::error::{FeedError, FeedErrorKind};
use cwts_proofs::ProofError;
use cwts_risk::{StepError, UnknownScope, limits::LimitErrors};

/// A gateway operation that failed. A refused order is no error.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The limits file is wrong; nothing was applied.
    #[error("{path}: {errors}")]
    Limits {
        /// The file.
        path: String,
        /// Everything that is wrong with it.
        errors: LimitErrors,
    },
    /// The limits file uses a key that only a replay may use.
    #[error("{path}: `{key}` is for replays only: a live gateway refuses what is not limited")]
    ReplayOnly {
        /// The file.
        path: String,
        /// The key.
        key: &'static str,
    },
    /// A registered account cannot move to another parent.
    #[error("{path}: {what}")]
    LimitChange {
        /// The file.
        path: String,
        /// What cannot change.
        what: String,
    },
    /// The log refused.
    #[error("log {dir}: {source}")]
    Log {
        /// The directory.
        dir: String,
        /// Why.
        source: LogError,
    },
    /// The log's writer has stopped: nothing is released any more.
    #[error("the log has failed and the gateway is halted: {why}")]
    LogFailed {
        /// The first error.
        why: String,
    },
    /// The log's entries do not fit this release.
    #[error("log entry {index}: {source}")]
    Step {
        /// The entry.
        index: u64,
        /// Why.
        source: StepError,
    },
    /// A key is missing or damaged.
    #[error("key {path}: {why}")]
    Key {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// A text names no scope.
    #[error(transparent)]
    Scope(#[from] UnknownScope),
    /// Who may do what, and with whom.
    #[error("{0}")]
    Permission(String),
    /// A record must be kept, or is not kept for so long.
    #[error("{0}")]
    Retention(String),
    /// A file beside the log could not be written or read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// No proof, no statement, or nothing that can be proven.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// A file of an opening is none.
    #[error("{path}: {source}")]
    Opening {
        /// The file.
        path: String,
        /// Why.
        source: ProofError,
    },
    /// An input is wrong.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// A replay's input does not fit its bounds or options.
    #[error("{0}")]
    Replay(String),
    /// More orders are live than the bound.
    #[error(
        "{path}: record {record}: more than {max} orders are live; raise --max-live if there is \
         memory for them, or find out why none of them ends"
    )]
    TooManyLiveOrders {
        /// The file.
        path: String,
        /// The record that would have been one more.
        record: u64,
        /// The bound.
        max: usize,
    },
    /// The caller cancelled.
    #[error("cancelled")]
    Cancelled,
    /// A producer's order found no place in front of the gateway; nothing was sent.
    #[error("producer {producer}: {what} full: {wanted} wanted at once, {bound} places; {cure}")]
    QueueFull {
        /// The producer's name.
        producer: String,
        /// What is full.
        what: &'static str,
        /// Places that the call needs.
        wanted: usize,
        /// Places that there are.
        bound: usize,
        /// What to do.
        cure: &'static str,
    },
    /// A producer cannot be opened, or is not open any more.
    #[error("producer {name:?}: {why}")]
    Producer {
        /// The name.
        name: String,
        /// Why, and what to do.
        why: String,
    },
    /// A record that nobody can write.
    #[error("{0}")]
    Record(String),
    /// A record does not fit one entry; nothing was written.
    #[error("{field}: the entry would have {bytes} bytes, at most {max} fit")]
    EntryTooLong {
        /// The text.
        field: &'static str,
        /// How long the entry would be.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// The log has no room for a record; nothing was written.
    #[error(
        "the queue to the log is full: nothing was written; try again when the disk has caught up"
    )]
    Backpressure,
    /// Used after close.
    #[error("the gateway is closed")]
    Closed,
}

impl GatewayError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Limits { .. } => "LIMITS",
            Self::ReplayOnly { .. } => "REPLAY_ONLY",
            Self::LimitChange { .. } => "LIMIT_CHANGE",
            Self::Log { source: LogError::InUse, .. } => "LOG_IN_USE",
            Self::Log { source: LogError::Tamper { .. }, .. } => "TAMPER",
            Self::Log { source: LogError::Rollback { .. }, .. } => "ROLLBACK",
            Self::Log { source: LogError::Anchor { .. }, .. } => "ANCHOR",
            Self::Log { .. } => "LOG",
            Self::LogFailed { .. } => "LOG_FAILED",
            Self::Step { .. } => "STEP",
            Self::Key { .. } => "KEY",
            Self::Scope(_) => "UNKNOWN_SCOPE",
            Self::Permission(_) => "PERMISSION",
            Self::Retention(_) => "RETENTION",
            Self::File { .. } => "FILE",
            Self::Proof(source) | Self::Opening { source, .. } => source.code(),
            Self::Feed(e) if e.kind == FeedErrorKind::InputChanged => e.kind.code(),
            Self::Feed(_) => "INPUT",
            Self::Replay(_) => "REPLAY",
            Self::TooManyLiveOrders { .. } => "TOO_MANY_LIVE_ORDERS",
            Self::Cancelled => "CANCELLED",
            Self::QueueFull { .. } => "QUEUE_FULL",
            Self::Producer { .. } => "PRODUCER",
            Self::Record(_) => "RECORD",
            Self::EntryTooLong { .. } => "ENTRY_TOO_LONG",
            Self::Backpressure => "AUDIT_BACKPRESSURE",
            Self::Closed => "CLOSED",
        }
    }
}

impl From<StorageError> for GatewayError {
    fn from(error: StorageError) -> Self {
        Self::Log { dir: String::new(), source: LogError::from(error) }
    }
}

impl From<NoteError> for GatewayError {
    fn from(error: NoteError) -> Self {
        Self::Log { dir: String::new(), source: LogError::Note(error) }
    }
}

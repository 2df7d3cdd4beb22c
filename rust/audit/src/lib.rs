//! The tamper-evident log: entries in, proofs out.
//!
//! A C2SP tlog-tiles log (RFC 6962 tree, signed-note checkpoints) that is fed by a write-ahead
//! log of chained frames. It knows no clock, no thread and no socket: time is an argument, and
//! files are reached through [`Storage`] alone.
#![forbid(unsafe_code)]

mod anchor;
pub mod archive;
pub mod bundle;
pub mod cases;
pub mod cold;
pub mod consent;
pub mod crash;
mod epoch;
mod error;
pub mod frame;
pub mod holds;
mod key_file;
pub mod keys;
pub mod line_key;
pub mod merkle;
pub mod note;
mod plain;
mod publish;
mod published;
pub mod range;
pub mod receipt;
mod recovery;
pub mod sealed;
mod signed;
pub mod storage;
pub mod tiers;
pub mod tile;
mod tile_file;
mod verify;
pub mod witness;
mod writer;

pub use anchor::{Anchor, FsAnchor, MemAnchor, Next};
pub use error::{LogError, VisitError};
pub use key_file::{EPOCH_KEY_FILE, create_key_file};
pub use keys::{KeyChain, Keys};
pub use line_key::{LineKey, NoteKey};
pub use merkle::{CompactRange, Hash};
pub use note::{Checkpoint, Note, NoteError, SigningKey, VerifyKey};
pub use plain::{UnpackError, unpack, write_plain};
pub use published::{Published, PublishedError};
pub use receipt::{Receipt, ReceiptError};
pub use recovery::{Opened, Visitor};
pub use storage::{FileStat, FsStorage, MemStorage, Storage, StorageError};
pub use verify::{
    EntryCheck, FINDINGS_MAX, Finding, FindingKind, Level, LiveCheck, Verdict, VerifyKeys, verify,
    verify_plain, verify_up_to,
};
pub use writer::{CHECKPOINT_FILE, Options, VKEY_FILE, WAL_HEAD_FILE, Writer, log_id_of};

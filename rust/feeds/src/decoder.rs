//! What every push decoder promises, and the bounds that all of them share.
//!
//! A decoder does no I/O: the caller hands it bytes and keeps what was not consumed.

pub use crate::error::{FeedError, FeedErrorKind};
use crate::event::{Event, Names};
pub use crate::notice::{Notice, Notices};

/// Events that one call of [`Decoder::push`] appends at most.
pub const BATCH_EVENTS: usize = 8_192;
/// Bytes that a reader asks for at once.
pub const CHUNK_BYTES: usize = 1 << 20;
/// A longer line is refused, whatever it holds.
pub const LINE_BYTES_MAX: usize = 64 << 10;
/// A longer name is refused: symbols, accounts, strategies and text order ids.
pub const NAME_BYTES_MAX: usize = 128;
/// Distinct symbols, accounts or strategies of one input.
pub const NAMES_MAX: usize = 1 << 20;
/// Distinct text order ids of one input.
pub const ORDER_TEXTS_MAX: usize = 1 << 24;
/// Live orders that a decoder keeps at one time, where its format needs them.
pub const LIVE_ORDERS_MAX: usize = 20_000_000;
/// The `order_id` of the first text id; the k-th distinct text has `ORDER_TEXT_BASE + k`.
pub const ORDER_TEXT_BASE: u64 = 1 << 63;

/// What a decoder has met so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records decoded; the header is none.
    pub records: u64,
    /// Records whose time is earlier than that of the record before.
    pub time_back: u64,
    /// What was odd or of no use.
    pub notices: Notices,
}

/// A format's decoder: bytes in, events out.
pub trait Decoder: Send {
    /// Decodes whole records from the front of `bytes` and returns how many bytes it consumed.
    ///
    /// Appends [`BATCH_EVENTS`] events at most. The caller presents the unconsumed tail again, in
    /// front of what follows it; with `eof` no bytes follow, and the caller repeats the call until
    /// it appends nothing. On an error the events before it are in `out`, and the decoder is spent.
    fn push(&mut self, bytes: &[u8], eof: bool, out: &mut Vec<Event>) -> Result<usize, FeedError>;

    /// The names behind the handles so far.
    fn names(&self) -> &Names;

    /// What was met so far.
    fn counts(&self) -> Counts;

    /// The texts behind order ids from [`ORDER_TEXT_BASE`] on, in file order.
    fn order_texts(&self) -> &[String] {
        &[]
    }

    /// Columns of the file that no event carries.
    fn ignored_columns(&self) -> &[String] {
        &[]
    }
}

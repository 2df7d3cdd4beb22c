//! CWTS tables in Arrow and Parquet, in and out.
//!
//! The columns are those of [`crate::csv`]. Source of the framing: the Arrow columnar format's
//! "IPC streaming format" and "IPC file format"; of Parquet: the `parquet` crate.
//!
//! The arrow family may panic on bytes that contradict themselves. Every call that reads foreign
//! bytes goes through `contained`, which turns such a panic into CORRUPT; lengths that it would
//! allocate from are checked before.

mod arrow_ipc;
mod batch;
mod cells;
mod columns;
mod footer;
mod parquet_file;
mod read;
mod write;

pub use arrow_ipc::{ARROW_MESSAGE_BYTES_MAX, ArrowDecoder};
pub use batch::BatchRows;
pub use columns::{Dictionaries, EventColumns, event_schema};
pub use parquet_file::ParquetEvents;
pub use read::{BATCH_ROWS, TABLE_ROWS_MAX, read_table};
pub use write::{ArrowFileWriter, ParquetFileWriter, events_to_batch};

use crate::error::{FeedError, FeedErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Field metadata: decimal places of an integer price column; 9 when absent.
pub const SCALE_KEY: &str = "cwts.scale";

/// Runs a call into the arrow family; its errors and its panics become CORRUPT.
///
/// After an error the state behind `call` is not used again: the source is spent.
fn contained<T, E: std::fmt::Display>(
    what: &str,
    call: impl FnOnce() -> Result<T, E>,
) -> Result<T, FeedError> {
    let detail = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => format!("{what}: {error}"),
        Err(_) => format!("{what}: its parts contradict each other"),
    };
    Err(FeedError::new(FeedErrorKind::Corrupt, detail))
}

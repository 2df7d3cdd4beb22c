//! A whole input as record batches, for a program that wants columns instead of decisions.

use super::columns::{Dictionaries, EventColumns};
use crate::decoder::BATCH_EVENTS;
use crate::error::{FeedError, FeedErrorKind};
use crate::event::Event;
use crate::source::EventSource;
use arrow_array::RecordBatch;

/// Rows of a batch: all that fit where another batch of events does not.
pub const BATCH_ROWS: usize = 16 * BATCH_EVENTS;
/// Rows of a table at most: 8 GB. A replay holds no table and has no such bound.
pub const TABLE_ROWS_MAX: usize = 1 << 27;

/// Reads `source` to its end; batches hold [`BATCH_ROWS`] rows at most and share their words.
///
/// # Errors
/// What the source says, and [`FeedErrorKind::OutputTooLarge`] past `rows_max`.
pub fn read_table(
    source: &mut impl EventSource,
    rows_max: usize,
) -> Result<Vec<RecordBatch>, FeedError> {
    let mut events: Vec<Event> = Vec::with_capacity(BATCH_EVENTS);
    let mut parts = Vec::new();
    let mut columns = EventColumns::with_capacity(BATCH_ROWS);
    let mut rows = 0;
    while source.next_batch(&mut events)? {
        rows += events.len();
        if rows > rows_max {
            let detail = format!(
                "more than {rows_max} rows; a replay reads any number, a table is held in memory"
            );
            return Err(FeedError::new(FeedErrorKind::OutputTooLarge, detail));
        }
        if columns.rows() + events.len() > BATCH_ROWS {
            let next = EventColumns::with_capacity(BATCH_ROWS);
            parts.push(std::mem::replace(&mut columns, next));
        }
        columns.extend(&events);
        events.clear();
    }
    if columns.rows() > 0 {
        parts.push(columns);
    }
    // Only now: the names of the last row are words of the first batch too.
    let words = Dictionaries::of(source.names());
    parts.into_iter().map(|columns| columns.finish(&words)).collect()
}

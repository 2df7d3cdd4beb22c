//! Reading inputs in their common order: by time, then by their place on the command line.
//!
//! Inside a file nothing is ever sorted: a row waits for the rows before it, so the time that it is
//! merged by is never less than theirs. Rows of a snapshot carry an old time; they come with the
//! first row of their file that has its own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::Ordering;

use cwts_feeds::event::flag;
use cwts_feeds::inject::Injected;
use cwts_feeds::source::InputFacts;

use super::fold::Fold;
use super::pipeline::{After, Reader};
use super::{Progress, ReplayOptions};
use crate::GatewayError;

/// An input that was read to its end.
pub(super) struct InputDone {
    pub(super) path: String,
    pub(super) facts: Box<InputFacts>,
    pub(super) ignored: Vec<String>,
    pub(super) injected: Option<Injected>,
}

/// Files of one session at most: each has a thread, and a queue of batches.
pub const CONTINUOUS_FILES_MAX: usize = 64;

/// Folds one input.
pub(super) fn fold_one(
    fold: &mut Fold<'_>,
    reader: &mut Reader,
    options: &ReplayOptions,
    progress: &Progress,
) -> Result<InputDone, GatewayError> {
    loop {
        reader.advance()?;
        let batch = &mut reader.batch;
        fold.names(0, &mut batch.names, &mut batch.texts)?;
        // Before their events are decided, or the first of them would not be told apart.
        fold.stats.expect_labels(&batch.labels);
        fold.injected.append(&mut batch.labels);
        for events in batch.events.chunks(options.batch_events.max(1)) {
            for event in events {
                fold.event(event)?;
            }
            progress.note(events.len(), batch.packed_bytes);
            if progress.cancelled.load(Ordering::Relaxed) {
                return Err(GatewayError::Cancelled);
            }
        }
        if let Some(done) = finished(reader)? {
            return Ok(done);
        }
    }
}

/// Folds several inputs as one stream.
pub(super) fn fold_merged(
    fold: &mut Fold<'_>,
    readers: &mut [Reader],
    options: &ReplayOptions,
    progress: &Progress,
) -> Result<Vec<InputDone>, GatewayError> {
    let mut lanes = Vec::with_capacity(readers.len());
    let mut heap = BinaryHeap::with_capacity(readers.len());
    let mut done: Vec<Option<InputDone>> = Vec::new();
    for (at, reader) in readers.iter_mut().enumerate() {
        let begins_ns = reader.begins_ns()?.unwrap_or(0);
        reader.advance()?;
        fold.names(at, &mut reader.batch.names, &mut reader.batch.texts)?;
        lanes.push(Lane { at: 0, time_ns: begins_ns, bytes: 0 });
        done.push(None);
        heap.push(Reverse((begins_ns, at)));
    }
    let mut packed_bytes = 0;
    let mut since_note = 0;
    while let Some(Reverse((_, file))) = heap.pop() {
        let until = heap.peek().map(|Reverse(next)| *next);
        let (lane, reader) = (&mut lanes[file], &mut readers[file]);
        fold.input = file;
        loop {
            let Some(event) = reader.batch.events.get(lane.at) else {
                packed_bytes += reader.batch.packed_bytes - lane.bytes;
                lane.bytes = reader.batch.packed_bytes;
                done[file] = finished(reader)?;
                if done[file].is_some() {
                    break;
                }
                reader.advance()?;
                fold.names(file, &mut reader.batch.names, &mut reader.batch.texts)?;
                lane.at = 0;
                continue;
            };
            if event.flags & flag::SNAPSHOT == 0 {
                lane.time_ns = lane.time_ns.max(event.ts_ns);
            }
            // Its turn ends where another file's row comes first.
            if until.is_some_and(|next| next < (lane.time_ns, file)) {
                heap.push(Reverse((lane.time_ns, file)));
                break;
            }
            fold.event(event)?;
            lane.at += 1;
            since_note += 1;
            if since_note >= options.batch_events.max(1) {
                progress.note(std::mem::take(&mut since_note), packed_bytes);
                if progress.cancelled.load(Ordering::Relaxed) {
                    return Err(GatewayError::Cancelled);
                }
            }
        }
    }
    progress.note(since_note, packed_bytes);
    Ok(done.into_iter().flatten().collect())
}

/// Where one input stands.
struct Lane {
    /// The next event of its batch.
    at: usize,
    time_ns: u64,
    bytes: u64,
}

/// The input's end, if its last batch is folded. What came before a bad record stands; the error
/// names the record.
fn finished(reader: &mut Reader) -> Result<Option<InputDone>, GatewayError> {
    match std::mem::replace(&mut reader.batch.after, After::More) {
        After::More => Ok(None),
        After::Failed(error) => Err(error.in_file(&reader.path).into()),
        After::End(facts, ignored, injected) => {
            Ok(Some(InputDone { path: reader.path.clone(), facts, ignored, injected }))
        }
    }
}

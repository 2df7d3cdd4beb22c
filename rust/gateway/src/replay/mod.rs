//! Replay: a file of order flow through the same engine and the same log as live orders.
//!
//! Source: design note "replay". Nothing of the run (time, host, path) enters the log, so the
//! same input gives the same root on every machine.

mod again;
mod fold;
mod json;
mod open;
mod rows;
mod stats;
mod synth;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use cwts_feeds::event::Event;
use cwts_feeds::source::EventSource;
use cwts_feeds::synth::Label;

pub use again::{AppendedAgain, HELD_BYTES_MAX, append_again};
pub use stats::{Denial, LabelFound, ReplayStats, Series};
pub use synth::{SynthPlan, SynthSource};

use crate::{GatewayError, KeyStore};
use fold::Fold;

/// Whose orders the file's orders are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mapping {
    /// Every order is one of account `ALL` and strategy `ALL`.
    All,
    /// Accounts and strategies come from the file.
    File,
}

impl Mapping {
    /// The name on the command line and in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::File => "file",
        }
    }
}

/// How a replay runs.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// The limits file's path, for errors, and its text.
    pub limits: (String, Vec<u8>),
    /// Whose orders they are; by default what the format can say.
    pub mapping: Option<Mapping>,
    /// The log's directory; `None` folds only.
    pub dir: Option<PathBuf>,
    /// Where the signing key is.
    pub keys: Option<KeyStore>,
    /// Where to write one row an order.
    pub decisions: Option<PathBuf>,
    /// Whether to keep every order and decision in memory.
    pub keep: bool,
    /// Known anomalies, to be found again.
    pub labels: Vec<Label>,
    /// Halts the firm before the event with this number.
    pub halt_at: Option<u64>,
    /// Bits of the letters in the decision fingerprint, in order of precedence.
    pub letter_order: Vec<(char, u8)>,
}

impl ReplayOptions {
    /// With these limits and nothing else.
    pub fn new(path: &str, limits: &[u8]) -> Self {
        Self {
            limits: (path.to_owned(), limits.to_vec()),
            mapping: None,
            dir: None,
            keys: None,
            decisions: None,
            keep: false,
            labels: Vec::new(),
            halt_at: None,
            letter_order: LETTERS.to_vec(),
        }
    }
}

/// Shared with whoever watches: events so far, and a wish to stop.
#[derive(Debug, Default)]
pub struct Progress {
    /// Events done.
    pub events: AtomicU64,
    /// Set to stop after the current batch.
    pub cancelled: AtomicBool,
}

/// One input file, opened.
pub struct ReplayInput {
    /// Its path, for the record outside the log.
    pub path: String,
    /// Its events.
    pub source: Box<dyn EventSource>,
}

/// What a replay found.
#[derive(Debug)]
pub struct ReplayOutcome {
    /// Counts, series and samples.
    pub stats: ReplayStats,
    /// The whole result as JSON, schema `cwts/replay/v1`.
    pub json: serde_json::Value,
    /// Order and decision records, 64 bytes each, if they were kept.
    pub orders: Vec<u8>,
    /// Decision records.
    pub decisions: Vec<u8>,
}

/// Runs a replay.
///
/// # Errors
/// A bad input, bad limits, a log that cannot be made or has failed, or a cancellation: the log
/// then ends without CLOSE, and verifies as unclean.
pub fn replay(
    mut input: ReplayInput,
    options: &ReplayOptions,
    progress: &Progress,
) -> Result<ReplayOutcome, GatewayError> {
    let started = Instant::now();
    let mut fold = Fold::open(options, input.source.facts().format)?;
    let mut batch: Vec<Event> = Vec::with_capacity(BATCH);
    let mut decode_ns = 0u128;
    loop {
        batch.clear();
        let before = Instant::now();
        let decoded = input.source.next_batch(&mut batch);
        decode_ns += before.elapsed().as_nanos();
        fold.names(input.source.as_ref())?;
        for event in &batch {
            fold.event(event)?;
        }
        progress.events.fetch_add(batch.len() as u64, Ordering::Relaxed);
        // What came before a bad record stands; the error names the record.
        if !decoded.map_err(|e| e.in_file(&input.path))? {
            break;
        }
        if progress.cancelled.load(Ordering::Relaxed) {
            return Err(GatewayError::Cancelled);
        }
    }
    let check_done = Instant::now();
    let log = fold.finish(&input)?;
    let seconds = json::Seconds {
        decode: decode_ns as f64 / 1e9,
        check: (check_done - started).as_secs_f64() - decode_ns as f64 / 1e9,
        log: check_done.elapsed().as_secs_f64(),
        total: started.elapsed().as_secs_f64(),
    };
    let json = json::document(&input, options, &fold, log.as_ref(), &seconds);
    let (stats, orders, decisions) = fold.into_parts();
    Ok(ReplayOutcome { stats, json, orders, decisions })
}

/// Letters of the published fingerprints, in their order of precedence.
pub const LETTERS: [(char, u8); 5] = [('Q', 4), ('N', 8), ('C', 10), ('R', 26), ('D', 29)];
/// Events decoded at once.
const BATCH: usize = 8_192;

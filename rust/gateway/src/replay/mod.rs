//! Replay: a file of order flow through the same engine and the same log as live orders.
//!
//! Source: design note "replay". Nothing of the run (time, host, path) enters the log, so the
//! same input gives the same root on every machine.

mod again;
mod change;
mod files;
mod fold;
mod inject;
mod inputs;
mod itch_flow;
mod json;
pub(crate) mod limit_use;
pub(crate) mod live;
mod merge;
mod mid;
mod open;
mod pipeline;
mod rows;
mod run;
mod session;
mod stats;
mod synth;
pub(crate) mod tap;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use cwts_feeds::decoder::BATCH_EVENTS;
use cwts_feeds::sniff::Format;
use cwts_feeds::source::EventSource;
use cwts_feeds::synth::Label;

pub use again::{AppendedAgain, HELD_BYTES_MAX, append_again};
pub use files::open_file;
pub use inject::inject;
pub use itch_flow::ItchFlow;
pub use merge::CONTINUOUS_FILES_MAX;
pub use rows::decision_row;
pub use run::{RUN_LOGS_MAX, RunCheck, check_run, is_run, run_log, seal_run};
pub use stats::{Denial, LabelFound, ReplayStats, Series};
pub use synth::{SynthPlan, SynthSource};

use crate::{GatewayError, KeyStore};
use fold::Fold;
use inputs::{InputState, SharedIds};
use pipeline::Reader;

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

    /// What a format can say.
    fn by_default(format: Format) -> Self {
        match format {
            Format::Csv | Format::Parquet | Format::Arrow | Format::Fix => Self::File,
            _ => Self::All,
        }
    }
}

/// Whether a replay measures how orders stand against their limits: curves, peaks, near misses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Observe {
    /// It does not.
    #[default]
    No,
    /// As a report needs it: exact above a quarter of each limit.
    Report,
    /// Every value of every order.
    Exact,
}

impl Observe {
    fn limit_use(self) -> Option<limit_use::LimitUse> {
        match self {
            Self::No => None,
            Self::Report => Some(limit_use::LimitUse::sampled()),
            Self::Exact => Some(limit_use::LimitUse::exact()),
        }
    }

    fn registers(self) -> Option<crate::registers::Registers> {
        (self == Self::Report).then(crate::registers::Registers::default)
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
    /// Whether to measure how orders stood against their limits: curves, peaks, near misses.
    pub observe: Observe,
    /// Known anomalies, to be found again.
    pub labels: Vec<Label>,
    /// Halts the firm before the event with this number.
    pub halt_at: Option<u64>,
    /// Bits of the letters in the decision fingerprint, in order of precedence.
    pub letter_order: Vec<(char, u8)>,
    /// Orders kept at most; beyond it none are, rather than some.
    pub keep_max: u64,
    /// Live orders at most, the market's and the account's: beyond it the run ends.
    pub max_live: usize,
    /// Events folded between two looks at [`Progress`].
    pub batch_events: usize,
    /// Events after which an input is decoded on a thread of its own.
    pub thread_after: u64,
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
            observe: Observe::No,
            labels: Vec::new(),
            halt_at: None,
            letter_order: LETTERS.to_vec(),
            keep_max: u64::MAX,
            max_live: LIVE_ORDERS_MAX,
            batch_events: BATCH_EVENTS,
            thread_after: THREAD_AFTER_EVENTS,
        }
    }
}

/// Shared with whoever watches: events so far, and a wish to stop.
#[derive(Debug, Default)]
pub struct Progress {
    /// Events done.
    pub events: AtomicU64,
    /// Bytes of the inputs read for them, as they lie in the files.
    pub bytes: AtomicU64,
    /// Set to stop after the current batch.
    pub cancelled: AtomicBool,
}

impl Progress {
    fn note(&self, events: usize, bytes: u64) {
        self.events.fetch_add(events as u64, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }
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
    /// The anomalies that were injected into the input.
    pub injected: Vec<Label>,
    /// Whether every order and decision was kept.
    pub kept_all: bool,
}

/// Runs a replay.
///
/// # Errors
/// A bad input, bad limits, a log that cannot be made or has failed, or a cancellation: the log
/// then ends without CLOSE, and verifies as unclean.
pub fn replay(
    input: ReplayInput,
    options: &ReplayOptions,
    progress: &Progress,
) -> Result<ReplayOutcome, GatewayError> {
    replay_merged(vec![input], options, progress)
}

/// Runs a replay of several inputs as one session: one state, one log, rows in the order of time,
/// then of the inputs' places in the list. One input is a replay like any other.
///
/// # Errors
/// As [`replay`]; also no input, more than [`CONTINUOUS_FILES_MAX`], or inputs that differ in
/// whose orders they are while nothing says it for all.
pub fn replay_merged(
    inputs: Vec<ReplayInput>,
    options: &ReplayOptions,
    progress: &Progress,
) -> Result<ReplayOutcome, GatewayError> {
    let started = Instant::now();
    let format = one_mapping(&inputs, options)?;
    let mut fold = Fold::open(options, format, inputs[0].source.injected())?;
    fold.inputs = inputs.iter().map(|input| InputState::new(&input.path)).collect();
    let several = inputs.len() > 1;
    // A merge waits for the slowest of its inputs: all of them read ahead.
    let thread_after = if several { 0 } else { options.thread_after };
    let mut readers: Vec<Reader> =
        inputs.into_iter().map(|input| Reader::new(input, thread_after)).collect();
    let done = if several {
        fold.shared_ids = Some(SharedIds::default());
        merge::fold_merged(&mut fold, &mut readers, options, progress)?
    } else {
        vec![merge::fold_one(&mut fold, &mut readers[0], options, progress)?]
    };
    let check_done = Instant::now();
    let log = fold.finish(&done)?;
    let of = |part: fn(&Reader) -> u64| readers.iter().map(part).sum::<u64>() as f64 / 1e9;
    let seconds = json::Seconds {
        decode: of(|reader| reader.decode_ns),
        check: ((check_done - started).as_secs_f64() - of(|reader| reader.wait_ns)).max(0.0),
        log: check_done.elapsed().as_secs_f64(),
        total: started.elapsed().as_secs_f64(),
    };
    let json = json::document(&done, options, &fold, log.as_ref(), &seconds);
    let kept_all = options.keep && fold.stats.orders <= options.keep_max;
    let injected = std::mem::take(&mut fold.injected);
    let (stats, mut orders, mut decisions) = fold.into_parts();
    if !kept_all {
        (orders, decisions) = (Vec::new(), Vec::new());
    }
    Ok(ReplayOutcome { stats, json, orders, decisions, injected, kept_all })
}

/// The format that says whose orders they are, if the inputs agree on it.
fn one_mapping(inputs: &[ReplayInput], options: &ReplayOptions) -> Result<Format, GatewayError> {
    let refused = |why: String| Err(GatewayError::Replay(why));
    let Some((first, rest)) = inputs.split_first() else {
        return refused("no input: give at least one file".to_owned());
    };
    if rest.len() >= CONTINUOUS_FILES_MAX {
        return refused(format!(
            "{} files in one session: {CONTINUOUS_FILES_MAX} at most; --session file takes more",
            inputs.len()
        ));
    }
    let format = first.source.facts().format;
    for other in rest {
        let its = other.source.facts().format;
        if row_meaning(its) != row_meaning(format) {
            return refused(format!(
                "{} is {} and {} is {}: their rows do not mean the same, so they are no one \
                 session; replay them with --session file",
                first.path,
                format.name(),
                other.path,
                its.name()
            ));
        }
    }
    let (path, text) = &options.limits;
    if rest.is_empty()
        || options.mapping.is_some()
        || crate::parse_limits(path, text)?.replay.mapping_all.is_some()
    {
        return Ok(format);
    }
    for other in rest {
        let its = other.source.facts().format;
        if Mapping::by_default(its) != Mapping::by_default(format) {
            return refused(format!(
                "{} is {} and {} is {}: one names accounts and one does not; say whose orders \
                 they are with --mapping",
                first.path,
                format.name(),
                other.path,
                its.name()
            ));
        }
    }
    Ok(format)
}

/// Formats whose fills, replaces and cancels say the same of an order's rest can be one session.
fn row_meaning(format: Format) -> Format {
    match format {
        Format::Dbn | Format::Itch | Format::Fix => format,
        _ => Format::Csv,
    }
}

/// Letters of the published fingerprints, in their order of precedence.
pub const LETTERS: [(char, u8); 5] = [('Q', 4), ('N', 8), ('C', 10), ('R', 26), ('D', 29)];
/// Live orders that a replay holds unless it is told otherwise: some 3 GiB at worst.
pub const LIVE_ORDERS_MAX: usize = 20_000_000;
/// A day of one instrument is decoded sooner than a second thread is worth.
const THREAD_AFTER_EVENTS: u64 = 1 << 18;

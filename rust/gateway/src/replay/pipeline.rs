//! Decoding beside folding: a source on a thread of its own, behind a bounded queue of batches.
//!
//! Invariant: the batches, the names that came with each, and the error or end after the last are
//! those of the source, in its order; whether a thread stands between changes nothing but time.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use cwts_feeds::decoder::BATCH_EVENTS;
use cwts_feeds::error::{FeedError, FeedErrorKind};
use cwts_feeds::event::{Event, Names, flag};
use cwts_feeds::inject::{Injected, Label};
use cwts_feeds::source::{EventSource, InputFacts};

use super::ReplayInput;
use crate::GatewayError;

/// What follows a batch.
pub(super) enum After {
    More,
    End(Box<InputFacts>, Vec<String>, Option<Injected>),
    Failed(FeedError),
}

/// Events, the names that are new with them, and what follows.
pub(super) struct Batch {
    pub(super) events: Vec<Event>,
    pub(super) names: Names,
    pub(super) texts: Vec<String>,
    /// Labels of the anomalies that begin in it.
    pub(super) labels: Vec<Label>,
    pub(super) after: After,
    /// Bytes of the input so far, as they lie in the file.
    pub(super) packed_bytes: u64,
    decode_ns: u64,
}

impl Batch {
    fn new() -> Self {
        Self { events: Vec::with_capacity(BATCH_EVENTS), ..Self::without_room() }
    }

    /// Stands in while the real one is away.
    fn without_room() -> Self {
        Self {
            events: Vec::new(),
            names: Names::default(),
            texts: Vec::new(),
            labels: Vec::new(),
            after: After::More,
            packed_bytes: 0,
            decode_ns: 0,
        }
    }
}

/// An input as the fold reads it.
pub(super) struct Reader {
    pub(super) path: String,
    pub(super) batch: Batch,
    /// Time that the source took, on whichever thread.
    pub(super) decode_ns: u64,
    /// Time that the fold waited for it.
    pub(super) wait_ns: u64,
    stage: Stage,
    /// Read before their turn, to learn when the file begins.
    ahead: VecDeque<Batch>,
    events: u64,
    thread_after: u64,
}

enum Stage {
    /// A small input is decoded where it is folded: no thread, no hand-over.
    Here(Decoding),
    Beside {
        full: Receiver<Batch>,
        spare: SyncSender<Batch>,
    },
    Spent,
}

impl Reader {
    /// `thread_after`: events after which decoding gets a thread.
    pub(super) fn new(input: ReplayInput, thread_after: u64) -> Self {
        let source = input.source;
        let decoding = Decoding { source, names: [0; 3], texts: 0 };
        Self {
            path: input.path,
            batch: Batch::new(),
            decode_ns: 0,
            wait_ns: 0,
            stage: Stage::Here(decoding),
            ahead: VecDeque::new(),
            events: 0,
            thread_after,
        }
    }

    /// Puts the next batch into `batch`.
    pub(super) fn advance(&mut self) -> Result<(), GatewayError> {
        if let Some(batch) = self.ahead.pop_front() {
            self.batch = batch;
            return Ok(());
        }
        let mut batch = std::mem::replace(&mut self.batch, Batch::without_room());
        self.fetch(&mut batch)?;
        self.batch = batch;
        Ok(())
    }

    /// The time of the first row that has its own: the rows of a snapshot carry an older one.
    pub(super) fn begins_ns(&mut self) -> Result<Option<u64>, GatewayError> {
        let mut rows = 0;
        loop {
            let mut batch = Batch::new();
            self.fetch(&mut batch)?;
            let own = batch.events.iter().find(|e| e.flags & flag::SNAPSHOT == 0);
            let found = own.map(|e| e.ts_ns);
            let is_last = !matches!(batch.after, After::More);
            rows += batch.events.len();
            self.ahead.push_back(batch);
            if found.is_some() || is_last {
                return Ok(found);
            }
            if rows > SNAPSHOT_ROWS_MAX {
                let why = format!(
                    "{}: begins with more than {SNAPSHOT_ROWS_MAX} rows of a snapshot: it has no \
                     time of its own to merge by; replay it alone",
                    self.path
                );
                return Err(GatewayError::Replay(why));
            }
        }
    }

    fn fetch(&mut self, batch: &mut Batch) -> Result<(), GatewayError> {
        let began = Instant::now();
        match &mut self.stage {
            Stage::Here(decoding) => decoding.fill(batch),
            Stage::Beside { full, spare } => {
                let Ok(next) = full.recv() else {
                    // Only a panic ends the thread without a last batch.
                    let detail = "the decoder stopped: this is a bug in cwts";
                    let error = FeedError::new(FeedErrorKind::Corrupt, detail);
                    return Err(error.in_file(&self.path).into());
                };
                // A full queue of spare batches, or a thread that is done: it is dropped.
                let _ = spare.try_send(std::mem::replace(batch, next));
            }
            Stage::Spent => batch.events.clear(),
        }
        self.wait_ns += nanoseconds_since(began);
        self.events += batch.events.len() as u64;
        self.decode_ns += batch.decode_ns;
        if !matches!(batch.after, After::More) {
            self.stage = Stage::Spent;
        } else if self.events >= self.thread_after {
            self.move_to_thread()?;
        }
        Ok(())
    }

    fn move_to_thread(&mut self) -> Result<(), GatewayError> {
        let Stage::Here(_) = &self.stage else { return Ok(()) };
        let Stage::Here(mut decoding) = std::mem::replace(&mut self.stage, Stage::Spent) else {
            return Ok(());
        };
        let (to_fold, full) = sync_channel::<Batch>(QUEUE_BATCHES);
        let (spare, from_fold) = sync_channel::<Batch>(QUEUE_BATCHES + 2);
        let work = move || {
            loop {
                let mut batch = from_fold.try_recv().unwrap_or_else(|_| Batch::new());
                decoding.fill(&mut batch);
                let is_last = !matches!(batch.after, After::More);
                // Whoever folds has gone: it was cancelled, or has failed.
                if to_fold.send(batch).is_err() || is_last {
                    return;
                }
            }
        };
        let spawned = std::thread::Builder::new().name("cwts-decode".to_owned()).spawn(work);
        spawned.map_err(|source| GatewayError::File { path: self.path.clone(), source })?;
        self.stage = Stage::Beside { full, spare };
        Ok(())
    }
}

/// A source, and how much of its names was handed on.
struct Decoding {
    source: Box<dyn EventSource>,
    names: [usize; 3],
    texts: usize,
}

impl Decoding {
    fn fill(&mut self, batch: &mut Batch) {
        let began = Instant::now();
        batch.events.clear();
        let found = self.source.next_batch(&mut batch.events);
        let names = self.source.names();
        let tables = [&names.instruments, &names.accounts, &names.strategies];
        let new = &mut batch.names;
        let out = [&mut new.instruments, &mut new.accounts, &mut new.strategies];
        for ((table, out), seen) in tables.into_iter().zip(out).zip(&mut self.names) {
            out.clear();
            out.extend_from_slice(&table[*seen..]);
            *seen = table.len();
        }
        batch.texts.clear();
        batch.texts.extend_from_slice(&self.source.order_texts()[self.texts..]);
        self.texts += batch.texts.len();
        batch.labels = self.source.take_labels();
        let facts = self.source.facts();
        batch.packed_bytes = facts.packed_bytes;
        batch.after = match found {
            Ok(true) => After::More,
            Ok(false) => {
                let ignored = self.source.ignored_columns().to_vec();
                After::End(Box::new(facts), ignored, self.source.injected())
            }
            Err(error) => After::Failed(error),
        };
        batch.decode_ns = nanoseconds_since(began);
    }
}

fn nanoseconds_since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Batches between the decoder and the fold: a burst of either side, and 2 MiB.
const QUEUE_BATCHES: usize = 4;
/// Rows of a snapshot that a merge reads ahead at the start of a file: 64 MiB.
const SNAPSHOT_ROWS_MAX: usize = 1 << 20;

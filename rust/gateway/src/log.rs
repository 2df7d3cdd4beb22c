//! The log's own thread, and the queue in front of it.
//!
//! The order path pays for one queue push: an order and its decision are two slots under one
//! release store. The thread hashes, frames, writes and syncs; whoever needs to know that an
//! entry is durable waits on the watermark. An I/O error stops it for good: nothing is retried,
//! because after a failed fsync a retry may succeed falsely.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use cwts_audit::{Checkpoint, FsStorage, LogError, Writer};
use cwts_ring::{Consumer, Producer, spsc};
use cwts_types::{
    Body, Close, Entry, EntryType, HEADER_BYTES, HOT_ENTRY_BYTES_MAX, Header, Violation,
};

/// Slots of the queue to the log's thread: 330 ms of stall at 200,000 entries a second.
pub const RING_SLOTS: usize = 65_536;
/// Slots that only cancels, kills and execution reports may use.
pub const RESERVED_SLOTS: usize = 1_024;

/// One entry on its way to the log's thread.
#[derive(Clone, Copy)]
pub(crate) struct Slot {
    bytes: [u8; HOT_ENTRY_BYTES_MAX],
    /// Length, or [`LONG`] for an entry that waits in the side queue.
    len: u16,
    index: u64,
}

impl Slot {
    /// A slot with a header and a record.
    #[inline]
    fn record(index: u64, kind: EntryType, header: &Header, record: &[u8; 64]) -> Self {
        let mut bytes = [0; HOT_ENTRY_BYTES_MAX];
        let (head, rest) = bytes.split_at_mut(HEADER_BYTES);
        if let Ok(head) = head.try_into() {
            header.write(kind, head);
        }
        rest[..64].copy_from_slice(record);
        Self { bytes, len: RECORD_ENTRY_BYTES as u16, index }
    }

    /// A slot with these bytes; `None` if they do not fit.
    #[inline]
    fn hot(index: u64, entry: &[u8]) -> Option<Self> {
        let mut bytes = [0; HOT_ENTRY_BYTES_MAX];
        bytes.get_mut(..entry.len())?.copy_from_slice(entry);
        Some(Self { bytes, len: entry.len() as u16, index })
    }
}

/// A value on a cache line of its own: the order path reads one that the log's thread rarely
/// writes, next to one that it writes all the time.
#[derive(Debug, Default)]
#[repr(align(128))]
struct OwnLine<T>(T);

/// What the two sides share.
#[derive(Debug, Default)]
struct Shared {
    /// Entries that no crash can take away.
    durable: OwnLine<AtomicU64>,
    /// Entries that somebody waits for.
    wanted: OwnLine<AtomicU64>,
    failed: OwnLine<AtomicBool>,
    /// Nothing more will be appended.
    stop: AtomicBool,
    why: Mutex<String>,
    long: Mutex<VecDeque<Vec<u8>>>,
    checkpoint: Mutex<Option<Checkpoint>>,
}

impl Shared {
    fn fail(&self, error: &LogError) {
        let mut why = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        *why = error.to_string();
        drop(why);
        self.failed.0.store(true, Ordering::Release);
    }
}

/// The order path's end of the log.
#[derive(Debug)]
pub(crate) struct LogTail {
    producer: Producer<Slot>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<Checkpoint, LogError>>>,
    next_index: u64,
    closing: Arc<Mutex<Option<Header>>>,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot")
            .field("index", &self.index)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl LogTail {
    /// Starts the thread behind a writer that is open.
    ///
    /// A live log signs a checkpoint every 100 ms; a replay signs one at its close.
    pub(crate) fn start(writer: Writer<FsStorage>, live: bool) -> Result<Self, LogError> {
        let next_index = writer.size();
        let shared = Arc::new(Shared::default());
        shared.durable.0.store(writer.durable_size(), Ordering::Release);
        let closing = Arc::new(Mutex::new(None));
        // The size is a power of two by construction, so this cannot fail.
        let (producer, consumer) = spsc(RING_SLOTS).map_err(|_| LogError::Failed)?;
        let worker = Worker {
            writer,
            consumer,
            shared: Arc::clone(&shared),
            closing: Arc::clone(&closing),
            live,
            buffer: Vec::with_capacity(POP_MAX),
            #[cfg(test)]
            planted: planted::PLANTED.get(),
        };
        let thread = thread::Builder::new()
            .name("cwts-log".to_owned())
            .spawn(move || worker.run())
            .map_err(|_| LogError::Failed)?;
        Ok(Self { producer, shared, thread: Some(thread), next_index, closing })
    }

    /// Index of the next entry.
    #[inline]
    pub(crate) fn next_index(&self) -> u64 {
        self.next_index
    }

    /// Entries that no crash can take away.
    pub(crate) fn durable(&self) -> u64 {
        self.shared.durable.0.load(Ordering::Acquire)
    }

    /// The first I/O error, if there was one.
    #[inline]
    pub(crate) fn failure(&self) -> Option<String> {
        if !self.shared.failed.0.load(Ordering::Acquire) {
            return None;
        }
        Some(self.shared.why.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Whether `slots` fit beyond the reserve.
    #[inline]
    pub(crate) fn has_room(&mut self, slots: usize) -> bool {
        self.producer.has_room(slots + RESERVED_SLOTS)
    }

    /// Appends an order and its decision under one release store; the caller has seen room.
    ///
    /// A refusal carries its violations and may be too long for a slot: it waits in the side
    /// queue then.
    #[inline]
    pub(crate) fn push_pair(
        &mut self,
        order: (&Header, &[u8; 64]),
        decision: (&Header, &[u8; 64]),
        violations: &[Violation],
    ) -> bool {
        let index = self.next_index;
        let first = Slot::record(index, EntryType::Order, order.0, order.1);
        let second = Slot::record(index + 1, EntryType::Decision, decision.0, decision.1);
        let pair = if violations.is_empty() {
            [first, second]
        } else {
            let mut long = second.bytes[..RECORD_ENTRY_BYTES].to_vec();
            for violation in violations {
                long.extend_from_slice(&violation.to_bytes());
            }
            [first, self.long_slot(index + 1, &long)]
        };
        let pushed = self.producer.push_all(&pair).is_ok();
        self.next_index += u64::from(pushed) * 2;
        pushed
    }

    /// Appends one entry, waiting for room; `false` when the log has failed.
    pub(crate) fn push(&mut self, entry: &[u8]) -> bool {
        let index = self.next_index;
        let slot = Slot::hot(index, entry).unwrap_or_else(|| self.long_slot(index, entry));
        while self.producer.push(slot).is_err() {
            if self.shared.failed.0.load(Ordering::Acquire) || self.producer.is_closed() {
                return false;
            }
            thread::yield_now();
        }
        self.next_index += 1;
        true
    }

    /// Waits until `slots` fit; `false` when the log has failed.
    pub(crate) fn wait_room(&mut self, slots: usize) -> bool {
        while !self.producer.has_room(slots) {
            if self.shared.failed.0.load(Ordering::Acquire) || self.producer.is_closed() {
                return false;
            }
            thread::yield_now();
        }
        true
    }

    #[cold]
    fn long_slot(&self, index: u64, entry: &[u8]) -> Slot {
        // Queued before the slot is published, so the thread finds it there.
        let mut long = self.shared.long.lock().unwrap_or_else(PoisonError::into_inner);
        long.push_back(entry.to_vec());
        Slot { bytes: [0; HOT_ENTRY_BYTES_MAX], len: LONG, index }
    }

    /// Waits until everything appended so far is durable.
    pub(crate) fn wait_durable(&self) -> Result<(), String> {
        let size = self.next_index;
        self.shared.wanted.0.fetch_max(size, Ordering::AcqRel);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
        let mut spins = 0u32;
        while self.durable() < size {
            if let Some(why) = self.failure() {
                return Err(why);
            }
            if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
                return Err(self.failure().unwrap_or_else(|| "the log's thread ended".to_owned()));
            }
            spins += 1;
            if spins < SPINS {
                std::hint::spin_loop();
            } else {
                thread::sleep(WAIT);
            }
        }
        Ok(())
    }

    /// The newest signed checkpoint.
    pub(crate) fn checkpoint(&self) -> Option<Checkpoint> {
        self.shared.checkpoint.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the log with a CLOSE entry under this header.
    pub(crate) fn close(mut self, header: Header) -> Result<Checkpoint, LogError> {
        *self.closing.lock().unwrap_or_else(PoisonError::into_inner) = Some(header);
        self.stop()
    }

    /// Lets the thread write what is queued, and waits for its end.
    fn stop(&mut self) -> Result<Checkpoint, LogError> {
        self.shared.stop.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return Err(LogError::Failed) };
        thread.thread().unpark();
        thread.join().unwrap_or(Err(LogError::Failed))
    }
}

impl Drop for LogTail {
    /// Without a close the log stays as after a crash, but its lock is free when this returns.
    fn drop(&mut self) {
        if self.thread.is_some() {
            let _ = self.stop();
        }
    }
}

/// The log's thread.
struct Worker {
    writer: Writer<FsStorage>,
    consumer: Consumer<Slot>,
    shared: Arc<Shared>,
    closing: Arc<Mutex<Option<Header>>>,
    live: bool,
    buffer: Vec<Slot>,
    #[cfg(test)]
    planted: planted::Planted,
}

impl Worker {
    fn run(mut self) -> Result<Checkpoint, LogError> {
        let done = self.serve();
        match done {
            Ok(header) => {
                let Self { writer, shared, .. } = self;
                let utc_ns = u64::try_from(header.utc_ns).unwrap_or(0);
                let closed = writer.close(utc_ns, |size, root| {
                    Entry { header, body: Body::Close(Close { size, root }) }.to_bytes()
                });
                if let Err(error) = &closed {
                    shared.fail(error);
                }
                closed
            }
            Err(error) => {
                self.shared.fail(&error);
                Err(error)
            }
        }
    }

    /// Takes entries until the producer closes; gives the header of CLOSE.
    fn serve(&mut self) -> Result<Header, LogError> {
        let mut first_unsynced: Option<Instant> = None;
        let mut uncovered: Option<Instant> = None;
        let mut last_utc_ns = 0;
        let mut published = self.writer.durable_size();
        loop {
            self.buffer.clear();
            let popped = self.consumer.pop_into(&mut self.buffer, POP_MAX);
            for at in 0..popped {
                last_utc_ns = self.take(at)?;
            }
            if popped > 0 {
                first_unsynced.get_or_insert_with(Instant::now);
                uncovered.get_or_insert_with(Instant::now);
            }
            let durable = self.writer.durable_size();
            let pending = self.writer.size() > durable;
            let wanted = self.shared.wanted.0.load(Ordering::Acquire) > durable;
            let due = first_unsynced.is_some_and(|t| t.elapsed() >= COMMIT_INTERVAL);
            // With a waiter, whatever is there goes as soon as the disk is free; without one, a
            // frame fills up first, but not for long.
            if pending && (due || (wanted && popped < POP_MAX)) {
                self.writer.commit(last_utc_ns)?;
                first_unsynced = None;
            }
            if self.writer.durable_size() != published {
                published = self.writer.durable_size();
                self.shared.durable.0.store(published, Ordering::Release);
            }
            if self.live && uncovered.is_some_and(|t| t.elapsed() >= CHECKPOINT_INTERVAL) {
                let checkpoint = self.writer.checkpoint()?;
                let mut newest =
                    self.shared.checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
                *newest = Some(checkpoint);
                uncovered = (self.writer.size() > self.writer.durable_size()).then(Instant::now);
            }
            if popped > 0 {
                continue;
            }
            // Nothing is appended after the flag, so one more empty look means that all is here.
            if self.shared.stop.load(Ordering::Acquire)
                && self.consumer.pop_into(&mut self.buffer, POP_MAX) == 0
            {
                self.writer.commit(last_utc_ns)?;
                let header = self.closing.lock().unwrap_or_else(PoisonError::into_inner).take();
                // Dropped without close: the log stays as it is after a crash, and says so.
                return header.ok_or(LogError::Failed);
            }
            for at in 0..self.buffer.len() {
                last_utc_ns = self.take(at)?;
            }
            thread::park_timeout(IDLE);
        }
    }

    /// Pushes one popped slot; gives its time.
    fn take(&mut self, at: usize) -> Result<u64, LogError> {
        let Slot { bytes, len, index } = self.buffer[at];
        #[cfg(test)]
        if self.planted.every != 0 && index % self.planted.every == 0 {
            return Ok(0);
        }
        let long;
        let entry: &[u8] = if len == LONG {
            let mut queue = self.shared.long.lock().unwrap_or_else(PoisonError::into_inner);
            long = queue.pop_front().unwrap_or_default();
            &long
        } else {
            &bytes[..usize::from(len)]
        };
        #[cfg(not(test))]
        let is_checked = true;
        #[cfg(test)]
        let is_checked = !self.planted.unchecked;
        if self.writer.size() != index && is_checked {
            // An entry was lost between the one who numbered it and here: nothing after it may
            // be written under a number that is not its own.
            return Err(LogError::Lost { expected: self.writer.size(), got: index });
        }
        let mut utc = [0; 8];
        utc.copy_from_slice(&entry[UTC_AT..UTC_AT + 8]);
        let utc_ns = u64::try_from(i64::from_le_bytes(utc)).unwrap_or(0);
        if entry[0] == EntryType::KeyEpoch as u8 {
            // Its place is the gateway's to give, its body the writer's.
            let header = Entry::decode(entry).map_err(|_| LogError::Seal)?.header;
            let sealed = |seal| Entry { header, body: Body::KeyEpoch(seal) }.to_bytes();
            self.writer.evolve(utc_ns, sealed)?;
        } else {
            self.writer.push(entry)?;
        }
        Ok(utc_ns)
    }
}

/// An entry's length in a slot whose bytes wait in the side queue.
const LONG: u16 = u16::MAX;
/// Position of `utc_ns` in an entry's header.
const UTC_AT: usize = 16;
const _: () = assert!(UTC_AT + 8 <= HEADER_BYTES);
/// A header and a 64-byte record.
const RECORD_ENTRY_BYTES: usize = HEADER_BYTES + 64;
/// Entries taken from the queue at once: one frame.
const POP_MAX: usize = 4_096;
/// Without a waiter, an entry waits this long for its frame to fill.
const COMMIT_INTERVAL: Duration = Duration::from_millis(2);
/// An entry waits this long for a signed checkpoint that covers it.
const CHECKPOINT_INTERVAL: Duration = Duration::from_millis(100);
/// How long the idle thread sleeps.
const IDLE: Duration = Duration::from_micros(100);
/// A waiter spins this often before it sleeps.
const SPINS: u32 = 2_000;
/// A waiter's sleep.
const WAIT: Duration = Duration::from_micros(20);

#[cfg(test)]
mod planted;

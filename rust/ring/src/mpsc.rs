//! A bounded queue with many producers and one consumer.
//!
//! Source: Vyukov, "Bounded MPMC queue" (1024cores.net), with one consumer, which then needs no
//! compare-and-swap. A slot of counter `c` carries a stage beside its record:
//!
//! > `2c`: the slot is free for record `c`. `2c + 1`: it holds record `c`. A slot's stage only
//! > grows, from `2c` to `2c + 1` by the producer that claimed `c`, from there to
//! > `2(c + capacity)` by the consumer. A counter is claimed by the one producer whose
//! > compare-and-swap moved `tail` past it, and only while its slot was free; the consumer takes
//! > counters in order.
//!
//! (Vyukov's stages are `c` and `c + 1`, which one slot cannot tell apart; doubled, a queue of one
//! slot is a queue, too.) Records come out in the order in which their counters were claimed: that
//! order is what the gateway logs.
//!
//! A producer that is stopped between its claim and its stage hides the records behind its own
//! until it goes on. In between there is one copy of a `T: Copy`: no call, no panic, no wait.

#![expect(unsafe_code, reason = "a slot is handed between threads without a lock")]

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

use crate::spsc::{CAPACITY_MAX, CacheLinePair, CapacityError, PopError};
use crate::sync::{Arc, AtomicBool, AtomicU64, Ordering, UnsafeCell};

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;

/// Makes a queue of `capacity` slots: a power of two, at most [`CAPACITY_MAX`].
///
/// All memory is allocated here and none later. The producer can be cloned, the consumer cannot.
///
/// ```
/// let (producer, mut consumer) = cwts_ring::mpsc::<u64>(8)?;
/// let other = producer.clone();
/// std::thread::spawn(move || other.push(1)).join().unwrap()?;
/// producer.push_all(&[2, 3])?;
/// drop(producer);
/// let mut taken = Vec::new();
/// assert_eq!(consumer.pop_into(&mut taken, 8), 3);
/// assert_eq!(taken, [1, 2, 3]);
/// assert_eq!(consumer.pop(), Err(cwts_ring::PopError::Closed));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A consumer is not shared: neither `Sync` nor `Clone`.
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: &T) {}
/// shared(&cwts_ring::mpsc::<u64>(8).unwrap().1);
/// ```
pub fn mpsc<T: Copy + Send>(
    capacity: usize,
) -> Result<(MpscProducer<T>, MpscConsumer<T>), CapacityError> {
    if !capacity.is_power_of_two() || capacity > CAPACITY_MAX {
        return Err(CapacityError { capacity });
    }
    let ring = Arc::new(Ring {
        tail: CacheLinePair(AtomicU64::new(0)),
        producers: CacheLinePair(AtomicU64::new(1)),
        closed: AtomicBool::new(false),
        slots: (0..capacity as u64).map(Slot::free_for).collect(),
    });
    let producer = MpscProducer { ring: Arc::clone(&ring) };
    Ok((producer, MpscConsumer { ring, head: 0, not_sync: PhantomData }))
}

/// One of the ends that append. Dropping the last one closes the queue; what they pushed can
/// still be popped.
pub struct MpscProducer<T> {
    ring: Arc<Ring<T>>,
}

impl<T: Copy + Send> MpscProducer<T> {
    /// Appends `record`, or gives it back when the queue is full or its consumer is gone.
    ///
    /// # Errors
    /// [`PushError::Full`]: nothing was appended, and nobody waits for it; try again later.
    /// [`PushError::Closed`]: the consumer is gone. (It may go right after a push that was taken:
    /// whoever must know asks for an answer.)
    #[inline]
    pub fn push(&self, record: T) -> Result<(), PushError<T>> {
        match self.claim(1) {
            Ok(counter) => {
                self.fill(counter, record);
                Ok(())
            }
            Err(Refused::Full) => Err(PushError::Full(record)),
            Err(Refused::Closed) => Err(PushError::Closed(record)),
        }
    }

    /// Appends all of `records` next to each other, or none of them.
    ///
    /// The consumer may see the first before the last is there; no other producer's record ever
    /// stands between them.
    ///
    /// # Errors
    /// As for [`MpscProducer::push`]. More records than the queue has slots never fit.
    #[inline]
    pub fn push_all(&self, records: &[T]) -> Result<(), PushError<()>> {
        if records.is_empty() {
            return Ok(());
        }
        let first = self.claim(records.len() as u64).map_err(|refused| match refused {
            Refused::Full => PushError::Full(()),
            Refused::Closed => PushError::Closed(()),
        })?;
        for (counter, record) in (first..).zip(records) {
            self.fill(counter, *record);
        }
        Ok(())
    }

    /// Number of slots.
    pub fn capacity(&self) -> usize {
        self.ring.slots.len()
    }

    /// Whether the consumer was dropped. All that it did before is then visible here.
    pub fn is_closed(&self) -> bool {
        // Acquire: pairs with the Release in the consumer's `drop`.
        self.ring.closed.load(Ordering::Acquire)
    }

    /// Claims `count` counters next to each other and gives the first: their slots are free, and
    /// this producer's alone. `count` is at least 1.
    #[inline(always)]
    fn claim(&self, count: u64) -> Result<u64, Refused> {
        if self.is_closed() {
            return Err(Refused::Closed);
        }
        if count > self.ring.slots.len() as u64 {
            return Err(Refused::Full);
        }
        // Relaxed: an old tail is found out by its slot's stage or by the swap.
        let mut tail = self.ring.tail.load(Ordering::Relaxed);
        loop {
            let last = tail + (count - 1);
            // The consumer frees slots in order, so the last one answers for all. Acquire: pairs
            // with its Release in `free`; its reads of these slots happened before this load.
            let stage = self.ring.slot(last).stage.load(Ordering::Acquire);
            if stage < 2 * last {
                // Some slot holds, or waits for, the record of a round before.
                return Err(Refused::Full);
            }
            if stage > 2 * last {
                // Others have claimed this counter since we looked.
                tail = self.ring.tail.load(Ordering::Relaxed);
                continue;
            }
            // Relaxed: the swap makes the counters ours, and hands nothing over; the stages do.
            match self.ring.tail.compare_exchange_weak(
                tail,
                tail + count,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(tail),
                Err(moved) => tail = moved,
            }
        }
    }

    /// Writes the record of a counter that `claim` gave, and shows it to the consumer.
    #[inline(always)]
    fn fill(&self, counter: u64, record: T) {
        let slot = self.ring.slot(counter);
        slot.record.with_mut(|place| {
            // SAFETY: `claim` gave `counter` to this producer alone, and had seen its slot free:
            // at stage `2c` by the Acquire load, so the consumer's read of the slot's former
            // record happened before. The stage is still `2c`, for only this producer may move it
            // on, so the consumer does not read and no other producer writes here. `place` comes
            // from a live `UnsafeCell<MaybeUninit<T>>`, hence valid and aligned for `T`.
            unsafe { place.cast::<T>().write(record) }
        });
        slot.stage.store(2 * counter + 1, PUBLISH);
    }
}

impl<T> Clone for MpscProducer<T> {
    fn clone(&self) -> Self {
        // Relaxed: the count cannot reach 0 while `self` is one of those counted. It cannot wrap:
        // `Arc::clone` ends the process before that many handles exist.
        self.ring.producers.fetch_add(1, Ordering::Relaxed);
        Self { ring: Arc::clone(&self.ring) }
    }
}

impl<T> Drop for MpscProducer<T> {
    fn drop(&mut self) {
        // Release: who sees a count sees every stage stored by the producers that left before.
        self.ring.producers.fetch_sub(1, Ordering::Release);
    }
}

impl<T> fmt::Debug for MpscProducer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MpscProducer").field("capacity", &self.ring.slots.len()).finish()
    }
}

/// The end that takes. Dropping it closes the queue; what is still inside is then lost.
pub struct MpscConsumer<T> {
    ring: Arc<Ring<T>>,
    /// Records taken so far; nobody else knows.
    head: u64,
    not_sync: PhantomData<Cell<()>>,
}

impl<T: Copy + Send> MpscConsumer<T> {
    /// Takes the oldest record.
    ///
    /// [`PopError::Closed`] means that all producers are gone and everything was taken.
    #[inline]
    pub fn pop(&mut self) -> Result<T, PopError> {
        if !self.is_ready() {
            if !self.is_closed() {
                return Err(PopError::Empty);
            }
            // The flag before the stage: producers push and then drop, so a flag that was seen
            // promises that this second look sees their last push.
            if !self.is_ready() {
                return Err(PopError::Closed);
            }
        }
        Ok(self.take())
    }

    /// Appends up to `count_max` of the oldest records to `records`; returns how many that was.
    ///
    /// `records` grows by no more than the queue's capacity, whatever `count_max` says. 0 says
    /// `Empty` or `Closed`: [`MpscConsumer::pop`] tells which.
    #[inline]
    pub fn pop_into(&mut self, records: &mut Vec<T>, count_max: usize) -> usize {
        let count_max = count_max.min(self.capacity());
        let mut count = 0;
        while count < count_max && self.is_ready() {
            // The room comes first: an allocation that fails must not lose a record.
            records.reserve(1);
            records.push(self.take());
            count += 1;
        }
        count
    }

    /// Whether a record can be taken now.
    #[inline]
    pub fn is_ready(&self) -> bool {
        // Acquire: pairs with PUBLISH; the producer's write of the slot happened before.
        self.ring.slot(self.head).stage.load(Ordering::Acquire) == 2 * self.head + 1
    }

    /// Number of slots.
    pub fn capacity(&self) -> usize {
        self.ring.slots.len()
    }

    /// Whether all producers were dropped. What they pushed before may still be waiting.
    pub fn is_closed(&self) -> bool {
        // Acquire: pairs with the Release in the producers' `drop`; each of them is in the
        // release sequence of those before.
        self.ring.producers.load(Ordering::Acquire) == 0
    }

    /// Takes the record of `head`; `is_ready` has just said yes.
    #[inline(always)]
    fn take(&mut self) -> T {
        let slot = self.ring.slot(self.head);
        let record = slot.record.with(|place| {
            // SAFETY: `is_ready` loaded the stage `2 * head + 1` with Acquire, so the slot holds
            // the record of `head`: its producer had initialised it before it stored that stage.
            // No producer writes it again before the stage is `2(head + capacity)`, which only
            // this consumer stores, below. `&mut self` excludes a second consumer, and `T: Copy`
            // lets the bytes stay behind.
            unsafe { place.cast::<T>().read() }
        });
        let next = self.head + self.ring.slots.len() as u64;
        // Release: our read of the slot happens before a producer sees it free.
        slot.stage.store(2 * next, Ordering::Release);
        self.head += 1;
        record
    }
}

impl<T> Drop for MpscConsumer<T> {
    fn drop(&mut self) {
        // Release: who sees the flag sees all that this end did before.
        self.ring.closed.store(true, Ordering::Release);
    }
}

impl<T> fmt::Debug for MpscConsumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MpscConsumer").field("head", &self.head).finish_non_exhaustive()
    }
}

/// Why nothing was appended; it carries the record back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushError<T> {
    /// The consumer is gone: nothing will be taken any more.
    #[error("the queue's consumer is gone")]
    Closed(T),
    /// There was no room; the consumer makes some as it takes.
    #[error("the queue is full")]
    Full(T),
}

/// [`PushError`] before the record comes into it.
enum Refused {
    Closed,
    Full,
}

struct Ring<T> {
    /// Counters claimed so far.
    tail: CacheLinePair<AtomicU64>,
    /// Producers alive.
    producers: CacheLinePair<AtomicU64>,
    /// Set once, when the consumer goes.
    closed: AtomicBool,
    /// The slot of counter `c` is `c mod capacity`; who owns it is the invariant above.
    slots: Box<[Slot<T>]>,
}

/// A stage and its record on cache lines of their own: neighbours are written by other threads.
#[repr(align(128))]
struct Slot<T> {
    stage: AtomicU64,
    record: UnsafeCell<MaybeUninit<T>>,
}

impl<T> Slot<T> {
    fn free_for(counter: u64) -> Self {
        Self { stage: AtomicU64::new(2 * counter), record: UnsafeCell::new(MaybeUninit::uninit()) }
    }
}

impl<T> Ring<T> {
    #[inline(always)]
    fn slot(&self, counter: u64) -> &Slot<T> {
        // The capacity is a power of two, so the mask is the remainder.
        &self.slots[counter as usize & (self.slots.len() - 1)]
    }
}

// SAFETY: by the invariant at the head of this file a slot has one owner at any moment: the
// producer that claimed its counter while the stage is `2c`, the consumer while it is `2c + 1`.
// Ownership passes with a Release store and an Acquire load of the stage, and counters are claimed
// by a compare-and-swap, so no two threads touch a record at once. A record crosses threads by
// value, hence `T: Send`.
unsafe impl<T: Send> Sync for Ring<T> {}

/// Release, or the bug that the canaries must find.
const PUBLISH: Ordering =
    if cfg!(planted = "relaxed_mpsc_publish") { Ordering::Relaxed } else { Ordering::Release };

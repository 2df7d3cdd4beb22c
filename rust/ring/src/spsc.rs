//! A bounded queue with one producer and one consumer.
//!
//! Source: Lamport, "Proving the Correctness of Multiprocess Programs" (1977), on 64-bit
//! counters that only grow: at one record a nanosecond they wrap after 584 years. Each side
//! remembers the other's counter and looks again only when it would have to stop (Lee, Bu and
//! Chandranmenon, "A Lock-Free, Cache-Efficient Shared Ring Buffer", 2009).
//!
//! The invariant on which every `SAFETY` argument below rests:
//!
//! > `head <= tail <= head + capacity`; the slots of the counters `head..tail` hold records and
//! > are the consumer's, the others are the producer's; only the producer stores `tail`, only
//! > the consumer stores `head`.
//!
//! A remembered counter is an old value of one that only grows, so each side's view is narrower
//! than the truth and never wider: `head_cached <= head` and `tail_cached <= tail`.

#![expect(unsafe_code, reason = "a slot is handed between two threads without a lock")]

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

use crate::sync::{Arc, AtomicBool, AtomicU64, Ordering, UnsafeCell};

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;

/// Makes a queue of `capacity` slots: a power of two, at most [`CAPACITY_MAX`].
///
/// All memory is allocated here and none later. Each endpoint can be sent to a thread of its
/// own, where it stays: one producer and one consumer is what the types say.
///
/// ```
/// let (mut producer, mut consumer) = cwts_ring::spsc::<u64>(8)?;
/// producer.push_all(&[1, 2])?;
/// drop(producer);
/// assert_eq!(consumer.pop(), Ok(1));
/// assert_eq!(consumer.pop(), Ok(2));
/// assert_eq!(consumer.pop(), Err(cwts_ring::PopError::Closed));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// An endpoint is not shared: neither `Sync` nor `Clone`.
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: &T) {}
/// shared(&cwts_ring::spsc::<u64>(8).unwrap().0);
/// ```
pub fn spsc<T: Copy + Send>(capacity: usize) -> Result<(Producer<T>, Consumer<T>), CapacityError> {
    if !capacity.is_power_of_two() || capacity > CAPACITY_MAX {
        return Err(CapacityError { capacity });
    }
    let ring = Arc::new(Ring {
        head: CacheLinePair(AtomicU64::new(0)),
        tail: CacheLinePair(AtomicU64::new(0)),
        closed: AtomicBool::new(false),
        slots: (0..capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect(),
    });
    let producer =
        Producer { ring: Arc::clone(&ring), tail: 0, head_cached: 0, not_sync: PhantomData };
    let consumer = Consumer { ring, head: 0, tail_cached: 0, not_sync: PhantomData };
    Ok((producer, consumer))
}

/// The end that appends. Dropping it closes the queue; what it pushed can still be popped.
pub struct Producer<T> {
    ring: Arc<Ring<T>>,
    /// Our counter: the shared `tail` is its last published value.
    tail: u64,
    /// The consumer's counter when we last looked: `head_cached <= head`.
    head_cached: u64,
    not_sync: PhantomData<Cell<()>>,
}

impl<T: Copy + Send> Producer<T> {
    /// Appends `record`, or gives it back when the queue is full.
    ///
    /// A queue whose consumer is gone fills up and stays full: [`Producer::is_closed`] tells.
    #[inline]
    pub fn push(&mut self, record: T) -> Result<(), T> {
        if self.room(1) == 0 {
            return Err(record);
        }
        self.ring.slot(self.tail).with_mut(|slot| {
            // SAFETY: `room` found `tail - head < capacity`, so by the invariant the slot of
            // counter `tail` is the producer's: the consumer reads only `head..tail`, and its
            // read of this slot's former record happened before the `head` that `room` loaded
            // with Acquire. `&mut self` excludes a second producer. `slot` comes from a live
            // `UnsafeCell<MaybeUninit<T>>`, hence valid and aligned for `T`.
            unsafe { slot.cast::<T>().write(record) }
        });
        self.publish(1);
        Ok(())
    }

    /// Appends as many of `records` as there is room for, in order, under one store; returns
    /// how many that was.
    #[inline]
    pub fn push_slice(&mut self, records: &[T]) -> usize {
        let count = self.room(records.len() as u64).min(records.len() as u64);
        for (tail, record) in (self.tail..).zip(&records[..count as usize]) {
            self.ring.slot(tail).with_mut(|slot| {
                // SAFETY: `tail < self.tail + count` and `room` found `count` free slots, so
                // `tail - head < capacity` and by the invariant the slot is the producer's;
                // the consumer left it before it published the `head` that `room` loaded with
                // Acquire. `&mut self` excludes a second producer. `slot` comes from a live
                // `UnsafeCell<MaybeUninit<T>>`, hence valid and aligned for `T`.
                unsafe { slot.cast::<T>().write(*record) }
            });
        }
        self.publish(count);
        count as usize
    }

    /// Appends all of `records` under one store, or none: the consumer never sees a part.
    #[inline]
    pub fn push_all(&mut self, records: &[T]) -> Result<(), Full> {
        let free = self.room(records.len() as u64) as usize;
        if free < records.len() {
            return Err(Full { wanted: records.len(), free, capacity: self.capacity() });
        }
        self.push_slice(records);
        Ok(())
    }

    /// Whether `wanted` slots are free. The consumer's counter is looked at only when the one that
    /// is remembered does not show that many, so a queue that is far from full costs no cache miss.
    #[inline]
    pub fn has_room(&mut self, wanted: usize) -> bool {
        self.room(wanted as u64) >= wanted as u64
    }

    /// Number of slots free now. It can only grow until the next push.
    #[inline]
    pub fn free(&mut self) -> usize {
        self.room(u64::MAX) as usize
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

    /// Free slots, looked up anew only when the remembered `head` shows fewer than `wanted`.
    #[inline(always)]
    fn room(&mut self, wanted: u64) -> u64 {
        let capacity = self.ring.slots.len() as u64;
        let room = capacity - (self.tail - self.head_cached);
        if room >= wanted {
            return room;
        }
        // Acquire: pairs with the consumer's Release in `release`; its reads of the slots that
        // we are about to overwrite happened before this load.
        self.head_cached = self.ring.head.load(Ordering::Acquire);
        capacity - (self.tail - self.head_cached)
    }

    /// Hands the next `count` slots, already written, to the consumer.
    #[inline(always)]
    fn publish(&mut self, count: u64) {
        self.tail += count;
        self.ring.tail.store(self.tail, PUBLISH);
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        // Release: who sees the flag sees every `tail` stored before it.
        self.ring.closed.store(true, Ordering::Release);
    }
}

impl<T> fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("tail", &self.tail).finish_non_exhaustive()
    }
}

/// The end that takes. Dropping it closes the queue; what is still inside is then lost.
pub struct Consumer<T> {
    ring: Arc<Ring<T>>,
    /// Our counter: the shared `head` is its last published value.
    head: u64,
    /// The producer's counter when we last looked: `tail_cached <= tail`.
    tail_cached: u64,
    not_sync: PhantomData<Cell<()>>,
}

impl<T: Copy + Send> Consumer<T> {
    /// Takes the oldest record.
    ///
    /// [`PopError::Closed`] means that the producer is gone and everything it pushed was taken.
    #[inline]
    pub fn pop(&mut self) -> Result<T, PopError> {
        if self.tail_cached == self.head {
            // The flag before the counter: a producer pushes and then drops, so a flag seen
            // here promises that the load of `tail` below sees its last push.
            let closed = self.is_closed();
            if self.ready(1) == 0 {
                return Err(if closed { PopError::Closed } else { PopError::Empty });
            }
        }
        let record = self.ring.slot(self.head).with(|slot| {
            // SAFETY: `head < tail_cached <= tail`, so by the invariant the slot of counter
            // `head` holds a record and is the consumer's: the producer initialised it before
            // it published the `tail` that `ready` loaded with Acquire, and writes it again
            // only after our store of `head`. `&mut self` excludes a second consumer, and
            // `T: Copy` lets the bytes stay behind.
            unsafe { slot.cast::<T>().read() }
        });
        self.release(1);
        Ok(record)
    }

    /// Takes up to `records.len()` of the oldest records into the front of `records`; returns
    /// how many that was. 0 says `Empty` or `Closed`: [`Consumer::pop`] tells which.
    #[inline]
    pub fn pop_slice(&mut self, records: &mut [T]) -> usize {
        let count_max = records.len();
        let mut rest = records.iter_mut();
        self.take(count_max, |record| {
            if let Some(place) = rest.next() {
                *place = record;
            }
        })
    }

    /// Appends up to `count_max` of the oldest records to `records`; returns how many that was.
    ///
    /// `records` grows by no more than the queue's capacity, whatever `count_max` says.
    #[inline]
    pub fn pop_into(&mut self, records: &mut Vec<T>, count_max: usize) -> usize {
        // The room comes first: an allocation that fails must not lose records.
        let count = (self.ready(count_max as u64) as usize).min(count_max);
        records.reserve(count);
        self.take(count, |record| records.push(record))
    }

    /// Whether a record can be taken now.
    #[inline]
    pub fn is_ready(&mut self) -> bool {
        self.ready(1) > 0
    }

    /// Number of slots.
    pub fn capacity(&self) -> usize {
        self.ring.slots.len()
    }

    /// Whether the producer was dropped. What it pushed before may still be waiting.
    pub fn is_closed(&self) -> bool {
        // Acquire: pairs with the Release in the producer's `drop`.
        self.ring.closed.load(Ordering::Acquire)
    }

    /// Hands the oldest records, at most `count_max`, to `sink`, and frees their slots at once.
    #[inline(always)]
    fn take(&mut self, count_max: usize, mut sink: impl FnMut(T)) -> usize {
        let count = self.ready(count_max as u64).min(count_max as u64);
        for head in self.head..self.head + count {
            sink(self.ring.slot(head).with(|slot| {
                // SAFETY: `head < self.head + count <= tail`, so by the invariant this slot
                // holds a record and is the consumer's: the producer initialised it before it
                // published the `tail` that `ready` loaded with Acquire, and writes it again
                // only after `release` below. `&mut self` excludes a second consumer, and
                // `T: Copy` lets the bytes stay behind.
                unsafe { slot.cast::<T>().read() }
            }));
        }
        self.release(count);
        count as usize
    }

    /// Records waiting, looked up anew only when the remembered `tail` shows fewer than `wanted`.
    #[inline(always)]
    fn ready(&mut self, wanted: u64) -> u64 {
        let ready = self.tail_cached - self.head;
        if ready >= wanted {
            return ready;
        }
        // Acquire: pairs with PUBLISH; the producer's writes of these slots happened before.
        self.tail_cached = self.ring.tail.load(Ordering::Acquire);
        self.tail_cached - self.head
    }

    /// Hands the oldest `count` slots, already read, back to the producer.
    #[inline(always)]
    fn release(&mut self, count: u64) {
        self.head += count;
        // Release: our reads of the slots happen before the producer sees them free.
        self.ring.head.store(self.head, Ordering::Release);
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        // Release: who sees the flag sees all that this end did before.
        self.ring.closed.store(true, Ordering::Release);
    }
}

impl<T> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("head", &self.head).finish_non_exhaustive()
    }
}

/// A number of slots that no queue can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("capacity: {capacity} is not a power of two in 1..={CAPACITY_MAX}")]
pub struct CapacityError {
    /// The number asked for.
    pub capacity: usize,
}

/// Too few slots were free for all of a [`Producer::push_all`]; none was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("queue of {capacity} slots: {wanted} wanted at once, {free} free")]
pub struct Full {
    /// Slots that the records need. Above `capacity` they will never fit.
    pub wanted: usize,
    /// Slots that were free.
    pub free: usize,
    /// Slots of the queue.
    pub capacity: usize,
}

/// Why there is no record to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PopError {
    /// The producer is gone and all that it pushed was taken: there will be no more.
    #[error("queue is empty and its producer is gone")]
    Closed,
    /// Nothing is waiting now.
    #[error("queue is empty")]
    Empty,
}

struct Ring<T> {
    /// Records taken so far; stored by the consumer only.
    head: CacheLinePair<AtomicU64>,
    /// Records appended so far; stored by the producer only.
    tail: CacheLinePair<AtomicU64>,
    /// Set once, by whichever end is dropped first; that end itself never reads it again.
    closed: AtomicBool,
    /// The slot of counter `c` is `c mod capacity`; who owns it is the invariant above.
    slots: Box<[UnsafeCell<MaybeUninit<T>>]>,
}

impl<T> Ring<T> {
    #[inline(always)]
    fn slot(&self, counter: u64) -> &UnsafeCell<MaybeUninit<T>> {
        // The capacity is a power of two, so the mask is the remainder.
        &self.slots[counter as usize & (self.slots.len() - 1)]
    }
}

// SAFETY: by the invariant at the head of this file a slot has one owner at any moment, and
// ownership passes with a Release store and an Acquire load of `tail` or `head`, so no two
// threads touch a slot at once; only the two endpoints, neither of them `Clone` or `Sync`, hold
// a ring. A record crosses threads by value, hence `T: Send`.
unsafe impl<T: Send> Sync for Ring<T> {}

/// A value on 128 bytes of its own: x86 fetches lines of 64 in pairs, and a neighbour's store
/// would take the line away.
#[repr(align(128))]
pub(crate) struct CacheLinePair<T>(pub(crate) T);

impl<T> std::ops::Deref for CacheLinePair<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}

/// The most slots of one queue: 512 MiB at 128 bytes a slot.
pub const CAPACITY_MAX: usize = 1 << 22;

/// Release, or the bug that the canaries must find.
const PUBLISH: Ordering =
    if cfg!(planted = "relaxed_publish") { Ordering::Relaxed } else { Ordering::Release };

//! The gateway's end of one producer.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cwts_ring::{Consumer, Doorbell, Producer, spsc};
use cwts_types::{Body, Entry, RegisterKind, Violation, producer as ids};

use super::{ANSWER_SLOTS, Answer, Posted};
use crate::GatewayError;

/// What the gateway keeps of an open producer.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(super) handle: u32,
    answers: Producer<Answer>,
    door: Arc<Door>,
    /// Orders taken from the queue, cancels not counted.
    pub(super) orders_taken: u64,
    /// Orders and cancels taken from the queues.
    pub(super) taken: u64,
    /// Cancels of orders that are not decided yet, in the order they came.
    pub(super) early: VecDeque<Posted>,
    /// Answers were left since the bell rang.
    owes_a_ring: bool,
}

/// What the two ends of a producer share.
#[derive(Debug, Default)]
pub(super) struct Door {
    /// Whoever waits for an answer waits here.
    pub(super) bell: Doorbell,
    /// Violations of refusals, by ticket: they are too many for an answer's slot.
    pub(super) violations: Mutex<VecDeque<(u64, Vec<Violation>)>>,
    /// The caller's end is closed, and had sent this many.
    is_closed: AtomicBool,
    sent: AtomicU64,
}

impl Door {
    /// The caller sends no more.
    pub(super) fn close(&self, sent: u64) {
        self.sent.store(sent, Ordering::Relaxed);
        // Release: whoever sees the flag sees the count.
        self.is_closed.store(true, Ordering::Release);
    }
}

/// The caller's end of an open producer.
#[derive(Debug)]
pub(super) struct CallerEnd {
    pub(super) answers: Consumer<Answer>,
    pub(super) door: Arc<Door>,
}

/// Both ends of a producer.
pub(super) fn pair(handle: u32) -> Result<(Seat, CallerEnd), GatewayError> {
    let made = spsc(ANSWER_SLOTS).map_err(|error| GatewayError::Replay(error.to_string()));
    let (answers, taken) = made?;
    let door = Arc::new(Door::default());
    let seat = Seat {
        handle,
        answers,
        door: Arc::clone(&door),
        orders_taken: 0,
        taken: 0,
        early: VecDeque::new(),
        owes_a_ring: false,
    };
    Ok((seat, CallerEnd { answers: taken, door }))
}

/// A place for one more producer; `None` when the actor has an open one. Places whose producers are
/// closed, and whose last orders were decided, are free again.
pub(super) fn free_seat(seats: &mut [Option<Seat>], handle: u32) -> Option<usize> {
    for place in &mut *seats {
        let Some(seat) = place else { continue };
        let is_closed = seat.door.is_closed.load(Ordering::Acquire);
        if is_closed && seat.taken == seat.door.sent.load(Ordering::Relaxed) {
            *place = None;
        } else if !is_closed && seat.handle == handle {
            return None;
        }
    }
    Some(seats.iter().position(Option::is_none).unwrap_or(seats.len()))
}

impl Seat {
    /// Leaves an answer; `false` if it found no room, which a producer's own bounds exclude.
    pub(super) fn answer(&mut self, answer: Answer, violations: Vec<Violation>) -> bool {
        if self.answers.is_closed() {
            // Nobody will ask; the log has it.
            return true;
        }
        if answer.has_violations {
            // Queued before the answer is published, so whoever takes it finds them.
            let mut queue = self.door.violations.lock().unwrap_or_else(PoisonError::into_inner);
            queue.push_back((answer.ticket, violations));
        }
        self.owes_a_ring = true;
        self.answers.push(answer).is_ok() || self.answers.is_closed()
    }

    /// Wakes whoever waits for answers that were left.
    pub(super) fn ring(&mut self) {
        if std::mem::take(&mut self.owes_a_ring) {
            self.door.bell.ring();
        }
    }
}

/// Counts what named producers wrote, as a log is folded.
pub(crate) fn fold_producer(named: &mut Vec<u64>, entry: &Entry) {
    if let Body::Register(register) = &entry.body
        && register.kind == RegisterKind::Actor
        && register.handle as usize == named.len() + 1
    {
        named.push(0);
    }
    // Only what was registered is counted: an id out of nowhere allocates nothing.
    let index = entry.header.producer.checked_sub(ids::NAMED + 1);
    if let Some(count) = index.and_then(|index| named.get_mut(index as usize)) {
        *count = entry.header.producer_seq + 1;
    }
}

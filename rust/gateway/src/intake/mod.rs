//! Many producers in front of one gateway.
//!
//! Source: design note "risk", section 8. A producer is a name, and an id in the log under which
//! its entries are numbered without a gap, across restarts. It pushes orders into one bounded queue
//! without taking the gateway's lock; whoever drains the queue holds that lock, decides in the
//! order of the queue, and answers each producer through a bounded queue of its own.
//!
//! What is kept:
//!
//! - **One decision an order.** What was pushed is decided once and answered once, or is still
//!   undecided when the gateway closes, and its caller is told so.
//! - **Order.** Each producer's orders are decided and logged in the order in which it sent them.
//! - **Cancels first.** They have a queue of their own, drained before every order, and large
//!   enough for all that all producers may send. A cancel overtakes its producer's orders only when
//!   the order that it names is working; else it waits for those that were sent before it, or it
//!   would miss its order. Halts never come through a queue: the kill page is read before each
//!   order.
//! - **Bounds.** A producer may have [`ORDERS_OPEN_MAX`] orders and [`CANCELS_OPEN_MAX`] cancels
//!   whose answers nobody took, so an answer always finds room and the gateway never waits for a
//!   producer. Whatever is full refuses its caller; nothing is dropped.

mod drain;
mod producer;
mod seat;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cwts_ring::{CapacityError, Doorbell, MpscProducer, mpsc};
use cwts_types::{Decision, Order, RegisterKind, Violation, producer as ids};

pub use drain::{Drain, serve};
pub use producer::Producer;
pub(crate) use seat::{Seat, fold_producer};

use crate::{Gateway, GatewayError};

/// The callers' side of the queues in front of one gateway.
#[derive(Debug)]
pub struct Intake {
    lanes: Lanes,
}

/// What every producer has of the intake.
#[derive(Debug, Clone)]
struct Lanes {
    orders: MpscProducer<Posted>,
    cancels: MpscProducer<Posted>,
    shared: Arc<Shared>,
}

/// What both sides see.
#[derive(Debug, Default)]
struct Shared {
    /// Whoever drains waits here.
    bell: Doorbell,
    /// Nothing more is taken from callers.
    is_stopping: AtomicBool,
    /// Nothing more will be decided.
    has_stopped: AtomicBool,
    /// The first error that kept an order from being decided.
    why: Mutex<Option<String>>,
}

impl Shared {
    fn note(&self, error: &GatewayError) {
        let mut why = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        why.get_or_insert_with(|| match error {
            GatewayError::LogFailed { why } => why.clone(),
            other => other.to_string(),
        });
    }

    /// Why an order was not decided.
    fn error(&self) -> GatewayError {
        let why = self.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
        why.map_or(GatewayError::Closed, |why| GatewayError::LogFailed { why })
    }
}

/// One order on its way to the gateway.
#[derive(Debug, Clone, Copy)]
struct Posted {
    order: Order,
    /// The producer's own number of it.
    ticket: u64,
    /// Orders that the producer had sent before it, cancels not counted.
    orders_before: u64,
    seat: u32,
    /// Whether a thread waits for this very answer.
    is_awaited: bool,
    tag: Tag,
}

/// What a caller wants back beside the answer; the gateway does not look at it.
pub type Tag = [u32; 3];

/// One decision on its way back.
#[derive(Debug, Clone, Copy)]
struct Answer {
    /// `None` when the gateway has failed.
    decision: Option<Decision>,
    ticket: u64,
    tag: Tag,
    is_awaited: bool,
    is_cancel: bool,
    /// It waits in the door's side queue.
    has_violations: bool,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The producer's own number of it, from 0.
    pub ticket: u64,
    /// The decision.
    pub decision: Decision,
    /// One for each bit of its reasons.
    pub violations: Vec<Violation>,
    /// As it was given.
    pub tag: Tag,
}

impl Intake {
    /// Makes the queues; whoever owns the [`Drain`] empties them.
    ///
    /// # Errors
    /// None that can happen: the sizes are powers of two.
    pub fn new() -> Result<(Self, Drain), GatewayError> {
        let unfit = |error: CapacityError| GatewayError::Replay(error.to_string());
        let (orders, orders_out) = mpsc(ORDER_SLOTS).map_err(unfit)?;
        let (cancels, cancels_out) = mpsc(CANCEL_SLOTS).map_err(unfit)?;
        let shared = Arc::new(Shared::default());
        let drain = Drain::new(orders_out, cancels_out, Arc::clone(&shared));
        Ok((Self { lanes: Lanes { orders, cancels, shared } }, drain))
    }

    /// Opens a producer: under its old id and number if the log knows its name.
    ///
    /// # Errors
    /// The name is unfit or open already, there are too many, or the log has failed.
    pub fn open(&self, gateway: &mut Gateway, name: &str) -> Result<Producer, GatewayError> {
        let refuse = |why: String| {
            let name = name.chars().take(NAME_BYTES_MAX).collect();
            Err(GatewayError::Producer { name, why })
        };
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            return refuse(format!("must have 1 to {NAME_BYTES_MAX} bytes, none of control"));
        }
        if self.lanes.shared.is_stopping.load(Ordering::Acquire) {
            return Err(self.lanes.shared.error());
        }
        gateway.attend()?;
        let handle = match gateway.engine.registry().handle(RegisterKind::Actor, name) {
            Some(handle) => handle,
            None => {
                let known = gateway.engine.registry().len(RegisterKind::Actor);
                if known as usize >= NAMES_MAX {
                    return refuse(format!("the log knows {known} producers, and takes no more"));
                }
                let now = gateway.clock.now();
                gateway.flush_gaps(now);
                gateway.register(RegisterKind::Actor, None, name, now)?;
                known + 1
            }
        };
        if gateway.named.len() < handle as usize {
            gateway.named.resize(handle as usize, 0);
        }
        let Some(seat) = seat::free_seat(&mut gateway.seats, handle) else {
            return refuse("is open already; close it first, or share it".to_owned());
        };
        if seat >= PRODUCERS_OPEN_MAX {
            return refuse(format!("{PRODUCERS_OPEN_MAX} producers are open; close one first"));
        }
        let (ours, theirs) = seat::pair(handle)?;
        match gateway.seats.get_mut(seat) {
            Some(place) => *place = Some(ours),
            None => gateway.seats.push(Some(ours)),
        }
        Ok(Producer::new(name, ids::NAMED + handle, seat as u32, self.lanes.clone(), theirs))
    }

    /// Lets nobody send any more; whoever drains finishes what is there, and ends.
    pub fn stop(&self) {
        self.lanes.shared.is_stopping.store(true, Ordering::Release);
        self.lanes.shared.bell.ring();
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Orders of one producer whose answers nobody took.
pub const ORDERS_OPEN_MAX: usize = 7_936;
/// Cancels of one producer whose answers nobody took.
pub const CANCELS_OPEN_MAX: usize = 256;
/// Producers open at the same time.
pub const PRODUCERS_OPEN_MAX: usize = 64;
/// Producers that one log knows by name.
pub const NAMES_MAX: usize = 1_024;
/// Longest name of a producer.
pub const NAME_BYTES_MAX: usize = 64;
/// Orders of all producers before they are decided: 2 MiB, 5 ms of a busy gateway.
pub const ORDER_SLOTS: usize = 16_384;
/// Cancels of all producers: as many as all of them may have open, so it is never full.
const CANCEL_SLOTS: usize = PRODUCERS_OPEN_MAX * CANCELS_OPEN_MAX;
/// Answers of one producer: as many as it may have open, so it is never full.
const ANSWER_SLOTS: usize = ORDERS_OPEN_MAX + CANCELS_OPEN_MAX;
const _: () = assert!(ANSWER_SLOTS.is_power_of_two() && CANCEL_SLOTS.is_power_of_two());

//! The gateway's side: takes orders in the order of the queue, decides, answers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use cwts_ring::MpscConsumer;
use cwts_types::{OrderKind, ReleaseMode, Verdict};

use super::{Answer, Posted, Shared, Tag};
use crate::Gateway;
use crate::gateway::{Sender, Submitted, is_cancel};

/// Empties the queues in front of one gateway. One thread at a time, as the type says.
#[derive(Debug)]
pub struct Drain {
    orders: MpscConsumer<Posted>,
    cancels: MpscConsumer<Posted>,
    shared: Arc<Shared>,
    /// Decided under this lock, and not answered yet.
    decided: Vec<Decided>,
}

/// One order between its decision and its answer.
#[derive(Debug)]
struct Decided {
    seat: u32,
    ticket: u64,
    tag: Tag,
    is_awaited: bool,
    /// The decision, and whether it is in the log; `None` when the gateway has failed.
    submitted: Option<(Submitted, bool)>,
    /// The switch's number that the decision was made under.
    decided_at: u64,
    is_cancel: bool,
}

impl Drain {
    pub(super) fn new(
        orders: MpscConsumer<Posted>,
        cancels: MpscConsumer<Posted>,
        shared: Arc<Shared>,
    ) -> Self {
        Self { orders, cancels, shared, decided: Vec::with_capacity(2 * ORDERS_AT_ONCE) }
    }

    /// Decides what waits, [`ORDERS_AT_ONCE`] orders at most, and answers it; gives how many.
    ///
    /// All of it shares one wait for the disk when the release mode asks for one.
    pub fn drain(&mut self, gateway: &mut Gateway) -> usize {
        self.decide_waiting(gateway);
        let count = self.decided.len();
        self.answer(gateway);
        count
    }

    pub(super) fn decide_waiting(&mut self, gateway: &mut Gateway) {
        for _ in 0..ORDERS_AT_ONCE {
            self.take_cancels(gateway);
            let Ok(posted) = self.orders.pop() else { break };
            self.decide(gateway, &posted);
            self.take_early(gateway, posted.seat);
        }
    }

    /// Whether something waits to be decided.
    pub fn is_ready(&self) -> bool {
        self.orders.is_ready() || self.cancels.is_ready()
    }

    #[cfg(test)]
    pub(super) fn is_ready_for_cancels(&self) -> bool {
        self.cancels.is_ready()
    }

    /// Cancels go first; one that names no working order waits for its producer's earlier orders.
    pub(super) fn take_cancels(&mut self, gateway: &mut Gateway) {
        // Their number is bounded by what producers may have open: answers are left further down.
        while let Ok(posted) = self.cancels.pop() {
            let Some(seat) = gateway.seats.get_mut(posted.seat as usize).and_then(Option::as_mut)
            else {
                continue;
            };
            let names_a_working_order = posted.order.kind == OrderKind::Cancel as u8
                && gateway.engine.is_working(posted.order.ref_id);
            if names_a_working_order || posted.orders_before <= seat.orders_taken {
                self.decide(gateway, &posted);
            } else {
                seat.early.push_back(posted);
            }
        }
    }

    /// Cancels that waited for an order of their producer.
    fn take_early(&mut self, gateway: &mut Gateway, seat: u32) {
        while let Some(seat) = gateway.seats.get_mut(seat as usize).and_then(Option::as_mut)
            && let Some(first) = seat.early.front()
            && first.orders_before <= seat.orders_taken
            && let Some(posted) = seat.early.pop_front()
        {
            self.decide(gateway, &posted);
        }
    }

    fn decide(&mut self, gateway: &mut Gateway, posted: &Posted) {
        // A seat is given back only when all that was sent from it has come through here.
        let Some(seat) = gateway.seats.get_mut(posted.seat as usize).and_then(Option::as_mut)
        else {
            return;
        };
        let is_cancel = is_cancel(&posted.order);
        seat.taken += 1;
        seat.orders_taken += u64::from(!is_cancel);
        let sender = Sender::Named(seat.handle);
        let now = gateway.clock.now();
        let submitted = match gateway.decide_logged(&posted.order, now, sender) {
            Ok(submitted) => Some(submitted),
            Err(error) => {
                self.shared.note(&error);
                None
            }
        };
        self.decided.push(Decided {
            seat: posted.seat,
            ticket: posted.ticket,
            tag: posted.tag,
            is_awaited: posted.is_awaited,
            submitted,
            decided_at: gateway.seen_epoch,
            is_cancel,
        });
    }

    /// Waits for the disk if asked for, asks the last gate of each accepted order, and answers.
    pub(super) fn answer(&mut self, gateway: &mut Gateway) {
        let waits = gateway.release == ReleaseMode::Durable;
        if waits && self.decided.iter().any(Decided::needs_disk) && !self.sync(gateway) {
            for decided in &mut self.decided {
                decided.submitted = None;
            }
        }
        let now = gateway.clock.now();
        for decided in self.decided.drain(..) {
            let submitted = match decided.submitted {
                Some((Submitted { outcome, order }, true))
                    if outcome.decision.verdict == Verdict::Accept as u8 =>
                {
                    match gateway.last_gate(order, outcome, now, decided.decided_at) {
                        Ok(submitted) => Some(submitted),
                        Err(error) => {
                            self.shared.note(&error);
                            None
                        }
                    }
                }
                other => {
                    if decided.is_cancel && matches!(other, Some((_, true))) {
                        gateway.in_out.release();
                    }
                    other.map(|(submitted, _)| submitted)
                }
            };
            let (decision, violations) = match submitted {
                Some(Submitted { outcome, .. }) => (Some(outcome.decision), outcome.violations),
                None => (None, Vec::new()),
            };
            let answer = Answer {
                decision,
                ticket: decided.ticket,
                tag: decided.tag,
                is_awaited: decided.is_awaited,
                is_cancel: decided.is_cancel,
                has_violations: !violations.is_empty(),
            };
            let seat = gateway.seats.get_mut(decided.seat as usize).and_then(Option::as_mut);
            if seat.is_some_and(|seat| !seat.answer(answer, violations)) {
                // Somebody would wait for ever for what he was promised: stop everything.
                let error = gateway.fail("an answer found no room".to_owned());
                self.shared.note(&error);
            }
        }
        for seat in gateway.seats.iter_mut().flatten() {
            seat.ring();
        }
    }

    fn sync(&self, gateway: &mut Gateway) -> bool {
        let done = gateway.sync();
        if let Err(error) = &done {
            self.shared.note(error);
        }
        done.is_ok()
    }
}

impl Decided {
    /// As on the direct path: what leaves waits for the disk, a refusal does not.
    fn needs_disk(&self) -> bool {
        let Some((submitted, is_logged)) = &self.submitted else { return false };
        *is_logged && (self.is_cancel || submitted.outcome.decision.is_accepted())
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        self.shared.is_stopping.store(true, Ordering::Release);
        // Release: who sees it sees every answer that was left before.
        self.shared.has_stopped.store(true, Ordering::Release);
    }
}

/// Empties the queues until the intake is stopped and they are empty. `with` runs a job on the
/// gateway under its lock, and says `false` when there is no gateway any more: that ends it, too.
pub fn serve(mut drain: Drain, mut with: impl FnMut(&mut dyn FnMut(&mut Gateway)) -> bool) {
    loop {
        // Before the look: what is sent after it may stay undecided, and its sender is told.
        let is_stopping = drain.shared.is_stopping.load(Ordering::Acquire);
        if drain.is_ready() {
            let mut job = |gateway: &mut Gateway| {
                drain.drain(gateway);
            };
            if !with(&mut job) {
                return;
            }
            // Whoever waits for the lock gets it between two rounds.
            thread::yield_now();
        } else if is_stopping {
            return;
        } else {
            let Drain { orders, cancels, shared, .. } = &drain;
            let ready = || {
                let stop = || shared.is_stopping.load(Ordering::Acquire);
                orders.is_ready() || cancels.is_ready() || stop()
            };
            shared.bell.wait(IDLE, ready);
        }
    }
}

/// Orders decided under one lock and one wait for the disk: about 20 us of other callers' time.
const ORDERS_AT_ONCE: usize = 64;
/// No call is lost, so this is only how often an idle thread looks anyway.
const IDLE: Duration = Duration::from_millis(100);

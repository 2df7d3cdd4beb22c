//! The caller's end of one producer.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cwts_ring::{Consumer, PushError};
use cwts_types::Order;

use super::seat::{CallerEnd, Door};
use super::{
    Answer, Answered, CANCEL_SLOTS, CANCELS_OPEN_MAX, Lanes, ORDER_SLOTS, ORDERS_OPEN_MAX, Posted,
    Tag,
};
use crate::GatewayError;
use crate::gateway::is_cancel;

/// A named sender of orders. Every method may be called from any thread; a thread of its own for
/// each producer is what it is made for.
#[derive(Debug)]
pub struct Producer {
    name: String,
    id: u32,
    seat: u32,
    lanes: Lanes,
    door: Arc<Door>,
    sending: Mutex<Sending>,
    taking: Mutex<Taking>,
    /// Answers were moved, or nobody looks for them any more.
    moved: Condvar,
    /// Sent, and the answer not handed out.
    orders_open: AtomicUsize,
    cancels_open: AtomicUsize,
    /// Of both, those that no thread waits for: what [`Producer::take`] will hand out.
    posted_open: AtomicUsize,
}

/// What a sender holds while it numbers and pushes.
#[derive(Debug, Default)]
struct Sending {
    /// The next ticket: orders and cancels so far.
    sent: u64,
    orders_sent: u64,
    is_closed: bool,
}

/// What a taker holds while it looks for answers, and gives back while it waits for them.
#[derive(Debug)]
struct Taking {
    /// `None` while a thread waits at the door: it moves what comes for all of them.
    answers: Option<Consumer<Answer>>,
    /// Taken by a thread that waited for another answer, oldest first.
    posted: VecDeque<Answer>,
    /// The same, for threads that wait.
    awaited: Vec<Answer>,
}

impl Producer {
    pub(super) fn new(name: &str, id: u32, seat: u32, lanes: Lanes, end: CallerEnd) -> Self {
        let answers = Some(end.answers);
        let taking = Taking { answers, posted: VecDeque::new(), awaited: Vec::new() };
        Self {
            name: name.to_owned(),
            id,
            seat,
            lanes,
            door: end.door,
            sending: Mutex::default(),
            taking: Mutex::new(taking),
            moved: Condvar::new(),
            orders_open: AtomicUsize::new(0),
            cancels_open: AtomicUsize::new(0),
            posted_open: AtomicUsize::new(0),
        }
    }

    /// Its name in the log.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id in the log: the `producer` of its entries.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Orders and cancels whose answers nobody took.
    pub fn open(&self) -> usize {
        self.orders_open.load(Ordering::Acquire) + self.cancels_open.load(Ordering::Acquire)
    }

    /// Sends one order or cancel and does not wait; gives its ticket.
    ///
    /// # Errors
    /// [`GatewayError::QueueFull`]: nothing was sent. Closed, or the log has failed.
    pub fn post(&self, order: &Order, tag: Tag) -> Result<u64, GatewayError> {
        self.send_one(order, tag, false)
    }

    /// Sends orders and cancels next to each other, all or none; gives their tickets.
    ///
    /// # Errors
    /// As for [`Producer::post`].
    pub fn post_all(
        &self,
        orders: &[Order],
        tag: impl Fn(&Order) -> Tag,
    ) -> Result<Range<u64>, GatewayError> {
        let mut sending = lock(&self.sending);
        self.check_open(&sending)?;
        let cancels = orders.iter().filter(|order| is_cancel(order)).count();
        self.check_credit(orders.len() - cancels, cancels)?;
        let first = sending.sent;
        let mut lanes = [Vec::with_capacity(orders.len() - cancels), Vec::with_capacity(cancels)];
        let mut orders_before = sending.orders_sent;
        for (ticket, order) in (first..).zip(orders) {
            let is_cancel = is_cancel(order);
            let tag = tag(order);
            let posted = Posted {
                order: *order,
                ticket,
                orders_before,
                seat: self.seat,
                is_awaited: false,
                tag,
            };
            lanes[usize::from(is_cancel)].push(posted);
            orders_before += u64::from(!is_cancel);
        }
        // Counted before they are sent: an answer may be taken before this returns.
        self.orders_open.fetch_add(lanes[0].len(), Ordering::AcqRel);
        self.posted_open.fetch_add(lanes[0].len(), Ordering::AcqRel);
        if let Err(error) = self.lanes.orders.push_all(&lanes[0]) {
            self.orders_open.fetch_sub(lanes[0].len(), Ordering::AcqRel);
            self.posted_open.fetch_sub(lanes[0].len(), Ordering::AcqRel);
            return Err(self.refused(error, lanes[0].len(), false));
        }
        self.cancels_open.fetch_add(cancels, Ordering::AcqRel);
        self.posted_open.fetch_add(cancels, Ordering::AcqRel);
        // Never full: it holds what all producers may have open. Closed, it decides nothing more.
        if let Err(error) = self.lanes.cancels.push_all(&lanes[1]) {
            self.cancels_open.fetch_sub(cancels, Ordering::AcqRel);
            self.posted_open.fetch_sub(cancels, Ordering::AcqRel);
            return Err(self.refused(error, cancels, true));
        }
        sending.orders_sent = orders_before;
        sending.sent += orders.len() as u64;
        let tickets = first..sending.sent;
        drop(sending);
        self.lanes.shared.bell.ring();
        Ok(tickets)
    }

    /// Sends one order or cancel and waits for its answer.
    ///
    /// # Errors
    /// As for [`Producer::post`]; or the gateway closed before the order was decided.
    pub fn submit(&self, order: &Order, tag: Tag) -> Result<Answered, GatewayError> {
        let ticket = self.send_one(order, tag, true)?;
        let mut taking = lock(&self.taking);
        loop {
            if let Some(at) = taking.awaited.iter().position(|answer| answer.ticket == ticket) {
                let answer = taking.awaited.swap_remove(at);
                return self.hand_out(answer);
            }
            let is_worth_a_look;
            (taking, is_worth_a_look) = self.next(taking, None);
            if !is_worth_a_look {
                return Err(self.lanes.shared.error());
            }
        }
    }

    /// The answers to what was posted that are there, oldest first, at most `count_max`; waits up
    /// to `wait` for the first of them.
    ///
    /// # Errors
    /// The gateway has failed, or closed with orders undecided, and no answer is left.
    pub fn take(&self, count_max: usize, wait: Duration) -> Result<Vec<Answered>, GatewayError> {
        let mut taking = lock(&self.taking);
        let deadline = Instant::now().checked_add(wait);
        let mut out = Vec::new();
        while out.len() < count_max {
            if let Some(answer) = taking.posted.pop_front() {
                if answer.decision.is_none() && !out.is_empty() {
                    // What was decided is handed out first; the error comes with the next call.
                    taking.posted.push_front(answer);
                    break;
                }
                out.push(self.hand_out(answer)?);
                continue;
            }
            // Another thread's answer is none of ours: it would be waited for in vain.
            let posted_open = self.posted_open.load(Ordering::Acquire);
            let is_enough = !out.is_empty() || posted_open == 0;
            let until = if is_enough { Some(Instant::now()) } else { deadline };
            let is_worth_a_look;
            (taking, is_worth_a_look) = self.next(taking, until);
            if is_worth_a_look {
                continue;
            }
            let is_lost = posted_open > 0 && self.is_over(&mut taking);
            if out.is_empty() && is_lost {
                return Err(self.lanes.shared.error());
            }
            break;
        }
        Ok(out)
    }

    /// Sends no more. What was sent is decided, and its answers can still be taken.
    pub fn close(&self) {
        let mut sending = lock(&self.sending);
        if !std::mem::replace(&mut sending.is_closed, true) {
            self.door.close(sending.sent);
        }
    }

    /// Whether [`Producer::close`] was called.
    pub fn is_closed(&self) -> bool {
        lock(&self.sending).is_closed
    }

    fn send_one(&self, order: &Order, tag: Tag, is_awaited: bool) -> Result<u64, GatewayError> {
        let is_cancel = is_cancel(order);
        let mut sending = lock(&self.sending);
        self.check_open(&sending)?;
        self.check_credit(usize::from(!is_cancel), usize::from(is_cancel))?;
        let ticket = sending.sent;
        let posted = Posted {
            order: *order,
            ticket,
            orders_before: sending.orders_sent,
            seat: self.seat,
            is_awaited,
            tag,
        };
        let (lane, open) = if is_cancel {
            (&self.lanes.cancels, &self.cancels_open)
        } else {
            (&self.lanes.orders, &self.orders_open)
        };
        // Counted before it is sent: the answer may be taken before this returns.
        let is_posted = usize::from(!is_awaited);
        open.fetch_add(1, Ordering::AcqRel);
        self.posted_open.fetch_add(is_posted, Ordering::AcqRel);
        if let Err(error) = lane.push(posted) {
            open.fetch_sub(1, Ordering::AcqRel);
            self.posted_open.fetch_sub(is_posted, Ordering::AcqRel);
            return Err(self.refused(error, 1, is_cancel));
        }
        sending.sent += 1;
        sending.orders_sent += u64::from(!is_cancel);
        drop(sending);
        self.lanes.shared.bell.ring();
        Ok(ticket)
    }

    fn check_open(&self, sending: &Sending) -> Result<(), GatewayError> {
        if sending.is_closed {
            let why = "is closed; open it again to send".to_owned();
            return Err(GatewayError::Producer { name: self.name.clone(), why });
        }
        if self.lanes.shared.is_stopping.load(Ordering::Acquire) {
            return Err(self.lanes.shared.error());
        }
        Ok(())
    }

    fn check_credit(&self, orders: usize, cancels: usize) -> Result<(), GatewayError> {
        let rows = [
            (&self.orders_open, orders, ORDERS_OPEN_MAX, "its unanswered orders are"),
            (&self.cancels_open, cancels, CANCELS_OPEN_MAX, "its unanswered cancels are"),
        ];
        for (open, wanted, bound, what) in rows {
            if wanted > 0 && open.load(Ordering::Acquire).saturating_add(wanted) > bound {
                let producer = self.name.clone();
                let cure = "take decisions() first, or send less at once";
                return Err(GatewayError::QueueFull { producer, what, wanted, bound, cure });
            }
        }
        Ok(())
    }

    #[cold]
    fn refused<T>(&self, error: PushError<T>, wanted: usize, is_cancel: bool) -> GatewayError {
        if matches!(error, PushError::Closed(_)) {
            return self.lanes.shared.error();
        }
        let producer = self.name.clone();
        let (what, bound) = if is_cancel {
            ("the cancels of all producers are", CANCEL_SLOTS)
        } else {
            ("the queue of all producers is", ORDER_SLOTS)
        };
        let cure = "send again when some are decided";
        GatewayError::QueueFull { producer, what, wanted, bound, cure }
    }

    /// Moves answers to where their takers look, and says whether to look there; `false` when none
    /// came until `until`, or none will come any more. `None` waits as long as it takes.
    ///
    /// One thread waits at the door, for all of them, and holds no lock meanwhile: whoever is
    /// answered first goes first.
    fn next<'a>(
        &'a self,
        mut taking: MutexGuard<'a, Taking>,
        until: Option<Instant>,
    ) -> (MutexGuard<'a, Taking>, bool) {
        loop {
            if self.move_answers(&mut taking) {
                return (taking, true);
            }
            if self.is_over(&mut taking) {
                return (taking, false);
            }
            let sleep = match until {
                None => SLEEP_MAX,
                Some(until) => until.saturating_duration_since(Instant::now()).min(SLEEP_MAX),
            };
            if sleep.is_zero() {
                return (taking, false);
            }
            let Some(mut answers) = taking.answers.take() else {
                // Somebody else is at the door, and says when there is something to look at.
                let waited = self.moved.wait_timeout(taking, sleep);
                return (waited.unwrap_or_else(PoisonError::into_inner).0, true);
            };
            drop(taking);
            let shared = &self.lanes.shared;
            self.door
                .bell
                .wait(sleep, || answers.is_ready() || shared.has_stopped.load(Ordering::Acquire));
            taking = lock(&self.taking);
            taking.answers = Some(answers);
            if self.move_answers(&mut taking) {
                return (taking, true);
            }
            // Its time may be up: one of the others goes to the door.
            self.moved.notify_one();
        }
    }

    /// Moves every answer that is there; whether there was one.
    fn move_answers(&self, taking: &mut Taking) -> bool {
        let Taking { answers, posted, awaited } = taking;
        let Some(answers) = answers else { return false };
        let mut is_moved = false;
        while let Ok(answer) = answers.pop() {
            is_moved = true;
            if answer.is_awaited {
                awaited.push(answer);
            } else {
                posted.push_back(answer);
            }
        }
        if is_moved {
            self.moved.notify_all();
        }
        is_moved
    }

    /// Whether no answer will come any more.
    fn is_over(&self, taking: &mut Taking) -> bool {
        // Every answer was left before the flag, so one look after it tells.
        self.lanes.shared.has_stopped.load(Ordering::Acquire)
            && taking.answers.as_mut().is_some_and(|answers| !answers.is_ready())
    }

    /// Whether a thread waits at the door.
    #[cfg(test)]
    pub(super) fn has_a_waiter(&self) -> bool {
        lock(&self.taking).answers.is_none()
    }

    fn hand_out(&self, answer: Answer) -> Result<Answered, GatewayError> {
        let open = if answer.is_cancel { &self.cancels_open } else { &self.orders_open };
        open.fetch_sub(1, Ordering::AcqRel);
        self.posted_open.fetch_sub(usize::from(!answer.is_awaited), Ordering::AcqRel);
        let Some(decision) = answer.decision else { return Err(self.lanes.shared.error()) };
        let mut violations = Vec::new();
        if answer.has_violations {
            let mut queue = lock(&self.door.violations);
            let at = queue.iter().position(|(ticket, _)| *ticket == answer.ticket);
            if let Some((_, found)) = at.and_then(|at| queue.remove(at)) {
                violations = found;
            }
        }
        let Answer { ticket, tag, .. } = answer;
        Ok(Answered { ticket, decision, violations, tag })
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.close();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The end of the intake rings nobody's bell: whoever waits looks this often.
const SLEEP_MAX: Duration = Duration::from_millis(10);

//! The live gateway: one writer that numbers, decides, logs and releases.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cwts_audit::Checkpoint;
use cwts_audit::cases::Cases;
use cwts_audit::holds::HoldsFold;
use cwts_risk::{Engine, ExecEffect, Outcome, mid};
use cwts_types::{
    Body, Entry, Exec, Gap, Header, Order, OrderKind, Reference, ReleaseDenied, ReleaseMode,
    Verdict, producer, reference_flag,
};

use crate::clock::{Clock, Now, header_at};
use crate::intake::Seat;
use crate::keys::KeyStore;
use crate::log::LogTail;
use crate::mass_cancel::MassCancel;
use crate::{GatewayError, KillSwitch};

/// Every order goes through here; exactly one thread at a time.
#[derive(Debug)]
pub struct Gateway {
    pub(crate) engine: Engine,
    pub(crate) log: Option<LogTail>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) clock: Clock,
    pub(crate) switch: Arc<KillSwitch>,
    /// The switch's number that was dealt with.
    pub(crate) seen_epoch: u64,
    pub(crate) holds: HoldsFold,
    pub(crate) cases: Cases,
    pub(crate) release: ReleaseMode,
    /// Entries so far of [`producer::GATEWAY`] and [`producer::API`].
    pub(crate) produced: [u64; 2],
    /// Entries so far of each named producer, by its actor's handle less 1.
    pub(crate) named: Vec<u64>,
    /// Named producers that are open, or whose last orders are not decided yet.
    pub(crate) seats: Vec<Option<Seat>>,
    pub(crate) next_order_id: u64,
    pub(crate) next_index: u64,
    /// Refusals that the log had no room for, by producer.
    pub(crate) gaps: BTreeMap<u32, Gap>,
    pub(crate) backpressure: u64,
    pub(crate) failed: Option<String>,
    /// Id of the log, which signatures name; zero without a log.
    pub(crate) log_id: [u8; 8],
    /// Where operators' keys are, if a folder was given.
    pub(crate) keys: Option<KeyStore>,
    /// When the first temporary raise of limits ends.
    pub(crate) expires_ns: u64,
    /// Holds that in-process requests became, until their callers ask.
    pub(crate) tickets: BTreeMap<u64, u64>,
    pub(crate) mass_cancel: MassCancel,
    /// The newest alerts.
    pub(crate) alerts: std::collections::VecDeque<crate::oversight::Told>,
    pub(crate) in_out: crate::in_out::InOut,
    pub(crate) key_clock: crate::key_epoch::KeyClock,
}

/// Who sent an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// The caller of [`Gateway::submit`].
    Api,
    /// A named producer, by its actor's handle.
    Named(u32),
    /// The gateway itself: cancels that come with a halt.
    Gateway,
}

impl Sender {
    pub(crate) fn id(self) -> u32 {
        match self {
            Self::Api => producer::API,
            Self::Named(handle) => producer::NAMED + handle,
            Self::Gateway => producer::GATEWAY,
        }
    }
}

/// What became of one order at the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// The decision and its details.
    pub outcome: Outcome,
    /// The order as it was numbered.
    pub order: Order,
}

impl Gateway {
    /// The risk engine, to read.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The kill switch, to halt from any thread.
    pub fn switch(&self) -> Arc<KillSwitch> {
        Arc::clone(&self.switch)
    }

    /// The log's directory.
    pub fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    /// Orders refused because the log had no room.
    pub fn backpressure(&self) -> u64 {
        self.backpressure
    }

    /// The newest signed checkpoint.
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        self.log.as_ref().and_then(LogTail::checkpoint)
    }

    /// Index of the next entry.
    pub fn next_index(&self) -> u64 {
        self.log.as_ref().map_or(self.next_index, LogTail::next_index)
    }

    /// Entries that no crash can take away.
    pub fn durable(&self) -> u64 {
        self.log.as_ref().map_or(0, LogTail::durable)
    }

    /// Decides an order and changes nothing; it is not logged.
    #[inline]
    pub fn check(&mut self, order: &Order) -> Result<Outcome, GatewayError> {
        self.attend()?;
        let mut order = *order;
        if order.ts == 0 {
            order.ts = self.engine.last_ts();
        }
        Ok(self.engine.check(&order))
    }

    /// Decides an order at the time of the clock and changes nothing; it is not logged.
    #[inline]
    pub fn check_now(&mut self, order: &Order) -> Result<Outcome, GatewayError> {
        let mut order = *order;
        order.ts = self.clock.now().utc_ns;
        self.check(&order)
    }

    /// Whether [`Gateway::check_now`] would accept: `None` then, else the refusal in full.
    ///
    /// # Errors
    /// The log has failed.
    #[inline]
    pub fn refusal(&mut self, order: &Order) -> Result<Option<Outcome>, GatewayError> {
        self.attend()?;
        if self.engine.admits_from_now_on(order) {
            return Ok(None);
        }
        let mut order = *order;
        order.ts = self.clock.now().utc_ns;
        let outcome = self.engine.check(&order);
        Ok((!outcome.decision.is_accepted()).then_some(outcome))
    }

    /// What an accepted answer depends on: limits version and kill events.
    #[inline]
    pub fn answer_key(&self) -> u64 {
        u64::from(self.engine.limits_version()) << 32 | u64::from(self.engine.kill_epoch())
    }

    /// Decides, reserves, logs and releases. A refused order is an answer, not an error.
    ///
    /// # Errors
    /// The log has failed: the gateway is halted, and nothing is released any more.
    #[inline]
    pub fn submit(&mut self, order: &Order) -> Result<Submitted, GatewayError> {
        let now = self.clock.now();
        self.submit_at(order, now)
    }

    /// The next id that the gateway gives to an order without one.
    fn take_order_id(&mut self) -> u64 {
        let id = self.next_order_id;
        // At the end of the numbers the last one is given again, and refused as taken.
        self.next_order_id = self.next_order_id.saturating_add(1);
        id
    }

    fn submit_at(&mut self, order: &Order, now: Now) -> Result<Submitted, GatewayError> {
        let (submitted, is_logged) = self.decide_logged(order, now, Sender::Api)?;
        if !is_logged {
            return Ok(submitted);
        }
        let decided_at = self.seen_epoch;
        let Submitted { outcome, order } = submitted;
        if outcome.decision.verdict == Verdict::Accept as u8 {
            if self.release == ReleaseMode::Durable {
                self.sync()?;
            }
            return self.last_gate(order, outcome, now, decided_at);
        }
        if is_cancel(&order) {
            if self.release == ReleaseMode::Durable {
                self.sync()?;
            }
            self.in_out.release();
        }
        Ok(Submitted { outcome, order })
    }

    /// Decides, reserves and logs; whoever calls asks the last gate, and waits for the disk if the
    /// release mode is to wait. `false` beside a refusal that the log had no room for.
    #[inline(always)]
    pub(crate) fn decide_logged(
        &mut self,
        order: &Order,
        now: Now,
        sender: Sender,
    ) -> Result<(Submitted, bool), GatewayError> {
        self.attend()?;
        if now.utc_ns >= self.expires_ns {
            self.expire_limits(now)?;
        }
        let mut order = *order;
        order.ts = now.utc_ns;
        if order.order_id == 0 {
            order.order_id = self.take_order_id();
        }
        order.seq = self.next_index();
        if let Some(log) = &mut self.log {
            // Cancels may use the reserve; anything else needs room beyond it.
            let room = if is_cancel(&order) { log.wait_room(2) } else { log.has_room(2) };
            if !room {
                return Ok((self.refuse_unlogged(order, now, sender)?, false));
            }
        }
        self.flush_gaps(now);
        order.seq = self.next_index();
        let crossed = self.crossed(&order);
        let outcome = self.engine.decide(&order, false);
        let header = self.header_of(sender, now);
        self.append_pair(&order, &outcome, header)?;
        if outcome.decision.is_accepted() {
            self.in_out.accept();
        }
        if !crossed.is_empty() {
            self.cancel_crossed(&crossed, &outcome)?;
        }
        Ok((Submitted { outcome, order }, true))
    }

    /// An accepted order leaves only if no halt came since its decision; `decided_at` is the
    /// number of the switch that was dealt with then. Where several orders are decided before the
    /// first of them leaves, a later one may have dealt with a halt that an earlier one never saw.
    pub(crate) fn last_gate(
        &mut self,
        order: Order,
        mut outcome: Outcome,
        now: Now,
        decided_at: u64,
    ) -> Result<Submitted, GatewayError> {
        // The number only rises, so an equal one says that nothing came.
        if self.switch.epoch() == decided_at {
            self.in_out.release();
            return Ok(Submitted { outcome, order });
        }
        // A halt came in between: take it in, and ask again whether this order may leave.
        self.attend()?;
        let halted = self.engine.check_release(&order);
        if halted.is_empty() {
            self.in_out.release();
            return Ok(Submitted { outcome, order });
        }
        self.engine.deny_release(order.order_id);
        let denied = ReleaseDenied {
            order_seq: order.seq,
            order_id: order.order_id,
            kill_epoch: self.engine.kill_epoch(),
        };
        self.append(Body::ReleaseDenied(denied), now, 0)?;
        self.in_out.deny();
        outcome.decision.verdict = Verdict::Reject as u8;
        outcome.decision = outcome.decision.with_violations(&halted);
        outcome.violations = halted;
        Ok(Submitted { outcome, order })
    }

    /// Takes an execution report in.
    ///
    /// # Errors
    /// The log has failed.
    pub fn on_execution_report(&mut self, exec: &Exec) -> Result<ExecEffect, GatewayError> {
        self.attend()?;
        let now = self.clock.now();
        self.flush_gaps(now);
        let exec = Exec { seq: self.next_index(), ts: now.utc_ns, ..*exec };
        self.append(Body::Exec(exec), now, 1)?;
        let effect = self.engine.exec(&exec);
        self.hold_trips()?;
        Ok(effect)
    }

    /// Sets a reference price: the last trade, bid and ask, or both; 0 as `bid` or `ask` is none.
    ///
    /// A collar around the middle takes it from bid and ask, any other takes `last`.
    ///
    /// # Errors
    /// The log has failed.
    pub fn set_reference(
        &mut self,
        instrument: u32,
        last: Option<i64>,
        bid: i64,
        ask: i64,
        ts: Option<u64>,
    ) -> Result<(), GatewayError> {
        self.attend()?;
        let now = self.clock.now();
        self.flush_gaps(now);
        let ts = ts.unwrap_or(now.utc_ns).min(now.utc_ns);
        let (px, flags) = match last {
            Some(last) => (last, reference_flag::EXTERNAL),
            None => (mid(bid, ask).unwrap_or(0), reference_flag::EXTERNAL | reference_flag::MID),
        };
        let body = Reference { instrument, flags, px, bid, ask, ts, ..Reference::default() };
        self.append(Body::Reference(body), now, 1)?;
        self.engine.reference_entry(&body);
        self.hold_trips()
    }

    /// Waits until everything so far is durable.
    ///
    /// # Errors
    /// The log has failed.
    pub fn sync(&mut self) -> Result<(), GatewayError> {
        let Some(log) = &self.log else { return Ok(()) };
        match log.wait_durable() {
            Ok(()) => Ok(()),
            Err(why) => Err(self.fail(why)),
        }
    }

    /// Looks at the kill switch and the log's health; every call passes here first.
    #[inline]
    pub(crate) fn attend(&mut self) -> Result<(), GatewayError> {
        if let Some(why) = self.log.as_ref().and_then(LogTail::failure) {
            return Err(self.fail(why));
        }
        if let Some(why) = &self.failed {
            return Err(GatewayError::LogFailed { why: why.clone() });
        }
        if self.switch.epoch() != self.seen_epoch {
            self.take_requests()?;
        }
        Ok(())
    }

    #[cold]
    pub(crate) fn fail(&mut self, why: String) -> GatewayError {
        if self.failed.replace(why.clone()).is_none() {
            self.switch.trip(&why);
        }
        GatewayError::LogFailed { why }
    }

    #[inline]
    pub(crate) fn header_of(&mut self, sender: Sender, now: Now) -> Header {
        let handle = match sender {
            Sender::Named(handle) => handle,
            Sender::Api => return self.header(1, now),
            Sender::Gateway => return self.header(0, now),
        };
        let mut header = Header { producer: sender.id(), actor: handle, ..header_at(now) };
        // A seat is only made for an actor that is registered, so the count is there.
        if let Some(count) = self.named.get_mut(handle as usize - 1) {
            header.producer_seq = *count;
            *count += 1;
        }
        header
    }

    pub(crate) fn header(&mut self, who: usize, now: Now) -> Header {
        let producer_seq = self.produced[who];
        self.produced[who] += 1;
        Header { producer: who as u32, producer_seq, ..header_at(now) }
    }

    /// Appends one entry of producer 0 (the gateway) or 1 (its caller).
    pub(crate) fn append(&mut self, body: Body, now: Now, who: usize) -> Result<(), GatewayError> {
        let header = self.header(who, now);
        let Some(log) = &mut self.log else {
            self.next_index += 1;
            return Ok(());
        };
        let bytes = Entry { header, body }.to_bytes();
        if log.push(&bytes) {
            return Ok(());
        }
        let why = log.failure().unwrap_or_default();
        Err(self.fail(why))
    }

    /// Appends an order and its decision as one push.
    #[inline]
    pub(crate) fn append_pair(
        &mut self,
        order: &Order,
        outcome: &Outcome,
        mut header: Header,
    ) -> Result<(), GatewayError> {
        header.release_mode = self.release;
        let decisions = self.engine.decisions() - 1;
        let Some(log) = &mut self.log else {
            self.next_index += 2;
            return self.flush_due();
        };
        if push_pair(log, &header, order, outcome, decisions) {
            return self.flush_due();
        }
        let why = log.failure().unwrap_or_default();
        Err(self.fail(why))
    }
}

/// Cancels and mass cancels: what no control refuses.
#[inline]
pub(crate) fn is_cancel(order: &Order) -> bool {
    order.kind == OrderKind::Cancel as u8 || order.kind == OrderKind::MassCancel as u8
}

/// Encodes an order and its decision and pushes them; `decisions` numbers the decision.
#[inline]
pub(crate) fn push_pair(
    log: &mut LogTail,
    header: &Header,
    order: &Order,
    outcome: &Outcome,
    decisions: u64,
) -> bool {
    let decided = Header { producer: producer::DECIDER, producer_seq: decisions, ..*header };
    log.push_pair(
        (header, &order.to_bytes()),
        (&decided, &outcome.decision.to_bytes()),
        &outcome.violations,
    )
}

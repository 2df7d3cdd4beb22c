//! The live gateway's calls beside one order: a look at requests, and batches.

use cwts_risk::{AHEAD, Outcome};
use cwts_types::{Decision, Order, ReleaseMode, Verdict};

use crate::GatewayError;
use crate::gateway::{Gateway, Sender, Submitted, is_cancel};

impl Gateway {
    /// Takes in what other processes ask for; an idle gateway is asked to look now and then.
    ///
    /// # Errors
    /// The log has failed.
    pub fn poll(&mut self) -> Result<(), GatewayError> {
        self.attend()?;
        // Whoever removed the page cannot raise ours any more; the request is there all the same.
        if self.switch.has_files() {
            self.take_requests()?;
        }
        let now = self.clock.now();
        if now.utc_ns >= self.expires_ns {
            self.expire_limits(now)?;
        }
        self.tick(now)?;
        self.evolve_if_due(now);
        self.take_changes()
    }

    /// Decides orders as if they were submitted in order, then forgets it; nothing is logged.
    ///
    /// # Errors
    /// The log has failed.
    pub fn check_batch(&mut self, orders: &[Order]) -> Result<Vec<Decision>, GatewayError> {
        let mut out = Vec::with_capacity(orders.len());
        self.check_each(orders.iter().copied(), |decision| out.push(decision))?;
        Ok(out)
    }

    /// [`Gateway::check_batch`] of orders from anywhere; they are gone through twice.
    ///
    /// # Errors
    /// The log has failed.
    pub fn check_each(
        &mut self,
        orders: impl Iterator<Item = Order> + Clone,
        each: impl FnMut(Decision),
    ) -> Result<(), GatewayError> {
        self.attend()?;
        let now = self.clock.now();
        let first = self.next_order_id;
        let complete = move |(k, order): (usize, Order)| {
            let id = first.saturating_add(k as u64);
            Order {
                ts: if order.ts == 0 { now.utc_ns } else { order.ts },
                order_id: if order.order_id == 0 { id } else { order.order_id },
                ..order
            }
        };
        self.engine.check_batch(orders.enumerate().map(complete), each);
        Ok(())
    }

    /// Submits orders in order; each waits for room in the log instead of being refused.
    ///
    /// Their caller sees no answer before the last of them is decided, so the last gate is asked
    /// when all are: a halt in the middle of a batch stops the orders before it, too. In the
    /// durable mode all of them share one wait for the disk.
    ///
    /// # Errors
    /// The log has failed: nothing of the batch is released.
    pub fn submit_batch<'a>(
        &mut self,
        orders: impl IntoIterator<Item = &'a Order>,
    ) -> Result<Vec<Decision>, GatewayError> {
        let mut out: Vec<Decision> = Vec::new();
        let mut accepted = Vec::new();
        let mut needs_disk = false;
        let mut orders = orders.into_iter();
        let mut next: Vec<Order> = Vec::with_capacity(AHEAD);
        let mut at = 0;
        loop {
            if at == next.len() {
                next.clear();
                next.extend(orders.by_ref().take(AHEAD));
                self.engine.read_ahead(&next);
                at = 0;
            }
            let Some(order) = next.get(at) else { break };
            at += 1;
            self.wait_batch_room()?;
            let now = self.clock.now();
            let (submitted, is_logged) = self.decide_logged(order, now, Sender::Api)?;
            let Submitted { outcome, order } = submitted;
            if is_logged && outcome.decision.verdict == Verdict::Accept as u8 {
                accepted.push((out.len(), order, self.seen_epoch));
            }
            out.push(outcome.decision);
            needs_disk |= is_logged && (outcome.decision.is_accepted() || is_cancel(&order));
            if is_logged && is_cancel(&order) {
                self.in_out.release();
            }
        }
        if needs_disk && self.release == ReleaseMode::Durable {
            self.sync()?;
        }
        let now = self.clock.now();
        for (at, order, decided_at) in accepted {
            let Some(place) = out.get_mut(at) else { continue };
            let outcome = Outcome { decision: *place, violations: Vec::new() };
            *place = self.last_gate(order, outcome, now, decided_at)?.outcome.decision;
        }
        Ok(out)
    }

    fn wait_batch_room(&mut self) -> Result<(), GatewayError> {
        if let Some(log) = &mut self.log
            && !log.wait_room(2 + crate::log::RESERVED_SLOTS)
        {
            let why = log.failure().unwrap_or_default();
            return Err(self.fail(why));
        }
        Ok(())
    }
}

//! The live gateway's calls beside one order: a look at requests, and batches.

use cwts_types::{Decision, Order};

use crate::GatewayError;
use crate::gateway::{Gateway, Submitted};

impl Gateway {
    /// Takes in what other processes ask for; an idle gateway is asked to look now and then.
    ///
    /// # Errors
    /// The log has failed.
    pub fn poll(&mut self) -> Result<(), GatewayError> {
        self.attend()?;
        // Whoever removed the page cannot raise ours any more; the request is there all the same.
        if self.switch.has_files() { self.take_requests() } else { Ok(()) }
    }

    /// Decides orders as if they were submitted in order, then forgets it; nothing is logged.
    ///
    /// # Errors
    /// The log has failed.
    pub fn check_batch(&mut self, orders: &[Order]) -> Result<Vec<Decision>, GatewayError> {
        self.attend()?;
        let now = self.clock.now();
        let mut engine = self.engine.clone();
        let mut out = Vec::with_capacity(orders.len());
        for (k, order) in orders.iter().enumerate() {
            let mut order = *order;
            if order.ts == 0 {
                order.ts = now.utc_ns;
            }
            if order.order_id == 0 {
                order.order_id = self.next_order_id + k as u64;
            }
            out.push(engine.decide(&order, false).decision);
        }
        Ok(out)
    }

    /// Submits one order of a batch: it waits for room in the log instead of being refused.
    ///
    /// # Errors
    /// The log has failed.
    pub fn submit_waiting(&mut self, order: &Order) -> Result<Submitted, GatewayError> {
        if let Some(log) = &mut self.log
            && !log.wait_room(2 + crate::log::RESERVED_SLOTS)
        {
            let why = log.failure().unwrap_or_default();
            return Err(self.fail(why));
        }
        self.submit(order)
    }
}

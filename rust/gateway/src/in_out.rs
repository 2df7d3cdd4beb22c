//! Messages in against messages out: what was accepted, what was released, and what left.
//!
//! Source: SEC Release 34-70694 (Knight Capital): nobody compared the orders that entered the
//! router with those that left it. Compared at every TICK and at the end, under the gateway's lock:
//! accepted = released + held back, and no more has left than was released, where whoever has the
//! session says how much left. A mismatch halts the firm and stays one until two people lift it.

use cwts_types::{Alert, AlertKind, Body, Level};

use crate::GatewayError;
use crate::clock::Now;
use crate::gateway::Gateway;
use crate::oversight::Told;

/// Counts since the gateway was opened.
#[derive(Debug, Clone, Default)]
pub struct InOut {
    accepted: u64,
    released: u64,
    denied: u64,
    /// Messages that left, by the word of whoever has the session.
    sent: Option<u64>,
    /// What the last TICK saw.
    compared: [u64; 2],
    ticked_ns: u64,
    /// A mismatch that was told.
    told: Option<[u64; 2]>,
}

impl InOut {
    /// One message was accepted: an order, a replace, a cancel.
    #[inline]
    pub(crate) fn accept(&mut self) {
        self.accepted += 1;
    }

    /// One was given to whoever sends it.
    #[inline]
    pub(crate) fn release(&mut self) {
        self.released += 1;
    }

    /// One was held back at the last gate.
    pub(crate) fn deny(&mut self) {
        self.denied += 1;
    }

    /// What is wrong: observed and limit.
    fn mismatch(&self) -> Option<[u64; 2]> {
        let out = self.released + self.denied;
        if self.accepted != out {
            return Some([out, self.accepted]);
        }
        self.sent.filter(|sent| *sent > self.released).map(|sent| [sent, self.released])
    }

    /// Messages accepted, released, held back, and sent if anybody said so.
    pub fn counts(&self) -> (u64, u64, u64, Option<u64>) {
        (self.accepted, self.released, self.denied, self.sent)
    }
}

impl Gateway {
    /// Messages in and out since this gateway was opened.
    pub fn in_out(&self) -> &InOut {
        &self.in_out
    }

    /// Whoever has the session says how many messages left since this gateway was opened. It is
    /// compared at the next TICK.
    pub fn report_sent(&mut self, messages: u64) {
        self.in_out.sent = Some(messages);
    }

    /// A TICK, if something was decided or sent since the last one, and the comparison.
    ///
    /// # Errors
    /// The log has failed.
    pub(crate) fn tick(&mut self, now: Now) -> Result<(), GatewayError> {
        if self.in_out.ticked_ns == 0 {
            self.in_out.ticked_ns = now.utc_ns;
        }
        let InOut { accepted, sent, compared, ticked_ns, .. } = self.in_out;
        let seen = [self.engine.decisions(), sent.unwrap_or(0)];
        let is_due = now.utc_ns >= ticked_ns.saturating_add(TICK_NS);
        if !is_due || seen == compared && accepted == self.in_out.released + self.in_out.denied {
            return Ok(());
        }
        self.in_out.compared = seen;
        self.in_out.ticked_ns = now.utc_ns;
        self.flush_gaps(now);
        let utc_ns = i64::try_from(now.utc_ns).unwrap_or(i64::MAX);
        let header = cwts_types::Header { utc_ns, ..cwts_types::Header::default() };
        let index = self.next_index();
        let entry = cwts_types::Entry { header, body: Body::Tick };
        self.append(Body::Tick, now, 0)?;
        self.engine.step(index, &entry).map_err(|source| GatewayError::Step { index, source })?;
        self.flush_due()?;
        self.compare_in_out(now)
    }

    /// Compares, and halts the firm at a mismatch that was not told yet.
    pub(crate) fn compare_in_out(&mut self, now: Now) -> Result<(), GatewayError> {
        let Some(found) = self.in_out.mismatch() else { return Ok(()) };
        if self.in_out.told == Some(found) {
            return Ok(());
        }
        self.in_out.told = Some(found);
        let [observed, limit] = found;
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let alert = Alert {
            kind: AlertKind::InOut,
            control: None,
            level: Level::Firm,
            percent: 0,
            scope: 0,
            instrument: 0,
            order_seq: 0,
            order_id: 0,
            observed: number(observed),
            limit: number(limit),
        };
        self.remember_alert(Told { seq: self.next_index(), utc_ns: now.utc_ns, alert });
        self.append(Body::Alert(alert), now, 0)?;
        let why = format!("IN_OUT_COMPARE: {observed} messages out, {limit} expected");
        let seen = self.switch.epoch();
        self.hold_firm(&why, seen)?;
        self.take_requests()
    }

    /// The counts of the day so far, if anything was decided in it: a clean end tells them.
    pub(crate) fn log_day_so_far(&mut self, now: Now) -> Result<(), GatewayError> {
        let counts = self.engine.trigger_counts(now.utc_ns);
        if counts.orders | counts.cancels == 0 {
            return Ok(());
        }
        self.append(Body::TriggerCounts(counts), now, 0)
    }
}

/// How often messages are compared while there are any.
const TICK_NS: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn in_out(accepted: u64, released: u64, denied: u64, sent: Option<u64>) -> InOut {
        InOut { accepted, released, denied, sent, ..InOut::default() }
    }

    #[test]
    fn what_goes_in_comes_out_or_is_held_back_and_no_more_leaves() {
        assert_eq!(in_out(5, 4, 1, None).mismatch(), None);
        assert_eq!(in_out(5, 5, 1, None).mismatch(), Some([6, 5]));
        assert_eq!(in_out(5, 3, 1, None).mismatch(), Some([4, 5]));
        assert_eq!(in_out(5, 4, 1, Some(4)).mismatch(), None);
        assert_eq!(in_out(5, 4, 1, Some(3)).mismatch(), None, "one is on its way");
        assert_eq!(in_out(5, 4, 1, Some(5)).mismatch(), Some([5, 4]));
    }
}

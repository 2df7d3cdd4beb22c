//! Orders that the log had no room for.

use cwts_types::{Body, Control, Gap, Level, Order, Verdict, Violation};

use crate::GatewayError;
use crate::clock::Now;
use crate::gateway::{Gateway, Sender, Submitted};
use crate::log::LogTail;

impl Gateway {
    /// A refusal that the log has no room for: counted, and told by a GAP when room returns.
    #[cold]
    pub(crate) fn refuse_unlogged(
        &mut self,
        order: Order,
        now: Now,
        sender: Sender,
    ) -> Result<Submitted, GatewayError> {
        if let Some(why) = self.log.as_ref().and_then(LogTail::failure) {
            return Err(self.fail(why));
        }
        self.backpressure += 1;
        let utc = i64::try_from(now.utc_ns).unwrap_or(i64::MAX);
        let producer = sender.id();
        // One gap a producer at a time, hence no more than there are producers.
        let gap = self.gaps.entry(producer).or_insert(Gap {
            producer,
            count: 0,
            from_ns: utc,
            to_ns: utc,
        });
        gap.count += 1;
        gap.to_ns = utc;
        let violation = Violation {
            control: Control::AuditBackpressure,
            level: Level::Firm,
            scope: 0,
            observed: 0,
            limit: 0,
        };
        let mut outcome = self.engine.check(&order);
        outcome.violations = vec![violation];
        outcome.decision.verdict = Verdict::Reject as u8;
        outcome.decision = outcome.decision.with_violations(&outcome.violations);
        Ok(Submitted { outcome, order })
    }

    /// What is due before the next entry: it may stand between any two inputs.
    #[inline]
    pub(crate) fn flush_gaps(&mut self, now: Now) {
        if !self.gaps.is_empty() {
            self.log_gaps(now);
        }
        self.evolve_if_due(now);
    }

    #[cold]
    fn log_gaps(&mut self, now: Now) {
        while let Some((producer, gap)) = self.gaps.pop_first() {
            if self.append(Body::Gap(gap), now, 0).is_err() {
                self.gaps.insert(producer, gap);
                return;
            }
        }
    }
}

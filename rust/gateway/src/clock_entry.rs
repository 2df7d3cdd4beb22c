//! The clock as the log tells it: what the kernel says, once a second, by whoever can ask it.
//!
//! Source: RTS 25 (Delegated Regulation 2017/574), Art. 2 to 4; CAT NMS Plan, section 6.8. CWTS
//! disciplines no clock; it records whether the kernel shows it within a bound of UTC, and acts.

use cwts_types::{Body, Clock, Entry, Header, KillState};

use crate::GatewayError;
use crate::gateway::Gateway;

impl Gateway {
    /// Logs a reading of the clock; `utc_minus_mono_ns` is filled in here. From here on headers say
    /// what it says. The first reading that does not show the clock within its bound raises an
    /// alert and, with `on_loss`, a hold of the firm in that state, which two people lift. Gives
    /// whether the reading shows it.
    ///
    /// # Errors
    /// The log has failed.
    pub fn record_clock(
        &mut self,
        reading: Clock,
        on_loss: Option<KillState>,
    ) -> Result<bool, GatewayError> {
        self.attend()?;
        self.clock.heard(reading.state());
        let now = self.clock.now();
        self.flush_gaps(now);
        let (utc, mono) = (i128::from(now.utc_ns), i128::from(now.mono_ns));
        let utc_minus_mono_ns = i64::try_from(utc - mono).unwrap_or(i64::MAX);
        let clock = Clock { utc_minus_mono_ns, ..reading };
        let index = self.next_index();
        let body = Body::Clock(clock);
        self.append(body.clone(), now, 0)?;
        let entry = Entry { header: Header::default(), body };
        self.engine.step(index, &entry).map_err(|source| GatewayError::Step { index, source })?;
        let is_lost = self.engine.has_due();
        self.flush_due()?;
        if let Some(state) = on_loss.filter(|_| is_lost) {
            let why = format!(
                "CLOCK: not shown within {} us of UTC; the kernel says {} us at most",
                clock.bound_us, clock.maxerror_us
            );
            let seen = self.switch.epoch();
            self.restrict_firm(state, &why, seen)?;
            self.take_requests()?;
        }
        Ok(clock.is_shown())
    }
}

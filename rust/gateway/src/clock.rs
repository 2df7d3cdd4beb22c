//! Where time comes from. Everything below the gateway takes it as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

use cwts_types::{ClockState, Header, ReleaseMode};

/// One reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// UTC nanoseconds.
    pub utc_ns: u64,
    /// Nanoseconds since this clock was made; never steps back.
    pub mono_ns: u64,
    /// What was last heard of the clock.
    pub state: ClockState,
}

/// UTC as an offset to the monotonic clock: one reading an order, not two.
#[derive(Debug, Clone)]
pub struct Clock {
    counter: quanta::Clock,
    start: u64,
    utc_at_start_ns: u64,
    /// Monotonic time at which the offset is read again.
    reread_ns: u64,
    /// By how much the system's clock is taken to have been set.
    skew_ns: i64,
    state: ClockState,
}

impl Default for Clock {
    fn default() -> Self {
        let counter = quanta::Clock::new();
        let start = counter.raw();
        let utc_at_start_ns = system_utc_ns();
        let state = ClockState::Unknown;
        Self { counter, start, utc_at_start_ns, reread_ns: REREAD_NS, skew_ns: 0, state }
    }
}

impl Clock {
    /// Nanoseconds since this clock was made; never steps back.
    #[inline]
    pub fn mono_ns(&self) -> u64 {
        self.counter.delta_as_nanos(self.start, self.counter.raw())
    }

    /// The time now.
    #[inline]
    pub fn now(&mut self) -> Now {
        let mono_ns = self.mono_ns();
        if mono_ns >= self.reread_ns {
            self.reread(mono_ns);
        }
        let utc_ns = self.utc_at_start_ns.saturating_add(mono_ns);
        Now { utc_ns, mono_ns, state: self.state }
    }

    /// What headers say of the clock from here on.
    pub(crate) fn heard(&mut self, state: ClockState) {
        self.state = state;
    }

    /// Goes on as if the system's clock had been set, forward or back: what a torture does to it.
    pub fn step(&mut self, by_ns: i64) {
        self.skew_ns = self.skew_ns.saturating_add(by_ns);
        self.reread(self.mono_ns());
    }

    #[cold]
    fn reread(&mut self, mono_ns: u64) {
        let utc_ns = system_utc_ns().saturating_add_signed(self.skew_ns);
        self.utc_at_start_ns = utc_ns.saturating_sub(mono_ns);
        self.reread_ns = mono_ns.saturating_add(REREAD_NS);
    }
}

/// UTC now, by the system's clock.
pub fn system_utc_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The counter drifts from UTC by some parts in a million: nanoseconds in this time.
const REREAD_NS: u64 = 10_000_000;

/// A header of nobody's, at this time.
#[inline]
pub(crate) fn header_at(now: Now) -> Header {
    Header {
        flags: 0,
        producer: 0,
        producer_seq: 0,
        utc_ns: i64::try_from(now.utc_ns).unwrap_or(i64::MAX),
        mono_ns: now.mono_ns,
        actor: 0,
        clock_state: now.state,
        release_mode: ReleaseMode::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_steps_back_and_stays_near_the_systems_clock() {
        let mut clock = Clock::default();
        let mut last = clock.now();
        for _ in 0..200_000 {
            let now = clock.now();
            assert!(now.mono_ns >= last.mono_ns);
            last = now;
        }
        let (ours, system) = (clock.now().utc_ns, system_utc_ns());
        // A second is far more than any scheduler's pause between the two readings.
        assert!(ours.abs_diff(system) < 1_000_000_000, "{ours} against {system}");
    }
}

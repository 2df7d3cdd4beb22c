//! Where time comes from. Everything below the gateway takes it as an argument.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// One reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// UTC nanoseconds.
    pub utc_ns: u64,
    /// Nanoseconds since this clock was made; never steps back.
    pub mono_ns: u64,
}

/// UTC as an offset to the monotonic clock: one reading an order, not two.
#[derive(Debug, Clone)]
pub struct Clock {
    start: Instant,
    utc_at_start_ns: u64,
    /// Monotonic time at which the offset is read again.
    reread_ns: u64,
}

impl Default for Clock {
    fn default() -> Self {
        Self { start: Instant::now(), utc_at_start_ns: system_utc_ns(), reread_ns: REREAD_NS }
    }
}

impl Clock {
    /// The time now.
    #[inline]
    pub fn now(&mut self) -> Now {
        let mono_ns = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if mono_ns >= self.reread_ns {
            self.utc_at_start_ns = system_utc_ns().saturating_sub(mono_ns);
            self.reread_ns = mono_ns.saturating_add(REREAD_NS);
        }
        Now { utc_ns: self.utc_at_start_ns.saturating_add(mono_ns), mono_ns }
    }
}

/// UTC now, by the system's clock.
pub fn system_utc_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Both clocks are slewed alike, so the offset moves only at a step.
const REREAD_NS: u64 = 10_000_000;

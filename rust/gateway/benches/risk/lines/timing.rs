//! Jobs timed in turn, on the CPU time of this thread.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of a clock.
pub(super) fn now_ns(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// What `work` costs this thread, in ns a unit of its `units`.
pub(super) fn cpu(units: usize, work: impl FnOnce()) -> f64 {
    let start = now_ns(ClockId::ThreadCPUTime);
    work();
    (now_ns(ClockId::ThreadCPUTime) - start) as f64 / units as f64
}

/// Times of one side, best first.
#[derive(Debug, Clone)]
pub(super) struct Times(Vec<f64>);

impl Times {
    pub(super) fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    /// Runs a job so often, after a run that does not count.
    pub(super) fn alone(rounds: usize, mut job: impl FnMut() -> f64) -> Self {
        job();
        Self::of((0..rounds).map(|_| job()).collect())
    }

    pub(super) fn min(&self) -> f64 {
        self.0[0]
    }

    pub(super) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// By nearest rank.
    pub(super) fn quantile(&self, part: f64) -> f64 {
        let rank = (part * self.0.len() as f64).ceil() as usize;
        self.0[rank.clamp(1, self.0.len()) - 1]
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Both sides in turn, ours first; the ratio is the median of the pairs', theirs over ours.
pub(super) fn in_turn(
    rounds: usize,
    mut ours: impl FnMut() -> f64,
    mut theirs: impl FnMut() -> f64,
) -> (Times, Times, f64) {
    ours();
    theirs();
    let (us, them): (Vec<f64>, Vec<f64>) = (0..rounds).map(|_| (ours(), theirs())).unzip();
    let ratios = Times::of(us.iter().zip(&them).map(|(us, them)| them / us).collect());
    (Times::of(us), Times::of(them), ratios.median())
}

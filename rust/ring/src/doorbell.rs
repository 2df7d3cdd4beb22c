//! Waiting for another thread without losing its call: spin, yield, sleep.
//!
//! Source: Dekker's pattern. Who sleeps says so and looks once more; who calls publishes and then
//! looks whether somebody sleeps; a sequentially consistent fence on each side makes it impossible
//! that both look too early. The calling side pays for one fence and one load, and for a system
//! call only when somebody sleeps.
//!
//! > If `ring` begins after a store that makes `ready` true, a `wait` on `ready` returns.
//!
//! One thread waits at a door at a time. A second one may: it then sleeps until its time is up.

use std::fmt;
use std::sync::PoisonError;
use std::time::Duration;

use crate::spsc::CacheLinePair;
use crate::sync::{AtomicBool, Mutex, Ordering, Thread, current, fence, park, spin, yield_now};

#[cfg(all(test, loom))]
mod loom_tests;

/// What a thread waits at.
pub struct Doorbell {
    /// Whether somebody sleeps, or is about to.
    waiting: CacheLinePair<AtomicBool>,
    sleeper: Mutex<Option<Thread>>,
}

impl Doorbell {
    /// A door at which nobody waits.
    pub fn new() -> Self {
        Self { waiting: CacheLinePair(AtomicBool::new(false)), sleeper: Mutex::new(None) }
    }

    /// Wakes whoever waits; what the caller published before is then seen.
    #[inline]
    pub fn ring(&self) {
        // The store that this call is about comes before the look at `waiting`.
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        let sleeper = self.sleeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sleeper) = sleeper {
            sleeper.unpark();
        }
    }

    /// Waits until `ready`, or until it has slept for `sleep_max` once; gives `ready`'s last word.
    ///
    /// The bound is for the caller who also waits for what nobody rings for: it calls again.
    #[inline]
    pub fn wait(&self, sleep_max: Duration, mut ready: impl FnMut() -> bool) -> bool {
        for _ in 0..SPINS {
            if ready() {
                return true;
            }
            spin();
        }
        for _ in 0..YIELDS {
            if ready() {
                return true;
            }
            yield_now();
        }
        *self.sleeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(current());
        self.waiting.store(true, Ordering::Relaxed);
        // We are known to wait before we look again.
        fence(Ordering::SeqCst);
        if !ready() {
            park(sleep_max);
        }
        self.waiting.store(false, Ordering::Relaxed);
        ready()
    }
}

impl Default for Doorbell {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Doorbell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doorbell").finish_non_exhaustive()
    }
}

/// Looks before the first yield: some hundred nanoseconds.
const SPINS: u32 = if cfg!(loom) { 0 } else { 64 };
/// Yields before it sleeps: where threads outnumber processors, the other one runs meanwhile.
const YIELDS: u32 = if cfg!(loom) { 0 } else { 16 };

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;
    use crate::{PopError, mpsc};

    #[test]
    fn a_wait_that_nobody_ends_ends_by_itself() {
        let bell = Doorbell::new();
        let mut looks = 0;
        assert!(!bell.wait(Duration::from_millis(1), || {
            looks += 1;
            false
        }));
        assert!(looks > SPINS + YIELDS, "{looks} looks");
        bell.ring();
        assert!(bell.wait(Duration::MAX, || true));
    }

    /// Each record is answered before the next one is sent, so both sides sleep all the time. A
    /// lost call would be waited for until the end of time.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test may own threads")]
    fn two_threads_that_wait_for_each_other_never_sleep_for_good() {
        const ROUNDS: u64 = 3_000;
        let (asks, mut asked) = mpsc::<u64>(2).unwrap();
        let (answers, mut answered) = mpsc::<u64>(2).unwrap();
        let bells = Arc::new([Doorbell::new(), Doorbell::new()]);
        let server = thread::spawn({
            let bells = Arc::clone(&bells);
            move || {
                loop {
                    match asked.pop() {
                        Ok(record) => {
                            answers.push(record + 1).unwrap();
                            bells[1].ring();
                        }
                        Err(PopError::Closed) => return,
                        Err(PopError::Empty) => {
                            let ready = || asked.is_ready() || asked.is_closed();
                            while !bells[0].wait(Duration::MAX, ready) {}
                        }
                    }
                }
            }
        });
        for round in 0..ROUNDS {
            asks.push(round).unwrap();
            bells[0].ring();
            while !bells[1].wait(Duration::MAX, || answered.is_ready()) {}
            assert_eq!(answered.pop(), Ok(round + 1));
        }
        drop(asks);
        bells[0].ring();
        server.join().unwrap();
    }
}

//! When events happen: a Hawkes process with three exponential kernels, simulated as clusters.
//!
//! Source: Hawkes and Oakes, "A cluster process representation of a self-exciting process"
//! (1974); the child counts are negative binomial instead of Poisson, which real bursts need
//! (design note "replay", section 8). Some events arrive by themselves; every event has a random
//! number of children per kernel, each after its own exponential delay.
//!
//! Invariant: times never decrease; events of one nanosecond come in the order of their birth.

use super::chacha::ChaCha8;
use super::profile::{KERNELS, Profile};
use super::table::{CHILD_COUNTS, Counts, Exponential, POINTS};

/// Unborn children kept at most. The mean number is a few dozen, because an event has 0.9
/// children; children past the bound are not born.
const PENDING_MAX: usize = 1 << 16;
/// Places from the end that are tried one by one for a new child: most are due very soon.
const NEAR_PLACES: usize = 4;

/// The times of one stream of events.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    stream: ChaCha8,
    unit: Exponential,
    kernels: [Kernel; KERNELS],
    immigrant_gap_ns: u64,
    immigrant_ns: u64,
    /// (time, birth number) packed into one integer, so that one comparison orders both; the
    /// next one last. For a few dozen entries a sorted list beats a heap.
    pending: Vec<u128>,
    births: u64,
}

#[derive(Debug, Clone)]
struct Kernel {
    children: Counts,
    delay_ns: u64,
    /// The chance, in units of 2^-32, that this kernel and those before it bear nothing.
    barren: u64,
}

impl Clock {
    pub(crate) fn new(profile: &Profile, start_ns: u64, stream: ChaCha8) -> Self {
        let mut barren = 1 << 32;
        let kernels = std::array::from_fn(|k| {
            let children = Counts::read(profile.tables, POINTS + k * CHILD_COUNTS);
            barren = (barren * children.none()) >> 32;
            Kernel { children, delay_ns: profile.delay_ns[k], barren }
        });
        let mut clock = Self {
            stream,
            unit: Exponential::new(),
            kernels,
            immigrant_gap_ns: profile.immigrant_gap_ns,
            immigrant_ns: start_ns,
            pending: Vec::new(),
            births: 0,
        };
        clock.await_immigrant();
        clock
    }

    /// The time of the next event.
    #[inline]
    pub(crate) fn next_ns(&mut self) -> u64 {
        let child_ns = self.pending.last().map_or(u64::MAX, |child| (child >> 64) as u64);
        let ts_ns = if self.immigrant_ns <= child_ns {
            let ts_ns = self.immigrant_ns;
            self.await_immigrant();
            ts_ns
        } else {
            self.pending.pop();
            child_ns
        };
        // One draw says which kernel is the first to bear children; two events in three have
        // none, and are done. The kernels after it draw for themselves.
        let draw = u64::from(self.stream.next_u32());
        if draw >= self.kernels[KERNELS - 1].barren {
            let first = self.kernels.iter().position(|kernel| draw >= kernel.barren).unwrap_or(0);
            let count = self.kernels[first].children.at_least_one(self.stream.next_u32());
            self.bear(first, count, ts_ns);
            for kernel in first + 1..KERNELS {
                let count = self.kernels[kernel].children.at(self.stream.next_u32());
                self.bear(kernel, count, ts_ns);
            }
        }
        ts_ns
    }

    fn await_immigrant(&mut self) {
        let gap_ns = self.unit.draw_ns(self.immigrant_gap_ns, &mut self.stream);
        self.immigrant_ns = self.immigrant_ns.saturating_add(gap_ns);
    }

    fn bear(&mut self, kernel: usize, count: usize, ts_ns: u64) {
        let delay_ns = self.kernels[kernel].delay_ns;
        for _ in 0..count {
            let born_ns = ts_ns.saturating_add(self.unit.draw_ns(delay_ns, &mut self.stream));
            if self.pending.len() < PENDING_MAX {
                self.expect(u128::from(born_ns) << 64 | u128::from(self.births));
                self.births += 1;
            }
        }
    }

    /// Files a child; births are numbered, so no two are equal.
    fn expect(&mut self, child: u128) {
        let near = self.pending.iter().rev().take(NEAR_PLACES).take_while(|next| **next < child);
        let near = near.count();
        let mut at = self.pending.len() - near;
        if near == NEAR_PLACES {
            at = self.pending[..at].partition_point(|later| *later > child);
        }
        self.pending.insert(at, child);
    }

    #[cfg(test)]
    pub(crate) fn pending_len(&self) -> usize {
        self.pending.len()
    }
}

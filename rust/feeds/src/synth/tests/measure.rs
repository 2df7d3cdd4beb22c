//! The statistics of the note's table, taken from a run of events.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use crate::event::{Event, EventKind};

const NS_PER_MS: u64 = 1_000_000;
pub(crate) const NS_PER_S: u64 = 1_000 * NS_PER_MS;

/// Ids are mixed already; the map's order is never read.
#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl std::hash::Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0 << 8 | u64::from(*byte);
        }
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

pub(crate) type IdMap<T> = HashMap<u64, T, BuildHasherDefault<IdHasher>>;

/// One row of the table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measured {
    pub(crate) rate: f64,
    pub(crate) gap_p50_ms: f64,
    /// Variance over mean of the counts in 1, 10 and 60 s.
    pub(crate) fano: [f64; 3],
    pub(crate) max_1ms: f64,
    /// Shares of ADD, DELETE and REDUCE, FILL, TRADE.
    pub(crate) mix: [f64; 4],
    pub(crate) submits_per_fill: f64,
    /// p10, p50, p90 of a deleted order's age.
    pub(crate) lifetime_s: [f64; 3],
    pub(crate) fast_share: f64,
    pub(crate) size_p50: f64,
    pub(crate) size_mean: f64,
    pub(crate) size_p99: f64,
    pub(crate) size_100_share: f64,
    pub(crate) buy_share: f64,
}

impl Measured {
    /// Measures `events`, which begin at `start_ns` and are cut at `seconds`.
    pub(crate) fn of(events: &[Event], start_ns: u64, seconds: u64) -> Self {
        let times: Vec<u64> = events.iter().map(|event| event.ts_ns - start_ns).collect();
        let mut gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let total = events.len() as f64;
        let kinds = |wanted: &[EventKind]| {
            events.iter().filter(|event| wanted.contains(&event.kind)).count() as f64
        };
        let adds: Vec<&Event> =
            events.iter().filter(|event| event.kind == EventKind::Add).collect();
        let mut sizes: Vec<i64> = adds.iter().map(|event| event.qty).collect();
        let count = sizes.len() as f64;
        let mut born = IdMap::default();
        let mut ages = Vec::new();
        for event in events {
            match event.kind {
                EventKind::Add => drop(born.insert(event.order_id, event.ts_ns)),
                EventKind::Delete => ages.push(event.ts_ns - born[&event.order_id]),
                _ => {}
            }
        }
        let fast = ages.iter().filter(|age| **age < 50 * NS_PER_MS).count();
        Self {
            rate: total / seconds as f64,
            gap_p50_ms: percentile(&mut gaps, 50) as f64 / 1e6,
            fano: [1, 10, 60].map(|width| fano(&counts(&times, width * NS_PER_S, seconds / width))),
            max_1ms: burst(&times, NS_PER_MS) as f64,
            mix: [
                kinds(&[EventKind::Add]),
                kinds(&[EventKind::Delete, EventKind::Reduce]),
                kinds(&[EventKind::Fill]),
                kinds(&[EventKind::Trade]),
            ]
            .map(|share| share / total),
            submits_per_fill: count / kinds(&[EventKind::Fill]),
            lifetime_s: [10, 50, 90].map(|p| percentile(&mut ages, p) as f64 / 1e9),
            fast_share: fast as f64 / ages.len() as f64,
            size_p50: percentile(&mut sizes, 50) as f64,
            size_mean: sizes.iter().sum::<i64>() as f64 / count,
            size_p99: percentile(&mut sizes, 99) as f64,
            size_100_share: sizes.iter().filter(|size| **size == 100).count() as f64 / count,
            buy_share: adds.iter().filter(|event| event.side == 1).count() as f64 / count,
        }
    }

    fn numbers(&mut self) -> [&mut f64; 20] {
        let Self {
            rate,
            gap_p50_ms,
            fano: [fano_1, fano_10, fano_60],
            max_1ms,
            mix: [add, cancel, fill, print],
            submits_per_fill,
            lifetime_s: [age_p10, age_p50, age_p90],
            fast_share,
            size_p50,
            size_mean,
            size_p99,
            size_100_share,
            buy_share,
        } = self;
        [
            rate,
            gap_p50_ms,
            fano_1,
            fano_10,
            fano_60,
            max_1ms,
            add,
            cancel,
            fill,
            print,
            submits_per_fill,
            age_p10,
            age_p50,
            age_p90,
            fast_share,
            size_p50,
            size_mean,
            size_p99,
            size_100_share,
            buy_share,
        ]
    }

    /// The mean of each number over several runs.
    pub(crate) fn mean(mut runs: Vec<Self>) -> Self {
        let mut mean = Self::default();
        let count = runs.len() as f64;
        for run in &mut runs {
            for (sum, number) in mean.numbers().into_iter().zip(run.numbers()) {
                *sum += *number / count;
            }
        }
        mean
    }
}

fn percentile<T: Ord + Copy>(values: &mut [T], percent: usize) -> T {
    let at = (values.len() - 1) * percent / 100;
    *values.select_nth_unstable(at).1
}

fn counts(times: &[u64], width_ns: u64, bins: u64) -> Vec<f64> {
    let mut counts = vec![0.0; bins as usize];
    for ts_ns in times {
        if let Some(count) = counts.get_mut((ts_ns / width_ns) as usize) {
            *count += 1.0;
        }
    }
    counts
}

fn fano(counts: &[f64]) -> f64 {
    let mean = counts.iter().sum::<f64>() / counts.len() as f64;
    let squares: f64 = counts.iter().map(|count| (count - mean) * (count - mean)).sum();
    squares / (counts.len() - 1) as f64 / mean
}

/// Most events in any window `(t - width, t]`.
pub(crate) fn burst(times: &[u64], width_ns: u64) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (last, ts_ns) in times.iter().enumerate() {
        while ts_ns - times[first] >= width_ns {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}

//! What the kernels cost: one JSON object a line, ns/order, the least of the rounds.
//!
//! `taskset -c 1 cargo run --release -p cwts-simd --example kernels [ROUNDS]`. The paths take
//! turns, so that all meet the same machine. `records` is the block's way from 64-byte records of
//! 100 instruments to verdicts in arrival order.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::hint::black_box;
use std::time::Instant;

use cwts_simd::columns::flag;
use cwts_simd::{
    BLOCK_MAX, Bounds, Columns, Divisor, Groups, Limits, Path, Row, Rows, has_long_runs, with_path,
};

fn main() {
    let rounds = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let rounds: usize = rounds.unwrap_or(ROUNDS).max(ROUNDS_MIN);
    columns(BLOCK_MAX, rounds * 20);
    columns(1 << 20, rounds);
    runs(rounds * 20);
    grouping(rounds * 20);
    records(rounds * 20);
}

/// Seven checks, one instrument, all rows at once.
fn columns(rows: usize, rounds: usize) {
    let (orders, limits) = (orders(rows), limits());
    let mut columns = Columns::new();
    columns.fill(&orders, |order| order.row);
    let mut best = [f64::MAX; Path::ALL.len()];
    for _ in 0..rounds {
        for (path, best) in Path::ALL.into_iter().zip(&mut best) {
            let Ok(kernel) = with_path(path) else { continue };
            let ns = ns_per(rows, || columns.check(kernel, black_box(&limits), 0..rows));
            *best = best.min(ns);
        }
    }
    black_box(columns.reasons());
    print_paths("columns", rows, rows, rounds, &best);
}

/// The same in short runs, as grouping leaves them: each reads its limits anew.
fn runs(rounds: usize) {
    let orders = orders(BLOCK_MAX);
    let px: Vec<_> = orders.iter().map(|order| order.row.px).collect();
    let qty: Vec<_> = orders.iter().map(|order| order.row.qty).collect();
    let flags: Vec<_> = orders.iter().map(|order| order.row.flags).collect();
    let (mut reasons, mut tq) = (vec![0; BLOCK_MAX], vec![0; BLOCK_MAX]);
    let limits = limits();
    for length in [4, 8, 11, 16, 64] {
        let rows = BLOCK_MAX / length * length;
        let mut best = [f64::MAX; Path::ALL.len()];
        for _ in 0..rounds {
            for (path, best) in Path::ALL.into_iter().zip(&mut best) {
                let Ok(kernel) = with_path(path) else { continue };
                let ns = ns_per(rows, || {
                    for start in (0..rows).step_by(length) {
                        let run = start..start + length;
                        let columns = Rows {
                            px: &px[run.clone()],
                            qty: &qty[run.clone()],
                            flags: &flags[run.clone()],
                        };
                        let (reasons, tq) = (&mut reasons[run.clone()], &mut tq[run]);
                        kernel.check(black_box(&limits), columns, reasons, tq);
                    }
                });
                *best = best.min(ns);
            }
        }
        print_paths("runs", rows, length, rounds, &best);
    }
}

fn grouping(rounds: usize) {
    for instruments in [1, 100, 500, 10_000, 1_000_000, u32::MAX] {
        let mut seed = SEED;
        let handles: Vec<u32> = (0..BLOCK_MAX).map(|_| random(&mut seed) % instruments).collect();
        let mut groups = Groups::new();
        let (mut group, mut look) = (f64::MAX, f64::MAX);
        for _ in 0..rounds {
            group = group.min(ns_per(BLOCK_MAX, || groups.group(black_box(&handles)).unwrap()));
            look = look.min(ns_per(BLOCK_MAX, || {
                black_box(has_long_runs(black_box(&handles)));
            }));
        }
        println!(
            "{{\"name\": \"group\", \"instruments\": {instruments}, \"rows\": {BLOCK_MAX}, \
             \"rounds\": {rounds}, \"group\": {group:.3}, \"has_long_runs\": {look:.3}, \
             \"unit\": \"ns/order\"}}"
        );
    }
}

fn records(rounds: usize) {
    let orders = orders(BLOCK_MAX);
    let instruments: Vec<u32> = orders.iter().map(|order| order.instrument).collect();
    let limits = vec![limits(); INSTRUMENTS as usize];
    let (mut groups, mut columns) = (Groups::new(), Columns::new());
    let (mut reasons, mut tq) = (vec![0; BLOCK_MAX], vec![0; BLOCK_MAX]);
    let mut best = [f64::MAX; 4];
    for _ in 0..rounds {
        let steps: [f64; 4] = [
            ns_per(BLOCK_MAX, || groups.group(&instruments).unwrap()),
            ns_per(BLOCK_MAX, || {
                columns.gather(black_box(&orders), groups.order(), |order| order.row);
            }),
            ns_per(BLOCK_MAX, || {
                let kernel = with_path(cwts_simd::path()).unwrap();
                for run in groups.runs() {
                    let limits = &limits[run.instrument as usize];
                    columns.check(kernel, limits, run.start..run.end);
                }
            }),
            ns_per(BLOCK_MAX, || columns.scatter(groups.order(), &mut reasons, &mut tq)),
        ];
        for (best, step) in best.iter_mut().zip(steps) {
            *best = best.min(step);
        }
    }
    black_box((&reasons, &tq));
    let [group, gather, check, scatter] = best;
    println!(
        "{{\"name\": \"records\", \"instruments\": {INSTRUMENTS}, \"rows\": {BLOCK_MAX}, \
         \"rounds\": {rounds}, \"group\": {group:.3}, \"gather\": {gather:.3}, \
         \"check\": {check:.3}, \"scatter\": {scatter:.3}, \"unit\": \"ns/order\"}}"
    );
}

fn print_paths(name: &str, rows: usize, run: usize, rounds: usize, best: &[f64]) {
    let scalar = best[best.len() - 1];
    for (path, ns) in Path::ALL.into_iter().zip(best).filter(|(_, ns)| **ns < f64::MAX) {
        println!(
            "{{\"name\": \"{name}\", \"path\": \"{path}\", \"rows\": {rows}, \"run\": {run}, \
             \"rounds\": {rounds}, \"value\": {ns:.3}, \"unit\": \"ns/order\", \
             \"scalar_over_this\": {:.2}}}",
            scalar / ns
        );
    }
}

fn ns_per(orders: usize, mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos() as f64 / orders as f64
}

/// As large as a record of the log.
#[repr(align(64))]
struct Order {
    row: Row,
    instrument: u32,
}

/// Nine in ten keep all limits.
fn orders(count: usize) -> Vec<Order> {
    let mut seed = SEED;
    let order = |_| {
        let ticks = 18_000 + i64::from(random(&mut seed) % 1_000);
        let off_tick = i64::from(random(&mut seed).is_multiple_of(30));
        let qty = i64::from(random(&mut seed) % 11 + 1) * 100;
        let row = Row { px: ticks * TICK + off_tick, qty, flags: flag::COLLARED };
        Order { row, instrument: random(&mut seed) % INSTRUMENTS }
    };
    (0..count).map(order).collect()
}

fn limits() -> Limits {
    Limits::new(&Bounds {
        max_qty: 1_000,
        min_qty: 1,
        lot: Divisor::new(100).unwrap(),
        tick: Divisor::new(TICK as u64).unwrap(),
        lo: 18_000 * TICK,
        hi: 18_990 * TICK,
        max_notional: 188_000_000_000_000,
        min_notional: 1_000_000_000,
    })
}

/// Knuth's linear congruential generator (MMIX); its high half.
fn random(seed: &mut u64) -> u32 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 32) as u32
}

const ROUNDS: usize = 41;
const ROUNDS_MIN: usize = 21;
const SEED: u64 = 7;
const INSTRUMENTS: u32 = 100;
/// A cent.
const TICK: i64 = 10_000_000;

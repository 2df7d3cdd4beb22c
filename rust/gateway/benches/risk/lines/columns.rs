//! One instrument's orders as columns: the chosen path beside our own scalar code.

use std::hint::black_box;

use cwts_simd::columns::flag;
use cwts_simd::{BLOCK_MAX, Bounds, Columns, Divisor, Kernel, Limits, Path, Row, path, with_path};
use serde_json::{Value, json};

use super::Size;
use super::timing::{cpu, in_turn};

/// Seven exact checks of 4,096 rows at a time.
pub(super) fn columns(size: Size, say: &mut dyn FnMut(Value)) {
    let limits = limits();
    let mut columns = Columns::new();
    columns.fill(&rows(), |row| *row);
    let repeats = size.checks.div_ceil(BLOCK_MAX) * 8;
    let mut job = |columns: &mut Columns, kernel: Kernel| {
        cpu(repeats * BLOCK_MAX, || {
            for _ in 0..repeats {
                columns.check(kernel, black_box(&limits), 0..BLOCK_MAX);
                black_box(columns.reasons());
            }
        })
    };
    let mut again = Columns::new();
    again.fill(&rows(), |row| *row);
    let fast = with_path(path()).unwrap();
    let scalar = with_path(Path::Scalar).unwrap();
    let both = std::cell::RefCell::new(&mut job);
    let (us, them, ratio) = in_turn(
        size.rounds,
        || (both.borrow_mut())(&mut columns, fast),
        || (both.borrow_mut())(&mut again, scalar),
    );
    assert_eq!(columns.reasons(), again.reasons(), "the paths differ");
    say(json!({
        "name": "columns", "peer": "own scalar", "path": path().to_string(),
        "ours": us.median(), "ours_min": us.min(),
        "peer_value": them.median(), "peer_min": them.min(), "ratio": ratio, "unit": "ns/order",
        "rows": BLOCK_MAX, "rounds": size.rounds, "seed": SEED,
    }));
}

/// Nine in ten keep all limits.
fn rows() -> Vec<Row> {
    let mut seed = SEED;
    let row = |_| {
        let ticks = 18_000 + i64::from(random(&mut seed) % 1_000);
        let off_tick = i64::from(random(&mut seed).is_multiple_of(30));
        let qty = i64::from(random(&mut seed) % 11 + 1) * 100;
        Row { px: ticks * TICK + off_tick, qty, flags: flag::COLLARED }
    };
    (0..BLOCK_MAX).map(row).collect()
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

const SEED: u64 = 7;
/// A cent.
const TICK: i64 = 10_000_000;

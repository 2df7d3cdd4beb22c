//! Where the nanoseconds of one check go:
//! `cargo run --release -p cwts-gateway --example check_cost`
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "an example prints, and may panic")]

use std::hint::black_box;
use std::time::Instant;

use cwts_gateway::{Clock, Gateway, GatewayOptions, KeyStore};
use cwts_types::{Order, ReleaseMode};

const LIMITS: &str = r#"
schema = 1
[firm]
credit = "500_000_000"
[account.default]
max_order_qty = 1_000
max_order_notional = "150_000"
credit = "none"
message_rate = { max = 60_000, window = "1s" }
max_position = { long = "none", short = 0 }
duplicate_order = { window = "1ms", max = 17 }
[strategy.default]
[instrument]
AAPL = { tick = "0.01", lot = 1, price_collar = { bps = 500 }, max_order_qty = 10_000 }
"#;

fn best(name: &str, rounds: usize, mut f: impl FnMut()) {
    let mut best = f64::MAX;
    for _ in 0..9 {
        let start = Instant::now();
        for _ in 0..rounds {
            f();
        }
        best = best.min(start.elapsed().as_nanos() as f64 / rounds as f64);
    }
    println!("{name:28} {best:8.1} ns");
}

fn main() {
    let temp = tempfile::tempdir().unwrap();
    let options = |dir| GatewayOptions {
        limits: Some(("limits.toml".to_owned(), LIMITS.as_bytes().to_vec())),
        dir,
        keys: Some(KeyStore::new(temp.path().join("keys"))),
        origin: None,
        anchor: None,
        release: ReleaseMode::Async,
    };
    let order = Order {
        px: 585_330_000_000,
        qty: 1,
        instrument: 1,
        account: 1,
        strategy: 1,
        kind: 1,
        side: 1,
        type_tif: 2,
        ..Order::default()
    };
    let mut gateway = Gateway::open(&options(None)).unwrap();
    gateway.set_reference(1, Some(585_300_000_000), 0, 0, None).unwrap();
    assert!(gateway.submit(&order).unwrap().outcome.decision.is_accepted());
    let mut clock = Clock::default();
    best("clock", 200_000, || {
        black_box(clock.now());
    });
    best("check", 200_000, || {
        black_box(gateway.check(black_box(&order)).unwrap());
    });
    best("check_now", 200_000, || {
        black_box(gateway.check_now(black_box(&order)).unwrap());
    });
    best("engine.check", 200_000, || {
        black_box(gateway.engine().check(black_box(&order)));
    });
    best("submit, no log", 20_000, || {
        black_box(gateway.submit(black_box(&order)).unwrap());
    });
    let mut logged = Gateway::open(&options(Some(temp.path().join("log")))).unwrap();
    logged.set_reference(1, Some(585_300_000_000), 0, 0, None).unwrap();
    let mut refused = 0;
    best("submit, log", 20_000, || {
        refused +=
            u32::from(!logged.submit(black_box(&order)).unwrap().outcome.decision.is_accepted());
    });
    println!("refused {refused}");
    logged.close().unwrap();
}

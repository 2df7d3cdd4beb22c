//! A follower is the fold of what is there, and reads nothing twice.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use cwts_gateway::{Cursor, Follower, Gateway, GatewayOptions, KeyStore, fold_log, read_log};
use cwts_types::{Order, ReleaseMode};

const LIMITS: &str = r#"
schema = 1
[firm]
credit = "none"
[account.default]
max_order_qty = 1_000
max_order_notional = "none"
credit = "none"
message_rate = { max = 60_000, window = "1ms" }
max_position = { long = "none", short = 0 }
[strategy.default]
[instrument]
ACME = { tick = "0.01", lot = 1, price_collar = { bps = 500, reference = "external" } }
"#;

fn opened(dir: &Path) -> Gateway {
    let options = GatewayOptions {
        limits: Some(("limits.toml".to_owned(), LIMITS.as_bytes().to_vec())),
        dir: Some(dir.join("log")),
        keys: Some(KeyStore::new(dir.join("keys"))),
        origin: None,
        release: ReleaseMode::Async,
    };
    let mut gateway = Gateway::open(&options).unwrap();
    gateway.set_reference(1, Some(100_000_000_000), 0, 0, None).unwrap();
    gateway
}

fn trade(gateway: &mut Gateway, orders: usize) {
    let order = Order {
        px: 100_000_000_000,
        qty: 1,
        instrument: 1,
        account: 1,
        strategy: 1,
        kind: 1,
        side: 1,
        type_tif: 2,
        ..Order::default()
    };
    for _ in 0..orders {
        gateway.submit(&order).unwrap();
    }
    gateway.sync().unwrap();
}

#[test]
fn it_is_the_fold_from_zero_at_every_stop_and_counts_each_entry_once() {
    let temp = tempfile::tempdir().unwrap();
    let log = temp.path().join("log");
    let mut gateway = opened(temp.path());
    let mut follower = Follower::new(&log);
    let mut told = 0;
    for orders in [0, 1, 700, 0, 5_000] {
        trade(&mut gateway, orders);
        told += follower.advance().unwrap();
        let whole = fold_log(&log, |_, _, _| Ok(())).unwrap();
        assert_eq!(told, gateway.next_index());
        assert_eq!(follower.folded().facts, whole.facts);
        assert_eq!(follower.folded().engine.snapshot(), whole.engine.snapshot());
        assert!(!follower.folded().is_closed);
    }
    gateway.close().unwrap();
    assert_eq!(follower.advance().unwrap(), 1);
    assert!(follower.folded().is_closed);
    assert_eq!(follower.advance().unwrap(), 0);
    // The next gateway goes on in the same log.
    trade(&mut opened(temp.path()), 3);
    assert!(follower.advance().unwrap() >= 6);
    assert!(!follower.folded().is_closed);
}

#[test]
fn a_tail_is_read_without_what_is_before_its_segment() {
    let temp = tempfile::tempdir().unwrap();
    let log = temp.path().join("log");
    let mut gateway = opened(temp.path());
    trade(&mut gateway, 50);
    let whole = read_log(&log, &mut |_, _| Ok(())).unwrap();
    let mut seen = Vec::new();
    let mut cursor = Cursor::near(&log, 40).unwrap();
    let mut visit = |index: u64, _: &[u8]| {
        seen.push(index);
        Ok(())
    };
    cursor.read_on(&log, &mut visit).unwrap();
    assert_eq!(cursor.facts().size, whole.size);
    assert!(seen.first() <= Some(&40) && seen.is_sorted());
}

#[test]
fn a_log_that_became_shorter_is_said_and_not_read_on() {
    let temp = tempfile::tempdir().unwrap();
    let log = temp.path().join("log");
    let mut gateway = opened(temp.path());
    trade(&mut gateway, 50);
    let mut follower = Follower::new(&log);
    follower.advance().unwrap();
    drop(gateway);
    let segment = log.join("wal").read_dir().unwrap().next().unwrap().unwrap().path();
    let file = std::fs::OpenOptions::new().write(true).open(segment).unwrap();
    file.set_len(512).unwrap();
    let told = follower.advance().unwrap_err().to_string();
    assert!(told.contains("512 bytes are left of"), "{told}");
}

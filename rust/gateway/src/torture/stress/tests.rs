//! A log with a quiet and a busy second, and what twice the busy one does.

use super::*;
use cwts_types::Verdict;

const LIMITS: &str = r#"
schema = 1
[firm]
credit = "1_000"
[account.a]
max_order_qty = 1_000
max_order_notional = "none"
credit = "none"
message_rate = { max = 60_000, window = "1ms" }
max_position = { long = "none", short = 0 }
[strategy.default]
[instrument]
ACME = { tick = "0.01", lot = 1, price_collar = { bps = 500, reference = "external" } }
"#;

fn open(dir: &Path) -> Gateway {
    Gateway::open(&GatewayOptions {
        limits: Some(("limits.toml".to_owned(), LIMITS.as_bytes().to_vec())),
        dir: Some(dir.join("log")),
        keys: Some(KeyStore::new(dir.join("keys"))),
        origin: None,
        release: ReleaseMode::Async,
    })
    .unwrap()
}

/// Ten minutes: however slow the machine, the busy part fits and the quiet one is outside.
const WINDOW_NS: u64 = 600_000_000_000;

fn options(factor: u32) -> StressOptions {
    StressOptions { factor, window_ns: WINDOW_NS, limits: None }
}

#[test]
fn twice_the_busiest_window_is_sent_and_no_limit_is_passed() {
    let temp = tempfile::tempdir().unwrap();
    let mut gateway = open(temp.path());
    gateway.set_reference(1, Some(100_000_000_000), 0, 0, None).unwrap();
    let buy = Order {
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
    // Three orders, an hour later seven and a cancel: the credit of 1,000 is ten orders of 100.
    for _ in 0..3 {
        let submitted = gateway.submit(&buy).unwrap();
        let cancel = cwts_types::Exec {
            order_id: submitted.order.order_id,
            exec_type: cwts_types::exec_type::CANCELED,
            ..cwts_types::Exec::default()
        };
        gateway.on_execution_report(&cancel).unwrap();
    }
    gateway.step_clock(3_600_000_000_000);
    let mut id = 0;
    for _ in 0..7 {
        let submitted = gateway.submit(&buy).unwrap();
        assert_eq!(submitted.outcome.decision.verdict, Verdict::Accept as u8);
        id = submitted.order.order_id;
    }
    gateway.submit(&Order { kind: 3, ref_id: id, order_id: id, ..buy }).unwrap();
    gateway.close().unwrap();

    let log = temp.path().join("log");
    assert_eq!(busiest(&log, WINDOW_NS).unwrap().messages, 8);
    for (factor, accepted) in [(1, 7), (2, 10)] {
        let work = tempfile::tempdir().unwrap();
        let found = run(&log, work.path(), &options(factor)).unwrap();
        assert_eq!(found["messages"], 8 * factor);
        assert_eq!((&found["orders"], &found["cancels"]), (&(7 * factor).into(), &factor.into()));
        assert_eq!(found["accepted"], accepted, "the credit holds");
        assert_eq!((&found["limits_held"], &found["in_out_equal"]), (&true.into(), &true.into()));
        assert_eq!(found["unknown_names"], 0);
    }
    let work = tempfile::tempdir().unwrap();
    let many = StressOptions { factor: 1_000_000, ..options(1) };
    assert!(run(&log, work.path(), &many).unwrap_err().to_string().contains("more than 1000000"));
}

#[test]
fn a_log_without_orders_and_limits_for_replays_are_refused() {
    let temp = tempfile::tempdir().unwrap();
    open(temp.path()).close().unwrap();
    let work = tempfile::tempdir().unwrap();
    let error = run(&temp.path().join("log"), work.path(), &options(2)).unwrap_err();
    assert!(error.to_string().contains("holds no order"));
}

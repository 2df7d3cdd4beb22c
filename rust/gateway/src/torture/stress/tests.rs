//! A log with a quiet and a busy second, and what twice the busy one does.

use super::*;
use crate::live;
use cwts_types::Verdict;

/// The firm's credit is ten orders of 100.
fn open(dir: &Path) -> Gateway {
    let limits = live::LIMITS.replacen("credit = \"none\"", "credit = \"1_000\"", 1);
    live::opened_with(Some(&limits), Some(dir), ReleaseMode::Async)
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
    let buy = live::buy(1);
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

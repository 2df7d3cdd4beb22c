//! What only the inside can plant: a crash between a decision and its alert, a message that is
//! accepted and never released.

use std::path::Path;

use cwts_types::{Order, ReleaseMode, Verdict};

use super::*;
use crate::clock::Now;
use crate::follow::fold_log;
use crate::gateway::{Sender, push_pair};
use crate::live;

fn open(dir: &Path) -> Gateway {
    // 75 of a position of 100 come to the stage.
    let position = "max_position = { long = \"none\"";
    let limits = live::LIMITS.replacen(position, "max_position = { long = 100", 1);
    let limits = limits + "[control]\nstaged = { alert = 70 }\n";
    live::opened_with(Some(&limits), Some(dir), ReleaseMode::Async)
}

fn buy(qty: i64) -> Order {
    Order { qty, ..live::buy(1) }
}

#[test]
fn what_a_crash_kept_from_following_follows_at_the_next_start() {
    let temp = tempfile::tempdir().unwrap();
    let mut gateway = open(temp.path());
    let now = gateway.clock.now();
    let seq = gateway.next_index();
    let order = Order { seq, ts: now.utc_ns, order_id: 1, ..buy(75) };
    let outcome = gateway.engine.decide(&order, false);
    assert_eq!(outcome.decision.verdict, Verdict::Accept as u8);
    let header = gateway.header_of(Sender::Api, now);
    let decisions = gateway.engine.decisions() - 1;
    assert!(push_pair(gateway.log.as_mut().unwrap(), &header, &order, &outcome, decisions));
    gateway.sync().unwrap();
    drop(gateway);
    let log = temp.path().join("log");
    let before = fold_log(&log, |_, _, _| Ok(())).unwrap();
    assert!(before.engine.has_due() && before.alert_count == 0);
    for starts in 1..3 {
        drop(open(temp.path()));
        let after = fold_log(&log, |_, _, _| Ok(())).unwrap();
        assert!(!after.engine.has_due(), "{starts}");
        assert_eq!(after.alert_count, 1, "{starts}");
        assert_eq!(after.alerts[0].alert.order_seq, seq);
    }
}

#[test]
fn a_message_that_was_accepted_and_never_came_out_halts_the_firm_at_the_next_tick() {
    let temp = tempfile::tempdir().unwrap();
    let mut gateway = open(temp.path());
    gateway.submit(&buy(1)).unwrap();
    let at = |gateway: &Gateway, s: u64| Now {
        utc_ns: gateway.clock.clone().now().utc_ns + s * 1_000_000_000,
        ..Now::default()
    };
    let first = at(&gateway, 0);
    gateway.tick(first).unwrap();
    let second = at(&gateway, 2);
    gateway.tick(second).unwrap();
    assert_eq!(gateway.engine.holds().count(), 0);
    gateway.submit(&buy(1)).unwrap();
    gateway.in_out.accept();
    let soon = Now { utc_ns: second.utc_ns + 999_999_999, ..Now::default() };
    gateway.tick(soon).unwrap();
    assert_eq!(gateway.engine.holds().count(), 0, "a second has not passed");
    let third = Now { utc_ns: second.utc_ns + 1_000_000_000, ..Now::default() };
    gateway.tick(third).unwrap();
    let hold = gateway.engine.holds().next().unwrap().clone();
    assert_eq!((hold.scope, hold.state), (0, 2));
    assert_eq!(hold.reason, "IN_OUT_COMPARE: 2 messages out, 3 expected");
    assert_eq!(gateway.alerts().last().unwrap().alert.kind, AlertKind::InOut);
    // It is told once; another mismatch would be told again.
    let fourth = Now { utc_ns: third.utc_ns + 1_000_000_000, ..Now::default() };
    gateway.tick(fourth).unwrap();
    assert_eq!(gateway.engine.holds().count(), 1);
    gateway.in_out.accept();
    let fifth = Now { utc_ns: fourth.utc_ns + 1_000_000_000, ..Now::default() };
    gateway.tick(fifth).unwrap();
    assert_eq!(gateway.engine.holds().count(), 2);
}

//! A follower is the fold of what is there, and reads nothing twice.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod live;

use cwts_gateway::{Cursor, Follower, Gateway, fold_log, read_log};
use cwts_types::ReleaseMode;

fn trade(gateway: &mut Gateway, orders: usize) {
    let order = live::buy(1);
    for _ in 0..orders {
        gateway.submit(&order).unwrap();
    }
    gateway.sync().unwrap();
}

#[test]
fn it_is_the_fold_from_zero_at_every_stop_and_counts_each_entry_once() {
    let temp = tempfile::tempdir().unwrap();
    let log = temp.path().join("log");
    let mut gateway = live::opened(Some(temp.path()), ReleaseMode::Async);
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
    assert_eq!(follower.advance().unwrap(), 2, "the counts of the day, and CLOSE");
    assert!(follower.folded().is_closed);
    assert_eq!(follower.advance().unwrap(), 0);
    // The next gateway goes on in the same log.
    trade(&mut live::opened(Some(temp.path()), ReleaseMode::Async), 3);
    assert!(follower.advance().unwrap() >= 6);
    assert!(!follower.folded().is_closed);
}

#[test]
fn a_tail_is_read_without_what_is_before_its_segment() {
    let temp = tempfile::tempdir().unwrap();
    let log = temp.path().join("log");
    let mut gateway = live::opened(Some(temp.path()), ReleaseMode::Async);
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
    let mut gateway = live::opened(Some(temp.path()), ReleaseMode::Async);
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

//! A build that loses entries between the queue and the log: it must stop, and where it does not,
//! verify must be red.

use std::cell::Cell;

use cwts_audit::{FindingKind, FsStorage, Level, VerifyKeys, verify};
use cwts_types::ReleaseMode;

use crate::live;

/// What the log's thread does wrong; taken over from the thread that opens the log.
#[derive(Clone, Copy, Default)]
pub(super) struct Planted {
    /// Every entry whose index this divides is lost; 0 loses none.
    pub(super) every: u64,
    /// Nor is it noticed.
    pub(super) unchecked: bool,
}

thread_local! {
    pub(super) static PLANTED: Cell<Planted> = Cell::default();
}

/// Orders until the first 1,000th entry and behind it.
fn run(planted: Planted) -> (tempfile::TempDir, bool) {
    let temp = tempfile::tempdir().unwrap();
    drop(live::opened(Some(temp.path()), ReleaseMode::Durable).close().unwrap());
    PLANTED.set(planted);
    let mut gateway = live::opened_with(None, Some(temp.path()), ReleaseMode::Async);
    PLANTED.set(Planted::default());
    let mut failed = false;
    for _ in 0..800 {
        failed |= gateway.submit(&live::buy(1)).is_err();
    }
    failed |= gateway.close().is_err();
    (temp, failed)
}

#[test]
fn an_entry_that_is_lost_on_its_way_stops_the_log() {
    let (temp, failed) = run(Planted { every: 1_000, unchecked: false });
    assert!(failed);
    let storage = FsStorage::open(&temp.path().join("log")).unwrap();
    let verdict = verify(&storage, &VerifyKeys::default(), Level::Full).unwrap();
    assert_eq!(verdict.findings, [], "what was written before is whole");
    assert!(verdict.size <= 1_000);
}

#[test]
fn a_build_that_does_not_notice_turns_verify_red() {
    let (temp, _) = run(Planted { every: 1_000, unchecked: true });
    let storage = FsStorage::open(&temp.path().join("log")).unwrap();
    let verdict = verify(&storage, &VerifyKeys::default(), Level::Full).unwrap();
    let kinds: Vec<FindingKind> = verdict.findings.iter().map(|f| f.kind).collect();
    assert!(kinds.contains(&FindingKind::SeqDiffers), "{kinds:?}");
    assert!(kinds.contains(&FindingKind::ProducerGap), "{kinds:?}");
    // The decision was lost: its order, before it, is the first that misses something.
    assert_eq!(verdict.findings[0].index, Some(999), "{:?}", verdict.findings[0]);
}

#[test]
fn without_a_plant_nothing_is_found() {
    let (temp, failed) = run(Planted::default());
    assert!(!failed);
    let storage = FsStorage::open(&temp.path().join("log")).unwrap();
    assert_eq!(verify(&storage, &VerifyKeys::default(), Level::Full).unwrap().findings, []);
}

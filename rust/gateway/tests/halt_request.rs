//! A halt from another process works before its request is on disk, and without one.
#![allow(clippy::unwrap_used, reason = "a fixture that fails is a failed test")]

mod live;

use cwts_gateway::request_halt;
use cwts_types::{Control, ReleaseMode, Scope};
use live::{buy, opened};

#[test]
fn a_request_that_cannot_be_written_keeps_nobody_from_halting() {
    let temp = tempfile::tempdir().unwrap();
    let log = temp.path().join("log");
    let mut gateway = opened(Some(temp.path()), ReleaseMode::Async);
    assert!(gateway.submit(&buy(1)).unwrap().outcome.decision.is_accepted());
    // As on a full disk: nothing can be put where requests go.
    let folder = log.join(cwts_audit::holds::REQUESTS_DIRECTORY.trim_end_matches('/'));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::write(&folder, "in the way").unwrap();
    let error = request_halt(&log, "account:alpha", "anna", "fat finger", false, false);
    assert!(error.unwrap_err().to_string().contains("requests"), "it says what could not be done");
    for (account, is_halted) in [(1, true), (2, false)] {
        let decision = gateway.submit(&buy(account)).unwrap().outcome.decision;
        assert_eq!(decision.reasons.contains(Control::KillHalted), is_halted, "{account}");
    }
    let holds: Vec<_> = gateway.engine().holds().cloned().collect();
    assert_eq!(holds.len(), 1);
    assert_ne!(holds[0].at(), Scope::FIRM);
    assert!(holds[0].reason.contains("without a request"), "{}", holds[0].reason);
    gateway.close().unwrap();
}

#[test]
fn a_request_becomes_one_hold_with_its_words() {
    let temp = tempfile::tempdir().unwrap();
    let log = temp.path().join("log");
    let mut gateway = opened(Some(temp.path()), ReleaseMode::Async);
    let asked = request_halt(&log, "firm", "anna", "fat finger", false, false).unwrap();
    assert!(asked.path.exists());
    assert!(!gateway.submit(&buy(1)).unwrap().outcome.decision.is_accepted());
    assert!(!asked.path.exists(), "it is an entry, and durable");
    let holds: Vec<_> = gateway.engine().holds().cloned().collect();
    assert_eq!(holds.len(), 1);
    assert_eq!((holds[0].actor.as_str(), holds[0].reason.as_str()), ("anna", "fat finger"));
    gateway.close().unwrap();
}

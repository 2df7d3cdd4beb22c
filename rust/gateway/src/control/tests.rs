//! Races of the kill page that no process wins on purpose, step by step.

use cwts_ring::KillPage;
use cwts_types::ReleaseMode;

use super::*;
use crate::{GatewayOptions, KeyStore};

const LIMITS: &[u8] = b"schema = 1\n[firm]\ncredit = \"none\"\n[strategy.s]\n";

#[test]
fn a_resume_whose_raise_lags_lowers_the_page_and_comes_back_as_no_hold() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("log");
    let mut gateway = Gateway::open(&GatewayOptions {
        limits: Some(("limits.toml".to_owned(), LIMITS.to_vec())),
        dir: Some(dir.clone()),
        keys: Some(KeyStore::new(temp.path().join("keys"))),
        origin: None,
        anchor: None,
        release: ReleaseMode::Async,
    })
    .unwrap();
    let options = HaltOptions {
        reason: "look".to_owned(),
        actor: "ana".to_owned(),
        reduce_only: false,
        allow_reduce: false,
    };
    let hold = gateway.halt("strategy:s", &options).unwrap();
    let page = KillPage::open(dir.join(cwts_audit::holds::PAGE_FILE)).unwrap();
    assert_eq!(page.state(1), KillState::Halted as u8);

    // The request's file is found before its raise: the entry takes the next number, and the raise
    // that comes now moves the page to the same.
    let before = gateway.page_states();
    let request = KillRequest {
        action: KillAction::Resume { hold, approver: "ben".to_owned() },
        actor: "ana".to_owned(),
        reason: "looked".to_owned(),
        utc_ns: 1,
        cancel_working: false,
    };
    gateway.take_one(&request, false, RANK_OPERATOR, page.epoch()).unwrap();
    page.raise(0, KillState::Active as u8).unwrap();
    gateway.settle(&before).unwrap();
    assert_eq!(page.state(1), KillState::Active as u8, "the page is lowered");

    // Whoever moves the number next finds nothing that nobody asked for.
    page.raise(0, KillState::Active as u8).unwrap();
    gateway.attend().unwrap();
    assert_eq!(gateway.engine.holds().count(), 0);
    gateway.close().unwrap();
    let storage = FsStorage::open(&dir).unwrap();
    let keys = cwts_audit::VerifyKeys::default();
    let verdict = cwts_audit::verify(&storage, &keys, cwts_audit::Level::Full).unwrap();
    assert!(verdict.is_ok() && verdict.clean, "{:?}", verdict.findings);
}

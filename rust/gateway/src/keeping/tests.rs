//! Cases in a gateway of this process and from another, with keys and without.

use std::path::Path;

use cwts_audit::holds::ChangeAction;
use cwts_types::{Order, ReleaseMode};

use super::*;
use crate::follow::fold_log;
use crate::live;

/// A gateway whose operators are anna and bo; cy may not hold.
fn operated(dir: &Path) -> Gateway {
    let store = KeyStore::new(dir.join("keys"));
    let mut limits = live::LIMITS.to_owned();
    for (name, may) in [("anna", "hold"), ("bo", "hold"), ("cy", "resume")] {
        let key = store.new_operator(name).unwrap();
        limits += &format!("[operator.{name}]\nkey = \"{key}\"\nmay = [\"{may}\"]\n");
    }
    live::opened_with(Some(&limits), Some(dir), ReleaseMode::Async)
}

fn asked<'a>(case: &'a str, actor: &'a str) -> HoldRequest<'a> {
    HoldRequest {
        case,
        account: "alpha",
        instrument: "",
        person: "",
        between_ns: [0, i64::MAX],
        actor,
        reason: "letter of the regulator",
    }
}

fn refusal<T>(done: Result<T, GatewayError>) -> String {
    match done {
        Err(GatewayError::Permission(why)) => why,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was not refused"),
    }
}

#[test]
fn two_operators_open_and_close_a_case_and_nobody_else() {
    let temp = tempfile::tempdir().unwrap();
    let mut gateway = operated(temp.path());
    let before = gateway.next_index();
    for (actor, approver, why) in [
        ("anna", "anna", "takes a second person"),
        ("anna", "cy", "`cy` may not hold"),
        ("eve", "bo", "`eve` is no [operator]"),
        ("anna", "", "takes a second person"),
    ] {
        let told = refusal(gateway.hold_case(&asked("c1", actor), approver));
        assert!(told.contains(why), "{told}");
    }
    let unknown = HoldRequest { account: "gamma", ..asked("c1", "anna") };
    assert_eq!(
        refusal(gateway.hold_case(&unknown, "bo")),
        "case c1: the log knows no account `gamma`"
    );
    assert_eq!(gateway.next_index(), before);
    gateway.hold_case(&asked("c1", "anna"), "bo").unwrap();
    let seq = gateway.cases().get("c1").unwrap().seq;
    assert_eq!((seq, gateway.durable()), (before, before + 1));
    assert!(refusal(gateway.hold_case(&asked("c1", "anna"), "bo")).contains("was used"));
    drop(gateway);
    // The log alone has it.
    let mut gateway = live::opened_with(None, Some(temp.path()), ReleaseMode::Async);
    assert_eq!(gateway.cases().get("c1").unwrap().hold.account, 1);
    assert!(refusal(gateway.release_case("c2", ["bo", "anna", "over"])).contains("open: c1"));
    let told = refusal(gateway.release_case("c1", ["bo", "bo", "over"]));
    assert!(told.contains("takes a second person"), "{told}");
    gateway.release_case("c1", ["bo", "anna", "over"]).unwrap();
    gateway.submit(&Order { qty: 1, ..live::buy(1) }).unwrap();
    gateway.close().unwrap();
    let log = temp.path().join("log");
    assert!(fold_log(&log, |_, _, _| Ok(())).unwrap().cases.open().next().is_none());
    assert!(verified(&log).findings.is_empty());
}

fn verified(log: &Path) -> cwts_audit::Verdict {
    let storage = cwts_audit::FsStorage::open(log).unwrap();
    let keys = cwts_audit::VerifyKeys::default();
    let mut verdict = cwts_audit::verify(&storage, &keys, cwts_audit::Level::Full).unwrap();
    crate::check_consents(log, &mut verdict).unwrap();
    verdict
}

#[test]
fn another_process_asks_and_its_second_person_may_come_later() {
    let temp = tempfile::tempdir().unwrap();
    let mut gateway = operated(temp.path());
    gateway.sync().unwrap();
    let (log, keys) = (temp.path().join("log"), KeyStore::new(temp.path().join("keys")));
    let half = request_hold(&log, &asked("c1", "anna"), None, Some(&keys)).unwrap();
    assert!(half.signed && half.requested.running);
    gateway.poll().unwrap();
    assert!(gateway.cases().open().next().is_none());
    let again = refusal(request_case_approval(&log, "c1", false, "anna", Some(&keys)));
    assert!(again.contains("takes a second person"), "{again}");
    assert!(
        refusal(request_case_approval(&log, "c2", false, "bo", Some(&keys))).contains("nobody")
    );
    request_case_approval(&log, "c1", false, "bo", Some(&keys)).unwrap();
    gateway.poll().unwrap();
    assert_eq!(gateway.cases().open().count(), 1);
    let ended = ["anna", "over"];
    request_release(&log, "c1", ended, Some("bo"), Some(&keys)).unwrap();
    // Twice: the second finds nothing to close, and is told.
    request_release(&log, "c1", ended, Some("bo"), Some(&keys)).unwrap();
    gateway.poll().unwrap();
    assert!(gateway.cases().open().next().is_none());
    gateway.sync().unwrap();
    let folded = fold_log(&log, |_, _, _| Ok(())).unwrap();
    let told: Vec<&String> = folded.refused.values().collect();
    assert!(told.len() == 1 && told[0].contains("case c1 is not open"), "{told:?}");
}

/// A request whose text was changed by somebody without a key.
#[test]
fn a_signature_for_one_account_opens_no_case_of_another() {
    let temp = tempfile::tempdir().unwrap();
    let mut gateway = operated(temp.path());
    gateway.sync().unwrap();
    let (log, keys) = (temp.path().join("log"), KeyStore::new(temp.path().join("keys")));
    let asked = request_hold(&log, &asked("c1", "anna"), Some("bo"), Some(&keys)).unwrap();
    let path = asked.requested.path;
    let mut request = ChangeRequest::parse(&std::fs::read(&path).unwrap()).unwrap();
    let ChangeAction::Hold { named, .. } = &mut request.action else { panic!() };
    named[0] = 2;
    std::fs::write(&path, request.encode()).unwrap();
    gateway.poll().unwrap();
    assert!(gateway.cases().open().next().is_none());
    gateway.sync().unwrap();
    let folded = fold_log(&log, |_, _, _| Ok(())).unwrap();
    let told = folded.refused.values().next().unwrap();
    assert!(told.contains("the signature of `anna` does not verify"), "{told}");
}

#[test]
fn a_log_for_records_takes_names_and_verify_says_that_nobody_signed() {
    let temp = tempfile::tempdir().unwrap();
    let options = crate::GatewayOptions {
        limits: None,
        dir: Some(temp.path().join("log")),
        keys: Some(KeyStore::new(temp.path().join("keys"))),
        origin: None,
        anchor: None,
        release: ReleaseMode::Async,
    };
    let mut gateway = Gateway::open_records(&options).unwrap();
    gateway.note("a trade", "carl").unwrap();
    let request = HoldRequest { account: "", person: "carl", ..asked("c1", "anna") };
    gateway.hold_case(&request, "bo").unwrap();
    gateway.close().unwrap();
    let verdict = verified(&temp.path().join("log"));
    assert!(verdict.findings.is_empty(), "{:?}", verdict.findings);
    assert!(verdict.notes.iter().any(|note| note.contains("unauthenticated")));
    assert_eq!(open_cases(&temp.path().join("log")).unwrap()[0]["person"], "carl");
}

/// A writer that asked nobody is found out by its log.
#[test]
fn a_case_that_was_never_open_or_closed_by_one_person_does_not_verify() {
    for (case, approver) in [("c2", "bo"), ("c1", "anna")] {
        let temp = tempfile::tempdir().unwrap();
        let mut gateway = live::opened(Some(temp.path()), ReleaseMode::Async);
        gateway.hold_case(&asked("c1", "anna"), "bo").unwrap();
        let mut said = Said::close(case, "anna", "over");
        said.agree(approver);
        let (now, index) = (gateway.clock.now(), gateway.next_index());
        gateway.append(said.into_body(), now, 0).unwrap();
        gateway.close().unwrap();
        let verdict = verified(&temp.path().join("log"));
        let found: Vec<_> = verdict.findings.iter().map(|f| (f.kind, f.index)).collect();
        assert_eq!(found, [(cwts_audit::FindingKind::HoldBad, Some(index))]);
    }
}

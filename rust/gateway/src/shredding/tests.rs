//! Keys that are made, destroyed in time and not before, and a crash at each step.

use std::path::PathBuf;

use cwts_audit::Level;
use cwts_audit::holds::{ChangeAction, ChangeRequest};
use cwts_audit::sealed::SUBJECT_KEY_BYTES;
use cwts_types::{Order, ReleaseMode};

use super::*;
use crate::gateway::Gateway;
use crate::keeping::HoldRequest;
use crate::{GatewayOptions, Retention, live};

const NAME: &str = "Jane Maria Doe";
const DAY_NS: i64 = 24 * 60 * 60 * 1_000_000_000;
/// A year of records, as a leap year.
const YEAR_NS: i64 = 366 * DAY_NS;
/// Who asks and why.
const WHY: [&str; 2] = ["anna", "Art. 17"];

struct Desk {
    temp: tempfile::TempDir,
}

impl Desk {
    /// A log that promises a year, with one person of whom it said something so long ago.
    fn of(ago_ns: i64) -> Self {
        let desk = Self { temp: tempfile::tempdir().unwrap() };
        let retention = Retention::new(1, None).unwrap();
        let mut gateway = Gateway::open_kept(&desk.options(), Some(retention)).unwrap();
        gateway.step_clock(-ago_ns);
        gateway.seal(SealedKind::Identity, &person(), NAME, "").unwrap();
        gateway.seal(SealedKind::Note, &person(), "rang at nine", "").unwrap();
        gateway.step_clock(ago_ns);
        gateway.note("of today", "carl").unwrap();
        gateway.close().unwrap();
        desk
    }

    fn options(&self) -> GatewayOptions {
        GatewayOptions {
            limits: None,
            dir: Some(self.log()),
            keys: Some(self.keys()),
            origin: None,
            anchor: None,
            release: ReleaseMode::Async,
        }
    }

    fn log(&self) -> PathBuf {
        self.temp.path().join("log")
    }

    fn keys(&self) -> KeyStore {
        KeyStore::new(self.temp.path().join("keys"))
    }

    fn open(&self) -> Gateway {
        Gateway::open_records(&self.options()).unwrap()
    }

    fn shred(&self, approver: Option<&str>) -> Result<ShredAsked, GatewayError> {
        request_shred(&self.log(), &person(), WHY, approver, &self.keys())
    }

    /// What is sealed of the person, as far as it can be read.
    fn row(&self) -> Value {
        let mut rows = subject_rows(&self.log(), Some(&self.keys())).unwrap();
        assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
        rows[0].take()
    }

    fn key_files(&self) -> Vec<PathBuf> {
        let (_, log_id) = crate::reader::identity(&self.log()).unwrap();
        let folder = self.keys().folder(log_id).join("subject");
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    fn verified(&self) -> Verdict {
        verified(&self.log())
    }
}

fn verified(log: &Path) -> Verdict {
    let storage = cwts_audit::FsStorage::open(log).unwrap();
    let keys = cwts_audit::VerifyKeys::default();
    let mut verdict = cwts_audit::verify(&storage, &keys, Level::Full).unwrap();
    crate::check_consents(log, &mut verdict).unwrap();
    verdict
}

fn person() -> Subject {
    "person:c-17".parse().unwrap()
}

fn retention(done: Result<ShredAsked, GatewayError>) -> String {
    match done {
        Err(GatewayError::Retention(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn permission<T: std::fmt::Debug>(done: Result<T, GatewayError>) -> String {
    match done {
        Err(GatewayError::Permission(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// The key's file, under a second name: what an unlink alone leaves on the disk.
fn linked(desk: &Desk) -> PathBuf {
    let files = desk.key_files();
    assert_eq!(files.len(), 1, "{files:?}");
    let second = desk.temp.path().join("second-name");
    std::fs::hard_link(&files[0], &second).unwrap();
    assert_ne!(std::fs::read(&second).unwrap(), [0; SUBJECT_KEY_BYTES]);
    second
}

#[test]
fn two_people_destroy_a_key_once_and_everything_still_verifies() {
    let desk = Desk::of(YEAR_NS + DAY_NS);
    assert_eq!(desk.row()["identity"], NAME);
    let (second, root) = (linked(&desk), desk.verified().size);
    for (approver, why) in [("anna", "second person"), (" ", "second person")] {
        assert!(permission(desk.shred(Some(approver))).contains(why));
    }
    let Ok(ShredAsked::Asked { case, sealed: 2, plain }) = desk.shred(Some("bo")) else { panic!() };
    assert!(plain.is_empty() && !case.signed);
    desk.open().close().unwrap();
    assert_eq!(desk.row()["identity"], Value::Null);
    assert_eq!(desk.row()["shredded"]["approver"], "bo");
    assert!(desk.key_files().is_empty());
    // Unlinked only, the bytes would still lie where they lay.
    assert_eq!(std::fs::read(&second).unwrap(), [0; SUBJECT_KEY_BYTES]);
    let seq = desk.row()["shredded"]["seq"].as_u64().unwrap();
    assert_eq!(desk.shred(Some("bo")).unwrap(), ShredAsked::Already { seq });
    assert!(!desk.log().join("requests").read_dir().unwrap().any(|f| f.is_ok()));
    let mut gateway = desk.open();
    let told = permission(gateway.seal(SealedKind::Note, &person(), "again", ""));
    assert!(told.contains("was destroyed by entry"), "{told}");
    gateway.close().unwrap();
    assert!(desk.key_files().is_empty());
    let verdict = desk.verified();
    assert!(verdict.findings.is_empty() && verdict.size > root, "{:?}", verdict.findings);
}

#[test]
fn a_second_person_may_come_later_and_must_be_another() {
    let desk = Desk::of(YEAR_NS + DAY_NS);
    let nobody = request_shred_approval(&desk.log(), &person(), "bo", &desk.keys());
    assert!(permission(nobody).contains("nobody asked yet"));
    desk.shred(None).unwrap();
    desk.open().close().unwrap();
    assert_eq!(desk.row()["identity"], NAME);
    let own = request_shred_approval(&desk.log(), &person(), "anna", &desk.keys());
    assert!(permission(own).contains("second person"));
    request_shred_approval(&desk.log(), &person(), "bo", &desk.keys()).unwrap();
    desk.open().close().unwrap();
    assert_eq!(desk.row()["shredded"]["actor"], "anna");
}

#[test]
fn years_that_are_not_over_and_a_case_keep_the_key() {
    for ago_ns in [0, YEAR_NS - DAY_NS] {
        let told = retention(Desk::of(ago_ns).shred(Some("bo")));
        assert!(told.contains("1 years are promised"), "{told}");
    }
    let desk = Desk::of(YEAR_NS + DAY_NS);
    let hold = |person| HoldRequest {
        case: "c1",
        account: "",
        instrument: "",
        person,
        between_ns: [0, 1],
        actor: "anna",
        reason: "letter",
    };
    for person in ["c-17", ""] {
        let mut gateway = desk.open();
        gateway
            .hold_case(&HoldRequest { case: &format!("c{person}"), ..hold(person) }, "bo")
            .unwrap();
        gateway.close().unwrap();
        let told = retention(desk.shred(Some("bo")));
        assert!(told.contains("person number 1: kept for case c"), "{told}");
        let mut gateway = desk.open();
        gateway.release_case(&format!("c{person}"), ["anna", "bo", "closed"]).unwrap();
        gateway.close().unwrap();
    }
    // Of somebody else: it keeps nothing of this one.
    let mut gateway = desk.open();
    gateway.hold_case(&hold("carl"), "bo").unwrap();
    gateway.close().unwrap();
    assert!(desk.shred(Some("bo")).is_ok());
    assert_eq!(desk.row()["identity"], NAME);
}

/// A gateway that was made to take what no request would have asked for.
#[test]
fn verify_names_a_key_that_went_too_early() {
    let desk = Desk::of(0);
    let mut gateway = desk.open();
    let mut said = Said::shred((RegisterKind::Actor as u8, 1), WHY[0], WHY[1]);
    if let Said::Shred(shred) = &mut said {
        shred.approver = "bo".to_owned();
    }
    gateway.sign_and_take(said, "bo").unwrap();
    gateway.close().unwrap();
    let found = desk.verified().findings;
    assert!(found.len() == 1 && found[0].kind == FindingKind::ShredBad, "{found:?}");
    assert!(found[0].expected.contains("1 years after entry"), "{found:?}");
}

/// The request; the entry, and the key whole; the key overwritten; the key gone.
#[test]
fn a_crash_at_any_step_leaves_a_shred_that_the_next_start_finishes() {
    for crash in 0..4 {
        let desk = Desk::of(YEAR_NS + DAY_NS);
        let file = desk.key_files().remove(0);
        let whole = std::fs::read(&file).unwrap();
        let second = linked(&desk);
        let Ok(ShredAsked::Asked { case, .. }) = desk.shred(Some("bo")) else { panic!() };
        let request = std::fs::read(&case.requested.path).unwrap();
        if crash > 0 {
            // Not closed: as a kill leaves it.
            drop(desk.open());
            // The request is removed last: it may be found again.
            std::fs::write(&case.requested.path, &request).unwrap();
        }
        match crash {
            1 => std::fs::write(&file, &whole).unwrap(),
            2 => std::fs::write(&file, [0; SUBJECT_KEY_BYTES]).unwrap(),
            _ => {}
        }
        desk.open().close().unwrap();
        assert!(desk.key_files().is_empty(), "step {crash}");
        assert_eq!(std::fs::read(&second).unwrap(), [0; SUBJECT_KEY_BYTES], "step {crash}");
        let verdict = desk.verified();
        assert_eq!(verdict.entry_counts.get("SHRED"), Some(&1), "step {crash}");
        assert!(verdict.findings.is_empty(), "step {crash}: {:?}", verdict.findings);
    }
}

/// A request of other people than it says, or of another subject, destroys nothing.
#[test]
fn keys_are_asked_for_where_operators_are_listed() {
    let temp = tempfile::tempdir().unwrap();
    let store = KeyStore::new(temp.path().join("keys"));
    let mut limits = live::LIMITS.to_owned();
    for (name, may) in [("anna", "shred"), ("bo", "shred"), ("cy", "hold")] {
        let key = store.new_operator(name).unwrap();
        limits += &format!("[operator.{name}]\nkey = \"{key}\"\nmay = [\"{may}\"]\n");
    }
    let mut gateway = live::opened_with(Some(&limits), Some(temp.path()), ReleaseMode::Async);
    // Only the clock lets them be old enough.
    gateway.step_clock(-8 * YEAR_NS);
    for code in ["c-17", "c-18"] {
        let subject = Subject { kind: RegisterKind::Actor, code: code.to_owned() };
        gateway.seal(SealedKind::Identity, &subject, NAME, "").unwrap();
    }
    gateway.step_clock(8 * YEAR_NS);
    gateway.sync().unwrap();
    let log = temp.path().join("log");
    let ask = |actor, approver| {
        request_shred(&log, &person(), [actor, "Art. 17"], Some(approver), &store)
    };
    assert!(permission(ask("anna", "cy")).contains("`cy` may not shred"));
    assert!(permission(ask("anna", "eve")).contains("no [operator]"));
    let Ok(ShredAsked::Asked { case, .. }) = ask("anna", "bo") else { panic!() };
    assert!(case.signed && case.requested.running);
    let mut other = ChangeRequest::parse(&std::fs::read(&case.requested.path).unwrap()).unwrap();
    let ChangeAction::Shred { subject, .. } = &mut other.action else { panic!() };
    subject.1 += 1;
    std::fs::write(&case.requested.path, other.encode()).unwrap();
    gateway.poll().unwrap();
    assert_eq!(gateway.cases().shredded().count(), 0);
    ask("anna", "bo").unwrap();
    gateway.poll().unwrap();
    assert_eq!(gateway.cases().shredded().count(), 1);
    gateway.close().unwrap();
    let verdict = verified(&log);
    assert!(verdict.findings.is_empty(), "{:?}", verdict.findings);
    assert!(verdict.notes.iter().any(|note| note.contains("signed by operators' keys")));
    let mut rows = subject_rows(&log, Some(&store)).unwrap();
    let [gone, there] = [0, 1].map(|i| rows[i].take());
    assert_eq!((&gone["identity"], &there["identity"]), (&Value::Null, &json!(NAME)));
}

#[test]
fn an_accounts_orders_and_its_limits_start_its_years_again() {
    let temp = tempfile::tempdir().unwrap();
    let mut gateway = live::opened(Some(temp.path()), ReleaseMode::Async);
    let account: Subject = "account:alpha".parse().unwrap();
    let unknown: Subject = "account:gamma".parse().unwrap();
    assert!(permission(gateway.seal(SealedKind::Identity, &unknown, NAME, "")).contains("no such"));
    gateway.seal(SealedKind::Identity, &account, NAME, "").unwrap();
    let order = gateway.next_index();
    gateway.submit(&Order { qty: 1, ..live::buy(1) }).unwrap();
    gateway.submit(&Order { qty: 1, ..live::buy(2) }).unwrap();
    gateway.close().unwrap();
    let (log, store) = (temp.path().join("log"), KeyStore::new(temp.path().join("keys")));
    let told = retention(request_shred(&log, &account, WHY, Some("bo"), &store));
    assert!(told.contains("limits in force list it"), "{told}");
    let newest = |subject: &Subject| Looked::at(&log, subject).unwrap().uses.newest.unwrap().0;
    // The decision of its own order; the other account's is no use of it.
    assert_eq!(newest(&account), order + 1);
    assert_eq!(newest(&"account:beta".parse().unwrap()), order + 3);
    let without = live::LIMITS.replace("alpha", "omega");
    let gateway = live::opened_with(Some(&without), Some(temp.path()), ReleaseMode::Async);
    gateway.close().unwrap();
    let told = retention(request_shred(&log, &account, WHY, Some("bo"), &store));
    assert!(told.contains("7 years are promised"), "{told}");
    assert!(newest(&account) > order + 3);
}

#[test]
fn a_text_that_stands_elsewhere_in_plain_is_told() {
    let desk = Desk::of(YEAR_NS + DAY_NS);
    let mut gateway = desk.open();
    let at = gateway.note(&format!("{NAME} complained"), "carl").unwrap();
    gateway.close().unwrap();
    let said = request_shred(&desk.log(), &person(), ["anna", NAME], None, &desk.keys());
    assert!(permission(said).contains("the reason says what is to be forgotten"));
    let Ok(ShredAsked::Asked { plain, .. }) = desk.shred(None) else { panic!() };
    assert_eq!(plain, [at]);
}

#[test]
fn a_subject_is_written_with_its_kind() {
    for text in ["ACME-77", "account:", "account: ", "venue:X", "instrument:X", "firm", ":x"] {
        let told = text.parse::<Subject>().unwrap_err().to_string();
        assert!(told.contains("KIND:CODE"), "{told}");
    }
    for text in ["account:a:b", "person:c-17", "customer:x", "desk:d", "strategy:s"] {
        assert_eq!(text.parse::<Subject>().unwrap().to_string(), text);
    }
}

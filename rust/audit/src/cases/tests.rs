//! What opens, closes and keeps a case, and what a subject's key may still be asked for.

use super::*;
use cwts_types::{Clock, ClockSource, Decision, Exec, Header, Note, Order};

fn hold(case: &str) -> Hold {
    Hold {
        case: case.to_owned(),
        account: 0,
        instrument: 0,
        person: 0,
        from_ns: 10,
        to_ns: 20,
        actor: "anna".to_owned(),
        approver: "bo".to_owned(),
        reason: "regulator asked".to_owned(),
        signatures: None,
    }
}

fn release(case: &str) -> HoldRelease {
    let Hold { case, actor, approver, reason, signatures, .. } = hold(case);
    HoldRelease { case, actor, approver, reason, signatures }
}

fn account(handle: u32) -> Body {
    let (kind, name) = (RegisterKind::Account, format!("A{handle}"));
    Body::Register(Register { kind, handle, parent: 0, salt: [0; 16], name })
}

#[test]
fn a_case_is_opened_once_and_closed_once_by_two_people() {
    let mut cases = Cases::default();
    cases.apply(5, 1, &Body::Hold(hold("c1"))).unwrap();
    assert_eq!(cases.get("c1").unwrap().seq, 5);
    let again = cases.apply(6, 1, &Body::Hold(hold("c1")));
    assert_eq!(again, Err(CaseError::Used { case: "c1".to_owned(), seq: 5 }));
    let other = cases.check_release(&release("c2")).unwrap_err().to_string();
    assert_eq!(other, "case c2 is not open; open: c1");
    for (actor, approver) in [("anna", "anna"), ("", "bo"), ("anna", " ")] {
        let one = |case: &str| HoldRelease {
            actor: actor.to_owned(),
            approver: approver.to_owned(),
            ..release(case)
        };
        assert!(matches!(cases.check_release(&one("c1")), Err(CaseError::OnePerson { .. })));
        let opened = Hold { actor: actor.to_owned(), approver: approver.to_owned(), ..hold("n") };
        assert!(matches!(cases.check_hold(&opened), Err(CaseError::OnePerson { .. })));
    }
    cases.apply(7, 1, &Body::HoldRelease(release("c1"))).unwrap();
    assert!(cases.open().next().is_none());
    assert!(cases.apply(8, 1, &Body::HoldRelease(release("c1"))).is_err());
    // A name that was used is used, whether its case is open or not.
    assert!(cases.apply(9, 1, &Body::Hold(hold("c1"))).is_err());
    for bad in [hold(""), hold(&"x".repeat(129)), Hold { reason: " ".to_owned(), ..hold("n") }] {
        assert!(matches!(cases.check_hold(&bad), Err(CaseError::Nameless { .. })), "{bad:?}");
    }
    assert!(cases.check_hold(&hold(&"x".repeat(128))).is_ok());
}

#[test]
fn a_hold_names_what_is_registered() {
    let mut cases = Cases::default();
    let of = |account| Hold { account, ..hold("c") };
    assert!(matches!(cases.check_hold(&of(1)), Err(CaseError::Unknown { handle: 1, .. })));
    cases.apply(2, 0, &account(1)).unwrap();
    assert!(cases.check_hold(&of(1)).is_ok());
    assert!(cases.check_hold(&of(2)).is_err());
}

#[test]
fn a_hold_selects_by_time_and_by_what_an_entry_names() {
    let entry =
        |utc_ns, actor, body| Entry { header: Header { utc_ns, actor, ..Header::default() }, body };
    let order = |account, instrument, order_id| {
        let order = Order { account, instrument, order_id, ..Order::default() };
        Body::Order(order, Vec::new())
    };
    let keeps = |hold: &Hold, entry: &Entry| Selection::new(hold).keeps(7, entry);
    let all = hold("c");
    for (utc_ns, held) in [(9, false), (10, true), (19, true), (20, false)] {
        assert_eq!(keeps(&all, &entry(utc_ns, 0, order(1, 1, 1))), held, "{utc_ns}");
    }
    let one = Hold { account: 1, ..hold("c") };
    let mut kept = Selection::new(&one);
    assert!(kept.keeps(7, &entry(10, 0, order(1, 7, 100))));
    assert!(!kept.keeps(8, &entry(10, 0, order(2, 7, 200))));
    // What is said of a kept order is kept, whenever it is said; of another, never.
    let exec = |order_id| Body::Exec(Exec { order_id, ..Exec::default() });
    assert!(kept.keeps(9, &entry(99, 0, exec(100))));
    assert!(!kept.keeps(10, &entry(10, 0, exec(200))));
    let decision = |order_seq| {
        let decision = Decision::from_bytes(&[0; cwts_types::DECISION_BYTES]);
        Body::Decision(Decision { order_seq, ..decision }, Vec::new())
    };
    assert!(kept.keeps(11, &entry(99, 0, decision(7))));
    assert!(!kept.keeps(12, &entry(10, 0, decision(8))));
    let thing = Hold { instrument: 3, ..hold("c") };
    assert!(keeps(&thing, &entry(10, 0, order(1, 3, 1))));
    assert!(!keeps(&thing, &entry(10, 0, order(1, 4, 1))));
    let note = || Body::Note(Note { salt: [0; 16], text: "t".to_owned() });
    let person = Hold { person: 9, ..hold("c") };
    assert!(keeps(&person, &entry(10, 9, note())) && keeps(&person, &entry(10, 0, note())));
    assert!(!keeps(&person, &entry(10, 8, note())) && keeps(&one, &entry(10, 8, note())));
    let clock = Body::Clock(Clock {
        source: ClockSource::None,
        status: 0,
        flags: 0,
        maxerror_us: 0,
        esterror_us: 0,
        offset_ns: 0,
        freq: 0,
        tai: 0,
        bound_us: 0,
        raw_ns: 0,
        utc_minus_mono_ns: 0,
    });
    assert!(keeps(&all, &entry(10, 0, clock.clone())));
    assert!(!keeps(&one, &entry(10, 0, clock)));
}

#[test]
fn a_subject_is_shredded_once_by_two_people_and_under_no_case_that_may_be_about_it() {
    let shred = |kind: RegisterKind, subject| Shred {
        kind: kind as u8,
        subject,
        actor: "anna".to_owned(),
        approver: "bo".to_owned(),
        reason: "Art. 17".to_owned(),
        signatures: None,
    };
    let text = |kind, subject| {
        let what = cwts_types::SealedKind::Identity;
        Body::Sealed(Sealed { kind, what, subject, sealed: Vec::new() })
    };
    let (account_kind, person) = (RegisterKind::Account, RegisterKind::Actor);
    let mut cases = Cases::default();
    assert!(cases.apply(1, 0, &text(account_kind, 1)).is_err());
    cases.apply(2, 0, &account(1)).unwrap();
    cases.apply(3, 0, &account(2)).unwrap();
    cases.apply(4, 0, &text(account_kind, 1)).unwrap();
    let one = shred(account_kind, 1);
    for bad in [
        Shred { approver: "anna".to_owned(), ..one.clone() },
        Shred { actor: String::new(), ..one.clone() },
        Shred { approver: " ".to_owned(), ..one.clone() },
        Shred { reason: " ".to_owned(), ..one.clone() },
        Shred { subject: 3, ..one.clone() },
        Shred { subject: 0, ..one.clone() },
        shred(person, 1),
    ] {
        let told = cases.check_shred(&bad);
        assert!(matches!(told, Err(CaseError::ShredBad { .. })), "{bad:?}: {told:?}");
    }
    let name = Register {
        kind: RegisterKind::Desk,
        handle: 1,
        parent: 0,
        salt: [0; 16],
        name: "d".to_owned(),
    };
    cases.apply(5, 0, &Body::Register(name)).unwrap();
    // A case of another account keeps no key of this one; one of a thing, or of all, does.
    for (case, kept) in [
        (Hold { account: 2, ..hold("other") }, [false, true, true]),
        (Hold { account: 1, ..hold("one") }, [true, false, true]),
        (hold("all"), [true, true, true]),
    ] {
        let mut held = cases.clone();
        held.apply(6, 0, &Body::Hold(case.clone())).unwrap();
        let asked = [one.clone(), shred(account_kind, 2), shred(RegisterKind::Desk, 1)];
        for (shred, kept) in asked.iter().zip(kept) {
            let refused = matches!(held.check_shred(shred), Err(CaseError::Kept { .. }));
            assert_eq!(refused, kept, "{} {shred:?}", case.case);
        }
        held.apply(7, 0, &Body::HoldRelease(release(&case.case))).unwrap();
        assert!(held.check_shred(&one).is_ok());
    }
    cases.apply(8, 0, &Body::Shred(one.clone())).unwrap();
    assert_eq!(cases.shredded().collect::<Vec<_>>(), [(account_kind as u8, 1, 8)]);
    let again = CaseError::Shredded { kind: account_kind as u8, handle: 1, seq: 8 };
    assert_eq!(cases.apply(9, 0, &Body::Shred(one)), Err(again.clone()));
    assert_eq!(cases.apply(9, 0, &text(account_kind, 1)), Err(again));
    cases.apply(9, 0, &text(account_kind, 2)).unwrap();
}

//! Each law of the judge, broken once.

use cwts_types::{Decision, Header, Kill, ReleaseDenied, Resume, producer};

use super::*;

fn entry(producer_seq: u64, body: Body) -> Entry {
    Entry { header: Header { producer: producer::API, producer_seq, ..Header::default() }, body }
}

fn order(order_id: u64) -> Body {
    Body::Order(Order { order_id, kind: 1, side: 1, qty: 1, ..Order::default() }, Vec::new())
}

fn accept() -> Body {
    let bytes = [0; cwts_types::DECISION_BYTES];
    let verdict = Verdict::Accept as u8;
    Body::Decision(Decision { verdict, ..Decision::from_bytes(&bytes) }, Vec::new())
}

fn halt() -> Body {
    Body::Kill(Kill {
        hold: 1,
        epoch: 1,
        state: KillState::Halted,
        scope: Scope::FIRM,
        rank: 1,
        allow_reduce: false,
        actor: "ana".to_owned(),
        reason: "torture".to_owned(),
    })
}

fn lift(hold: u64, approver: &str) -> Body {
    Body::Resume(Resume {
        hold,
        epoch: 2,
        actor: "ana".to_owned(),
        approver: approver.to_owned(),
        reason: String::new(),
        signatures: None,
    })
}

fn denied(order_id: u64) -> Body {
    Body::ReleaseDenied(ReleaseDenied { order_seq: 1, order_id, kill_epoch: 1 })
}

/// What the judge says of these entries, numbered without gaps.
fn judged(bodies: Vec<Body>) -> Vec<String> {
    let mut judge = Judge::default();
    let engine = Engine::new();
    for (i, body) in bodies.into_iter().enumerate() {
        judge.entry(i as u64, &entry(i as u64, body), &engine);
    }
    judge.end();
    judge.broken
}

#[test]
fn lives_that_keep_the_laws_break_none() {
    let bodies = vec![order(1), accept(), denied(1), halt(), lift(1, "ben"), order(2), accept()];
    assert_eq!(judged(bodies), Vec::<String>::new());
}

#[test]
fn each_law_that_is_broken_is_told() {
    for (bodies, words) in [
        (vec![halt(), order(1), accept()], "is accepted under hold 1 (HALTED, entry 0)"),
        (vec![order(1), accept(), order(1), accept()], "is accepted a second time"),
        (vec![accept()], "a decision without its order"),
        (vec![denied(9)], "order 9 is held back, not accepted"),
        (vec![halt(), lift(1, "ana")], "hold 1 is lifted by nobody's right"),
        (vec![lift(4, "ben")], "hold 4 is lifted by nobody's right"),
    ] {
        let broken = judged(bodies);
        assert_eq!(broken.len(), 1, "{words}: {broken:?}");
        assert!(broken[0].contains(words), "{broken:?}");
    }
}

#[test]
fn a_gap_in_a_producers_numbers_and_an_order_that_outlives_its_halt_are_told() {
    let mut judge = Judge::default();
    let engine = Engine::new();
    judge.entry(0, &entry(0, Body::Tick), &engine);
    judge.entry(1, &entry(2, Body::Tick), &engine);
    assert_eq!(judge.broken, ["entry 1: producer 1 counts 2, not 1"]);
    judge.broken.clear();
    judge.to_cancel.insert("fire".to_owned(), BTreeSet::from([7, 9]));
    judge.end();
    assert_eq!(judge.broken, ["2 orders, 7 first, outlived the halt `fire`"]);
}

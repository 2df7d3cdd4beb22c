//! Soft controls, overrides and alerts: who passes, once, until when, and what the log then says.
#![allow(clippy::unwrap_used, reason = "a fixture that fails is a failed test")]

mod common;

use common::*;
use cwts_risk::{BLOCKED_MAX, Engine, OVERRIDE_NS_MAX, StepError};
use cwts_types::{
    Alert, AlertKind, Body, Control, Entry, Header, KillState, Level, Order, Override, Reasons,
    Scope, Verdict,
};

const HOUR: u64 = 3_600_000_000_000;

fn limits(severity: &str) -> Limits {
    Limits::wide().set("account.A", "max_order_qty", "10").set("control", "severity", severity)
}

fn soft() -> Firm {
    Firm::new(&limits("{ MAX_ORDER_QTY = \"soft\", LOT_SIZE = \"alert\" }"))
}

/// An override of a blocked order by two people, until `expires_ns`.
fn said(order: &Order, controls: &[Control], expires_ns: u64) -> Override {
    Override {
        order_id: order.order_id,
        order_seq: order.seq,
        controls: set(controls),
        expires_ns,
        actor: "ana".to_owned(),
        approver: "bo".to_owned(),
        reason: "index rebalance".to_owned(),
        signatures: None,
    }
}

fn step(engine: &mut Engine, ts: u64, body: Body) -> Result<(), StepError> {
    let header = Header { utc_ns: ts as i64, ..Header::default() };
    engine.step(99, &Entry { header, body }).map(|_| ())
}

/// A buy of 11 that the firm has blocked, as the log has it.
fn blocked(firm: &mut Firm) -> Order {
    let order = Order { seq: 40, ..firm.buy(11, PX) };
    let outcome = firm.decide(&order);
    assert_eq!(outcome.decision.verdict, Verdict::SoftBlock as u8);
    assert_eq!(names(&outcome), ["MAX_ORDER_QTY"]);
    assert!(!outcome.decision.is_accepted());
    assert_eq!((outcome.violations[0].observed, outcome.violations[0].limit), (11, 10));
    order
}

#[test]
fn a_soft_control_blocks_beyond_its_limit_and_reserves_nothing() {
    let mut firm = soft();
    let at = firm.buy(10, PX);
    firm.accept(at);
    let open = firm.used("firm", "credit");
    let order = blocked(&mut firm);
    assert_eq!(firm.used("firm", "credit"), open);
    assert_eq!(firm.engine.blocked_order(order.order_id), Some(&order));
    assert_eq!(firm.engine.counters().soft_blocks, 1);
    assert_eq!(firm.engine.refusals(), [(Control::MaxOrderQty, 1)]);
    assert!(!firm.engine.has_due(), "a refusal is told by its decision");
}

#[test]
fn a_hard_control_beside_a_soft_one_rejects_and_tells_both() {
    let mut firm = soft();
    let off_tick = firm.buy(11, PX + 1);
    let outcome = firm.decide(&off_tick);
    assert_eq!(outcome.decision.verdict, Verdict::Reject as u8);
    assert_eq!(names(&outcome), ["MAX_ORDER_QTY", "TICK_SIZE"]);
    assert_eq!(firm.engine.blocked_order(off_tick.order_id), None, "nobody can override it");
}

#[test]
fn an_override_lets_exactly_that_order_pass_once() {
    let mut firm = soft();
    let order = blocked(&mut firm);
    let until = firm.ts + HOUR;
    firm.entry(Body::Override(said(&order, &[Control::MaxOrderQty], until)));
    for other in [
        Order { qty: 12, ..order },
        Order { px: PX - UNIT / 100, ..order },
        Order { side: 2, ..order },
        Order { instrument: J, ..order },
        Order { strategy: T, ..order },
        Order { flags: 8, ..order },
        Order { order_id: 9_999, ..order },
    ] {
        let verdict = firm.engine.check(&other).decision.verdict;
        assert_eq!(verdict, Verdict::SoftBlock as u8, "{other:?}");
    }
    let again = Order { seq: 50, ts: firm.ts + 5, ..order };
    assert!(firm.engine.check(&again).decision.is_accepted());
    let outcome = firm.decide(&again);
    assert_accepted(&outcome);
    assert_eq!(firm.used("account:A", "credit"), 11 * 100 * MICROS);
    let alert = Alert {
        kind: AlertKind::Overridden,
        control: Some(Control::MaxOrderQty),
        level: Level::Account,
        percent: 0,
        scope: A,
        instrument: I,
        order_seq: 50,
        order_id: order.order_id,
        observed: 11,
        limit: 10,
    };
    assert_eq!(firm.engine.take_due(), [Body::Alert(alert)]);
    // It is used up: the same order under the same id, once the first is gone, is blocked again.
    assert_eq!(firm.engine.blocked_order(order.order_id), None);
    assert!(!firm.engine.is_granted(order.order_id, firm.ts));
    let once_more = firm.id();
    let outcome = firm.decide(&Order { order_id: once_more, ..order });
    assert_eq!(outcome.decision.verdict, Verdict::SoftBlock as u8);
}

#[test]
fn an_override_counts_before_its_end_and_not_at_it() {
    for (wait, verdict) in [(HOUR - 1, Verdict::Accept), (HOUR, Verdict::SoftBlock)] {
        let mut firm = soft();
        let order = blocked(&mut firm);
        let until = firm.ts + HOUR;
        firm.entry(Body::Override(said(&order, &[Control::MaxOrderQty], until)));
        let again = Order { ts: firm.ts + wait, ..order };
        assert_eq!(firm.decide(&again).decision.verdict, verdict as u8, "{wait}");
    }
}

#[test]
fn an_override_lifts_the_controls_that_it_names_and_no_hard_one() {
    let two = "{ MAX_ORDER_QTY = \"soft\", MAX_ORDER_NOTIONAL = \"soft\" }";
    let mut firm = Firm::new(&limits(two).set("account.A", "max_order_notional", "\"1000\""));
    let order = Order { seq: 40, ..firm.buy(11, PX) };
    assert_eq!(names(&firm.decide(&order)), ["MAX_ORDER_QTY", "MAX_ORDER_NOTIONAL"]);
    let until = firm.ts + HOUR;
    firm.entry(Body::Override(said(&order, &[Control::MaxOrderQty], until)));
    assert_eq!(firm.decide(&order).decision.verdict, Verdict::SoftBlock as u8);
    // The block that came since is the one to name.
    let both = [Control::MaxOrderQty, Control::MaxOrderNotional];
    firm.entry(Body::Override(said(&order, &both, until)));
    firm.kill(Scope::FIRM, KillState::Halted);
    let halted = firm.decide(&order);
    assert_eq!(halted.decision.verdict, Verdict::Reject as u8);
    assert_eq!(names(&halted), ["MAX_ORDER_QTY", "MAX_ORDER_NOTIONAL", "KILL_HALTED"]);
    let resume = firm.resume_entry(1);
    firm.entry(Body::Resume(resume));
    assert_accepted(&firm.decide(&order));
}

#[test]
fn what_may_not_be_said_is_refused_and_changes_nothing() {
    let mut firm = soft();
    let order = blocked(&mut firm);
    let good = said(&order, &[Control::MaxOrderQty], firm.ts + HOUR);
    let now = firm.ts;
    for (bad, why) in [
        (Override { order_id: 77, ..good.clone() }, "no soft block of it is known"),
        (Override { order_seq: 41, ..good.clone() }, "no soft block of it is known"),
        (Override { controls: set(&[Control::KillHalted]), ..good.clone() }, "always hard"),
        (Override { expires_ns: now, ..good.clone() }, "would expire before"),
        (Override { expires_ns: now + OVERRIDE_NS_MAX + 1, ..good.clone() }, "24 hours"),
        (Override { approver: "ana".to_owned(), ..good.clone() }, "second person"),
        (Override { actor: String::new(), ..good.clone() }, "second person"),
        (Override { signatures: Some([[1; 64]; 2]), ..good.clone() }, "no operators are listed"),
    ] {
        let before = firm.engine.snapshot();
        let error = step(&mut firm.engine, now, Body::Override(bad.clone())).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(firm.engine.snapshot(), before, "{bad:?}");
    }
    for expires_ns in [now + 1, now + OVERRIDE_NS_MAX] {
        let said = Override { expires_ns, ..good.clone() };
        step(&mut firm.engine, now, Body::Override(said)).unwrap();
    }
}

#[test]
fn with_operators_it_takes_two_keys_that_may_override() {
    let mut limits = limits("{ MAX_ORDER_QTY = \"soft\" }");
    for (name, may) in [("ana", "override"), ("bo", "override"), ("cy", "raise")] {
        let section = format!("operator.{name}");
        limits = limits.set(&section, "key", &format!("\"{name}+1+{name}\""));
        limits = limits.set(&section, "may", &format!("[\"{may}\"]"));
    }
    let mut firm = Firm::new(&limits);
    let order = blocked(&mut firm);
    let good = Override {
        signatures: Some([[1; 64], [2; 64]]),
        ..said(&order, &[Control::MaxOrderQty], firm.ts + HOUR)
    };
    for (bad, why) in [
        (Override { signatures: None, ..good.clone() }, "`ana` did not sign"),
        (Override { approver: "cy".to_owned(), ..good.clone() }, "`cy` may not override"),
        (Override { approver: "dee".to_owned(), ..good.clone() }, "`dee` is no [operator]"),
    ] {
        let error = step(&mut firm.engine, firm.ts, Body::Override(bad)).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    let ts = firm.ts;
    step(&mut firm.engine, ts, Body::Override(good)).unwrap();
    assert_accepted(&firm.decide(&order));
}

#[test]
fn an_alert_control_lets_pass_and_says_so() {
    let mut firm = Firm::new(&limits("{ MAX_ORDER_QTY = \"alert\", LOT_SIZE = \"alert\" }").set(
        "instrument.I",
        "lot",
        "2",
    ));
    let order = Order { seq: 40, ..firm.buy(11, PX) };
    let before = firm.engine.snapshot();
    assert_accepted(&firm.engine.check(&order));
    assert_eq!(firm.engine.snapshot(), before, "a check alerts nobody");
    firm.accept(order);
    let due = firm.engine.take_due();
    let told: Vec<(AlertKind, Control, Level, i64, i64)> = due
        .iter()
        .map(|body| match body {
            Body::Alert(a) => (a.kind, a.control.unwrap(), a.level, a.observed, a.limit),
            other => panic!("{other:?}"),
        })
        .collect();
    let violated = AlertKind::Violated;
    assert_eq!(
        told,
        [
            (violated, Control::MaxOrderQty, Level::Account, 11, 10),
            (violated, Control::LotSize, Level::Instrument, 11, 2),
        ]
    );
    assert_eq!(firm.engine.refusals(), []);
    let counts = firm.engine.trigger_counts(firm.ts);
    let rows: Vec<_> =
        counts.rows.iter().map(|r| (r.control, r.refused, r.soft, r.alerts)).collect();
    assert_eq!(rows, [(Control::MaxOrderQty, 0, 0, 1), (Control::LotSize, 0, 0, 1)]);
}

#[test]
fn an_accounts_own_severity_of_duplicates_goes_before_the_files() {
    let rule = |severity: &str| format!("{{ window = \"1s\"{severity} }}");
    let limits = Limits::wide()
        .set("control", "severity", "{ DUPLICATE_ORDER = \"alert\" }")
        .set("account.A", "duplicate_order", &rule(", severity = \"soft\""))
        .set("account.B", "duplicate_order", &rule(""))
        .set("account.C", "duplicate_order", &rule(", severity = \"hard\""));
    for (account, verdict) in [(A, Verdict::SoftBlock), (B, Verdict::Accept), (C, Verdict::Reject)]
    {
        let mut firm = Firm::new(&limits);
        let order = Order { account, ..firm.buy(5, PX) };
        firm.accept(order);
        let twin = Order { order_id: firm.id(), ..order };
        assert_eq!(firm.decide(&twin).decision.verdict, verdict as u8);
    }
}

#[test]
fn what_a_softer_severity_would_break_stays_hard() {
    let all = "{ MESSAGE_RATE = \"alert\", DUPLICATE_ID = \"alert\", REFERENCE_MISSING = \
               \"alert\" }";
    // An id that names an order: passing would free the first one's reservation.
    let mut firm = Firm::new(&Limits::wide().set("control", "severity", all));
    let order = firm.buy(5, PX);
    firm.accept(order);
    let outcome = firm.decide(&order);
    assert_eq!(outcome.decision.verdict, Verdict::Reject as u8);
    assert_eq!(names(&outcome), ["DUPLICATE_ID"]);
    // A replace behind more than can be remembered.
    let replaced = order.order_id;
    let refused = (0..100).find_map(|n| {
        let next = firm.buy(6 + n, PX);
        let replace = firm.replacing(replaced, next);
        let outcome = firm.decide(&replace);
        (!outcome.decision.is_accepted()).then_some((n, names(&outcome)))
    });
    assert_eq!(refused, Some((64, vec!["MESSAGE_RATE"])));
    // An order that nothing can price passes no bound on money; one with a price does.
    let mut firm = Firm::without_reference(&Limits::wide().set("control", "severity", all));
    let priced = firm.buy(5, PX);
    firm.accept(priced);
    let market = Order { type_tif: 1, ..firm.buy(5, 0) };
    let outcome = firm.decide(&market);
    assert_eq!(outcome.decision.verdict, Verdict::Reject as u8);
    assert_eq!(names(&outcome), ["REFERENCE_MISSING"]);
    // Ids of the day: one of today passes with an alert, more than fit do not.
    let ids =
        Limits::wide().set("control", "severity", all).set("firm", "duplicate_id", "{ max = 3 }");
    let mut firm = Firm::new(&ids);
    for _ in 0..2 {
        let order = firm.buy(5, PX);
        firm.accept(order);
    }
    firm.engine.take_due();
    let third = firm.buy(5, PX);
    firm.accept(third);
    let fourth = firm.buy(5, PX);
    assert_eq!(names(&firm.decide(&fourth)), ["DUPLICATE_ID"]);
}

#[test]
fn so_many_blocks_are_remembered_and_no_more() {
    let mut firm = soft();
    let first = blocked(&mut firm);
    for _ in 1..BLOCKED_MAX {
        let order = firm.buy(11, PX);
        firm.decide(&order);
    }
    assert!(firm.engine.blocked_order(first.order_id).is_some());
    let order = firm.buy(11, PX);
    firm.decide(&order);
    assert_eq!(firm.engine.blocked_order(first.order_id), None);
    assert!(firm.engine.blocked_order(order.order_id).is_some());
}

#[test]
fn a_fold_expects_the_alerts_in_their_order_and_nothing_else() {
    let mut firm = soft();
    let even = limits("{ LOT_SIZE = \"alert\" }").set("instrument.I", "lot", "2");
    firm.activate(&even);
    let order = firm.buy(3, PX);
    firm.accept(order);
    let order = firm.buy(5, PX);
    firm.accept(order);
    let due = firm.engine.clone().take_due();
    let ts = firm.ts;
    let mut swapped = firm.engine.clone();
    let error = step(&mut swapped, ts, due[1].clone()).unwrap_err();
    assert_eq!(error, StepError::NotDue { name: "ALERT" });
    for body in &due {
        step(&mut firm.engine, ts, body.clone()).unwrap();
    }
    assert!(!firm.engine.has_due());
    assert!(step(&mut firm.engine, ts, due[0].clone()).is_err(), "each is due once");
}

#[test]
fn the_counts_of_a_day_are_due_when_it_ends() {
    const DAY: u64 = 86_400_000_000_000;
    let mut firm = soft();
    blocked(&mut firm);
    let good = firm.buy(5, PX);
    let id = firm.accept(good);
    let cancel = firm.cancel(id);
    firm.decide(&cancel);
    let so_far = firm.engine.trigger_counts(firm.ts);
    assert_eq!((so_far.from_ns, so_far.orders, so_far.accepted, so_far.cancels), (0, 2, 1, 1));
    let ts = firm.ts;
    step(&mut firm.engine, ts, Body::TriggerCounts(so_far.clone())).unwrap();
    let mut wrong = so_far.clone();
    wrong.rows.clear();
    assert!(step(&mut firm.engine, ts, Body::TriggerCounts(wrong)).is_err());
    firm.ts = DAY - 1;
    firm.entry(Body::Tick);
    assert!(!firm.engine.has_due(), "a nanosecond before its end");
    firm.ts = DAY;
    let next = firm.buy(5, PX);
    firm.accept(next);
    let due = firm.engine.take_due();
    let [Body::TriggerCounts(counts)] = due.as_slice() else { panic!("{due:?}") };
    assert_eq!((counts.from_ns, counts.to_ns), (0, DAY));
    assert_eq!((counts.orders, counts.accepted, counts.cancels), (2, 1, 1));
    let [row] = counts.rows.as_slice() else { panic!("{counts:?}") };
    assert_eq!((row.control, row.refused, row.soft), (Control::MaxOrderQty, 1, 1));
    let today = firm.engine.trigger_counts(DAY + 5);
    assert_eq!((today.from_ns, today.orders, today.rows.len()), (DAY, 1, 0));
    // A day in which nothing happened has no counts, however many there are of them.
    firm.ts = 3 * DAY;
    firm.entry(Body::Tick);
    assert_eq!(firm.engine.take_due().len(), 1);
    firm.ts = 9 * DAY;
    firm.entry(Body::Tick);
    assert!(!firm.engine.has_due());
}

#[test]
fn what_stands_survives_a_snapshot() {
    let mut firm = soft();
    let order = blocked(&mut firm);
    let until = firm.ts + HOUR;
    firm.entry(Body::Override(said(&order, &[Control::MaxOrderQty], until)));
    let restored = Engine::restore(&firm.engine.snapshot()).unwrap();
    assert_eq!(restored.blocked_order(order.order_id), Some(&order));
    assert!(restored.is_granted(order.order_id, until - 1));
    assert!(!restored.is_granted(order.order_id, until));
    assert!(restored.check(&order).decision.is_accepted());
    let Reasons(bits) = set(&[Control::MaxOrderQty]);
    assert_eq!(restored.limits().control.severity.soft, bits);
}

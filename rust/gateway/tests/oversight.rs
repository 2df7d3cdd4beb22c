//! Alerts, overrides and the counts of a day in a real log: a fold agrees with what was told, a
//! crash takes nothing away, and what nobody may say is refused.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod live;

use std::path::Path;

use cwts_gateway::{
    Gateway, OverrideRequest, fold_log, read_log, request_override, request_override_approval,
    trigger_days,
};
use cwts_types::{AlertKind, Body, Entry, KillState, Order, Phase, ReleaseMode, Verdict};
use live::{LIMITS, buy, opened_with};

const CONTROL: &str =
    "[control]\nseverity = { MAX_ORDER_QTY = \"soft\" }\nstaged = { alert = 70 }\n";

fn open(dir: &Path, limits: Option<String>) -> Gateway {
    opened_with(limits.as_deref(), Some(dir), ReleaseMode::Async)
}

fn soft() -> String {
    format!("{LIMITS}{CONTROL}")
}

/// The bodies of the log that `keep` wants.
fn bodies(dir: &Path, keep: impl Fn(&Body) -> bool) -> Vec<Body> {
    let mut out = Vec::new();
    read_log(&dir.join("log"), &mut |_, bytes| {
        let body = Entry::decode(bytes).unwrap().body;
        if keep(&body) {
            out.push(body);
        }
        Ok(())
    })
    .unwrap();
    out
}

fn verdict(gateway: &mut Gateway, order: &Order) -> (u64, u8) {
    let submitted = gateway.submit(order).unwrap();
    (submitted.order.order_id, submitted.outcome.decision.verdict)
}

fn asks(order_id: u64) -> OverrideRequest<'static> {
    OverrideRequest { order_id, controls: &[], expires_ns: 0, actor: "ana", reason: "index" }
}

#[test]
fn a_fold_of_the_log_expects_every_alert_that_the_gateway_wrote() {
    let temp = tempfile::tempdir().unwrap();
    let mut gateway = open(temp.path(), Some(soft()));
    let big = Order { qty: 1_001, ..buy(1) };
    let (id, found) = verdict(&mut gateway, &big);
    assert_eq!(found, Verdict::SoftBlock as u8);
    gateway.override_order(&asks(id), "bo").unwrap();
    let passed = gateway.resubmit(id).unwrap();
    assert_eq!(passed.outcome.decision.verdict, Verdict::Accept as u8);
    assert!(gateway.resubmit(id).is_err(), "it is used up");
    let told: Vec<AlertKind> = gateway.alerts().map(|told| told.alert.kind).collect();
    assert_eq!(told, [AlertKind::Overridden]);
    gateway.close().unwrap();
    let folded = fold_log(&temp.path().join("log"), |_, _, _| Ok(())).unwrap();
    assert!(!folded.engine.has_due());
    assert_eq!(folded.alert_count, 1);
    let days = trigger_days(&temp.path().join("log")).unwrap();
    assert_eq!(days[0]["controls"][0]["control"], "MAX_ORDER_QTY");
    let row = &days[0]["controls"][0];
    assert_eq!(
        (&row["refused"], &row["soft"], &row["overridden"]),
        (&1.into(), &1.into(), &1.into())
    );
}

#[test]
fn an_override_that_another_process_asks_for_takes_two_people_and_is_taken_in() {
    let temp = tempfile::tempdir().unwrap();
    let mut gateway = open(temp.path(), Some(soft()));
    let (id, _) = verdict(&mut gateway, &Order { qty: 1_001, ..buy(1) });
    gateway.sync().unwrap();
    let log = temp.path().join("log");
    for (request, approver) in [
        (asks(id), Some("ana")),
        (asks(99), Some("bo")),
        (OverrideRequest { reason: " ", ..asks(id) }, Some("bo")),
        (OverrideRequest { controls: &["KILL_HALTED".to_owned()], ..asks(id) }, Some("bo")),
    ] {
        assert!(request_override(&log, &request, approver, None).is_err(), "{request:?}");
    }
    assert!(request_override_approval(&log, id, "bo", None).is_err(), "nobody asked");
    request_override(&log, &asks(id), None, None).unwrap();
    gateway.poll().unwrap();
    assert!(bodies(temp.path(), |body| matches!(body, Body::Override(_))).is_empty());
    request_override_approval(&log, id, "bo", None).unwrap();
    gateway.poll().unwrap();
    let passed = gateway.resubmit(id).unwrap();
    assert_eq!(passed.outcome.decision.verdict, Verdict::Accept as u8);
    // The same request again names a block that is not there any more: told, and nothing else.
    assert!(request_override(&log, &asks(id), Some("bo"), None).is_err());
    gateway.close().unwrap();
}

#[test]
fn a_lost_session_has_its_orders_cancelled_once_and_again_at_a_start() {
    let temp = tempfile::tempdir().unwrap();
    let text = LIMITS.replace("[strategy.default]", "[strategy.default]\nsession = \"X\"");
    let text = format!("{text}[session.X]\ncancel_on_disconnect = true\n");
    let mut gateway = open(temp.path(), Some(text));
    let (day, _) = verdict(&mut gateway, &buy(1));
    let (gtc, _) = verdict(&mut gateway, &Order { type_tif: 2 | 1 << 4, ..buy(1) });
    gateway.set_phase("session:X", Phase::Closed).unwrap();
    let ids = |gateway: &mut Gateway| -> Vec<u64> {
        gateway.take_cancels().iter().map(|d| d.order_id).collect()
    };
    assert_eq!(ids(&mut gateway), [day]);
    assert!(gateway.engine().is_working(gtc));
    drop(gateway);
    let mut gateway = open(temp.path(), None);
    assert_eq!(ids(&mut gateway), [day], "nobody reported it cancelled");
    gateway.set_phase("session:X", Phase::Trading).unwrap();
    assert_eq!(ids(&mut gateway), [0u64; 0]);
    gateway.close().unwrap();
}

#[test]
fn more_messages_out_than_in_halt_the_firm_at_the_end_too() {
    let temp = tempfile::tempdir().unwrap();
    let mut gateway = open(temp.path(), Some(LIMITS.to_owned()));
    verdict(&mut gateway, &buy(1));
    gateway.submit_batch(&[buy(1), Order { qty: 9_999, ..buy(1) }]).unwrap();
    assert_eq!(gateway.in_out().counts(), (2, 2, 0, None));
    gateway.report_sent(2);
    gateway.close().unwrap();
    assert!(bodies(temp.path(), |body| matches!(body, Body::Kill(_))).is_empty());
    let mut gateway = open(temp.path(), None);
    verdict(&mut gateway, &buy(1));
    gateway.report_sent(2);
    gateway.close().unwrap();
    let kills = bodies(temp.path(), |body| matches!(body, Body::Kill(_)));
    let [Body::Kill(kill)] = kills.as_slice() else { panic!("{kills:?}") };
    assert_eq!(kill.state, KillState::Halted);
    assert_eq!(kill.reason, "IN_OUT_COMPARE: 2 messages out, 1 expected");
    let alerts = bodies(temp.path(), |body| matches!(body, Body::Alert(_)));
    assert_eq!(alerts.len(), 1);
    let gateway = open(temp.path(), None);
    assert_eq!(gateway.engine().holds().count(), 1, "a restart lifts nothing");
    gateway.close().unwrap();
}

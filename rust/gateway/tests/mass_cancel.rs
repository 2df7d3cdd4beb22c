//! A halt that also cancels: what works in the scope, after the block, whoever dies in between.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod live;

use std::path::Path;

use cwts_audit::holds::{KillAction, KillRequest, NamedScope};
use cwts_gateway::{
    Gateway, HaltOptions, cancels_after, read_log, request_halt, standing_holds, status,
};
use cwts_types::{Body, Decision, Entry, OrderKind, ReleaseMode, ScopeKind, Verdict, producer};
use live::{buy, opened};

/// Submits a buy of one share and gives its id; it must be accepted.
fn works(gateway: &mut Gateway, account: u32) -> u64 {
    let submitted = gateway.submit(&buy(account)).unwrap();
    assert_eq!(submitted.outcome.decision.verdict, Verdict::Accept as u8);
    submitted.order.order_id
}

fn by_ana() -> HaltOptions {
    HaltOptions {
        reason: "look".to_owned(),
        actor: "ana".to_owned(),
        reduce_only: false,
        allow_reduce: false,
    }
}

fn ids(decisions: &[Decision]) -> Vec<u64> {
    decisions.iter().map(|decision| decision.order_id).collect()
}

/// Index, producer and order id of every cancel in the log, and the index of every KILL.
fn read(dir: &Path) -> (Vec<(u64, u32, u64)>, Vec<u64>) {
    let (mut cancels, mut kills) = (Vec::new(), Vec::new());
    read_log(&dir.join("log"), &mut |index, bytes| {
        match Entry::decode(bytes).unwrap() {
            Entry { header, body: Body::Order(order, _) }
                if order.kind == OrderKind::Cancel as u8 =>
            {
                assert_eq!(order.ref_id, order.order_id);
                cancels.push((index, header.producer, order.ref_id));
            }
            Entry { body: Body::Kill(_), .. } => kills.push(index),
            _ => {}
        }
        Ok(())
    })
    .unwrap();
    (cancels, kills)
}

#[test]
fn what_works_in_the_scope_is_cancelled_behind_the_block_in_order_of_id() {
    for release in [ReleaseMode::Async, ReleaseMode::Durable] {
        let temp = tempfile::tempdir().unwrap();
        let mut gateway = opened(Some(temp.path()), release);
        let mut alphas = Vec::new();
        for _ in 0..5 {
            alphas.push(works(&mut gateway, 1));
            works(&mut gateway, 2);
        }
        let hold = gateway.halt_and_cancel("account:alpha", &by_ana()).unwrap();
        assert_eq!((hold, gateway.cancels_of(hold)), (1, 5));
        assert_eq!(gateway.durable(), gateway.next_index(), "it returns when it is durable");
        assert!(!temp.path().join("log/requests").read_dir().unwrap().any(|_| true));
        let taken = gateway.take_cancels();
        assert_eq!(ids(&taken), alphas);
        assert!(taken.iter().all(|d| d.verdict == Verdict::CancelPassed as u8));
        assert!(gateway.take_cancels().is_empty(), "each is given once");

        let (cancels, kills) = read(temp.path());
        let numbered: Vec<_> = cancels.iter().map(|(_, who, id)| (*who, *id)).collect();
        let due: Vec<_> = alphas.iter().map(|id| (producer::GATEWAY, *id)).collect();
        assert_eq!(numbered, due);
        assert!(cancels.iter().all(|(index, ..)| *index > kills[0]));
        let log = temp.path().join("log");
        assert_eq!(cancels_after(&log, kills[0]).unwrap(), 5);
        assert_eq!(cancels_after(&log, cancels[2].0).unwrap(), 2);
        let held = standing_holds(&log).unwrap();
        assert_eq!(
            (held[0].id, held[0].scope.as_str(), held[0].seq),
            (1, "account:alpha", kills[0])
        );
        gateway.close().unwrap();
    }
}

#[test]
fn without_a_log_they_are_given_all_the_same() {
    let mut gateway = opened(None, ReleaseMode::Async);
    let id = works(&mut gateway, 2);
    let hold = gateway.halt_and_cancel("firm", &by_ana()).unwrap();
    assert_eq!((gateway.cancels_of(hold), ids(&gateway.take_cancels())), (1, vec![id]));
    assert_eq!(gateway.cancels_of(hold + 1), 0);
}

#[test]
fn another_process_asks_and_the_request_goes_when_the_cancels_are_durable() {
    let temp = tempfile::tempdir().unwrap();
    let log = temp.path().join("log");
    let mut gateway = opened(Some(temp.path()), ReleaseMode::Async);
    let id = works(&mut gateway, 1);
    let asked = request_halt(&log, "firm", "ben", "out", true, true).unwrap();
    let pending = &status(&log).unwrap()["pending"][0];
    assert_eq!((&pending["action"], &pending["cancel_working"]), (&"reduce".into(), &true.into()));
    gateway.poll().unwrap();
    assert!(!asked.path.exists());
    assert_eq!(ids(&gateway.take_cancels()), [id]);
    // Asked again by the same person for the same reason: cancelled again, held once.
    request_halt(&log, "firm", "ben", "out", true, true).unwrap();
    gateway.poll().unwrap();
    assert_eq!(ids(&gateway.take_cancels()), [id]);
    assert_eq!(gateway.engine().holds().count(), 1);
    // Another reason is another hold.
    request_halt(&log, "firm", "ben", "still out", true, true).unwrap();
    gateway.poll().unwrap();
    assert_eq!(gateway.engine().holds().count(), 2);
    gateway.close().unwrap();
}

#[test]
fn a_crash_between_halt_and_cancels_leaves_the_wish_and_the_next_start_keeps_it() {
    let temp = tempfile::tempdir().unwrap();
    let mut gateway = opened(Some(temp.path()), ReleaseMode::Async);
    let works: Vec<u64> = [1, 1, 2].map(|account| works(&mut gateway, account)).to_vec();
    // The hold is durable, and the process dies before its first cancel: the request lies there.
    gateway.halt("account:alpha", &by_ana()).unwrap();
    drop(gateway);
    let alpha = NamedScope { kind: ScopeKind::Account, name: "alpha".to_owned() };
    let request = KillRequest {
        action: KillAction::Halt(alpha),
        actor: "ana".to_owned(),
        reason: "look".to_owned(),
        utc_ns: 1,
        cancel_working: true,
    };
    let folder = temp.path().join("log/requests");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("1-1.req");
    std::fs::write(&path, request.encode()).unwrap();

    let mut gateway = opened(Some(temp.path()), ReleaseMode::Async);
    assert_eq!(gateway.engine().holds().count(), 1, "the hold is not made twice");
    assert_eq!(ids(&gateway.take_cancels()), works[..2]);
    assert_eq!(gateway.cancels_of(1), 2);
    assert!(!path.exists());
    // And if not even the hold was written, it is made now.
    std::fs::write(&path, KillRequest { reason: "other".to_owned(), ..request }.encode()).unwrap();
    drop(gateway);
    let mut gateway = opened(Some(temp.path()), ReleaseMode::Async);
    assert_eq!(gateway.engine().holds().count(), 2);
    assert_eq!(ids(&gateway.take_cancels()), works[..2]);
    gateway.close().unwrap();
}

#[test]
fn a_request_for_a_scope_that_nobody_registered_halts_the_firm_and_cancels_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let mut gateway = opened(Some(temp.path()), ReleaseMode::Async);
    works(&mut gateway, 1);
    drop(gateway);
    let request = KillRequest {
        action: KillAction::Halt(NamedScope { kind: ScopeKind::Account, name: "gamma".to_owned() }),
        actor: "ana".to_owned(),
        reason: "look".to_owned(),
        utc_ns: 1,
        cancel_working: true,
    };
    let folder = temp.path().join("log/requests");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("1-1.req"), request.encode()).unwrap();
    let mut gateway = opened(Some(temp.path()), ReleaseMode::Async);
    let scopes: Vec<_> = gateway.engine().holds().map(|hold| hold.at().kind).collect();
    assert_eq!(scopes, [ScopeKind::Firm]);
    assert!(gateway.take_cancels().is_empty());
}

//! The state is a fold: cut anywhere, kept and restored, or called directly, it is the same.

use cwts_risk::{Engine, Outcome, StepError};
use cwts_types::{Body, Entry, Order, Verdict};
use proptest::prelude::*;

use crate::common::*;
use crate::entries::{order, stream};

fn fold(engine: &mut Engine, from: usize, entries: &[Entry]) -> Vec<Option<Outcome>> {
    let step = |(i, entry): (usize, &Entry)| engine.step((from + i) as u64, entry).unwrap();
    entries.iter().enumerate().map(step).collect()
}

/// Soon, within what windows remember, or on another day.
fn later() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..200u64, 1 => Just(86_400_000_000_000u64)]
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_snapshot_and_the_tail_are_the_whole(
        entries in stream(80), cut in any::<prop::sample::Index>(),
    ) {
        let cut = cut.index(entries.len() + 1);
        let mut whole = Engine::new();
        let wanted = fold(&mut whole, 0, &entries);
        let mut head = Engine::new();
        fold(&mut head, 0, &entries[..cut]);
        let kept = head.snapshot();
        let mut tail = Engine::restore(&kept).unwrap();
        prop_assert_eq!(tail.snapshot(), kept);
        let got = fold(&mut tail, cut, &entries[cut..]);
        prop_assert_eq!(&got[..], &wanted[cut..]);
        prop_assert_eq!(tail.snapshot(), whole.snapshot());
        prop_assert_eq!(tail.usage(), whole.usage());
    }

    #[test]
    fn what_is_admitted_from_now_on_is_accepted_at_every_later_time(
        entries in stream(60), order in order(), later in prop::collection::vec(later(), 4),
    ) {
        let mut engine = Engine::new();
        fold(&mut engine, 0, &entries);
        if engine.admits_from_now_on(&order) {
            for wait in later {
                let order = Order { ts: engine.last_ts() + wait, ..order };
                prop_assert!(engine.check(&order).decision.is_accepted(), "{}", wait);
            }
        } else {
            // Never a no without a reason: time can take the yes back, or it is refused right now.
            let now = Order { ts: engine.last_ts(), ..order };
            let symbol = if order.instrument == I { "I" } else { "J" };
            let rules = engine.limits().instruments.get(symbol);
            let moves = rules.is_some_and(|r| r.price_move.is_some() || r.reg_sho.is_some());
            // An order that only alerts of itself, or that an override lets pass, passes now.
            let lenient = !engine.limits().control.severity.is_hard();
            prop_assert!(moves || lenient || !engine.check(&now).decision.is_accepted());
        }
    }

    #[test]
    fn steps_over_bytes_are_the_direct_calls(entries in stream(60)) {
        let (mut by_step, mut direct) = (Engine::new(), Engine::new());
        let mut version = 0;
        let mut text = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let decoded = Entry::decode(&entry.to_bytes()).unwrap();
            let got = by_step.step(index as u64, &decoded).unwrap();
            let wanted = match &entry.body {
                Body::Order(order, _) => Some(direct.decide(order, entry.header.flags & 2 != 0)),
                other => {
                    match other {
                        Body::Exec(exec) => { direct.exec(exec); }
                        Body::Reference(reference) => direct.reference_entry(reference),
                        Body::Kill(kill) => direct.kill(index as u64, kill).unwrap(),
                        Body::Resume(resume) => direct.resume(index as u64, resume).unwrap(),
                        Body::Register(row) => direct.register(row).unwrap(),
                        Body::Config(config) => text.extend_from_slice(&config.text),
                        Body::LimitActivate(activate) => {
                            prop_assert!(activate.version > version);
                            version = activate.version;
                            direct.activate(version, &text).unwrap();
                            text.clear();
                        }
                        _ => { direct.step(index as u64, entry).unwrap(); }
                    }
                    None
                }
            };
            // Versions and epochs of decisions never go down, and name what is in force.
            if let Some(outcome) = &got {
                prop_assert_eq!(outcome.decision.limits_version, version);
                prop_assert_eq!(outcome.decision.kill_epoch, direct.kill_epoch());
            }
            prop_assert_eq!(got, wanted);
            if text.is_empty() {
                prop_assert_eq!(by_step.snapshot(), direct.snapshot());
            }
        }
    }

    #[test]
    fn a_check_is_the_decision_and_changes_nothing(
        entries in stream(60), orders in prop::collection::vec(order(), 1..8),
    ) {
        let mut engine = Engine::new();
        fold(&mut engine, 0, &entries);
        for (i, order) in orders.into_iter().enumerate() {
            for replayed in [false, true] {
                let target = if order.kind == 1 { 0 } else { 1 + i as u64 };
                let ts = engine.last_ts() + 3 - 6 * (i as u64 % 2);
                let order = Order { ts, order_id: 5_000 + i as u64, ref_id: target, ..order };
                let before = engine.snapshot();
                let shadow = engine.check(&order);
                prop_assert_eq!(engine.snapshot(), before);
                prop_assert_eq!(engine.clone().decide(&order, replayed), shadow.clone());
                if replayed {
                    prop_assert_eq!(engine.decide(&order, replayed), shadow);
                }
            }
        }
    }

    #[test]
    fn a_cancel_is_never_refused(
        entries in stream(60), raw in any::<[u8; 32]>(), kind in 3..5u8, target in 0..90u64,
    ) {
        let mut engine = Engine::new();
        fold(&mut engine, 0, &entries);
        let mut bytes = [0xa5; 64];
        bytes[32..].copy_from_slice(&raw);
        for ref_id in [target, u64::MAX] {
            let cancel = Order { kind, ref_id, ..Order::from_bytes(&bytes) };
            for _ in 0..40 {
                let decision = engine.decide(&cancel, false).decision;
                prop_assert_eq!(decision.verdict, Verdict::CancelPassed as u8);
                prop_assert!(decision.is_accepted());
            }
        }
    }
}

#[test]
fn a_cancel_passes_when_every_window_is_full_and_every_scope_is_halted() {
    use cwts_types::{KillState, Scope, ScopeKind};
    let rate = "{ max = 1, window = \"24h\" }";
    let mut limits = Limits::wide().set("firm", "credit", "\"0\"");
    for section in ["account.A", "strategy.s", "instrument.I"] {
        limits = limits.set(section, "message_rate", rate);
    }
    let mut firm = Firm::new(&Limits::wide());
    let order = firm.buy(5, PX);
    let id = firm.accept(order);
    firm.engine.activate(2, limits.text().as_bytes()).unwrap();
    for kind in ScopeKind::ALL {
        let handle = u32::from(kind != ScopeKind::Firm);
        firm.kill(Scope { kind, handle }, KillState::Halted);
    }
    for _ in 0..10 {
        let cancel = firm.cancel(id);
        let outcome = firm.decide(&cancel);
        assert!(outcome.decision.is_accepted() && outcome.violations.is_empty());
    }
    assert_eq!(firm.engine.counters().cancels, 10);
    assert_eq!(firm.used("account:A", "message_rate"), 1, "the ring keeps what it needs");
}

#[test]
fn a_missing_chunk_is_an_error() {
    let entries = crate::entries::lay_out(&[], &crate::entries::limits());
    for skipped in 0..3 {
        let mut engine = Engine::new();
        let mut result = Ok(None);
        for (i, entry) in entries.iter().take(4).enumerate() {
            if i != skipped {
                result = engine.step(i as u64, entry);
            }
        }
        assert_eq!(result, Err(StepError::Version { version: 1, current: 0 }));
        assert_eq!(engine.limits_version(), 0);
    }
}

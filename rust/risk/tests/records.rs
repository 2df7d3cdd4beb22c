//! Random records: nothing that arrives makes the engine panic, and what it keeps stays whole.
//!
//! Run with `--release` too: this crate keeps its overflow checks there.

mod common;

use common::*;
use cwts_risk::Engine;
use cwts_types::{Body, Entry, Exec, Header, Order, Reasons, Verdict, entry_flag};
use proptest::prelude::*;

fn bytes() -> impl Strategy<Value = [u8; 64]> {
    (any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|(a, b)| {
        let mut out = [0; 64];
        out[..32].copy_from_slice(&a);
        out[32..].copy_from_slice(&b);
        out
    })
}

/// A value at one of the edges.
fn edge() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => 0..200i64,
        2 => prop::sample::select(vec![
            i64::MIN, i64::MIN + 1, -1, i64::MAX - 1, i64::MAX, 1 << 62, 1 << 32, PX, -PX, 2 * PX,
        ]),
        1 => any::<i64>(),
    ]
}

/// A record that may reach deep: small handles and ids, edges elsewhere.
fn order() -> impl Strategy<Value = Order> {
    let ids = (0..12u64, 0..12u64, any::<bool>());
    let handle = |last: u32| prop_oneof![8 => 1..=last, 1 => 0..last + 3];
    let small = (handle(4), handle(2), handle(2));
    let side = prop_oneof![6 => prop::sample::select(vec![1u8, 1, 2, 2, 5, 6]), 1 => 0..8u8];
    let what = prop_oneof![6 => prop::sample::select(vec![2u8, 2, 2, 1, 4, 5]), 1 => 0..7u8];
    let flags = prop_oneof![6 => Just(0u8), 1 => 0..70u8];
    let kind = prop_oneof![6 => prop::sample::select(vec![1u8, 1, 2, 3]), 1 => 0..6u8];
    (bytes(), edge(), edge(), ids, small, (kind, side, what, flags), edge()).prop_map(
        |(raw, px, qty, (id, target, is_plain), (account, instrument, strategy), codes, ts)| {
            let raw = Order::from_bytes(&raw);
            let kind = if codes.0 == 0 { raw.kind } else { codes.0 };
            Order {
                px,
                qty,
                order_id: id,
                ref_id: if kind == 1 { u64::from(!is_plain && target == 0) } else { target },
                instrument,
                account,
                strategy,
                kind,
                side: codes.1,
                type_tif: codes.2,
                flags: codes.3,
                ts: if is_plain { ts.unsigned_abs() % 1_000 } else { raw.ts },
                seq: raw.seq,
            }
        },
    )
}

fn exec() -> impl Strategy<Value = Exec> {
    let what = prop::sample::select(b"FFFF4C385A0GH".to_vec());
    (bytes(), 0..12u64, edge(), edge(), edge(), what).prop_map(
        |(raw, order_id, last_px, last_qty, cum_qty, exec_type)| {
            let raw = Exec::from_bytes(&raw);
            Exec { order_id, last_px, last_qty, cum_qty, exec_type, ts: raw.ts % 1_000, ..raw }
        },
    )
}

#[derive(Debug, Clone)]
enum Input {
    Order(Order, bool),
    Exec(Exec),
    Reference(u32, i64, u64),
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        6 => (order(), any::<bool>()).prop_map(|(order, replayed)| Input::Order(order, replayed)),
        1 => bytes().prop_map(|raw| Input::Order(Order::from_bytes(&raw), false)),
        4 => exec().prop_map(Input::Exec),
        1 => bytes().prop_map(|raw| Input::Exec(Exec::from_bytes(&raw))),
        1 => (0..4u32, edge(), any::<u64>()).prop_map(|(i, px, ts)| Input::Reference(i, px, ts)),
    ]
}

/// No limit in the way of the largest numbers.
fn open() -> Limits {
    let mut limits = Limits::wide()
        .unset("desk.d", "credit")
        .set("instrument.J", "allow_nonpositive", "true")
        .set("instrument.I", "price_collar", "{ absolute = \"9223372036\" }")
        .set("instrument.J", "price_collar", "{ absolute = \"9223372036.854775807\" }")
        .set("instrument.J", "multiplier", "1_000_000_000")
        .set("instrument.J", "currency", "\"EUR\"")
        .set("fx", "EUR", "\"9223372036.854775807\"")
        .set("account.A", "duplicate_order", "{ window = \"24h\" }");
    for section in ["firm", "customer.c", "customer.e"] {
        limits = limits.set(section, "credit", "\"none\"");
    }
    for account in ["account.A", "account.B", "account.C", "account.D"] {
        for key in ["max_order_qty", "max_order_notional", "credit", "message_rate", "max_position"]
        {
            limits = limits.set(account, key, "\"none\"");
        }
    }
    limits.set("instrument.I", "tick", "\"0.000000001\"").set(
        "instrument.J",
        "tick",
        "\"0.000000001\"",
    )
}

fn apply(engine: &mut Engine, input: &Input) {
    match input {
        Input::Order(order, replayed) => {
            let shadow = engine.check(order);
            let outcome = engine.decide(order, *replayed);
            // A check answers as live: there, an id is never taken twice.
            if !replayed {
                assert_eq!(shadow, outcome);
            }
            let decision = outcome.decision;
            let is_cancel = order.kind == 3 || order.kind == 4;
            let verdict = match (is_cancel, decision.reasons == Reasons::NONE) {
                (true, _) => Verdict::CancelPassed,
                (false, true) => Verdict::Accept,
                (false, false) => Verdict::Reject,
            };
            assert_eq!(decision.verdict, verdict as u8);
            assert_eq!(outcome.violations.len(), decision.reasons.0.count_ones() as usize);
            // What is decided can be logged and read back.
            let body = Body::Decision(decision, outcome.violations);
            let entry = Entry { header: Header::default(), body };
            assert_eq!(Entry::decode(&entry.to_bytes()), Ok(entry));
        }
        Input::Exec(exec) => {
            engine.exec(exec);
        }
        Input::Reference(instrument, px, ts) => engine.reference(*instrument, *px, *ts % 2_000),
    }
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn no_record_makes_it_panic(
        inputs in prop::collection::vec(input(), 1..60), has_reference in any::<bool>(),
    ) {
        let open = open();
        let firm = if has_reference { Firm::new(&open) } else { Firm::without_reference(&open) };
        let mut engine = firm.engine;
        for input in &inputs {
            apply(&mut engine, input);
        }
        engine.usage();
        // The state can be kept, and a kept state goes on alike.
        let kept = engine.snapshot();
        let again = Engine::restore(&kept).unwrap();
        prop_assert_eq!(again.snapshot(), kept);
    }

    #[test]
    fn no_order_entry_makes_step_panic(raw in bytes(), flags in 0..8u16, n in 0..15usize) {
        let mut engine = Engine::new();
        let body = Body::Order(Order::from_bytes(&raw), vec![0; n]);
        let header = Header { flags, ..Header::default() };
        let outcome = engine.step(u64::MAX, &Entry { header, body }).unwrap().unwrap();
        let is_cancel = raw[60] == 3 || raw[60] == 4;
        prop_assert_eq!(outcome.decision.is_accepted(), is_cancel, "{}", entry_flag::REPLAYED);
    }

    #[test]
    fn no_changed_snapshot_makes_it_panic(
        inputs in prop::collection::vec(input(), 1..30),
        after in prop::collection::vec(input(), 20),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<bool>(),
    ) {
        let mut engine = Firm::new(&open()).engine;
        for input in &inputs {
            apply(&mut engine, input);
        }
        let mut kept = engine.snapshot();
        for (at, byte) in changes {
            let at = at.index(kept.len());
            kept[at] = byte;
            if cut {
                kept.truncate(at + 1);
            }
        }
        // Its bytes are covered by the log's digest: all that is asked here is no panic.
        if let Ok(mut engine) = Engine::restore(&kept) {
            engine.snapshot();
            engine.usage();
            for input in &after {
                match input {
                    Input::Order(order, replayed) => {
                        engine.decide(order, *replayed);
                    }
                    Input::Exec(exec) => {
                        engine.exec(exec);
                    }
                    Input::Reference(instrument, px, ts) => engine.reference(*instrument, *px, *ts),
                }
            }
        }
    }
}

#[test]
fn records_of_one_byte_are_answered() {
    for byte in [0, 1, 3, 0x7f, 0x80, 0xff] {
        let mut raw = [byte; 64];
        for kind in 0..=5 {
            raw[60] = kind;
            let mut engine = Firm::new(&open()).engine;
            apply(&mut engine, &Input::Order(Order::from_bytes(&raw), true));
            apply(&mut engine, &Input::Exec(Exec::from_bytes(&raw)));
            apply(&mut engine, &Input::Order(Order::from_bytes(&raw), false));
        }
    }
}

#[test]
fn the_inputs_reach_every_answer() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut accepted, mut fills) = (0, 0);
    for _ in 0..200 {
        let mut engine = Firm::new(&open()).engine;
        for _ in 0..60 {
            apply(&mut engine, &input().new_tree(&mut runner).unwrap().current());
        }
        accepted += engine.counters().accepted;
        fills += engine.counters().overfills + engine.counters().late_fills;
    }
    assert!(accepted > 200 && fills > 20, "{accepted} accepted, {fills} fills");
}

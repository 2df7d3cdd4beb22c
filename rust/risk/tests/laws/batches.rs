//! A batch is the fold of its orders, however it is cut.

use cwts_risk::{Block, Engine, Outcome};
use cwts_types::{Decision, Order};
use proptest::prelude::*;

use crate::common::*;
use crate::entries::{lenient_limits, limits, many_limits, order, stream};

const DAY_NS: u64 = 86_400_000_000_000;

/// Few refuse, so that states grow.
fn roomy() -> Limits {
    limits()
        .set("firm", "credit", "\"1000000000\"")
        .set("customer.c", "credit", "\"1000000000\"")
        .set("account.A", "message_rate", "{ max = 60_000, window = \"1s\" }")
        .set("account.A", "duplicate_order", "{ max = 1_000, window = \"15ns\" }")
        .set("instrument.I", "lot", "5")
        .set("instrument.I", "price_collar", "{ bps = 150, reference = \"external\" }")
        .set("instrument.J", "price_collar", "{ bps = 9_000, on_missing = \"allow\" }")
}

/// The same, and parents with room for a block tell how far they are used.
fn told() -> Limits {
    roomy()
        .set("firm", "max_open_notional", "\"20000000\"")
        .set("control", "staged", "{ alert = 1, alert_again = 2 }")
        .set("control", "severity", "{ MAX_ORDER_QTY = \"alert\", LOT_SIZE = \"alert\" }")
}

fn any_order() -> impl Strategy<Value = Order> {
    let odd = prop_oneof![
        20 => Just((0, 0, 0)),
        1 => Just((1, 0, 0)),
        1 => Just((0, -400, 0)),
        1 => Just((i64::MAX - 200 * UNIT, 0, 0)),
        1 => Just((0, i64::MAX - 400, 0)),
        1 => Just((0, 0, 64)),
        1 => Just((0, 0, 8)),
    ];
    (order(), odd, prop::sample::select(vec![1u8, 2, 2, 2, 3, 4, 5, 9]), 0..3u32).prop_map(
        |(order, (px, qty, flags), order_type, more)| Order {
            px: order.px + px,
            qty: order.qty + qty,
            flags,
            type_tif: if order.px == 0 { order.type_tif } else { order_type },
            instrument: order.instrument + more / 2,
            ..order
        },
    )
}

/// Soon, or on another day.
fn step() -> impl Strategy<Value = u64> {
    prop_oneof![150 => 0..20u64, 1 => Just(DAY_NS)]
}

/// Gives ids, times and targets; `again` lets some ids name an older order.
fn laid_out(drafts: &[(Order, u64)], first: u64, start: u64, again: bool) -> Vec<Order> {
    let mut ts = start;
    let lay = |(k, (order, step)): (usize, &(Order, u64))| {
        ts += step;
        let id = first + k as u64;
        let old = first.saturating_sub(9) + step % 16;
        let order_id = if again && step % 7 == 6 { old } else { id };
        let ref_id = if order.kind == 1 { 0 } else { old };
        Order { ts, order_id, ref_id, seq: id, ..*order }
    };
    drafts.iter().enumerate().map(lay).collect()
}

fn batched(engine: &mut Engine, orders: &[Order], cuts: &[usize], replayed: bool) -> Vec<Outcome> {
    let mut block = Block::new();
    let mut out = Vec::new();
    let mut rest = orders;
    for cut in cuts.iter().copied().chain([usize::MAX]) {
        let (part, tail) = rest.split_at(cut.min(rest.len()));
        // Stopped in the middle, and gone on with.
        let (mut from, mut stop) = (0, part.len() / 2);
        while from < part.len() {
            let mut next = 0;
            let done =
                engine.decide_batch(&part[from..], &mut block, replayed, |index, outcome| {
                    assert_eq!(index, next);
                    next += 1;
                    out.push(outcome);
                    from + next != stop
                });
            assert_eq!(done, next);
            (from, stop) = (from + done, part.len());
        }
        rest = tail;
    }
    out
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_batch_is_the_fold_of_its_orders(
        entries in stream(60),
        drafts in prop::collection::vec((any_order(), step()), 1..160),
        cuts in prop::collection::vec(0..70usize, 0..6),
        (only_new, replayed, again) in any::<(bool, bool, bool)>(),
        text in prop::sample::select(vec![
            None, Some(roomy()), Some(told()), Some(many_limits()), Some(lenient_limits()),
        ]),
    ) {
        let mut singles = Engine::new();
        for (i, entry) in entries.iter().enumerate() {
            singles.step(i as u64, entry).unwrap();
        }
        if let Some(text) = text {
            singles.activate(singles.limits_version() + 1, text.text().as_bytes()).unwrap();
            singles.reference(I, PX, singles.last_ts());
        }
        let mut drafts = drafts;
        if only_new {
            for (order, _) in &mut drafts {
                order.kind = 1;
            }
        }
        let orders = laid_out(&drafts, 5_000, singles.last_ts(), again);
        let mut batch = singles.clone();
        let wanted: Vec<Outcome> = orders.iter().map(|o| singles.decide(o, replayed)).collect();
        let got = batched(&mut batch, &orders, &cuts, replayed);
        for (index, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
            prop_assert_eq!(got, wanted, "order {} is {:?}", index, orders[index]);
        }
        prop_assert_eq!(got.len(), wanted.len());
        prop_assert_eq!(batch.snapshot(), singles.snapshot());
        prop_assert_eq!(batch.usage(), singles.usage());
    }
}

/// One limit of a parent, which a batch may or may not reach.
fn limit_of_a_parent() -> impl Strategy<Value = Limits> {
    let parent = prop::sample::select(vec!["firm", "desk.d", "customer.c"]);
    let amount = prop_oneof![1..60_000i64, 60_000..2_000_000i64];
    (parent, 0..10usize, amount).prop_map(|(parent, rule, amount)| {
        let money = format!("\"{amount}\"");
        let limits = roomy();
        match rule {
            0 => limits.set(parent, "credit", &money),
            1 => limits.set(parent, "max_open_notional", &money),
            2 => limits.set(parent, "daily_notional", &money),
            3 => limits.set(parent, "net_exposure", &money),
            4 => limits.set(parent, "max_open_orders", &(amount / 1_000 + 1).to_string()),
            5 => {
                let rule = format!("{{ max = {money}, window = \"30ns\" }}");
                limits.set(parent, "window_notional", &rule)
            }
            6 => limits.set(parent, "self_trade", "\"reject_newest\""),
            7 => limits.set(parent, "concentration", "\"1%\"").set(
                parent,
                "credit",
                &format!("\"{}\"", amount * 10),
            ),
            8 => limits.set(parent, "credit", &money).set(
                "control",
                "staged",
                "{ slow = 40, slow_delay = \"9ns\" }",
            ),
            // Customers and the firm must have one.
            _ if parent == "desk.d" => limits.set(parent, "loss_limit", "{ day = \"1\" }"),
            _ => limits.unset(parent, "credit"),
        }
    })
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn a_parent_with_room_or_without_is_held_to_its_limit(
        limits in limit_of_a_parent(),
        drafts in prop::collection::vec((order(), step()), 20..120),
        loses in any::<bool>(),
    ) {
        let mut singles = Firm::new(&limits);
        let bought = singles.buy(400, PX);
        if singles.engine.decide(&bought, false).decision.is_accepted() {
            singles.fill(bought.order_id, 300, PX);
        }
        if loses {
            (1..4).for_each(|k| singles.engine.reference(I, PX - k * UNIT / 2, START));
        }
        let mut singles = singles.engine;
        let mut drafts = drafts;
        for (order, _) in &mut drafts {
            order.kind = 1;
        }
        let orders = laid_out(&drafts, 5_000, singles.last_ts(), false);
        let mut batch = singles.clone();
        let wanted: Vec<Outcome> = orders.iter().map(|o| singles.decide(o, false)).collect();
        prop_assert_eq!(batched(&mut batch, &orders, &[], false), wanted);
        prop_assert_eq!(batch.snapshot(), singles.snapshot());
    }
}

/// More than one block, on instruments enough that some blocks are grouped and some are not.
#[test]
fn blocks_follow_one_another() {
    let mut singles = Firm::new(&roomy()).engine;
    let mut seed = 7_u64;
    let mut draw = |n: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % n
    };
    let orders: Vec<Order> = (0..9_001)
        .map(|k| Order {
            ts: START + k,
            order_id: 100 + k,
            seq: k,
            px: (90 + draw(20) as i64) * UNIT + draw(3) as i64,
            qty: 1 + draw(9) as i64,
            account: 1 + draw(4) as u32,
            instrument: 1 + draw(3) as u32,
            strategy: 1 + draw(2) as u32,
            side: 1 + draw(2) as u8,
            kind: 1,
            type_tif: 2,
            ..Order::default()
        })
        .collect();
    let mut batch = singles.clone();
    let wanted: Vec<Outcome> = orders.iter().map(|order| singles.decide(order, false)).collect();
    let accepted = wanted.iter().filter(|outcome| outcome.decision.is_accepted()).count();
    assert!(accepted > 1_000 && accepted < 8_000, "{accepted}");
    assert_eq!(batched(&mut batch, &orders, &[], false), wanted);
    assert_eq!(batch.snapshot(), singles.snapshot());
}

/// Decisions of a check, and those of a fold on a copy.
fn checked_and_folded(engine: &Engine, orders: &[Order]) -> (Vec<Decision>, Vec<Decision>) {
    let mut checked = Vec::new();
    engine.check_batch(orders.iter().copied(), |decision| checked.push(decision));
    let mut copy = engine.clone();
    (checked, orders.iter().map(|order| copy.decide(order, false).decision).collect())
}

/// Like `roomy`, where a small batch may be known to fit, or be known not to.
fn tight() -> impl Strategy<Value = Limits> {
    let account = |key: &'static str, values: &'static [&'static str]| {
        prop::sample::select(values).prop_map(move |value| ("account.A", key, value))
    };
    let one = prop_oneof![
        account("max_position", &["{ long = 40, short = 9 }", "{ long = 900, short = 0 }"]),
        account("credit", &["\"9000\"", "\"90000\""]),
        account("max_open_notional", &["\"9000\"", "\"90000\""]),
        account("max_order_qty", &["5", "9"]),
        account("daily_qty", &["20", "500"]),
        account("daily_notional", &["\"20000\""]),
        account("max_open_orders", &["3", "40"]),
        account(
            "message_rate",
            &["{ max = 2, window = \"9ns\" }", "{ max = 9, window = \"1ms\" }"]
        ),
        account(
            "duplicate_order",
            &["{ max = 1, window = \"9ns\" }", "{ max = 3, window = \"1us\" }"]
        ),
        Just(("instrument.I", "message_rate", "{ max = 3, window = \"9ns\" }")),
        Just(("instrument.I", "min_order_qty", "3")),
        Just(("venue.V", "message_rate", "{ max = 4, window = \"9ns\" }")),
        Just(("strategy.s", "message_rate", "{ max = 4, window = \"9ns\" }")),
        Just(("firm", "credit", "\"60000\"")),
        Just(("desk.d", "max_open_notional", "\"60000\"")),
    ];
    prop::collection::vec(one, 0..3).prop_map(|rows| {
        let set = |limits: Limits, (section, key, value)| limits.set(section, key, value);
        rows.into_iter().fold(roomy(), set)
    })
}

proptest! {
    #![proptest_config(cases(600))]

    /// Whether a copy is needed or not: the answers are those of the fold, and nothing changes.
    #[test]
    fn a_checked_batch_is_the_fold_on_a_copy(
        entries in stream(40),
        drafts in prop::collection::vec((any_order(), step()), 1..40),
        only_new in prop::bool::weighted(0.9),
        text in tight(),
    ) {
        let mut engine = Engine::new();
        for (i, entry) in entries.iter().enumerate() {
            engine.step(i as u64, entry).unwrap();
        }
        engine.activate(engine.limits_version() + 1, text.text().as_bytes()).unwrap();
        engine.reference(I, PX, engine.last_ts());
        let mut drafts = drafts;
        if only_new {
            for (order, _) in &mut drafts {
                order.kind = 1;
            }
        }
        let orders = laid_out(&drafts, 5_000, engine.last_ts(), false);
        let before = engine.snapshot();
        let (checked, folded) = checked_and_folded(&engine, &orders);
        prop_assert_eq!(checked, folded);
        prop_assert_eq!(engine.snapshot(), before);
    }
}

/// At a limit no copy is needed; one beyond it a copy decides, and refuses.
#[test]
fn a_batch_that_fits_needs_no_copy() {
    let of_three = |section, key, value| roomy().set(section, key, value);
    // Orders of 10 at 100 each a nanosecond apart, and how many of them fit.
    for (fits, limits) in [
        (50, roomy()),
        (3, of_three("account.A", "max_position", "{ long = 30, short = 0 }")),
        (3, of_three("account.A", "daily_qty", "30")),
        (3, of_three("account.A", "credit", "\"3000\"")),
        (3, of_three("account.A", "max_open_notional", "\"3000\"")),
        (3, of_three("account.A", "daily_notional", "\"3000\"")),
        (3, of_three("account.A", "net_exposure", "\"3000\"")),
        (3, of_three("account.A", "max_open_orders", "3")),
        (3, of_three("customer.c", "credit", "\"3000\"")),
        (3, of_three("desk.d", "max_open_notional", "\"3000\"")),
        (3, of_three("firm", "credit", "\"3000\"")),
        (3, of_three("account.A", "message_rate", "{ max = 3, window = \"1ms\" }")),
        (3, of_three("strategy.s", "message_rate", "{ max = 3, window = \"1ms\" }")),
        (3, of_three("instrument.I", "message_rate", "{ max = 3, window = \"1ms\" }")),
        (3, of_three("venue.V", "message_rate", "{ max = 3, window = \"1ms\" }")),
        (3, of_three("account.A", "duplicate_order", "{ max = 3, window = \"1ms\" }")),
        (4, of_three("firm", "duplicate_id", "{ max = 4 }")),
    ] {
        let firm = Firm::new(&limits);
        let order = Order { ts: START, kind: 1, side: 1, type_tif: 2, ..Order::default() };
        let order = Order { px: PX, qty: 10, account: A, instrument: I, strategy: S, ..order };
        let at = |k: u64| Order { ts: START + k, order_id: 1_000 + k, seq: k, ..order };
        // The last one alone is refused for its tick, and leaves the others alone.
        let mut orders: Vec<Order> = (0..fits).map(at).collect();
        assert!(firm.engine.needs_no_copy(&orders), "{fits} {}", limits.text());
        let (checked, folded) = checked_and_folded(&firm.engine, &orders);
        assert!(checked.iter().all(Decision::is_accepted), "{}", limits.text());
        assert_eq!(checked, folded);
        if fits == 50 {
            orders[7].px += 1;
            orders[9].instrument = 99;
            orders[11].qty = 0;
            assert!(firm.engine.needs_no_copy(&orders));
            let (checked, folded) = checked_and_folded(&firm.engine, &orders);
            let refused = checked.iter().filter(|decision| !decision.is_accepted()).count();
            assert_eq!((checked, refused), (folded, 3));
            continue;
        }
        orders.push(at(fits));
        assert!(!firm.engine.needs_no_copy(&orders), "{}", limits.text());
        let (checked, folded) = checked_and_folded(&firm.engine, &orders);
        assert!(!checked[fits as usize].is_accepted(), "{}", limits.text());
        assert_eq!(checked, folded);
    }
}

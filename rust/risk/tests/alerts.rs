//! Aggregates near their limits: told at each stage, once, and again after they went down; what a
//! lost session and a crossing order have cancelled.
#![allow(clippy::unwrap_used, reason = "a fixture that fails is a failed test")]

mod common;

use common::*;
use cwts_risk::Engine;
use cwts_types::{AlertKind, Body, Control, Level, Order, Phase, SessionKind, exec_type};

const STAGED: &str = "{ alert = 70 }";

/// Control, level, scope, percent, observed and limit of each alert that is due.
fn due(firm: &mut Firm) -> Vec<(Control, Level, u32, u8, i64, i64)> {
    let of = |body: &Body| match body {
        Body::Alert(a) => {
            assert_eq!(a.kind, AlertKind::Stage);
            (a.control.unwrap(), a.level, a.scope, a.percent, a.observed, a.limit)
        }
        other => panic!("{other:?}"),
    };
    firm.engine.take_due().iter().map(of).collect()
}

fn staged() -> Limits {
    Limits::wide().set("control", "staged", STAGED)
}

fn buy(firm: &mut Firm, qty: i64) -> u64 {
    let order = firm.buy(qty, PX);
    firm.accept(order)
}

#[test]
fn a_stage_is_told_at_its_percentage_once_and_below_it_not() {
    // 100 units at 100 are the credit.
    let limits = staged().set("account.A", "credit", "\"10000\"");
    let mut firm = Firm::new(&limits);
    buy(&mut firm, 69);
    assert_eq!(due(&mut firm), []);
    buy(&mut firm, 1);
    let limit = 10_000 * MICROS;
    let stage = |percent, units: i64| {
        (Control::CreditLimit, Level::Account, A, percent, units * 100 * MICROS, limit)
    };
    assert_eq!(due(&mut firm), [stage(70, 70)]);
    buy(&mut firm, 19);
    assert_eq!(due(&mut firm), [], "it is told once");
    buy(&mut firm, 1);
    assert_eq!(due(&mut firm), [stage(90, 90)]);
    buy(&mut firm, 10);
    assert_eq!(due(&mut firm), []);
    let more = firm.buy(1, PX);
    assert_eq!(names(&firm.decide(&more)), ["CREDIT_LIMIT"]);
    assert_eq!(due(&mut firm), [], "a refusal moves nothing");
}

#[test]
fn one_order_that_passes_both_stages_tells_both() {
    let mut firm = Firm::new(&staged().set("account.A", "max_open_orders", "1"));
    buy(&mut firm, 1);
    let told = |p| (Control::MaxOpenOrders, Level::Account, A, p, 1, 1);
    assert_eq!(due(&mut firm), [told(70), told(90)]);
    // A new engine under other percentages: each is a key.
    let own = "{ alert = 50, alert_again = 100 }";
    let mut firm = Firm::new(&Limits::wide().set("control", "staged", own).set(
        "account.A",
        "daily_orders",
        "2",
    ));
    buy(&mut firm, 1);
    assert_eq!(due(&mut firm), [(Control::DailyOrders, Level::Account, A, 50, 1, 2)]);
    buy(&mut firm, 1);
    assert_eq!(due(&mut firm), [(Control::DailyOrders, Level::Account, A, 100, 2, 2)]);
}

#[test]
fn it_is_told_again_after_it_was_five_percent_below() {
    let limits = staged().set("account.A", "max_open_notional", "\"10000\"");
    let stage = |percent, units: i64| {
        let limit = 10_000 * MICROS;
        (Control::MaxOpenNotional, Level::Account, A, percent, units * 100 * MICROS, limit)
    };
    for (off, told) in [(5, vec![]), (6, vec![stage(70, 70)])] {
        let mut firm = Firm::new(&limits);
        buy(&mut firm, 70 - off);
        let id = buy(&mut firm, off);
        assert_eq!(due(&mut firm), [stage(70, 70)]);
        firm.report(id, exec_type::CANCELED);
        assert_eq!(due(&mut firm), []);
        buy(&mut firm, off);
        assert_eq!(due(&mut firm), told, "down by {off}");
    }
}

#[test]
fn every_aggregate_has_its_stages() {
    let table: [(&str, &str, &str, Control, Level, u32); 12] = [
        ("firm", "credit", "\"10000\"", Control::CreditLimit, Level::Firm, 0),
        ("desk.d", "credit", "\"10000\"", Control::CreditLimit, Level::Desk, 1),
        ("customer.c", "net_exposure", "\"10000\"", Control::NetExposure, Level::Customer, 1),
        ("firm", "daily_notional", "\"10000\"", Control::DailyNotional, Level::Firm, 0),
        ("firm", "max_open_notional", "\"10000\"", Control::MaxOpenNotional, Level::Firm, 0),
        ("desk.d", "max_open_orders", "1", Control::MaxOpenOrders, Level::Desk, 1),
        ("account.A", "daily_orders", "1", Control::DailyOrders, Level::Account, A),
        ("account.A", "cash", "\"10000\"", Control::BuyingPower, Level::Account, A),
        ("strategy.s", "max_open_orders", "1", Control::MaxOpenOrders, Level::Strategy, S),
        ("strategy.s", "daily_orders", "1", Control::DailyOrders, Level::Strategy, S),
        (
            "account.A",
            "max_position",
            "{ long = 100, short = 5 }",
            Control::MaxPosition,
            Level::AccountInstrument,
            A,
        ),
        ("account.A", "daily_qty", "100", Control::DailyQty, Level::AccountInstrument, A),
    ];
    for (section, key, value, control, level, scope) in table {
        let mut firm = Firm::new(&staged().set(section, key, value));
        buy(&mut firm, 95);
        let told = due(&mut firm);
        let wanted: Vec<u8> = told
            .iter()
            .filter(|row| (row.0, row.1, row.2) == (control, level, scope))
            .map(|row| row.3)
            .collect();
        assert_eq!((wanted, told.len()), (vec![70, 90], 2), "[{section}] {key}: {told:?}");
    }
}

#[test]
fn a_fill_moves_stages_and_the_short_side_has_its_own_limit() {
    let limits = staged().set("account.A", "max_position", "{ long = 1_000, short = 10 }");
    let mut firm = Firm::new(&limits);
    let order = firm.sell(7, PX);
    let id = firm.accept(order);
    let told = |units| (Control::MaxPosition, Level::AccountInstrument, A, 70, units, 10);
    assert_eq!(due(&mut firm), [told(7)]);
    firm.fill(id, 7, PX);
    assert_eq!(due(&mut firm), [], "what worked is held now");
    let back = firm.buy(7, PX);
    let back = firm.accept(back);
    firm.fill(back, 7, PX);
    assert_eq!(due(&mut firm), []);
    let order = firm.sell(7, PX);
    firm.accept(order);
    assert_eq!(due(&mut firm), [told(7)], "flat in between");
}

#[test]
fn stages_survive_a_snapshot_and_go_with_the_key() {
    let limits = staged().set("account.A", "credit", "\"10000\"");
    let mut firm = Firm::new(&limits);
    buy(&mut firm, 70);
    assert_eq!(due(&mut firm).len(), 1);
    firm.engine = Engine::restore(&firm.engine.snapshot()).unwrap();
    buy(&mut firm, 1);
    assert_eq!(due(&mut firm), []);
    firm.activate(&limits.clone().unset("control", "staged"));
    buy(&mut firm, 20);
    assert_eq!(due(&mut firm), []);
    firm.activate(&limits);
    buy(&mut firm, 1);
    assert_eq!(due(&mut firm).len(), 2, "what was told before the key went is told again");
}

#[test]
fn a_lost_session_has_its_own_day_orders_cancelled_where_the_limits_say_so() {
    let base = Limits::wide().set("strategy.s", "session", "\"X\"");
    for (key, cancels) in [("true", true), ("false", false)] {
        let mut firm = Firm::new(&base.clone().set("session.X", "cancel_on_disconnect", key));
        let day = buy(&mut firm, 1);
        let other = Order { strategy: T, ..firm.buy(1, PX) };
        firm.accept(other);
        for tif in [1u8, 6] {
            let order = firm.buy(1, PX);
            firm.accept(Order { type_tif: 2 | tif << 4, ..order });
        }
        assert_eq!(firm.engine.lost_orders(), [0u64; 0], "it is up");
        firm.phase(SessionKind::Session, Phase::Closed);
        let wanted = if cancels { vec![day] } else { vec![] };
        assert_eq!(firm.engine.lost_orders(), wanted, "{key}");
        firm.report(day, exec_type::CANCELED);
        assert_eq!(firm.engine.lost_orders(), [0u64; 0]);
        firm.phase(SessionKind::Session, Phase::Trading);
    }
}

#[test]
fn the_policies_of_self_trade() {
    // A sell of 5 at 100 works for account B, and one of C, whose customer is another.
    for (policy, refuses, cancels) in [
        ("reject_newest", true, false),
        ("cancel_oldest", false, true),
        ("cancel_both", true, true),
    ] {
        let limits = Limits::wide().set("customer.c", "self_trade", &format!("\"{policy}\""));
        let mut firm = Firm::new(&limits);
        let rest = Order { account: B, ..firm.sell(5, PX) };
        let rest = firm.accept(rest);
        let foreign = Order { account: C, ..firm.sell(5, PX) };
        firm.accept(foreign);
        assert_eq!(firm.engine.cancels_own(), cancels);
        for (px, meets) in [(PX - UNIT / 100, false), (PX, true)] {
            let order = firm.buy(5, px);
            let wanted = if meets && cancels { vec![rest] } else { vec![] };
            assert_eq!(firm.engine.own_crossed(&order), wanted, "{policy} at {px}");
            let found = firm.engine.check(&order);
            let wanted: &[&str] = if meets && refuses { &["SELF_TRADE"] } else { &[] };
            assert_eq!(names(&found), wanted, "{policy} at {px}");
        }
        // A market order meets every price; an order of the same side none.
        let market = Order { type_tif: 1, ..firm.buy(5, 0) };
        assert_eq!(firm.engine.own_crossed(&market).len(), usize::from(cancels));
        let same = firm.sell(5, PX);
        assert_eq!(firm.engine.own_crossed(&same), [0u64; 0]);
    }
}

//! Controls of who sends: bits 21, 22, 24, 27, 28, 44 and 45.
#![allow(clippy::unwrap_used, reason = "a fixture that fails is a failed test")]

use cwts_types::{Body, Control, Level, Locate, Order, RegisterKind, exec_type, order_flag};

use crate::BOTH;
use crate::common::*;

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;

#[test]
pub(crate) fn not_permitted() {
    let place = (Level::Strategy, S);
    let limits = Limits::wide()
        .set("strategy.s", "accounts", "[\"A\", \"C\"]")
        .set("strategy.s", "groups", "[\"g\"]")
        .set("group.g", "tick", "\"0.01\"")
        .set("instrument.I", "group", "\"g\"");
    let mut firm = Firm::new(&limits);
    for (account, instrument, seen) in
        [(A, I, None), (C, I, None), (B, I, Some(i64::from(B))), (A, J, Some(i64::from(J)))]
    {
        let order = Order { account, instrument, ..firm.buy(2, PX) };
        match seen {
            None => assert_accepted(&firm.decide(&order)),
            Some(seen) => {
                assert_refused(&firm.decide(&order), Control::NotPermitted, place, (seen, 0));
            }
        }
        let order = Order { strategy: T, account, instrument, ..firm.buy(2, PX) };
        let working = firm.accept(order);
        let replace = firm.replacing(working, order);
        assert_accepted(&firm.decide(&replace));
    }
    // Taken away later, a replace of what works is refused, too.
    let mut firm = Firm::new(&Limits::wide());
    let order = firm.buy(2, PX);
    let working = firm.accept(order);
    firm.activate(&Limits::wide().set("strategy.s", "accounts", "[]"));
    let replace = firm.replacing(working, order);
    assert_refused(&firm.decide(&replace), Control::NotPermitted, place, (i64::from(A), 0));
}

fn locate(firm: &mut Firm, qty: i64) {
    let (account, instrument) = (A, I);
    firm.entry(Body::Locate(Locate { account, instrument, qty, actor: "ana".to_owned() }));
}

#[test]
pub(crate) fn short_mark() {
    let limits = Limits::wide().set("instrument.I", "reg_sho", "true");
    let place = (Level::AccountInstrument, A);
    let mut firm = Firm::new(&limits);
    locate(&mut firm, 1_000_000);
    firm.hold_position(10);
    for (side, qty, passes) in [
        (2, 10, true),
        (2, 11, false),
        (5, 10, false),
        (5, 11, true),
        (6, 10, false),
        (6, 11, true),
    ] {
        let order = firm.order(side, qty, PX);
        let outcome = firm.engine.check(&order);
        if passes {
            assert_accepted(&outcome);
        } else {
            assert_refused(&outcome, Control::ShortMark, place, (qty, 10));
        }
    }
    // What works counts: nine leave one to sell long, and a replace adds its growth only.
    let nine = firm.sell(9, PX);
    let nine = firm.accept(nine);
    let one = firm.sell(2, PX);
    assert_refused(&firm.decide(&one), Control::ShortMark, place, (11, 10));
    let ten = firm.sell(10, PX);
    let ten = firm.replacing(nine, ten);
    assert_accepted(&firm.engine.check(&ten));
    let eleven = Order { qty: 11, ..ten };
    assert_refused(&firm.decide(&eleven), Control::ShortMark, place, (11, 10));
    // Instruments without the rule ask for no mark.
    let order = Order { instrument: J, ..firm.sell(5, PX) };
    assert_accepted(&firm.decide(&order));
}

#[test]
pub(crate) fn locate_rolls_with_the_day() {
    let limits = Limits::wide().set("instrument.I", "reg_sho", "true");
    let mut firm = Firm::new(&limits);
    locate(&mut firm, 10);
    let order = firm.order(5, 10, PX);
    assert_accepted(&firm.engine.check(&order));
    // So nobody may promise today that it passes at any time to come.
    assert!(!firm.engine.admits_from_now_on(&order));
    let long = Order { instrument: J, ..order };
    assert!(firm.engine.admits_from_now_on(&long));
    firm.ts = DAY;
    let order = firm.order(5, 10, PX);
    let place = (Level::AccountInstrument, A);
    assert_refused(&firm.decide(&order), Control::Locate, place, (10, 0));
}

#[test]
pub(crate) fn attempt_rate() {
    let rate = "{ max = 3, window = \"1s\" }";
    let places = [("strategy.s", (Level::Strategy, S)), ("session.X", (Level::Session, X))];
    for (section, place) in places {
        for is_replace in [false, true] {
            let limits = Limits::wide()
                .set("strategy.s", "session", "\"X\"")
                .set("session.X", "message_rate", "\"none\"")
                .set(section, "attempt_rate", rate);
            let mut firm = Firm::new(&limits);
            let first = firm.buy(2, PX);
            let target = firm.accept(first);
            let next = |firm: &mut Firm, at| {
                firm.ts = START + at;
                let order = firm.buy(2, PX);
                let order = if is_replace { firm.replacing(target, order) } else { order };
                firm.decide(&order)
            };
            assert_accepted(&next(&mut firm, 5));
            assert_accepted(&next(&mut firm, 9));
            // Unlike messages, what was refused counts: a loop that goes on stays refused.
            for at in [9, SECOND - 1, SECOND + 4] {
                let outcome = next(&mut firm, at);
                assert_refused(&outcome, Control::AttemptRate, place, (4, 3));
            }
            // Cancels count, and pass.
            let cancel = firm.cancel(target);
            assert!(firm.decide(&cancel).decision.is_accepted());
            let outcome = next(&mut firm, 2 * SECOND - 2);
            assert_refused(&outcome, Control::AttemptRate, place, (4, 3));
            let outcome = next(&mut firm, 4 * SECOND);
            assert!(!names(&outcome).contains(&"ATTEMPT_RATE"));
        }
    }
}

#[test]
pub(crate) fn duplicate_id() {
    let own = (Level::Order, 0);
    let mut firm = Firm::new(&Limits::wide());
    let order = firm.buy(2, PX);
    let id = firm.accept(order);
    let seen = (id as i64, 0);
    assert_refused(&firm.decide(&order), Control::DuplicateId, own, seen);
    // An ended order's fill may still come under its id.
    firm.report(id, exec_type::CANCELED);
    assert_refused(&firm.decide(&order), Control::DuplicateId, own, seen);
    let other = firm.buy(2, PX);
    let other = firm.accept(other);
    let replace = Order { order_id: id, ..firm.replacing(other, order) };
    assert_refused(&firm.decide(&replace), Control::DuplicateId, own, seen);
    // So may one of a replace of an order that has ended.
    let third = firm.buy(2, PX);
    let third = firm.accept(third);
    let changed = firm.replacing(third, order);
    assert_accepted(&firm.decide(&changed));
    firm.report(changed.order_id, exec_type::REPLACED);
    firm.report(third, exec_type::CANCELED);
    let again = Order { order_id: changed.order_id, ..order };
    let seen_again = (changed.order_id as i64, 0);
    assert_refused(&firm.decide(&again), Control::DuplicateId, own, seen_again);
    // A replace may keep the id of its own order.
    let replace = Order { order_id: other, ..replace };
    assert_accepted(&firm.decide(&replace));
}

#[test]
pub(crate) fn duplicate_id_of_the_day() {
    let limits = Limits::wide().set("firm", "duplicate_id", "{ max = 3 }");
    let mut firm = Firm::new(&limits);
    let ids: Vec<u64> = (0..3)
        .map(|_| {
            let order = firm.buy(2, PX);
            firm.accept(order)
        })
        .collect();
    // A fourth id has no room: nobody could say later that it was used.
    let fourth = firm.buy(2, PX);
    let own = (Level::Order, 0);
    let seen = (fourth.order_id as i64, 0);
    assert_refused(&firm.decide(&fourth), Control::DuplicateId, own, seen);
    for id in ids {
        firm.engine.deny_release(id);
        let again = Order { order_id: id, ..firm.buy(2, PX) };
        assert_refused(&firm.decide(&again), Control::DuplicateId, own, (id as i64, 0));
    }
    firm.ts = DAY;
    let fourth = Order { ts: firm.ts, ..fourth };
    assert_accepted(&firm.decide(&fourth));
}

#[test]
pub(crate) fn self_trade() {
    for (section, place, account, meets) in [
        ("account.A", (Level::Account, A), A, true),
        ("account.A", (Level::Account, A), B, false),
        ("customer.c", (Level::Customer, 1), B, true),
        ("customer.c", (Level::Customer, 1), C, false),
        ("desk.d", (Level::Desk, 1), C, true),
        ("desk.d", (Level::Desk, 1), D, false),
        ("firm", (Level::Firm, 0), D, true),
    ] {
        let limits = Limits::wide().set(section, "self_trade", "\"reject_newest\"");
        for (side, own, px, crosses) in [
            (1, PX, PX, true),
            (1, PX, PX - UNIT / 100, false),
            (1, PX, PX + UNIT / 100, true),
            (2, PX, PX, true),
            (2, PX, PX + UNIT / 100, false),
            (2, PX, PX - UNIT / 100, true),
            (2, PX, 0, true),
            (1, PX, 0, true),
        ] {
            for path in BOTH {
                let mut firm = Firm::new(&limits);
                let resting = Order { account, ..firm.order(3 - side, 5, own) };
                let resting_id = firm.accept(resting);
                let type_tif = if px == 0 { 1 } else { 2 };
                let order = Order { type_tif, ..firm.order(side, 5, px) };
                let order = if path == crate::Path::New {
                    order
                } else {
                    // Far away on its own side, so that it meets nothing yet.
                    let far = if side == 1 { 50 * UNIT } else { 150 * UNIT };
                    let first = firm.order(side, 1, far);
                    let first = firm.accept(first);
                    firm.replacing(first, order)
                };
                let outcome = firm.engine.check(&order);
                if crosses && meets {
                    assert_refused(&outcome, Control::SelfTrade, place, (px, own));
                } else {
                    assert_accepted(&outcome);
                }
                // Gone, it is met no more.
                firm.report(resting_id, exec_type::CANCELED);
                assert_accepted(&firm.decide(&order));
            }
        }
    }
    // Both versions of a replaced order are there until the venue has answered.
    let limits = Limits::wide().set("firm", "self_trade", "\"reject_newest\"");
    let mut firm = Firm::new(&limits);
    let ask = firm.sell(5, 110 * UNIT);
    let ask = firm.accept(ask);
    let lower = firm.sell(5, 105 * UNIT);
    let lower = firm.replacing(ask, lower);
    assert_accepted(&firm.decide(&lower));
    let bid = firm.buy(5, 106 * UNIT);
    assert_eq!(names(&firm.engine.check(&bid)), ["SELF_TRADE"]);
    firm.report(lower.order_id, exec_type::REJECTED);
    assert_accepted(&firm.engine.check(&bid));
    let higher = firm.buy(5, 110 * UNIT);
    assert_eq!(names(&firm.engine.check(&higher)), ["SELF_TRADE"]);
}

#[test]
pub(crate) fn reduce_only() {
    let place = (Level::AccountInstrument, A);
    for path in BOTH {
        let mut firm = Firm::new(&Limits::wide());
        firm.hold_position(10);
        let marked = |order: Order| Order { flags: order_flag::REDUCE_ONLY, ..order };
        for (side, qty, passes) in [(2, 10, true), (2, 11, false), (1, 2, false)] {
            let mut firm = firm.clone();
            let order = marked(firm.order(side, qty, PX));
            let order = if path == crate::Path::New {
                order
            } else {
                let first = firm.order(side, 1, PX);
                let first = firm.accept(first);
                firm.replacing(first, order)
            };
            let outcome = firm.decide(&order);
            let added = if path == crate::Path::New { qty } else { qty - 1 };
            if passes {
                assert_accepted(&outcome);
            } else {
                let control = Control::ReduceOnlyWouldIncrease;
                assert_refused(&outcome, control, place, (added, 0));
            }
        }
    }
}

#[test]
pub(crate) fn locate_is_the_most_that_is_sold_short() {
    let limits = Limits::wide().set("instrument.I", "reg_sho", "true");
    let place = (Level::AccountInstrument, A);
    for path in BOTH {
        let mut firm = Firm::new(&limits);
        locate(&mut firm, 10);
        let make = |firm: &mut Firm, qty| {
            let order = firm.order(5, qty, PX);
            if path == crate::Path::New {
                return order;
            }
            let first = firm.order(5, 1, PX);
            let first = firm.accept(first);
            firm.replacing(first, order)
        };
        let over = make(&mut firm, 11);
        assert_refused(&firm.engine.check(&over), Control::Locate, place, (11, 10));
        let all = Order { qty: 10, ..over };
        let id = firm.accept(all);
        // Filled or not, it is used; a cancel gives back what was not filled.
        firm.report(id, exec_type::REPLACED);
        firm.fill(id, 4, PX);
        let one = firm.order(6, 1, PX);
        assert_refused(&firm.engine.check(&one), Control::Locate, place, (11, 10));
        firm.report(id, exec_type::CANCELED);
        let six = firm.order(5, 6, PX);
        assert_accepted(&firm.engine.check(&six));
        let seven = firm.order(5, 7, PX);
        assert_refused(&firm.decide(&seven), Control::Locate, place, (11, 10));
    }
}

/// Lists name accounts, whichever of the two is registered first.
#[test]
pub(crate) fn an_account_that_comes_later_is_on_the_list() {
    let limits = Limits::wide()
        .set("strategy.s", "accounts", "[\"E\"]")
        .set("account.E", "max_order_qty", "10")
        .set("account.E", "max_order_notional", "\"none\"")
        .set("account.E", "credit", "\"none\"")
        .set("account.E", "message_rate", "\"none\"")
        .set("account.E", "max_position", "\"none\"");
    let mut firm = Firm::new(&limits);
    let late = registration(RegisterKind::Account, 5, 1, "E");
    firm.engine.register(&late).unwrap();
    let order = Order { account: 5, ..firm.buy(2, PX) };
    assert_accepted(&firm.decide(&order));
    let other = Order { order_id: firm.id(), account: A, ..order };
    assert_eq!(names(&firm.decide(&other)), ["NOT_PERMITTED"]);
}

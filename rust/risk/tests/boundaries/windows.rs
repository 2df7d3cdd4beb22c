//! Controls that count within a window: bits 26 and 29.

use cwts_types::{Control, Level, Order, exec_type};

use crate::common::*;

const WINDOW: u64 = 1_000_000_000;
const RATE: &str = "{ max = 3, window = \"1s\" }";

const LEVELS: [(&str, Level, u32); 3] = [
    ("account.A", Level::Account, A),
    ("strategy.s", Level::Strategy, S),
    ("instrument.I", Level::Instrument, I),
];

#[test]
pub(crate) fn message_rate() {
    for (section, level, scope) in LEVELS {
        for is_replace in [false, true] {
            let mut firm = Firm::new(&Limits::wide().set(section, "message_rate", RATE));
            let first = firm.buy(2, PX);
            let target = firm.accept(first);
            let next = |firm: &mut Firm, at| {
                firm.ts = START + at;
                let order = firm.buy(2, PX);
                let order = if is_replace { firm.replacing(target, order) } else { order };
                firm.decide(&order)
            };
            // Messages at 0, 5 and 9: the fourth is one too many until the first is one window
            // old, and exactly then it passes. What was refused does not count.
            assert_accepted(&next(&mut firm, 5));
            assert_accepted(&next(&mut firm, 9));
            for at in [9, 10, WINDOW - 1] {
                let outcome = next(&mut firm, at);
                assert_refused(&outcome, Control::MessageRate, (level, scope), (4, 3));
            }
            assert_accepted(&next(&mut firm, WINDOW));
            let outcome = next(&mut firm, WINDOW + 4);
            assert_refused(&outcome, Control::MessageRate, (level, scope), (4, 3));
            assert_accepted(&next(&mut firm, WINDOW + 5));
            // Time that steps back does not open the window.
            let outcome = next(&mut firm, 0);
            assert_refused(&outcome, Control::MessageRate, (level, scope), (4, 3));
            assert_eq!(firm.engine.counters().time_back, 1);
        }
    }
    // Another account, strategy and instrument has its own window.
    for (section, ..) in LEVELS {
        let mut firm = Firm::new(&Limits::wide().set(section, "message_rate", RATE));
        for _ in 0..10 {
            let order = Order { account: B, strategy: T, instrument: J, ..firm.buy(2, PX) };
            firm.accept(order);
        }
        let order = firm.buy(2, PX);
        firm.accept(order);
    }
}

#[test]
pub(crate) fn message_rate_counts_cancels() {
    for (section, level, scope) in LEVELS {
        let mut firm = Firm::new(&Limits::wide().set(section, "message_rate", RATE));
        let order = firm.buy(2, PX);
        let target = firm.accept(order);
        // Cancels count where their order belongs, and pass when the window is full.
        for _ in 0..5 {
            let cancel = Order { account: B, strategy: T, instrument: J, ..firm.cancel(target) };
            assert!(firm.decide(&cancel).decision.is_accepted());
        }
        let order = firm.buy(2, PX);
        let outcome = firm.decide(&order);
        assert_refused(&outcome, Control::MessageRate, (level, scope), (4, 3));
        // Only accepted new orders count where the file says so.
        let rate = "{ max = 3, window = \"1s\", counts = \"accepted_new\" }";
        let mut firm = Firm::new(&Limits::wide().set(section, "message_rate", rate));
        let order = firm.buy(2, PX);
        let target = firm.accept(order);
        for _ in 0..5 {
            let cancel = firm.cancel(target);
            firm.decide(&cancel);
            let order = firm.buy(3, PX);
            let replace = firm.replacing(target, order);
            firm.accept(replace);
        }
        for _ in 0..2 {
            let order = firm.buy(2, PX);
            firm.accept(order);
        }
        let order = firm.buy(2, PX);
        let outcome = firm.decide(&order);
        assert_refused(&outcome, Control::MessageRate, (level, scope), (4, 3));
    }
}

#[test]
fn too_many_unanswered_replaces_are_refused() {
    let mut firm = Firm::new(&Limits::wide());
    let order = firm.buy(100, PX);
    let target = firm.accept(order);
    let mut last = 0;
    for _ in 0..64 {
        let replace = firm.replacing(target, order);
        last = firm.accept(replace);
    }
    let replace = firm.replacing(target, order);
    let outcome = firm.decide(&replace);
    assert_refused(&outcome, Control::MessageRate, (Level::Order, 0), (65, 64));
    firm.report(last, exec_type::REPLACED);
    let replace = firm.replacing(target, order);
    firm.accept(replace);
}

#[test]
pub(crate) fn duplicate_order() {
    let place = (Level::AccountInstrument, A);
    for (rule, max) in [
        ("{ window = \"1s\" }", 1),
        ("{ window = \"1s\", max = 2 }", 2),
        ("{ window = \"1s\", max = 3 }", 3),
    ] {
        for is_replace in [false, true] {
            let mut firm = Firm::new(&Limits::wide().set("account.A", "duplicate_order", rule));
            let order = firm.sell(7, PX);
            let target = firm.accept(order);
            let next = |firm: &mut Firm, at, qty, px| {
                firm.ts = START + at;
                let order = firm.buy(qty, px);
                let order = if is_replace {
                    let order = Order { side: 2, ..order };
                    firm.replacing(target, order)
                } else {
                    order
                };
                firm.decide(&order)
            };
            for i in 0..max {
                assert_accepted(&next(&mut firm, i, 5, PX));
                // Another price or quantity is another order, and stands between equal ones.
                assert_accepted(&next(&mut firm, i, 6 + i as i64, PX + UNIT));
            }
            let seen = (max as i64 + 1, max as i64);
            for at in [max, WINDOW - 1] {
                let outcome = next(&mut firm, at, 5, PX);
                assert_refused(&outcome, Control::DuplicateOrder, place, seen);
            }
            // Exactly one window after the first it is admitted, and counts from there.
            assert_accepted(&next(&mut firm, WINDOW, 5, PX));
            let outcome = next(&mut firm, WINDOW, 5, PX);
            assert_refused(&outcome, Control::DuplicateOrder, place, seen);
        }
    }
    // Side, account and instrument are part of it.
    let mut firm =
        Firm::new(&Limits::wide().set("account.A", "duplicate_order", "{ window = \"1s\" }"));
    let order = firm.buy(5, PX);
    firm.accept(order);
    for other in [
        Order { side: 2, ..order },
        Order { side: 5, ..order },
        Order { account: B, ..order },
        Order { instrument: J, ..order },
    ] {
        let order_id = firm.id();
        firm.accept(Order { order_id, ..other });
    }
    let again = Order { order_id: 99, strategy: T, ..order };
    assert_refused(&firm.decide(&again), Control::DuplicateOrder, place, (2, 1));
}

//! Controls on sums: bits 3, 32, 34 and 35.

use cwts_types::{Control, Level, Order, exec_type};

use crate::common::*;
use crate::{BOTH, around, send};

/// The chain above account `A`.
const CHAIN: [(&str, &str, Level, u32); 4] = [
    ("account.A", "account:A", Level::Account, A),
    ("customer.c", "customer:c", Level::Customer, 1),
    ("desk.d", "desk:d", Level::Desk, 1),
    ("firm", "firm", Level::Firm, 0),
];

#[test]
pub(crate) fn arithmetic_overflow() {
    let mut limits = Limits::wide();
    for section in ["account.A", "customer.c", "firm"] {
        limits = limits.set(section, "credit", "\"none\"");
    }
    limits = limits
        .unset("desk.d", "credit")
        .set("account.A", "max_order_qty", "\"none\"")
        .set("account.A", "max_order_notional", "\"none\"")
        .set("account.A", "max_position", "\"none\"")
        .set("instrument.I", "tick", "\"0.000000001\"");
    let place = (Level::Order, 0);
    // One order: 9,223,372,036,854,775,807 micros fit, and at 100 a unit is 100,000,000 micros.
    let most = i64::MAX / (100 * MICROS);
    for path in BOTH {
        let above = around(&limits, path, most, |firm, qty| firm.buy(qty, PX));
        assert_refused(&above, Control::ArithmeticOverflow, place, (i64::MAX, i64::MAX));
    }
    // The sum of a node.
    for (second, fits) in [(most - 1_000, true), (most - 999, false)] {
        let mut firm = Firm::new(&limits);
        let order = firm.buy(1_000, PX);
        firm.accept(order);
        let order = firm.sell(second, PX);
        let outcome = firm.decide(&order);
        if fits {
            assert_accepted(&outcome);
        } else {
            let seen = (second * 100 * MICROS, i64::MAX);
            assert_refused(&outcome, Control::ArithmeticOverflow, place, seen);
        }
    }
    // The sum of a position: at a price of one unit of 1e-9 the money is small.
    let limits = limits.set("instrument.I", "price_collar", "{ absolute = \"1000\" }");
    for (second, fits) in [(0, true), (1, true), (2, false)] {
        let mut firm = Firm::new(&limits);
        let order = firm.buy(i64::MAX - 1, 1);
        firm.accept(order);
        if second > 0 {
            let order = firm.buy(second, 1);
            assert_eq!(firm.decide(&order).decision.is_accepted(), fits, "{second}");
        }
    }
}

#[test]
pub(crate) fn max_position() {
    let place = (Level::AccountInstrument, A);
    let default = Limits::wide().set("account.A", "max_position", "{ long = 300, short = 200 }");
    let own = default.clone().set("account.A", "max_position", "{ long = 9, short = 9 }").set(
        "account.A.instrument",
        "I",
        "{ max_position = { long = 300, short = 200 } }",
    );
    for limits in [default, own] {
        for path in BOTH {
            let above = around(&limits, path, 300, |firm, qty| firm.buy(qty, PX));
            assert_refused(&above, Control::MaxPosition, place, (301, 300));
            let above = around(&limits, path, 200, |firm, qty| firm.sell(qty, PX));
            assert_refused(&above, Control::MaxPosition, place, (201, 200));
            // A position and what works count; the other side does not.
            let above = around(&limits, path, 300 - 120 - 80, |firm, qty| {
                firm.hold_position(120);
                let order = firm.buy(80, PX);
                firm.accept(order);
                let order = firm.sell(50, PX);
                firm.accept(order);
                firm.buy(qty, PX)
            });
            assert_refused(&above, Control::MaxPosition, place, (301, 300));
            // From +120 one may sell 320, and from -120 buy 420.
            let above = around(&limits, path, 320, |firm, qty| {
                firm.hold_position(120);
                firm.sell(qty, PX)
            });
            assert_refused(&above, Control::MaxPosition, place, (201, 200));
            let above = around(&limits, path, 420, |firm, qty| {
                firm.hold_position(-120);
                firm.buy(qty, PX)
            });
            assert_refused(&above, Control::MaxPosition, place, (301, 300));
        }
    }
    // Zero is a limit.
    let limits = Limits::wide().set("account.A", "max_position", "{ long = 5, short = 0 }");
    let mut firm = Firm::new(&limits);
    let order = firm.sell(1, PX);
    assert_refused(&firm.decide(&order), Control::MaxPosition, place, (1, 0));
}

#[test]
pub(crate) fn max_open_notional() {
    for path in BOTH {
        for (section, usage, level, scope) in CHAIN {
            let limits = Limits::wide().set(section, "max_open_notional", "\"50000\"");
            let above = around(&limits, path, 500, |firm, qty| firm.buy(qty, PX));
            let seen = (50_100 * MICROS, 50_000 * MICROS);
            assert_refused(&above, Control::MaxOpenNotional, (level, scope), seen);
            // What is filled no longer works.
            let above = around(&limits, path, 500, |firm, qty| {
                firm.hold_position(300);
                assert_eq!(firm.used(usage, "max_open_notional"), 0);
                firm.buy(qty, PX)
            });
            assert_refused(&above, Control::MaxOpenNotional, (level, scope), seen);
        }
    }
}

#[test]
pub(crate) fn credit_limit() {
    for path in BOTH {
        for (section, _, level, scope) in CHAIN {
            let limits = Limits::wide().set(section, "credit", "\"50000\"");
            let above = around(&limits, path, 500, |firm, qty| firm.buy(qty, PX));
            let seen = (50_100 * MICROS, 50_000 * MICROS);
            assert_refused(&above, Control::CreditLimit, (level, scope), seen);
            // Buys and sells both use it.
            let above = around(&limits, path, 300, |firm, qty| {
                let order = firm.sell(200, PX);
                firm.accept(order);
                firm.buy(qty, PX)
            });
            assert_refused(&above, Control::CreditLimit, (level, scope), seen);
            // So do the other accounts below the same node, and no others.
            for account in [B, C, D] {
                let shares = match level {
                    Level::Account => false,
                    Level::Customer => account == B,
                    Level::Desk => account != D,
                    _ => true,
                };
                let mut firm = Firm::new(&limits);
                let order = firm.buy(500, PX);
                assert_accepted(&send(path, &mut firm, order));
                let order = Order { account, ..firm.buy(1, PX) };
                let outcome = firm.decide(&order);
                if shares {
                    assert_refused(&outcome, Control::CreditLimit, (level, scope), seen);
                } else {
                    assert_accepted(&outcome);
                }
            }
        }
    }
}

#[test]
pub(crate) fn credit_counts_what_is_held() {
    for (section, usage, level, scope) in CHAIN {
        let limits = Limits::wide().set(section, "credit", "\"50000\"");
        for path in BOTH {
            // 200 held at 100, and the rest may work.
            let above = around(&limits, path, 300, |firm, qty| {
                firm.hold_position(200);
                assert_eq!(firm.used(usage, "credit"), 20_000 * MICROS);
                firm.buy(qty, PX)
            });
            let seen = (50_100 * MICROS, 50_000 * MICROS);
            assert_refused(&above, Control::CreditLimit, (level, scope), seen);
        }
        // What is cancelled gives its credit back.
        let mut firm = Firm::new(&limits);
        let order = firm.buy(500, PX);
        let id = firm.accept(order);
        firm.report(id, exec_type::CANCELED);
        let order = firm.buy(500, PX);
        firm.accept(order);
    }
}

/// Column R: exempt from exactly the position, open notional and credit controls, and no others.
#[test]
fn a_reducing_order_is_exempt_from_what_the_table_says() {
    let limits = Limits::wide()
        .set("account.A", "credit", "\"0\"")
        .set("customer.c", "max_open_notional", "\"0\"")
        .set("account.A", "max_position", "{ long = 0, short = 0 }")
        .set("instrument.I", "lot", "7")
        .set("account.A", "max_order_qty", "60");
    let mut firm = Firm::new(&Limits::wide());
    firm.hold_position(50);
    firm.engine.activate(2, limits.text().as_bytes()).unwrap();
    let exempt = [Control::MaxPosition, Control::MaxOpenNotional, Control::CreditLimit];
    let mut all = exempt.to_vec();
    all.insert(0, Control::LotSize);
    let order = firm.sell(50, PX);
    assert_accepted(&firm.engine.check(&order));
    let order = firm.sell(51, PX);
    assert_eq!(firm.decide(&order).decision.reasons, set(&all));
    let order = firm.buy(50, PX);
    assert_eq!(firm.decide(&order).decision.reasons, set(&all));
    // Size and tick still hold, so a reducing order may be refused for those.
    let order = firm.sell(50, PX + 1);
    assert_refused(
        &firm.decide(&order),
        Control::TickSize,
        (Level::Instrument, I),
        (PX + 1, UNIT / 100),
    );
    // What already works on that side counts: 30 and 21 would cross zero.
    let order = firm.sell(30, PX);
    firm.accept(order);
    let order = firm.sell(21, PX);
    assert!(!firm.decide(&order).decision.is_accepted());
    let order = firm.sell(20, PX);
    firm.accept(order);
    assert_eq!(firm.engine.position(A, I), 50);
}

#[test]
fn a_replace_reserves_only_what_it_adds() {
    let limits = Limits::wide().set("firm", "credit", "\"50000\"");
    let mut firm = Firm::new(&limits);
    let order = firm.buy(400, PX);
    let target = firm.accept(order);
    let more = Order { qty: 500, ..order };
    let replace = firm.replacing(target, more);
    firm.accept(replace);
    assert_eq!(firm.used("firm", "credit"), 50_000 * MICROS);
    // Fewer at a higher price: 499 may fill at 101 before the last one fills at 100.
    let replace = firm.replacing(target, Order { qty: 499, px: PX + UNIT, ..order });
    let outcome = firm.decide(&replace);
    let seen = (50_499 * MICROS, 50_000 * MICROS);
    assert_refused(&outcome, Control::CreditLimit, (Level::Firm, 0), seen);
    // Two replaces, one large and one dear: 100 may fill at 150 before the other 400 at 50.
    let mut firm = Firm::new(&limits);
    let order = firm.buy(1, PX);
    let target = firm.accept(order);
    for (qty, px, used) in [(500, 50 * UNIT, 25_050), (100, 150 * UNIT, 35_000)] {
        let replace = firm.replacing(target, Order { qty, px, ..order });
        firm.accept(replace);
        assert_eq!(firm.used("firm", "credit"), used * MICROS);
    }
}

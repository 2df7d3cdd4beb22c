//! Controls on quantity and notional: bits 4, 6, 7 and 8.

use cwts_types::{Control, Level, Order, order_flag};

use crate::common::*;
use crate::{BOTH, around, send};

#[test]
pub(crate) fn max_order_qty() {
    for path in BOTH {
        for (section, level, scope) in [
            ("instrument.I", Level::Instrument, I),
            ("account.A", Level::Account, A),
            ("strategy.s", Level::Strategy, S),
        ] {
            let limits = Limits::wide().set(section, "max_order_qty", "500");
            let above = around(&limits, path, 500, |firm, qty| firm.buy(qty, PX));
            assert_refused(&above, Control::MaxOrderQty, (level, scope), (501, 500));
        }
        // The most specific level that is passed is named; the strictest refuses.
        let limits = Limits::wide()
            .set("instrument.I", "max_order_qty", "700")
            .set("account.A", "max_order_qty", "600")
            .set("strategy.s", "max_order_qty", "500");
        for (qty, level, limit) in
            [(501, Level::Strategy, 500), (601, Level::Account, 600), (701, Level::Instrument, 700)]
        {
            let mut firm = Firm::new(&limits);
            let order = firm.buy(qty, PX);
            let outcome = send(path, &mut firm, order);
            assert_refused(&outcome, Control::MaxOrderQty, (level, 1), (qty, limit));
        }
    }
}

#[test]
pub(crate) fn lot_size() {
    let limits = Limits::wide().set("instrument.I", "lot", "100");
    for path in BOTH {
        for qty in [99, 101, 150, 199] {
            let mut firm = Firm::new(&limits);
            let order = firm.buy(qty, PX);
            let outcome = send(path, &mut firm, order);
            assert_refused(&outcome, Control::LotSize, (Level::Instrument, I), (qty, 100));
            // An odd lot that is meant to be one passes.
            let mut firm = Firm::new(&limits);
            let order = Order { flags: order_flag::ODD_LOT, ..firm.buy(qty, PX) };
            assert_accepted(&send(path, &mut firm, order));
        }
        for qty in [100, 200, 70_000] {
            let mut firm = Firm::new(&limits);
            let order = firm.buy(qty, PX);
            assert_accepted(&send(path, &mut firm, order));
        }
    }
}

#[test]
pub(crate) fn tick_size() {
    let (tick, step) = ("\"0.05\"", 50_000_000);
    let collar = "{ absolute = \"500\", reference = \"external\" }";
    let limits = Limits::wide()
        .set("instrument.I", "tick", tick)
        .set("instrument.I", "allow_nonpositive", "true")
        .set("instrument.I", "price_collar", collar);
    for path in BOTH {
        for px in [PX - 1, PX + 1, PX + step / 2, -UNIT + 1, -UNIT - 1, 1, -1] {
            let mut firm = Firm::new(&limits);
            let order = firm.buy(2, px);
            let outcome = send(path, &mut firm, order);
            assert_refused(&outcome, Control::TickSize, (Level::Instrument, I), (px, step));
        }
        for px in [PX, PX + step, PX - step, -UNIT, -step, 0] {
            let mut firm = Firm::new(&limits);
            let order = firm.buy(2, px);
            assert_accepted(&send(path, &mut firm, order));
        }
    }
}

#[test]
pub(crate) fn max_order_notional() {
    // 100.00 x 500 = 50,000; one unit above it is 50,100, and one tick above 50,005.
    let limit = 50_000 * MICROS;
    for path in BOTH {
        for (section, level, scope) in [
            ("instrument.I", Level::Instrument, I),
            ("account.A", Level::Account, A),
            ("strategy.s", Level::Strategy, S),
        ] {
            let limits = Limits::wide().set(section, "max_order_notional", "\"50000\"");
            let above = around(&limits, path, 500, |firm, qty| firm.buy(qty, PX));
            let seen = (50_100 * MICROS, limit);
            assert_refused(&above, Control::MaxOrderNotional, (level, scope), seen);
            let mut firm = Firm::new(&limits);
            let order = firm.sell(500, PX + UNIT / 100);
            let outcome = send(path, &mut firm, order);
            let seen = (50_005 * MICROS, limit);
            assert_refused(&outcome, Control::MaxOrderNotional, (level, scope), seen);
        }
        // Multiplier, currency and decimals of the quantity all enter: 100 x 0.2 x 50 x 1.25 =
        // 1,250, and the smallest quantity more is 6.25 more.
        let limits = Limits::wide()
            .set("fx", "EUR", "\"1.25\"")
            .set("instrument.I", "currency", "\"EUR\"")
            .set("instrument.I", "multiplier", "50")
            .set("instrument.I", "qty_decimals", "3")
            .set("account.A", "max_order_notional", "\"1250\"");
        let above = around(&limits, path, 200, |firm, qty| firm.buy(qty, PX));
        let seen = (1_256_250_000, 1_250 * MICROS);
        assert_refused(&above, Control::MaxOrderNotional, (Level::Account, A), seen);
        // Fractions of a micro round up: never counted as less than they are.
        let limits = Limits::wide().set("instrument.I", "qty_decimals", "9").set(
            "instrument.I",
            "max_order_notional",
            "\"0.000001\"",
        );
        let above = around(&limits, path, 10, |firm, qty| firm.buy(qty, PX));
        let place = (Level::Instrument, I);
        assert_refused(&above, Control::MaxOrderNotional, place, (2, 1));
    }
    // A rate and a quantity so fine that their fraction does not reduce to 64 bits: one whole unit
    // is 107.9999999, which counts as 108.000000.
    for (limit, fits) in [("108", true), ("107.999999", false)] {
        let limits = Limits::wide()
            .set("fx", "EUR", "\"1.079999999\"")
            .set("instrument.I", "currency", "\"EUR\"")
            .set("instrument.I", "qty_decimals", "9")
            .set("account.A", "max_order_qty", "\"none\"")
            .set("account.A", "max_position", "\"none\"")
            .set("account.A", "max_order_notional", &format!("\"{limit}\""));
        let mut firm = Firm::new(&limits);
        let order = firm.buy(UNIT, PX);
        let outcome = firm.decide(&order);
        if fits {
            assert_accepted(&outcome);
        } else {
            let seen = (108_000_000, 107_999_999);
            assert_refused(&outcome, Control::MaxOrderNotional, (Level::Account, A), seen);
        }
    }
}

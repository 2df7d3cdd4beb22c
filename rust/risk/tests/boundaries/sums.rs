//! Controls on sums and counts: bits 31, 33, 36 to 41 and 48.

use cwts_types::{Control, Level, Order, exec_type};

use crate::common::*;
use crate::{BOTH, Path, around, send};

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;
/// Notional of one unit at the test price.
const ONE: i64 = 100 * MICROS;

const NODES: [(&str, Level, u32); 4] = [
    ("account.A", Level::Account, A),
    ("customer.c", Level::Customer, 1),
    ("desk.d", Level::Desk, 1),
    ("firm", Level::Firm, 0),
];
const STRATEGY: (&str, Level, u32) = ("strategy.s", Level::Strategy, S);

fn with_strategy() -> impl Iterator<Item = (&'static str, Level, u32)> {
    NODES.into_iter().chain([STRATEGY])
}

/// Under `limits` a reducing order passes where a growing one of the same size does not.
#[track_caller]
fn reducing_is_exempt(limits: &Limits, control: Control) {
    let mut firm = Firm::new(&Limits::wide());
    firm.hold_position(500);
    firm.activate(limits);
    let exit = firm.sell(500, PX);
    assert_accepted(&firm.engine.check(&exit));
    let more = firm.buy(500, PX);
    assert_eq!(names(&firm.decide(&more)), [control.name()]);
}

#[test]
pub(crate) fn window_notional() {
    let rule = "{ max = \"10000\", window = \"1s\" }";
    for (section, level, scope) in with_strategy() {
        let limits = Limits::wide().set(section, "window_notional", rule);
        for path in BOTH {
            let above = around(&limits, path, 100, |firm, qty| firm.buy(qty, PX));
            let seen = (101 * ONE, 100 * ONE);
            assert_refused(&above, Control::WindowNotional, (level, scope), seen);
        }
        let mut firm = Firm::new(&limits);
        let order = firm.buy(60, PX);
        let id = firm.accept(order);
        // Ended or not, it was accepted; what is refused does not count.
        firm.report(id, exec_type::CANCELED);
        for at in [0, SECOND - 1] {
            firm.ts = START + at;
            let order = firm.buy(41, PX);
            let seen = (101 * ONE, 100 * ONE);
            let outcome = firm.decide(&order);
            assert_refused(&outcome, Control::WindowNotional, (level, scope), seen);
        }
        let order = firm.buy(40, PX);
        firm.accept(order);
        // A window later the first is out of it, the second not yet.
        firm.ts = START + SECOND;
        let order = firm.buy(61, PX);
        let outcome = firm.decide(&order);
        assert_refused(&outcome, Control::WindowNotional, (level, scope), (101 * ONE, 100 * ONE));
        let order = firm.buy(60, PX);
        firm.accept(order);
        reducing_is_exempt(&limits, Control::WindowNotional);
    }
}

/// The bound on what a window remembers: beyond it nobody could say, so it is refused.
#[test]
pub(crate) fn a_window_of_notional_remembers_so_many() {
    let rule = "{ max = \"1000000000\", window = \"1s\" }";
    let limits = Limits::wide().set("strategy.s", "window_notional", rule).set(
        "account.A",
        "message_rate",
        "\"none\"",
    );
    let mut firm = Firm::new(&limits);
    for _ in 0..65_535 {
        let order = firm.buy(1, UNIT / 100 * 2_000);
        let id = firm.accept(order);
        firm.engine.deny_release(id);
    }
    let order = firm.buy(1, PX);
    let outcome = firm.decide(&order);
    let seen = (i64::MAX, 1_000_000_000 * MICROS);
    assert_refused(&outcome, Control::WindowNotional, STRATEGY_PLACE, seen);
    firm.ts = START + SECOND;
    let order = firm.buy(1, PX);
    assert_accepted(&firm.decide(&order));
}

const STRATEGY_PLACE: (Level, u32) = (Level::Strategy, S);

#[test]
pub(crate) fn max_open_orders() {
    for (section, level, scope) in with_strategy() {
        let limits = Limits::wide().set(section, "max_open_orders", "3");
        let mut firm = Firm::new(&limits);
        let ids: Vec<u64> = (0..3)
            .map(|_| {
                let order = firm.buy(2, PX);
                firm.accept(order)
            })
            .collect();
        let order = firm.buy(2, PX);
        let outcome = firm.decide(&order);
        assert_refused(&outcome, Control::MaxOpenOrders, (level, scope), (4, 3));
        // A replace makes no order more.
        let replace = firm.replacing(ids[0], order);
        assert_accepted(&firm.decide(&replace));
        for (i, end) in [exec_type::CANCELED, exec_type::EXPIRED].into_iter().enumerate() {
            firm.report(ids[i], end);
            let order = firm.buy(2, PX);
            assert_accepted(&firm.decide(&order));
        }
        firm.fill(ids[2], 2, PX);
        let order = firm.buy(2, PX);
        assert_accepted(&firm.decide(&order));
        reducing_is_exempt(&Limits::wide().set(section, "max_open_orders", "0"), MAX_OPEN);
    }
}

const MAX_OPEN: Control = Control::MaxOpenOrders;

#[test]
pub(crate) fn net_exposure() {
    for (section, level, scope) in NODES {
        let limits = Limits::wide().set(section, "net_exposure", "\"10000\"");
        let control = Control::NetExposure;
        for path in BOTH {
            for side in [1, 2] {
                let above = around(&limits, path, 100, |firm, qty| firm.order(side, qty, PX));
                assert_refused(&above, control, (level, scope), (101 * ONE, 100 * ONE));
            }
        }
        // Working sells do not make room for buys, but positions net, over instruments too.
        let mut firm = Firm::new(&limits);
        let sell = firm.sell(90, PX);
        let sell = firm.accept(sell);
        let buy = firm.buy(101, PX);
        let outcome = firm.engine.check(&buy);
        assert_refused(&outcome, control, (level, scope), (101 * ONE, 100 * ONE));
        firm.fill(sell, 90, PX);
        let other = Order { instrument: J, ..firm.buy(190, PX) };
        assert_accepted(&firm.engine.check(&other));
        let over = Order { qty: 191, ..other };
        let outcome = firm.engine.check(&over);
        assert_refused(&outcome, control, (level, scope), (101 * ONE, 100 * ONE));
        let more = firm.sell(11, PX);
        let outcome = firm.decide(&more);
        assert_refused(&outcome, control, (level, scope), (101 * ONE, 100 * ONE));
        reducing_is_exempt(&limits, control);
    }
}

#[test]
pub(crate) fn concentration() {
    for (section, level, scope) in NODES {
        let credit = if section == "firm" { "\"40000\"" } else { "\"20000\"" };
        let share = if section == "firm" { "\"25%\"" } else { "\"50%\"" };
        let limits =
            Limits::wide().set(section, "credit", credit).set(section, "concentration", share);
        let control = Control::Concentration;
        for path in BOTH {
            let above = around(&limits, path, 100, |firm, qty| firm.buy(qty, PX));
            assert_refused(&above, control, (level, scope), (101 * ONE, 100 * ONE));
        }
        // Held and working, both sides, one instrument: another one has its own part.
        let mut firm = Firm::new(&limits);
        firm.hold_position(30);
        let buy = firm.buy(40, PX);
        firm.accept(buy);
        let sell = firm.sell(20, PX);
        firm.accept(sell);
        let over = firm.buy(11, PX);
        let outcome = firm.engine.check(&over);
        assert_refused(&outcome, control, (level, scope), (101 * ONE, 100 * ONE));
        let at = firm.buy(10, PX);
        assert_accepted(&firm.engine.check(&at));
        let other = Order { instrument: J, ..firm.buy(90, PX) };
        assert_accepted(&firm.decide(&other));
    }
    // A part of no limit is none.
    let limits = Limits::wide().set("account.A", "credit", "\"none\"").set(
        "account.A",
        "concentration",
        "\"0.01%\"",
    );
    let mut firm = Firm::new(&limits);
    let order = firm.buy(5_000, PX);
    assert_accepted(&firm.decide(&order));
}

#[test]
pub(crate) fn daily_notional() {
    for (section, level, scope) in NODES {
        let limits = Limits::wide().set(section, "daily_notional", "\"10000\"");
        let control = Control::DailyNotional;
        for path in BOTH {
            let above = around(&limits, path, 100, |firm, qty| firm.buy(qty, PX));
            assert_refused(&above, control, (level, scope), (101 * ONE, 100 * ONE));
        }
        // What was filled stays used, whether bought or sold again; a cancel gives back its rest.
        let mut firm = Firm::new(&limits);
        let buy = firm.buy(40, PX);
        let buy = firm.accept(buy);
        firm.fill(buy, 30, PX);
        firm.report(buy, exec_type::CANCELED);
        let sell = firm.sell(30, PX);
        let sell = firm.accept(sell);
        firm.fill(sell, 30, PX);
        let over = firm.buy(41, PX);
        let outcome = firm.decide(&over);
        assert_refused(&outcome, control, (level, scope), (101 * ONE, 100 * ONE));
        let at = firm.buy(40, PX);
        assert_accepted(&firm.engine.check(&at));
        firm.ts = DAY;
        let next = Order { qty: 100, ts: DAY, ..at };
        assert_accepted(&firm.decide(&next));
        reducing_is_exempt(&limits, control);
    }
}

#[test]
pub(crate) fn daily_qty() {
    let place = (Level::AccountInstrument, A);
    let control = Control::DailyQty;
    let own = "{ daily_qty = 100 }";
    for limits in [
        Limits::wide().set("account.A", "daily_qty", "100"),
        Limits::wide().set("account.A", "daily_qty", "7").set("account.A.instrument", "I", own),
    ] {
        for path in BOTH {
            let above = around(&limits, path, 100, |firm, qty| firm.buy(qty, PX));
            assert_refused(&above, control, place, (101, 100));
        }
        let mut firm = Firm::new(&limits);
        let buy = firm.buy(40, PX);
        let buy = firm.accept(buy);
        firm.fill(buy, 30, PX);
        firm.report(buy, exec_type::CANCELED);
        let sell = firm.sell(20, 150 * UNIT);
        firm.accept(sell);
        let over = firm.buy(51, PX);
        assert_refused(&firm.decide(&over), control, place, (101, 100));
        let at = firm.buy(50, PX);
        assert_accepted(&firm.engine.check(&at));
        // A new day forgets what was filled, not what works.
        firm.ts = DAY;
        let next = Order { qty: 81, ts: DAY, ..at };
        assert_refused(&firm.decide(&next), control, place, (101, 100));
        let next = Order { qty: 80, ..next };
        assert_accepted(&firm.decide(&next));
    }
}

#[test]
pub(crate) fn daily_orders() {
    for (section, level, scope) in [NODES[0], STRATEGY] {
        let limits = Limits::wide().set(section, "daily_orders", "2");
        let mut firm = Firm::new(&limits);
        let first = firm.buy(2, PX);
        let id = firm.accept(first);
        let second = firm.buy(2, PX);
        let second = firm.accept(second);
        firm.report(second, exec_type::CANCELED);
        let third = firm.buy(2, PX);
        let outcome = firm.decide(&third);
        assert_refused(&outcome, Control::DailyOrders, (level, scope), (3, 2));
        let replace = firm.replacing(id, third);
        assert_accepted(&firm.decide(&replace));
        firm.ts = DAY;
        let next = Order { ts: DAY, order_id: 77, ..third };
        // A check sees the new day too, though no input has begun it; any time may be asked for.
        assert_accepted(&firm.engine.check(&next));
        assert_accepted(&firm.engine.check(&Order { ts: u64::MAX, ..next }));
        assert!(!firm.engine.check(&Order { ts: DAY - 1, ..next }).decision.is_accepted());
        assert_accepted(&firm.decide(&next));
        reducing_is_exempt(&Limits::wide().set(section, "daily_orders", "0"), DAILY);
    }
}

const DAILY: Control = Control::DailyOrders;

#[test]
pub(crate) fn buying_power() {
    let place = (Level::Account, A);
    let control = Control::BuyingPower;
    let limits = Limits::wide().set("account.A", "cash", "\"5000\"").set(
        "instrument.I",
        "margin",
        "\"50%\"",
    );
    for path in BOTH {
        let above = around(&limits, path, 100, |firm, qty| firm.buy(qty, PX));
        assert_refused(&above, control, place, (5_050 * MICROS, 5_000 * MICROS));
    }
    // Held and working count, each instrument at its own rate: 100 % where nothing is said.
    let mut firm = Firm::new(&limits);
    firm.hold_position(20);
    let working = firm.buy(20, PX);
    firm.accept(working);
    let other = Order { instrument: J, ..firm.buy(31, PX) };
    let seen = (5_100 * MICROS, 5_000 * MICROS);
    assert_refused(&firm.engine.check(&other), control, place, seen);
    let other = Order { qty: 30, ..other };
    firm.accept(other);
    let one = firm.buy(1, PX);
    let seen = (5_050 * MICROS, 5_000 * MICROS);
    assert_refused(&firm.engine.check(&one), control, place, seen);
    let exit = firm.sell(20, PX);
    assert_accepted(&firm.engine.check(&exit));
    // A rate that moves counts for all that is there.
    firm.activate(&limits.clone().set("instrument.I", "margin", "\"10%\""));
    let more = firm.buy(160, PX);
    assert_accepted(&firm.engine.check(&more));
    let more = firm.buy(161, PX);
    let seen = (5_010 * MICROS, 5_000 * MICROS);
    assert_refused(&firm.decide(&more), control, place, seen);
    // Where cash is the rule, an account without any has none.
    let limits = Limits::wide().set("firm", "buying_power", "true");
    let mut firm = Firm::new(&limits);
    let one = firm.buy(1, PX);
    assert_refused(&firm.decide(&one), control, place, (ONE, 0));
}

#[test]
pub(crate) fn slow_down() {
    let rule = "{ slow = 90, slow_delay = \"100ms\" }";
    let delay = 100_000_000;
    for (key, used) in [("credit", 90), ("max_open_notional", 90), ("daily_notional", 90)] {
        for (section, level, scope) in NODES {
            for path in [Path::New, Path::Replace] {
                let limits = Limits::wide().set(section, key, "\"10000\"");
                let limits = limits.set("control", "staged", rule);
                let mut firm = Firm::new(&limits);
                let first = firm.buy(used - 1, PX);
                let first = firm.accept(first);
                // At 89 % nobody is slowed; that order itself brings it to 90.
                let one = firm.buy(1, PX);
                let one = firm.accept(one);
                let make = |firm: &mut Firm| {
                    let order = firm.buy(1, PX / 2);
                    if path == Path::New { order } else { firm.replacing(one, order) }
                };
                for (at, passes) in [(0, false), (delay - 1, false), (delay, true)] {
                    firm.ts = START + at;
                    let order = make(&mut firm);
                    let outcome = firm.engine.check(&order);
                    if passes {
                        assert_accepted(&outcome);
                    } else {
                        let seen = (at as i64, delay as i64);
                        assert_refused(&outcome, Control::SlowDown, (level, scope), seen);
                    }
                }
                // Less used, no distance.
                firm.ts = START;
                firm.report(first, exec_type::CANCELED);
                let order = make(&mut firm);
                assert_accepted(&send(Path::New, &mut firm, order));
            }
        }
    }
}

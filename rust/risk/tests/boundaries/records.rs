//! Controls on the record and its names: bits 0, 1, 2, 20 and 25.

use cwts_types::{Control, Level, Order, Verdict, order_flag};

use crate::common::*;
use crate::{BOTH, Path, seed, send};

#[test]
pub(crate) fn limit_not_set() {
    // Mandatory keys: where, the key, the mask bit that names it, the level.
    let rows = [
        ("account.A", "max_order_qty", 1, Level::Account, A),
        ("account.A", "max_order_notional", 2, Level::Account, A),
        ("account.A", "credit", 4, Level::Account, A),
        ("account.A", "message_rate", 8, Level::Account, A),
        ("instrument.I", "tick", 16, Level::Instrument, I),
        ("instrument.I", "lot", 32, Level::Instrument, I),
        ("instrument.I", "price_collar", 64, Level::Instrument, I),
        ("account.A", "max_position", 128, Level::AccountInstrument, A),
        ("customer.c", "credit", 256, Level::Customer, 1),
        ("firm", "credit", 512, Level::Firm, 0),
    ];
    for (section, key, mask, level, scope) in rows {
        let mut firm = Firm::new(&Limits::wide().unset(section, key));
        let order = firm.buy(1, PX);
        let outcome = firm.decide(&order);
        assert_refused(&outcome, Control::LimitNotSet, (level, scope), (mask, 0));
        assert_eq!(cwts_risk::missing_keys(mask as u32), [key]);
        // A replace of an order that was accepted while the limit was there.
        let mut firm = Firm::new(&Limits::wide());
        let order = firm.buy(2, PX);
        let target = seed(&mut firm, order);
        let fewer = Limits::wide().unset(section, key);
        firm.engine.activate(2, fewer.text().as_bytes()).unwrap();
        let replace = firm.replacing(target, order);
        let outcome = firm.decide(&replace);
        assert_refused(&outcome, Control::LimitNotSet, (level, scope), (mask, 0));
        assert_eq!(outcome.decision.limits_version, 2);
    }
}

#[test]
pub(crate) fn limit_not_set_levels() {
    for path in BOTH {
        // Unlimited must be written out, and then it is a limit.
        let mut limits = Limits::wide();
        for (section, key) in [
            ("account.A", "max_order_qty"),
            ("account.A", "max_order_notional"),
            ("account.A", "credit"),
            ("account.A", "message_rate"),
            ("account.A", "max_position"),
            ("customer.c", "credit"),
            ("firm", "credit"),
        ] {
            limits = limits.set(section, key, "\"none\"");
        }
        let mut firm = Firm::new(&limits);
        let order = firm.buy(5, PX);
        assert_accepted(&send(path, &mut firm, order));
        // A desk's credit is not mandatory.
        let mut firm = Firm::new(&Limits::wide().unset("desk.d", "credit"));
        let order = firm.buy(5, PX);
        assert_accepted(&send(path, &mut firm, order));
    }
    // Without any limits every mandatory one is missing.
    let mut firm = Firm::without_reference(&Limits::empty());
    let order = firm.buy(1, PX);
    let outcome = firm.decide(&order);
    assert_refused(&outcome, Control::LimitNotSet, (Level::Account, A), (1023, 0));
}

#[test]
pub(crate) fn unknown_handle() {
    let change = |order: Order, field: usize, handle: u32| match field {
        0 => Order { account: handle, ..order },
        1 => Order { instrument: handle, ..order },
        _ => Order { strategy: handle, ..order },
    };
    for (field, bit, last) in [(0, 1, D), (1, 2, J), (2, 4, T)] {
        for path in BOTH {
            for (handle, known) in [(0, false), (1, true), (last, true), (last + 1, false)] {
                let mut firm = Firm::new(&Limits::wide());
                let order = firm.buy(2, PX);
                if known && path == Path::New {
                    assert_accepted(&firm.decide(&change(order, field, handle)));
                } else if !known {
                    let target = seed(&mut firm, order);
                    let order = match path {
                        Path::New => order,
                        Path::Replace => firm.replacing(target, order),
                    };
                    let outcome = firm.decide(&change(order, field, handle));
                    let place = (Level::Order, 0);
                    assert_refused(&outcome, Control::UnknownHandle, place, (bit, 0));
                }
            }
        }
    }
    let mut firm = Firm::new(&Limits::wide());
    let order = firm.buy(2, PX);
    let nobody = Order { account: 9, instrument: u32::MAX, strategy: 0, ..order };
    let outcome = firm.decide(&nobody);
    assert_refused(&outcome, Control::UnknownHandle, (Level::Order, 0), (7, 0));
    // What needs no name is judged all the same.
    let lost = Order { kind: 2, ref_id: 99, qty: 0, ..nobody };
    let wanted = [Control::UnknownHandle, Control::Malformed, Control::UnknownOrder];
    assert_eq!(firm.decide(&lost).decision.reasons, set(&wanted));
}

#[test]
pub(crate) fn malformed() {
    let mut firm = Firm::new(&Limits::wide());
    let good = firm.buy(1, PX);
    assert_accepted(&firm.engine.check(&good));
    let priced = |type_tif, px| Order { type_tif, px, ..good };
    for fine in [
        priced(1, 0),
        priced(3, 0),
        priced(5, 0),
        priced(5, PX),
        priced(4, PX),
        priced(0x92, PX),
        Order { flags: 62, ..good },
        Order { side: 2, ..good },
        Order { side: 5, ..good },
        Order { side: 6, ..good },
    ] {
        assert_accepted(&firm.engine.check(&fine));
    }
    for bad in [
        Order { qty: 0, ..good },
        Order { qty: -1, ..good },
        Order { qty: i64::MIN, ..good },
        Order { flags: 64, ..good },
        Order { flags: 128, ..good },
        Order { kind: 0, ..good },
        Order { kind: 5, ..good },
        Order { kind: 255, ..good },
        Order { side: 0, ..good },
        Order { side: 3, ..good },
        Order { side: 4, ..good },
        Order { side: 7, ..good },
        Order { ref_id: 1, ..good },
        priced(0, PX),
        priced(6, PX),
        priced(0xa2, PX),
        priced(2, 0),
        priced(2, -1),
        priced(2, i64::MIN),
        priced(1, PX),
        priced(3, PX),
        priced(4, 0),
        priced(5, -1),
    ] {
        let outcome = firm.decide(&bad);
        assert_refused(&outcome, Control::Malformed, (Level::Order, 0), (0, 0));
    }
    // Prices of zero and below are real where the file says so.
    let collar = "{ absolute = \"500\", reference = \"external\" }";
    let limits = Limits::wide().set("instrument.I", "allow_nonpositive", "true").set(
        "instrument.I",
        "price_collar",
        collar,
    );
    let mut firm = Firm::new(&limits);
    for px in [0, -UNIT] {
        for type_tif in [2, 4, 5] {
            let order = Order { order_id: firm.id(), ..priced(type_tif, px) };
            assert_accepted(&firm.decide(&order));
        }
    }
    let order = Order { order_id: firm.id(), ..priced(2, i64::MIN) };
    let outcome = firm.decide(&order);
    assert_refused(&outcome, Control::Malformed, (Level::Order, 0), (0, 0));
}

#[test]
pub(crate) fn malformed_replace() {
    let firm_with_fill = |filled| {
        let mut firm = Firm::new(&Limits::wide());
        let order = firm.buy(10, PX);
        let target = firm.accept(order);
        firm.fill(target, filled, PX);
        let replace = firm.replacing(target, order);
        (firm, replace)
    };
    // It asks for more than is filled, or it is no replace.
    for (qty, fine) in [(3, false), (4, false), (5, true)] {
        let (mut firm, replace) = firm_with_fill(4);
        let outcome = firm.decide(&Order { qty, ..replace });
        if fine {
            assert_accepted(&outcome);
        } else {
            assert_refused(&outcome, Control::Malformed, (Level::Order, 0), (0, 0));
        }
    }
    let (mut firm, replace) = firm_with_fill(0);
    for bad in [
        Order { account: B, ..replace },
        Order { instrument: J, ..replace },
        Order { strategy: T, ..replace },
        Order { side: 2, ..replace },
        Order { qty: 0, ..replace },
    ] {
        let outcome = firm.decide(&bad);
        assert_refused(&outcome, Control::Malformed, (Level::Order, 0), (0, 0));
    }
    // Both kinds of short sale are sales.
    let order = firm.sell(5, PX);
    let target = firm.accept(order);
    let replace = firm.replacing(target, Order { side: 5, flags: order_flag::ISO, ..order });
    assert_accepted(&firm.decide(&replace));
}

#[test]
pub(crate) fn restricted_instrument() {
    // Deny lists, and allow lists that lack it, of every level.
    let rows = [
        ("restricted", "", Level::Instrument, I),
        ("firm", "restricted", Level::Firm, 0),
        ("desk.d", "restricted", Level::Desk, 1),
        ("customer.c", "restricted", Level::Customer, 1),
        ("account.A", "restricted", Level::Account, A),
    ];
    for (section, key, level, scope) in rows {
        for (denies, list) in [
            (true, "{ deny = [\"J\", \"I\"] }"),
            (true, "{ allow = [\"J\"] }"),
            (true, "{ deny = [\"I\"], allow = [\"I\"] }"),
            (false, "{ deny = [\"J\"] }"),
            (false, "{ allow = [\"I\"] }"),
        ] {
            let limits = if key.is_empty() {
                let list = list.trim_matches(['{', '}', ' ']);
                list.split("], ").fold(Limits::wide(), |limits, part| {
                    let (key, value) = part.split_once(" = ").unwrap();
                    limits.set(section, key, &format!("{}]", value.trim_end_matches(']')))
                })
            } else {
                Limits::wide().set(section, key, list)
            };
            for path in BOTH {
                let mut firm = Firm::new(&Limits::wide());
                let order = firm.buy(2, PX);
                let order = match path {
                    Path::New => order,
                    Path::Replace => {
                        let target = seed(&mut firm, order);
                        firm.replacing(target, order)
                    }
                };
                firm.engine.activate(2, limits.text().as_bytes()).unwrap();
                let outcome = firm.decide(&order);
                if denies {
                    let control = Control::RestrictedInstrument;
                    assert_refused(&outcome, control, (level, scope), (0, 0));
                } else {
                    assert_accepted(&outcome);
                }
            }
        }
    }
}

#[test]
pub(crate) fn unknown_order() {
    let mut firm = Firm::new(&Limits::wide());
    let order = firm.buy(5, PX);
    let target = firm.accept(order);
    for (ref_id, known) in [(target - 1, false), (target, true), (target + 1, false)] {
        let replace = Order { ref_id, ..firm.replacing(target, order) };
        let outcome = firm.engine.check(&replace);
        if known {
            assert_accepted(&outcome);
        } else {
            let seen = (ref_id as i64, 0);
            assert_refused(&outcome, Control::UnknownOrder, (Level::Order, 0), seen);
        }
        // A cancel goes out whatever it names.
        let cancel = firm.cancel(ref_id);
        let outcome = firm.decide(&cancel);
        assert_eq!(outcome.decision.verdict, Verdict::CancelPassed as u8);
        let wanted: &[Control] = if known { &[] } else { &[Control::UnknownOrder] };
        assert_eq!(outcome.decision.reasons, set(wanted));
        assert_eq!(outcome.violations.len(), wanted.len());
    }
    assert_eq!(firm.engine.counters().unknown_orders, 2);
    // A chain of replaces names the last one, before and after it is confirmed.
    let replace = firm.replacing(target, order);
    let first = firm.accept(replace);
    let replace = firm.replacing(first, order);
    let second = firm.accept(replace);
    firm.report(second, cwts_types::exec_type::REPLACED);
    let replace = firm.replacing(second, order);
    firm.accept(replace);
    // An order that has ended is no target.
    firm.report(target, cwts_types::exec_type::CANCELED);
    let replace = firm.replacing(second, order);
    let outcome = firm.decide(&replace);
    let seen = (second as i64, 0);
    assert_refused(&outcome, Control::UnknownOrder, (Level::Order, 0), seen);
}

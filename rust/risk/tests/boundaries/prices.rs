//! Controls on the price against its reference: bits 10, 11 and 12.

use cwts_types::{Control, Level, Order};

use crate::common::*;
use crate::{BOTH, Path, seed, send};

const PLACE: (Level, u32) = (Level::Instrument, I);
const MARKET: u8 = 1;
const LIMIT: u8 = 2;
const STOP: u8 = 3;
const STOP_LIMIT: u8 = 4;
const PEGGED: u8 = 5;

fn collared(collar: &str) -> Limits {
    Limits::wide().set("instrument.I", "tick", "\"0.000000001\"").set(
        "instrument.I",
        "price_collar",
        collar,
    )
}

#[test]
pub(crate) fn price_collar() {
    // The band as numbers worked out by hand; reference, collar, lowest and highest price.
    let rows = [
        (PX, "{ bps = 100 }", 99 * UNIT, 101 * UNIT),
        (PX, "{ bps = 0 }", PX, PX),
        // 33 of 333 is 3.3 percent of 33 basis points: the band never grows by rounding.
        (333, "{ bps = 33 }", 332, 334),
        (PX, "{ ticks = 5 }", PX - 5, PX + 5),
        (PX, "{ absolute = \"0.5\" }", PX - UNIT / 2, PX + UNIT / 2),
        // The narrowest of the rules holds.
        (PX, "{ bps = 100, ticks = 7, absolute = \"0.5\" }", PX - 7, PX + 7),
        (PX, "{ bps = 10, absolute = \"0.5\" }", PX - UNIT / 10, PX + UNIT / 10),
    ];
    for (reference, collar, lo, hi) in rows {
        for path in BOTH {
            for side in [1, 2, 5, 6] {
                for type_tif in [LIMIT, STOP_LIMIT, PEGGED] {
                    for (px, limit) in [
                        (lo - 1, Some(lo)),
                        (lo, None),
                        (lo + 1, None),
                        (hi - 1, None),
                        (hi, None),
                        (hi + 1, Some(hi)),
                    ] {
                        if lo == hi && limit.is_none() && px != lo {
                            continue;
                        }
                        let mut firm = Firm::new(&collared("{ bps = 9_999 }"));
                        let order = Order { type_tif, ..firm.order(side, 2, px) };
                        let order = match path {
                            Path::New => order,
                            Path::Replace => {
                                let target = seed(&mut firm, order);
                                firm.replacing(target, order)
                            }
                        };
                        let text = collared(collar).text();
                        firm.engine.activate(2, text.as_bytes()).unwrap();
                        firm.engine.reference(I, reference, firm.ts);
                        let outcome = firm.decide(&order);
                        match limit {
                            None => assert_accepted(&outcome),
                            Some(limit) => {
                                assert_refused(&outcome, Control::PriceCollar, PLACE, (px, limit));
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Prints, prices from outside and middles stand side by side in a log; a collar takes its own.
#[test]
fn a_collar_listens_to_its_own_kind_of_reference() {
    use cwts_types::{Reference, reference_flag};
    let entry = |flags, px, bid, ask| Reference {
        instrument: I,
        flags,
        px,
        bid,
        ask,
        ..Reference::default()
    };
    let entries = [
        entry(reference_flag::LAST_TRADE, PX, 0, 0),
        entry(reference_flag::EXTERNAL, 2 * PX, 0, 0),
        entry(reference_flag::EXTERNAL, 3 * PX, 4 * PX, 6 * PX),
        entry(reference_flag::EXTERNAL | reference_flag::MID, 5 * PX, 4 * PX, 6 * PX),
        entry(reference_flag::MID, 5 * PX, 4 * PX, 6 * PX),
        entry(reference_flag::EXTERNAL | reference_flag::MID, 0, 6 * PX, 4 * PX),
    ];
    for (source, heard) in [
        ("last_trade", [Some(PX), Some(2 * PX), Some(3 * PX), None, None, None]),
        ("external", [None, Some(2 * PX), Some(3 * PX), None, None, None]),
        ("column", [None, Some(2 * PX), Some(3 * PX), None, None, None]),
        ("mid", [None, None, Some(5 * PX), Some(5 * PX), Some(5 * PX), None]),
    ] {
        let limits = collared(&format!("{{ ticks = 0, reference = \"{source}\" }}"));
        for (entry, px) in entries.iter().zip(heard) {
            let mut firm = Firm::without_reference(&limits);
            firm.engine.reference_entry(entry);
            let order = firm.buy(1, px.unwrap_or(PX));
            let outcome = firm.decide(&order);
            match px {
                Some(_) => assert_accepted(&outcome),
                None => assert_refused(&outcome, Control::ReferenceMissing, PLACE, (0, 0)),
            }
        }
    }
}

/// Type by sign: nothing with a price escapes the collar, and nothing without one is free.
#[test]
fn no_type_and_no_sign_escapes_the_collar() {
    let limits = collared("{ absolute = \"10\" }").set("instrument.I", "allow_nonpositive", "true");
    for reference in [50 * UNIT, 0, -50 * UNIT] {
        for type_tif in [LIMIT, STOP_LIMIT, PEGGED] {
            for px in [-70, -60, -50, -40, -30, -11, -10, 0, 10, 11, 30, 40, 50, 60, 70] {
                let px = px * UNIT;
                let mut firm = Firm::without_reference(&limits);
                firm.engine.reference(I, reference, firm.ts);
                let order = Order { type_tif, ..firm.buy(1, px) };
                let outside = (px - reference).abs() > 10 * UNIT;
                // A peg without a price floats: it is counted at the band's far end instead.
                let floats = type_tif == PEGGED && px == 0;
                let refused = !firm.decide(&order).decision.is_accepted();
                assert_eq!(refused, outside && !floats, "{reference} {type_tif} {px}");
            }
        }
    }
    // Orders without a price reserve the band's far end; stop limits the worse of both.
    let limits = collared("{ absolute = \"10\" }");
    for (type_tif, px, counted) in [
        (MARKET, 0, 110),
        (STOP, 0, 110),
        (PEGGED, 0, 110),
        (STOP_LIMIT, 95 * UNIT, 110),
        (PEGGED, 95 * UNIT, 95),
        (LIMIT, 95 * UNIT, 95),
    ] {
        let mut firm = Firm::new(&limits);
        let order = Order { type_tif, ..firm.buy(3, px) };
        firm.accept(order);
        assert_eq!(firm.used("firm", "credit"), 3 * counted * MICROS, "{type_tif} {px}");
    }
}

#[test]
pub(crate) fn reference_missing() {
    let deny = Limits::wide();
    let allow =
        Limits::wide().set("instrument.I", "price_collar", "{ bps = 100, on_missing = \"allow\" }");
    for (type_tif, px) in [(LIMIT, PX), (STOP_LIMIT, PX), (PEGGED, PX)] {
        let mut firm = Firm::without_reference(&deny);
        let order = Order { type_tif, ..firm.buy(1, px) };
        let outcome = firm.decide(&order);
        assert_refused(&outcome, Control::ReferenceMissing, PLACE, (0, 0));
        let mut firm = Firm::without_reference(&allow);
        let order = Order { type_tif, ..firm.buy(2, px) };
        assert_accepted(&send(Path::New, &mut firm, order));
        let mut firm = Firm::without_reference(&allow);
        let order = Order { type_tif, ..firm.buy(2, px) };
        assert_accepted(&send(Path::Replace, &mut firm, order));
    }
    // Nothing lifts it for orders without a price: there is nothing to count them at.
    for type_tif in [MARKET, STOP, PEGGED] {
        for limits in [&deny, &allow] {
            let mut firm = Firm::without_reference(limits);
            let order = Order { type_tif, ..firm.buy(1, 0) };
            let outcome = firm.decide(&order);
            assert_refused(&outcome, Control::ReferenceMissing, PLACE, (0, 0));
        }
        for path in BOTH {
            let mut firm = Firm::new(&deny);
            let order = Order { type_tif, ..firm.buy(2, 0) };
            assert_accepted(&send(path, &mut firm, order));
        }
    }
    let mut firm = Firm::without_reference(&allow);
    let order = firm.buy(2, PX);
    let target = seed(&mut firm, order);
    let replace = firm.replacing(target, Order { type_tif: MARKET, px: 0, ..order });
    let outcome = firm.decide(&replace);
    assert_refused(&outcome, Control::ReferenceMissing, PLACE, (0, 0));
    // A price of 0 in the record means "not known".
    let mut firm = Firm::without_reference(&deny);
    firm.engine.reference(I, 0, firm.ts);
    let order = firm.buy(1, PX);
    let outcome = firm.decide(&order);
    assert_refused(&outcome, Control::ReferenceMissing, PLACE, (0, 0));
    // So it neither makes a reference nor takes one away.
    let mut firm = Firm::new(&deny);
    firm.engine.reference(I, 0, firm.ts);
    let order = firm.buy(1, PX);
    assert_accepted(&firm.decide(&order));
    // Basis points of a negative price mean nothing, so that reference is none.
    let mut firm = Firm::without_reference(&deny);
    firm.engine.reference(I, -PX, firm.ts);
    let outcome = firm.decide(&order);
    assert_refused(&outcome, Control::ReferenceMissing, PLACE, (0, 0));
    // The other instrument's reference is no help.
    let mut firm = Firm::without_reference(&deny);
    firm.engine.reference(J, PX, firm.ts);
    let outcome = firm.decide(&order);
    assert_refused(&outcome, Control::ReferenceMissing, PLACE, (0, 0));
}

#[test]
pub(crate) fn reference_stale() {
    let limits =
        Limits::wide().set("instrument.I", "price_collar", "{ bps = 100, max_age = \"2s\" }");
    let age = 2_000_000_000;
    for path in BOTH {
        for (type_tif, px) in [(LIMIT, PX), (MARKET, 0), (STOP, 0), (PEGGED, 0), (STOP_LIMIT, PX)] {
            for (after, fresh) in [(age - 1, true), (age, true), (age + 1, false)] {
                // The seed is placed under a wide collar, and the reference is from `START`.
                let mut firm = Firm::new(&Limits::wide());
                let order = Order { type_tif, ..firm.buy(2, px) };
                let order = match path {
                    Path::New => order,
                    Path::Replace => {
                        let target = seed(&mut firm, order);
                        firm.replacing(target, order)
                    }
                };
                firm.engine.activate(2, limits.text().as_bytes()).unwrap();
                let outcome = firm.decide(&Order { ts: START + after, ..order });
                if fresh {
                    assert_accepted(&outcome);
                } else {
                    let seen = (after as i64, age as i64);
                    assert_refused(&outcome, Control::ReferenceStale, PLACE, seen);
                }
            }
        }
    }
    // A new reference makes it fresh again, and it is time that counts, not orders.
    let mut firm = Firm::new(&limits);
    firm.ts = START + 10 * age;
    firm.engine.reference(I, PX, firm.ts);
    let order = firm.buy(1, PX);
    firm.accept(order);
}

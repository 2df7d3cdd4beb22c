//! Controls of an instrument and its venue: bits 5, 9, 13 to 19, 23 and 49.

use cwts_types::{Control, Exec, Level, Order, Phase, SessionKind, exec_type, reference_flag};

use crate::common::*;
use crate::{BOTH, send};

const HERE: (Level, u32) = (Level::Instrument, I);
const SECOND: u64 = 1_000_000_000;

/// Below, at: one below the limit is refused, at the limit it passes.
fn at_least(limits: &Limits, control: Control, low: i64, limit: i64, scale: i64) {
    for path in BOTH {
        for (qty, passes) in [(low - 1, false), (low, true), (low + 1, true)] {
            let mut firm = Firm::new(&Limits::wide());
            // A replace's first order is smaller than the limit, so it comes before it.
            let order = firm.buy(qty, PX);
            let outcome = if path == crate::Path::New {
                firm.activate(limits);
                firm.decide(&order)
            } else {
                let seed = crate::seed(&mut firm, order);
                firm.activate(limits);
                let order = firm.replacing(seed, order);
                firm.decide(&order)
            };
            if passes {
                assert_accepted(&outcome);
            } else {
                assert_refused(&outcome, control, HERE, (qty * scale, limit));
            }
        }
    }
    // What reduces may be as small as it must be.
    let mut firm = Firm::new(&Limits::wide());
    firm.hold_position(low);
    firm.activate(limits);
    let order = firm.sell(1, PX);
    assert_accepted(&firm.decide(&order));
}

#[test]
pub(crate) fn min_order_qty() {
    let limits = Limits::wide().set("instrument.I", "min_order_qty", "10");
    at_least(&limits, Control::MinOrderQty, 10, 10, 1);
}

#[test]
pub(crate) fn min_order_notional() {
    let limits = Limits::wide().set("instrument.I", "min_order_notional", "\"1000\"");
    at_least(&limits, Control::MinOrderNotional, 10, 1_000 * MICROS, 100 * MICROS);
}

#[test]
pub(crate) fn price_move() {
    let limits = Limits::wide()
        .set("group.g", "price_move", "{ bps = 100, period = \"16s\" }")
        .set("instrument.I", "group", "\"g\"");
    for path in BOTH {
        for side in [1, 2] {
            let mut firm = Firm::new(&limits);
            // The reference walks away; a period later the first one still bounds the price.
            for (after, px) in [(1, 101 * UNIT), (15, 104 * UNIT)] {
                firm.ts = START + after * SECOND;
                firm.engine.reference(I, px, firm.ts);
            }
            for (after, px, edge) in [
                (15, 101 * UNIT, None),
                (15, 101 * UNIT + UNIT / 100, Some(101 * UNIT)),
                (16, 99 * UNIT, None),
                (16, 99 * UNIT - UNIT / 100, Some(99 * UNIT)),
                // From the next sixteenth on it is the second one: 101, so 99.99 to 102.01.
                (17, 102_010_000_000, None),
                (17, 102_020_000_000, Some(102_010_000_000)),
                (30, 99_990_000_000, None),
                (30, 99_980_000_000, Some(99_990_000_000)),
                // And then the third: 104, so 102.96 to 105.04.
                (31, 102_960_000_000, None),
                (31, 102_950_000_000, Some(102_960_000_000)),
            ] {
                let mut firm = firm.clone();
                firm.ts = START + after * SECOND;
                let order = firm.order(side, 2, px);
                // A replace's first order stands far below: it comes from before the rule.
                let outcome = if path == crate::Path::New {
                    firm.decide(&order)
                } else {
                    let near = Order { order_id: firm.id(), qty: 1, px: 101 * UNIT, ..order };
                    if firm.decide(&near).decision.first != 255 {
                        continue;
                    }
                    let replace = firm.replacing(near.order_id, order);
                    firm.decide(&replace)
                };
                match edge {
                    None => assert_accepted(&outcome),
                    Some(edge) => assert_refused(&outcome, Control::PriceMove, HERE, (px, edge)),
                }
            }
        }
    }
    let mut firm = Firm::new(&limits);
    firm.engine.reference(I, 200 * UNIT, START + 40 * SECOND);
    firm.ts = START + 40 * SECOND;
    let market = Order { type_tif: 1, px: 0, ..firm.buy(2, PX) };
    assert_accepted(&firm.decide(&market));
    // The price of a period ago moves with time alone: a yes now is none for later.
    let mut firm = Firm::new(&limits);
    let now = firm.buy(2, PX);
    assert_accepted(&firm.engine.check(&now));
    assert!(!firm.engine.admits_from_now_on(&now));
    assert!(firm.engine.admits_from_now_on(&Order { instrument: J, ..now }));
}

#[test]
pub(crate) fn luld_band() {
    for path in BOTH {
        let mut firm = Firm::new(&Limits::wide());
        firm.market(|m| (m.luld_lo, m.luld_hi) = (40 * UNIT, 105 * UNIT));
        for (side, px, edge) in [
            (1, 105 * UNIT, None),
            (1, 105 * UNIT + UNIT / 100, Some(105 * UNIT)),
            (1, 41 * UNIT, None),
            (2, 40 * UNIT, None),
            (2, 40 * UNIT - UNIT / 100, Some(40 * UNIT)),
            (2, 150 * UNIT, None),
        ] {
            let mut firm = firm.clone();
            let order = firm.order(side, 2, px);
            let outcome = send(path, &mut firm, order);
            match edge {
                None => assert_accepted(&outcome),
                Some(edge) => assert_refused(&outcome, Control::LuldBand, HERE, (px, edge)),
            }
        }
        // A price alone leaves the band; the flag takes it away.
        firm.market(|m| m.px = PX);
        let above = firm.buy(2, 106 * UNIT);
        assert!(!firm.engine.check(&above).decision.is_accepted());
        firm.market(|m| m.flags |= reference_flag::NO_BAND);
        assert_accepted(&firm.decide(&above));
    }
}

#[test]
pub(crate) fn instrument_halted() {
    let seen = (Phase::Halted as i64, 0);
    for path in BOTH {
        let mut firm = Firm::new(&Limits::wide());
        let order = firm.buy(2, PX);
        let first = crate::seed(&mut firm, order);
        firm.phase(SessionKind::Instrument, Phase::Halted);
        let order = if path == crate::Path::New { order } else { firm.replacing(first, order) };
        assert_refused(&firm.decide(&order), Control::InstrumentHalted, HERE, seen);
        let cancel = firm.cancel(first);
        assert!(firm.decide(&cancel).decision.is_accepted());
        let other = Order { instrument: J, ..firm.buy(2, PX) };
        assert_accepted(&firm.decide(&other));
        firm.phase(SessionKind::Instrument, Phase::Trading);
        assert_accepted(&firm.decide(&order));
    }
    let mut firm = Firm::new(&Limits::wide().set("instrument.I", "on_halt", "\"allow\""));
    firm.phase(SessionKind::Instrument, Phase::Halted);
    let order = firm.buy(2, PX);
    assert_accepted(&firm.decide(&order));
}

#[test]
pub(crate) fn market_wide_halt() {
    for path in BOTH {
        let mut firm = Firm::new(&Limits::wide());
        let order = firm.buy(2, PX);
        let first = crate::seed(&mut firm, order);
        firm.phase(SessionKind::Venue, Phase::Halted);
        let order = if path == crate::Path::New { order } else { firm.replacing(first, order) };
        let seen = (Phase::Halted as i64, 0);
        assert_refused(&firm.decide(&order), Control::MarketWideHalt, (Level::Venue, V), seen);
        firm.phase(SessionKind::Venue, Phase::Trading);
        assert_accepted(&firm.decide(&order));
    }
}

#[test]
pub(crate) fn session_closed() {
    let kinds = [(SessionKind::Instrument, HERE), (SessionKind::Venue, (Level::Venue, V))];
    for path in BOTH {
        for (kind, place) in kinds {
            let mut firm = Firm::new(&Limits::wide());
            let order = firm.buy(2, PX);
            let first = crate::seed(&mut firm, order);
            let order = if path == crate::Path::New { order } else { firm.replacing(first, order) };
            firm.phase(kind, Phase::Closed);
            let seen = (Phase::Closed as i64, i64::from(!(1u32 << Phase::Closed as u32)));
            assert_refused(&firm.decide(&order), Control::SessionClosed, place, seen);
            // By default everything but closed; a list names what passes.
            for phase in [Phase::Quoting, Phase::PreOpen, Phase::Opening, Phase::Post] {
                firm.phase(kind, phase);
                assert_accepted(&firm.engine.check(&order));
            }
            let list = "[\"trading\", \"closing\"]";
            firm.activate(&Limits::wide().set("instrument.I", "phases", list));
            firm.phase(kind, Phase::Opening);
            let mask = 1 << Phase::Trading as i64 | 1 << Phase::Closing as i64;
            let seen = (Phase::Opening as i64, mask);
            assert_refused(&firm.decide(&order), Control::SessionClosed, place, seen);
            firm.phase(kind, Phase::Closing);
            assert_accepted(&firm.decide(&order));
        }
    }
    // The session that a strategy sends over.
    let limits = Limits::wide().set("session.X", "message_rate", "\"none\"").set(
        "strategy.s",
        "session",
        "\"X\"",
    );
    let mut firm = Firm::new(&limits);
    let order = firm.buy(2, PX);
    firm.phase(SessionKind::Session, Phase::Closed);
    assert_refused(&firm.decide(&order), Control::SessionClosed, (Level::Strategy, S), (0, 0));
    let other = Order { strategy: T, ..firm.buy(2, PX) };
    assert_accepted(&firm.decide(&other));
    firm.phase(SessionKind::Session, Phase::Trading);
    assert_accepted(&firm.decide(&order));
}

#[test]
pub(crate) fn auction_rule() {
    let rule = "{ max_order_qty = 10, max_order_notional = \"1200\", market = false, \
                collar_bps = 2000 }";
    let limits = Limits::wide().set("instrument.I", "auction", rule);
    let ways: [fn(&mut Firm, Order) -> Order; 6] = [
        |firm, order| {
            firm.phase(SessionKind::Venue, Phase::Opening);
            order
        },
        |firm, order| {
            firm.phase(SessionKind::Instrument, Phase::Opening);
            order
        },
        |firm, order| {
            firm.phase(SessionKind::Instrument, Phase::Closing);
            order
        },
        |_, order| Order { flags: order.flags | 32, ..order },
        |_, order| Order { type_tif: order.type_tif | 0x20, ..order },
        |_, order| Order { type_tif: order.type_tif | 0x70, ..order },
    ];
    for way in ways {
        for (qty, px, seen) in [
            (10, PX, None),
            (11, PX, Some((11, 10))),
            (10, 120 * UNIT, None),
            (9, 120 * UNIT + UNIT / 100, Some((120 * UNIT + UNIT / 100, 120 * UNIT))),
            (2, 80 * UNIT, None),
            (2, 80 * UNIT - UNIT / 100, Some((80 * UNIT - UNIT / 100, 80 * UNIT))),
        ] {
            let mut firm = Firm::new(&limits);
            firm.market(|m| m.prior_close = PX);
            let order = firm.buy(qty, px);
            let order = way(&mut firm, order);
            match seen {
                None => assert_accepted(&firm.decide(&order)),
                Some(seen) => {
                    assert_refused(&firm.decide(&order), Control::AuctionRule, HERE, seen);
                }
            }
        }
    }
    let mut firm = Firm::new(&limits);
    let order = firm.buy(11, PX);
    assert_accepted(&firm.engine.check(&order));
    firm.phase(SessionKind::Instrument, Phase::Opening);
    // No prior close: a band around nothing lets nothing through.
    let small = firm.buy(1, PX);
    assert_refused(&firm.decide(&small), Control::AuctionRule, HERE, (PX, 0));
    firm.market(|m| m.prior_close = PX);
    let dear = firm.buy(10, 120 * UNIT + UNIT / 100);
    assert_eq!(names(&firm.decide(&dear)), ["AUCTION_RULE"]);
    // The largest notional, apart from the band: 1,200 at 120.
    let first = firm.buy(1, PX);
    let first = firm.accept(first);
    let bigger = firm.buy(11, PX);
    let replace = firm.replacing(first, bigger);
    assert_refused(&firm.decide(&replace), Control::AuctionRule, HERE, (11, 10));
    let market = Order { type_tif: 1, px: 0, ..firm.buy(1, PX) };
    assert_refused(&firm.decide(&market), Control::AuctionRule, HERE, (0, 0));
}

#[test]
pub(crate) fn order_type_not_allowed() {
    for (section, place) in [("instrument.I", HERE), ("strategy.s", (Level::Strategy, S))] {
        for path in BOTH {
            let list = "[\"limit\", \"pegged\", \"day\", \"ioc\", \"post_only\"]";
            let limits = Limits::wide().set(section, "types", list);
            for (type_tif, flags, passes) in [
                (0x02, 0, true),
                (0x32, 0, true),
                (0x05, 0, true),
                (0x02, 2, true),
                (0x04, 0, false),
                (0x12, 0, false),
                (0x02, 4, false),
                (0x92, 0, false),
            ] {
                let mut firm = Firm::new(&limits);
                let order = Order { type_tif, flags, ..firm.buy(2, PX) };
                let outcome = send(path, &mut firm, order);
                if passes {
                    assert_accepted(&outcome);
                } else {
                    let seen = (i64::from(type_tif), 0);
                    assert_refused(&outcome, Control::OrderTypeNotAllowed, place, seen);
                }
            }
        }
        // A list without a time in force says nothing of them.
        let mut firm = Firm::new(&Limits::wide().set(section, "types", "[\"limit\"]"));
        let order = Order { type_tif: 0x62, ..firm.buy(2, PX) };
        assert_accepted(&firm.decide(&order));
        let market = Order { type_tif: 1, px: 0, ..firm.buy(2, PX) };
        assert_refused(&firm.decide(&market), Control::OrderTypeNotAllowed, place, (1, 0));
    }
}

#[test]
pub(crate) fn short_sale_restriction() {
    let limits = Limits::wide().set("instrument.I", "reg_sho", "true");
    let bid = 99 * UNIT;
    let mut firm = Firm::new(&limits);
    firm.entry(cwts_types::Body::Locate(cwts_types::Locate {
        account: A,
        instrument: I,
        qty: 1_000,
        actor: "ana".to_owned(),
    }));
    firm.market(|m| (m.bid, m.flags) = (bid, 2 | reference_flag::SHORT_RESTRICTED));
    for path in BOTH {
        // Equality refuses.
        for (side, px, passes) in [
            (5, bid, false),
            (5, bid - UNIT / 100, false),
            (5, bid + UNIT / 100, true),
            (6, bid, true),
        ] {
            let mut firm = firm.clone();
            let order = firm.order(side, 2, px);
            let outcome = if path == crate::Path::New {
                firm.decide(&order)
            } else {
                let first = firm.order(side, 1, PX);
                let first = firm.accept(first);
                let order = firm.replacing(first, order);
                firm.decide(&order)
            };
            if passes {
                assert_accepted(&outcome);
            } else {
                assert_refused(&outcome, Control::ShortSaleRestriction, HERE, (px, bid));
            }
        }
    }
    let market = Order { type_tif: 1, px: 0, ..firm.order(5, 2, PX) };
    assert_refused(&firm.decide(&market), Control::ShortSaleRestriction, HERE, (0, bid));
    firm.market(|m| m.flags |= reference_flag::SHORT_FREE);
    let order = firm.order(5, 2, bid);
    assert_accepted(&firm.decide(&order));
    // Without a bid nobody can say that the price is above it.
    let mut firm = Firm::new(&limits);
    firm.entry(cwts_types::Body::Locate(cwts_types::Locate {
        account: A,
        instrument: I,
        qty: 1_000,
        actor: String::new(),
    }));
    firm.market(|m| m.flags |= reference_flag::SHORT_RESTRICTED);
    let order = firm.order(5, 2, PX);
    assert_refused(&firm.decide(&order), Control::ShortSaleRestriction, HERE, (PX, 0));
}

#[test]
pub(crate) fn reconciling() {
    let place = (Level::Venue, V);
    for path in BOTH {
        let mut firm = Firm::new(&Limits::wide());
        firm.hold_position(10);
        let order = firm.buy(2, PX);
        let first = crate::seed(&mut firm, order);
        let order = if path == crate::Path::New { order } else { firm.replacing(first, order) };
        firm.phase(SessionKind::Venue, Phase::Reconciling);
        assert_refused(&firm.decide(&order), Control::Reconciling, place, (0, 0));
        let exit = firm.sell(10, PX);
        assert_accepted(&firm.engine.check(&exit));
        firm.phase(SessionKind::Venue, Phase::Trading);
        assert_accepted(&firm.engine.check(&order));
        // A fill of an order that nobody knows: the venue works something of ours.
        let exec = firm.exec(999, exec_type::TRADE);
        firm.engine.exec(&Exec { cum_qty: 1, last_qty: 1, last_px: PX, venue: V, ..exec });
        assert_refused(&firm.decide(&order), Control::Reconciling, place, (0, 0));
    }
}

/// Any time may stand in a log: none is an overflow.
#[test]
pub(crate) fn times_at_the_end_of_time_are_times() {
    let rule = "{ bps = 100, period = \"16ns\" }";
    let limits = Limits::wide().set("instrument.I", "price_move", rule);
    let mut firm = Firm::new(&limits);
    for ts in [u64::MAX - 17, u64::MAX - 1, u64::MAX, 5] {
        firm.engine.reference(I, PX, ts);
        firm.ts = ts;
        let order = firm.buy(1, PX);
        assert_accepted(&firm.decide(&order));
        let far = firm.buy(1, PX + 2 * UNIT);
        assert_eq!(names(&firm.decide(&far)), ["PRICE_MOVE"]);
    }
}

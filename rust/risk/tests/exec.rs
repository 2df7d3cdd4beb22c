//! What execution reports do: the table of design note "risk", section 6, row by row.

mod common;

use common::*;
use cwts_risk::ExecEffect::{Applied, Duplicate, Overfill, UnknownOrder};
use cwts_types::{Control, Exec, Order, exec_type};

/// Open notional of the firm in whole units, and the position.
fn state(firm: &Firm) -> (i64, i64, i64) {
    let open = firm.used("firm", "max_open_notional") / MICROS;
    let credit = firm.used("firm", "credit") / MICROS;
    (open, credit - open, firm.engine.position(A, I))
}

fn start() -> (Firm, Order, u64) {
    let limits = Limits::wide().set("firm", "max_open_notional", "\"1000000000\"");
    let mut firm = Firm::new(&limits);
    let order = firm.buy(100, PX);
    let id = firm.accept(order);
    assert_eq!(state(&firm), (10_000, 0, 0));
    (firm, order, id)
}

#[test]
fn a_replace_reserves_the_larger_until_it_is_confirmed_or_rejected() {
    for (qty, px, larger, own) in
        [(150, PX, 15_000, 15_000), (40, PX, 10_000, 4_000), (100, PX / 2, 10_000, 5_000)]
    {
        for by_own_id in [true, false] {
            let (mut firm, order, id) = start();
            let replace = firm.replacing(id, Order { qty, px, ..order });
            let replace = firm.accept(replace);
            assert_eq!(state(&firm), (larger, 0, 0));
            // The venue may name the order or the replace.
            let named = if by_own_id { id } else { replace };
            assert_eq!(firm.report(named, exec_type::REPLACED), Applied);
            assert_eq!(state(&firm), (own, 0, 0));
            // A second confirmation has nothing to confirm.
            assert_eq!(firm.report(named, exec_type::REPLACED), Applied);
            assert_eq!(state(&firm), (own, 0, 0));
        }
        let (mut firm, order, id) = start();
        let replace = firm.replacing(id, Order { qty, px, ..order });
        let replace = firm.accept(replace);
        assert_eq!(firm.report(replace, exec_type::REJECTED), Applied);
        assert_eq!(state(&firm), (10_000, 0, 0), "a rejected replace leaves the order as it was");
        assert_eq!(firm.report(replace, exec_type::REJECTED), Applied);
        assert_eq!(state(&firm), (10_000, 0, 0), "and a second reject does not end it");
        assert_eq!(firm.engine.working_orders(), 1);
    }
}

#[test]
fn two_unanswered_replaces_are_both_reserved_and_settle_one_by_one() {
    let both = |firm: &mut Firm, order: Order, id, second_qty| {
        let first = firm.replacing(id, Order { qty: 200, ..order });
        let first = firm.accept(first);
        let second = firm.replacing(first, Order { qty: second_qty, ..order });
        let second = firm.accept(second);
        assert_eq!(state(firm), (20_000, 0, 0));
        (first, second)
    };
    // Both confirmed, in order.
    let (mut firm, order, id) = start();
    let (first, second) = both(&mut firm, order, id, 50);
    firm.report(first, exec_type::REPLACED);
    assert_eq!(state(&firm), (20_000, 0, 0));
    firm.report(second, exec_type::REPLACED);
    assert_eq!(state(&firm), (5_000, 0, 0));
    // The first is rejected while the second is under way: the order still works.
    let (mut firm, order, id) = start();
    let (first, second) = both(&mut firm, order, id, 150);
    firm.report(first, exec_type::REJECTED);
    assert_eq!(state(&firm), (15_000, 0, 0), "the second may still be confirmed");
    firm.report(second, exec_type::REJECTED);
    assert_eq!(state(&firm), (10_000, 0, 0));
    assert_eq!(firm.engine.working_orders(), 1);
    // The second's confirmation overtakes the first's: the last terms hold.
    let (mut firm, order, id) = start();
    let (first, second) = both(&mut firm, order, id, 50);
    firm.report(second, exec_type::REPLACED);
    assert_eq!(state(&firm), (5_000, 0, 0));
    firm.report(first, exec_type::REPLACED);
    firm.report(first, exec_type::REJECTED);
    assert_eq!(state(&firm), (5_000, 0, 0));
    // A reject of what the order is called now ends it.
    firm.report(second, exec_type::REJECTED);
    assert_eq!((state(&firm), firm.engine.working_orders()), ((0, 0, 0), 0));
}

#[test]
fn trades_count_by_cum_qty() {
    let (mut firm, _, id) = start();
    assert_eq!(firm.fill(id, 30, PX / 2), Applied);
    // Held at what was paid, working at the order's price.
    assert_eq!(state(&firm), (7_000, 1_500, 30));
    // The report of 30 to 50 was lost; an old one comes late.
    assert_eq!(firm.fill(id, 60, PX), Applied);
    assert_eq!(state(&firm), (4_000, 4_500, 60));
    assert_eq!(firm.fill(id, 50, PX), Applied);
    assert_eq!(state(&firm), (4_000, 4_500, 60));
    // Without a cumulated quantity the last one counts.
    let exec = Exec { last_qty: 15, last_px: PX, ..firm.exec(id, exec_type::TRADE) };
    assert_eq!(firm.engine.exec(&exec), Applied);
    assert_eq!(state(&firm), (2_500, 6_000, 75));
    // The same report twice is one report.
    assert_eq!(firm.engine.exec(&exec), Duplicate);
    assert_eq!(state(&firm), (2_500, 6_000, 75));
    assert_eq!(firm.fill(id, 100, PX), Applied);
    assert_eq!(state(&firm), (0, 8_500, 100));
    assert_eq!(firm.engine.working_orders(), 0);
    assert_eq!(firm.engine.counters().duplicate_execs, 1);
    assert_eq!(firm.engine.counters().overfills, 0);
}

#[test]
fn an_overfill_is_booked_and_counted() {
    let (mut firm, _, id) = start();
    assert_eq!(firm.fill(id, 101, PX), Overfill);
    assert_eq!(state(&firm), (0, 10_100, 101));
    assert_eq!(firm.engine.counters().overfills, 1);
    // One that still grows after the end.
    assert_eq!(firm.fill(id, 103, PX), Overfill);
    assert_eq!(state(&firm), (0, 10_300, 103));
    assert_eq!(firm.engine.counters().overfills, 2);
    // Up to the larger quantity of an unanswered replace it is none.
    let (mut firm, order, id) = start();
    let replace = firm.replacing(id, Order { qty: 120, ..order });
    let replace = firm.accept(replace);
    assert_eq!(firm.fill(replace, 120, PX), Applied);
    assert_eq!((state(&firm), firm.engine.working_orders()), ((0, 12_000, 120), 0));
}

#[test]
fn every_end_releases_what_is_left_and_a_late_fill_is_still_booked() {
    for end in
        [exec_type::CANCELED, exec_type::EXPIRED, exec_type::DONE_FOR_DAY, exec_type::REJECTED]
    {
        let (mut firm, order, id) = start();
        firm.fill(id, 40, PX);
        assert_eq!(state(&firm), (6_000, 4_000, 40));
        assert_eq!(firm.report(id, end), Applied);
        assert_eq!(state(&firm), (0, 4_000, 40));
        assert_eq!(firm.engine.working_orders(), 0);
        // The end once more, an old fill, and one that crossed the cancel.
        assert_eq!(firm.report(id, end), Applied);
        assert_eq!(firm.fill(id, 40, PX), Applied);
        assert_eq!(state(&firm), (0, 4_000, 40));
        assert_eq!(firm.fill(id, 70, PX), Applied);
        assert_eq!(state(&firm), (0, 7_000, 70));
        assert_eq!(firm.engine.counters().late_fills, 1);
        // The limits see it: 70 are held.
        let limits = Limits::wide().set("account.A", "max_position", "{ long = 100, short = 0 }");
        firm.engine.activate(2, limits.text().as_bytes()).unwrap();
        let more = Order { order_id: 999, qty: 31, ..order };
        assert_eq!(names(&firm.engine.check(&more)), [Control::MaxPosition.name()]);
        assert_accepted(&firm.engine.check(&Order { qty: 30, ..more }));
    }
}

#[test]
fn a_late_fill_may_name_any_id_of_its_order() {
    let (mut firm, order, id) = start();
    let replace = firm.replacing(id, Order { qty: 120, ..order });
    let replace = firm.accept(replace);
    firm.report(replace, exec_type::REPLACED);
    firm.report(replace, exec_type::CANCELED);
    assert_eq!(firm.fill(replace, 110, PX), Applied);
    assert_eq!(firm.fill(id, 121, PX), Overfill);
    assert_eq!(state(&firm), (0, 12_100, 121));
    // And it survives a restart.
    let mut again = cwts_risk::Engine::restore(&firm.engine.snapshot()).unwrap();
    let exec = Exec { last_px: PX, cum_qty: 130, ..firm.exec(replace, exec_type::TRADE) };
    assert_eq!(again.exec(&exec), Overfill);
    assert_eq!(again.position(A, I), 130);
}

#[test]
fn the_memory_of_ended_orders_is_bounded_by_count() {
    const REMEMBERED: usize = 65_536;
    let mut limits = Limits::wide();
    limits = limits.set("account.A", "message_rate", "\"none\"");
    let mut firm = Firm::new(&limits);
    let mut ids = Vec::new();
    for _ in 0..=REMEMBERED {
        let order = firm.buy(5, PX);
        let id = firm.accept(order);
        firm.report(id, exec_type::CANCELED);
        ids.push(id);
    }
    assert_eq!(firm.fill(ids[0], 1, PX), UnknownOrder);
    assert_eq!(firm.fill(ids[1], 1, PX), Applied);
    assert_eq!(firm.fill(ids[REMEMBERED], 1, PX), Applied);
    assert_eq!(firm.engine.position(A, I), 2);
    assert_eq!(firm.engine.counters().unknown_execs, 1);
}

#[test]
fn reports_that_only_inform_change_nothing() {
    let (mut firm, order, id) = start();
    let replace = firm.replacing(id, Order { qty: 150, ..order });
    firm.accept(replace);
    for what in [
        exec_type::NEW,
        exec_type::PENDING_NEW,
        exec_type::PENDING_CANCEL,
        exec_type::PENDING_REPLACE,
    ] {
        assert_eq!(firm.report(id, what), Applied);
        assert_eq!(state(&firm), (15_000, 0, 0));
    }
    // Nobody knows this order.
    let before = firm.used("firm", "credit");
    assert_eq!(firm.fill(9_999, 5, PX), UnknownOrder);
    assert_eq!(firm.report(9_999, exec_type::CANCELED), UnknownOrder);
    assert_eq!(firm.engine.counters().unknown_execs, 2);
    assert_eq!(firm.used("firm", "credit"), before);
}

#[test]
fn a_replace_below_what_was_filled_meanwhile_ends_the_order() {
    let (mut firm, order, id) = start();
    let replace = firm.replacing(id, Order { qty: 60, ..order });
    let replace = firm.accept(replace);
    firm.fill(id, 60, PX);
    assert_eq!(state(&firm), (4_000, 6_000, 60));
    firm.report(replace, exec_type::REPLACED);
    assert_eq!((state(&firm), firm.engine.working_orders()), ((0, 6_000, 60), 0));
    // The other way round: a larger replace is rejected when the old quantity is full.
    let (mut firm, order, id) = start();
    let replace = firm.replacing(id, Order { qty: 160, ..order });
    let replace = firm.accept(replace);
    firm.fill(id, 100, PX);
    assert_eq!(firm.engine.working_orders(), 1);
    firm.report(replace, exec_type::REJECTED);
    assert_eq!((state(&firm), firm.engine.working_orders()), ((0, 10_000, 100), 0));
}

#[test]
fn the_cost_of_a_position_follows_it_through_zero() {
    let limits = Limits::wide().set("firm", "max_open_notional", "\"1000000000\"");
    let mut firm = Firm::new(&limits);
    let mut trade = |side, qty, px, position, held| {
        let order = firm.order(side, qty, px);
        let id = firm.accept(order);
        firm.fill(id, qty, px);
        assert_eq!(state(&firm), (0, held, position), "{side} {qty} {px}");
    };
    trade(1, 30, PX, 30, 3_000);
    trade(1, 30, 2 * PX - UNIT * 80, 60, 6_600);
    // A third goes: two thirds of the cost stay, whatever the price.
    trade(2, 20, PX - UNIT, 40, 4_400);
    // Through zero: what is short was sold at this price.
    trade(5, 50, PX, -10, 1_000);
    trade(1, 10, PX + UNIT, 0, 0);
}

#[test]
fn replayed_orders_are_confirmed_at_once() {
    let (mut firm, order, id) = start();
    let replace = firm.replacing(id, Order { qty: 30, ..order });
    assert!(firm.engine.decide(&replace, true).decision.is_accepted());
    assert_eq!(state(&firm), (3_000, 0, 0));
    // A cancel of ten, one of a nonsense quantity, which is a whole one.
    let cancel = Order { qty: 10, ..firm.cancel(id) };
    firm.engine.decide(&cancel, true);
    assert_eq!(state(&firm), (2_000, 0, 0));
    let cancel = Order { qty: i64::MIN, ..firm.cancel(id) };
    firm.engine.decide(&cancel, true);
    assert_eq!((state(&firm), firm.engine.working_orders()), ((0, 0, 0), 0));
    // Live, only the venue's report frees anything.
    let (mut firm, _, id) = start();
    let cancel = firm.cancel(id);
    firm.decide(&cancel);
    assert_eq!(state(&firm), (10_000, 0, 0));
}

#[test]
fn a_replace_that_nobody_asked_for_restates_the_order() {
    let (mut firm, order, id) = start();
    let restate = |firm: &mut Firm, named, last_qty, last_px| {
        let exec = firm.exec(named, exec_type::REPLACED);
        assert_eq!(firm.engine.exec(&Exec { last_px, last_qty, ..exec }), Applied);
        state(firm)
    };
    assert_eq!(restate(&mut firm, id, 70, PX), (7_000, 0, 0));
    assert_eq!(restate(&mut firm, id, 80, PX / 2), (4_000, 0, 0));
    // Without a price the old one holds; without a quantity, or with one that no sum holds, all.
    assert_eq!(restate(&mut firm, id, 60, 0), (3_000, 0, 0));
    assert_eq!(restate(&mut firm, id, 0, PX), (3_000, 0, 0));
    assert_eq!(restate(&mut firm, id, i64::MAX, i64::MAX), (3_000, 0, 0));
    // It fits alone, and not beside what another account has working.
    let other = Order { account: B, ..firm.buy(10, PX) };
    let other = firm.accept(other);
    assert_eq!(restate(&mut firm, id, i64::MAX, 1_000), (4_000, 0, 0));
    firm.report(other, exec_type::CANCELED);
    // While a replace is unanswered the report answers that one.
    let replace = firm.replacing(id, Order { qty: 90, ..order });
    let replace = firm.accept(replace);
    assert_eq!(restate(&mut firm, replace, 5, PX), (9_000, 0, 0));
    assert_eq!(restate(&mut firm, replace, 20, PX), (2_000, 0, 0));
    // Under a name that was overtaken, or beside an unanswered replace, it says nothing.
    let again = firm.replacing(id, Order { qty: 30, ..order });
    let again = firm.accept(again);
    assert_eq!(restate(&mut firm, replace, 1_000, PX), (3_000, 0, 0));
    firm.report(again, exec_type::REPLACED);
    assert_eq!(restate(&mut firm, replace, 1_000, PX), (3_000, 0, 0));
    firm.fill(id, 15, PX);
    assert_eq!(restate(&mut firm, again, 15, PX), (0, 1_500, 15));
    assert_eq!(firm.engine.working_orders(), 0);
}

#[test]
fn a_denied_release_gives_its_reservation_back() {
    use cwts_types::{Body, Entry, Header, ReleaseDenied};
    let deny = |firm: &mut Firm, order_id| {
        let body = Body::ReleaseDenied(ReleaseDenied { order_seq: 1, order_id, kill_epoch: 1 });
        firm.engine.step(9, &Entry { header: Header::default(), body }).unwrap();
    };
    let (mut firm, order, id) = start();
    let replace = firm.replacing(id, Order { qty: 150, ..order });
    let replace = firm.accept(replace);
    deny(&mut firm, replace);
    assert_eq!(state(&firm), (10_000, 0, 0));
    deny(&mut firm, id);
    assert_eq!((state(&firm), firm.engine.working_orders()), ((0, 0, 0), 0));
    // It never left, so nothing can fill it.
    assert_eq!(firm.fill(id, 10, PX), UnknownOrder);
}

#[test]
fn an_id_that_names_an_order_is_not_taken_again() {
    let mut firm = Firm::new(&Limits::wide());
    let order = firm.buy(10, 100 * UNIT);
    assert_accepted(&firm.decide(&order));
    let open = firm.used("firm", "credit");
    let again = firm.decide(&order);
    assert_eq!(names(&again), ["DUPLICATE_ID"]);
    assert_eq!(firm.used("firm", "credit"), open, "the first reservation stands");
    firm.report(order.order_id, exec_type::CANCELED);
    assert_eq!(names(&firm.decide(&order)), ["DUPLICATE_ID"], "a late fill could still name it");
    let fresh = firm.buy(10, 100 * UNIT);
    assert_accepted(&firm.decide(&fresh));
}

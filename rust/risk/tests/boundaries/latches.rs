//! Controls that latch: bits 30, 42 and 43.
#![allow(clippy::unwrap_used, reason = "a fixture that fails is a failed test")]

use cwts_types::{Control, Kill, KillState, Level, Order, Scope, ScopeKind};

use crate::common::*;

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;

const PLACES: [(&str, Level, u32, ScopeKind); 5] = [
    ("account.A", Level::Account, A, ScopeKind::Account),
    ("customer.c", Level::Customer, 1, ScopeKind::Customer),
    ("desk.d", Level::Desk, 1, ScopeKind::Desk),
    ("firm", Level::Firm, 0, ScopeKind::Firm),
    ("strategy.s", Level::Strategy, S, ScopeKind::Strategy),
];

/// The gateway's own hold on a scope: it stands for what latched there.
fn own_hold(firm: &mut Firm, scope: Scope) -> u64 {
    let kill = firm.kill_entry(scope, KillState::ReduceOnly, false);
    let kill = Kill { rank: cwts_risk::RANK_RISK, actor: "gateway".to_owned(), ..kill };
    firm.engine.kill(7, &kill).unwrap();
    kill.hold
}

fn resume(firm: &mut Firm, hold: u64) {
    let resume = firm.resume_entry(hold);
    firm.engine.resume(8, &resume).unwrap();
}

#[test]
pub(crate) fn repeated_execution() {
    let rule = "{ max = 3, window = \"1s\" }";
    let limits = Limits::wide().set("strategy.s", "repeated_execution", rule);
    let place = (Level::Strategy, S);
    let mut firm = Firm::new(&limits);
    let order = firm.buy(100, PX);
    let id = firm.accept(order);
    firm.fill(id, 1, PX);
    firm.fill(id, 2, PX);
    // A window later the first two are gone.
    firm.ts = START + SECOND;
    firm.fill(id, 3, PX);
    firm.fill(id, 4, PX);
    let next = firm.buy(1, PX);
    assert_accepted(&firm.engine.check(&next));
    assert!(!firm.engine.has_trips());
    // A report that adds nothing is no fill.
    firm.fill(id, 4, PX);
    assert_accepted(&firm.engine.check(&next));
    firm.fill(id, 5, PX);
    assert!(firm.engine.has_trips());
    let scope = Scope { kind: ScopeKind::Strategy, handle: S };
    let trip = firm.engine.trips()[0];
    assert_eq!((trip.control, trip.scope), (Control::RepeatedExecution, scope));
    firm.engine = cwts_risk::Engine::restore(&firm.engine.snapshot()).unwrap();
    // Latched: time lifts nothing, not even a day. Exits of the strategy are refused, too.
    for ts in [START + SECOND, START + 10 * SECOND, DAY] {
        firm.ts = ts;
        for order in [firm.buy(1, PX), firm.sell(1, PX)] {
            let outcome = firm.decide(&order);
            assert_refused(&outcome, Control::RepeatedExecution, place, (3, 3));
        }
        let replace = firm.buy(90, PX);
        let replace = firm.replacing(id, replace);
        let outcome = firm.decide(&replace);
        assert_refused(&outcome, Control::RepeatedExecution, place, (3, 3));
    }
    let other = Order { strategy: T, ..firm.buy(1, PX) };
    assert_accepted(&firm.decide(&other));
    // The resume of the gateway's own hold re-enables it; another hold's does not.
    let theirs = firm.kill(scope, KillState::Halted);
    resume(&mut firm, theirs);
    assert_eq!(firm.engine.trips().len(), 1);
    let hold = own_hold(&mut firm, scope);
    assert!(!firm.engine.has_trips());
    resume(&mut firm, hold);
    let order = firm.buy(1, PX);
    assert_accepted(&firm.decide(&order));
}

/// The firm holds 100 at 100; each tick of the reference is 100 of P&L.
fn holding(limits: &Limits) -> Firm {
    let mut firm = Firm::new(limits);
    firm.hold_position(100);
    firm
}

fn mark(firm: &mut Firm, px: i64) {
    firm.ts += 1;
    firm.engine.reference(I, px, firm.ts);
}

#[test]
pub(crate) fn loss_limit() {
    for (section, level, scope, kind) in PLACES {
        let rule = "{ day = \"500\", confirm_marks = 2 }";
        let limits = Limits::wide().set(section, "loss_limit", rule);
        let control = Control::LossLimit;
        let mut firm = holding(&limits);
        // At the limit; beyond it once, and back; then twice in a row.
        for (px, shut) in [
            (95 * UNIT, false),
            (95 * UNIT - UNIT / 100, false),
            (95 * UNIT, false),
            (94 * UNIT, false),
            (94 * UNIT, true),
        ] {
            mark(&mut firm, px);
            let order = firm.buy(1, PX);
            let outcome = firm.engine.check(&order);
            if shut {
                let seen = (600 * MICROS, 500 * MICROS);
                assert_refused(&outcome, control, (level, scope), seen);
            } else {
                assert_accepted(&outcome);
            }
        }
        let trip = firm.engine.trips()[0];
        assert_eq!((trip.control, trip.scope.kind, trip.scope.handle), (control, kind, scope));
        // What reduces passes.
        let exit = firm.sell(100, PX);
        assert_accepted(&firm.engine.check(&exit));
        // A fill beyond the limit needs no second mark.
        let mut firm = holding(&limits);
        mark(&mut firm, 90 * UNIT);
        let order = firm.buy(1, 90 * UNIT);
        let id = firm.accept(order);
        assert!(!firm.engine.has_trips());
        firm.fill(id, 1, 90 * UNIT);
        assert!(firm.engine.has_trips());
        let order = firm.buy(1, 90 * UNIT);
        let outcome = firm.decide(&order);
        assert_refused(&outcome, control, (level, scope), (1_000 * MICROS, 500 * MICROS));
    }
}

#[test]
pub(crate) fn a_loss_latches_until_lifted() {
    let rule = "{ day = \"500\", confirm_marks = 1 }";
    let limits = Limits::wide().set("account.A", "loss_limit", rule);
    let mut firm = holding(&limits);
    mark(&mut firm, 94 * UNIT);
    let order = firm.buy(1, PX);
    let refused = |firm: &Firm| !firm.engine.check(&order).decision.is_accepted();
    assert!(refused(&firm));
    // A price that comes back lifts nothing; people do.
    mark(&mut firm, PX);
    assert!(refused(&firm));
    let scope = Scope { kind: ScopeKind::Account, handle: A };
    let hold = own_hold(&mut firm, scope);
    resume(&mut firm, hold);
    assert!(!refused(&firm));
    mark(&mut firm, 94 * UNIT);
    assert!(refused(&firm));
    // So does the end of the day, and P&L starts again there.
    firm.ts = DAY;
    let order = Order { ts: DAY, order_id: 99, ..order };
    assert_accepted(&firm.decide(&order));
    mark(&mut firm, 90 * UNIT);
    assert!(!refused(&firm), "94 to 90 is 400");
    // And limits without it.
    mark(&mut firm, 80 * UNIT);
    assert!(refused(&firm));
    firm.activate(&Limits::wide());
    assert!(!refused(&firm));
}

#[test]
pub(crate) fn drawdown() {
    for (section, level, scope, _) in PLACES {
        let rule = "{ max = \"500\", confirm_marks = 1 }";
        let limits = Limits::wide().set(section, "drawdown", rule);
        let mut firm = holding(&limits);
        // Up to 108, so at 103 the fall is 500, and a cent lower it is beyond.
        for (px, shut) in [
            (108 * UNIT, false),
            (103 * UNIT, false),
            (103 * UNIT - UNIT / 100, true),
            (109 * UNIT, true),
        ] {
            mark(&mut firm, px);
            let order = firm.buy(1, PX);
            let outcome = firm.engine.check(&order);
            if !shut {
                assert_accepted(&outcome);
                continue;
            }
            let lost = if px > PX + 5 * UNIT { 0 } else { 501 };
            let seen = (lost * MICROS, 500 * MICROS);
            assert_refused(&outcome, Control::Drawdown, (level, scope), seen);
        }
    }
}

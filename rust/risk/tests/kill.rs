//! Kills and resumes: holds, their maximum, who may lift them, and what still passes.

mod common;

use common::*;
use cwts_risk::StepError;
use cwts_types::{Control, Kill, KillState, Order, Resume, Scope, ScopeKind, Verdict, exec_type};

const ACCOUNT: Scope = Scope { kind: ScopeKind::Account, handle: A };
const STRATEGY: Scope = Scope { kind: ScopeKind::Strategy, handle: S };

fn verdict(firm: &mut Firm, side: u8, qty: i64) -> Vec<&'static str> {
    let order = firm.order(side, qty, PX);
    names(&firm.engine.check(&order))
}

#[test]
fn a_state_is_the_maximum_over_holds_and_each_takes_its_own_resume() {
    let mut firm = Firm::new(&Limits::wide());
    assert_eq!(firm.engine.scope_state(ACCOUNT), KillState::Active);
    let reduce = firm.kill(ACCOUNT, KillState::ReduceOnly);
    let first = firm.kill(ACCOUNT, KillState::Halted);
    let second = firm.kill(ACCOUNT, KillState::Halted);
    assert_eq!(firm.engine.scope_state(ACCOUNT), KillState::Halted);
    assert_eq!(firm.engine.scope_state(Scope::FIRM), KillState::Active);
    let both = ["KILL_REDUCE_ONLY", "KILL_HALTED"];
    assert_eq!(verdict(&mut firm, 1, 5), both);
    for (hold, state, refused) in [
        (first, KillState::Halted, both.as_slice()),
        (second, KillState::ReduceOnly, &both[..1]),
        (reduce, KillState::Active, &[]),
    ] {
        let resume = firm.resume_entry(hold);
        firm.engine.resume(20, &resume).unwrap();
        assert_eq!(firm.engine.scope_state(ACCOUNT), state);
        assert_eq!(verdict(&mut firm, 1, 5), refused);
    }
    assert_eq!(firm.engine.holds().count(), 0);
    // Numbers are never used again.
    assert_eq!(firm.engine.next_hold(), 4);
    assert_eq!((firm.engine.kill_epoch(), firm.engine.kill_seq()), (6, 20));
}

#[test]
fn a_hold_tells_who_why_and_where() {
    let mut firm = Firm::new(&Limits::wide());
    firm.kill_with(STRATEGY, KillState::Halted, true);
    let hold = firm.engine.holds().next().unwrap();
    assert_eq!((hold.at(), hold.kill_state(), hold.seq), (STRATEGY, KillState::Halted, 7));
    assert_eq!((hold.actor.as_str(), hold.reason.as_str()), ("ana", "test"));
    assert!(hold.allow_reduce && hold.rank == 1);
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let mut firm = Firm::new(&Limits::wide());
    let hold = firm.kill(ACCOUNT, KillState::Halted);
    let before = firm.engine.snapshot();
    let good = firm.kill_entry(STRATEGY, KillState::Halted, false);
    let at = |kind, handle| Scope { kind, handle };
    for bad in [
        Kill { hold: good.hold - 1, ..good.clone() },
        Kill { hold: good.hold + 1, ..good.clone() },
        Kill { hold: u64::MAX, ..good.clone() },
        Kill { epoch: good.epoch - 1, ..good.clone() },
        Kill { epoch: 0, ..good.clone() },
        Kill { state: KillState::Active, ..good.clone() },
        Kill { scope: at(ScopeKind::Firm, 1), ..good.clone() },
        Kill { scope: at(ScopeKind::Desk, 0), ..good.clone() },
        Kill { scope: at(ScopeKind::Desk, 2), ..good.clone() },
        Kill { scope: at(ScopeKind::Customer, 3), ..good.clone() },
        Kill { scope: at(ScopeKind::Account, 5), ..good.clone() },
        Kill { scope: at(ScopeKind::Strategy, 3), ..good.clone() },
        Kill { scope: at(ScopeKind::Instrument, u32::MAX), ..good.clone() },
        Kill { scope: at(ScopeKind::Venue, 2), ..good.clone() },
    ] {
        let error = firm.engine.kill(8, &bad).unwrap_err();
        assert!(matches!(error, StepError::Hold { hold, .. } if hold == bad.hold), "{bad:?}");
        assert_eq!(firm.engine.snapshot(), before, "{bad:?}");
    }
    let good = firm.resume_entry(hold);
    for bad in [
        Resume { hold: hold + 1, ..good.clone() },
        Resume { hold: 0, ..good.clone() },
        Resume { epoch: good.epoch - 1, ..good.clone() },
        Resume { approver: good.actor.clone(), ..good.clone() },
        Resume { actor: String::new(), ..good.clone() },
        Resume { approver: String::new(), ..good.clone() },
    ] {
        let error = firm.engine.resume(8, &bad).unwrap_err();
        assert!(matches!(error, StepError::Hold { hold, .. } if hold == bad.hold), "{bad:?}");
        assert_eq!(firm.engine.snapshot(), before, "{bad:?}");
    }
    firm.engine.resume(8, &good).unwrap();
    let again = Resume { epoch: good.epoch + 1, ..good };
    firm.engine.resume(9, &again).unwrap_err();
}

#[test]
fn reduce_only_lets_exits_and_smaller_replaces_through() {
    for scope in [Scope::FIRM, ACCOUNT, STRATEGY] {
        let mut firm = Firm::new(&Limits::wide());
        firm.hold_position(-10);
        let order = firm.buy(30, PX);
        let entry = firm.accept(order);
        let order = firm.sell(30, PX);
        let opening = firm.accept(order);
        firm.kill(scope, KillState::ReduceOnly);
        // 30 buys already work against a short of 10: one more would cross.
        assert_eq!(verdict(&mut firm, 1, 1), ["KILL_REDUCE_ONLY"]);
        assert_eq!(verdict(&mut firm, 2, 1), ["KILL_REDUCE_ONLY"]);
        // Replaces: smaller passes; equal, larger, dearer do not, nor smaller but dearer.
        for (target, side) in [(entry, 1), (opening, 2)] {
            for (qty, px, passes) in [
                (29, PX, true),
                (1, PX, true),
                (29, PX / 2, true),
                (30, PX, false),
                (30, PX / 2, false),
                (31, PX, false),
                (29, PX + PX / 2, false),
            ] {
                let order = firm.order(side, qty, px);
                let replace = firm.replacing(target, order);
                let wanted: &[&str] = if passes { &[] } else { &["KILL_REDUCE_ONLY"] };
                assert_eq!(names(&firm.engine.check(&replace)), wanted, "{side} {qty} {px}");
            }
        }
        let cancel = firm.cancel(entry);
        assert_eq!(firm.decide(&cancel).decision.verdict, Verdict::CancelPassed as u8);
        firm.report(entry, exec_type::CANCELED);
        // Now ten may be bought back, and eleven may not; two exits do not add up to more.
        assert_eq!(verdict(&mut firm, 1, 11), ["KILL_REDUCE_ONLY"]);
        let order = firm.buy(6, PX);
        firm.accept(order);
        assert_eq!(verdict(&mut firm, 1, 5), ["KILL_REDUCE_ONLY"]);
        let order = firm.buy(4, PX);
        firm.accept(order);
    }
}

#[test]
fn an_exit_passes_a_halt_that_allows_it_and_no_other() {
    for (allow_reduce, passes) in [(false, false), (true, true)] {
        let mut firm = Firm::new(&Limits::wide());
        firm.hold_position(10);
        firm.kill_with(ACCOUNT, KillState::Halted, allow_reduce);
        let exit: &[&str] = if passes { &[] } else { &["KILL_HALTED"] };
        assert_eq!(verdict(&mut firm, 2, 10), exit);
        assert_eq!(verdict(&mut firm, 2, 11), ["KILL_HALTED"]);
        assert_eq!(verdict(&mut firm, 1, 1), ["KILL_HALTED"]);
        // Another hold without the exit closes it.
        firm.kill(Scope::FIRM, KillState::Halted);
        assert_eq!(verdict(&mut firm, 2, 10), ["KILL_HALTED"]);
    }
}

#[test]
fn a_scope_that_is_registered_later_is_under_the_holds_above_it() {
    use cwts_types::RegisterKind;
    let mut firm = Firm::new(&Limits::wide().set("account.E", "customer", "\"c\""));
    let scope = Scope { kind: ScopeKind::Customer, handle: 1 };
    firm.kill(scope, KillState::Halted);
    firm.engine.register(&registration(RegisterKind::Account, 5, 1, "E")).unwrap();
    firm.engine.register(&registration(RegisterKind::Instrument, 3, 1, "K")).unwrap();
    let order = Order { account: 5, ..firm.buy(1, PX) };
    assert!(firm.decide(&order).decision.reasons.contains(Control::KillHalted));
    // New limits do not lift a hold.
    firm.engine.activate(2, Limits::wide().text().as_bytes()).unwrap();
    assert_eq!(verdict(&mut firm, 1, 1), ["KILL_HALTED"]);
    firm.kill(Scope { kind: ScopeKind::Venue, handle: 1 }, KillState::Halted);
    let order = Order { account: D, instrument: 3, ..firm.buy(1, PX) };
    assert!(firm.decide(&order).decision.reasons.contains(Control::KillHalted));
}

#[test]
fn an_order_that_names_nobody_is_still_told_of_the_firms_halt() {
    let mut firm = Firm::new(&Limits::wide());
    firm.kill(Scope::FIRM, KillState::ReduceOnly);
    firm.kill(Scope::FIRM, KillState::Halted);
    let order = Order { account: 77, ..firm.buy(1, PX) };
    let outcome = firm.decide(&order);
    assert_eq!(names(&outcome), ["UNKNOWN_HANDLE", "KILL_REDUCE_ONLY", "KILL_HALTED"]);
    assert_eq!(outcome.violations.iter().map(|v| v.observed).collect::<Vec<_>>(), [1, 1, 4]);
    let order = Order { qty: 0, ..firm.buy(1, PX) };
    let outcome = firm.decide(&order);
    assert_eq!(names(&outcome), ["MALFORMED", "KILL_REDUCE_ONLY", "KILL_HALTED"]);
}

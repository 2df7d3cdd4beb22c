//! Controls that follow a kill: bits 46 and 47, at every scope.

use cwts_types::{Control, KillState, Level, Order, Scope, ScopeKind};

use crate::common::*;
use crate::{BOTH, Path, seed};

/// Every kind of scope of the order, and the level that its refusal names.
const SCOPES: [(ScopeKind, u32, Level); 7] = [
    (ScopeKind::Firm, 0, Level::Firm),
    (ScopeKind::Desk, 1, Level::Desk),
    (ScopeKind::Customer, 1, Level::Customer),
    (ScopeKind::Account, A, Level::Account),
    (ScopeKind::Strategy, S, Level::Strategy),
    (ScopeKind::Instrument, I, Level::Instrument),
    (ScopeKind::Venue, 1, Level::Venue),
];

#[test]
pub(crate) fn kill_reduce_only() {
    for (kind, handle, level) in SCOPES {
        for path in BOTH {
            // A long position of 10: sells to 10 reduce, and 11 would cross zero.
            for (side, qty, passes) in
                [(2, 9, true), (2, 10, true), (2, 11, false), (1, 2, false), (1, 9, false)]
            {
                let mut firm = Firm::new(&Limits::wide());
                firm.hold_position(10);
                let order = firm.order(side, qty, PX);
                let order = match path {
                    Path::New => order,
                    Path::Replace => {
                        let target = seed(&mut firm, order);
                        firm.replacing(target, order)
                    }
                };
                firm.kill(Scope { kind, handle }, KillState::ReduceOnly);
                let outcome = firm.decide(&order);
                assert_eq!(outcome.decision.kill_epoch, 1);
                if passes {
                    assert_accepted(&outcome);
                } else {
                    let control = Control::KillReduceOnly;
                    assert_refused(&outcome, control, (level, handle), (1, 0));
                }
            }
        }
    }
}

#[test]
pub(crate) fn kill_halted() {
    for (kind, handle, level) in SCOPES {
        for path in BOTH {
            for (side, qty) in [(1, 2), (2, 5)] {
                let mut firm = Firm::new(&Limits::wide());
                firm.hold_position(10);
                let order = firm.order(side, qty, PX);
                let order = match path {
                    Path::New => order,
                    Path::Replace => {
                        let target = seed(&mut firm, order);
                        firm.replacing(target, order)
                    }
                };
                assert_accepted(&firm.engine.check(&order));
                let hold = firm.kill(Scope { kind, handle }, KillState::Halted);
                let outcome = firm.decide(&order);
                assert_refused(&outcome, Control::KillHalted, (level, handle), (4, 0));
                // Other scopes go on.
                let other = Order { account: D, strategy: T, instrument: J, ..firm.buy(1, PX) };
                let stopped = matches!(kind, ScopeKind::Firm | ScopeKind::Venue);
                assert_eq!(!firm.decide(&other).decision.is_accepted(), stopped, "{kind:?}");
                let resume = firm.resume_entry(hold);
                firm.engine.resume(8, &resume).unwrap();
                assert_accepted(&firm.decide(&order));
            }
        }
    }
}

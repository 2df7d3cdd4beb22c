//! Reducing orders, any number of them together, never move a position through zero.

use cwts_types::{KillState, Order, Scope, exec_type};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::common::*;

#[derive(Debug, Clone)]
enum Act {
    Order { side: u8, qty: i64, px: i64 },
    Replace { target: Index, qty: i64, px: i64 },
    Cancel(Index),
    Report { target: Index, what: u8, share: i64 },
}

fn act() -> impl Strategy<Value = Act> {
    let side = || prop::sample::select(vec![1u8, 2, 5]);
    prop_oneof![
        4 => (side(), 1..30i64, 90..110i64)
            .prop_map(|(side, qty, px)| Act::Order { side, qty, px: px * UNIT }),
        3 => (any::<Index>(), 1..30i64, 90..110i64)
            .prop_map(|(target, qty, px)| Act::Replace { target, qty, px: px * UNIT }),
        1 => any::<Index>().prop_map(Act::Cancel),
        5 => (any::<Index>(), prop::sample::select(b"FFFFF4558".to_vec()), 1..11i64)
            .prop_map(|(target, what, share)| Act::Report { target, what, share }),
    ]
}

proptest! {
    #![proptest_config(cases(800))]

    #[test]
    fn they_never_cross_zero(
        start in -60..60i64, halted in any::<bool>(), acts in prop::collection::vec(act(), 1..60),
    ) {
        let mut firm = Firm::new(&Limits::wide());
        if start != 0 {
            firm.hold_position(start);
        }
        let state = if halted { KillState::Halted } else { KillState::ReduceOnly };
        firm.kill_with(Scope::FIRM, state, true);
        // Accepted orders and the largest quantity that the venue may fill of each.
        let mut orders: Vec<(u64, Order, i64)> = Vec::new();
        let mut last = start;
        for act in acts {
            match act {
                Act::Order { side, qty, px } => {
                    let order = firm.order(side, qty, px);
                    if firm.decide(&order).decision.is_accepted() {
                        orders.push((order.order_id, order, qty));
                    }
                }
                Act::Replace { target, qty, px } => {
                    if orders.is_empty() {
                        continue;
                    }
                    let at = target.index(orders.len());
                    let (id, order, most) = orders[at];
                    let replace = firm.replacing(id, Order { qty, px, ..order });
                    if firm.decide(&replace).decision.is_accepted() {
                        orders[at].2 = most.max(qty);
                        orders.push((replace.order_id, order, qty));
                    }
                }
                Act::Cancel(target) => {
                    if !orders.is_empty() {
                        let id = orders[target.index(orders.len())].0;
                        let cancel = firm.cancel(id);
                        prop_assert!(firm.decide(&cancel).decision.is_accepted());
                    }
                }
                Act::Report { target, what, share } => {
                    if orders.is_empty() {
                        continue;
                    }
                    let (id, _, most) = orders[target.index(orders.len())];
                    // A fill after the end breaks no promise of ours: only working orders fill.
                    let works = firm.engine.working_orders();
                    if what == exec_type::TRADE {
                        let mut probe = firm.clone();
                        probe.report(id, exec_type::CANCELED);
                        if probe.engine.working_orders() < works {
                            firm.fill(id, most * share / 10, PX);
                        }
                    } else {
                        firm.report(id, what);
                    }
                }
            }
            let now = firm.engine.position(A, I);
            prop_assert!(now.abs() <= last.abs() && now * last >= 0, "{} after {}", now, last);
            last = now;
        }
    }
}

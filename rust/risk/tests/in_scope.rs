//! What works in a scope: every order once, by its first id, ascending, and nobody else's.

mod common;

use common::*;
use cwts_types::{Order, Scope, ScopeKind, exec_type};

/// Four accounts, two strategies and two instruments, each order another mix.
fn firm() -> (Firm, Vec<Order>) {
    let mut firm = Firm::new(&Limits::wide());
    let mut orders = Vec::new();
    for account in [D, C, B, A] {
        for (strategy, instrument) in [(S, I), (T, J)] {
            let order = firm.buy(5, PX);
            let order = Order { account, strategy, instrument, ..order };
            firm.accept(order);
            orders.push(order);
        }
    }
    (firm, orders)
}

#[test]
fn each_scope_names_its_orders_and_no_other() {
    let (firm, orders) = firm();
    let of = |belongs: &dyn Fn(&Order) -> bool| -> Vec<u64> {
        orders.iter().filter(|order| belongs(order)).map(|order| order.order_id).collect()
    };
    let at = |kind, handle| firm.engine.working_in(Scope { kind, handle });
    assert_eq!(at(ScopeKind::Firm, 0), of(&|_| true));
    assert_eq!(at(ScopeKind::Firm, 0).len(), 8);
    for account in [A, B, C, D] {
        assert_eq!(at(ScopeKind::Account, account), of(&|o| o.account == account));
    }
    for strategy in [S, T] {
        assert_eq!(at(ScopeKind::Strategy, strategy), of(&|o| o.strategy == strategy));
    }
    for instrument in [I, J] {
        assert_eq!(at(ScopeKind::Instrument, instrument), of(&|o| o.instrument == instrument));
    }
    assert_eq!(at(ScopeKind::Customer, 1), of(&|o| o.account == A || o.account == B));
    assert_eq!(at(ScopeKind::Customer, 2), of(&|o| o.account == C));
    assert_eq!(at(ScopeKind::Desk, 1), of(&|o| o.account != D), "D is nobody's account");
    assert_eq!(at(ScopeKind::Venue, 1).len(), 8);
    let nobody = [ScopeKind::Account, ScopeKind::Customer, ScopeKind::Desk, ScopeKind::Venue];
    for kind in nobody {
        assert_eq!(at(kind, 99), [0; 0], "{kind:?}");
    }
}

#[test]
fn what_has_ended_is_not_named_and_what_was_replaced_is_named_once() {
    let (mut firm, orders) = firm();
    let ids: Vec<u64> = orders.iter().map(|order| order.order_id).collect();
    firm.report(ids[0], exec_type::CANCELED);
    firm.fill(ids[1], 2, PX);
    let order = Order { order_id: firm.id(), qty: 3, ..orders[2] };
    let replace = firm.replacing(ids[2], order);
    firm.accept(replace);
    assert_eq!(firm.engine.working_in(Scope::FIRM), ids[1..]);
    firm.report(replace.order_id, exec_type::REPLACED);
    assert_eq!(firm.engine.working_in(Scope::FIRM), ids[1..]);
    // The id that is named names it.
    let before = firm.engine.counters().unknown_orders;
    let cancel = firm.cancel(ids[2]);
    firm.decide(&cancel);
    assert_eq!(firm.engine.counters().unknown_orders, before);
}

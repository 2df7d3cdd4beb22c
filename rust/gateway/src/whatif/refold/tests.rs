//! The same entries under other limits, entry by entry.

use super::*;
use cwts_types::ReleaseDenied;

const LIMITS: &str = r#"
schema = 1
unlisted = "off"
[firm]
credit = "1_000"
[account.A]
max_order_qty = 10
"#;

fn refold() -> Refold {
    let mut refold = Refold::new("limits.toml", LIMITS.as_bytes()).unwrap();
    // The entries have another account first: handles differ.
    for (kind, handle, name) in [
        (RegisterKind::Account, 1, "B"),
        (RegisterKind::Account, 2, "A"),
        (RegisterKind::Strategy, 1, "S"),
        (RegisterKind::Instrument, 1, "X"),
    ] {
        let name = name.to_owned();
        refold.name(&Register { kind, handle, parent: 0, salt: [0; 16], name }).unwrap();
    }
    refold
}

fn order(order_id: u64, qty: i64) -> Order {
    Order {
        seq: order_id * 2,
        ts: order_id,
        px: 1_000_000_000,
        qty,
        order_id,
        ref_id: 0,
        instrument: 1,
        account: 2,
        strategy: 1,
        kind: OrderKind::New as u8,
        side: 1,
        type_tif: 2,
        flags: 0,
    }
}

fn decide(refold: &mut Refold, order: &Order) -> Option<bool> {
    match refold.order(order, false, true, |_| {}) {
        Again::Decided(own, outcome) => {
            assert_eq!(own.account, 1, "A is the first account of these limits");
            Some(outcome.decision.is_accepted())
        }
        Again::LeftOut => None,
    }
}

fn entry(refold: &mut Refold, body: Body) {
    refold.entry(9, &Entry { header: Header::default(), body }).unwrap();
}

#[test]
fn an_order_that_was_not_released_is_not_released_here_either() {
    let mut refold = refold();
    let denied =
        |order_id| Body::ReleaseDenied(ReleaseDenied { order_seq: 0, order_id, kill_epoch: 1 });
    assert_eq!(decide(&mut refold, &order(1, 5)), Some(true));
    entry(&mut refold, denied(1));
    assert!(!refold.engine.is_working(1) && refold.engine.firm_open() == 0);
    assert_eq!(decide(&mut refold, &order(2, 50)), Some(false));
    entry(&mut refold, denied(2));
    assert_eq!(refold.left_out, 1);
}

#[test]
fn phases_and_sessions_of_the_log_hold_here_too() {
    use cwts_types::{Control, Phase};
    let mut refold = refold();
    let session = |kind, phase| Body::Session(Session { kind, handle: 1, phase });
    let name = "FIX1".to_owned();
    // A session that only the log knows has a handle of its own kind.
    let register =
        Register { kind: RegisterKind::Session, handle: 1, parent: 0, salt: [0; 16], name };
    refold.entry(8, &Entry { header: Header::default(), body: Body::Register(register) }).unwrap();
    entry(&mut refold, session(SessionKind::Session, Phase::Closed));
    assert_eq!(decide(&mut refold, &order(1, 5)), Some(true), "nobody sends over it");
    entry(&mut refold, session(SessionKind::Instrument, Phase::Halted));
    match refold.order(&order(2, 5), false, true, |_| {}) {
        Again::Decided(_, outcome) => {
            let reasons = outcome.decision.reasons;
            assert!(reasons.contains(Control::InstrumentHalted), "{reasons:?}");
        }
        Again::LeftOut => panic!("left out"),
    }
}

#[test]
fn what_follows_on_a_refused_order_is_left_out() {
    let mut refold = refold();
    assert_eq!(decide(&mut refold, &order(1, 50)), Some(false));
    let fill = Exec { order_id: 1, exec_type: exec_type::TRADE, last_qty: 40, ..exec() };
    entry(&mut refold, Body::Exec(fill));
    let replace = Order { order_id: 2, ref_id: 1, kind: 2, ..order(2, 5) };
    assert_eq!(decide(&mut refold, &replace), None);
    let cancel = Order { order_id: 3, ref_id: 2, kind: 3, qty: 0, ..order(3, 0) };
    assert_eq!(decide(&mut refold, &cancel), None);
    assert_eq!((refold.left_out, refold.engine.counters().unknown_execs), (3, 0));
}

#[test]
fn a_refused_replace_leaves_its_order_and_the_end_of_both() {
    let mut refold = refold();
    assert_eq!(decide(&mut refold, &order(1, 5)), Some(true));
    let replace = Order { order_id: 2, ref_id: 1, kind: 2, ..order(2, 50) };
    assert_eq!(decide(&mut refold, &replace), Some(false));
    // A fill of the replaced order is of an order that was not there.
    let fill = Exec { order_id: 2, exec_type: exec_type::TRADE, last_qty: 20, ..exec() };
    entry(&mut refold, Body::Exec(fill));
    assert_eq!(refold.engine.filled(1), Some(0));
    let cancel = Order { order_id: 3, ref_id: 2, kind: 3, qty: 0, ..order(3, 0) };
    assert_eq!(decide(&mut refold, &cancel), Some(true));
    assert_eq!(refold.engine.counters().unknown_orders, 0, "it names the order that works");
    let end = Exec { order_id: 2, exec_type: exec_type::CANCELED, ..exec() };
    entry(&mut refold, Body::Exec(end));
    assert!(!refold.engine.is_working(1));
    assert_eq!(refold.engine.firm_open(), 0);
}

#[test]
fn a_markets_refused_replace_leaves_its_order_and_the_fills_of_both() {
    let mut refold = refold();
    let decide = |refold: &mut Refold, order: &Order| match refold.order(order, true, true, |_| {})
    {
        Again::Decided(_, outcome) => Some(outcome.decision.is_accepted()),
        Again::LeftOut => None,
    };
    let fill = |order_id, qty| {
        Body::Exec(Exec { order_id, exec_type: exec_type::TRADE, last_qty: qty, ..exec() })
    };
    let replace = |id, ref_id, qty| Order { order_id: id, ref_id, kind: 2, ..order(id, qty) };
    let reduce = |id, qty| Order { order_id: id, ref_id: id, kind: 3, ..order(id, qty) };
    assert_eq!(decide(&mut refold, &order(1, 9)), Some(true));
    assert_eq!(decide(&mut refold, &replace(2, 1, 50)), Some(false));
    entry(&mut refold, fill(2, 2));
    assert_eq!(refold.engine.filled(1), Some(2));
    assert_eq!(decide(&mut refold, &reduce(2, 1)), Some(true));
    assert_eq!(decide(&mut refold, &replace(3, 2, 60)), Some(false));
    entry(&mut refold, fill(3, 1));
    assert_eq!(refold.engine.filled(1), Some(3));
    assert_eq!(decide(&mut refold, &replace(4, 3, 10)), Some(true));
    entry(&mut refold, fill(4, 7));
    // All of it is filled; what the market fills beyond is nobody's.
    assert!(!refold.engine.is_working(1));
    assert_eq!((refold.left_out, refold.upstream.len(), refold.unchanged.len()), (0, 0, 0));
    // A whole order that was refused is forgotten with its last fill.
    assert_eq!(decide(&mut refold, &order(5, 50)), Some(false));
    entry(&mut refold, fill(5, 50));
    assert_eq!((refold.left_out, refold.upstream.len()), (1, 0));
}

#[test]
fn an_account_that_nobody_registered_stays_unknown() {
    let mut refold = refold();
    for account in [0, 77] {
        let unknown = Order { account, ..order(1, 1) };
        let Again::Decided(_, outcome) = refold.order(&unknown, false, false, |_| {}) else {
            panic!("an order on its own is decided");
        };
        let first = outcome.decision.reasons.first();
        assert_eq!(first, Some(cwts_types::Control::UnknownHandle));
    }
}

fn exec() -> Exec {
    Exec {
        seq: 0,
        ts: 9,
        order_id: 0,
        exec_id: 0,
        last_px: 0,
        last_qty: 0,
        cum_qty: 0,
        venue: 0,
        exec_type: 0,
        ord_status: 0,
        flags: 0,
    }
}

//! Reservations telescope: when no order works, nothing is reserved.

use cwts_risk::Engine;
use cwts_types::{Exec, Order, exec_type};
use proptest::prelude::*;

use crate::common::*;
use crate::entries::{limits, stream};

proptest! {
    #![proptest_config(cases(400))]

    /// Whatever reports came, twice, out of order or late.
    #[test]
    fn all_is_zero_when_none_work(
        entries in stream(120), shuffle in any::<u64>(), again in any::<bool>(),
    ) {
        let mut engine = Engine::new();
        let mut ids = Vec::new();
        let mut execs: Vec<Exec> = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            engine.step(index as u64, entry).unwrap();
            match &entry.body {
                cwts_types::Body::Order(order, _) => ids.push(order.order_id),
                cwts_types::Body::Exec(exec) => execs.push(*exec),
                _ => {}
            }
        }
        // Every report once more, in another order; without an id it cannot be told by that.
        execs.sort_by_key(|e| (e.order_id ^ shuffle).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for exec in &execs {
            engine.exec(&Exec { exec_id: if again { exec.exec_id } else { 0 }, ..*exec });
        }
        for id in ids {
            let end = Exec { order_id: id, exec_type: exec_type::CANCELED, ..Exec::default() };
            engine.exec(&end);
        }
        prop_assert_eq!(engine.working_orders(), 0);
        // New limits that show every sum; the reduce exemption shows the working quantity.
        let mut open = limits();
        for section in ["account.A", "account.B", "account.C", "account.D", "customer.c",
            "customer.e", "desk.d", "firm"]
        {
            open = open.set(section, "max_open_notional", "\"9000000000\"");
        }
        engine.activate(engine.limits_version() + 1, open.text().as_bytes()).unwrap();
        let rows = engine.usage();
        let open: Vec<_> = rows.iter().filter(|r| r.limit == "max_open_notional").collect();
        prop_assert_eq!(open.len(), 8);
        for row in open {
            prop_assert_eq!(row.used, 0, "{}", row.scope);
        }
        // What is held is what positions cost: level by level the same sum.
        let held = |scope: &str| {
            let row = rows.iter().find(|r| r.scope == scope && r.limit == "credit");
            row.unwrap().used
        };
        prop_assert_eq!(held("account:A") + held("account:B"), held("customer:c"));
        prop_assert_eq!(held("customer:c") + held("customer:e"), held("desk:d"));
        prop_assert_eq!(held("desk:d") + held("account:D"), held("firm"));
    }

    /// No working quantity is left either: the largest order that fits the position limit does.
    #[test]
    fn the_whole_position_limit_is_free_again(
        sizes in prop::collection::vec((1..50i64, any::<bool>(), 0..60i64), 1..20),
    ) {
        let position = "{ long = 2000, short = 2000 }";
        let limits = Limits::wide().set("account.A", "max_position", position);
        let mut firm = Firm::new(&limits);
        let mut ids = Vec::new();
        for (qty, is_buy, filled) in sizes {
            let order = firm.order(if is_buy { 1 } else { 2 }, qty, PX);
            let id = firm.accept(order);
            let replace = firm.replacing(id, Order { qty: qty + 7, ..order });
            firm.accept(replace);
            if filled > 0 {
                firm.fill(id, filled.min(qty), PX);
            }
            ids.push(id);
        }
        for id in ids {
            firm.report(id, exec_type::CANCELED);
        }
        let pos = firm.engine.position(A, I);
        for (side, free) in [(1, 2_000 - pos), (2, 2_000 + pos)] {
            let order = firm.order(side, free, PX);
            assert_accepted(&firm.engine.check(&order));
            let order = firm.order(side, free + 1, PX);
            prop_assert_eq!(names(&firm.engine.check(&order)), ["MAX_POSITION"]);
        }
    }
}

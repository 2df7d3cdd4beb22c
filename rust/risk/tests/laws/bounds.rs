//! Limits bound what they say, however orders are cut up or timed.

use cwts_types::{Control, Order};
use proptest::prelude::*;

use crate::common::*;
use crate::entries::{limits, order, stream};

proptest! {
    #![proptest_config(cases(300))]

    /// Many accounts are no way around the credit of what stands above them.
    #[test]
    fn splitting_over_accounts_never_passes_the_credit_above(
        orders in prop::collection::vec((1..=4u32, 1..60i64, 95..101i64, 0..4u8), 1..80),
        credits in (10..400i64, 10..400i64, 10..400i64),
    ) {
        let (customer, desk, whole) = (credits.0 * 100, credits.1 * 100, credits.2 * 100);
        let limits = Limits::wide()
            .set("customer.c", "credit", &format!("\"{customer}\""))
            .set("desk.d", "credit", &format!("\"{desk}\""))
            .set("firm", "credit", &format!("\"{whole}\""));
        let mut firm = Firm::new(&limits);
        let mut accepted: Vec<Order> = Vec::new();
        for (account, qty, px, what) in orders {
            let order = Order { account, strategy: 1 + account % 2, ..firm.buy(qty, px * UNIT) };
            match (what, accepted.last().copied()) {
                (0, Some(last)) => {
                    firm.fill(last.order_id, last.qty.min(qty), last.px);
                }
                (1, Some(last)) => {
                    let changed = Order { qty, px: order.px, ..last };
                    let replace = firm.replacing(last.order_id, changed);
                    firm.decide(&replace);
                }
                _ => {
                    if firm.decide(&order).decision.is_accepted() {
                        accepted.push(order);
                    }
                }
            }
            for (scope, credit) in [("customer:c", customer), ("desk:d", desk), ("firm", whole)] {
                let used = firm.used(scope, "credit");
                prop_assert!(used <= credit * MICROS, "{} uses {} of {}", scope, used, credit);
            }
        }
    }

    /// From one state: what was refused stays refused when one limit becomes stricter.
    #[test]
    fn tightening_never_lets_a_refused_order_in(
        entries in stream(50), order in order(), which in 0..13usize, cut in 0..50i64,
    ) {
        let mut engine = cwts_risk::Engine::new();
        for (i, entry) in entries.iter().enumerate() {
            engine.step(i as u64, entry).unwrap();
        }
        let version = engine.limits_version();
        engine.activate(version + 1, limits().text().as_bytes()).unwrap();
        let money = format!("\"{}\"", 100 * cut);
        let rate = format!("{{ max = {}, window = \"40ns\" }}", 1 + cut % 5);
        let position = format!("{{ long = {cut}, short = {cut} }}");
        let collar = format!("{{ bps = {cut}, reference = \"external\" }}");
        let (section, key, value) = match which {
            0 => ("account.A", "max_order_qty", cut.to_string()),
            1 => ("strategy.s", "max_order_qty", cut.to_string()),
            2 => ("instrument.I", "max_order_notional", money),
            3 => ("account.A", "credit", money),
            4 => ("customer.c", "credit", money),
            5 => ("desk.d", "credit", money),
            6 => ("firm", "credit", money),
            7 => ("customer.c", "max_open_notional", money),
            8 => ("account.A", "message_rate", rate),
            9 => ("account.A", "max_position", position),
            10 => ("instrument.I", "price_collar", collar),
            11 => ("account.A", "restricted", "{ deny = [\"I\"] }".to_owned()),
            _ => ("account.A", "duplicate_order", "{ window = \"15ns\" }".to_owned()),
        };
        let mut strict = engine.clone();
        let text = limits().set(section, key, &value).text();
        strict.activate(version + 2, text.as_bytes()).unwrap();
        // An order without a price is counted at the collar's far end, so a narrower collar makes
        // it smaller: that one pair is not ordered.
        prop_assume!(!(which == 10 && order.px == 0));
        let order = Order { ts: engine.last_ts() + 1, order_id: 999, kind: 1, ..order };
        let (wide, tight) = (engine.check(&order).decision, strict.check(&order).decision);
        prop_assert!(wide.is_accepted() || !tight.is_accepted(), "{} {} {:?}", section, key, wide);
        let lost = wide.reasons.0 & !tight.reasons.0;
        prop_assert_eq!(lost, 0, "no reason goes away");
    }

    /// Never more than N in any (t - w, t], times that stand or step back included.
    #[test]
    fn a_window_never_holds_more_than_its_maximum(
        max in 1..7usize, window in 1..50u64,
        steps in prop::collection::vec((-30..20i64, 0..6u8), 1..150),
    ) {
        let rate = format!("{{ max = {max}, window = \"{window}ns\" }}");
        let mut firm = Firm::new(&Limits::wide().set("account.A", "message_rate", &rate));
        let mut left: Vec<u64> = Vec::new();
        let mut now = START;
        let mut refused = 0;
        for (step, what) in steps {
            firm.ts = firm.ts.saturating_add_signed(step);
            now = now.max(firm.ts);
            let order = firm.buy(1, PX);
            if what == 0 {
                let cancel = firm.cancel(3);
                firm.decide(&cancel);
                left.push(now);
            } else {
                let inside = left.iter().filter(|t| now - **t < window).count();
                let decision = firm.decide(&order).decision;
                let is_over = decision.reasons.contains(Control::MessageRate);
                prop_assert_eq!(is_over, inside >= max, "no order more, and none less");
                refused += usize::from(is_over);
                if decision.is_accepted() {
                    left.push(now);
                    prop_assert!(inside < max);
                }
            }
        }
        prop_assert_eq!(firm.engine.counters().by_bit[26], refused as u64);
    }
}

//! Laws about sums, against sums that the test keeps itself on the other side.

use std::collections::BTreeMap;

use cwts_types::{Order, exec_type};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::common::*;

/// An order as the test remembers it: account, and terms (price in whole units, quantity), the
/// ones in force first, then those of unanswered replaces by their ids.
#[derive(Debug, Clone)]
struct Works {
    order: Order,
    terms: Vec<(u64, i64, i64)>,
    cum: i64,
}

impl Works {
    /// The most that it may still cost: dear quantity first, then what other terms have beyond it.
    fn money(&self) -> i64 {
        let mut terms = self.terms.clone();
        terms.sort_by_key(|(_, px, _)| -px);
        let (mut covered, mut out) = (0, 0);
        for (_, px, qty) in terms {
            let beyond = (qty - self.cum - covered).max(0);
            covered += beyond;
            out += px * beyond * MICROS;
        }
        out
    }

    fn is_done(&self) -> bool {
        self.terms.iter().all(|(_, _, qty)| *qty <= self.cum)
    }
}

#[derive(Debug, Clone)]
enum Act {
    New { account: u32, side: u8, qty: i64, px: i64 },
    Replace { target: Index, qty: i64, px: i64 },
    Answer { target: Index, what: u8 },
    Fill { target: Index, qty: i64 },
    End { target: Index, what: u8 },
}

fn act() -> impl Strategy<Value = Act> {
    let target = any::<Index>;
    prop_oneof![
        4 => (1..=4u32, prop::sample::select(vec![1u8, 2, 5]), 1..50i64, 90..110i64)
            .prop_map(|(account, side, qty, px)| Act::New { account, side, qty, px }),
        4 => (target(), 1..80i64, 90..110i64)
            .prop_map(|(target, qty, px)| Act::Replace { target, qty, px }),
        3 => (target(), prop::sample::select(b"558".to_vec()))
            .prop_map(|(target, what)| Act::Answer { target, what }),
        3 => (target(), 1..30i64).prop_map(|(target, qty)| Act::Fill { target, qty }),
        1 => (target(), prop::sample::select(b"43C".to_vec()))
            .prop_map(|(target, what)| Act::End { target, what }),
    ]
}

/// One act on both sides.
fn perform(firm: &mut Firm, works: &mut Vec<Works>, act: &Act) {
    let at = |target: &Index| (!works.is_empty()).then(|| target.index(works.len()));
    match act {
        Act::New { account, side, qty, px } => {
            let order = Order { account: *account, ..firm.order(*side, *qty, px * UNIT) };
            firm.accept(order);
            works.push(Works { order, terms: vec![(order.order_id, *px, *qty)], cum: 0 });
        }
        Act::Replace { target, qty, px } => {
            let Some(at) = at(target) else { return };
            let found = &mut works[at];
            let qty = qty + found.cum;
            let next = Order { qty, px: px * UNIT, ..found.order };
            let replace = firm.replacing(found.order.order_id, next);
            firm.accept(replace);
            found.terms.push((replace.order_id, *px, qty));
        }
        Act::Answer { target, what } => {
            let Some(at) = at(target) else { return };
            let found = &mut works[at];
            if found.terms.len() == 1 {
                return;
            }
            let which = 1 + target.index(found.terms.len() - 1);
            firm.report(found.terms[which].0, *what);
            if *what == exec_type::REPLACED {
                found.terms.drain(..which);
            } else {
                found.terms.remove(which);
            }
        }
        Act::Fill { target, qty } => {
            let Some(at) = at(target) else { return };
            let found = &mut works[at];
            let most = found.terms.iter().map(|(_, _, qty)| *qty).max().unwrap_or(0);
            found.cum = most.min(found.cum + qty);
            firm.fill(found.order.order_id, found.cum, PX);
        }
        Act::End { target, what } => {
            let Some(at) = at(target) else { return };
            firm.report(works[at].order.order_id, *what);
            works.remove(at);
        }
    }
    works.retain(|found| !found.is_done());
}

proptest! {
    #![proptest_config(cases(200))]

    /// At every step, at every node: what is reserved is what the working orders come to.
    #[test]
    fn what_is_reserved_is_the_sum_over_what_works(
        acts in prop::collection::vec(act(), 1..120),
    ) {
        let nodes: [(&str, &str, &[u32]); 8] = [
            ("account.A", "account:A", &[A]),
            ("account.B", "account:B", &[B]),
            ("account.C", "account:C", &[C]),
            ("account.D", "account:D", &[D]),
            ("customer.c", "customer:c", &[A, B]),
            ("customer.e", "customer:e", &[C]),
            ("desk.d", "desk:d", &[A, B, C]),
            ("firm", "firm", &[A, B, C, D]),
        ];
        let mut limits = Limits::wide();
        for (section, ..) in nodes {
            limits = limits.set(section, "max_open_notional", "\"1000000000\"");
        }
        let mut firm = Firm::new(&limits);
        let mut works = Vec::new();
        for act in acts {
            perform(&mut firm, &mut works, &act);
            let mut sums: BTreeMap<u32, i64> = BTreeMap::new();
            for found in &works {
                *sums.entry(found.order.account).or_default() += found.money();
            }
            for (_, scope, accounts) in nodes {
                let wanted: i64 = accounts.iter().filter_map(|a| sums.get(a)).sum();
                prop_assert_eq!(firm.used(scope, "max_open_notional"), wanted, "{}", scope);
            }
            prop_assert_eq!(firm.engine.working_orders(), works.len());
        }
    }
}

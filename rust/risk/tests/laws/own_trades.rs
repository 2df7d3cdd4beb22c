//! A rule on own trades holds at every level that has one, as a look at every working order says.

use cwts_types::{Control, Level, exec_type};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::common::*;

/// Of each account, the nodes above it and itself; see `registrations`.
const PARENTS: [[&str; 4]; 4] = [
    ["account.A", "customer.c", "desk.d", "firm"],
    ["account.B", "customer.c", "desk.d", "firm"],
    ["account.C", "customer.e", "desk.d", "firm"],
    ["account.D", "", "", "firm"],
];
const LEVELS: [Level; 4] = [Level::Account, Level::Customer, Level::Desk, Level::Firm];

#[derive(Debug, Clone)]
enum Act {
    Order { account: u32, instrument: u32, side: u8, px: i64 },
    Cancel(Index),
}

fn act() -> impl Strategy<Value = Act> {
    let order = (1..5u32, 1..3u32, 1..3u8, prop_oneof![8 => 97..104i64, 1 => Just(0)]);
    prop_oneof![
        5 => order.prop_map(|(account, instrument, side, px)| {
            Act::Order { account, instrument, side, px: px * UNIT }
        }),
        1 => any::<Index>().prop_map(Act::Cancel),
    ]
}

/// What a price of none reaches.
fn reach(side: u8, px: i64) -> i64 {
    match (px, side) {
        (0, 1) => i64::MAX,
        (0, _) => i64::MIN,
        _ => px,
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn at_every_level(
        ruled in prop::sample::subsequence(
            vec!["account.A", "account.C", "customer.c", "customer.e", "desk.d", "firm"], 0..5,
        ),
        is_alert in any::<bool>(),
        acts in prop::collection::vec(act(), 1..80),
    ) {
        let mut limits = Limits::wide();
        for section in &ruled {
            limits = limits.set(section, "self_trade", "\"reject_newest\"");
        }
        if is_alert {
            // Then they pass and cross, and the next one meets many.
            limits = limits.set("control", "severity", "{ SELF_TRADE = \"alert\" }");
        }
        let mut firm = Firm::new(&limits);
        firm.engine.reference(J, PX, firm.ts);
        // Id, account, instrument, side, reach.
        let mut working: Vec<(u64, u32, u32, u8, i64)> = Vec::new();
        for act in acts {
            let (account, instrument, side, px) = match act {
                Act::Order { account, instrument, side, px } => (account, instrument, side, px),
                Act::Cancel(at) => {
                    if !working.is_empty() {
                        let gone = working.remove(at.index(working.len()));
                        firm.report(gone.0, exec_type::CANCELED);
                    }
                    continue;
                }
            };
            let mut order = firm.order(side, 1, px);
            (order.account, order.instrument) = (account, instrument);
            order.type_tif = if px == 0 { 1 } else { 2 };
            let own = PARENTS[account as usize - 1];
            let meets = |place: usize| {
                let met = working.iter().filter(|(_, whose, where_, other, at)| {
                    *where_ == instrument
                        && *other != side
                        && PARENTS[*whose as usize - 1][place] == own[place]
                        && if side == 1 { reach(1, px) >= *at } else { reach(2, px) <= *at }
                });
                let prices = met.map(|row| row.4);
                if side == 1 { prices.min() } else { prices.max() }
            };
            let wanted = (0..4)
                .filter(|place| ruled.contains(&own[*place]))
                .find_map(|place| meets(place).map(|met| (LEVELS[place], met)));
            let outcome = firm.engine.check(&order);
            let got = outcome.violations.iter().find(|v| v.control == Control::SelfTrade);
            if !is_alert {
                prop_assert_eq!(got.map(|v| (v.level, v.limit)), wanted, "{:?}", order);
                prop_assert_eq!(outcome.decision.is_accepted(), wanted.is_none());
            }
            firm.decide(&order);
            if firm.engine.working_orders() > working.len() {
                let row = (order.order_id, account, instrument, side, reach(side, px));
                working.push(row);
            }
            prop_assert_eq!(firm.engine.working_orders(), working.len());
        }
    }
}

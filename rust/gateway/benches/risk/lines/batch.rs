//! Many orders over many instruments and accounts.

use std::collections::HashSet;
use std::path::Path;

use cwts_gateway::Gateway;
use cwts_types::{Exec, Order, Verdict};
use serde_json::{Value, json};

use super::Size;
use super::desk::{gateway, orders};
use super::timing::{Times, cpu};

/// The file's orders under each of the two limits files, kept and only checked.
pub(super) fn batch(dir: &Path, size: Size, say: &mut dyn FnMut(Value)) {
    let mut orders = orders(&dir.join("orders.bin"));
    let distinct =
        |of: fn(&Order) -> (u32, u32)| orders.iter().map(of).collect::<HashSet<_>>().len();
    let facts = json!({
        "orders": orders.len(), "orders_a_call": CALL,
        "instruments": distinct(|o| (o.instrument, 0)), "accounts": distinct(|o| (o.account, 0)),
        "holdings": distinct(|o| (o.account, o.instrument)), "rounds": size.rounds,
    });
    for controls in ["common", "every"] {
        let limits = dir.join(controls).with_extension("toml");
        let mut gateway = gateway(&limits, reference(&orders), None);
        let mut line = |api: &str, times: &Times| {
            let mut line = facts.clone();
            line["name"] = json!(format!("batch_{controls}"));
            line["peer"] = json!(api);
            line["ours"] = json!(times.median());
            line["ours_min"] = json!(times.min());
            line["unit"] = json!("ns/order");
            say(line);
        };
        // Before anything works: the state that is copied is as small as it gets.
        let checked =
            Times::alone(size.rounds.min(CHECK_ROUNDS), || check(&mut gateway, &mut orders));
        line("check_batch", &checked);
        let submitted = Times::alone(size.rounds, || submit(&mut gateway, &orders));
        line("submit_batch", &submitted);
    }
}

fn check(gateway: &mut Gateway, orders: &mut [Order]) -> f64 {
    // A microsecond apart: at one time a million orders would be one burst.
    for (ts, order) in (cwts_gateway::system_utc_ns()..).step_by(1_000).zip(orders.iter_mut()) {
        order.ts = ts;
    }
    let mut out = Vec::new();
    let ns = cpu(orders.len(), || out = gateway.check_batch(orders).unwrap());
    let refused = out.iter().find(|d| d.verdict != Verdict::Accept as u8);
    assert!(refused.is_none(), "{refused:?}");
    ns
}

/// Submits all, in calls of [`CALL`], and takes them back without counting that.
fn submit(gateway: &mut Gateway, orders: &[Order]) -> f64 {
    let mut spent = 0.0;
    for call in orders.chunks(CALL) {
        let mut out = Vec::new();
        spent += cpu(1, || out = gateway.submit_batch(call).unwrap());
        for decision in out {
            assert_eq!(decision.verdict, Verdict::Accept as u8, "{decision:?}");
            let gone = Exec {
                order_id: decision.order_id,
                exec_type: b'4',
                ord_status: b'4',
                ..Exec::default()
            };
            gateway.on_execution_report(&gone).unwrap();
        }
    }
    spent / orders.len() as f64
}

/// The middle of the file's prices, as its writer chose them.
fn reference(orders: &[Order]) -> i64 {
    let px = orders.iter().map(|order| order.px);
    i64::midpoint(px.clone().min().unwrap_or(0), px.max().unwrap_or(0))
}

/// Orders a call: their decisions are 2 MB, which an allocator keeps for the next call; and a sum
/// over a window remembers more acceptances than these, should a call have one time for all.
const CALL: usize = 32_768;
/// A check may copy the state: a few rounds are enough to say what that costs.
const CHECK_ROUNDS: usize = 7;

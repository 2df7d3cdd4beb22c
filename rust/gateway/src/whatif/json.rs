//! The answer as one JSON object, schema `cwts/whatif/v1`. Keys only get added.

use cwts_types::{CONTROLS, Control, Reasons, RegisterKind, Side, format_e9};
use serde_json::{Map, Value, json};

use super::flips::{Flip, Tally, kind_name};
use super::{Compare, WhatIfOptions};

/// What the old decisions came from.
pub(super) struct Source {
    pub(super) kind: &'static str,
    pub(super) path: String,
    pub(super) old_path: String,
    pub(super) old_sha256: String,
    pub(super) old_versions: u32,
    pub(super) input_sha256: Option<String>,
    pub(super) mapping: Option<&'static str>,
}

pub(super) fn document(compare: &Compare, source: &Source, options: &WhatIfOptions) -> Value {
    let registry = compare.refold.engine.registry();
    let names = |kind| registry.names(kind).collect::<Vec<_>>();
    let flips = compare.newly_rejected.orders + compare.newly_accepted.orders;
    json!({
        "schema": SCHEMA,
        "source": {
            "kind": source.kind,
            "path": source.path,
            "sha256": source.input_sha256,
            "mapping": source.mapping,
        },
        "old": {
            "path": source.old_path,
            "sha256": source.old_sha256,
            "versions": source.old_versions,
        },
        "new": {
            "path": options.limits.0,
            "sha256": crate::sha256_hex(&options.limits.1),
        },
        "orders": compare.orders,
        "old_accepted": compare.old_accepted,
        "new_accepted": compare.new_accepted,
        "flips": flips,
        "newly_rejected": tally(&compare.newly_rejected),
        "newly_accepted": tally(&compare.newly_accepted),
        "other_reasons": compare.other_reasons,
        "denied_upstream": {
            "orders": compare.left_out_orders,
            "entries": compare.refold.left_out,
        },
        "without_fate": {
            "orders": compare.newly_accepted.orders,
            "working_at_end": working_at_end(compare),
            "may_follow": compare.may_follow,
        },
        "own_limits": if compare.checked {
            json!({ "differing": compare.differing, "first_entry": compare.first_differing })
        } else {
            Value::Null
        },
        "unlogged": compare.unlogged,
        "listed": compare.kept.iter().take(LISTED_MAX).map(|f| row(f, compare)).collect::<Vec<_>>(),
        "kept": compare.kept.len(),
        "names": {
            "instruments": names(RegisterKind::Instrument),
            "accounts": names(RegisterKind::Account),
            "strategies": names(RegisterKind::Strategy),
        },
        "notes": notes(compare),
    })
}

fn tally(tally: &Tally) -> Value {
    let counted = |counts: &[u64]| {
        let rows = CONTROLS.iter().zip(counts).filter(|(_, n)| **n > 0);
        rows.map(|(row, n)| (row.name.to_owned(), json!(n))).collect::<Map<_, _>>()
    };
    json!({
        "orders": tally.orders,
        // Text: a sum of money may be larger than what every reader's numbers hold.
        "notional_micros": tally.notional.to_string(),
        "by_first": counted(&tally.by_first),
        "by_bit": counted(&tally.by_bit),
    })
}

fn working_at_end(compare: &Compare) -> usize {
    let engine = &compare.refold.engine;
    // A count: the same in any order.
    compare.fateless.iter().filter(|id| engine.is_working(**id)).count()
}

fn row(flip: &Flip, compare: &Compare) -> Value {
    let registry = compare.refold.engine.registry();
    let name = |kind, handle| registry.name(kind, handle).unwrap_or("?");
    let reasons = |r: Reasons| r.iter().map(Control::name).collect::<Vec<_>>();
    let order = &flip.order;
    json!({
        "seq": order.seq,
        "ts_ns": order.ts,
        "order_id": order.order_id,
        "kind": kind_name(order),
        "account": name(RegisterKind::Account, order.account),
        "strategy": name(RegisterKind::Strategy, order.strategy),
        "symbol": name(RegisterKind::Instrument, order.instrument),
        "side": Side::from_code(order.side).map_or("none", Side::name),
        "qty": order.qty,
        "price": if order.px == 0 { "market".to_owned() } else { format_e9(order.px) },
        "notional_micros": flip.notional.to_string(),
        "old": reasons(flip.old),
        "new": reasons(flip.new),
    })
}

fn notes(compare: &Compare) -> Vec<String> {
    let mut out = compare.notes.clone();
    if compare.newly_accepted.orders > 0 {
        out.push(
            "an order that is newly accepted has no known fate: it counts as unfilled, and works \
             to the end"
                .to_owned(),
        );
    }
    if compare.may_follow > 0 {
        out.push(format!(
            "{} of the newly rejected violate only limits on what works or is held, after an \
             order without a fate: they may follow from it",
            compare.may_follow
        ));
    }
    if compare.newly_rejected.orders > 0 {
        out.push(
            "an order that is newly rejected takes its later fills, cancels and replaces with it \
             (DENIED_UPSTREAM)"
                .to_owned(),
        );
    }
    if compare.unlogged > 0 {
        out.push(format!(
            "{} orders were refused while the log had no room and are not in it",
            compare.unlogged
        ));
    }
    out
}

/// Flips in the document; the rest is in the records and the CSV file.
const LISTED_MAX: usize = 200;
/// Name of this document's schema.
const SCHEMA: &str = "cwts/whatif/v1";

//! The result as one JSON object, schema `cwts/replay/v1`. Keys only get added.

use cwts_audit::Checkpoint;
use cwts_audit::note::base64_hash;
use cwts_feeds::decoder::Notice;
use cwts_feeds::inject::Injected;
use cwts_types::{CONTROLS, Control};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::fold::Fold;
use super::inputs::InputState;
use super::merge::InputDone;
use super::{ReplayOptions, ReplayStats};
use crate::hex;
use crate::registers::RegisterKind;

/// Where the time went.
pub(super) struct Seconds {
    pub(super) decode: f64,
    pub(super) check: f64,
    pub(super) log: f64,
    pub(super) total: f64,
}

pub(super) fn document(
    inputs: &[InputDone],
    options: &ReplayOptions,
    fold: &Fold<'_>,
    checkpoint: Option<&Checkpoint>,
    seconds: &Seconds,
) -> Value {
    let stats = &fold.stats;
    let counted = |counts: &[u64]| {
        let rows = CONTROLS.iter().zip(counts).filter(|(_, n)| **n > 0);
        rows.map(|(row, n)| (row.name.to_owned(), json!(n))).collect::<Map<_, _>>()
    };
    let masks: Map<String, Value> = stats
        .by_mask
        .iter()
        .map(|(mask, n)| {
            let names: Vec<&str> = cwts_types::Reasons(*mask).iter().map(Control::name).collect();
            let key = if names.is_empty() { "ACCEPT".to_owned() } else { names.join("|") };
            (key, json!(n))
        })
        .collect();
    let mut anomalies = Map::new();
    anomalies.insert("UNKNOWN_ORDER".to_owned(), json!(stats.orphans));
    if stats.empty_reduces > 0 {
        anomalies.insert("EMPTY_REDUCE".to_owned(), json!(stats.empty_reduces));
    }
    anomalies.insert("TIME_BACK".to_owned(), json!(stats.time_back));
    anomalies.insert("DENIED_UPSTREAM".to_owned(), json!(stats.denied_upstream));
    for notice in Notice::ALL.iter().filter(|notice| !notice.text().is_empty()) {
        let count: u64 = inputs.iter().map(|input| input.facts.counts.notices.count(*notice)).sum();
        if count > 0 {
            anomalies.insert(notice.code().to_owned(), json!(count));
        }
    }
    let quantile = |q: f64| stats.latency.value_at_quantile(q);
    let log = checkpoint.map_or(Value::Null, |checkpoint| {
        json!({
            "dir": options.dir.as_ref().map(|d| d.display().to_string()),
            "entries": checkpoint.size,
            "origin": checkpoint.origin,
            "root": hex(&checkpoint.root),
            "checkpoint": checkpoint_text(checkpoint),
            "durable": true,
        })
    });
    json!({
        "schema": SCHEMA,
        "inputs": inputs.iter().zip(&fold.inputs).map(|(input, state)| json!({
            "path": input.path,
            "sha256": input.facts.sha256.map(|d| hex(&d)),
            "format": input.facts.format.name(),
            "bytes": input.facts.bytes,
            "records": input.facts.counts.records,
            "skipped": skipped(input, state),
            "injected": input.injected.map(|i| injected(&i, stats)),
        })).collect::<Vec<_>>(),
        "limits": {
            "path": options.limits.0,
            "sha256": hex(&Sha256::digest(&options.limits.1)),
            "version": fold.engine.limits_version(),
        },
        "mapping": {
            "account": fold.mapping.name(),
            "replace": if fold.replace_apply { "apply" } else { "check" },
        },
        "events": stats.events,
        "orders": stats.orders,
        "accepted": stats.accepted,
        "by_first": counted(&stats.by_first),
        "by_bit": counted(&stats.by_bit),
        "by_mask": masks,
        "passed": { "cancel": stats.cancels, "fill": stats.fills },
        "anomalies": anomalies,
        "halt": stats.halted_at.map(|at| json!({
            "orders_before": at,
            "accepted_after": stats.accepted_after_halt,
        })),
        "decisions_sha256": hex(&stats.letters_sha256()),
        "log": log,
        "ns_per_order": {
            "p50": quantile(0.5),
            "p99": quantile(0.99),
            "p999": quantile(0.999),
            "burst_p999": stats.burst.value_at_quantile(0.999),
        },
        "seconds": {
            "decode": seconds.decode,
            "check": seconds.check,
            "log": seconds.log,
            "total": seconds.total,
        },
        "series": series(fold),
        "latency": latency(fold),
        "top_denials": denials(fold),
        "denials_total": stats.orders - stats.accepted,
        "labels": stats.labels().iter().map(|l| json!({
            "seq": l.seq, "kind": l.kind, "expect": l.expect, "found": l.found, "got": l.got,
        })).collect::<Vec<_>>(),
        "limit_use": limit_use(fold),
        "against_limits": fold.limit_use.as_ref().map_or_else(
            || json!({ "measured": false }),
            |seen| seen.document(&fold.engine),
        ),
        "registers": fold.registers.as_ref().map(|registers| {
            let records = |kind: &RegisterKind| (kind.name().to_owned(), registers.records(*kind));
            RegisterKind::ALL.iter().map(records).collect::<Map<_, _>>()
        }),
        "controls": CONTROLS.iter().map(|row| {
            (row.name.to_owned(), json!({ "title": row.text, "cite": row.citation }))
        }).collect::<Map<_, _>>(),
        "warnings": warnings(inputs, fold),
        "mapping_notes": mapping_notes(fold),
    })
}

/// What was put into the input, and how many of the refused orders are of it.
/// What gave no entry, by what it was.
fn skipped(input: &InputDone, state: &InputState) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("SNAPSHOT".to_owned(), json!(state.snapshot));
    out.insert("CONSEQUENCE".to_owned(), json!(state.consequence));
    for (notice, count, _) in input.facts.counts.notices.met() {
        // What is passed over is skipped; what is odd about it is an anomaly as well.
        if notice.is_skipped() {
            out.insert(notice.code().to_owned(), json!(count));
        }
    }
    out
}

fn injected(injected: &Injected, stats: &ReplayStats) -> Value {
    let refused = stats.orders - stats.accepted;
    json!({
        "seed": injected.seed,
        "planned": injected.planned,
        "anomalies": stats.labels().len(),
        "events": injected.events,
        "refused": {
            "injected": stats.refused_of_labels,
            "ordinary": refused - stats.refused_of_labels,
        },
    })
}

fn series(fold: &Fold<'_>) -> Value {
    let series = &fold.stats.series;
    let count = series.orders.len();
    let times: Vec<u64> =
        (0..count as u64).map(|i| series.start_ns + i * series.width_ns).collect();
    let rejected: Map<String, Value> = series
        .rejected
        .iter()
        .filter_map(|(bit, column)| {
            let mut column = column.clone();
            column.resize(count, 0);
            Some((Control::from_bit(*bit)?.name().to_owned(), json!(column)))
        })
        .collect();
    let limit = fold.engine.firm_open_limit();
    json!({
        "t_ns": times,
        "width_ns": series.width_ns,
        "orders": series.orders,
        "accepted": series.accepted,
        "rejected": rejected,
        "open_notional": series.open_notional,
        "open_notional_limit": limit,
    })
}

/// The three lines that the log's key signs.
fn checkpoint_text(checkpoint: &Checkpoint) -> String {
    let root = base64_hash(&checkpoint.root);
    format!("{}\n{}\n{root}", checkpoint.origin, checkpoint.size)
}

/// A histogram in quarter octaves: enough for a plot.
fn latency(fold: &Fold<'_>) -> Value {
    let mut edges: Vec<u64> = Vec::new();
    for octave in 4..32u32 {
        for quarter in 0..4u64 {
            edges.push((1u64 << octave) + quarter * (1u64 << octave) / 4);
        }
    }
    let mut counts = vec![0u64; edges.len() - 1];
    for value in fold.stats.latency.iter_recorded() {
        let ns = value.value_iterated_to();
        let at = edges.partition_point(|edge| *edge <= ns).saturating_sub(1);
        counts[at.min(edges.len() - 2)] += value.count_at_value();
    }
    let used = counts.iter().rposition(|n| *n > 0).map_or(1, |at| at + 1);
    let first = counts.iter().position(|n| *n > 0).unwrap_or(0).min(used - 1);
    json!({ "edges_ns": &edges[first..=used], "counts": &counts[first..used] })
}

fn denials(fold: &Fold<'_>) -> Vec<Value> {
    let row = |d: &super::Denial| {
        json!({
            "seq": d.seq, "order_id": d.order_id, "ts_ns": d.ts_ns, "symbol": d.symbol,
            "account": d.account, "side": d.side, "qty": d.qty, "price": d.price,
            "first": d.first, "reasons": d.reasons, "text": d.text,
        })
    };
    fold.stats.denials.iter().map(row).collect()
}

fn limit_use(fold: &Fold<'_>) -> Vec<Value> {
    let rows = match &fold.limit_use {
        Some(seen) => fold.engine.usage_since(seen.peaks()),
        None => fold.engine.usage(),
    };
    // A peak that nobody kept is no row of a run that nobody looked at.
    let mut rows: Vec<_> = rows.into_iter().filter_map(|row| Some((row.peak?, row))).collect();
    // The fullest first; a report shows the head.
    rows.sort_by(|a, b| {
        let share = |peak: i64, max: i64| i128::from(peak) * 1_000_000 / i128::from(max.max(1));
        let order = share(b.0, b.1.max).cmp(&share(a.0, a.1.max));
        order.then_with(|| a.1.scope.cmp(&b.1.scope))
    });
    rows.truncate(LIMIT_ROWS_MAX);
    rows.iter()
        .map(|(peak, u)| {
            let pct = if u.max > 0 { *peak as f64 * 100.0 / u.max as f64 } else { 0.0 };
            json!({
                "scope": u.scope, "limit": u.limit, "control": u.control.name(),
                "used": u.used, "peak": peak, "max": u.max, "pct": pct,
                "money": u.unit == cwts_risk::Unit::Micros, "unit": u.unit.name(),
            })
        })
        .collect()
}

fn warnings(inputs: &[InputDone], fold: &Fold<'_>) -> Vec<String> {
    let mut out = Vec::new();
    // Anomalies that found no place leave the input as it was.
    let any = !fold.stats.labels().is_empty();
    for injected in inputs.iter().filter_map(|input| input.injected).filter(|_| any) {
        out.push(format!(
            "{} anomalies of {} events were injected (seed {}): this is not the input as it was",
            fold.stats.labels().len(),
            injected.events,
            injected.seed
        ));
    }
    if fold.stats.orphans > 0 {
        out.push(format!(
            "{} rows name orders that the file never added; their cancels passed, their fills \
             were prints",
            fold.stats.orphans
        ));
    }
    if fold.stats.empty_reduces > 0 {
        out.push(format!(
            "{} rows reduce an order by nothing; they changed nothing",
            fold.stats.empty_reduces
        ));
    }
    if fold.stats.time_back > 0 {
        out.push(format!(
            "{} rows step back in time; the controls saw the last time",
            fold.stats.time_back
        ));
    }
    for input in inputs {
        let of = if inputs.len() > 1 { format!("{}: ", input.path) } else { String::new() };
        for (notice, count, at) in input.facts.counts.notices.met() {
            if !notice.text().is_empty() {
                out.push(format!("{of}{count} {}; the first at byte {at}", notice.text()));
            }
        }
        for column in &input.ignored {
            out.push(format!("{of}column `{column}` is not read"));
        }
    }
    if fold.is_session && fold.stats.orders > 0 && fold.stats.reports == 0 {
        out.push(
            "the log holds no execution report: every order counts as working to its end"
                .to_owned(),
        );
    }
    out
}

fn mapping_notes(fold: &Fold<'_>) -> Vec<&'static str> {
    let mut out = vec!["A denied order has no known fate: it is treated as never sent."];
    if fold.is_session {
        out.push(
            "The log is one session: an order works until the venue's report ends it, as it does \
             live; a cancel alone does not free what it reserved.",
        );
    } else if fold.mapping == super::Mapping::All {
        out.push(
            "Every order of the market counts as one account's; positions come from resting \
         fills only, because the file does not name the aggressor.",
        );
    }
    out
}

/// Rows of limit use in the result.
const LIMIT_ROWS_MAX: usize = 200;
/// Name of this document's schema.
const SCHEMA: &str = "cwts/replay/v1";

//! What a log tells a person: the gateway's status, and one order's whole story.

use std::path::Path;

use cwts_audit::holds::{CHANGE_SUFFIX, HALF_SUFFIX, KillAction, KillRequest, REQUESTS_DIRECTORY};
use cwts_risk::{Engine, Registry, Usage, value_text, violation_text};
use cwts_types::{
    Body, CONTROLS, Entry, Level, Order, OrderKind, OrderType, RegisterKind, Side, Verdict,
    Violation, exec_type, format_e9,
};
use serde_json::{Map, Value, json};

use crate::GatewayError;
use crate::follow::{Folded, fold_log, scope_text};
use crate::reader::is_running;

/// Holds, limits and their use, rejections, and how far the log is durable.
///
/// # Errors
/// There is no log, or it does not fold.
pub fn status(dir: &Path) -> Result<Value, GatewayError> {
    let running = is_running(dir);
    let folded = fold_log(dir, |_, _, _| Ok(()))?;
    Ok(status_of(dir, running, &folded))
}

/// [`status`] of a log that is folded already.
pub fn status_of(dir: &Path, running: bool, folded: &Folded) -> Value {
    let engine = &folded.engine;
    let holds: Vec<Value> = engine
        .holds()
        .map(|hold| {
            let mut row = hold_row(engine.registry(), hold);
            row["utc_ns"] = json!(folded.hold_times_ns.get(&hold.id));
            row
        })
        .collect();
    let mut out = engine_state(engine);
    let usage = engine.usage_since(&folded.peaks);
    let more = json!({
        "dir": dir.display().to_string(),
        "running": running,
        "closed": folded.is_closed,
        "origin": folded.genesis.as_ref().map(|g| g.origin.clone()),
        "entries": folded.facts.size,
        "bytes": folded.facts.bytes,
        "last_fsync_utc_ns": folded.facts.last_commit_utc_ns,
        "holds": holds,
        "usage": usage.iter().map(usage_row).collect::<Vec<_>>(),
        "pending": pending(dir),
        "refused_requests": &folded.refused,
        "unlogged": folded.unlogged,
        "alerts": folded.alerts.iter().map(|t| crate::alert_row(engine, t)).collect::<Vec<_>>(),
        "alert_count": folded.alert_count,
        "scopes": engine.registry().scope_names(),
    });
    merge(&mut out, more);
    out
}

/// What an engine can say of itself.
pub fn engine_state(engine: &Engine) -> Value {
    let counters = engine.counters();
    let rejections: Map<String, Value> =
        engine.refusals().into_iter().map(|(c, n)| (c.name().to_owned(), json!(n))).collect();
    json!({
        "limits_version": engine.limits_version(),
        "limits": crate::limits_state(engine),
        "orders": counters.orders,
        "accepted": counters.accepted,
        "cancels": counters.cancels,
        "soft_blocks": counters.soft_blocks,
        "today": crate::trigger_counts_row(&engine.trigger_counts(engine.last_ts())),
        "working": engine.working_orders(),
        "rejections": rejections,
        "usage": engine.usage().iter().map(usage_row).collect::<Vec<_>>(),
        "holds": engine.holds().map(|h| hold_row(engine.registry(), h)).collect::<Vec<_>>(),
    })
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

fn usage_row(usage: &Usage) -> Value {
    json!({
        "scope": usage.scope, "limit": usage.limit, "used": usage.used, "peak": usage.peak,
        "max": usage.max, "money": usage.unit == cwts_risk::Unit::Micros,
        "unit": usage.unit.name(), "control": usage.control.name(),
    })
}

fn hold_row(registry: &Registry, hold: &cwts_risk::Hold) -> Value {
    json!({
        "id": hold.id,
        "scope": registry.scope_name(hold.at()),
        "state": hold.kill_state().name(),
        "actor": hold.actor,
        "reason": hold.reason,
        "rank": hold.rank,
        "allow_reduce": hold.allow_reduce,
        "seq": hold.seq,
    })
}

/// Requests that no gateway has taken in yet.
fn pending(dir: &Path) -> Vec<Value> {
    let Ok(entries) = std::fs::read_dir(dir.join(REQUESTS_DIRECTORY)) else { return Vec::new() };
    let mut paths: Vec<_> = entries.filter_map(|e| Some(e.ok()?.path())).take(4_096).collect();
    paths.sort();
    let row = |path: &std::path::PathBuf| {
        let file = path.file_name()?.to_string_lossy().into_owned();
        if file.ends_with(CHANGE_SUFFIX) || file.ends_with(HALF_SUFFIX) {
            return crate::limits_state::pending_row(path, &file);
        }
        let bytes = std::fs::read(path).ok()?;
        let Ok(request) = KillRequest::parse(&bytes) else {
            return Some(json!({ "file": file, "action": "unreadable", "scope": "firm" }));
        };
        let (action, scope) = match &request.action {
            KillAction::Halt(s) => ("halt", scope_text(s)),
            KillAction::Reduce(s) => ("reduce", scope_text(s)),
            KillAction::Resume { hold, .. } => ("resume", format!("hold {hold}")),
        };
        Some(json!({
            "file": file, "action": action, "scope": scope,
            "actor": request.actor, "reason": request.reason,
            "cancel_working": request.cancel_working,
        }))
    };
    paths.iter().filter_map(row).collect()
}

/// One violation with everything that a person asks about it.
pub fn violation_row(engine: &Engine, violation: &Violation, symbol: &str) -> Value {
    let info = violation.control.info();
    json!({
        "control": info.name,
        "level": violation.level.name(),
        "scope": cwts_risk::scope_text(engine.registry(), violation.level, violation.scope),
        "observed": value_text(violation.control, violation.observed),
        "limit": value_text(violation.control, violation.limit),
        "text": violation_text(engine.registry(), violation),
        "title": info.text,
        "citation": info.citation,
        "fix103": info.fix103,
        "cure": engine.cure(violation, symbol),
    })
}

/// Everything that the log says of one order id.
///
/// # Errors
/// There is no log, or it does not fold.
pub fn explain(dir: &Path, order_id: u64) -> Result<Value, GatewayError> {
    let mut stories: Vec<Value> = Vec::new();
    let mut open: Option<(Order, Option<Value>)> = None;
    let mut references: std::collections::BTreeMap<u32, (u64, i64)> =
        std::collections::BTreeMap::new();
    fold_log(dir, |index, entry, engine| {
        match &entry.body {
            Body::Reference(reference) => {
                // The one that the collar listens to: prints and middles may stand side by side.
                if let Some(px) = engine.reference_price(reference) {
                    references.insert(reference.instrument, (index, px));
                }
            }
            Body::Order(order, _) if order.order_id == order_id || order.ref_id == order_id => {
                let reference = references
                    .get(&order.instrument)
                    .map(|(seq, px)| json!({ "seq": seq, "px": format_e9(*px) }));
                open = Some((*order, reference));
            }
            Body::Decision(decision, violations) => {
                if let Some((order, reference)) = open.take()
                    && decision.order_seq == order.seq
                {
                    if order.ref_id == order_id && is_cancel(&order) && !stories.is_empty() {
                        let what = json!({ "seq": order.seq, "what": "cancel passed" });
                        push_later(&mut stories, what);
                    } else {
                        stories.push(story(engine, &order, decision, violations, reference));
                    }
                }
            }
            _ => later(entry, index, order_id, &mut stories),
        }
        Ok(())
    })?;
    Ok(json!({ "order_id": order_id, "found": stories.len(), "stories": stories }))
}

fn is_cancel(order: &Order) -> bool {
    matches!(order.order_kind(), Some(OrderKind::Cancel | OrderKind::MassCancel))
}

/// What happened to the order after its decision.
fn later(entry: &Entry, index: u64, order_id: u64, stories: &mut [Value]) {
    let what = match &entry.body {
        Body::Exec(exec) if exec.order_id == order_id => match exec.exec_type {
            exec_type::TRADE => {
                format!("fill of {} at {}", exec.last_qty, format_e9(exec.last_px))
            }
            exec_type::CANCELED => "canceled".to_owned(),
            exec_type::REPLACED => "replaced".to_owned(),
            exec_type::REJECTED => "rejected by the venue".to_owned(),
            exec_type::EXPIRED => "expired".to_owned(),
            exec_type::DONE_FOR_DAY => "done for the day".to_owned(),
            other => format!("report {}", char::from(other)),
        },
        Body::Override(said) if said.order_id == order_id => {
            let names: Vec<&str> = said.controls.iter().map(cwts_types::Control::name).collect();
            format!(
                "{} and {} let it pass {} once, before {}: {}",
                said.actor,
                said.approver,
                names.join(", "),
                said.expires_ns,
                said.reason
            )
        }
        Body::Alert(alert) if alert.order_id == order_id => {
            let name = alert.control.map_or("", cwts_types::Control::name);
            let value = |v| alert.control.map_or_else(String::new, |c| value_text(c, v));
            let percent =
                if alert.percent == 0 { String::new() } else { format!(" {} %", alert.percent) };
            format!(
                "alert, {}: {name}{percent}, observed {}, limit {}",
                alert.kind.name(),
                value(alert.observed),
                value(alert.limit)
            )
        }
        Body::ReleaseDenied(denied) if denied.order_id == order_id => {
            "not released: a halt came in between".to_owned()
        }
        _ => return,
    };
    push_later(stories, json!({ "seq": index, "what": what }));
}

fn push_later(stories: &mut [Value], what: Value) {
    let rows = stories.last_mut().and_then(|story| story["later"].as_array_mut());
    if let Some(rows) = rows
        && rows.len() < LATER_MAX
    {
        rows.push(what);
    }
}

fn story(
    engine: &Engine,
    order: &Order,
    decision: &cwts_types::Decision,
    violations: &[Violation],
    reference: Option<Value>,
) -> Value {
    let registry = engine.registry();
    let name = |kind, handle| registry.name(kind, handle).unwrap_or("(unknown)").to_owned();
    let symbol = name(RegisterKind::Instrument, order.instrument);
    let account = name(RegisterKind::Account, order.account);
    let strategy = name(RegisterKind::Strategy, order.strategy);
    let side = Side::from_code(order.side).map_or("none", Side::name);
    let kind = match order.order_kind() {
        Some(OrderKind::New) => "new",
        Some(OrderKind::Replace) => "replace",
        Some(OrderKind::Cancel) => "cancel",
        Some(OrderKind::MassCancel) => "mass cancel",
        None => "malformed",
    };
    let order_type = match OrderType::from_code(order.type_tif & 15) {
        Some(OrderType::Market) => "market",
        Some(OrderType::Limit) => "limit",
        Some(OrderType::Stop) => "stop",
        Some(OrderType::StopLimit) => "stop limit",
        Some(OrderType::Pegged) => "pegged",
        None => "malformed",
    };
    let verdict = match Verdict::from_code(decision.verdict) {
        Some(Verdict::Accept) => "accepted",
        Some(Verdict::Reject) => "rejected",
        Some(Verdict::SoftBlock) => "soft block",
        Some(Verdict::CancelPassed) => "cancel passed",
        None => "malformed",
    };
    let price = if order.px == 0 { "market".to_owned() } else { format_e9(order.px) };
    let rows: Vec<Value> = violations.iter().map(|v| violation_row(engine, v, &symbol)).collect();
    let mut text = vec![format!(
        "Order {} ({kind}, {order_type}): {side} {} {symbol} at {price}, account {account}, \
         strategy {strategy}.",
        order.order_id, order.qty
    )];
    text.push(format!(
        "It was {verdict} at entry {} under limits version {}, after {} kill events.",
        decision.seq, decision.limits_version, decision.kill_epoch
    ));
    for (violation, row) in violations.iter().zip(&rows) {
        text.push(sentence(violation, row));
    }
    if let Some(reference) = &reference {
        text.push(format!(
            "The reference price was {} (entry {}).",
            reference["px"].as_str().unwrap_or("?"),
            reference["seq"]
        ));
    }
    json!({
        "order": {
            "seq": order.seq, "ts_ns": order.ts, "kind": kind, "type": order_type, "side": side,
            "symbol": symbol, "account": account, "strategy": strategy, "qty": order.qty,
            "price": price, "order_id": order.order_id, "ref_id": order.ref_id,
        },
        "decision": {
            "seq": decision.seq, "verdict": verdict, "limits_version": decision.limits_version,
            "kill_epoch": decision.kill_epoch,
        },
        "violations": rows,
        "reference": reference,
        "later": [],
        "text": text,
    })
}

fn sentence(violation: &Violation, row: &Value) -> String {
    let info = &CONTROLS[violation.control as usize];
    let part = |key: &str| row[key].as_str().unwrap_or("?").to_owned();
    let place = match violation.level {
        Level::Order => String::new(),
        _ => format!(" at {}", part("scope")),
    };
    format!(
        "{}: {} Observed {}, limit {}{place} ({}).",
        info.name,
        info.text,
        part("observed"),
        part("limit"),
        info.citation
    )
}

/// Later events listed for one order.
const LATER_MAX: usize = 1_000;

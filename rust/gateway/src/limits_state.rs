//! Limits and their changes as objects: what is in force, by whose word, and what waits.

use std::path::Path;

use cwts_audit::holds::{CHANGE_BYTES_MAX, ChangeAction, ChangeRequest};
use cwts_risk::limits::LimitsFile;
use cwts_risk::limits::diff::Diff;
use cwts_risk::limits::effective::effective;
use cwts_risk::{Engine, Proposal};
use cwts_types::RegisterKind;
use serde_json::{Value, json};

/// The version in force, proposals that wait, raises that end, and whose keys count.
pub fn limits_state(engine: &Engine) -> Value {
    let changes = engine.changes();
    let operators = &engine.limits().operators;
    let temporary = changes.temporary.iter().map(|raise| {
        let keys = raise.standing.iter().map(|unit| {
            let place =
                cwts_risk::limits::units::Place { path: unit.path.clone(), key: unit.key.clone() };
            json!({ "key": place.to_string(), "back_to": unit.value })
        });
        json!({
            "proposal": raise.id, "expires_ns": raise.expires_ns,
            "keys": keys.collect::<Vec<_>>(),
        })
    });
    json!({
        "version": engine.limits_version(),
        "sha256": crate::sha256_hex(engine.limits_text()),
        "by": changes.in_force.as_ref().map(|p| row(p, true)),
        "waiting": changes.pending.values().map(|p| row(p, false)).collect::<Vec<_>>(),
        "temporary": temporary.collect::<Vec<_>>(),
        "operators": operators
            .iter()
            .map(|(name, operator)| {
                let may: Vec<&str> = operator.may.iter().map(|right| right.name()).collect();
                json!({ "name": name, "key": operator.key, "may": may })
            })
            .collect::<Vec<_>>(),
    })
}

/// A proposal that waits, or from which the version in force came.
pub fn proposal_row(engine: &Engine, id: u64) -> Option<Value> {
    let changes = engine.changes();
    let in_force = changes.in_force.as_ref().filter(|p| p.id == id);
    let waits = changes.pending.get(&id);
    waits.map(|p| row(p, false)).or_else(|| in_force.map(|p| row(p, true)))
}

fn row(proposal: &Proposal, active: bool) -> Value {
    json!({
        "id": proposal.id,
        "version": proposal.version,
        "direction": if proposal.raises { "raise" } else { "tighten" },
        "active": active,
        "maker": proposal.maker,
        "checker": proposal.checker,
        "reason": proposal.reason,
        "expires_ns": (proposal.expires_ns != 0).then_some(proposal.expires_ns),
        "sha256": crate::hex(&proposal.sha256),
        "authenticated": proposal.authenticated,
        "seq": proposal.seq,
    })
}

/// A diff: its direction, and a row a key.
pub fn diff_rows(diff: &Diff) -> Value {
    let rows = diff.rows.iter().map(|row| {
        json!({
            "key": row.key, "old": row.old, "new": row.new, "direction": row.direction.name(),
        })
    });
    json!({ "direction": diff.direction().name(), "rows": rows.collect::<Vec<_>>() })
}

/// Every value that an order meets, and where it comes from.
pub fn effective_rows(
    text: &str,
    file: &LimitsFile,
    account: &str,
    symbol: &str,
    strategy: Option<&str>,
) -> Value {
    let rows = effective(text, file, account, symbol, strategy);
    let rows = rows.iter().map(|row| {
        json!({
            "level": row.level, "key": row.key, "value": row.value, "origin": row.origin,
            "refuses": row.refuses,
        })
    });
    rows.collect()
}

/// A signed request that no gateway has taken in.
pub(crate) fn pending_row(path: &Path, file: &str) -> Option<Value> {
    let size = std::fs::metadata(path).ok()?.len();
    let bytes =
        if size > CHANGE_BYTES_MAX as u64 { Vec::new() } else { std::fs::read(path).ok()? };
    let Ok(request) = ChangeRequest::parse(&bytes) else {
        return Some(json!({ "file": file, "action": "unreadable", "scope": "limits" }));
    };
    let (action, scope, actor) = match &request.action {
        ChangeAction::Propose { version, maker, .. } => {
            ("propose", format!("limits version {version}"), &maker.name)
        }
        ChangeAction::Approve { id, checker, .. } => {
            ("approve", format!("limits proposal {id}"), &checker.name)
        }
        ChangeAction::Resume { hold, actor, approver: None } => {
            ("resume, half signed", format!("hold {hold}"), &actor.name)
        }
        ChangeAction::Resume { hold, actor, .. } => ("resume", format!("hold {hold}"), &actor.name),
        ChangeAction::Override { order_id, actor, approver: None, .. } => {
            ("override, half signed", format!("order {order_id}"), &actor.name)
        }
        ChangeAction::Override { order_id, actor, .. } => {
            ("override", format!("order {order_id}"), &actor.name)
        }
        ChangeAction::Hold { case, actor, approver, .. } => {
            let half = approver.is_none();
            (if half { "hold, half signed" } else { "hold" }, format!("case {case}"), &actor.name)
        }
        ChangeAction::Release { case, actor, approver } => {
            let action = if approver.is_none() { "release, half signed" } else { "release" };
            (action, format!("case {case}"), &actor.name)
        }
        ChangeAction::Shred { subject: (kind, handle), actor, approver } => {
            let action = if approver.is_none() { "shred, half signed" } else { "shred" };
            let noun = RegisterKind::from_code(*kind).map_or("subject", RegisterKind::noun);
            (action, format!("{noun} number {handle}"), &actor.name)
        }
    };
    Some(json!({
        "file": file, "action": action, "scope": scope, "actor": actor,
        "reason": request.reason,
    }))
}

//! Alerts, overrides and the counts of a day: what the gateway tells, and whom it lets pass.
//!
//! Source: RTS 6 Art. 15(6) and 16. An override names one blocked order by its entry; whoever sends
//! that order again has it decided anew, and only the named soft controls are passed over.

use std::path::Path;

use cwts_audit::consent::OverrideConsent;
use cwts_audit::holds::{ChangeAction, ChangeRequest, Yes};
use cwts_risk::limits::{Right, can_soften};
use cwts_risk::{Engine, scope_text, value_text};
use cwts_types::{
    Alert, AlertKind, Body, Control, Entry, EntryType, Header, Level, Order, Override, Reasons,
    Signature, TriggerCounts,
};
use serde_json::{Value, json};

use crate::change::{check_yes, sign};
use crate::clock::system_utc_ns;
use crate::control::clipped;
use crate::gateway::{Gateway, Submitted};
use crate::keys::KeyStore;
use crate::request::Requested;
use crate::request_change::{fold, halves, leave_signed, read};
use crate::{GatewayError, read_log};

/// An override that somebody asks for.
#[derive(Debug, Clone)]
pub struct OverrideRequest<'a> {
    /// The blocked order's id.
    pub order_id: u64,
    /// Names of the controls; none means all that blocked it.
    pub controls: &'a [String],
    /// UTC nanoseconds from which on it counts no longer; 0 = [`OVERRIDE_NS`] from now.
    pub expires_ns: u64,
    /// Who asks.
    pub actor: &'a str,
    /// Why.
    pub reason: &'a str,
}

/// An alert with its place and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Log index of its entry.
    pub seq: u64,
    /// When.
    pub utc_ns: u64,
    /// What.
    pub alert: Alert,
}

/// The digest that both who override sign.
pub(crate) fn override_digest(log_id: [u8; 8], said: &Override) -> [u8; 32] {
    let Override { order_id, order_seq, expires_ns, .. } = *said;
    let (controls, reason) = (said.controls.0, said.reason.as_str());
    OverrideConsent { log_id, order_id, order_seq, controls, expires_ns, reason }.digest()
}

/// The entry that a request asks for, as far as one person says it.
fn prepare(
    engine: &Engine,
    request: &OverrideRequest<'_>,
    utc_ns: u64,
) -> Result<Override, GatewayError> {
    let order_id = request.order_id;
    let refuse = |why: String| Err(GatewayError::Permission(why));
    let Some(order) = engine.blocked_order(order_id) else {
        return refuse(format!(
            "order {order_id}: no soft block of it is known; `cwts explain` tells what became of it"
        ));
    };
    let mut controls = Reasons::NONE;
    for name in request.controls {
        match Control::from_name(name).filter(|control| can_soften(*control)) {
            Some(control) => controls.insert(control),
            None => return refuse(format!("{name}: is no control that can be overridden")),
        }
    }
    let blocking = engine.check(&Order { ts: utc_ns, ..*order }).decision.reasons;
    if controls.is_empty() {
        controls =
            Reasons(blocking.iter().filter(|c| can_soften(*c)).fold(0, |m, c| m | 1 << c as u8));
    }
    if controls.is_empty() {
        return refuse(format!("order {order_id}: nothing blocks it any more; send it again"));
    }
    if request.reason.trim().is_empty() {
        return refuse(format!("order {order_id}: overriding takes a reason"));
    }
    let usual = utc_ns.saturating_add(OVERRIDE_NS);
    Ok(Override {
        order_id,
        order_seq: order.seq,
        controls,
        expires_ns: if request.expires_ns == 0 { usual } else { request.expires_ns },
        actor: clipped(request.actor),
        approver: String::new(),
        reason: clipped(request.reason),
        signatures: None,
    })
}

impl Gateway {
    /// Appends what follows from what was folded: alerts, and the counts of a day that ended.
    #[inline]
    pub(crate) fn flush_due(&mut self) -> Result<(), GatewayError> {
        if self.engine.has_due() { self.log_due() } else { Ok(()) }
    }

    #[cold]
    fn log_due(&mut self) -> Result<(), GatewayError> {
        let now = self.clock.now();
        for body in self.engine.take_due() {
            if let Body::Alert(alert) = body {
                self.remember_alert(Told { seq: self.next_index(), utc_ns: now.utc_ns, alert });
            }
            self.append(body, now, 0)?;
        }
        Ok(())
    }

    pub(crate) fn remember_alert(&mut self, told: Told) {
        if self.alerts.len() >= ALERTS_MAX {
            self.alerts.pop_front();
        }
        self.alerts.push_back(told);
    }

    /// The newest alerts since the gateway was opened, oldest first.
    pub fn alerts(&self) -> impl Iterator<Item = &Told> {
        self.alerts.iter()
    }

    /// Lets one softly blocked order pass, once; signed by the keys of both if operators are
    /// listed. Gives what was said.
    ///
    /// # Errors
    /// No such block, one person, who may not, no key, or the log has failed.
    pub fn override_order(
        &mut self,
        request: &OverrideRequest<'_>,
        approver: &str,
    ) -> Result<Override, GatewayError> {
        self.attend()?;
        let mut said = prepare(&self.engine, request, self.clock.now().utc_ns)?;
        said.approver = clipped(approver);
        let digest = override_digest(self.log_id, &said);
        let (file, keys) = (self.engine.limits(), self.keys.as_ref());
        if !file.operators.is_empty() {
            let actor = sign(file, keys, &said.actor, &digest)?;
            let approver = sign(file, keys, &said.approver, &digest)?;
            said.signatures = actor.signature.zip(approver.signature).map(|(a, b)| [a, b]);
        }
        self.take_override(&said)?;
        Ok(said)
    }

    /// Takes an override in that both have signed, if operators are listed.
    pub(crate) fn take_override(&mut self, said: &Override) -> Result<(), GatewayError> {
        check_both(&self.engine, self.log_id, said)?;
        let now = self.clock.now();
        self.flush_gaps(now);
        let index = self.next_index();
        let utc_ns = i64::try_from(now.utc_ns).unwrap_or(i64::MAX);
        let body = Body::Override(said.clone());
        let entry = Entry { header: Header { utc_ns, ..Header::default() }, body };
        // A step that is refused has changed nothing but the clock.
        self.engine
            .step(index, &entry)
            .map_err(|source| GatewayError::Permission(source.to_string()))?;
        self.append(entry.body, now, 0)?;
        self.flush_due()?;
        self.sync()
    }

    /// Sends a softly blocked order again, exactly as it was.
    ///
    /// # Errors
    /// No such block is remembered, or the log has failed.
    pub fn resubmit(&mut self, order_id: u64) -> Result<Submitted, GatewayError> {
        let Some(order) = self.engine.blocked_order(order_id).copied() else {
            let why = format!("order {order_id}: no soft block of it is known");
            return Err(GatewayError::Permission(why));
        };
        self.submit(&Order { seq: 0, ts: 0, ..order })
    }
}

/// Whether two operators who may override signed this.
fn check_both(engine: &Engine, log_id: [u8; 8], said: &Override) -> Result<(), GatewayError> {
    check_people(said)?;
    let digest = override_digest(log_id, said);
    for (i, name) in [&said.actor, &said.approver].into_iter().enumerate() {
        let signature = said.signatures.map(|s| s[i]);
        let yes = Yes { name: name.clone(), signature };
        check_yes(engine.limits(), &yes, Some(Right::Override), &digest)?;
    }
    Ok(())
}

fn check_people(said: &Override) -> Result<(), GatewayError> {
    let Override { order_id, actor, approver, .. } = said;
    if actor.trim().is_empty() || approver.trim().is_empty() || actor == approver {
        let why = format!(
            "order {order_id}: overriding takes a second person; `{actor}` asked and `{approver}` \
             agreed"
        );
        return Err(GatewayError::Permission(why));
    }
    Ok(())
}

/// What was asked of a gateway in another process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverrideAsked {
    /// Where the request waits.
    pub requested: Requested,
    /// What it says.
    pub said: Override,
    /// Whether operators' keys are asked for.
    pub signed: bool,
}

/// Asks the gateway that owns this log to let a blocked order pass. Without an approver the
/// request waits until [`request_override_approval`] completes it.
///
/// # Errors
/// No such block, one person, who may not, or a key that is missing. Nothing is left behind then.
pub fn request_override(
    dir: &Path,
    request: &OverrideRequest<'_>,
    approver: Option<&str>,
    keys: Option<&KeyStore>,
) -> Result<OverrideAsked, GatewayError> {
    let (folded, log_id) = fold(dir)?;
    let engine = &folded.engine;
    let mut said = prepare(engine, request, system_utc_ns())?;
    let actor = said.actor.clone();
    // A second person who is not there yet is somebody else.
    said.approver = approver.map_or_else(|| format!("not {actor}"), clipped);
    check_people(&said)?;
    let digest = override_digest(log_id, &said);
    let signed = |name: &str| {
        let yes = sign(engine.limits(), keys, name, &digest)?;
        check_yes(engine.limits(), &yes, Some(Right::Override), &digest)?;
        Ok::<Yes, GatewayError>(yes)
    };
    let first = signed(&actor)?;
    let second = approver.map(|_| signed(&said.approver)).transpose()?;
    let both = |second: &Yes| first.signature.zip(second.signature).map(|(a, b)| [a, b]);
    said.signatures = second.as_ref().and_then(both);
    if second.is_some() {
        engine
            .check_override(&said, system_utc_ns())
            .map_err(|source| GatewayError::Permission(source.to_string()))?;
    }
    let requested = leave_override(dir, &said, first, second)?;
    Ok(OverrideAsked { requested, said, signed: !engine.limits().operators.is_empty() })
}

/// Completes an override that waits for a second person.
///
/// # Errors
/// None waits for this order; the same person; who may not; or a key that is missing.
pub fn request_override_approval(
    dir: &Path,
    order_id: u64,
    approver: &str,
    keys: Option<&KeyStore>,
) -> Result<OverrideAsked, GatewayError> {
    let (folded, log_id) = fold(dir)?;
    let file = folded.engine.limits();
    let half = halves(dir).into_iter().rev().find_map(|path| {
        let request = ChangeRequest::parse(&read(&path)?).ok()?;
        let (said, actor, _) = said_in(&request)?;
        (said.order_id == order_id).then_some((path, said, actor))
    });
    let Some((path, mut said, actor)) = half else {
        let why =
            format!("order {order_id}: nobody asked yet for it to pass; `--as` and `--reason` ask");
        return Err(GatewayError::Permission(why));
    };
    said.approver = clipped(approver);
    check_people(&said)?;
    let digest = override_digest(log_id, &said);
    check_yes(file, &actor, Some(Right::Override), &digest)?;
    let yes = sign(file, keys, &said.approver, &digest)?;
    check_yes(file, &yes, Some(Right::Override), &digest)?;
    said.signatures = actor.signature.zip(yes.signature).map(|(a, b)| [a, b]);
    folded
        .engine
        .check_override(&said, system_utc_ns())
        .map_err(|source| GatewayError::Permission(source.to_string()))?;
    let requested = leave_override(dir, &said, actor, Some(yes))?;
    // Left behind, it could only be completed again.
    let _ = std::fs::remove_file(path);
    Ok(OverrideAsked { requested, said, signed: !file.operators.is_empty() })
}

fn leave_override(
    dir: &Path,
    said: &Override,
    actor: Yes,
    approver: Option<Yes>,
) -> Result<Requested, GatewayError> {
    let half = approver.is_none();
    let action = ChangeAction::Override {
        order_id: said.order_id,
        order_seq: said.order_seq,
        controls: said.controls.0,
        expires_ns: said.expires_ns,
        actor,
        approver,
    };
    leave_signed(dir, action, said.reason.clone(), half)
}

/// What a request to override says, and who says so.
pub(crate) fn said_in(request: &ChangeRequest) -> Option<(Override, Yes, Option<Yes>)> {
    let ChangeAction::Override { order_id, order_seq, controls, expires_ns, actor, approver } =
        &request.action
    else {
        return None;
    };
    let name = |yes: &Yes| clipped(&yes.name);
    let signatures: Option<[Signature; 2]> =
        actor.signature.zip(approver.as_ref().and_then(|yes| yes.signature)).map(|(a, b)| [a, b]);
    let said = Override {
        order_id: *order_id,
        order_seq: *order_seq,
        controls: Reasons(*controls),
        expires_ns: *expires_ns,
        actor: name(actor),
        approver: approver.as_ref().map(name).unwrap_or_default(),
        reason: clipped(&request.reason),
        signatures,
    };
    Some((said, actor.clone(), approver.clone()))
}

/// An alert as people and programs read it.
pub fn alert_row(engine: &Engine, told: &Told) -> Value {
    let alert = told.alert;
    let registry = engine.registry();
    let text = |value| match alert.control {
        Some(control) => value_text(control, value),
        None => value.to_string(),
    };
    let symbol = registry.name(cwts_types::RegisterKind::Instrument, alert.instrument);
    let scope = match alert.kind {
        AlertKind::InOut | AlertKind::Clock => "firm".to_owned(),
        // As limit use names it.
        _ if alert.level == Level::AccountInstrument => {
            let account = scope_text(registry, Level::Account, alert.scope);
            format!("{account}/{}", symbol.unwrap_or("?"))
        }
        _ => scope_text(registry, alert.level, alert.scope),
    };
    json!({
        "seq": told.seq,
        "utc_ns": told.utc_ns,
        "kind": alert.kind.name(),
        "control": alert.control.map(Control::name),
        "level": alert.level.name(),
        "scope": scope,
        "symbol": symbol,
        "percent": (alert.percent != 0).then_some(alert.percent),
        "order_id": (alert.order_id != 0).then_some(alert.order_id),
        "order_seq": (alert.order_seq != 0).then_some(alert.order_seq),
        "observed": text(alert.observed),
        "limit": text(alert.limit),
    })
}

/// The counts of a day as people and programs read them.
pub fn trigger_counts_row(counts: &TriggerCounts) -> Value {
    let rows = counts.rows.iter().map(|row| {
        json!({
            "control": row.control.name(), "refused": row.refused, "soft": row.soft,
            "alerts": row.alerts, "overridden": row.overridden,
        })
    });
    json!({
        "from_ns": counts.from_ns, "to_ns": counts.to_ns, "orders": counts.orders,
        "accepted": counts.accepted, "cancels": counts.cancels,
        "controls": rows.collect::<Vec<_>>(),
    })
}

/// What controls triggered, day by day: the last counts of each day in a log. Nothing is folded.
///
/// # Errors
/// There is no log, or it cannot be read.
pub fn trigger_days(dir: &Path) -> Result<Value, GatewayError> {
    let mut days = std::collections::BTreeMap::new();
    read_log(dir, &mut |_, bytes| {
        if bytes.first() == Some(&(EntryType::TriggerCounts as u8))
            && let Ok(Entry { body: Body::TriggerCounts(counts), .. }) = Entry::decode(bytes)
        {
            days.insert(counts.from_ns, counts);
        }
        Ok(())
    })?;
    Ok(days.values().map(trigger_counts_row).collect())
}

/// How long an override counts if nothing is said: long enough to send the order again.
pub const OVERRIDE_NS: u64 = 15 * 60 * 1_000_000_000;
/// Alerts that an open gateway remembers; the log has all.
pub(crate) const ALERTS_MAX: usize = 1_024;

#[cfg(test)]
mod tests;

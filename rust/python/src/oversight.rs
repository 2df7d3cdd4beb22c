//! Alerts, overrides of soft blocks, messages in and out, and what controls triggered by day.

use std::path::PathBuf;

use cwts_gateway::torture::stress::StressOptions;
use cwts_gateway::{
    GatewayError, KeyStore, OverrideAsked, OverrideRequest, alert_row, trigger_days,
};
use cwts_types::{Clock, ClockSource, Control, KillState, Override, RegisterKind};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::convert::to_py;
use crate::decision::{Decision, OrderNames};
use crate::error::Error;
use crate::gateway::Gateway;

fn said_row(said: &Override) -> Value {
    json!({
        "order_id": said.order_id,
        "order_seq": said.order_seq,
        "controls": said.controls.iter().map(Control::name).collect::<Vec<_>>(),
        "expires_ns": said.expires_ns,
        "actor": said.actor,
        "approver": said.approver,
        "reason": said.reason,
        "authenticated": said.signatures.is_some(),
    })
}

/// Lets one softly blocked order pass a gateway of this process, once.
#[pyfunction]
#[pyo3(signature = (gateway, order_id, *, controls, actor, approver, reason, expires_ns=0))]
#[expect(clippy::too_many_arguments, reason = "one argument a field of the OVERRIDE entry")]
pub(crate) fn override_order<'py>(
    py: Python<'py>,
    gateway: &Gateway,
    order_id: u64,
    controls: Vec<String>,
    actor: &str,
    approver: &str,
    reason: &str,
    expires_ns: u64,
) -> Result<Bound<'py, PyAny>, Error> {
    let said = py.detach(|| {
        let request = OverrideRequest { order_id, controls: &controls, expires_ns, actor, reason };
        gateway.lock()?.core()?.override_order(&request, approver)
    })?;
    Ok(to_py(py, &said_row(&said))?)
}

/// Sends a softly blocked order again, exactly as it was.
#[pyfunction]
pub(crate) fn resubmit(
    py: Python<'_>,
    gateway: &Gateway,
    order_id: u64,
) -> Result<Decision, Error> {
    let decided = py.detach(|| -> Result<Decision, GatewayError> {
        let mut inner = gateway.lock()?;
        let core = inner.core()?;
        let submitted = core.resubmit(order_id)?;
        let registry = core.engine().registry();
        let name = |kind, handle| registry.name(kind, handle).unwrap_or_default().to_owned();
        let order = submitted.order;
        let names = OrderNames {
            symbol: name(RegisterKind::Instrument, order.instrument),
            account: name(RegisterKind::Account, order.account),
            strategy: name(RegisterKind::Strategy, order.strategy),
        };
        Ok(Decision::new(&submitted.outcome, core.engine(), &names))
    })?;
    Ok(decided)
}

/// The newest alerts of a gateway of this process, oldest first.
#[pyfunction]
pub(crate) fn alerts<'py>(py: Python<'py>, gateway: &Gateway) -> Result<Bound<'py, PyAny>, Error> {
    let mut inner = gateway.lock()?;
    let core = inner.core()?;
    let rows: Value = core.alerts().map(|told| alert_row(core.engine(), told)).collect();
    drop(inner);
    Ok(to_py(py, &rows)?)
}

/// Says how many messages left, and gives accepted, released, held back and sent.
#[pyfunction]
#[pyo3(signature = (gateway, sent=None))]
pub(crate) fn in_out(
    gateway: &Gateway,
    sent: Option<u64>,
) -> Result<(u64, u64, u64, Option<u64>), Error> {
    let mut inner = gateway.lock()?;
    let core = inner.core()?;
    if let Some(messages) = sent {
        core.report_sent(messages);
    }
    Ok(core.in_out().counts())
}

/// Leaves an override for the gateway that owns a log; without an approver it waits for one.
#[pyfunction]
#[pyo3(signature = (dir, order_id, *, controls, actor, reason, approver=None, expires_ns=0,
    keys=None))]
#[expect(clippy::too_many_arguments, reason = "one argument an option of the command")]
pub(crate) fn request_override<'py>(
    py: Python<'py>,
    dir: PathBuf,
    order_id: u64,
    controls: Vec<String>,
    actor: &str,
    reason: &str,
    approver: Option<&str>,
    expires_ns: u64,
    keys: Option<PathBuf>,
) -> Result<Bound<'py, PyAny>, Error> {
    let store = keys.map(KeyStore::new);
    let asked = py.detach(|| {
        let request = OverrideRequest { order_id, controls: &controls, expires_ns, actor, reason };
        cwts_gateway::request_override(&dir, &request, approver, store.as_ref())
    })?;
    Ok(to_py(py, &asked_row(&asked))?)
}

/// Completes an override that waits for a second person.
#[pyfunction]
#[pyo3(signature = (dir, order_id, *, approver, keys=None))]
pub(crate) fn request_override_approval<'py>(
    py: Python<'py>,
    dir: PathBuf,
    order_id: u64,
    approver: &str,
    keys: Option<PathBuf>,
) -> Result<Bound<'py, PyAny>, Error> {
    let store = keys.map(KeyStore::new);
    let asked = py.detach(|| {
        cwts_gateway::request_override_approval(&dir, order_id, approver, store.as_ref())
    })?;
    Ok(to_py(py, &asked_row(&asked))?)
}

fn asked_row(asked: &OverrideAsked) -> Value {
    json!({
        "running": asked.requested.running,
        "request": asked.requested.path.display().to_string(),
        "override": said_row(&asked.said),
        "signed": asked.signed,
    })
}

/// Sends the busiest window of a log again, so many times, to a gateway in an empty folder.
#[pyfunction]
#[pyo3(signature = (dir, work, *, factor=2, window_ns=1_000_000_000, limits=None, limits_path=""))]
pub(crate) fn torture_stress<'py>(
    py: Python<'py>,
    dir: PathBuf,
    work: PathBuf,
    factor: u32,
    window_ns: u64,
    limits: Option<Vec<u8>>,
    limits_path: &str,
) -> Result<Bound<'py, PyAny>, Error> {
    let options = StressOptions {
        factor,
        window_ns,
        limits: limits.map(|text| (limits_path.to_owned(), text)),
    };
    let found = py.detach(|| cwts_gateway::torture::stress::run(&dir, &work, &options))?;
    Ok(to_py(py, &found)?)
}

/// Logs what the kernel says of the clock; gives whether that shows it within its bound.
///
/// `state` is status, flags and TAI less UTC, `None` where nothing was said; `errors` is the most
/// and the estimated error in microseconds, the offset in nanoseconds, the frequency.
#[pyfunction]
#[pyo3(signature = (gateway, state, errors, *, bound_us, raw_ns, policy))]
pub(crate) fn record_clock(
    py: Python<'_>,
    gateway: &Gateway,
    state: Option<(i32, u32, i32)>,
    errors: (i64, i64, i64, i64),
    bound_us: u32,
    raw_ns: u64,
    policy: &str,
) -> Result<bool, Error> {
    let on_loss = match policy {
        "halt" => Some(KillState::Halted),
        "reduce_only" => Some(KillState::ReduceOnly),
        "warn" => None,
        other => {
            let why = format!("policy: {other:?} is not one of warn, reduce_only, halt");
            return Err(PyValueError::new_err(why).into());
        }
    };
    let source = if state.is_some() { ClockSource::Adjtimex } else { ClockSource::None };
    let (status, flags, tai) = state.unwrap_or_default();
    let (maxerror_us, esterror_us, offset_ns, freq) = errors;
    let reading = Clock {
        source,
        status,
        flags,
        maxerror_us,
        esterror_us,
        offset_ns,
        freq,
        tai,
        bound_us,
        raw_ns,
        utc_minus_mono_ns: 0,
    };
    let shown = py.detach(|| gateway.lock()?.core()?.record_clock(reading, on_loss))?;
    Ok(shown)
}

/// What controls triggered, day by day, by the log alone.
#[pyfunction]
pub(crate) fn trigger_counts(py: Python<'_>, dir: PathBuf) -> Result<Bound<'_, PyAny>, Error> {
    let days = py.detach(|| trigger_days(&dir))?;
    Ok(to_py(py, &days)?)
}

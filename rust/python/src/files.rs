//! Functions over files: limits, status, explanation, verification, requests.

use std::path::PathBuf;

use cwts_audit::Finding;
use cwts_gateway::registers::RegisterKind;
use cwts_gateway::{Gateway, GatewayError, GatewayOptions, KeyStore, Requested, parse_limits};
use cwts_types::{CONTROLS, ReleaseMode, Stage};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::convert::to_py;
use crate::error::Error;

/// The table of controls.
#[pyfunction]
pub(crate) fn controls(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let row = |row: &cwts_types::ControlInfo| {
        json!({
            "bit": row.control as u8,
            "name": row.name,
            "fix103": row.fix103,
            "stage": if row.stage == Stage::Stateless { "stateless" } else { "stateful" },
            "reducing_exempt": row.reducing_exempt,
            "citation": row.citation,
            "text": row.text,
        })
    };
    to_py(py, &CONTROLS.iter().map(row).collect::<Value>())
}

/// The layout of every entry, as JSON: the text of entry 0.
#[pyfunction]
pub(crate) fn schema() -> String {
    cwts_types::schema_json()
}

/// Reads a limits file and says what it defines.
#[pyfunction]
pub(crate) fn check_limits<'py>(
    py: Python<'py>,
    text: Vec<u8>,
    path: &str,
) -> Result<Bound<'py, PyAny>, Error> {
    let file = parse_limits(path, &text)?;
    let value = json!({
        "path": path,
        "sha256": cwts_gateway::sha256_hex(&text),
        "base_currency": file.base_currency,
        "replay_only": file.replay_only,
        "desks": file.desks.keys().collect::<Vec<_>>(),
        "customers": file.customers.keys().collect::<Vec<_>>(),
        "accounts": file.accounts.keys().collect::<Vec<_>>(),
        "strategies": file.strategies.keys().collect::<Vec<_>>(),
        "groups": file.groups.keys().collect::<Vec<_>>(),
        "instruments": file.instruments.keys().collect::<Vec<_>>(),
    });
    Ok(to_py(py, &value)?)
}

/// The status of the gateway that owns a log.
#[pyfunction]
pub(crate) fn status(py: Python<'_>, dir: PathBuf) -> Result<Bound<'_, PyAny>, Error> {
    let value = py.detach(|| cwts_gateway::status(&dir))?;
    Ok(to_py(py, &value)?)
}

/// Everything that a log says of one order id.
#[pyfunction]
pub(crate) fn explain(
    py: Python<'_>,
    dir: PathBuf,
    order_id: u64,
) -> Result<Bound<'_, PyAny>, Error> {
    let value = py.detach(|| cwts_gateway::explain(&dir, order_id))?;
    Ok(to_py(py, &value)?)
}

/// Registers of a log, each as an object: `limits`, `kills`, `triggers`.
#[pyfunction]
pub(crate) fn registers(
    py: Python<'_>,
    dir: PathBuf,
    kinds: Vec<String>,
) -> Result<Bound<'_, PyAny>, Error> {
    let kind = |name: &String| {
        RegisterKind::from_name(name)
            .ok_or_else(|| PyValueError::new_err(format!("kind: {name:?} is no register")))
    };
    let kinds = kinds.iter().map(kind).collect::<Result<Vec<_>, _>>()?;
    let value = py.detach(|| cwts_gateway::registers::register(&dir, &kinds))?;
    Ok(to_py(py, &Value::Array(value))?)
}

/// Halts a scope of the gateway that owns a log.
#[pyfunction]
#[pyo3(signature = (dir, scope, *, reason, actor, reduce_only=false, cancel_working=false))]
pub(crate) fn request_halt<'py>(
    py: Python<'py>,
    dir: PathBuf,
    scope: &str,
    reason: &str,
    actor: &str,
    reduce_only: bool,
    cancel_working: bool,
) -> Result<Bound<'py, PyAny>, Error> {
    let done = py.detach(|| {
        cwts_gateway::request_halt(&dir, scope, actor, reason, reduce_only, cancel_working)
    })?;
    requested(py, &done, scope)
}

/// Asks for a hold to be lifted.
#[pyfunction]
#[pyo3(signature = (dir, hold, *, actor, approver, reason))]
pub(crate) fn request_resume<'py>(
    py: Python<'py>,
    dir: PathBuf,
    hold: u64,
    actor: &str,
    approver: &str,
    reason: &str,
) -> Result<Bound<'py, PyAny>, Error> {
    let done = py.detach(|| cwts_gateway::request_resume(&dir, hold, actor, approver, reason))?;
    requested(py, &done, &format!("hold {hold}"))
}

fn requested<'py>(
    py: Python<'py>,
    done: &Requested,
    scope: &str,
) -> Result<Bound<'py, PyAny>, Error> {
    let value = json!({
        "running": done.running,
        "request": done.path.display().to_string(),
        "scope": scope,
    });
    Ok(to_py(py, &value)?)
}

/// Opens a log that no gateway runs on, takes the waiting requests in, and closes it.
#[pyfunction]
#[pyo3(signature = (dir, keys=None, anchor=None))]
pub(crate) fn apply_requests(
    py: Python<'_>,
    dir: PathBuf,
    keys: Option<PathBuf>,
    anchor: Option<PathBuf>,
) -> Result<Bound<'_, PyAny>, Error> {
    let value = py.detach(|| -> Result<Value, GatewayError> {
        let gateway = Gateway::open(&GatewayOptions {
            limits: None,
            dir: Some(dir),
            keys: keys.map(KeyStore::new),
            origin: None,
            anchor,
            release: ReleaseMode::Async,
        })?;
        let state = cwts_gateway::engine_state(gateway.engine());
        gateway.close()?;
        Ok(state)
    })?;
    Ok(to_py(py, &value)?)
}

pub(crate) fn finding(finding: &Finding) -> Value {
    let place = match (finding.index, finding.index_end) {
        (Some(first), Some(last)) if last != first => format!("entries {first} to {last}, "),
        (Some(index), _) => format!("entry {index}, "),
        _ => String::new(),
    };
    let at = finding.offset.map_or_else(String::new, |o| format!(" at byte {o}"));
    json!({
        "kind": finding.kind.name(),
        "file": finding.file,
        "offset": finding.offset,
        "index": finding.index,
        "index_end": finding.index_end,
        "expected": finding.expected,
        "got": finding.got,
        "proved_by": finding.proved_by,
        "text": format!(
            "{}: {place}file {}{at}: expected {}, got {}",
            finding.kind.name(), finding.file, finding.expected, finding.got
        ),
    })
}

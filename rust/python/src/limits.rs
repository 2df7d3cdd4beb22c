//! Limits files and their changes: diff, origins, schema, operators' keys, proposals, approvals.

use std::path::PathBuf;

use cwts_gateway::{KeyStore, LimitsRequest, Requested, parse_limits};
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::convert::to_py;
use crate::error::Error;
use crate::gateway::Gateway;

/// What a new limits file changes, key by key.
#[pyfunction]
pub(crate) fn limits_diff<'py>(
    py: Python<'py>,
    old: Vec<u8>,
    old_path: &str,
    new: Vec<u8>,
    new_path: &str,
) -> Result<Bound<'py, PyAny>, Error> {
    parse_limits(old_path, &old)?;
    parse_limits(new_path, &new)?;
    let (old, new) = (String::from_utf8_lossy(&old), String::from_utf8_lossy(&new));
    let diff = cwts_risk::limits::diff::diff(&old, &new);
    Ok(to_py(py, &cwts_gateway::diff_rows(&diff))?)
}

/// Every value that an order meets, and where it comes from.
#[pyfunction]
#[pyo3(signature = (text, path, account, symbol, strategy=None))]
pub(crate) fn limits_effective<'py>(
    py: Python<'py>,
    text: Vec<u8>,
    path: &str,
    account: &str,
    symbol: &str,
    strategy: Option<&str>,
) -> Result<Bound<'py, PyAny>, Error> {
    let file = parse_limits(path, &text)?;
    let text = String::from_utf8_lossy(&text);
    let rows = cwts_gateway::effective_rows(&text, &file, account, symbol, strategy);
    Ok(to_py(py, &rows)?)
}

/// The JSON Schema of a limits file.
#[pyfunction]
pub(crate) fn limits_schema(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    to_py(py, &cwts_gateway::limits_schema())
}

/// Makes an operator's key; gives its public half.
#[pyfunction]
#[pyo3(signature = (name, keys=None))]
pub(crate) fn new_operator(name: &str, keys: Option<PathBuf>) -> Result<String, Error> {
    let store = match keys {
        Some(folder) => KeyStore::new(folder),
        None => KeyStore::from_environment()?,
    };
    Ok(store.new_operator(name)?.to_string())
}

/// Proposes new limits to a gateway of this process.
#[pyfunction]
#[pyo3(signature = (gateway, text, path, *, maker, reason, expires_ns=0))]
pub(crate) fn propose_limits<'py>(
    py: Python<'py>,
    gateway: &Gateway,
    text: Vec<u8>,
    path: &str,
    maker: &str,
    reason: &str,
    expires_ns: u64,
) -> Result<Bound<'py, PyAny>, Error> {
    let request = LimitsRequest { path, text: &text, maker, reason, expires_ns };
    let row = py.detach(|| {
        let mut inner = gateway.lock()?;
        let core = inner.core()?;
        let id = core.propose_limits(&request)?;
        Ok::<_, Error>(cwts_gateway::proposal_row(core.engine(), id))
    })?;
    Ok(to_py(py, &json!(row))?)
}

/// Agrees to a proposal in a gateway of this process.
#[pyfunction]
#[pyo3(signature = (gateway, proposal, *, checker))]
pub(crate) fn approve_limits<'py>(
    py: Python<'py>,
    gateway: &Gateway,
    proposal: u64,
    checker: &str,
) -> Result<Bound<'py, PyAny>, Error> {
    let row = py.detach(|| {
        let mut inner = gateway.lock()?;
        let core = inner.core()?;
        core.approve_limits(proposal, checker)?;
        Ok::<_, Error>(cwts_gateway::proposal_row(core.engine(), proposal))
    })?;
    Ok(to_py(py, &json!(row))?)
}

/// Leaves a proposal for the gateway that owns a log.
#[pyfunction]
#[pyo3(signature = (dir, text, path, *, maker, reason, expires_ns=0, keys=None))]
#[expect(clippy::too_many_arguments, reason = "one argument an option of the command")]
pub(crate) fn request_propose<'py>(
    py: Python<'py>,
    dir: PathBuf,
    text: Vec<u8>,
    path: &str,
    maker: &str,
    reason: &str,
    expires_ns: u64,
    keys: Option<PathBuf>,
) -> Result<Bound<'py, PyAny>, Error> {
    let request = LimitsRequest { path, text: &text, maker, reason, expires_ns };
    let store = keys.map(KeyStore::new);
    let done = py.detach(|| cwts_gateway::request_propose(&dir, &request, store.as_ref()))?;
    let mut value = requested(&done.requested);
    value["sha256"] = json!(cwts_gateway::hex(&done.sha256));
    value["direction"] = json!(if done.raises { "raise" } else { "tighten" });
    value["authenticated"] = json!(done.authenticated);
    Ok(to_py(py, &value)?)
}

/// Leaves an approval for the gateway that owns a log.
#[pyfunction]
#[pyo3(signature = (dir, proposal, *, checker, keys=None))]
pub(crate) fn request_approve<'py>(
    py: Python<'py>,
    dir: PathBuf,
    proposal: u64,
    checker: &str,
    keys: Option<PathBuf>,
) -> Result<Bound<'py, PyAny>, Error> {
    let store = keys.map(KeyStore::new);
    let done =
        py.detach(|| cwts_gateway::request_approve(&dir, proposal, checker, store.as_ref()))?;
    Ok(to_py(py, &requested(&done))?)
}

/// Whether the limits in force of a log list operators.
#[pyfunction]
pub(crate) fn lists_operators(py: Python<'_>, dir: PathBuf) -> Result<bool, Error> {
    Ok(py.detach(|| cwts_gateway::lists_operators(&dir))?)
}

/// Asks, signed, for a hold to be lifted; without an approver it waits for one.
#[pyfunction]
#[pyo3(signature = (dir, hold, *, actor, reason, approver=None, keys=None))]
pub(crate) fn request_resume_signed<'py>(
    py: Python<'py>,
    dir: PathBuf,
    hold: u64,
    actor: &str,
    reason: &str,
    approver: Option<&str>,
    keys: Option<PathBuf>,
) -> Result<Bound<'py, PyAny>, Error> {
    let store = keys.map(KeyStore::new);
    let done = py.detach(|| {
        cwts_gateway::request_resume_signed(&dir, hold, actor, approver, reason, store.as_ref())
    })?;
    Ok(to_py(py, &requested(&done))?)
}

/// Completes a resume that waits for a second person.
#[pyfunction]
#[pyo3(signature = (dir, hold, *, approver, keys=None))]
pub(crate) fn request_resume_approval<'py>(
    py: Python<'py>,
    dir: PathBuf,
    hold: u64,
    approver: &str,
    keys: Option<PathBuf>,
) -> Result<Bound<'py, PyAny>, Error> {
    let store = keys.map(KeyStore::new);
    let done =
        py.detach(|| cwts_gateway::request_resume_approval(&dir, hold, approver, store.as_ref()))?;
    Ok(to_py(py, &requested(&done))?)
}

fn requested(done: &Requested) -> Value {
    json!({ "running": done.running, "request": done.path.display().to_string() })
}

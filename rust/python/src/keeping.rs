//! What the log keeps for whom: cases that hold entries.

use std::path::PathBuf;

use cwts_gateway::{CaseAsked, HoldRequest, KeyStore, Said, case_rows};
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::convert::to_py;
use crate::error::Error;
use crate::gateway::Gateway;

/// Opens a case in a log of this process; empty names are any. Durable when it returns.
#[pyfunction]
#[pyo3(signature = (gateway, case, *, account, instrument, person, from_ns, to_ns, actor, approver,
    reason))]
#[expect(clippy::too_many_arguments, reason = "one argument a field of the HOLD entry")]
pub(crate) fn hold_case(
    py: Python<'_>,
    gateway: &Gateway,
    case: &str,
    account: &str,
    instrument: &str,
    person: &str,
    from_ns: i64,
    to_ns: i64,
    actor: &str,
    approver: &str,
    reason: &str,
) -> Result<(), Error> {
    let between_ns = [from_ns, to_ns];
    let request = HoldRequest { case, account, instrument, person, between_ns, actor, reason };
    py.detach(|| gateway.lock()?.core()?.hold_case(&request, approver))?;
    Ok(())
}

/// Closes a case in a log of this process. Durable when it returns.
#[pyfunction]
#[pyo3(signature = (gateway, case, *, actor, approver, reason))]
pub(crate) fn release_case(
    py: Python<'_>,
    gateway: &Gateway,
    case: &str,
    actor: &str,
    approver: &str,
    reason: &str,
) -> Result<(), Error> {
    py.detach(|| gateway.lock()?.core()?.release_case(case, [actor, approver, reason]))?;
    Ok(())
}

/// The open cases of a log of this process.
#[pyfunction]
pub(crate) fn cases<'py>(py: Python<'py>, gateway: &Gateway) -> Result<Bound<'py, PyAny>, Error> {
    let mut inner = gateway.lock()?;
    let core = inner.core()?;
    let rows = case_rows(core.cases(), core.engine().registry());
    drop(inner);
    Ok(to_py(py, &rows)?)
}

/// The open cases of a log, by its entries.
#[pyfunction]
pub(crate) fn open_cases(py: Python<'_>, dir: PathBuf) -> Result<Bound<'_, PyAny>, Error> {
    let rows = py.detach(|| cwts_gateway::open_cases(&dir))?;
    Ok(to_py(py, &rows)?)
}

/// Leaves the opening of a case for the owner of a log; without an approver it waits for one.
#[pyfunction]
#[pyo3(signature = (dir, case, *, account, instrument, person, from_ns, to_ns, actor, reason,
    approver=None, keys=None))]
#[expect(clippy::too_many_arguments, reason = "one argument an option of the command")]
pub(crate) fn request_hold<'py>(
    py: Python<'py>,
    dir: PathBuf,
    case: &str,
    account: &str,
    instrument: &str,
    person: &str,
    from_ns: i64,
    to_ns: i64,
    actor: &str,
    reason: &str,
    approver: Option<&str>,
    keys: Option<PathBuf>,
) -> Result<Bound<'py, PyAny>, Error> {
    let store = keys.map(KeyStore::new);
    let between_ns = [from_ns, to_ns];
    let request = HoldRequest { case, account, instrument, person, between_ns, actor, reason };
    let asked =
        py.detach(|| cwts_gateway::request_hold(&dir, &request, approver, store.as_ref()))?;
    Ok(to_py(py, &asked_row(&asked))?)
}

/// Leaves the closing of a case for the owner of a log; without an approver it waits for one.
#[pyfunction]
#[pyo3(signature = (dir, case, *, actor, reason, approver=None, keys=None))]
pub(crate) fn request_release<'py>(
    py: Python<'py>,
    dir: PathBuf,
    case: &str,
    actor: &str,
    reason: &str,
    approver: Option<&str>,
    keys: Option<PathBuf>,
) -> Result<Bound<'py, PyAny>, Error> {
    let store = keys.map(KeyStore::new);
    let asked = py.detach(|| {
        cwts_gateway::request_release(&dir, case, [actor, reason], approver, store.as_ref())
    })?;
    Ok(to_py(py, &asked_row(&asked))?)
}

/// Completes the opening, or the closing, of a case that waits for a second person.
#[pyfunction]
#[pyo3(signature = (dir, case, *, release, approver, keys=None))]
pub(crate) fn request_case_approval<'py>(
    py: Python<'py>,
    dir: PathBuf,
    case: &str,
    release: bool,
    approver: &str,
    keys: Option<PathBuf>,
) -> Result<Bound<'py, PyAny>, Error> {
    let store = keys.map(KeyStore::new);
    let asked = py.detach(|| {
        cwts_gateway::request_case_approval(&dir, case, release, approver, store.as_ref())
    })?;
    Ok(to_py(py, &asked_row(&asked))?)
}

fn asked_row(asked: &CaseAsked) -> Value {
    let [actor, approver] = asked.said.people();
    json!({
        "running": asked.requested.running,
        "request": asked.requested.path.display().to_string(),
        "case": asked.said.case(),
        "opens": matches!(asked.said, Said::Hold(_)),
        "actor": actor,
        "approver": approver,
        "signed": asked.signed,
    })
}

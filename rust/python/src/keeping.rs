//! What the log keeps, where and for whom: cases that hold entries, and archived blocks.

use std::path::PathBuf;

use cwts_audit::{FsStorage, Storage as _};
use cwts_gateway::{
    ArchivedNow, CaseAsked, Expired, Gateway as Core, GatewayError, GatewayOptions, HoldRequest,
    KeyStore, Said, anchor_from_environment, case_rows,
};
use cwts_types::{AccessKind, ReleaseMode};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
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
        "case": asked.said.case().unwrap_or_default(),
        "opens": matches!(asked.said, Said::Hold(_)),
        "actor": actor,
        "approver": approver,
        "signed": asked.signed,
    })
}

/// Moves whole segments before a time into cold blocks, in a log that nobody owns.
#[pyfunction]
#[pyo3(signature = (dir, before_ns, *, keys=None))]
pub(crate) fn archive_before(
    py: Python<'_>,
    dir: PathBuf,
    before_ns: u64,
    keys: Option<PathBuf>,
) -> Result<Bound<'_, PyAny>, Error> {
    let done = py.detach(|| -> Result<ArchivedNow, GatewayError> {
        let mut gateway = Core::open_to_archive(&of_log(dir, keys))?;
        let done = gateway.archive_before(before_ns)?;
        gateway.close()?;
        Ok(done)
    })?;
    Ok(to_py(py, &archived_row(&done))?)
}

/// The same in a log of this process; the segment that is written stays.
#[pyfunction]
pub(crate) fn archive_open<'py>(
    py: Python<'py>,
    gateway: &Gateway,
    before_ns: u64,
) -> Result<Bound<'py, PyAny>, Error> {
    let done = py.detach(|| gateway.lock()?.core()?.archive_before(before_ns))?;
    Ok(to_py(py, &archived_row(&done))?)
}

/// Makes the archived files of a log again, in their place; gives how many.
#[pyfunction]
pub(crate) fn unarchive(py: Python<'_>, dir: PathBuf) -> Result<u64, Error> {
    Ok(py.detach(|| cwts_gateway::unarchive(&dir))?)
}

/// Deletes an archive whose retention is over and that no case holds; the log says so before.
#[pyfunction]
#[pyo3(signature = (archive, log, now_ns, *, actor, keys=None))]
pub(crate) fn expire<'py>(
    py: Python<'py>,
    archive: PathBuf,
    log: PathBuf,
    now_ns: u64,
    actor: &str,
    keys: Option<PathBuf>,
) -> Result<Bound<'py, PyAny>, Error> {
    let done = py.detach(|| -> Result<Expired, GatewayError> {
        let mut gateway = Core::open_records(&of_log(log, keys))?;
        let done = gateway.expire(&archive, now_ns, actor);
        // A refusal is an entry, too.
        gateway.close()?;
        done
    })?;
    let Expired { origin, entries, root, seq } = done;
    let row = json!({ "origin": origin, "entries": entries, "root": root, "seq": seq });
    Ok(to_py(py, &row)?)
}

/// Records who got what out of a log of this process; gives the index of its ACCESS entry.
#[pyfunction]
pub(crate) fn append_access(
    py: Python<'_>,
    gateway: &Gateway,
    kind: &str,
    size: u64,
    who: &str,
    what: &str,
) -> Result<u64, Error> {
    let kind = match kind {
        "export" => AccessKind::Export,
        "receipt" => AccessKind::Receipt,
        "query" => AccessKind::Query,
        "report" => AccessKind::Report,
        other => {
            let why = format!("kind: {other:?} is not one of export, receipt, query, report");
            return Err(PyValueError::new_err(why).into());
        }
    };
    Ok(py.detach(|| gateway.lock()?.core()?.access(kind, size, who, what))?)
}

/// The bytes of a log's file, out of its archived blocks where it is not there.
#[pyfunction]
pub(crate) fn log_file(
    py: Python<'_>,
    dir: PathBuf,
    name: &str,
    bytes_max: usize,
) -> Result<Option<Py<PyBytes>>, Error> {
    let read =
        || -> Result<_, GatewayError> { Ok(FsStorage::open(&dir)?.read_all(name, bytes_max)?) };
    let bytes = py.detach(read)?;
    Ok(bytes.map(|bytes| PyBytes::new(py, &bytes).unbind()))
}

fn archived_row(done: &ArchivedNow) -> Value {
    let ArchivedNow { blocks, entries, bytes, freed, end, before } = *done;
    json!({
        "blocks": blocks, "entries": entries, "bytes": bytes, "freed": freed, "end": end,
        "before": before,
    })
}

/// A log that is there, opened for a moment and as it is.
fn of_log(dir: PathBuf, keys: Option<PathBuf>) -> GatewayOptions {
    let (dir, keys) = (Some(dir), keys.map(KeyStore::new));
    let (anchor, release) = (anchor_from_environment(), ReleaseMode::Async);
    GatewayOptions { limits: None, dir, keys, origin: None, anchor, release }
}

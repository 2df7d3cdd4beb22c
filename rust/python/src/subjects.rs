//! Whom a log's codes stand for: sealed texts, and the end of their keys.

use std::path::PathBuf;

use cwts_gateway::{
    Gateway as Core, GatewayError, GatewayOptions, KeyStore, ShredAsked, Subject,
    anchor_from_environment,
};
use cwts_types::{ReleaseMode, SealedKind};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::convert::to_py;
use crate::error::Error;
use crate::gateway::Gateway;

/// Appends a sealed text about a subject in a log of this process; gives its index. It is not
/// durable yet.
#[pyfunction]
pub(crate) fn append_sealed(
    py: Python<'_>,
    gateway: &Gateway,
    what: &str,
    subject: &str,
    text: &str,
    actor: &str,
) -> Result<u64, Error> {
    let (what, subject) = (kind(what)?, subject.parse()?);
    Ok(py.detach(|| gateway.lock()?.core()?.seal(what, &subject, text, actor))?)
}

/// The same in a log that nobody owns; it is durable then.
#[pyfunction]
#[pyo3(signature = (dir, what, subject, text, actor, *, keys=None))]
pub(crate) fn seal_in(
    py: Python<'_>,
    dir: PathBuf,
    what: &str,
    subject: &str,
    text: &str,
    actor: &str,
    keys: Option<PathBuf>,
) -> Result<u64, Error> {
    let (what, subject) = (kind(what)?, subject.parse()?);
    let index = py.detach(|| -> Result<u64, GatewayError> {
        let (dir, keys) = (Some(dir), keys.map(KeyStore::new));
        let (anchor, release) = (anchor_from_environment(), ReleaseMode::Async);
        let options = GatewayOptions { limits: None, dir, keys, origin: None, anchor, release };
        let mut gateway = Core::open_records(&options)?;
        let index = gateway.seal(what, &subject, text, actor)?;
        gateway.close()?;
        Ok(index)
    })?;
    Ok(index)
}

/// Every subject that a log says more of than its code.
#[pyfunction]
#[pyo3(signature = (dir, *, keys=None))]
pub(crate) fn subjects(
    py: Python<'_>,
    dir: PathBuf,
    keys: Option<PathBuf>,
) -> Result<Bound<'_, PyAny>, Error> {
    let rows = py.detach(|| cwts_gateway::subject_rows(&dir, readable(keys).as_ref()))?;
    Ok(to_py(py, &rows)?)
}

/// Leaves the destruction of a subject's key for the owner of a log; without an approver it waits
/// for one.
#[pyfunction]
#[pyo3(signature = (dir, subject, *, actor, reason, approver=None, keys=None))]
pub(crate) fn request_shred<'py>(
    py: Python<'py>,
    dir: PathBuf,
    subject: &str,
    actor: &str,
    reason: &str,
    approver: Option<&str>,
    keys: Option<PathBuf>,
) -> Result<Bound<'py, PyAny>, Error> {
    let subject: Subject = subject.parse()?;
    let asked = py.detach(|| {
        let keys = keys.map_or_else(KeyStore::from_environment, |keys| Ok(KeyStore::new(keys)))?;
        cwts_gateway::request_shred(&dir, &subject, [actor, reason], approver, &keys)
    })?;
    Ok(to_py(py, &asked_row(&asked))?)
}

/// Completes the destruction of a subject's key that waits for a second person.
#[pyfunction]
#[pyo3(signature = (dir, subject, *, approver, keys=None))]
pub(crate) fn request_shred_approval<'py>(
    py: Python<'py>,
    dir: PathBuf,
    subject: &str,
    approver: &str,
    keys: Option<PathBuf>,
) -> Result<Bound<'py, PyAny>, Error> {
    let subject: Subject = subject.parse()?;
    let asked = py.detach(|| {
        let keys = keys.map_or_else(KeyStore::from_environment, |keys| Ok(KeyStore::new(keys)))?;
        cwts_gateway::request_shred_approval(&dir, &subject, approver, &keys)
    })?;
    Ok(to_py(py, &asked_row(&asked))?)
}

/// Keys to read with: who has none reads codes.
pub(crate) fn readable(keys: Option<PathBuf>) -> Option<KeyStore> {
    keys.map(KeyStore::new).or_else(|| KeyStore::from_environment().ok())
}

fn kind(what: &str) -> Result<SealedKind, Error> {
    match what {
        "identity" => Ok(SealedKind::Identity),
        "note" => Ok(SealedKind::Note),
        other => {
            let why = format!("what: {other:?} is neither identity nor note");
            Err(PyValueError::new_err(why).into())
        }
    }
}

fn asked_row(asked: &ShredAsked) -> Value {
    match asked {
        ShredAsked::Already { seq } => json!({ "already": seq }),
        ShredAsked::Asked { case, sealed, plain } => json!({
            "already": null,
            "running": case.requested.running,
            "request": case.requested.path.display().to_string(),
            "signed": case.signed,
            "sealed": sealed,
            "plain": plain,
        }),
    }
}

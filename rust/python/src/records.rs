//! A log for records alone: notes and corrections, and no orders.

use std::path::PathBuf;

use cwts_gateway::{Gateway as Core, GatewayOptions, KeyStore};
use cwts_types::{Fsck, ReleaseMode};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::Error;
use crate::gateway::Gateway;

/// Opens a log, or makes one that needs no limits: every order is refused in it.
#[pyfunction]
#[pyo3(signature = (log, *, keys=None, origin=None, anchor=None))]
pub(crate) fn open_records(
    py: Python<'_>,
    log: PathBuf,
    keys: Option<PathBuf>,
    origin: Option<String>,
    anchor: Option<PathBuf>,
) -> Result<Gateway, Error> {
    let release = ReleaseMode::Durable;
    let (dir, keys) = (Some(log), keys.map(KeyStore::new));
    let options = GatewayOptions { limits: None, dir, keys, origin, anchor, release };
    Ok(Gateway::of(py.detach(|| Core::open_records(&options))?, release))
}

/// Appends a note and gives its index; it is not durable yet.
#[pyfunction]
pub(crate) fn append_note(
    py: Python<'_>,
    gateway: &Gateway,
    text: &str,
    actor: &str,
) -> Result<u64, Error> {
    Ok(py.detach(|| gateway.lock()?.core()?.note(text, actor))?)
}

/// Appends a correction of an earlier entry and gives its index; it is not durable yet.
#[pyfunction]
pub(crate) fn append_amend(
    py: Python<'_>,
    gateway: &Gateway,
    index: u64,
    field: &str,
    value: &str,
    reason: &str,
    actor: &str,
) -> Result<u64, Error> {
    Ok(py.detach(|| gateway.lock()?.core()?.amend(index, [field, value, reason], actor))?)
}

/// Appends what a check of the log found and gives its index; it is not durable yet.
#[pyfunction]
pub(crate) fn record_check(
    py: Python<'_>,
    gateway: &Gateway,
    size: u64,
    root: [u8; 32],
    findings: u64,
    level: u8,
    actor: &str,
) -> Result<u64, Error> {
    if level > REPLAY_LEVEL {
        return Err(PyValueError::new_err(format!("level: {level} is not 0, 1 or 2")).into());
    }
    let check = Fsck { size, root, findings, level };
    Ok(py.detach(|| gateway.lock()?.core()?.record_check(check, actor))?)
}

/// The deepest level of a check, as FSCK has it.
const REPLAY_LEVEL: u8 = 2;

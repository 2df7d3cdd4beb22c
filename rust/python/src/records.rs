//! A log for records alone: notes and corrections, and no orders.

use std::path::PathBuf;

use cwts_gateway::{Gateway as Core, GatewayOptions, KeyStore, Retention};
use cwts_types::ReleaseMode;
use pyo3::prelude::*;

use crate::error::Error;
use crate::gateway::Gateway;

/// Opens a log, or makes one that needs no limits: every order is refused in it.
#[pyfunction]
#[pyo3(signature = (log, *, keys=None, origin=None, retention_years=None, rule=None))]
pub(crate) fn open_records(
    py: Python<'_>,
    log: PathBuf,
    keys: Option<PathBuf>,
    origin: Option<String>,
    retention_years: Option<u16>,
    rule: Option<&str>,
) -> Result<Gateway, Error> {
    let retention = retention_years.map(|years| Retention::new(years, rule)).transpose()?;
    let release = ReleaseMode::Durable;
    let (dir, keys) = (Some(log), keys.map(KeyStore::new));
    let options = GatewayOptions { limits: None, dir, keys, origin, release };
    Ok(Gateway::of(py.detach(|| Core::open_kept(&options, retention))?, release))
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

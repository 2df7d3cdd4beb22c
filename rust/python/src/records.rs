//! A log for records alone: notes and corrections, and no orders. And a log made in advance.

use std::path::PathBuf;

use cwts_gateway::{Escrow, Gateway as Core, GatewayError, GatewayOptions, KeyStore, Retention};
use cwts_types::{Fsck, ReleaseMode};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::Error;
use crate::gateway::Gateway;

/// Opens a log, or makes one that needs no limits: every order is refused in it.
#[pyfunction]
#[pyo3(signature = (
    log, *, keys=None, origin=None, anchor=None, retention_years=None, rule=None,
))]
pub(crate) fn open_records(
    py: Python<'_>,
    log: PathBuf,
    keys: Option<PathBuf>,
    origin: Option<String>,
    anchor: Option<PathBuf>,
    retention_years: Option<u16>,
    rule: Option<&str>,
) -> Result<Gateway, Error> {
    let retention = retention_years.map(|years| Retention::new(years, rule)).transpose()?;
    let release = ReleaseMode::Durable;
    let (dir, keys) = (Some(log), keys.map(KeyStore::new));
    let options = GatewayOptions { limits: None, dir, keys, origin, anchor, release };
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

/// Makes a log with its keys. `K_0` goes to the file `escrow`, to the folder of keys, or, with
/// `hand_over`, nowhere. Gives the log's verification key, the file, and `K_0` as a line.
#[pyfunction]
#[pyo3(signature = (log, *, keys=None, origin=None, escrow=None, hand_over=false))]
pub(crate) fn init_log(
    py: Python<'_>,
    log: PathBuf,
    keys: Option<PathBuf>,
    origin: Option<String>,
    escrow: Option<PathBuf>,
    hand_over: bool,
) -> Result<(String, Option<String>, Option<String>), Error> {
    let escrow = match (escrow, hand_over) {
        (Some(file), false) => Escrow::File(file),
        (None, false) => Escrow::KeyFolder,
        (None, true) => Escrow::Caller,
        (Some(_), true) => {
            let why = "escrow: K_0 goes to a file or to the caller, not both".to_owned();
            return Err(GatewayError::Record(why).into());
        }
    };
    let made = py.detach(|| Core::init_log(&log, &key_store(keys)?, origin, &escrow))?;
    Ok((made.vkey, made.escrow, made.k0.map(|line| line.trim_end().to_owned())))
}

/// Where a log's `K_0` still lies on this host, if it does.
#[pyfunction]
#[pyo3(signature = (log, keys=None))]
pub(crate) fn k0_on_host(
    py: Python<'_>,
    log: PathBuf,
    keys: Option<PathBuf>,
) -> Result<Option<String>, Error> {
    let path = py.detach(|| key_store(keys)?.k0_on_host(&log))?;
    Ok(path.map(|path| path.display().to_string()))
}

fn key_store(keys: Option<PathBuf>) -> Result<KeyStore, GatewayError> {
    keys.map_or_else(KeyStore::from_environment, |keys| Ok(KeyStore::new(keys)))
}

/// The deepest level of a check, as FSCK has it.
const REPLAY_LEVEL: u8 = 2;

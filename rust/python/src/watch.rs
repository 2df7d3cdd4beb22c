//! `LogWatch`: a live log checked while it grows.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cwts_audit::note::base64_hash;
use cwts_audit::{NoteKey, VerifyKey};
use cwts_gateway::Watch;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde_json::json;

use crate::audit::note_keys;
use crate::convert::to_py;
use crate::error::Error;
use crate::files::finding;

/// Watches one log from its first entry; reads without its lock.
#[pyclass(frozen, module = "cwts._core")]
pub(crate) struct LogWatch {
    core: Mutex<Watch>,
}

#[pymethods]
impl LogWatch {
    #[new]
    #[pyo3(signature = (dir, key=None))]
    fn new(dir: PathBuf, key: Option<String>) -> Result<Self, Error> {
        let key = key.map(|key| log_key(&key)).transpose()?;
        Ok(Self { core: Mutex::new(Watch::new(&dir, key)) })
    }

    /// Checks what was written since, after waiting so many seconds for something.
    fn look<'py>(&self, py: Python<'py>, patience_s: f64) -> Result<Bound<'py, PyAny>, Error> {
        let patience = Duration::try_from_secs_f64(patience_s.min(PATIENCE_S_MAX))
            .map_err(|_| PyValueError::new_err(format!("patience_s: {patience_s} is no time")))?;
        let value = py.detach(|| {
            let seen = self.core.lock().unwrap_or_else(PoisonError::into_inner).look(patience)?;
            Ok::<_, cwts_gateway::GatewayError>(json!({
                "size": seen.size,
                "root": base64_hash(&seen.root),
                "closed": seen.is_closed,
                "mono_ns": seen.mono_ns,
                "findings": seen.findings.iter().map(finding).collect::<Vec<_>>(),
            }))
        })?;
        Ok(to_py(py, &value)?)
    }
}

fn log_key(key: &str) -> Result<VerifyKey, Error> {
    match note_keys(&[key.to_owned()])?.pop() {
        Some(NoteKey::Log(key)) => Ok(key),
        _ => Err(PyValueError::new_err("vkey: it is no log's key").into()),
    }
}

/// Signals are seen between looks.
const PATIENCE_S_MAX: f64 = 1.0;

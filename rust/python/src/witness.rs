//! Witnesses: being one, and what a log sends to one and keeps of its answer.

use std::path::{Path, PathBuf};

use cwts_audit::line_key::LineKey as _;
use cwts_audit::note::NoteError;
use cwts_audit::{Note, NoteKey, VerifyKey};
use cwts_gateway::{GatewayError, WitnessFiles, cosigned_size, keep_cosignatures, submission};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::audit::{note_keys, with_published};
use crate::error::Error;

/// A witness in files; every method may be called from any thread.
#[pyclass(frozen, module = "cwts._core")]
pub(crate) struct Witness(WitnessFiles);

#[pymethods]
impl Witness {
    #[new]
    fn new(py: Python<'_>, key: PathBuf, state: PathBuf, logs: Vec<String>) -> Result<Self, Error> {
        let logs = note_keys(&logs)?.into_iter().map(log_key).collect::<Result<_, Error>>()?;
        Ok(Self(py.detach(|| WitnessFiles::open(&key, &state, logs))?))
    }

    /// Its public key.
    #[getter]
    fn vkey(&self) -> String {
        self.0.verify_key().to_string()
    }

    /// Answers `add-checkpoint`: HTTP status, type of the body, body.
    fn add_checkpoint<'py>(
        &self,
        py: Python<'py>,
        body: Vec<u8>,
        unix_seconds: u64,
    ) -> (u16, &'static str, Bound<'py, PyBytes>) {
        let (status, kind, text) = py.detach(|| self.0.add_checkpoint(&body, unix_seconds));
        (status, kind, PyBytes::new(py, text.as_bytes()))
    }

    /// The newest cosigned checkpoint of the log whose origin has this SHA-256 in hexadecimal.
    fn newest<'py>(&self, py: Python<'py>, origin_sha256: &str) -> Option<Bound<'py, PyBytes>> {
        self.0.newest(origin_sha256).map(|note| PyBytes::new(py, note.as_bytes()))
    }
}

fn log_key(key: NoteKey) -> Result<VerifyKey, Error> {
    match key {
        NoteKey::Log(key) => Ok(key),
        other => Err(PyValueError::new_err(format!("vkey {other}: is no log's key")).into()),
    }
}

/// Makes a witness's key and its empty state; gives its public key.
#[pyfunction]
pub(crate) fn new_witness(
    py: Python<'_>,
    name: &str,
    key: PathBuf,
    state: PathBuf,
) -> Result<String, Error> {
    Ok(py.detach(|| WitnessFiles::create(name, &key, &state))?.to_string())
}

/// The body of `add-checkpoint` for a checkpoint of the log and the witness of this key, which has
/// seen `old` entries of it, or as many as `checkpoint.witnessed` says; empty if it has seen more.
#[pyfunction]
#[pyo3(signature = (dir, vkey, note, old=None))]
pub(crate) fn witness_request<'py>(
    py: Python<'py>,
    dir: PathBuf,
    vkey: &str,
    note: Vec<u8>,
    old: Option<u64>,
) -> Result<Bound<'py, PyBytes>, Error> {
    let key = witness_key(vkey)?;
    let body = py.detach(|| -> Result<String, GatewayError> {
        let note = Note::parse(&note)?;
        let old = old.unwrap_or_else(|| cosigned_size(&dir, &key));
        with_published(&dir, |log| submission(log, &note, old))
    })?;
    Ok(PyBytes::new(py, body.as_bytes()))
}

/// The name of a witness's key.
#[pyfunction]
pub(crate) fn witness_name(vkey: &str) -> Result<String, Error> {
    Ok(witness_key(vkey)?.name().to_owned())
}

/// Keeps the cosignatures of answers to a checkpoint; gives for each why it does not count.
#[pyfunction]
pub(crate) fn keep_witnessed(
    py: Python<'_>,
    dir: PathBuf,
    note: Vec<u8>,
    answers: Vec<(String, Vec<u8>)>,
) -> Result<Vec<Option<String>>, Error> {
    let keyed: Result<Vec<_>, Error> =
        answers.into_iter().map(|(vkey, answer)| Ok((witness_key(&vkey)?, answer))).collect();
    let keyed = keyed?;
    let refused = py.detach(|| keep_cosignatures(Path::new(&dir), &note, &keyed))?;
    Ok(refused.into_iter().map(|error| error.as_ref().map(NoteError::to_string)).collect())
}

fn witness_key(vkey: &str) -> Result<NoteKey, Error> {
    match note_keys(&[vkey.to_owned()])?.pop() {
        Some(key @ NoteKey::Witness(_)) => Ok(key),
        _ => Err(PyValueError::new_err(format!("vkey {vkey:?}: is no witness's key")).into()),
    }
}

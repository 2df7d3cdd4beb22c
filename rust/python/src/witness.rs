//! Witnesses: being one, and what a log sends to one and keeps of its answer.

use std::path::{Path, PathBuf};

use cwts_audit::note::NoteError;
use cwts_audit::{NoteKey, VerifyKey};
use cwts_gateway::{WitnessFiles, cosigned_size, keep_cosignatures, submission};
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

/// What a log sends the witness of this key, which has seen `old` entries of it, or as many as
/// `checkpoint.witnessed` says: the size, the checkpoint, the body.
#[pyfunction]
#[pyo3(signature = (dir, vkey, old=None))]
pub(crate) fn witness_request<'py>(
    py: Python<'py>,
    dir: PathBuf,
    vkey: &str,
    old: Option<u64>,
) -> Result<(u64, Bound<'py, PyBytes>, Bound<'py, PyBytes>), Error> {
    let key = witness_key(vkey)?;
    let sent = py.detach(|| {
        let old = old.unwrap_or_else(|| cosigned_size(&dir, &key));
        with_published(&dir, |log| submission(log, old))
    })?;
    let bytes = |text: &str| PyBytes::new(py, text.as_bytes());
    Ok((sent.size, bytes(&sent.note), bytes(&sent.body)))
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

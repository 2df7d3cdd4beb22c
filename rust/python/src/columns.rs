//! Runs of entries as columns, and the proof that a run is whole: under `cwts log export|query`.

use std::path::PathBuf;

use cwts_audit::note::parse_base64_hash;
use cwts_audit::range::{RangeFold, RangeProof, RowFault};
use cwts_audit::tile::hashes_of;
use cwts_audit::{Checkpoint, Hash, Note, PublishedError};
use cwts_gateway::{Layouts, hex};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use serde_json::json;

use crate::audit::{note_keys, with_published};
use crate::convert::to_py;
use crate::error::Error;

type Bytes<'py> = Bound<'py, PyBytes>;

/// Entries from `first` on, at most up to `end` and to `bytes_max` bytes: the bytes, where each
/// starts (32 bits, and the end of the last), and the leaf hashes.
#[pyfunction]
pub(crate) fn entries_raw(
    py: Python<'_>,
    dir: PathBuf,
    first: u64,
    end: u64,
    bytes_max: usize,
) -> Result<(Bytes<'_>, Bytes<'_>, Bytes<'_>), Error> {
    let (bytes, offsets, hashes) = py.detach(|| {
        with_published(&dir, |log| {
            let (mut bytes, mut hashes) = (Vec::new(), Vec::new());
            let mut offsets = vec![0; 4];
            let read = log.entries(first, end, |_, entry| {
                if !bytes.is_empty() && bytes.len() + entry.len() > bytes_max.min(BYTES_MAX) {
                    return Err(Stop::Full);
                }
                bytes.extend_from_slice(entry);
                offsets.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
                hashes.extend_from_slice(&cwts_audit::merkle::leaf_hash(entry));
                Ok(())
            });
            match read {
                Ok(()) | Err(Stop::Full) => Ok((bytes, offsets, hashes)),
                Err(Stop::Failed(error)) => Err(error),
            }
        })
    })?;
    let made = |bytes: Vec<u8>| PyBytes::new(py, &bytes);
    Ok((made(bytes), made(offsets), made(hashes)))
}

enum Stop {
    Full,
    Failed(PublishedError),
}

impl From<PublishedError> for Stop {
    fn from(error: PublishedError) -> Self {
        Self::Failed(error)
    }
}

/// The hashes that prove the entries `first..end` whole, and the checkpoint that they lead to.
#[pyfunction]
pub(crate) fn range_proof(
    py: Python<'_>,
    dir: PathBuf,
    first: u64,
    end: u64,
) -> Result<Bound<'_, PyAny>, Error> {
    let value = py.detach(|| {
        with_published(&dir, |log| {
            let proof = log.range(first, end)?;
            if proof.root()? != log.checkpoint.root {
                return Err(PublishedError::Root);
            }
            Ok(json!({
                "checkpoint": log.note.encode(),
                "origin": log.checkpoint.origin,
                "size": log.checkpoint.size,
                "root": hex(&log.checkpoint.root),
                "left": texts(&proof.left),
                "subtrees": texts(&proof.subtrees),
                "right": texts(&proof.right),
            }))
        })
    })?;
    Ok(to_py(py, &value)?)
}

fn texts(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(cwts_audit::note::base64_hash).collect()
}

/// What a checkpoint says, and why its signatures do not hold under these keys, if they do not.
#[pyfunction]
pub(crate) fn check_note<'py>(
    py: Python<'py>,
    note: &[u8],
    keys: Vec<String>,
) -> Result<Bound<'py, PyAny>, Error> {
    let keys = note_keys(&keys)?;
    let read = || {
        let note = Note::parse(note)?;
        let said = Checkpoint::parse(&note.text)?;
        Ok::<_, cwts_audit::NoteError>((note.check_all(&keys).err(), said))
    };
    let value = match read() {
        Ok((fault, said)) => json!({
            "why": fault.map(|fault| fault.to_string()),
            "origin": said.origin, "size": said.size, "root": hex(&said.root),
        }),
        Err(fault) => json!({ "why": fault.to_string() }),
    };
    Ok(to_py(py, &value)?)
}

/// Compares rows with the proof of their range; the hashes are base64, as in a manifest.
#[pyclass(module = "cwts._core")]
pub(crate) struct RangeCheck {
    fold: RangeFold,
    /// The root to which the proof leads, in hex; None if it leads to none.
    #[pyo3(get)]
    root: Option<String>,
}

#[pymethods]
impl RangeCheck {
    #[new]
    fn new(
        first: u64,
        end: u64,
        size: u64,
        left: Vec<String>,
        subtrees: Vec<String>,
        right: Vec<String>,
    ) -> PyResult<Self> {
        let hashes = |texts: Vec<String>| -> PyResult<Vec<Hash>> {
            let hash = |text: &String| {
                let why = || PyValueError::new_err(format!("{text:?} is no hash in base64"));
                parse_base64_hash(text).ok_or_else(why)
            };
            texts.iter().map(hash).collect()
        };
        let (left, subtrees, right) = (hashes(left)?, hashes(subtrees)?, hashes(right)?);
        let proof = RangeProof { first, end, size, left, subtrees, right };
        Ok(Self { root: proof.root().ok().map(|root| hex(&root)), fold: RangeFold::new(&proof) })
    }

    /// The index that the next row must have.
    #[getter]
    fn next_index(&self) -> u64 {
        self.fold.next_index()
    }

    /// Whether every row of the range was taken.
    #[getter]
    fn complete(&self) -> bool {
        self.fold.is_complete()
    }

    /// Takes rows: entries' bytes, their offsets, their leaf hashes; gives what is wrong as (kind,
    /// first index, last index), and stops at a row behind the range.
    fn rows(
        &mut self,
        py: Python<'_>,
        data: &[u8],
        offsets: &[u8],
        hashes: &[u8],
    ) -> PyResult<Vec<(&'static str, u64, u64)>> {
        let hashes = hashes_of(hashes).ok_or_else(|| PyValueError::new_err("leaf hashes"))?;
        let fold = &mut self.fold;
        py.detach(|| {
            let mut found = Vec::new();
            for (entry, hash) in slices(data, offsets).zip(hashes) {
                let sink = &mut |fault| {
                    if found.len() < FAULTS_MAX {
                        found.push(match fault {
                            RowFault::EntryChanged(at) => ("ENTRY_CHANGED", at, at),
                            RowFault::LeafHashChanged(at) => ("LEAF_HASH_CHANGED", at, at),
                            RowFault::RangeChanged(at, last) => ("RANGE_CHANGED", at, last),
                        });
                    }
                };
                if !fold.row(entry.unwrap_or_default(), *hash, sink) {
                    found.push(("ROW_ADDED", fold.next_index(), fold.next_index()));
                    break;
                }
            }
            Ok(found)
        })
    }
}

/// The columns of the entries of these types, by a schema: for each type code, name, positions and
/// fields, each with type, values and offsets.
#[pyfunction]
pub(crate) fn decode_columns<'py>(
    py: Python<'py>,
    schema: &str,
    data: &[u8],
    offsets: &[u8],
    codes: Vec<u8>,
) -> Result<Bound<'py, PyDict>, Error> {
    let layouts =
        Layouts::parse(schema).ok_or_else(|| PyValueError::new_err("no SCHEMA text of a log"))?;
    let decode = || layouts.decode(slices(data, offsets).map(Option::unwrap_or_default), &codes);
    let found = py.detach(decode).map_err(|e| PyValueError::new_err(e.to_string()))?;
    let out = PyDict::new(py);
    for one in found {
        let columns = PyDict::new(py);
        let little = |values: &[i32]| -> Vec<u8> {
            values.iter().flat_map(|value| value.to_le_bytes()).collect()
        };
        for column in one.columns {
            if !column.name.ends_with("zero") {
                let offsets = PyBytes::new(py, &little(&column.offsets));
                let values = PyBytes::new(py, &column.values);
                columns.set_item(column.name, (column.kind, values, offsets))?;
            }
        }
        let rows: Vec<u8> = one.rows.iter().flat_map(|row| row.to_le_bytes()).collect();
        out.set_item(one.code, (one.name, PyBytes::new(py, &rows), columns))?;
    }
    Ok(out)
}

/// The entries in a buffer; `None` for offsets that leave it.
fn slices<'d>(data: &'d [u8], offsets: &'d [u8]) -> impl Iterator<Item = Option<&'d [u8]>> {
    let (offsets, _) = offsets.as_chunks::<4>();
    offsets.windows(2).map(|pair| {
        let (start, end) = (u32::from_le_bytes(pair[0]), u32::from_le_bytes(pair[1]));
        data.get(start as usize..end as usize)
    })
}

/// Bytes of a run: offsets into it are 31 bits wide.
const BYTES_MAX: usize = 1 << 30;
/// Wrong rows that are told of one run.
const FAULTS_MAX: usize = 1_000;

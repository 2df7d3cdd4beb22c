//! Runs of several files: their common root; and kept decisions as an Arrow stream.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, StructArray};
use arrow_schema::{ArrowError, Field};
use cwts_audit::VerifyKey;
use cwts_feeds::columnar::{decision_schema, decisions_to_batch};
use cwts_gateway::{KeyStore, hex, replay};
use cwts_types::{Decision, Order};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyCapsule;
use pyo3_arrow::ffi::{ArrayIterator, to_stream_pycapsule};
use serde_json::{Value, json};

use crate::convert::to_py;
use crate::error::Error;
use crate::files::finding;

/// Signs the root over the logs of a run.
#[pyfunction]
#[pyo3(signature = (dir, logs, keys=None))]
pub(crate) fn seal_run(
    py: Python<'_>,
    dir: PathBuf,
    logs: usize,
    keys: Option<PathBuf>,
) -> Result<Bound<'_, PyAny>, Error> {
    let keys = keys.map(KeyStore::new);
    let sealed = py.detach(|| replay::seal_run(&dir, logs, keys.as_ref()))?;
    Ok(to_py(py, &head(&sealed))?)
}

/// Checks names, signature and root of a run's folder; each log is verified for itself.
#[pyfunction]
pub(crate) fn check_run(
    py: Python<'_>,
    dir: PathBuf,
    keys: Vec<String>,
) -> Result<Bound<'_, PyAny>, Error> {
    let parsed: Result<Vec<VerifyKey>, PyErr> = keys
        .iter()
        .map(|text| {
            let shown: String = text.chars().take(100).collect();
            text.trim().parse().map_err(|e| PyValueError::new_err(format!("vkey {shown:?}: {e}")))
        })
        .collect();
    let parsed = parsed?;
    let check = py.detach(|| replay::check_run(&dir, &parsed))?;
    let value = json!({
        "logs": check.logs.iter().map(|log| log.display().to_string()).collect::<Vec<_>>(),
        "log_keys": check.log_keys.iter().map(|k| k.as_ref().map(ToString::to_string))
            .collect::<Vec<_>>(),
        "checkpoint": check.checkpoint.as_ref().map(head),
        "findings": check.findings.iter().map(finding).collect::<Vec<_>>(),
        "not_checked": check.not_checked,
    });
    Ok(to_py(py, &value)?)
}

fn head(checkpoint: &cwts_audit::Checkpoint) -> Value {
    json!({
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": hex(&checkpoint.root),
        "checkpoint": checkpoint.encode().trim_end(),
    })
}

/// Kept orders and their decisions as an `arrow_array_stream` capsule, a batch at a time.
#[pyfunction]
#[pyo3(signature = (orders, decisions, requested_schema=None))]
pub(crate) fn decision_stream<'py>(
    py: Python<'py>,
    orders: PyBackedBytes,
    decisions: PyBackedBytes,
    requested_schema: Option<Bound<'py, PyCapsule>>,
) -> Result<Bound<'py, PyCapsule>, Error> {
    if orders.len() != decisions.len() || !orders.len().is_multiple_of(RECORD_BYTES) {
        let why = format!(
            "{} bytes of orders beside {} of decisions: one record of {RECORD_BYTES} each",
            orders.len(),
            decisions.len()
        );
        return Err(PyValueError::new_err(why).into());
    }
    let schema = decision_schema();
    let field = Field::new_struct("", schema.fields().clone(), false);
    let records = orders.len() / RECORD_BYTES;
    let batch = move |from: usize| -> Result<ArrayRef, ArrowError> {
        let to = (from + ROWS_A_BATCH).min(records);
        let bytes = from * RECORD_BYTES..to * RECORD_BYTES;
        let (orders, _) = orders[bytes.clone()].as_chunks::<RECORD_BYTES>();
        let (decisions, _) = decisions[bytes].as_chunks::<RECORD_BYTES>();
        let rows: Vec<_> = orders
            .iter()
            .zip(decisions)
            .map(|(order, decision)| {
                replay::decision_row(&Order::from_bytes(order), &Decision::from_bytes(decision))
            })
            .collect();
        let batch =
            decisions_to_batch(&rows).map_err(|e| ArrowError::CDataInterface(e.to_string()))?;
        Ok(Arc::new(StructArray::from(batch)))
    };
    let batches = (0..records).step_by(ROWS_A_BATCH).map(batch);
    let reader = ArrayIterator::new(batches, Arc::new(field));
    let stream = to_stream_pycapsule(py, Box::new(reader), requested_schema);
    stream.map_err(|e| Error::from(PyErr::from(e)))
}

const RECORD_BYTES: usize = 64;
/// Rows of one batch of the stream.
const ROWS_A_BATCH: usize = 8_192;

//! Files as Arrow columns, for a program that wants rows instead of decisions; and the log alone,
//! which a durable replay is measured against.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StructArray};
use arrow_schema::{Field, SchemaRef};
use cwts_feeds::columnar::{TABLE_ROWS_MAX, event_schema, read_table};
use cwts_feeds::sniff::Format;
use cwts_feeds::source::{EventSource as _, Input, InputFacts, OpenOptions, open_events};
use cwts_gateway::{GatewayError, KeyStore, hex};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyCapsule;
use pyo3_arrow::ffi::{ArrayIterator, to_schema_pycapsule, to_stream_pycapsule};
use serde_json::json;

use crate::convert::to_py;
use crate::error::Error;

/// The rows of a file as Arrow columns; any Arrow library takes it as it is.
#[pyclass(frozen, module = "cwts._core")]
pub(crate) struct Events {
    batches: Vec<RecordBatch>,
    facts: InputFacts,
    ignored: Vec<String>,
}

#[pymethods]
impl Events {
    /// What is known of the input.
    #[getter]
    fn facts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let facts = &self.facts;
        let value = json!({
            "format": facts.format.name(),
            "compression": facts.compression.name(),
            "bytes": facts.bytes,
            "packed_bytes": facts.packed_bytes,
            "records": facts.counts.records,
            "time_back": facts.counts.time_back,
            "sha256": facts.sha256.map(|digest| hex(&digest)),
            "ignored_columns": self.ignored,
        });
        to_py(py, &value)
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        Ok(to_schema_pycapsule(py, self.schema().as_ref())?)
    }

    /// The batches themselves: nothing is copied.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let field = Field::new_struct("", self.schema().fields().clone(), false);
        let arrays = self.batches.clone().into_iter().map(|batch| {
            let array: ArrayRef = Arc::new(StructArray::from(batch));
            Ok(array)
        });
        let reader = Box::new(ArrayIterator::new(arrays, field.into()));
        Ok(to_stream_pycapsule(py, reader, requested_schema)?)
    }

    fn __len__(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    fn __repr__(&self) -> String {
        format!("<cwts.datasets.Events: {} rows of {}>", self.__len__(), self.facts.format.name())
    }
}

impl Events {
    fn schema(&self) -> SchemaRef {
        self.batches.first().map_or_else(event_schema, RecordBatch::schema)
    }
}

/// Reads a file, or bytes, of any known format to its end.
#[pyfunction]
#[pyo3(signature = (path=None, data=None, *, format=None, symbol=None, base_ns=0, rows_max=None))]
pub(crate) fn read_events(
    py: Python<'_>,
    path: Option<PathBuf>,
    data: Option<PyBackedBytes>,
    format: Option<&str>,
    symbol: Option<String>,
    base_ns: u64,
    rows_max: Option<usize>,
) -> Result<Events, Error> {
    let format = format.map(format_of).transpose()?;
    // Nobody compares these bytes with a log.
    let options = OpenOptions { base_ns, symbol, hash: false, ..OpenOptions::default() };
    let rows_max = rows_max.unwrap_or(TABLE_ROWS_MAX).min(TABLE_ROWS_MAX);
    match (path, data) {
        (Some(path), None) => py.detach(|| {
            let shown = path.display().to_string();
            let input = Input::File(Box::new(open(&path)?));
            Ok(read(input, format, &options, rows_max)
                .map_err(|e| GatewayError::from(e.in_file(&shown)))?)
        }),
        (None, Some(data)) => py.detach(|| {
            let input = Input::Bytes(&data);
            Ok(read(input, format, &options, rows_max).map_err(GatewayError::from)?)
        }),
        _ => Err(PyTypeError::new_err("path and data: give one of them").into()),
    }
}

fn read(
    input: Input<'_>,
    format: Option<Format>,
    options: &OpenOptions,
    rows_max: usize,
) -> Result<Events, cwts_feeds::error::FeedError> {
    let mut source = open_events(input, format, options)?;
    let batches = read_table(&mut source, rows_max)?;
    Ok(Events { batches, facts: source.facts(), ignored: source.ignored_columns().to_vec() })
}

fn open(path: &Path) -> Result<File, GatewayError> {
    let failed = |source| GatewayError::File { path: path.display().to_string(), source };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        let why = format!("{}: is a directory, not a file", path.display());
        return Err(GatewayError::Replay(why));
    }
    Ok(file)
}

fn format_of(name: &str) -> PyResult<Format> {
    Format::from_name(name).ok_or_else(|| {
        let known: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
        PyValueError::new_err(format!("format: {name:?} is not one of {}", known.join(", ")))
    })
}

/// Appends a replay's entries to a new log, without decoding and deciding.
#[pyfunction]
pub(crate) fn append_again(
    py: Python<'_>,
    dir: PathBuf,
    copy: PathBuf,
    keys: PathBuf,
) -> Result<Bound<'_, PyAny>, Error> {
    let keys = KeyStore::new(keys);
    let found = py.detach(|| cwts_gateway::replay::append_again(&dir, &copy, &keys))?;
    let value = json!({"entries": found.entries, "root": found.root, "ns": found.took_ns});
    Ok(to_py(py, &value)?)
}

//! `_core.SynthFlow`: generated flow as an Arrow stream, drawn while it is read.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StructArray};
use arrow_schema::{ArrowError, Field};
use cwts_feeds::columnar::{event_schema, events_to_batch};
use cwts_feeds::event::Event;
use cwts_feeds::source::EventSource as _;
use cwts_feeds::synth::Label;
use cwts_gateway::replay::{SynthPlan, SynthSource};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use pyo3_arrow::error::PyArrowResult;
use pyo3_arrow::ffi::{ArrayIterator, to_stream_pycapsule};

use crate::error::Error;

/// A stream that starts anew for each reader; one batch of it is in memory at a time.
#[pyclass(frozen, module = "cwts._core")]
pub(crate) struct SynthFlow {
    plan: SynthPlan,
}

#[pymethods]
impl SynthFlow {
    #[new]
    #[pyo3(signature = (*, profile, events, seed, anomalies=false, instruments=8))]
    fn new(
        profile: String,
        events: u64,
        seed: u64,
        anomalies: bool,
        instruments: u32,
    ) -> Result<Self, Error> {
        let plan = SynthPlan { profile, events, seed, anomalies, instruments };
        // What is wrong with the plan is said here, not to some reader later.
        plan.source()?;
        Ok(Self { plan })
    }

    /// The anomalies, one JSON object a line: the stream is drawn once for them.
    fn labels(&self, py: Python<'_>) -> Result<String, Error> {
        if !self.plan.anomalies {
            return Ok(String::new());
        }
        let labels = py.detach(|| self.plan.labels())?;
        Ok(labels.iter().map(Label::to_ndjson).collect())
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyArrowResult<Bound<'py, PyCapsule>> {
        let source = self.plan.source().map_err(|e| PyErr::from(Error::from(e)))?;
        let schema = event_schema();
        let field = Field::new_struct("", schema.fields().clone(), false)
            .with_metadata(schema.metadata().clone());
        let batches = Batches { source, events: Vec::new() };
        let reader = Box::new(ArrayIterator::new(batches, Arc::new(field)));
        to_stream_pycapsule(py, reader, requested_schema)
    }
}

/// The source's batches as struct arrays, which is what the stream interface carries.
struct Batches {
    source: SynthSource,
    events: Vec<Event>,
}

impl Batches {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, cwts_feeds::error::FeedError> {
        self.events.clear();
        if !self.source.next_batch(&mut self.events)? {
            return Ok(None);
        }
        events_to_batch(&self.events, self.source.names()).map(Some)
    }
}

impl Iterator for Batches {
    type Item = Result<ArrayRef, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.next_batch().transpose()?;
        let array = batch.map(|batch| Arc::new(StructArray::from(batch)) as ArrayRef);
        Some(array.map_err(|error| ArrowError::ExternalError(Box::new(error))))
    }
}

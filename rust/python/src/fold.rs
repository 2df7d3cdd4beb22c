//! `_core.fold`: the pure engine over entries as bytes, for oracles that share no code with it.

use cwts_risk::Engine;
use cwts_types::{Body, Entry};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Position of the order, reasons, verdict, first bit, level, observed, limit, scope.
type Row = (usize, u64, u8, u8, u8, i64, i64, u32);

/// One row for each ORDER among the entries, in their order.
#[pyfunction]
pub(crate) fn fold(py: Python<'_>, limits: Vec<u8>, entries: Vec<Vec<u8>>) -> PyResult<Vec<Row>> {
    py.detach(|| {
        let mut engine = Engine::new();
        engine.activate(1, &limits).map_err(|e| PyValueError::new_err(e.to_string()))?;
        let mut rows = Vec::new();
        for (at, bytes) in entries.iter().enumerate() {
            let wrong = |e: String| PyValueError::new_err(format!("entry {at}: {e}"));
            let entry = Entry::decode(bytes).map_err(|e| wrong(e.to_string()))?;
            let found = engine.step(at as u64, &entry).map_err(|e| wrong(e.to_string()))?;
            if let (Body::Order(..), Some(found)) = (&entry.body, found) {
                let d = found.decision;
                let seen = (d.verdict, d.first, d.level, d.observed, d.limit, d.scope);
                rows.push((at, d.reasons.0, seen.0, seen.1, seen.2, seen.3, seen.4, seen.5));
            }
        }
        Ok(rows)
    })
}

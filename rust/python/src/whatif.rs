//! `_core.WhatIf` and `_core.Suggest`: questions to past flow, watched and cancelled like a replay.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use cwts_feeds::sniff::Format;
use cwts_feeds::source::OpenOptions;
use cwts_gateway::GatewayError;
use cwts_gateway::replay::{Mapping, Progress, ReplayInput, ReplayOptions, open_file};
use cwts_gateway::suggest::{Flow, SuggestOptions, suggest};
use cwts_gateway::whatif::{WhatIfOptions, whatif_file, whatif_log};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::Error;
use crate::replay::{format_of, mapping_of};

/// Past flow: a file, or a log.
enum Past {
    File { path: PathBuf, format: Option<Format>, open: OpenOptions, mapping: Option<Mapping> },
    Log(PathBuf),
}

impl Past {
    fn new(
        path: Option<PathBuf>,
        log: Option<PathBuf>,
        format: Option<&str>,
        symbol: Option<String>,
        base_ns: u64,
        mapping: Option<&str>,
    ) -> PyResult<Self> {
        match (path, log) {
            (Some(path), None) => {
                let open = OpenOptions { base_ns, symbol, ..OpenOptions::default() };
                let (format, mapping) = (format_of(format)?, mapping_of(mapping)?);
                Ok(Self::File { path, format, open, mapping })
            }
            (None, Some(dir)) => Ok(Self::Log(dir)),
            _ => Err(PyTypeError::new_err("path and log: give one of them")),
        }
    }
}

/// One what-if question: made, run once, watched and cancelled from any thread.
#[pyclass(frozen, module = "cwts._core")]
pub(crate) struct WhatIf {
    past: Past,
    old: (String, Vec<u8>),
    options: WhatIfOptions,
    progress: Arc<Progress>,
    flips: Mutex<Vec<u8>>,
}

#[pymethods]
impl WhatIf {
    #[new]
    #[pyo3(signature = (limits, limits_path, *, path=None, log=None, old=None, old_path="",
        format=None, symbol=None, base_ns=0, mapping=None, flips=None, keep=0))]
    #[expect(clippy::too_many_arguments, reason = "one argument an option of the question")]
    fn new(
        limits: Vec<u8>,
        limits_path: String,
        path: Option<PathBuf>,
        log: Option<PathBuf>,
        old: Option<Vec<u8>>,
        old_path: &str,
        format: Option<&str>,
        symbol: Option<String>,
        base_ns: u64,
        mapping: Option<&str>,
        flips: Option<PathBuf>,
        keep: usize,
    ) -> PyResult<Self> {
        let past = Past::new(path, log, format, symbol, base_ns, mapping)?;
        if matches!(past, Past::File { .. }) != old.is_some() {
            return Err(PyTypeError::new_err("old: a file needs old limits, a log has its own"));
        }
        Ok(Self {
            past,
            old: (old_path.to_owned(), old.unwrap_or_default()),
            options: WhatIfOptions { limits: (limits_path, limits), flips, keep },
            progress: Arc::default(),
            flips: Mutex::default(),
        })
    }

    /// Runs it and gives the answer as JSON text.
    fn run(&self, py: Python<'_>) -> Result<String, Error> {
        let found = py.detach(|| match &self.past {
            Past::File { path, format, open, mapping } => {
                let mut old = ReplayOptions::new(&self.old.0, &self.old.1);
                old.mapping = *mapping;
                whatif_file(open_file(path, *format, open)?, &old, &self.options, &self.progress)
            }
            Past::Log(dir) => whatif_log(dir, &self.options, &self.progress),
        })?;
        *self.flips.lock().unwrap_or_else(PoisonError::into_inner) = found.flips;
        Ok(found.json.to_string())
    }

    #[getter]
    fn events_done(&self) -> u64 {
        self.progress.events.load(Ordering::Relaxed)
    }

    /// Stops after the current batch.
    fn cancel(&self) {
        self.progress.cancelled.store(true, Ordering::Relaxed);
    }

    /// The first flips, 80 bytes each.
    #[getter]
    fn flips<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.flips.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One suggestion of limits.
#[pyclass(frozen, module = "cwts._core")]
pub(crate) struct Suggest {
    past: Past,
    options: SuggestOptions,
    progress: Arc<Progress>,
    toml: Mutex<String>,
}

#[pymethods]
impl Suggest {
    #[new]
    #[pyo3(signature = (false_rejects_ppb, *, path=None, log=None, format=None, symbol=None,
        base_ns=0, mapping=None))]
    fn new(
        false_rejects_ppb: u64,
        path: Option<PathBuf>,
        log: Option<PathBuf>,
        format: Option<&str>,
        symbol: Option<String>,
        base_ns: u64,
        mapping: Option<&str>,
    ) -> PyResult<Self> {
        Ok(Self {
            past: Past::new(path, log, format, symbol, base_ns, mapping)?,
            options: SuggestOptions { false_rejects_ppb },
            progress: Arc::default(),
            toml: Mutex::default(),
        })
    }

    /// Runs it and gives the measurement as JSON text.
    fn run(&self, py: Python<'_>) -> Result<String, Error> {
        let found = py.detach(|| {
            let open;
            let flow = match &self.past {
                Past::Log(dir) => Flow::Log(dir),
                Past::File { path, format, open: with, mapping } => {
                    open =
                        || -> Result<ReplayInput, GatewayError> { open_file(path, *format, with) };
                    Flow::File { open: &open, mapping: *mapping }
                }
            };
            suggest(&flow, self.options, &self.progress)
        })?;
        *self.toml.lock().unwrap_or_else(PoisonError::into_inner) = found.toml;
        Ok(found.json.to_string())
    }

    #[getter]
    fn events_done(&self) -> u64 {
        self.progress.events.load(Ordering::Relaxed)
    }

    /// Stops after the current batch.
    fn cancel(&self) {
        self.progress.cancelled.store(true, Ordering::Relaxed);
    }

    /// The text of the suggested limits file; empty before it ran.
    #[getter]
    fn toml(&self) -> String {
        self.toml.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

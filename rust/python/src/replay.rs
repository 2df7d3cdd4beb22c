//! `_core.Replay`: a replay that can be watched and cancelled; and the generator.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use cwts_feeds::columnar::{ArrowFileWriter, ParquetFileWriter};
use cwts_feeds::csv_rows::{csv_header, write_csv_rows};
use cwts_feeds::sniff::Format;
use cwts_feeds::source::{Input, OpenOptions, open_events};
use cwts_feeds::synth::Label;
use cwts_gateway::replay::{
    ItchFlow, Mapping, Progress, ReplayInput, ReplayOptions, SynthPlan, replay as run_replay,
};
use cwts_gateway::{GatewayError, KeyStore};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::Error;

/// Where the events come from.
enum Source {
    File { path: PathBuf, format: Option<Format>, open: OpenOptions },
    Synth(SynthPlan),
}

/// One replay: made, run once, watched and cancelled from any thread.
#[pyclass(frozen, module = "cwts._core")]
pub(crate) struct Replay {
    source: Source,
    options: Mutex<ReplayOptions>,
    progress: Arc<Progress>,
    kept: Mutex<(Vec<u8>, Vec<u8>)>,
    labels: Mutex<String>,
}

#[pymethods]
impl Replay {
    #[new]
    #[pyo3(signature = (limits, limits_path, *, path=None, format=None, symbol=None, base_ns=0,
        mapping=None, log=None, keys=None, decisions=None, keep=false, halt_at=None, profile=None,
        events=0, seed=0, anomalies=false, instruments=8, strict=false))]
    #[expect(clippy::too_many_arguments, reason = "one argument an option of the replay")]
    fn new(
        limits: Vec<u8>,
        limits_path: &str,
        path: Option<PathBuf>,
        format: Option<&str>,
        symbol: Option<String>,
        base_ns: u64,
        mapping: Option<&str>,
        log: Option<PathBuf>,
        keys: Option<PathBuf>,
        decisions: Option<PathBuf>,
        keep: bool,
        halt_at: Option<u64>,
        profile: Option<String>,
        events: u64,
        seed: u64,
        anomalies: bool,
        instruments: u32,
        strict: bool,
    ) -> PyResult<Self> {
        let format = match format {
            None => None,
            Some(name) => Some(Format::from_name(name).ok_or_else(|| {
                let known: Vec<&str> = Format::ALL.iter().map(|f| f.name()).collect();
                PyValueError::new_err(format!(
                    "format: {name:?} is not one of {}",
                    known.join(", ")
                ))
            })?),
        };
        let source = match (path, profile) {
            (Some(path), None) => {
                let open = OpenOptions { base_ns, symbol, strict, ..OpenOptions::default() };
                Source::File { path, format, open }
            }
            (None, Some(profile)) => {
                Source::Synth(SynthPlan { profile, events, seed, anomalies, instruments })
            }
            _ => return Err(PyTypeError::new_err("path and profile: give one of them")),
        };
        let mut options = ReplayOptions::new(limits_path, &limits);
        options.mapping = match mapping {
            None => None,
            Some("all") => Some(Mapping::All),
            Some("file") => Some(Mapping::File),
            Some(other) => {
                let why = format!("mapping: {other:?} is not one of all, file");
                return Err(PyValueError::new_err(why));
            }
        };
        options.dir = log;
        options.keys = keys.map(KeyStore::new);
        options.decisions = decisions;
        options.keep = keep;
        options.halt_at = halt_at;
        Ok(Self {
            source,
            options: Mutex::new(options),
            progress: Arc::default(),
            kept: Mutex::default(),
            labels: Mutex::default(),
        })
    }

    /// Runs it and gives the result as JSON text.
    fn run(&self, py: Python<'_>) -> Result<String, Error> {
        py.detach(|| self.run_detached())
    }

    #[getter]
    fn events_done(&self) -> u64 {
        self.progress.events.load(Ordering::Relaxed)
    }

    /// Stops after the current batch; the log then verifies as unclean.
    fn cancel(&self) {
        self.progress.cancelled.store(true, Ordering::Relaxed);
    }

    #[getter]
    fn orders<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.kept.lock().unwrap_or_else(PoisonError::into_inner).0)
    }

    #[getter]
    fn decisions<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.kept.lock().unwrap_or_else(PoisonError::into_inner).1)
    }

    #[getter]
    fn labels(&self) -> String {
        self.labels.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Replay {
    fn run_detached(&self) -> Result<String, Error> {
        let mut options = self.options.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let input = match &self.source {
            Source::File { path, format, open } => open_file(path, *format, open)?,
            Source::Synth(plan) => {
                if plan.anomalies {
                    options.labels = plan.labels()?;
                    let text: String = options.labels.iter().map(Label::to_ndjson).collect();
                    *self.labels.lock().unwrap_or_else(PoisonError::into_inner) = text;
                }
                let path = format!("{} seed {}", plan.profile, plan.seed);
                ReplayInput { path, source: Box::new(plan.source()?) }
            }
        };
        let outcome = run_replay(input, &options, &self.progress)?;
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) =
            (outcome.orders, outcome.decisions);
        Ok(outcome.json.to_string())
    }
}

fn open_file(
    path: &Path,
    format: Option<Format>,
    open: &OpenOptions,
) -> Result<ReplayInput, GatewayError> {
    let shown = path.display().to_string();
    let failed = |source| GatewayError::File { path: shown.clone(), source };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(GatewayError::Replay(format!("{shown}: is a directory, not a file")));
    }
    let source =
        open_events(Input::File(Box::new(file)), format, open).map_err(|e| e.in_file(&shown))?;
    Ok(ReplayInput { path: shown.clone(), source: Box::new(source) })
}

/// Writes generated flow to a file; gives the anomalies' labels.
#[pyfunction]
#[pyo3(signature = (path, format, *, profile, events, seed, anomalies=false, instruments=8))]
#[expect(clippy::too_many_arguments, reason = "one argument an option of the generator")]
pub(crate) fn generate(
    py: Python<'_>,
    path: PathBuf,
    format: &str,
    profile: String,
    events: u64,
    seed: u64,
    anomalies: bool,
    instruments: u32,
) -> Result<String, Error> {
    let plan = SynthPlan { profile, events, seed, anomalies, instruments };
    let format = match format {
        "csv" => Format::Csv,
        "parquet" => Format::Parquet,
        "arrow" => Format::Arrow,
        "itch" => Format::Itch,
        other => {
            let why = format!("format: {other:?} is not one of csv, parquet, arrow, itch");
            return Err(PyValueError::new_err(why).into());
        }
    };
    py.detach(|| write_flow(&path, format, &plan))
}

fn write_flow(path: &Path, format: Format, plan: &SynthPlan) -> Result<String, Error> {
    let failed = |source| GatewayError::File { path: path.display().to_string(), source };
    let file = File::create(path).map_err(failed)?;
    let mut sink = BufWriter::with_capacity(1 << 20, file);
    let mut labels: Vec<Label> = Vec::new();
    match format {
        Format::Parquet => {
            let mut out = ParquetFileWriter::new(sink).map_err(GatewayError::from)?;
            plan.each(&mut labels, |events, names| Ok(out.write(events, names)?))?;
            sink = out.finish().map_err(GatewayError::from)?;
        }
        Format::Arrow => {
            let mut out = ArrowFileWriter::new(sink).map_err(GatewayError::from)?;
            plan.each(&mut labels, |events, names| Ok(out.write(events, names)?))?;
            sink = out.finish().map_err(GatewayError::from)?;
        }
        Format::Itch => {
            let mut bytes = Vec::new();
            let mut flow = ItchFlow::new();
            let written = plan.each(&mut labels, |events, names| {
                bytes.clear();
                flow.write(events, names, &mut bytes)?;
                sink.write_all(&bytes).map_err(failed)
            });
            if written.is_err() {
                // Half a day would replay as if it were whole.
                let _ = std::fs::remove_file(path);
            }
            written?;
            bytes.clear();
            flow.finish(&mut bytes, &mut labels);
            sink.write_all(&bytes).map_err(failed)?;
        }
        _ => {
            sink.write_all(csv_header().as_ref()).map_err(failed)?;
            let mut rows = Vec::new();
            plan.each(&mut labels, |events, names| {
                rows.clear();
                write_csv_rows(events, names, &mut rows);
                sink.write_all(&rows).map_err(failed)
            })?;
        }
    }
    sink.flush().map_err(failed)?;
    Ok(labels.iter().map(Label::to_ndjson).collect())
}

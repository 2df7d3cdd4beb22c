//! `_core.Replay`: a replay that can be watched and cancelled; and the generator.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cwts_feeds::columnar::{ArrowFileWriter, ParquetFileWriter};
use cwts_feeds::csv_rows::{csv_header, write_csv_rows};
use cwts_feeds::sniff::Format;
use cwts_feeds::source::{AssetClass, OpenOptions};
use cwts_feeds::synth::{Label, Profile};
use cwts_gateway::replay::{
    ItchFlow, Mapping, Observe, Progress, ReplayInput, ReplayOptions, SynthPlan, inject, open_file,
    replay_merged,
};
use cwts_gateway::{GatewayError, KeyStore};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::Error;

/// Where the events come from.
enum Source {
    /// Files of one session, each with what it cannot say itself.
    Files {
        format: Option<Format>,
        files: Vec<(PathBuf, OpenOptions)>,
        /// The seed of anomalies to put into the one file.
        inject: Option<u64>,
    },
    Synth(SynthPlan),
}

/// One replay: made, run once, watched and cancelled from any thread.
#[pyclass(frozen, module = "cwts._core")]
pub(crate) struct Replay {
    source: Source,
    options: Mutex<ReplayOptions>,
    progress: Arc<Progress>,
    kept: Mutex<(Vec<u8>, Vec<u8>)>,
    kept_all: AtomicBool,
    labels: Mutex<String>,
}

#[pymethods]
impl Replay {
    #[new]
    #[pyo3(signature = (limits, limits_path, *, path=None, format=None, symbol=None, base_ns=0,
        mapping=None, log=None, keys=None, decisions=None, keep=false, halt_at=None, profile=None,
        events=0, seed=0, anomalies=false, instruments=8, strict=false, observe=false,
        inject=None, more=Vec::new(), keep_max=None, max_live=None, max_bytes=None))]
    #[expect(
        clippy::too_many_arguments,
        clippy::fn_params_excessive_bools,
        reason = "one argument an option of the replay, all by keyword"
    )]
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
        observe: bool,
        inject: Option<u64>,
        more: Vec<(PathBuf, Option<String>, u64)>,
        keep_max: Option<u64>,
        max_live: Option<usize>,
        max_bytes: Option<u64>,
    ) -> PyResult<Self> {
        let format = format_of(format)?;
        let source = match (path, profile) {
            (Some(path), None) => {
                let open = |(path, symbol, base_ns)| {
                    let mut open =
                        OpenOptions { base_ns, symbol, strict, ..OpenOptions::default() };
                    open.max_bytes = max_bytes.unwrap_or(open.max_bytes);
                    (path, open)
                };
                if inject.is_some() && !more.is_empty() {
                    let why = "inject: is for one file, and more has others";
                    return Err(PyTypeError::new_err(why));
                }
                let all = std::iter::once((path, symbol, base_ns)).chain(more);
                Source::Files { format, files: all.map(open).collect(), inject }
            }
            (None, Some(_)) if inject.is_some() => {
                let why = "inject: is for files; a profile takes anomalies=True";
                return Err(PyTypeError::new_err(why));
            }
            (None, Some(profile)) => {
                Source::Synth(SynthPlan { profile, events, seed, anomalies, instruments })
            }
            _ => return Err(PyTypeError::new_err("path and profile: give one of them")),
        };
        let mut options = ReplayOptions::new(limits_path, &limits);
        options.mapping = mapping_of(mapping)?;
        options.observe = if observe { Observe::Report } else { Observe::No };
        options.dir = log;
        options.keys = keys.map(KeyStore::new);
        options.decisions = decisions;
        options.keep = keep;
        options.halt_at = halt_at;
        options.keep_max = keep_max.unwrap_or(options.keep_max);
        options.max_live = max_live.unwrap_or(options.max_live);
        Ok(Self {
            source,
            options: Mutex::new(options),
            progress: Arc::default(),
            kept: Mutex::default(),
            kept_all: AtomicBool::new(keep),
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

    /// Bytes of the files read so far, as they lie there.
    #[getter]
    fn bytes_done(&self) -> u64 {
        self.progress.bytes.load(Ordering::Relaxed)
    }

    /// Whether every order and decision was kept.
    #[getter]
    fn kept_all(&self) -> bool {
        self.kept_all.load(Ordering::Relaxed)
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
    fn keep_labels(&self, labels: &[Label]) {
        let text: String = labels.iter().map(Label::to_ndjson).collect();
        *self.labels.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }

    fn run_detached(&self) -> Result<String, Error> {
        let mut options = self.options.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let inputs = match &self.source {
            Source::Files { format, files, inject: Some(seed) } => {
                let [(path, open)] = files.as_slice() else {
                    return Err(GatewayError::Replay("inject: is for one file".to_owned()).into());
                };
                vec![inject(|| open_file(path, *format, open), *seed, &self.progress)?]
            }
            Source::Files { format, files, inject: None } => {
                let opened = files.iter().map(|(path, open)| open_file(path, *format, open));
                opened.collect::<Result<Vec<_>, _>>()?
            }
            Source::Synth(plan) => {
                if plan.anomalies {
                    options.labels = plan.labels()?;
                    self.keep_labels(&options.labels);
                }
                let path = format!("{} seed {}", plan.profile, plan.seed);
                vec![ReplayInput { path, source: Box::new(plan.source()?) }]
            }
        };
        let outcome = replay_merged(inputs, &options, &self.progress)?;
        if !outcome.injected.is_empty() {
            self.keep_labels(&outcome.injected);
        }
        self.kept_all.store(outcome.kept_all, Ordering::Relaxed);
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) =
            (outcome.orders, outcome.decisions);
        Ok(outcome.json.to_string())
    }
}

/// The format that a name means.
pub(crate) fn format_of(name: Option<&str>) -> PyResult<Option<Format>> {
    let Some(name) = name else { return Ok(None) };
    Format::from_name(name).map(Some).ok_or_else(|| {
        let known: Vec<&str> = Format::ALL.iter().map(|f| f.name()).collect();
        PyValueError::new_err(format!("format: {name:?} is not one of {}", known.join(", ")))
    })
}

/// The mapping that a name means.
pub(crate) fn mapping_of(name: Option<&str>) -> PyResult<Option<Mapping>> {
    match name {
        None => Ok(None),
        Some("all") => Ok(Some(Mapping::All)),
        Some("file") => Ok(Some(Mapping::File)),
        Some(other) => {
            let why = format!("mapping: {other:?} is not one of all, file");
            Err(PyValueError::new_err(why))
        }
    }
}

/// What a file's own head says is traded, if it is a file and says it.
#[pyfunction]
#[pyo3(signature = (path, format=None))]
pub(crate) fn asset_class(
    py: Python<'_>,
    path: PathBuf,
    format: Option<&str>,
) -> Option<&'static str> {
    let format = format.and_then(Format::from_name);
    // What is wrong with the file is for the replay to say.
    py.detach(|| {
        let open = OpenOptions { hash: false, ..OpenOptions::default() };
        let mut source = open_file(&path, format, &open).ok()?.source;
        source.next_batch(&mut Vec::new()).ok()?;
        source.asset_class().map(AssetClass::name)
    })
}

/// Names of the generator's profiles, without their versions.
#[pyfunction]
pub(crate) fn profiles() -> Vec<&'static str> {
    Profile::all().iter().map(Profile::family).collect()
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
    let mut interrupt = None;
    let written = py.detach(|| {
        write_flow(&path, format, &plan, &mut || match attend() {
            Ok(()) => true,
            Err(error) => {
                interrupt = Some(error);
                false
            }
        })
    });
    match interrupt {
        Some(error) => Err(error.into()),
        None => written,
    }
}

/// Lets Python see a signal that came meanwhile.
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the method alone is not general enough over the lifetime"
)]
fn attend() -> PyResult<()> {
    Python::attach(|py| py.check_signals())
}

/// Writes the flow; `go_on` is asked before each batch, so that Ctrl-C need not wait for the last.
fn write_flow(
    path: &Path,
    format: Format,
    plan: &SynthPlan,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<String, Error> {
    // A plan that is wrong must leave the file that is there as it is.
    plan.source()?;
    let mut going = move || if go_on() { Ok(()) } else { Err(GatewayError::Cancelled) };
    let failed = |source| GatewayError::File { path: path.display().to_string(), source };
    let file = File::create(path).map_err(failed)?;
    let mut sink = BufWriter::with_capacity(1 << 20, file);
    let mut labels: Vec<Label> = Vec::new();
    match format {
        Format::Parquet => {
            let mut out = ParquetFileWriter::new(sink).map_err(GatewayError::from)?;
            plan.each(&mut labels, |events, names| {
                going()?;
                Ok(out.write(events, names)?)
            })?;
            sink = out.finish().map_err(GatewayError::from)?;
        }
        Format::Arrow => {
            let mut out = ArrowFileWriter::new(sink).map_err(GatewayError::from)?;
            plan.each(&mut labels, |events, names| {
                going()?;
                Ok(out.write(events, names)?)
            })?;
            sink = out.finish().map_err(GatewayError::from)?;
        }
        Format::Itch => {
            let mut bytes = Vec::new();
            let mut flow = ItchFlow::new();
            plan.each(&mut labels, |events, names| {
                going()?;
                bytes.clear();
                flow.write(events, names, &mut bytes)?;
                sink.write_all(&bytes).map_err(failed)
            })?;
            bytes.clear();
            flow.finish(&mut bytes, &mut labels);
            sink.write_all(&bytes).map_err(failed)?;
        }
        _ => {
            sink.write_all(csv_header().as_ref()).map_err(failed)?;
            let mut rows = Vec::new();
            plan.each(&mut labels, |events, names| {
                going()?;
                rows.clear();
                write_csv_rows(events, names, &mut rows);
                sink.write_all(&rows).map_err(failed)
            })?;
        }
    }
    sink.flush().map_err(failed)?;
    Ok(labels.iter().map(Label::to_ndjson).collect())
}

//! `Follower`: a log's status that costs what was written since it was last asked.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use cwts_gateway::{Follower as Core, is_running, status_of};
use pyo3::prelude::*;

use crate::convert::to_py;
use crate::error::Error;

/// Follows one log; reads without its lock, and never twice.
#[pyclass(frozen, module = "cwts._core")]
pub(crate) struct Follower {
    core: Mutex<Core>,
}

#[pymethods]
impl Follower {
    #[new]
    fn new(dir: PathBuf) -> Self {
        Self { core: Mutex::new(Core::new(&dir)) }
    }

    /// The status after everything that is written by now, as [`crate::files::status`] has it.
    fn status<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Error> {
        let value = py.detach(|| {
            let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
            // A log that grows has a writer: its lock is asked for only when nothing came.
            let is_first = core.folded().facts.size == 0;
            let grew = core.advance()? > 0 && !is_first && !core.folded().is_closed;
            let running = grew || is_running(core.dir());
            Ok::<_, cwts_gateway::GatewayError>(status_of(core.dir(), running, core.folded()))
        })?;
        Ok(to_py(py, &value)?)
    }
}

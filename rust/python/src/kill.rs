//! The kill switch beyond one call: halts that also cancel, the holds on disk, and what a torture
//! asks of a gateway.

use std::path::PathBuf;

use cwts_gateway::{GatewayError, HaltOptions, StandingHold, raise_and_cancel};
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::convert::to_py;
use crate::decision::Decision;
use crate::error::Error;
use crate::gateway::Gateway;

/// Halts a scope, then cancels what works in it: the hold, and how many cancels.
#[pyfunction]
#[pyo3(signature = (gateway, scope="firm", *, reason="", actor="", reduce_only=false,
    allow_reduce=false))]
pub(crate) fn halt_and_cancel(
    py: Python<'_>,
    gateway: &Gateway,
    scope: &str,
    reason: &str,
    actor: &str,
    reduce_only: bool,
    allow_reduce: bool,
) -> Result<(u64, u64), Error> {
    let options = HaltOptions {
        reason: reason.to_owned(),
        actor: actor.to_owned(),
        reduce_only,
        allow_reduce,
    };
    let done = py.detach(|| -> Result<(u64, u64), GatewayError> {
        let dir = gateway.dir.as_deref().filter(|_| scope == "firm");
        let ticket = match dir {
            // The whole firm needs no look-up: it is felt before this thread gets the lock.
            Some(dir) => {
                let firm = cwts_gateway::firm();
                Some(raise_and_cancel(&gateway.switch, dir, &firm, Some(0), &options)?)
            }
            None => None,
        };
        let mut inner = gateway.lock()?;
        let core = inner.core()?;
        let hold = match ticket {
            Some(ticket) => {
                core.poll()?;
                core.hold_of(ticket)
            }
            None => core.halt_and_cancel(scope, &options)?,
        };
        Ok((hold, core.cancels_of(hold)))
    })?;
    Ok(done)
}

/// Decisions on cancels that came with halts, and that nobody took yet.
#[pyfunction]
pub(crate) fn take_cancels(py: Python<'_>, gateway: &Gateway) -> Result<Vec<Decision>, Error> {
    let taken =
        py.detach(|| -> Result<_, GatewayError> { Ok(gateway.lock()?.core()?.take_cancels()) })?;
    Ok(taken.into_iter().map(Decision::accepted_record).collect())
}

/// The holds in force by the kill files alone, and how many cancels the gateway sent since each.
#[pyfunction]
pub(crate) fn standing_holds(py: Python<'_>, dir: PathBuf) -> Result<Bound<'_, PyAny>, Error> {
    let row = |hold: StandingHold| {
        json!({
            "id": hold.id,
            "scope": hold.scope,
            "state": hold.state.name(),
            "actor": hold.actor,
            "reason": hold.reason,
            "seq": hold.seq,
        })
    };
    let holds = py.detach(|| cwts_gateway::standing_holds(&dir))?;
    Ok(to_py(py, &holds.into_iter().map(row).collect::<Value>())?)
}

/// How many cancels the gateway itself sent behind this entry; only the log's end is read.
#[pyfunction]
pub(crate) fn cancels_after(py: Python<'_>, dir: PathBuf, index: u64) -> Result<u64, Error> {
    Ok(py.detach(|| cwts_gateway::cancels_after(&dir, index))?)
}

/// Number of entries so far, and the SHA-256 of the state after them, under one lock.
#[pyfunction]
pub(crate) fn torture_state(py: Python<'_>, gateway: &Gateway) -> Result<(u64, String), Error> {
    let state = py.detach(|| -> Result<_, GatewayError> {
        let mut inner = gateway.lock()?;
        let core = inner.core()?;
        let (size, bytes) = (core.next_index(), core.engine().snapshot());
        drop(inner);
        Ok((size, cwts_gateway::sha256_hex(&bytes)))
    })?;
    Ok(state)
}

/// Lets a gateway go on as if the system's clock had been set.
#[pyfunction]
pub(crate) fn torture_clock(gateway: &Gateway, by_ns: i64) -> Result<(), Error> {
    gateway.lock()?.core()?.step_clock(by_ns);
    Ok(())
}

/// What the log of a killed gateway shows, and which laws it breaks.
#[pyfunction]
pub(crate) fn torture_judge(
    py: Python<'_>,
    dir: PathBuf,
    at: Vec<u64>,
    emptied: Vec<String>,
) -> Result<Bound<'_, PyAny>, Error> {
    let judged = py.detach(|| cwts_gateway::torture::kill::judge(&dir, &at, &emptied))?;
    Ok(to_py(py, &judged)?)
}

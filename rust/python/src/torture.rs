//! The seeded mutator: cases in slices, so that the caller owns the clock and the process.

use cwts_gateway::torture::{self, TARGETS, Target};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::convert::to_py;
use crate::error::Error;

/// Name and subject of every target.
#[pyfunction]
pub(crate) fn torture_targets(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let row = |target: &Target| json!({"name": target.name, "about": target.about});
    to_py(py, &TARGETS.iter().map(row).collect::<Value>())
}

/// Runs cases `first..first + cases`; `digest` is the one of the slice before.
///
/// What aborts takes the process with it: call it in one of its own.
#[pyfunction]
#[pyo3(signature = (target, *, seed, first, cases, digest=""))]
pub(crate) fn torture_run<'py>(
    py: Python<'py>,
    target: &str,
    seed: u64,
    first: u64,
    cases: u64,
    digest: &str,
) -> Result<Bound<'py, PyAny>, Error> {
    let target = named(target)?;
    let digest = unhex(digest)?;
    let report = py.detach(|| torture::run(target, seed, first, cases, digest));
    let found = |found: &torture::Found| {
        json!({
            "case": found.case,
            "what": found.what,
            "input": cwts_gateway::hex(&found.input),
        })
    };
    let value = json!({
        "cases": report.cases,
        "accepted": report.accepted,
        "bytes": report.bytes,
        "digest": cwts_gateway::hex(&report.digest),
        "found": report.found.iter().map(found).collect::<Value>(),
    });
    Ok(to_py(py, &value)?)
}

/// The input of a case.
#[pyfunction]
#[pyo3(signature = (target, *, seed, case))]
pub(crate) fn torture_input(
    py: Python<'_>,
    target: &str,
    seed: u64,
    case: u64,
) -> Result<Vec<u8>, Error> {
    let target = named(target)?;
    Ok(py.detach(|| torture::input(target, seed, case)))
}

/// Runs one input: whether its laws hold, whether it was taken, and what was said.
#[pyfunction]
pub(crate) fn torture_check<'py>(
    py: Python<'py>,
    target: &str,
    input: &[u8],
) -> Result<Bound<'py, PyAny>, Error> {
    let target = named(target)?;
    let value = match py.detach(|| torture::check(target, input)) {
        Ok(outcome) => json!({"ok": true, "accepted": outcome.accepted, "said": outcome.said}),
        Err(what) => json!({"ok": false, "accepted": false, "said": what}),
    };
    Ok(to_py(py, &value)?)
}

fn named(name: &str) -> Result<&'static Target, Error> {
    torture::target(name).ok_or_else(|| {
        let known: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        let shown: String = name.chars().take(64).collect();
        let why = format!("target: {shown:?} is not one of {}", known.join(", "));
        PyValueError::new_err(why).into()
    })
}

/// A digest in hexadecimal; empty is the start of the chain.
fn unhex(text: &str) -> Result<[u8; 32], Error> {
    let mut digest = [0; 32];
    if text.is_empty() {
        return Ok(digest);
    }
    let wrong = || PyValueError::new_err("digest: not 64 hexadecimal digits");
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong().into());
    }
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| wrong())?;
    }
    Ok(digest)
}

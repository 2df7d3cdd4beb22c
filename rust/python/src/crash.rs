//! Crashes of a writer on a simulated disk, for as long as somebody wants.

use cwts_audit::crash::{Found, Report, run};
use pyo3::prelude::*;
use serde_json::{Map, Value, json};

use crate::convert::to_py;
use crate::error::Error;

/// Runs `stories` stories of this seed, from the `first`, each with all its crashes.
#[pyfunction]
pub(crate) fn torture_disk(
    py: Python<'_>,
    seed: u64,
    first: u64,
    stories: u64,
) -> Result<Bound<'_, PyAny>, Error> {
    let report = py.detach(|| {
        let mut report = Report::default();
        for story in first..first.saturating_add(stories) {
            run(seed, story, &mut report);
        }
        report
    });
    let losses: Map<String, Value> = report
        .losses
        .iter()
        .map(|(loss, points)| (loss.name().to_owned(), json!(points)))
        .collect();
    let value = json!({
        "stories": report.stories,
        "steps": report.steps,
        "crash_points": report.crash_points,
        "in_recovery": report.in_recovery,
        "torn": report.torn,
        "clean": report.clean,
        "disk_errors": report.disk_errors,
        "losses": losses,
        "found": report.found.iter().map(found_row).collect::<Vec<_>>(),
    });
    Ok(to_py(py, &value)?)
}

fn found_row(found: &Found) -> Value {
    json!({
        "fault": found.fault.to_string(),
        "story": found.story,
        "step": found.step,
        "recovery_step": found.recovery_step,
        "loss": found.loss.name(),
        "what": found.what,
    })
}

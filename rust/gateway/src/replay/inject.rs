//! Known anomalies in a file: read once to measure what is ordinary in it, then once with them.

use std::sync::atomic::Ordering;

use cwts_feeds::inject::{AnomalySet, InjectedEvents, Survey};

use super::{Progress, ReplayInput};
use crate::GatewayError;

/// The input that `open` opens, with eight labelled anomalies at places that `seed` draws.
///
/// # Errors
/// The input cannot be opened or read, or the run was cancelled.
pub fn inject(
    open: impl Fn() -> Result<ReplayInput, GatewayError>,
    seed: u64,
    progress: &Progress,
) -> Result<ReplayInput, GatewayError> {
    let ReplayInput { path, mut source } = open()?;
    let go_on = |_| !progress.cancelled.load(Ordering::Relaxed);
    let survey = Survey::of(source.as_mut(), go_on).map_err(|e| e.in_file(&path))?;
    let survey = survey.ok_or(GatewayError::Cancelled)?;
    let source = open()?.source;
    let source = InjectedEvents::new(source, &survey, AnomalySet::FILE, seed)
        .map_err(|e| e.in_file(&path))?;
    Ok(ReplayInput { path, source: Box::new(source) })
}

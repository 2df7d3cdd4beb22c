//! A replay whose entries somebody else takes in too: what-if, and suggested limits.

use cwts_feeds::event::Event;
use cwts_risk::{Engine, Outcome};
use cwts_types::{Entry, Order};
use std::sync::atomic::Ordering;

use super::fold::Fold;
use super::limit_use::LimitUse;
use super::{BATCH, Progress, ReplayInput, ReplayOptions, ReplayStats};
use crate::GatewayError;

/// Takes the entries of a replay in, in their order, as a reader of its log would.
pub(crate) trait Tap {
    /// Names that were registered before the first event.
    fn begin(&mut self, engine: &Engine) -> Result<(), GatewayError>;

    /// An entry that is no order; the engine has it already.
    fn entry(&mut self, index: u64, entry: &Entry) -> Result<(), GatewayError>;

    /// An order with its decision.
    fn decided(&mut self, order: &Order, outcome: &Outcome) -> Result<(), GatewayError>;
}

/// What a tapped replay leaves.
pub(crate) struct Tapped {
    pub(crate) engine: Engine,
    pub(crate) stats: ReplayStats,
    pub(crate) limit_use: Option<LimitUse>,
    pub(crate) input_sha256: Option<[u8; 32]>,
    pub(crate) mapping: &'static str,
}

/// Folds a file without a log and gives everything to `tap`, if there is one.
///
/// # Errors
/// A bad input, bad limits, what `tap` says, or a cancellation.
pub(crate) fn replay_tapped<'o>(
    mut input: ReplayInput,
    options: &'o ReplayOptions,
    progress: &Progress,
    tap: Option<&'o mut dyn Tap>,
) -> Result<Tapped, GatewayError> {
    let mut fold = Fold::open(options, input.source.facts().format)?;
    if let Some(tap) = tap {
        tap.begin(&fold.engine)?;
        fold.tap = Some(tap);
    }
    let mut batch: Vec<Event> = Vec::with_capacity(BATCH);
    loop {
        batch.clear();
        let decoded = input.source.next_batch(&mut batch);
        fold.names(input.source.as_ref())?;
        for event in &batch {
            fold.event(event)?;
        }
        progress.events.fetch_add(batch.len() as u64, Ordering::Relaxed);
        if !decoded.map_err(|e| e.in_file(&input.path))? {
            break;
        }
        if progress.cancelled.load(Ordering::Relaxed) {
            return Err(GatewayError::Cancelled);
        }
    }
    let limit_use = fold.limit_use.take();
    let mapping = fold.mapping.name();
    let engine = std::mem::take(&mut fold.engine);
    let (stats, _, _) = fold.into_parts();
    let input_sha256 = input.source.facts().sha256;
    Ok(Tapped { engine, stats, limit_use, input_sha256, mapping })
}

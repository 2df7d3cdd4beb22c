//! A replay whose entries somebody else takes in too: what-if, and suggested limits.

use cwts_risk::limits::LimitsFile;
use cwts_risk::{Engine, Outcome};
use cwts_types::{Entry, Order};

use super::fold::Fold;
use super::inputs::InputState;
use super::limit_use::LimitUse;
use super::merge::fold_one;
use super::mid::MidBooks;
use super::open::fits_session;
use super::pipeline::Reader;
use super::{Progress, ReplayInput, ReplayOptions, ReplayStats};
use crate::GatewayError;

/// Takes the entries of a replay in, in their order, as a reader of its log would.
pub(crate) trait Tap {
    /// Names that were registered before the first event.
    fn begin(&mut self, engine: &Engine) -> Result<(), GatewayError>;

    /// An entry that is no order; the engine has it already.
    fn entry(&mut self, index: u64, entry: &Entry) -> Result<(), GatewayError>;

    /// An order with its decision.
    /// `replayed`: a market's cancel or replace, which takes hold at once.
    fn decided(
        &mut self,
        order: &Order,
        replayed: bool,
        outcome: &Outcome,
    ) -> Result<(), GatewayError>;

    /// Other limits that the entries are decided under too, with their path for errors.
    fn limits(&self) -> Option<(&str, &LimitsFile)> {
        None
    }
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
    input: ReplayInput,
    options: &'o ReplayOptions,
    progress: &Progress,
    tap: Option<&'o mut dyn Tap>,
) -> Result<Tapped, GatewayError> {
    let (format, injected) = (input.source.facts().format, input.source.injected());
    let mut fold = Fold::open(options, format, injected)?;
    if let Some(tap) = tap {
        if let Some((path, file)) = tap.limits() {
            fits_session(path, file, format)?;
            if fold.mid.is_none() && MidBooks::are_wanted(file) {
                fold.mid = Some(MidBooks::new(format));
            }
        }
        tap.begin(&fold.engine)?;
        fold.tap = Some(tap);
    }
    fold.inputs = vec![InputState::new(&input.path)];
    let mut reader = Reader::new(input, options.thread_after);
    let done = fold_one(&mut fold, &mut reader, options, progress)?;
    let limit_use = fold.limit_use.take();
    let mapping = fold.mapping.name();
    let engine = std::mem::take(&mut fold.engine);
    let (stats, _, _) = fold.into_parts();
    let input_sha256 = done.facts.sha256;
    Ok(Tapped { engine, stats, limit_use, input_sha256, mapping })
}

//! Labelled anomalies in somebody else's order flow: any source of events, and more events in it.
//!
//! Source: design note "replay", section 8. The generator injects the same anomalies into its own
//! flow (`crate::synth`); here a first pass over the input ([`Survey`]) measures what is ordinary
//! in it, and sizes and ids follow from that.
//!
//! Invariants: the input's own events come out unchanged and in their order, but for their place
//! ([`Event::src`]); the same input and seed give the same events and labels for any batch sizes;
//! whoever reads the source can see that something was injected ([`EventSource::injected`]).

mod anomaly;
mod injector;
mod survey;
#[cfg(test)]
mod tests;

pub use self::anomaly::{AnomalyKind, AnomalySet, Label};
pub(crate) use self::injector::{Ids, Injector, Oversell, Runaway, Surroundings};
pub use self::survey::Survey;

use crate::decoder::{BATCH_EVENTS, ORDER_TEXT_BASE};
use crate::error::{FeedError, FeedErrorKind};
use crate::event::{Event, Names};
use crate::source::{AssetClass, EventSource, InputFacts};
use crate::synth::ChaCha8;
use injector::INJECTED_EVENTS_MAX;

/// The keystream of a seed that places anomalies in a file.
const FILE_STREAM: u64 = 3;
/// An oversell goes this many times beyond the largest exposure of the file: once to use up a
/// position of the other side, once to reach the largest ordinary one, once to go beyond it.
const OVERSELL_FACTOR: i64 = 3;
/// Orders of an oversell at most; where the file's orders are small, they grow instead.
const OVERSELL_ORDERS_MAX: i64 = 128;

/// What was put into a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Injected {
    /// Seed of the places.
    pub seed: u64,
    /// Anomalies that were to be put in.
    pub planned: u32,
    /// Events of anomalies so far.
    pub events: u64,
}

/// A source with anomalies between its events.
pub struct InjectedEvents<'a> {
    inner: Box<dyn EventSource + 'a>,
    injector: Injector,
    /// Events of the source that have not come out yet, the next one last.
    waiting: Vec<Event>,
    ended: bool,
    /// An error of the source waits until the events before it are out.
    failed: Option<FeedError>,
    emitted: u64,
    labels: Vec<Label>,
    injected: Injected,
}

impl<'a> InjectedEvents<'a> {
    /// `inner` with the anomalies of `set` in it, measured by the survey of the same input.
    pub fn new(
        inner: Box<dyn EventSource + 'a>,
        survey: &Survey,
        set: AnomalySet,
        seed: u64,
    ) -> Result<Self, FeedError> {
        let oversell = oversell(survey);
        let room = ORDER_TEXT_BASE.saturating_sub(survey.order_id_max());
        if room <= INJECTED_EVENTS_MAX + oversell.orders {
            let detail = format!(
                "order id {}: leaves no numbers below {ORDER_TEXT_BASE} for injected orders",
                survey.order_id_max()
            );
            return Err(FeedError::new(FeedErrorKind::NumberOutOfRange, detail));
        }
        let around = Surroundings {
            restricted: None,
            runaway: Runaway::SameOwner,
            large_order_qty: survey.large_order_qty(),
            tick_e9: survey.tick_e9(),
            oversell,
            ids: Ids::After(survey.order_id_max()),
        };
        // A file does not grow shorter for what is put in: the span is its own events and those.
        let span_events = survey.events().saturating_add(INJECTED_EVENTS_MAX);
        let stream = ChaCha8::new(seed, FILE_STREAM);
        Ok(Self {
            inner,
            injector: Injector::new(set, span_events, around, stream),
            waiting: Vec::new(),
            ended: false,
            failed: None,
            emitted: 0,
            labels: Vec::new(),
            injected: Injected { seed, planned: set.kinds().count() as u32, events: 0 },
        })
    }

    /// Has the next event of the source at hand, unless there is none.
    fn await_event(&mut self) {
        while self.waiting.is_empty() && !self.ended {
            match self.inner.next_batch(&mut self.waiting) {
                Ok(more) => self.ended = !more,
                Err(error) => {
                    self.failed = Some(error);
                    self.ended = true;
                }
            }
            self.waiting.reverse();
        }
    }

    fn emit(&mut self, event: Event, out: &mut Vec<Event>) {
        out.push(Event { src: self.emitted, ..event });
        self.emitted += 1;
    }
}

impl EventSource for InjectedEvents<'_> {
    fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError> {
        let full = out.len() + BATCH_EVENTS;
        let before = out.len();
        while out.len() < full {
            self.await_event();
            if self.waiting.is_empty() && self.failed.is_some() {
                break;
            }
            // After the last event of the source everything that is still queued is due.
            let due_ns = self.waiting.last().map_or(u64::MAX, |event| event.ts_ns);
            if let Some((event, label)) = self.injector.due(due_ns) {
                self.labels.extend(label.map(|label| Label { seq: self.emitted, ..label }));
                self.injected.events += 1;
                self.emit(event, out);
                continue;
            }
            let Some(event) = self.waiting.pop() else { break };
            if !self.injector.is_idle() {
                self.injector.observe(&event);
            }
            self.emit(event, out);
        }
        if out.len() > before {
            return Ok(true);
        }
        self.failed.take().map_or(Ok(false), Err)
    }

    fn names(&self) -> &Names {
        self.inner.names()
    }

    fn order_texts(&self) -> &[String] {
        self.inner.order_texts()
    }

    fn ignored_columns(&self) -> &[String] {
        self.inner.ignored_columns()
    }

    fn facts(&self) -> InputFacts {
        self.inner.facts()
    }

    fn asset_class(&self) -> Option<AssetClass> {
        self.inner.asset_class()
    }

    fn injected(&self) -> Option<Injected> {
        Some(self.injected)
    }

    fn take_labels(&mut self) -> Vec<Label> {
        std::mem::take(&mut self.labels)
    }
}

/// Orders no larger than the file's largest, or at most [`OVERSELL_ORDERS_MAX`] larger ones.
fn oversell(survey: &Survey) -> Oversell {
    let total = survey.exposure_max().saturating_mul(OVERSELL_FACTOR).max(1);
    let largest = survey.order_qty_max().max(1);
    let qty = largest.max(total / OVERSELL_ORDERS_MAX + 1);
    Oversell { orders: (total / qty + 1) as u64, qty }
}

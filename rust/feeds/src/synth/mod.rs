//! Order flow without a market: a seeded stream of events that behaves like real flow, and
//! labelled anomalies in it.
//!
//! Source: design note "replay", section 8. The clock (`clock.rs`) is a Hawkes process with
//! negative binomial clusters, the marks (`flow.rs`) come from a small book per instrument, and a
//! profile is nothing but parameters and tables fitted to real flow.
//!
//! Invariants: the same profile, seed and options give the same events on every platform and for
//! any batch sizes; memory does not grow with the number of events; ordinary events are the same
//! with and without anomalies, but for their place ([`Event::src`]). No float decides anything:
//! all laws are integer tables.

mod book;
mod chacha;
mod clock;
mod exposure;
mod flow;
mod profile;
mod table;
#[cfg(test)]
mod tests;

pub use self::chacha::ChaCha8;
pub use self::profile::Profile;
pub use crate::inject::{AnomalyKind, AnomalySet, Label};

use self::clock::Clock;
use self::flow::Flow;
use crate::event::{Event, Names};
use crate::inject::{Ids, Injector, Oversell, Runaway, Surroundings};

/// Most instruments of a stream.
pub const INSTRUMENTS_MAX: u32 = 4_096;
/// Most accounts of a stream.
pub const ACCOUNTS_MAX: u32 = 256;
/// Most strategies of a stream.
pub const STRATEGIES_MAX: u32 = 64;
/// The symbol of [`AnomalyKind::Restricted`]: the last of every stream, without ordinary flow.
pub const RESTRICTED: &str = "RESTRICTED";

/// Separate keystreams of one seed, so that a change of one part moves nothing in another.
const CLOCK_STREAM: u64 = 0;
const MARKS_STREAM: u64 = 1;
const ANOMALY_STREAM: u64 = 2;
const ORDER_ID_BITS: u32 = 48;
/// The oversell: so many orders, each of half the largest ordinary position.
const OVERSELL_ORDERS: u64 = 16;

/// A request for a stream that cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SynthError {
    /// A count is zero or too large.
    #[error("{field} is {value}, and must be from 1 to {max}")]
    OutOfRange {
        /// The field of [`Options`].
        field: &'static str,
        /// What it said.
        value: u32,
        /// The largest allowed.
        max: u32,
    },
}

/// How a stream is cut, apart from its profile and seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Instruments with flow, 1 to [`INSTRUMENTS_MAX`]; [`RESTRICTED`] comes on top.
    pub instruments: u32,
    /// Accounts, 1 to [`ACCOUNTS_MAX`].
    pub accounts: u32,
    /// Strategies, 1 to [`STRATEGIES_MAX`].
    pub strategies: u32,
    /// Anomalies, each once in the first `span_events` events.
    pub anomalies: AnomalySet,
    /// Over how many events the anomalies are spread: the length of the stream to be drawn. The
    /// default set itself takes about 4,200 events; below 10,000 the last ones may come later.
    pub span_events: u64,
    /// UTC epoch ns at which the stream opens.
    pub start_ns: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            instruments: 8,
            accounts: 64,
            strategies: 8,
            anomalies: AnomalySet::NONE,
            span_events: 100_000,
            // 2025-01-02 14:30 UTC, the first opening of that year in New York.
            start_ns: 1_735_828_200_000_000_000,
        }
    }
}

/// An endless stream of events.
#[derive(Debug, Clone)]
pub struct Synth {
    clock: Clock,
    flow: Flow,
    injector: Injector,
    names: Names,
    start_ns: u64,
    /// Instruments that have printed their first price.
    opened: u32,
    /// The next ordinary event: an anomaly's events may still come before it.
    ahead: Option<Event>,
    emitted: u64,
}

impl Synth {
    /// The stream of that profile and seed, from its first event on.
    ///
    /// It opens with one hidden print per instrument, so that each has a last price.
    pub fn new(profile: Profile, seed: u64, options: Options) -> Result<Self, SynthError> {
        let counts = [
            ("instruments", options.instruments, INSTRUMENTS_MAX),
            ("accounts", options.accounts, ACCOUNTS_MAX),
            ("strategies", options.strategies, STRATEGIES_MAX),
        ];
        for (field, value, max) in counts {
            if value == 0 || value > max {
                return Err(SynthError::OutOfRange { field, value, max });
            }
        }
        let Options { instruments, accounts, strategies, anomalies, span_events, start_ns } =
            options;
        let clock = Clock::new(&profile, start_ns, ChaCha8::new(seed, CLOCK_STREAM));
        let Profile { large_order_qty, tick_e9, position_max, .. } = profile;
        let flow = Flow::new(
            profile,
            [instruments + 1, instruments, accounts, strategies].map(|count| count as usize),
            ChaCha8::new(seed, MARKS_STREAM),
        );
        let around = Surroundings {
            restricted: Some((instruments, flow.anchor_px(instruments))),
            runaway: Runaway::Quiet { accounts, strategies },
            large_order_qty,
            tick_e9,
            oversell: Oversell { orders: OVERSELL_ORDERS, qty: position_max / 2 },
            ids: Ids::Odd,
        };
        let injector =
            Injector::new(anomalies, span_events, around, ChaCha8::new(seed, ANOMALY_STREAM));
        let names = names(instruments, accounts, strategies);
        Ok(Self { clock, flow, injector, names, start_ns, opened: 0, ahead: None, emitted: 0 })
    }

    /// Appends the next `n` events to `out`, and to `labels` the anomalies that begin in them.
    pub fn fill(&mut self, n: usize, out: &mut Vec<Event>, labels: &mut Vec<Label>) {
        out.reserve(n);
        for _ in 0..n {
            let mut event = if self.injector.is_idle() && self.ahead.is_none() {
                self.next_ordinary()
            } else {
                self.next_merged(labels)
            };
            event.src = self.emitted;
            self.emitted += 1;
            out.push(event);
        }
    }

    /// The names behind the events' handles.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The next event while anomalies are under way or to come.
    fn next_merged(&mut self, labels: &mut Vec<Label>) -> Event {
        let ordinary = match self.ahead.take() {
            Some(event) => event,
            None => self.next_ordinary(),
        };
        let Some((event, label)) = self.injector.due(ordinary.ts_ns) else {
            self.injector.observe(&ordinary);
            return ordinary;
        };
        self.ahead = Some(ordinary);
        labels.extend(label.map(|label| Label { seq: self.emitted, ..label }));
        event
    }

    #[inline]
    fn next_ordinary(&mut self) -> Event {
        if (self.opened as usize) < self.names.instruments.len() {
            self.opened += 1;
            return self.flow.open(self.opened - 1, self.start_ns);
        }
        let ts_ns = self.clock.next_ns();
        self.flow.step(ts_ns)
    }
}

/// The event as the 64 little-endian bytes of design note "replay", section 3.
pub fn canonical_bytes(event: &Event) -> [u8; 64] {
    let mut bytes = [0; 64];
    let words = [
        event.ts_ns,
        event.order_id,
        event.px as u64,
        event.qty as u64,
        event.ref_id,
        event.src,
        u64::from(event.account) << 32 | u64::from(event.instrument),
        u64::from(event.flags) << 48
            | u64::from(event.side) << 40
            | (event.kind as u64) << 32
            | u64::from(event.strategy),
    ];
    for (chunk, word) in bytes.chunks_exact_mut(8).zip(words) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

fn names(instruments: u32, accounts: u32, strategies: u32) -> Names {
    Names {
        instruments: (1..=instruments)
            .map(|i| format!("SYN{i:04}"))
            .chain([RESTRICTED.to_owned()])
            .collect(),
        accounts: (1..=accounts).map(|i| format!("acct-{i:02}")).collect(),
        strategies: (1..=strategies).map(|i| format!("strat-{i}")).collect(),
    }
}

/// Turns an order's number into its id, one to one on 48 bits, so that an id tells neither the
/// order's age nor whether it is even (ordinary) or odd (injected).
pub(crate) fn order_id(number: u64) -> u64 {
    const MASK: u64 = (1 << ORDER_ID_BITS) - 1;
    // An odd factor and a shift by half the width are each one to one on 48 bits.
    let mixed = (number & MASK) ^ (number & MASK) >> (ORDER_ID_BITS / 2);
    let mixed = mixed.wrapping_mul(0x5851_f42d_4c95) & MASK;
    mixed ^ mixed >> (ORDER_ID_BITS / 2)
}

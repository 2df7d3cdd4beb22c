//! What a replay counts while it folds: all of it in memory that does not grow with the input.

use std::collections::BTreeMap;

use cwts_feeds::event::{Event, flag};
use cwts_feeds::synth::Label;
use cwts_risk::{Engine, Outcome};
use cwts_types::{CONTROLS, Order, RegisterKind, Side, format_e9};
use hdrhistogram::Histogram;
use rustc_hash::FxHashMap;
use sha2::{Digest as _, Sha256};

use super::ReplayOptions;

/// One refused order, for a person to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Log index.
    pub seq: u64,
    /// Its id.
    pub order_id: u64,
    /// When.
    pub ts_ns: u64,
    /// Names of instrument and account.
    pub symbol: String,
    /// Name of the account.
    pub account: String,
    /// FIX side in words.
    pub side: &'static str,
    /// Quantity.
    pub qty: i64,
    /// Price as text.
    pub price: String,
    /// Lowest violated control.
    pub first: &'static str,
    /// All violated controls.
    pub reasons: Vec<&'static str>,
    /// One sentence a violation.
    pub text: String,
}

/// Whether a known anomaly was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelFound {
    /// Event number of its first event.
    pub seq: u64,
    /// What it is.
    pub kind: &'static str,
    /// What should name it.
    pub expect: Vec<&'static str>,
    /// Whether it did.
    pub found: bool,
    /// Reasons that its orders got.
    pub got: Vec<&'static str>,
}

/// Counts in equal buckets of time; the width doubles when the buckets run out.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// Start of the first bucket.
    pub start_ns: u64,
    /// Width of a bucket.
    pub width_ns: u64,
    /// Orders.
    pub orders: Vec<u64>,
    /// Of those, accepted.
    pub accepted: Vec<u64>,
    /// Largest working notional of the firm, micros.
    pub open_notional: Vec<i64>,
    /// Refusals by lowest bit.
    pub rejected: BTreeMap<u8, Vec<u64>>,
    /// Working notional after the newest order: what a bucket without orders had.
    last_open: i64,
}

impl Series {
    fn bucket(&mut self, ts_ns: u64) -> usize {
        if self.orders.is_empty() {
            self.start_ns = ts_ns;
            self.width_ns = FIRST_WIDTH_NS;
        }
        loop {
            let at = (ts_ns.saturating_sub(self.start_ns) / self.width_ns) as usize;
            if at < BUCKETS_MAX {
                if at >= self.orders.len() {
                    self.orders.resize(at + 1, 0);
                    self.accepted.resize(at + 1, 0);
                    self.open_notional.resize(at + 1, self.last_open);
                }
                return at;
            }
            self.width_ns *= 2;
            halve(&mut self.orders, |a, b| a + b);
            halve(&mut self.accepted, |a, b| a + b);
            halve(&mut self.open_notional, i64::max);
            for column in self.rejected.values_mut() {
                halve(column, |a, b| a + b);
            }
        }
    }
}

fn halve<T: Copy>(column: &mut Vec<T>, join: impl Fn(T, T) -> T) {
    let joined = column.chunks(2).map(|p| if p.len() == 2 { join(p[0], p[1]) } else { p[0] });
    *column = joined.collect();
}

/// Everything that a replay counts.
#[derive(Debug)]
pub struct ReplayStats {
    /// Events taken in.
    pub events: u64,
    /// Orders and replaces decided.
    pub orders: u64,
    /// Of those, accepted.
    pub accepted: u64,
    /// Cancels passed.
    pub cancels: u64,
    /// Fills booked.
    pub fills: u64,
    /// Rows on ids that the file never added.
    pub orphans: u64,
    /// Reduces by nothing.
    pub empty_reduces: u64,
    /// Rows on denied orders.
    pub denied_upstream: u64,
    /// Reports of a venue on orders of a session.
    pub reports: u64,
    /// Rows whose time steps back.
    pub time_back: u64,
    /// Orders accepted after the halt that was asked for, if one was.
    pub accepted_after_halt: u64,
    /// Orders decided when the halt came.
    pub halted_at: Option<u64>,
    /// Refused orders of known anomalies; the other refused ones are ordinary.
    pub refused_of_labels: u64,
    /// Cancels after the halt.
    pub by_first: Vec<u64>,
    /// Refusals by each bit.
    pub by_bit: Vec<u64>,
    /// Masks of violated controls and how often each was seen.
    pub by_mask: BTreeMap<u64, u64>,
    /// The first refusals.
    pub denials: Vec<Denial>,
    /// In time.
    pub series: Series,
    /// Nanoseconds an order.
    pub latency: Histogram<u64>,
    /// Nanoseconds an order, for orders within 1 ms of the one before.
    pub burst: Histogram<u64>,
    labels: Vec<LabelFound>,
    label_of_seq: FxHashMap<u64, Vec<usize>>,
    label_of_order: FxHashMap<u64, Vec<usize>>,
    letters: Sha256,
    letter_buffer: Vec<u8>,
    letter_order: Vec<(char, u8)>,
    last_order_ns: u64,
}

impl ReplayStats {
    pub(super) fn new(options: &ReplayOptions) -> Self {
        let bits = CONTROLS.len();
        // Three significant digits up to a minute: about 100 kB each, whatever the input's length.
        let histogram = || {
            let mut histogram = Histogram::new_with_max(LATENCY_NS_MAX, 3).unwrap_or_else(|_| {
                Histogram::new_with_bounds(1, u64::MAX / 2, 3).expect("bounds")
            });
            histogram.auto(false);
            histogram
        };
        let mut stats = Self {
            events: 0,
            orders: 0,
            accepted: 0,
            cancels: 0,
            fills: 0,
            orphans: 0,
            empty_reduces: 0,
            denied_upstream: 0,
            reports: 0,
            time_back: 0,
            accepted_after_halt: 0,
            halted_at: None,
            refused_of_labels: 0,
            by_first: vec![0; bits],
            by_bit: vec![0; bits],
            by_mask: BTreeMap::new(),
            denials: Vec::new(),
            series: Series::default(),
            latency: histogram(),
            burst: histogram(),
            labels: Vec::new(),
            label_of_seq: FxHashMap::default(),
            label_of_order: FxHashMap::default(),
            letters: Sha256::new(),
            letter_buffer: Vec::with_capacity(LETTERS_BUFFER),
            letter_order: options.letter_order.clone(),
            last_order_ns: 0,
        };
        stats.expect_labels(&options.labels);
        stats
    }

    /// Known anomalies that are yet to come.
    pub(super) fn expect_labels(&mut self, labels: &[Label]) {
        for label in labels {
            let i = self.labels.len();
            self.label_of_seq.entry(label.seq).or_default().push(i);
            for id in &label.order_ids {
                self.label_of_order.entry(*id).or_default().push(i);
            }
            self.labels.push(LabelFound {
                seq: label.seq,
                kind: label.kind.name(),
                expect: label.expect.to_vec(),
                found: false,
                got: Vec::new(),
            });
        }
    }

    pub(super) fn event(&mut self, event: &Event) {
        if event.flags & flag::TIME_BACK != 0 {
            self.time_back += 1;
            self.label(event.src, "TIME_BACK");
        }
    }

    /// A counter that names the anomaly at this event, if there is one.
    pub(super) fn label(&mut self, src: u64, name: &'static str) {
        for i in self.label_of_seq.get(&src).cloned().unwrap_or_default() {
            self.labels[i].name_it(name);
        }
    }

    pub(super) fn latency(&mut self, took_ns: u64, ts_ns: u64) {
        let ns = took_ns.min(LATENCY_NS_MAX);
        self.latency.saturating_record(ns);
        if self.orders > 0 && ts_ns.saturating_sub(self.last_order_ns) <= BURST_GAP_NS {
            self.burst.saturating_record(ns);
        }
        self.last_order_ns = ts_ns;
    }

    pub(super) fn decision(
        &mut self,
        event: &Event,
        order: &Order,
        outcome: &Outcome,
        engine: &Engine,
    ) {
        self.orders += 1;
        let at = self.series.bucket(event.ts_ns);
        self.series.orders[at] += 1;
        let open = engine.firm_open();
        self.series.open_notional[at] = self.series.open_notional[at].max(open);
        self.series.last_open = open;
        let reasons = outcome.decision.reasons;
        self.letter(reasons.0);
        *self.by_mask.entry(reasons.0).or_default() += 1;
        let Some(first) = reasons.first() else {
            self.accepted += 1;
            self.accepted_after_halt += u64::from(self.halted_at.is_some());
            self.series.accepted[at] += 1;
            return;
        };
        self.by_first[first as usize] += 1;
        for control in reasons.iter() {
            self.by_bit[control as usize] += 1;
        }
        let column = self.series.rejected.entry(first as u8).or_default();
        if column.len() <= at {
            column.resize(at + 1, 0);
        }
        column[at] += 1;
        let labels = self.label_of_order.get(&order.order_id).cloned().unwrap_or_default();
        self.refused_of_labels += u64::from(!labels.is_empty());
        for i in labels {
            for control in reasons.iter() {
                self.labels[i].name_it(control.name());
            }
        }
        if self.denials.len() < DENIALS_MAX {
            self.denials.push(denial(order, outcome, engine));
        }
    }

    fn letter(&mut self, mask: u64) {
        let letter = if mask == 0 {
            b'A'
        } else {
            let found = self.letter_order.iter().find(|(_, bit)| mask >> bit & 1 == 1);
            found.map_or(b'X', |(letter, _)| *letter as u8)
        };
        self.letter_buffer.push(letter);
        if self.letter_buffer.len() == LETTERS_BUFFER {
            self.letters.update(&self.letter_buffer);
            self.letter_buffer.clear();
        }
    }

    /// SHA-256 of one letter an order.
    pub fn letters_sha256(&self) -> [u8; 32] {
        let mut letters = self.letters.clone();
        letters.update(&self.letter_buffer);
        letters.finalize().into()
    }

    /// Every known anomaly, and whether it was found.
    pub fn labels(&self) -> &[LabelFound] {
        &self.labels
    }
}

impl LabelFound {
    fn name_it(&mut self, name: &'static str) {
        if !self.got.contains(&name) {
            self.got.push(name);
        }
        self.found |= self.expect.contains(&name);
    }
}

fn denial(order: &Order, outcome: &Outcome, engine: &Engine) -> Denial {
    let registry = engine.registry();
    let name = |kind, handle| registry.name(kind, handle).unwrap_or("?").to_owned();
    let reasons: Vec<&'static str> =
        outcome.decision.reasons.iter().map(cwts_types::Control::name).collect();
    let text: Vec<String> =
        outcome.violations.iter().map(|v| cwts_risk::violation_text(registry, v)).collect();
    Denial {
        seq: order.seq,
        order_id: order.order_id,
        ts_ns: order.ts,
        symbol: name(RegisterKind::Instrument, order.instrument),
        account: name(RegisterKind::Account, order.account),
        side: Side::from_code(order.side).map_or("none", Side::name),
        qty: order.qty,
        price: if order.px == 0 { "market".to_owned() } else { format_e9(order.px) },
        first: reasons.first().copied().unwrap_or(""),
        reasons,
        text: text.join("; "),
    }
}

/// Refusals kept for a person to read.
const DENIALS_MAX: usize = 50;
/// Buckets of a series.
const BUCKETS_MAX: usize = 2_000;
/// Width of a bucket at first.
const FIRST_WIDTH_NS: u64 = 1_000_000;
/// Latencies above a minute count as a minute.
const LATENCY_NS_MAX: u64 = 60_000_000_000;
/// Orders this close to the one before are a burst.
const BURST_GAP_NS: u64 = 1_000_000;
/// Letters hashed at once.
const LETTERS_BUFFER: usize = 4_096;

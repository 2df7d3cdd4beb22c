//! A flow under limits that refuse nothing, and again under a suggestion.

use std::path::Path;
use std::sync::atomic::Ordering;

use cwts_risk::{Engine, Outcome, Peaks, Usage};
use cwts_types::{
    Body, CONTROLS, Control, Entry, Level, Order, OrderKind, RegisterKind, entry_flag,
};
use rustc_hash::FxHashSet;

use super::Flow;
use super::text::{Shape, measuring};
use crate::GatewayError;
use crate::reader::read_log;
use crate::replay::limit_use::LimitUse;
use crate::replay::tap::{Tap, replay_tapped};
use crate::replay::{Observe, Progress, ReplayOptions};
use crate::whatif::refold::{Again, Refold};

/// What a flow did.
pub(super) struct Observed {
    /// Orders and replaces; of a log those that it accepted.
    pub(super) orders: u64,
    /// Refused even so: malformed, or without a name.
    pub(super) refused: u64,
    /// Orders before their instrument's first reference price.
    pub(super) before_reference: u64,
    pub(super) limit_use: LimitUse,
    /// Every limit's use, with its highest.
    usage: Vec<Usage>,
    /// By symbol, ascending.
    pub(super) instruments: Vec<(String, Grid)>,
    /// What pins the flow, for the text.
    pub(super) source: String,
}

impl Observed {
    /// The highest use of what latches, over all scopes of a level.
    pub(super) fn latched(&self, control: Control, level: Level) -> i64 {
        let own = self.usage.iter().filter(|row| row.control == control && row.level == level);
        own.filter_map(|row| row.peak).max().unwrap_or(0)
    }
}

/// What an instrument's orders have in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) orders: u64,
    /// Greatest common divisor of the prices, 1e-9; 0 = none seen.
    pub(super) px: u64,
    /// And of the quantities.
    pub(super) qty: u64,
}

/// What a suggestion refuses.
pub(super) struct Refused {
    pub(super) orders: u64,
    pub(super) by_first: Vec<u64>,
}

/// Folds the flow under limits that are never reached.
pub(super) fn observe(
    flow: &Flow<'_>,
    shape: &Shape,
    progress: &Progress,
) -> Result<Observed, GatewayError> {
    let limits = measuring(shape);
    let mut facts = Facts::default();
    let (engine, limit_use, usage, source) = match flow {
        Flow::File { open, mapping } => {
            let mut options = ReplayOptions::new("(limits that refuse nothing)", limits.as_bytes());
            options.mapping = *mapping;
            options.observe = Observe::Exact;
            let tapped = replay_tapped(open()?, &options, progress, Some(&mut facts))?;
            let digest = tapped.input_sha256.map(|d| crate::hex(&d)).unwrap_or_default();
            let source = format!("a file with SHA-256 {digest}, mapping {}", tapped.mapping);
            let limit_use = tapped.limit_use.unwrap_or_else(LimitUse::exact);
            let usage = tapped.engine.usage_since(limit_use.peaks());
            (tapped.engine, limit_use, usage, source)
        }
        Flow::Log(dir) => {
            let mut limit_use = LimitUse::exact();
            let mut refold = Refold::new("(limits that refuse nothing)", limits.as_bytes())?;
            refold.peaks = Some(Peaks::new());
            let size = each_accepted(dir, progress, |item| match item {
                Item::Entry(index, entry) => {
                    facts.reference(&entry.body);
                    refold.entry(index, entry)
                }
                Item::Order(order, replayed) => {
                    let seen = |sight: cwts_risk::Sight<'_>| limit_use.take(&sight);
                    if let Again::Decided(_, outcome) = refold.order(order, replayed, true, seen) {
                        facts.order(order, &outcome);
                    }
                    Ok(())
                }
            })?;
            let (origin, _) = crate::reader::identity(dir)?;
            let usage = refold.engine.usage_since(&refold.peaks.take().unwrap_or_default());
            (refold.engine, limit_use, usage, format!("the log {origin} of {size} entries"))
        }
    };
    let registry = match flow {
        Flow::File { .. } => engine.registry().clone(),
        // The facts were gathered under the log's handles.
        Flow::Log(dir) => registry_of(dir)?,
    };
    let mut instruments: Vec<(String, Grid)> = facts
        .grids
        .iter()
        .enumerate()
        .filter(|(_, grid)| grid.orders > 0)
        .filter_map(|(handle, grid)| {
            let name = registry.name(RegisterKind::Instrument, handle as u32)?;
            Some((name.to_owned(), *grid))
        })
        .collect();
    instruments.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(Observed {
        orders: facts.orders,
        refused: facts.refused,
        before_reference: facts.before_reference,
        limit_use,
        usage,
        instruments,
        source,
    })
}

/// Decides the flow under a suggestion and counts what it refuses.
pub(super) fn measure(
    flow: &Flow<'_>,
    limits: &str,
    progress: &Progress,
) -> Result<Refused, GatewayError> {
    match flow {
        Flow::File { open, mapping } => {
            let mut options = ReplayOptions::new("(suggested limits)", limits.as_bytes());
            options.mapping = *mapping;
            let stats = replay_tapped(open()?, &options, progress, None)?.stats;
            Ok(Refused { orders: stats.orders - stats.accepted, by_first: stats.by_first })
        }
        Flow::Log(dir) => {
            let mut refold = Refold::new("(suggested limits)", limits.as_bytes())?;
            let mut out = Refused { orders: 0, by_first: vec![0; CONTROLS.len()] };
            each_accepted(dir, progress, |item| match item {
                Item::Entry(index, entry) => refold.entry(index, entry),
                Item::Order(order, replayed) => {
                    let again = refold.order(order, replayed, true, |_| {});
                    if is_cancel(order) {
                        return Ok(());
                    }
                    match again {
                        Again::Decided(_, outcome) => {
                            let first = outcome.decision.reasons.first();
                            out.orders += u64::from(first.is_some());
                            if let Some(first) = first {
                                out.by_first[first as usize] += 1;
                            }
                        }
                        Again::LeftOut => out.orders += 1,
                    }
                    Ok(())
                }
            })?;
            Ok(out)
        }
    }
}

/// One thing of a log's accepted flow.
enum Item<'e> {
    Entry(u64, &'e Entry),
    /// An accepted order or a cancel, and whether it is a market's record.
    Order(&'e Order, bool),
}

/// Gives the entries of a log without the orders that it refused: nobody knows their fate.
fn each_accepted(
    dir: &Path,
    progress: &Progress,
    mut each: impl FnMut(Item<'_>) -> Result<(), GatewayError>,
) -> Result<u64, GatewayError> {
    let mut open: Option<(Order, bool)> = None;
    let mut visit = |index: u64, bytes: &[u8]| {
        if progress.cancelled.load(Ordering::Relaxed) {
            return Err(GatewayError::Cancelled);
        }
        progress.events.fetch_add(1, Ordering::Relaxed);
        let entry = Entry::decode(bytes).map_err(|e| GatewayError::Log {
            dir: dir.display().to_string(),
            source: cwts_audit::LogError::Tamper {
                file: "wal".to_owned(),
                offset: index,
                what: format!("entry {index}: {e}"),
            },
        })?;
        match &entry.body {
            Body::Order(order, _) => {
                open = Some((*order, entry.header.flags & entry_flag::REPLAYED != 0));
                Ok(())
            }
            Body::Decision(decision, _) => match open.take() {
                Some((order, replayed)) if decision.is_accepted() => {
                    each(Item::Order(&order, replayed))
                }
                _ => Ok(()),
            },
            _ => each(Item::Entry(index, &entry)),
        }
    };
    Ok(read_log(dir, &mut visit)?.size)
}

fn registry_of(dir: &Path) -> Result<cwts_risk::Registry, GatewayError> {
    let folded = crate::follow::fold_log(dir, |_, _, _| Ok(()))?;
    Ok(folded.engine.registry().clone())
}

fn is_cancel(order: &Order) -> bool {
    matches!(order.order_kind(), Some(OrderKind::Cancel | OrderKind::MassCancel))
}

/// What is counted beside the comparisons.
#[derive(Default)]
struct Facts {
    orders: u64,
    refused: u64,
    before_reference: u64,
    /// Instruments with a reference price.
    referenced: FxHashSet<u32>,
    /// By handle.
    grids: Vec<Grid>,
}

impl Facts {
    fn reference(&mut self, body: &Body) {
        if let Body::Reference(reference) = body {
            self.referenced.insert(reference.instrument);
        }
    }

    fn order(&mut self, order: &Order, outcome: &Outcome) {
        if is_cancel(order) {
            return;
        }
        self.orders += 1;
        if !outcome.decision.is_accepted() {
            self.refused += 1;
            return;
        }
        self.before_reference += u64::from(!self.referenced.contains(&order.instrument));
        let at = order.instrument as usize;
        if at >= self.grids.len() {
            // Accepted, hence registered: handles count up.
            self.grids.resize(at + 1, Grid::default());
        }
        let grid = &mut self.grids[at];
        grid.orders += 1;
        grid.px = gcd(grid.px, order.px.unsigned_abs());
        grid.qty = gcd(grid.qty, order.qty.unsigned_abs());
    }
}

impl Tap for Facts {
    fn begin(&mut self, _engine: &Engine) -> Result<(), GatewayError> {
        Ok(())
    }

    fn entry(&mut self, _index: u64, entry: &Entry) -> Result<(), GatewayError> {
        self.reference(&entry.body);
        Ok(())
    }

    fn decided(
        &mut self,
        order: &Order,
        _replayed: bool,
        outcome: &Outcome,
    ) -> Result<(), GatewayError> {
        self.order(order, outcome);
        Ok(())
    }
}

/// Greatest common divisor; 0 is divided by everything.
pub(super) fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

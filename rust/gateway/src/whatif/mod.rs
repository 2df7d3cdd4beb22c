//! What-if: which past decisions would have been others under other limits.
//!
//! Source: design note "replay", section 9. The old decisions come from a log, or from a replay
//! of a file under the old limits; a second engine takes the same entries under the new limits in
//! the same pass. States diverge after the first flip, and are meant to. A file and the log of
//! its replay hold the same entries, so they give the same flips.

mod flips;
mod json;
pub(crate) mod refold;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use cwts_risk::limits::{LimitsFile, ReferenceSource};
use cwts_risk::{Engine, Outcome};
use cwts_types::{Body, Control, Decision, Entry, Order, OrderKind, RegisterKind, entry_flag};
use rustc_hash::FxHashSet;

pub use flips::{FLIP_BYTES, Flip, Tally};

use crate::GatewayError;
use crate::reader::read_log;
use crate::replay::tap::{Tap, replay_tapped};
use crate::replay::{LIVE_ORDERS_MAX, Progress, ReplayInput, ReplayOptions};
use flips::FlipRows;
use refold::{Again, Refold};

/// What is asked.
#[derive(Debug, Clone)]
pub struct WhatIfOptions {
    /// The new limits' path, for errors, and their text.
    pub limits: (String, Vec<u8>),
    /// Where to write every flip as a CSV row.
    pub flips: Option<PathBuf>,
    /// Flips kept in memory, the first ones; all are counted.
    pub keep: usize,
}

/// The answer.
#[derive(Debug)]
pub struct WhatIf {
    /// The whole answer as JSON, schema `cwts/whatif/v1`.
    pub json: serde_json::Value,
    /// The first flips, [`FLIP_BYTES`] each.
    pub flips: Vec<u8>,
}

/// Asks of a file: its replay under `old` makes the decisions that are compared with.
///
/// # Errors
/// A bad input, bad limits, or a cancellation.
pub fn whatif_file(
    input: ReplayInput,
    old: &ReplayOptions,
    options: &WhatIfOptions,
    progress: &Progress,
) -> Result<WhatIf, GatewayError> {
    let path = input.path.clone();
    let mut compare = Compare::new(options, &path, old.max_live)?;
    let tapped = replay_tapped(input, old, progress, Some(&mut compare))?;
    compare.note_replay_rules(&tapped.engine);
    let source = json::Source {
        kind: "file",
        path,
        old_path: old.limits.0.clone(),
        old_sha256: crate::sha256_hex(&old.limits.1),
        old_versions: 1,
        input_sha256: tapped.input_sha256.map(|d| crate::hex(&d)),
        mapping: Some(tapped.mapping),
    };
    compare.finish(source, options)
}

/// Asks of a log: its own entries under the new limits, beside its own decisions. It is folded
/// under its own limits as well, and whatever it decided otherwise is counted.
///
/// # Errors
/// There is no log, an entry does not fit, bad limits, or a cancellation.
pub fn whatif_log(
    dir: &Path,
    options: &WhatIfOptions,
    progress: &Progress,
) -> Result<WhatIf, GatewayError> {
    let mut compare = Compare::new(options, &dir.display().to_string(), LIVE_ORDERS_MAX)?;
    let mut own = Engine::new();
    let mut open: Option<(Order, bool, Option<Outcome>)> = None;
    let tamper = |index: u64, what: String| GatewayError::Log {
        dir: dir.display().to_string(),
        source: cwts_audit::LogError::Tamper { file: "wal".to_owned(), offset: index, what },
    };
    let mut visit = |index: u64, bytes: &[u8]| {
        if index.is_multiple_of(PROGRESS_EVERY) {
            progress.events.store(index, Ordering::Relaxed);
            if progress.cancelled.load(Ordering::Relaxed) {
                return Err(GatewayError::Cancelled);
            }
        }
        let entry =
            Entry::decode(bytes).map_err(|e| tamper(index, format!("entry {index}: {e}")))?;
        let step = |source| GatewayError::Step { index, source };
        let outcome = own.step(index, &entry).map_err(step)?;
        match &entry.body {
            Body::Order(order, _) => {
                let replayed = entry.header.flags & entry_flag::REPLAYED != 0;
                open = Some((*order, replayed, outcome));
                Ok(())
            }
            Body::Decision(decision, _) => {
                let Some((order, replayed, outcome)) = open.take() else {
                    return Err(tamper(index, format!("entry {index}: decides no order")));
                };
                compare.own(index, decision, outcome.as_ref());
                compare.order(&order, replayed, decision)
            }
            Body::Gap(gap) => {
                compare.unlogged += gap.count;
                Ok(())
            }
            _ => compare.entry(index, &entry),
        }
    };
    let facts = read_log(dir, &mut visit)?;
    progress.events.store(facts.size, Ordering::Relaxed);
    compare.note_replay_rules(&own);
    compare.note_middles(&own);
    let source = json::Source {
        kind: "log",
        path: dir.display().to_string(),
        old_path: "the log's own".to_owned(),
        old_sha256: crate::sha256_hex(own.limits_text()),
        old_versions: own.limits_version(),
        input_sha256: None,
        mapping: None,
    };
    compare.finish(source, options)
}

/// Old decisions beside new ones.
struct Compare {
    refold: Refold,
    /// Of the new limits, and of what is asked, for errors.
    new_path: String,
    path: String,
    /// Orders that live under the new limits at most, with those that they refused.
    max_live: usize,
    orders: u64,
    old_accepted: u64,
    new_accepted: u64,
    newly_rejected: Tally,
    newly_accepted: Tally,
    /// Refused both times, for other reasons.
    other_reasons: u64,
    /// Orders on an order that the new limits refused: no decision to compare.
    left_out_orders: u64,
    /// Newly accepted orders that still work: their fate is not known.
    fateless: FxHashSet<u64>,
    /// Whether there was one, working or not.
    had_fateless: bool,
    /// Length of `fateless` at which those that have ended are forgotten.
    prune_at: usize,
    /// Newly rejected for what works or is held alone, after an order without a fate.
    may_follow: u64,
    /// Decisions of the log that its own limits do not give.
    differing: u64,
    first_differing: Option<u64>,
    checked: bool,
    unlogged: u64,
    kept: Vec<Flip>,
    keep: usize,
    rows: Option<FlipRows>,
    notes: Vec<String>,
}

impl Compare {
    fn new(options: &WhatIfOptions, path: &str, max_live: usize) -> Result<Self, GatewayError> {
        let refold = Refold::new(&options.limits.0, &options.limits.1)?;
        // After the limits are known to be good: a refused question leaves older rows alone.
        let rows = options.flips.as_deref().map(FlipRows::create).transpose()?;
        Ok(Self {
            refold,
            new_path: options.limits.0.clone(),
            path: path.to_owned(),
            max_live,
            orders: 0,
            old_accepted: 0,
            new_accepted: 0,
            newly_rejected: Tally::new(),
            newly_accepted: Tally::new(),
            other_reasons: 0,
            left_out_orders: 0,
            fateless: FxHashSet::default(),
            had_fateless: false,
            prune_at: PRUNE_FATELESS_MIN,
            may_follow: 0,
            differing: 0,
            first_differing: None,
            checked: false,
            unlogged: 0,
            kept: Vec::new(),
            keep: options.keep.min(KEEP_MAX),
            rows,
            notes: Vec::new(),
        })
    }

    /// The log's decision beside what its own limits give.
    fn own(&mut self, index: u64, logged: &Decision, again: Option<&Outcome>) {
        self.checked = true;
        if again.is_none_or(|outcome| outcome.decision != *logged) {
            self.differing += 1;
            self.first_differing = self.first_differing.or(Some(index));
        }
    }

    fn order(&mut self, order: &Order, replayed: bool, old: &Decision) -> Result<(), GatewayError> {
        if self.refold.live() > self.max_live {
            return Err(GatewayError::TooManyLiveOrders {
                path: self.path.clone(),
                record: order.seq,
                max: self.max_live,
            });
        }
        let was_accepted = old.is_accepted();
        let again = self.refold.order(order, replayed, was_accepted, |_| {});
        if matches!(order.order_kind(), Some(OrderKind::Cancel | OrderKind::MassCancel)) {
            return Ok(());
        }
        self.orders += 1;
        self.old_accepted += u64::from(was_accepted);
        let Again::Decided(own, outcome) = again else {
            self.left_out_orders += 1;
            return Ok(());
        };
        let reasons = outcome.decision.reasons;
        let accepted = outcome.decision.is_accepted();
        self.new_accepted += u64::from(accepted);
        if accepted == was_accepted {
            self.other_reasons += u64::from(reasons != old.reasons);
            return Ok(());
        }
        let notional = self.refold.engine.notional(&own).unwrap_or(0);
        if accepted {
            self.newly_accepted.add(old.reasons, notional);
            if order.kind == OrderKind::New as u8 {
                self.fateless.insert(order.order_id);
                self.had_fateless = true;
                self.prune_fateless();
            }
        } else {
            self.newly_rejected.add(reasons, notional);
            let only_sums = reasons.0 & !OF_SUMS == 0;
            self.may_follow += u64::from(only_sums && self.had_fateless);
        }
        let flip = Flip { order: own, old: old.reasons, new: reasons, notional };
        if self.kept.len() < self.keep {
            self.kept.push(flip);
        }
        match &mut self.rows {
            Some(rows) => rows.row(&flip, self.refold.engine.registry()),
            None => Ok(()),
        }
    }

    /// Forgets what has ended when the set has doubled: it follows what works, not what was.
    fn prune_fateless(&mut self) {
        if self.fateless.len() < self.prune_at {
            return;
        }
        let engine = &self.refold.engine;
        self.fateless.retain(|id| engine.is_working(*id));
        self.prune_at = PRUNE_FATELESS_MIN.max(2 * self.fateless.len());
    }

    /// The entries were made by the old file's replay rules; the new file's have no part in it.
    fn note_replay_rules(&mut self, old: &Engine) {
        if self.refold.engine.limits().replay != old.limits().replay {
            self.notes.push(
                "[replay] of the new limits differs and is not used: the entries were made under \
                 the old ones"
                    .to_owned(),
            );
        }
    }

    /// A log has the middle of a book only where its own limits listened to it.
    fn note_middles(&mut self, old: &Engine) {
        let listens = |engine: &Engine, symbol: &str| {
            let handle = engine.registry().handle(RegisterKind::Instrument, symbol);
            handle.and_then(|handle| engine.reference_source(handle)) == Some(ReferenceSource::Mid)
        };
        let new = &self.refold.engine;
        let names = old.registry().names(RegisterKind::Instrument);
        let deaf: Vec<&str> =
            names.filter(|name| listens(new, name) && !listens(old, name)).collect();
        if let Some(first) = deaf.first() {
            self.notes.push(format!(
                "the new limits have a collar around the middle of the book for {} instruments \
                 ({first} first) whose middle this log does not hold, because its own limits did \
                 not listen to it: those orders were decided without a reference; ask of the file \
                 that was replayed",
                deaf.len()
            ));
        }
    }

    fn finish(
        mut self,
        source: json::Source,
        options: &WhatIfOptions,
    ) -> Result<WhatIf, GatewayError> {
        if let Some(rows) = self.rows.take() {
            rows.finish()?;
        }
        let json = json::document(&self, &source, options);
        let flips = self.kept.iter().flat_map(|flip| flip.to_bytes()).collect();
        Ok(WhatIf { json, flips })
    }
}

impl Tap for Compare {
    fn begin(&mut self, engine: &Engine) -> Result<(), GatewayError> {
        self.refold.adopt(engine.registry())
    }

    fn entry(&mut self, index: u64, entry: &Entry) -> Result<(), GatewayError> {
        self.refold.entry(index, entry)
    }

    fn decided(
        &mut self,
        order: &Order,
        replayed: bool,
        outcome: &Outcome,
    ) -> Result<(), GatewayError> {
        self.order(order, replayed, &outcome.decision)
    }

    fn limits(&self) -> Option<(&str, &LimitsFile)> {
        Some((&self.new_path, self.refold.limits()))
    }
}

/// Controls on sums of what works and is held: an order without a fate weighs on them for ever.
const OF_SUMS: u64 = 1 << Control::MaxPosition as u64
    | 1 << Control::MaxOpenNotional as u64
    | 1 << Control::CreditLimit as u64;
/// Entries between two looks at the wish to stop.
const PROGRESS_EVERY: u64 = 8_192;
/// Newly accepted orders below which none of them is forgotten.
const PRUNE_FATELESS_MIN: usize = 4_096;
/// Flips kept in memory at most: 80 MB.
const KEEP_MAX: usize = 1_000_000;

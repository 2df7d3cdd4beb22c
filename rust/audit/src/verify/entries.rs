//! What each entry must be, given those before it.
//!
//! Everything here is a fold in index order. Where entries are damaged, the fold takes up again
//! behind them and doubts only what it can still know.

use std::collections::BTreeMap;

use cwts_types::{Body, Decision, Entry, EntryType};

use super::finding::{Finding, FindingKind, Findings, Stop, hex};
use crate::cases::Cases;
use crate::holds::HoldsFold;
use crate::merkle::{CompactRange, Hash};

/// Orders that wait for their decision; a gateway decides in blocks far below this.
const WAITING_ORDERS_MAX: usize = 1 << 16;
/// A live log reads the clock once a second.
const CLOCK_GAP_NS_MAX: i64 = 2_000_000_000;

/// The fold over all entries.
#[derive(Default)]
pub(super) struct EntryChecks {
    /// Next number of each producer; absent until it is first seen.
    producers: BTreeMap<u32, u64>,
    /// Index and order id of the orders without a decision.
    waiting: BTreeMap<u64, u64>,
    limits_version: u32,
    decided_version: u32,
    /// Kills so far; `None` once an entry did not fit or is lost.
    holds: Option<HoldsFold>,
    /// Open cases; `None` likewise.
    cases: Option<Cases>,
    /// Whether entries were lost: counts that span the loss are unknown.
    lost: bool,
    pub(super) genesis: Option<Box<cwts_types::Genesis>>,
    /// The newest ARCHIVE of each run of entries.
    pub(super) archives: BTreeMap<(u64, u64), cwts_types::Archive>,
    pub(super) counts: BTreeMap<&'static str, u64>,
    pub(super) last: Option<EntryType>,
    pub(super) undecided_at_recovery: u64,
    clock: ClockGaps,
}

/// How long nobody read the clock. A machine that stood still reads none either, so a gap is no
/// sign of tampering; but what was stamped in it was not shown to be right.
#[derive(Default)]
struct ClockGaps {
    /// Time of the last reading of this run of the writer.
    last_ns: Option<i64>,
    count: u64,
    longest_ns: i64,
}

impl ClockGaps {
    fn take(&mut self, utc_ns: i64) {
        let gap_ns = self.last_ns.map_or(0, |last| utc_ns.saturating_sub(last));
        self.count += u64::from(gap_ns > CLOCK_GAP_NS_MAX);
        self.longest_ns = self.longest_ns.max(gap_ns);
        self.last_ns = Some(utc_ns);
    }
}

/// Where an entry stands.
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    pub(super) offset: u64,
    pub(super) index: u64,
}

impl Place<'_> {
    pub(super) fn finding(&self, kind: FindingKind) -> Finding {
        Finding::new(kind, self.file).at(self.offset).index(self.index)
    }
}

impl EntryChecks {
    pub(super) fn new() -> Self {
        let (holds, cases) = (Some(HoldsFold::new()), Some(Cases::default()));
        Self { holds, cases, ..Self::default() }
    }

    /// The holds, if every entry that makes them was sound.
    pub(super) fn holds(&self) -> Option<&HoldsFold> {
        self.holds.as_ref()
    }

    /// Some entries could not be read: whatever spans them is unknown from here on.
    pub(super) fn lose(&mut self) {
        self.producers.clear();
        self.waiting.clear();
        self.holds = None;
        self.cases = None;
        self.lost = true;
        self.last = None;
    }

    /// Takes in one entry. `before` is the tree before it, if that is known.
    pub(super) fn take(
        &mut self,
        place: &Place<'_>,
        bytes: &[u8],
        before: Option<&CompactRange>,
        findings: &mut Findings,
    ) -> Result<(), Stop> {
        let entry = match Entry::decode(bytes) {
            Ok(entry) => entry,
            Err(error) => {
                self.lose();
                return findings.push(
                    place.finding(FindingKind::NotCanonical).says("a canonical entry", error),
                );
            }
        };
        let kind = entry.body.entry_type();
        *self.counts.entry(kind.name()).or_default() += 1;
        self.last = Some(kind);
        self.check_producer(place, &entry, findings)?;
        match kind {
            EntryType::Clock => self.clock.take(entry.header.utc_ns),
            // Nobody wrote between these and the next start.
            EntryType::Close | EntryType::Recovery => self.clock.last_ns = None,
            _ => {}
        }
        let opening = [(0, EntryType::Schema), (1, EntryType::Genesis)];
        let expected = opening.iter().find(|(index, _)| *index == place.index);
        if expected.is_some_and(|(_, wanted)| *wanted != kind)
            || (kind == EntryType::Genesis && place.index != 1)
        {
            findings.push(
                place
                    .finding(FindingKind::GenesisDiffers)
                    .says("SCHEMA at 0 and GENESIS at 1, once", kind.name()),
            )?;
        }
        // A case that does not follow changes nothing: the fold goes on.
        let utc_ns = entry.header.utc_ns;
        let cases = self.cases.as_mut().map(|cases| cases.apply(place.index, utc_ns, &entry.body));
        if let Some(Err(error)) = cases {
            let (kind, expected) = match kind {
                EntryType::Shred | EntryType::Sealed => {
                    (FindingKind::ShredBad, "a subject whose key is there, and that no case keeps")
                }
                _ => (FindingKind::HoldBad, "a new case, or the end of an open one, by two people"),
            };
            findings.push(
                place
                    .finding(kind)
                    .says(expected, error)
                    .by("the HOLD, HOLD_RELEASE, SHRED and REGISTER entries before it"),
            )?;
        }
        self.check_body(place, entry.body, before, findings)
    }

    fn check_producer(
        &mut self,
        place: &Place<'_>,
        entry: &Entry,
        findings: &mut Findings,
    ) -> Result<(), Stop> {
        let (producer, seq) = (entry.header.producer, entry.header.producer_seq);
        let next = seq.wrapping_add(1);
        let expected = match self.producers.insert(producer, next) {
            None if self.lost => seq,
            known => known.unwrap_or(0),
        };
        if seq == expected {
            return Ok(());
        }
        findings.push(
            place
                .finding(FindingKind::ProducerGap)
                .says(format!("producer {producer} at {expected}"), seq)
                .by("numbers of a producer have no gap"),
        )
    }

    fn check_body(
        &mut self,
        place: &Place<'_>,
        body: Body,
        before: Option<&CompactRange>,
        findings: &mut Findings,
    ) -> Result<(), Stop> {
        match body {
            Body::Order(order, _) => {
                check_seq(place, order.seq, findings)?;
                if self.waiting.len() >= WAITING_ORDERS_MAX
                    && let Some((first, _)) = self.waiting.pop_first()
                {
                    findings.push(
                        Finding::new(FindingKind::DecisionMissing, place.file).index(first),
                    )?;
                }
                self.waiting.insert(place.index, order.order_id);
            }
            Body::Decision(decision, _) => self.check_decision(place, &decision, findings)?,
            Body::Exec(exec) => check_seq(place, exec.seq, findings)?,
            Body::LimitActivate(active) => {
                self.check_version(place, active.version, findings)?;
                check_parent(place, active.first_part, findings)?;
            }
            Body::LimitPropose(propose) => check_parent(place, propose.first_part, findings)?,
            Body::LimitExpire(expire) => {
                self.check_version(place, expire.version, findings)?;
                check_parent(place, expire.first_part, findings)?;
            }
            Body::Override(said) => check_parent(place, said.order_seq, findings)?,
            Body::Alert(alert) => check_parent(place, alert.order_seq, findings)?,
            Body::ReleaseDenied(denied) => check_parent(place, denied.order_seq, findings)?,
            Body::Close(close) => check_head(place, close.size, &close.root, before, findings)?,
            Body::Recovery(recovery) => {
                check_head(place, recovery.good_size, &recovery.root, before, findings)?;
                // A crash between an order and its decision leaves the order undecided.
                self.undecided_at_recovery += self.waiting.len() as u64;
                self.waiting.clear();
            }
            Body::Archive(archive) => {
                check_parent(place, archive.last, findings)?;
                // A block that was made again is the one that counts.
                self.archives.insert((archive.first, archive.last), archive);
            }
            Body::Genesis(genesis) => self.genesis = Some(Box::new(genesis)),
            body @ (Body::Register(_) | Body::Kill(_) | Body::Resume(_)) => {
                if let Some(holds) = &mut self.holds
                    && let Err(error) = holds.apply(place.index, &body)
                {
                    self.holds = None;
                    findings.push(
                        place.finding(FindingKind::ParentBad).says("an entry that follows", error),
                    )?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn check_version(
        &mut self,
        place: &Place<'_>,
        version: u32,
        findings: &mut Findings,
    ) -> Result<(), Stop> {
        if version <= self.limits_version {
            findings.push(
                place
                    .finding(FindingKind::LimitsVersion)
                    .says(format!("above {}", self.limits_version), version),
            )?;
        }
        self.limits_version = version;
        Ok(())
    }

    fn check_decision(
        &mut self,
        place: &Place<'_>,
        decision: &Decision,
        findings: &mut Findings,
    ) -> Result<(), Stop> {
        check_seq(place, decision.seq, findings)?;
        match self.waiting.remove(&decision.order_seq) {
            Some(order_id) if order_id == decision.order_id => {}
            Some(order_id) => findings.push(
                place
                    .finding(FindingKind::ParentBad)
                    .says(format!("order id {order_id}"), decision.order_id),
            )?,
            None if self.lost => {}
            None => findings.push(
                place
                    .finding(FindingKind::ParentBad)
                    .says("an order that waits for its decision", decision.order_seq),
            )?,
        }
        let version = decision.limits_version;
        let known = self.lost || version <= self.limits_version;
        if !known || version < self.decided_version {
            let in_force = format!("{} to {}", self.decided_version, self.limits_version);
            findings.push(place.finding(FindingKind::LimitsVersion).says(in_force, version))?;
        }
        self.decided_version = self.decided_version.max(version);
        Ok(())
    }

    /// The log has ended here.
    pub(super) fn finish(
        &mut self,
        file: &str,
        clean: bool,
        findings: &mut Findings,
        notes: &mut Vec<String>,
    ) -> Result<(), Stop> {
        if self.undecided_at_recovery > 0 {
            notes.push(format!(
                "{} orders were left undecided by a crash",
                self.undecided_at_recovery
            ));
        }
        let ClockGaps { count, longest_ns, .. } = self.clock;
        if count > 0 {
            let longest_ms = longest_ns / 1_000_000;
            let bound = CLOCK_GAP_NS_MAX / 1_000_000_000;
            notes.push(format!(
                "{count} times the clock was not read for over {bound} s, at most {longest_ms} ms"
            ));
        }
        if !clean {
            if !self.waiting.is_empty() {
                notes.push(format!("{} orders wait for their decision", self.waiting.len()));
            }
            return Ok(());
        }
        for index in std::mem::take(&mut self.waiting).into_keys() {
            findings.push(
                Finding::new(FindingKind::DecisionMissing, file)
                    .index(index)
                    .says("one decision", "none")
                    .by("every order has exactly one decision"),
            )?;
        }
        Ok(())
    }
}

fn check_seq(place: &Place<'_>, seq: u64, findings: &mut Findings) -> Result<(), Stop> {
    if seq == place.index {
        return Ok(());
    }
    findings.push(place.finding(FindingKind::SeqDiffers).says(place.index, seq))
}

fn check_parent(place: &Place<'_>, parent: u64, findings: &mut Findings) -> Result<(), Stop> {
    if parent < place.index {
        return Ok(());
    }
    findings.push(place.finding(FindingKind::ParentBad).says("an earlier entry", parent))
}

/// CLOSE and RECOVERY name the tree before them.
fn check_head(
    place: &Place<'_>,
    size: u64,
    root: &Hash,
    before: Option<&CompactRange>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    let root_is_right = before.is_none_or(|range| range.root() == *root);
    if size == place.index && root_is_right {
        return Ok(());
    }
    let expected = before.map(|range| hex(&range.root())).unwrap_or_default();
    findings.push(
        place
            .finding(FindingKind::CloseDiffers)
            .says(format!("{} {expected}", place.index), format!("{size} {}", hex(root))),
    )
}

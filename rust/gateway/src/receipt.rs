//! Receipts of one order: its entry, its decision, and the entries that name what they hold as
//! numbers, each with a proof under one checkpoint.
//!
//! `receipt_words` reads them again, with no log at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cwts_audit::archive::ArchiveError;
use cwts_audit::receipt::RECEIPT_SUFFIX;
use cwts_audit::{FsStorage, LogError, Published, PublishedError};
use cwts_types::{Body, Entry, Level, Order, RegisterKind, Violation, producer};

use crate::GatewayError;

/// Orders with one id that are told apart: an id may come back after its order ended.
const ORDERS_MAX: usize = 64;

/// A receipt with the name of its file.
pub type NamedReceipt = (String, String);

/// The receipts of every entry that an order's decision is read with, by index.
///
/// # Errors
/// The log holds no decided order with this id under its checkpoint, or a file cannot be read.
pub fn order_receipts(dir: &Path, order_id: u64) -> Result<Vec<NamedReceipt>, GatewayError> {
    let storage = FsStorage::open(dir)?;
    let log = Published::read(&storage).map_err(|e| published(dir, e))?;
    let mut found = Collect { order_id, ..Collect::default() };
    log.entries(0, log.checkpoint.size, |index, bytes| {
        if let Ok(entry) = Entry::decode(bytes) {
            found.take(index, &entry);
        }
        Ok(())
    })
    .map_err(|e: PublishedError| published(dir, e))?;
    if found.wanted.is_empty() {
        let why = format!(
            "{}: no decided order {order_id} among the {} entries of its checkpoint",
            dir.display(),
            log.checkpoint.size
        );
        return Err(GatewayError::Replay(why));
    }
    let mut out = Vec::with_capacity(found.wanted.len());
    for index in found.wanted {
        let receipt = log.receipt(index).map_err(|e| published(dir, e))?;
        let kind = receipt.entry.as_deref().and_then(|bytes| Entry::decode(bytes).ok());
        let kind = kind.map_or("entry", |entry| entry.body.entry_type().name()).to_lowercase();
        out.push((format!("{index:020}-{kind}{RECEIPT_SUFFIX}"), receipt.encode()));
    }
    Ok(out)
}

/// What a published log could not answer, as the log's error.
pub fn published(dir: &Path, error: PublishedError) -> GatewayError {
    let dir = dir.display().to_string();
    match error {
        PublishedError::Storage(source) => GatewayError::Log { dir, source: source.into() },
        PublishedError::Note(source) => GatewayError::Log { dir, source: source.into() },
        other => GatewayError::Replay(format!("{dir}: {other}")),
    }
}

/// Why an archive cannot be written or read, as the log's error.
pub fn archive_error(dir: &Path, error: ArchiveError) -> GatewayError {
    let tamper = |file: String, what: String| {
        let source = LogError::Tamper { file, offset: 0, what };
        GatewayError::Log { dir: dir.display().to_string(), source }
    };
    match error {
        ArchiveError::Block { file, source } => tamper(file, source.to_string()),
        ArchiveError::Differs { file, what } => tamper(file, what.to_owned()),
        ArchiveError::Published(PublishedError::Root) => {
            tamper("checkpoint".to_owned(), "the blocks do not give the signed root".to_owned())
        }
        ArchiveError::Published(error) => published(dir, error),
        ArchiveError::Log(source) => GatewayError::Log { dir: dir.display().to_string(), source },
    }
}

/// The limits of one version: their entry, and where their text stands.
#[derive(Clone, Copy)]
struct Version {
    index: u64,
    first_part: u64,
    parts: u16,
}

#[derive(Default)]
struct Collect {
    order_id: u64,
    /// Entry and parent of each name.
    names: BTreeMap<(RegisterKind, u32), (u64, u32)>,
    versions: BTreeMap<u32, Version>,
    /// Proposals by the first chunk of their text: index and id.
    proposals: BTreeMap<u64, (u64, u64)>,
    approvals: BTreeMap<u64, u64>,
    waiting: Option<(u64, Order, u32, u32)>,
    orders: usize,
    wanted: BTreeSet<u64>,
}

impl Collect {
    fn take(&mut self, index: u64, entry: &Entry) {
        match &entry.body {
            Body::Register(r) => {
                self.names.insert((r.kind, r.handle), (index, r.parent));
            }
            Body::LimitActivate(l) => {
                let (first_part, parts) = (l.first_part, l.parts);
                self.versions.insert(l.version, Version { index, first_part, parts });
            }
            Body::LimitExpire(l) => {
                let (first_part, parts) = (l.first_part, l.parts);
                self.versions.insert(l.version, Version { index, first_part, parts });
            }
            Body::LimitPropose(p) => {
                self.proposals.insert(p.first_part, (index, p.id));
            }
            Body::LimitApprove(a) => {
                self.approvals.insert(a.id, index);
            }
            Body::Order(order, _) if order.order_id == self.order_id => {
                self.waiting = Some((index, *order, entry.header.actor, entry.header.producer));
            }
            Body::Decision(decision, violations) => {
                let decided = self.waiting.filter(|(at, ..)| *at == decision.order_seq);
                if let Some((at, order, actor, sender)) = decided
                    && self.orders < ORDERS_MAX
                {
                    self.orders += 1;
                    self.wanted.extend([0, 1, at, index]);
                    self.named(&order, actor, sender, violations);
                    self.version(decision.limits_version);
                }
            }
            _ => {}
        }
    }

    /// The entries that name the order's numbers, and those above an account.
    fn named(&mut self, order: &Order, actor: u32, sender: u32, violations: &[Violation]) {
        let mut wanted = vec![
            (RegisterKind::Instrument, order.instrument),
            (RegisterKind::Account, order.account),
            (RegisterKind::Strategy, order.strategy),
            (RegisterKind::Actor, actor),
        ];
        if (producer::NAMED + 1..producer::DECIDER).contains(&sender) {
            wanted.push((RegisterKind::Actor, sender - producer::NAMED));
        }
        wanted.extend(violations.iter().filter_map(|v| Some((scope_kind(v.level)?, v.scope))));
        for (kind, handle) in wanted {
            let Some((index, parent)) = self.names.get(&(kind, handle)) else { continue };
            self.wanted.insert(*index);
            // An account stands under a customer, a customer under a desk.
            let above = [RegisterKind::Customer, RegisterKind::Desk];
            let mut parent = *parent;
            let kinds: &[RegisterKind] = match kind {
                RegisterKind::Account => &above,
                RegisterKind::Customer => &above[1..],
                _ => &[],
            };
            for kind in kinds {
                let Some((index, next)) = self.names.get(&(*kind, parent)) else { break };
                self.wanted.insert(*index);
                parent = *next;
            }
        }
    }

    /// The limits in force, their text, and who proposed and approved them.
    fn version(&mut self, version: u32) {
        let Some(limits) = self.versions.get(&version) else { return };
        self.wanted.insert(limits.index);
        let end = limits.first_part.saturating_add(limits.parts.into());
        self.wanted.extend(limits.first_part..end);
        let Some((index, id)) = self.proposals.get(&limits.first_part) else { return };
        self.wanted.insert(*index);
        self.wanted.extend(self.approvals.get(id));
    }
}

/// The kind of name that a level's handle has.
pub(crate) fn scope_kind(level: Level) -> Option<RegisterKind> {
    Some(match level {
        Level::Order | Level::Firm => return None,
        Level::Instrument => RegisterKind::Instrument,
        Level::Account | Level::AccountInstrument => RegisterKind::Account,
        Level::Strategy => RegisterKind::Strategy,
        Level::Customer => RegisterKind::Customer,
        Level::Desk => RegisterKind::Desk,
        Level::Venue => RegisterKind::Venue,
        Level::Session => RegisterKind::Session,
    })
}

//! How long records are kept, and the end of an archive whose time is over.
//!
//! Source: SEC Rule 17a-4(a) (six years) and (b) (three); RTS 6 (2017/589) Art. 28 (five). What a
//! log promises stands in its GENESIS. An archive is deleted whole: its entries are read with the
//! names and limits that stand at its start. A case wins over every deletion, in the archive's own
//! log or in the log that the deletion is recorded in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cwts_audit::archive::{ARCHIVE_DIRECTORY, each_entry, is_archive};
use cwts_audit::cases::{Cases, Selection};
use cwts_audit::{CHECKPOINT_FILE, FsStorage, Published, Storage, VKEY_FILE, log_id_of};
use cwts_types::{Access, AccessKind, Body, Entry, Hold, RegisterKind};

use crate::clock::system_utc_ns;
use crate::control::clipped;
use crate::gateway::Gateway;
use crate::receipt::archive_error;
use crate::{GatewayError, hex};

/// How long a log's records are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Years after an entry was written.
    pub years: u16,
}

impl Retention {
    /// These years, under a rule that asks for no fewer, if one is named.
    ///
    /// # Errors
    /// No such rule, or fewer years than it asks for.
    pub fn new(years: u16, rule: Option<&str>) -> Result<Self, GatewayError> {
        let refuse = |why: String| Err(GatewayError::Retention(why));
        if years == 0 {
            return refuse("retention: 0 years keep nothing".to_owned());
        }
        let Some(rule) = rule else { return Ok(Self { years }) };
        match RULES.iter().find(|(name, ..)| *name == rule) {
            Some((_, least, _)) if years >= *least => Ok(Self { years }),
            Some((_, least, what)) => {
                refuse(format!("retention: {what} asks for {least} years, not {years}"))
            }
            None => {
                let known: Vec<&str> = RULES.iter().map(|(name, ..)| *name).collect();
                refuse(format!("retention: `{rule}` is no rule; known: {}", known.join(", ")))
            }
        }
    }
}

/// A log promises its years once, in its GENESIS.
pub(crate) fn check_retention(
    dir: &Path,
    retention: Option<Retention>,
) -> Result<(), GatewayError> {
    let Some(Retention { years }) = retention else { return Ok(()) };
    let promised = crate::reader::genesis(dir)?.0.retention_years;
    if promised == years {
        return Ok(());
    }
    let why = format!("{}: the log promises {promised} years, not {years}", dir.display());
    Err(GatewayError::Retention(why))
}

/// What was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// Origin of the archived log.
    pub origin: String,
    /// Entries that it had.
    pub entries: u64,
    /// Their root, in hexadecimal.
    pub root: String,
    /// Index of the ACCESS entry that says so.
    pub seq: u64,
}

/// What an archive's entries say of its keeping.
#[derive(Default)]
struct Kept {
    log_id: [u8; 8],
    origin: String,
    years: u16,
    newest_ns: i64,
    cases: Cases,
    handles: BTreeMap<(u8, String), u32>,
}

impl Gateway {
    /// Deletes an archive whose retention is over and that no case holds, and records it in this
    /// log before; a refusal is recorded, too.
    ///
    /// # Errors
    /// `RETENTION`: it is not over, or which case holds it. Or the archive does not verify, or the
    /// log has failed: nothing is deleted then.
    pub fn expire(
        &mut self,
        archive: &Path,
        now_ns: u64,
        actor: &str,
    ) -> Result<Expired, GatewayError> {
        self.attend()?;
        if actor.trim().is_empty() {
            return Err(GatewayError::Permission("deleting takes a name".to_owned()));
        }
        if now_ns > system_utc_ns() {
            let why = "expire: that time has not come yet; no clock says that it is over";
            return Err(GatewayError::Retention(why.to_owned()));
        }
        let mut storage = FsStorage::open(archive)?;
        if !is_archive(&storage)? {
            let why = format!("{}: is no archive of `cwts log archive -o`", archive.display());
            return Err(GatewayError::Record(why));
        }
        let signed = Published::read(&storage).map_err(|e| crate::published(archive, e))?;
        let (size, root) = (signed.checkpoint.size, hex(&signed.checkpoint.root));
        let kept = kept(archive, &storage)?;
        let what = format!("archive of {}, {size} entries, root {root}", kept.origin);
        let refused = self.refusal_to_expire(archive, &storage, &kept, now_ns)?;
        let refused =
            refused.map(|why| GatewayError::Retention(format!("{}: {why}", archive.display())));
        let kind =
            if refused.is_some() { AccessKind::DeletionRefused } else { AccessKind::Deleted };
        let why = refused.as_ref().map_or_else(String::new, |error| format!(": {error}"));
        let seq = self.access(kind, size, actor, &format!("{what}{why}"))?;
        self.sync()?;
        if let Some(error) = refused {
            return Err(error);
        }
        for file in storage.list_under(ARCHIVE_DIRECTORY)? {
            storage.unlink(&file.name)?;
        }
        storage.sync_dir(ARCHIVE_DIRECTORY)?;
        for name in [VKEY_FILE, CHECKPOINT_FILE] {
            storage.unlink(name)?;
        }
        storage.sync_dir("")?;
        Ok(Expired { origin: kept.origin, entries: size, root, seq })
    }

    /// Records who got or asked for what of a log's first `size` entries.
    ///
    /// # Errors
    /// There is no log, or it has failed.
    pub fn access(
        &mut self,
        kind: AccessKind,
        size: u64,
        who: &str,
        what: &str,
    ) -> Result<u64, GatewayError> {
        self.attend()?;
        let now = self.clock.now();
        self.flush_gaps(now);
        let index = self.next_index();
        let access = Access { kind, size, who: clipped(who), what: clipped(what) };
        self.append(Body::Access(access), now, 0)?;
        Ok(index)
    }

    /// Why an archive may not be deleted, if it may not.
    fn refusal_to_expire(
        &self,
        archive: &Path,
        storage: &FsStorage,
        kept: &Kept,
        now_ns: u64,
    ) -> Result<Option<String>, GatewayError> {
        let holds = self.holds_on(kept);
        let mut selections: Vec<Selection<'_>> = holds.iter().map(Selection::new).collect();
        let mut holding: BTreeSet<String> = BTreeSet::new();
        if !selections.is_empty() {
            each_entry(storage, |index, bytes| {
                if let Ok(entry) = Entry::decode(bytes) {
                    for selection in &mut selections {
                        if selection.keeps(index, &entry) {
                            holding.insert(selection.case().to_owned());
                        }
                    }
                }
            })
            .map_err(|error| archive_error(archive, error))?;
        }
        if !holding.is_empty() {
            let cases: Vec<&str> = holding.iter().map(String::as_str).collect();
            return Ok(Some(format!("held for case {}", cases.join(", "))));
        }
        // As if each year were a leap year: never too short.
        let years_ns = u128::from(kept.years) * u128::from(YEAR_NS);
        let over_ns = u128::try_from(kept.newest_ns).unwrap_or(0) + years_ns;
        let kept_on = format!("{} years are promised, and they are not over", kept.years);
        Ok((u128::from(now_ns) < over_ns).then_some(kept_on))
    }

    /// The open cases that may be about an archive, with its own numbers.
    fn holds_on(&self, kept: &Kept) -> Vec<Hold> {
        if kept.log_id == self.log_id {
            return self.cases.open().map(|case| case.hold.clone()).collect();
        }
        let registry = self.engine.registry();
        // A name that the archive does not know is nobody there: such a hold is about nothing.
        let map = |kind: RegisterKind, handle: u32| match handle {
            0 => Some(0),
            handle => {
                let name = registry.name(kind, handle)?.to_owned();
                kept.handles.get(&(kind as u8, name)).copied()
            }
        };
        let here = self.cases.open().filter_map(|case| {
            Some(Hold {
                account: map(RegisterKind::Account, case.hold.account)?,
                instrument: map(RegisterKind::Instrument, case.hold.instrument)?,
                person: map(RegisterKind::Actor, case.hold.person)?,
                ..case.hold.clone()
            })
        });
        let own = kept.cases.open().map(|case| case.hold.clone());
        here.chain(own).collect()
    }
}

fn kept(archive: &Path, storage: &FsStorage) -> Result<Kept, GatewayError> {
    let mut kept = Kept::default();
    let mut wrong = None;
    let mut take = |index: u64, bytes: &[u8]| -> Result<(), String> {
        let entry = Entry::decode(bytes).map_err(|error| error.to_string())?;
        kept.newest_ns = kept.newest_ns.max(entry.header.utc_ns);
        match &entry.body {
            Body::Genesis(genesis) => {
                kept.log_id = log_id_of(bytes);
                kept.origin.clone_from(&genesis.origin);
                kept.years = genesis.retention_years;
            }
            Body::Register(register) => {
                let key = (register.kind as u8, register.name.clone());
                kept.handles.insert(key, register.handle);
            }
            _ => {}
        }
        let cased = kept.cases.apply(index, entry.header.utc_ns, &entry.body);
        cased.map_err(|error| error.to_string())
    };
    each_entry(storage, |index, bytes| {
        if let Err(why) = take(index, bytes) {
            wrong.get_or_insert(format!("entry {index}: {why}"));
        }
    })
    .map_err(|error| archive_error(archive, error))?;
    match wrong {
        // What cannot be read may be held: it is not deleted.
        Some(why) => Err(GatewayError::Retention(format!("{}: {why}", archive.display()))),
        None => Ok(kept),
    }
}

/// Rules that a log may be kept under: the name, the least years, and what it is.
pub const RULES: [(&str, u16, &str); 3] = [
    ("17a-4(a)", 6, "SEC Rule 17a-4(a)"),
    ("17a-4(b)", 3, "SEC Rule 17a-4(b)"),
    ("rts6", 5, "RTS 6 Art. 28"),
];
/// 366 days.
pub(crate) const YEAR_NS: u64 = 366 * 24 * 60 * 60 * 1_000_000_000;

#[cfg(test)]
mod tests;

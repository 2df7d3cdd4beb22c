//! A log folded again, once or for as long as it grows, and what its tail alone can tell.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

use cwts_audit::LogError;
use cwts_audit::cases::Cases;
use cwts_audit::holds::{HoldsFold, KillSnapshot, NamedScope, SCOPES_FILE, STATE_FILE};
use cwts_risk::{Engine, Peaks};
use cwts_types::{Body, Entry, Genesis, KillState, OrderKind, ScopeKind, producer};

use crate::GatewayError;
use crate::oversight::Told;
use crate::reader::{Cursor, ReadFacts};

/// A log folded again.
#[derive(Debug, Default)]
pub struct Folded {
    /// The engine after the last entry.
    pub engine: Engine,
    /// The highest use of limits, of those whose peak the engine does not keep.
    pub peaks: Peaks,
    /// Scopes and holds, as the kill files have them.
    pub holds: HoldsFold,
    /// Cases for which entries are kept.
    pub cases: Cases,
    /// What was read.
    pub facts: ReadFacts,
    /// GENESIS.
    pub genesis: Option<Genesis>,
    /// Whether the last entry is CLOSE.
    pub is_closed: bool,
    /// When each hold was made.
    pub hold_times_ns: BTreeMap<u64, i64>,
    /// Orders refused while the log had no room.
    pub unlogged: u64,
    /// Requests that were refused, by name, and why.
    pub refused: BTreeMap<String, String>,
    /// The newest alerts, oldest first.
    pub alerts: VecDeque<Told>,
    /// How many there were.
    pub alert_count: u64,
}

/// Folds a log again, entry by entry.
///
/// # Errors
/// There is no log, or an entry does not fit.
pub fn fold_log(
    dir: &Path,
    each: impl FnMut(u64, &Entry, &Engine) -> Result<(), GatewayError>,
) -> Result<Folded, GatewayError> {
    let mut follower = Follower::new(dir);
    follower.advance_with(each)?;
    Ok(follower.folded)
}

/// A fold that goes on from where it stopped: what was folded once is never read again.
#[derive(Debug)]
pub struct Follower {
    dir: PathBuf,
    cursor: Cursor,
    folded: Folded,
}

impl Follower {
    /// A follower that has read nothing yet.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), cursor: Cursor::default(), folded: Folded::default() }
    }

    /// The log's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The state after what was read.
    pub fn folded(&self) -> &Folded {
        &self.folded
    }

    /// Folds what was written since; gives how many entries that were.
    ///
    /// # Errors
    /// There is no log, it is shorter than before, or an entry does not fit: after that nothing
    /// more is folded.
    pub fn advance(&mut self) -> Result<u64, GatewayError> {
        self.advance_with(|_, _, _| Ok(()))
    }

    fn advance_with(
        &mut self,
        mut each: impl FnMut(u64, &Entry, &Engine) -> Result<(), GatewayError>,
    ) -> Result<u64, GatewayError> {
        let Self { dir, cursor, folded } = self;
        let wrong = |index: u64, what: String| GatewayError::Log {
            dir: dir.display().to_string(),
            source: LogError::Tamper { file: "wal".to_owned(), offset: index, what },
        };
        let before = cursor.facts().size;
        let mut visit = |index: u64, bytes: &[u8]| {
            let entry =
                Entry::decode(bytes).map_err(|e| wrong(index, format!("entry {index}: {e}")))?;
            each(index, &entry, &folded.engine)?;
            let step = folded.engine.step(index, &entry);
            step.map_err(|source| GatewayError::Step { index, source })?;
            folded.peaks.entry(&folded.engine, &entry.body);
            folded.holds.apply(index, &entry.body).map_err(|e| wrong(index, e.to_string()))?;
            let cased = folded.cases.apply(index, entry.header.utc_ns, &entry.body);
            cased.map_err(|e| wrong(index, e.to_string()))?;
            folded.is_closed = matches!(entry.body, Body::Close(_));
            match &entry.body {
                Body::Genesis(genesis) => folded.genesis = Some(genesis.clone()),
                Body::Kill(kill) => {
                    folded.hold_times_ns.insert(kill.hold, entry.header.utc_ns);
                }
                Body::Note(note) => {
                    let text = note.text.strip_prefix(crate::change::REFUSED);
                    let known = text.and_then(|text| text.split_once(": "));
                    if let Some((name, why)) = known.filter(|_| folded.refused.len() < REFUSED_MAX)
                    {
                        folded.refused.insert(name.to_owned(), why.to_owned());
                    }
                }
                Body::Gap(gap) => folded.unlogged += gap.count,
                Body::Alert(alert) => {
                    if folded.alerts.len() >= crate::oversight::ALERTS_MAX {
                        folded.alerts.pop_front();
                    }
                    let utc_ns = u64::try_from(entry.header.utc_ns).unwrap_or(0);
                    folded.alerts.push_back(Told { seq: index, utc_ns, alert: *alert });
                    folded.alert_count += 1;
                }
                _ => {}
            }
            Ok(())
        };
        cursor.read_on(dir, &mut visit)?;
        folded.facts = cursor.facts();
        Ok(folded.facts.size - before)
    }
}

/// Refused requests that are told apart.
const REFUSED_MAX: usize = 1_000;

/// A hold as `kill.state` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingHold {
    /// Number.
    pub id: u64,
    /// Scope as text: `account:ACC1`.
    pub scope: String,
    /// What it sets.
    pub state: KillState,
    /// Log index of its KILL.
    pub seq: u64,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// The holds in force, from the kill files alone: what a halt may ask of a log of any length.
///
/// # Errors
/// The files are missing or unreadable; the log still knows.
pub fn standing_holds(dir: &Path) -> Result<Vec<StandingHold>, GatewayError> {
    let read = |name: &str| {
        let path = dir.join(name).display().to_string();
        std::fs::read(dir.join(name)).map_err(|source| GatewayError::File { path, source })
    };
    let wrong = |name: &str, error| GatewayError::File {
        path: dir.join(name).display().to_string(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidData, error),
    };
    let state = KillSnapshot::parse(&read(STATE_FILE)?).map_err(|e| wrong(STATE_FILE, e))?;
    let scopes = cwts_audit::holds::parse_scopes(&read(SCOPES_FILE)?);
    let scopes = scopes.map_err(|e| wrong(SCOPES_FILE, e))?;
    let name = |slot: u32| scopes.get(slot as usize).map_or_else(String::new, scope_text);
    let rows = state.holds.into_iter().map(|hold| StandingHold {
        id: hold.id,
        scope: name(hold.slot),
        state: hold.state,
        seq: hold.seq,
        actor: hold.actor,
        reason: hold.reason,
    });
    Ok(rows.collect())
}

/// A scope as people write it.
pub(crate) fn scope_text(scope: &NamedScope) -> String {
    match scope.kind {
        ScopeKind::Firm => "firm".to_owned(),
        kind => format!("{}:{}", kind.name(), scope.name),
    }
}

/// How many cancels the gateway itself sent behind this entry. Only the log's end is read.
///
/// # Errors
/// There is no log, or it cannot be read.
pub fn cancels_after(dir: &Path, index: u64) -> Result<u64, GatewayError> {
    let mut found = 0;
    let mut visit = |at: u64, bytes: &[u8]| {
        if at > index
            && let Ok(Entry { header, body: Body::Order(order, _) }) = Entry::decode(bytes)
        {
            let is_cancel = order.kind == OrderKind::Cancel as u8;
            found += u64::from(is_cancel && header.producer == producer::GATEWAY);
        }
        Ok(())
    };
    Cursor::near(dir, index)?.read_on(dir, &mut visit)?;
    Ok(found)
}

//! Reading a log without its lock: status, explanation, and where the kill files are.

use std::path::Path;

use cwts_audit::frame::{
    Entries, FRAME_HEADER_BYTES, Frame, FrameHeader, parse_segment_name, segment_name,
};
use cwts_audit::holds::HoldsFold;
use cwts_audit::{CHECKPOINT_FILE, FsStorage, LogError, Storage, log_id_of};
use cwts_risk::Engine;
use cwts_types::{Body, Entry, Genesis};

use crate::GatewayError;

/// Gives every entry of a log to `visit`, in order, up to the first frame that is not whole: the
/// end, or the torn tail of a log that is being written. Nothing is proved by reading.
///
/// # Errors
/// There is no log, or a file cannot be read.
pub fn read_log(dir: &Path, visit: &mut Visit<'_>) -> Result<ReadFacts, GatewayError> {
    let log_error = |source| GatewayError::Log { dir: dir.display().to_string(), source };
    let storage = FsStorage::open(dir)?;
    let mut segments: Vec<(u64, String)> = storage
        .list()?
        .into_iter()
        .filter_map(|f| Some((parse_segment_name(&f.name)?, f.name)))
        .collect();
    segments.sort();
    if segments.is_empty() {
        return Err(log_error(LogError::Empty));
    }
    let mut facts = ReadFacts::default();
    for (_, name) in segments {
        let mut at = 0;
        let mut head = [0; FRAME_HEADER_BYTES];
        while storage.read_at(&name, at, &mut head)? == head.len() {
            let Ok(header) = FrameHeader::parse(&head) else { break };
            if header.first_index != facts.size {
                break;
            }
            let bytes = cwts_audit::frame::frame_bytes(header.payload_bytes as usize);
            let mut frame = vec![0; bytes];
            if storage.read_at(&name, at, &mut frame)? < bytes {
                break;
            }
            let commit_utc_ns = header.utc_ns;
            let Some(frame) = Frame::cut(header, &frame) else { break };
            if !frame.payload_is_whole() {
                break;
            }
            for entry in Entries::new(frame.payload) {
                let Ok((_, entry)) = entry else { break };
                visit(facts.size, entry)?;
                facts.size += 1;
            }
            facts.last_commit_utc_ns = commit_utc_ns;
            facts.bytes += bytes as u64;
            at += bytes as u64;
        }
    }
    Ok(facts)
}

/// Takes an entry's index and bytes.
pub type Visit<'v> = dyn FnMut(u64, &[u8]) -> Result<(), GatewayError> + 'v;

/// What a reading found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadFacts {
    /// Entries.
    pub size: u64,
    /// Bytes of frames.
    pub bytes: u64,
    /// When the last frame was committed.
    pub last_commit_utc_ns: u64,
}

/// GENESIS of a log, and its id.
pub(crate) fn genesis(dir: &Path) -> Result<(Genesis, [u8; 8]), GatewayError> {
    let mut found = None;
    let mut visit = |index: u64, bytes: &[u8]| {
        if index == 1 {
            if let Ok(Entry { body: Body::Genesis(genesis), .. }) = Entry::decode(bytes) {
                found = Some((genesis, log_id_of(bytes)));
            }
            // The rest of the log is not asked for.
            return Err(GatewayError::Cancelled);
        }
        Ok(())
    };
    match read_log(dir, &mut visit) {
        Err(GatewayError::Cancelled) | Ok(_) => {}
        Err(error) => return Err(error),
    }
    found.ok_or_else(|| {
        // A creation that a crash cut short has signed nothing; later, frames do not vanish.
        let source = if dir.join(CHECKPOINT_FILE).exists() {
            let what = "the first frame is not whole: it does not say whose log this is".to_owned();
            LogError::Tamper { file: segment_name(0), offset: 0, what }
        } else {
            LogError::Empty
        };
        GatewayError::Log { dir: dir.display().to_string(), source }
    })
}

/// Origin and id of a log.
pub(crate) fn identity(dir: &Path) -> Result<(String, [u8; 8]), GatewayError> {
    genesis(dir).map(|(genesis, id)| (genesis.origin, id))
}

/// A log folded again.
#[derive(Debug)]
pub struct Folded {
    /// The engine after the last entry.
    pub engine: Engine,
    /// Scopes and holds, as the kill files have them.
    pub holds: HoldsFold,
    /// What was read.
    pub facts: ReadFacts,
    /// GENESIS.
    pub genesis: Option<Genesis>,
    /// Whether the last entry is CLOSE.
    pub is_closed: bool,
    /// When each hold was made.
    pub hold_times_ns: std::collections::BTreeMap<u64, i64>,
    /// Orders refused while the log had no room.
    pub unlogged: u64,
}

/// Folds a log again, entry by entry.
///
/// # Errors
/// There is no log, or an entry does not fit.
pub fn fold_log(
    dir: &Path,
    mut each: impl FnMut(u64, &Entry, &Engine) -> Result<(), GatewayError>,
) -> Result<Folded, GatewayError> {
    let mut out = Folded {
        engine: Engine::new(),
        holds: HoldsFold::new(),
        facts: ReadFacts::default(),
        genesis: None,
        is_closed: false,
        hold_times_ns: std::collections::BTreeMap::new(),
        unlogged: 0,
    };
    let wrong = |index: u64, what: String| GatewayError::Log {
        dir: dir.display().to_string(),
        source: LogError::Tamper { file: "wal".to_owned(), offset: index, what },
    };
    let mut visit = |index: u64, bytes: &[u8]| {
        let entry =
            Entry::decode(bytes).map_err(|e| wrong(index, format!("entry {index}: {e}")))?;
        each(index, &entry, &out.engine)?;
        out.engine.step(index, &entry).map_err(|source| GatewayError::Step { index, source })?;
        out.holds.apply(index, &entry.body).map_err(|e| wrong(index, e.to_string()))?;
        out.is_closed = matches!(entry.body, Body::Close(_));
        match &entry.body {
            Body::Genesis(genesis) => out.genesis = Some(genesis.clone()),
            Body::Kill(kill) => {
                out.hold_times_ns.insert(kill.hold, entry.header.utc_ns);
            }
            Body::Gap(gap) => out.unlogged += gap.count,
            _ => {}
        }
        Ok(())
    };
    let facts = read_log(dir, &mut visit)?;
    out.facts = facts;
    Ok(out)
}

/// Whether a writer holds the log now.
pub fn is_running(dir: &Path) -> bool {
    let Ok(mut storage) = FsStorage::open(dir) else { return false };
    if !dir.join("lock").exists() {
        return false;
    }
    matches!(storage.lock(), Err(cwts_audit::StorageError::InUse))
}

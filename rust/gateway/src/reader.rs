//! Reading a log without its lock, from its start or from where a reading stopped.

use std::path::Path;

use cwts_audit::frame::{
    Entries, FRAME_HEADER_BYTES, Frame, FrameHeader, parse_segment_name, segment_name,
};
use cwts_audit::note::NOTE_BYTES_MAX;
use cwts_audit::{CHECKPOINT_FILE, Checkpoint, FsStorage, LogError, Note, Storage, log_id_of};
use cwts_types::{Body, Entry, Genesis};

use crate::GatewayError;

/// Gives every entry of a log to `visit`, in order, up to the first frame that is not whole: the
/// end, or the torn tail of a log that is being written. Nothing is proved by reading.
///
/// # Errors
/// There is no log, or a file cannot be read.
pub fn read_log(dir: &Path, visit: &mut Visit<'_>) -> Result<ReadFacts, GatewayError> {
    let mut cursor = Cursor::default();
    cursor.read_on(dir, visit)?;
    Ok(cursor.facts)
}

/// Where a reading of a log stands: what is written later is read from here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Index of the first entry of the segment.
    segment: u64,
    /// Where in it the next frame starts.
    offset: u64,
    facts: ReadFacts,
}

impl Cursor {
    /// What was read so far.
    pub fn facts(&self) -> ReadFacts {
        self.facts
    }

    /// Before the segment that holds this entry, so that a tail is read without what is before it.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn near(dir: &Path, index: u64) -> Result<Self, GatewayError> {
        let held = segments(&FsStorage::open(dir)?)?.into_iter().map(|(first, ..)| first);
        let segment = held.filter(|first| *first <= index).max().unwrap_or(0);
        let facts = ReadFacts { size: segment, ..ReadFacts::default() };
        Ok(Self { segment, offset: 0, facts })
    }

    /// Gives every entry from here on to `visit`, up to the first frame that is not whole. After
    /// an error of `visit` the cursor stands in the middle of a frame, and reads no further.
    ///
    /// # Errors
    /// There is no log, it is shorter than what was read of it or than its checkpoint says, or a
    /// file cannot be read.
    pub fn read_on(&mut self, dir: &Path, visit: &mut Visit<'_>) -> Result<(), GatewayError> {
        let log_error = |source| GatewayError::Log { dir: dir.display().to_string(), source };
        let storage = FsStorage::open(dir)?;
        // Before the frames: a writer moves it only when they are on disk.
        let promised = checkpoint_size(&storage);
        let segments = segments(&storage)?;
        if segments.is_empty() {
            return Err(log_error(LogError::Empty));
        }
        for (first, size_bytes, name) in segments {
            if first < self.segment {
                continue;
            }
            let at = if first == self.segment { self.offset } else { 0 };
            if size_bytes < at {
                let what = format!("{size_bytes} bytes are left of {at} that were read");
                return Err(log_error(LogError::Tamper { file: name, offset: size_bytes, what }));
            }
            self.read_segment(&storage, (first, at), &name, visit)?;
        }
        if self.facts.size < promised {
            // A torn tail lies behind the checkpoint; what is broken before it is no tail.
            let (file, offset, size) = (segment_name(self.segment), self.offset, self.facts.size);
            let what = format!("the checkpoint has {promised} entries, and {size} can be read");
            return Err(log_error(LogError::Tamper { file, offset, what }));
        }
        Ok(())
    }

    fn read_segment(
        &mut self,
        storage: &FsStorage,
        (first, mut at): (u64, u64),
        name: &str,
        visit: &mut Visit<'_>,
    ) -> Result<(), GatewayError> {
        let mut head = [0; FRAME_HEADER_BYTES];
        while storage.read_at(name, at, &mut head)? == head.len() {
            let Ok(header) = FrameHeader::parse(&head) else { break };
            if header.first_index != self.facts.size {
                break;
            }
            let bytes = cwts_audit::frame::frame_bytes(header.payload_bytes as usize);
            let mut frame = vec![0; bytes];
            if storage.read_at(name, at, &mut frame)? < bytes {
                break;
            }
            let commit_utc_ns = header.utc_ns;
            let Some(frame) = Frame::cut(header, &frame) else { break };
            if !frame.payload_is_whole() {
                break;
            }
            for entry in Entries::new(frame.payload) {
                let Ok((_, entry)) = entry else { break };
                visit(self.facts.size, entry)?;
                self.facts.size += 1;
            }
            self.facts.last_commit_utc_ns = commit_utc_ns;
            self.facts.bytes += bytes as u64;
            at += bytes as u64;
            (self.segment, self.offset) = (first, at);
        }
        Ok(())
    }
}

/// Entries by the checkpoint; 0 without one that can be read.
fn checkpoint_size(storage: &FsStorage) -> u64 {
    let mut bytes = vec![0; NOTE_BYTES_MAX];
    let length = storage.read_at(CHECKPOINT_FILE, 0, &mut bytes).unwrap_or(0);
    let note = Note::parse(&bytes[..length]).ok();
    note.and_then(|note| Checkpoint::parse(&note.text).ok()).map_or(0, |checkpoint| checkpoint.size)
}

/// First index, length and name of every segment, in order.
fn segments(storage: &FsStorage) -> Result<Vec<(u64, u64, String)>, GatewayError> {
    let files = storage.list()?.into_iter();
    let mut out: Vec<_> = files
        .filter_map(|file| Some((parse_segment_name(&file.name)?, file.size_bytes, file.name)))
        .collect();
    out.sort();
    Ok(out)
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

/// Whether the directory holds a log; one that is not empty otherwise is refused.
pub(crate) fn holds_a_log(dir: &Path) -> Result<bool, GatewayError> {
    if !dir.exists() {
        return Ok(false);
    }
    let storage = FsStorage::open(dir)?;
    let files = storage.list()?;
    let is_wal = |name: &str| name.starts_with("wal/");
    if files.iter().any(|f| is_wal(&f.name)) {
        return Ok(true);
    }
    match files.iter().find(|f| f.name != "lock") {
        None => Ok(false),
        Some(file) => Err(GatewayError::Replay(format!(
            "{}: holds `{}` and no log; give a new or an empty directory",
            dir.display(),
            file.name
        ))),
    }
}

/// Whether a writer holds the log now.
pub fn is_running(dir: &Path) -> bool {
    let Ok(mut storage) = FsStorage::open(dir) else { return false };
    if !dir.join("lock").exists() {
        return false;
    }
    matches!(storage.lock(), Err(cwts_audit::StorageError::InUse))
}

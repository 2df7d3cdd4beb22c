//! The log alone: a replay's entries appended once more, with nothing to decode and to decide.
//!
//! It is what a durable replay is measured against. Invariant: the copy has the same root, so both
//! did the same hashing, framing and syncing, through the same queue and the same thread.

use std::path::Path;
use std::time::Instant;

use cwts_audit::{FsStorage, KeyChain, Keys, Options, Writer};
use cwts_types::{Body, Entry};

use crate::log::LogTail;
use crate::{GatewayError, KeyStore, hex, read_log};

/// What the log alone took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendedAgain {
    /// Entries, CLOSE included.
    pub entries: u64,
    /// The copy's root, in hexadecimal.
    pub root: String,
    /// From the first call to the signed end, the files' creation included.
    pub took_ns: u64,
}

/// Appends the entries of the replay's log in `from` to a new log in `to`.
///
/// They are read before the clock starts, and held in memory.
///
/// # Errors
/// `from` holds no replay's log with a clean end, it is larger than [`HELD_BYTES_MAX`], or `to`
/// cannot be written.
pub fn append_again(
    from: &Path,
    to: &Path,
    keys: &KeyStore,
) -> Result<AppendedAgain, GatewayError> {
    let log_error = |source| GatewayError::Log { dir: to.display().to_string(), source };
    let held = Held::read(from)?;
    let entries: Vec<&[u8]> = held.entries().collect();
    let [schema, genesis, hot @ .., last] = entries.as_slice() else {
        return Err(unfit(from, "has fewer than three entries"));
    };
    let Ok(Entry { body: Body::Genesis(first), .. }) = Entry::decode(genesis) else {
        return Err(unfit(from, "its entry 1 is not GENESIS"));
    };
    let Ok(Entry { header: closing, body: Body::Close(_) }) = Entry::decode(last) else {
        return Err(unfit(from, "it has no clean end"));
    };
    let started = Instant::now();
    let seed = keys.replay_seed()?;
    let keys = Keys::new(&first.origin, &seed, KeyChain::replay(&first.salt))?;
    let storage = FsStorage::create(to)?;
    // As a replay opens its log.
    let options = Options { sync_tiles: false, bundles: false, ..Options::default() };
    let writer = Writer::create(storage, keys, &[schema, genesis], 0, options);
    let writer = writer.map_err(log_error)?;
    let mut log = LogTail::start(writer, false).map_err(log_error)?;
    for entry in hot {
        if !log.push(entry) {
            return Err(GatewayError::LogFailed { why: log.failure().unwrap_or_default() });
        }
    }
    let end = log.close(closing).map_err(log_error)?;
    let took_ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    Ok(AppendedAgain { entries: end.size, root: hex(&end.root), took_ns })
}

/// Entries one behind the other.
struct Held {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Held {
    fn read(dir: &Path) -> Result<Self, GatewayError> {
        let mut held = Self { bytes: Vec::new(), ends: Vec::new() };
        read_log(dir, &mut |_, entry| {
            if held.bytes.len() + entry.len() > HELD_BYTES_MAX {
                return Err(unfit(dir, "its entries are more than 1 GiB; take a shorter one"));
            }
            held.bytes.extend_from_slice(entry);
            held.ends.push(held.bytes.len());
            Ok(())
        })?;
        Ok(held)
    }

    fn entries(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.bytes[start..end])
    }
}

fn unfit(dir: &Path, why: &str) -> GatewayError {
    GatewayError::Replay(format!("{}: cannot be appended again: {why}", dir.display()))
}

/// Entries that are held in memory, in bytes.
pub const HELD_BYTES_MAX: usize = 1 << 30;

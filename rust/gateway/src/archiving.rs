//! Moving a log's older segments into cold blocks, and letting go of them.
//!
//! Source: design note "audit", section 9: re-expand, re-hash to the signed root, sync, log
//! ARCHIVE, and only then remove. The last segment is the writer's and stays.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use cwts_audit::tiers::{pack, prune, put_back, repack_bound};
use cwts_audit::{FsStorage, LogError, Published, Storage as _};
use cwts_types::{Body, Entry};

use crate::gateway::Gateway;
use crate::receipt::archive_error;
use crate::{GatewayError, read_log};

/// What was archived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ArchivedNow {
    /// Blocks that were written.
    pub blocks: u64,
    /// Entries in them.
    pub entries: u64,
    /// Bytes of them, with what their frames say.
    pub bytes: u64,
    /// Bytes of the files that were removed for it.
    pub freed: u64,
    /// Entries that are archived now, from the log's first on.
    pub end: u64,
    /// Entries before the time that was asked for, from the log's first on.
    pub before: u64,
}

impl Gateway {
    /// Moves every whole segment whose entries all lie before a time into cold blocks of the log's
    /// own folder, logs each block as an ARCHIVE entry, and removes what the blocks hold once that
    /// is durable. Whoever reads the log notices nothing.
    ///
    /// # Errors
    /// There is no log, it has failed, or what was written does not give back what it holds:
    /// nothing is removed then.
    pub fn archive_before(&mut self, utc_ns: u64) -> Result<ArchivedNow, GatewayError> {
        self.attend()?;
        let Some(dir) = self.dir.clone() else {
            return Err(GatewayError::Record("log: there is none to archive".to_owned()));
        };
        self.sync()?;
        let mut storage = FsStorage::open(&dir)?;
        let before = first_at(&dir, utc_ns)?.min(self.durable());
        wait_signed(&dir, &storage, repack_bound(&storage, before)?)?;
        let packed = pack(&mut storage, before).map_err(|error| archive_error(&dir, error))?;
        let now = self.clock.now();
        self.flush_gaps(now);
        for block in &packed.blocks {
            self.append(Body::Archive(*block), now, 0)?;
        }
        // Whatever was logged above is on disk before anything is removed.
        self.sync()?;
        let freed = if packed.blocks.is_empty() { 0 } else { prune(&mut storage, &packed)? };
        Ok(ArchivedNow {
            blocks: packed.blocks.len() as u64,
            entries: packed.entries,
            bytes: packed.bytes,
            freed,
            end: packed.end,
            before,
        })
    }
}

/// Makes every archived file of a log again, in its place. Gives how many.
///
/// # Errors
/// A gateway owns the log, a block differs, or the disk is full: nothing is removed then.
pub fn unarchive(dir: &Path) -> Result<u64, GatewayError> {
    let log_error = |source| GatewayError::Log { dir: dir.display().to_string(), source };
    let mut storage = FsStorage::open(dir)?;
    storage.lock().map_err(|error| log_error(LogError::from(error)))?;
    put_back(&mut storage).map_err(|error| log_error(LogError::from(error)))
}

/// Index of the first entry that is not before a time.
fn first_at(dir: &Path, utc_ns: u64) -> Result<u64, GatewayError> {
    let bound = i64::try_from(utc_ns).unwrap_or(i64::MAX);
    let mut found = None;
    let mut next = 0;
    let mut visit = |index: u64, bytes: &[u8]| {
        next = index + 1;
        if Entry::decode(bytes).is_ok_and(|entry| entry.header.utc_ns >= bound) {
            found = Some(index);
            // What follows is not asked for.
            return Err(GatewayError::Cancelled);
        }
        Ok(())
    };
    match read_log(dir, &mut visit) {
        Err(GatewayError::Cancelled) | Ok(_) => Ok(found.unwrap_or(next)),
        Err(error) => Err(error),
    }
}

/// A live log signs what is durable a tenth of a second later.
fn wait_signed(dir: &Path, storage: &FsStorage, size: u64) -> Result<(), GatewayError> {
    let began = Instant::now();
    loop {
        let signed = Published::read(storage).map_err(|e| crate::published(dir, e))?;
        if signed.checkpoint.size >= size {
            return Ok(());
        }
        if began.elapsed() > SIGNED_WAIT_MAX {
            let why = format!("log: no checkpoint covers entry {size} yet; try again");
            return Err(GatewayError::Record(why));
        }
        thread::sleep(LOOK);
    }
}

/// Signing takes a tenth of a second.
const SIGNED_WAIT_MAX: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests;

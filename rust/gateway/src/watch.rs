//! A live log under watch: every entry checked, every decision made again, as they come.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cwts_audit::{Finding, FsStorage, Hash, LiveCheck, LogError, StorageError, VerifyKey};
use rustix::time::{ClockId, clock_gettime};

use crate::GatewayError;
use crate::decide_again::DecideAgain;

/// Watches one log, without its lock.
#[derive(Debug)]
pub struct Watch {
    dir: PathBuf,
    check: LiveCheck,
    again: DecideAgain,
    over: bool,
}

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Entries that were checked so far.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// Whether the last of them is CLOSE.
    pub is_closed: bool,
    /// When the look ended, on CLOCK_MONOTONIC.
    pub mono_ns: u64,
    /// What is wrong; after a finding nothing more is looked at.
    pub findings: Vec<Finding>,
}

impl Watch {
    /// A watch of the log in a directory, from its first entry. Without a key the checkpoint's
    /// root is compared, and its signature is not checked.
    pub fn new(dir: &Path, vkey: Option<VerifyKey>) -> Self {
        let (check, again) = (LiveCheck::new(vkey), DecideAgain::default());
        Self { dir: dir.to_owned(), check, again, over: false }
    }

    /// Checks what was written since. If that is nothing, it is waited for so long.
    ///
    /// # Errors
    /// There is no log, or a file cannot be read.
    pub fn look(&mut self, patience: Duration) -> Result<Seen, GatewayError> {
        let log_error = |source: StorageError| GatewayError::Log {
            dir: self.dir.display().to_string(),
            source: LogError::from(source),
        };
        let storage = FsStorage::open(&self.dir).map_err(log_error)?;
        if self.check.size() == 0 && !crate::reader::holds_a_log(&self.dir)? {
            return Err(GatewayError::Log {
                dir: self.dir.display().to_string(),
                source: LogError::Empty,
            });
        }
        let (before, start) = (self.check.size(), Instant::now());
        loop {
            let (check, again) = (&mut self.check, &mut self.again);
            let findings = if self.over {
                Vec::new()
            } else {
                let mut each =
                    |index: u64, bytes: &[u8]| again.entry(index, bytes).into_iter().collect();
                check.advance(&storage, &mut each).map_err(log_error)?
            };
            self.over |= !findings.is_empty();
            let (size, is_closed) = (check.size(), check.is_closed());
            if size > before || is_closed || self.over || start.elapsed() >= patience {
                let (root, mono_ns) = (check.root(), monotonic_ns());
                return Ok(Seen { size, root, is_closed, mono_ns, findings });
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// CLOCK_MONOTONIC, which other processes of this machine read alike.
fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// Between two looks at a log to which nothing was added.
const LOOK: Duration = Duration::from_micros(100);

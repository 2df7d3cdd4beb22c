//! A campaign of crashes: a writer at work on a simulated disk, cut short wherever it can be.
//!
//! Source: design note "audit", section 16; Pillai et al., "All File Systems Are Not Created
//! Equal" (OSDI 2014), for what a crash may leave. A story is what one log lives through: it is
//! made, written, signed, closed, killed, opened again, on a disk that may fail once. After every
//! step that changes the disk, the disk is left as crashes could leave it, and every such disk is
//! verified, opened and gone on with. What was acknowledged must be there; nothing may be called
//! tampering or rollback; and what was cut must be told. A share of the openings is cut short too.
//! The log has an anchor on another disk, which keeps what it kept at the crash.
//!
//! Invariant: a story and its crashes follow from its seed alone.

mod judge;
mod key_folder;
mod story;

use std::collections::BTreeMap;
use std::fmt;

use crate::storage::Storage;
use crate::storage::sim::SimDisk;
use crate::storage::sim_state::Loss;

pub use key_folder::KeyFolder;

/// Faults after which a report has enough of them.
pub const FOUND_MAX: usize = 16;

/// `SplitMix64`: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
#[derive(Clone, Copy, Debug, Default)]
pub struct Random(pub u64);

impl Random {
    /// A number below `bound`, which is not 0. The bias is `bound / 2^64`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// The storage that a story's writer gets: the disk itself, or one that a test has spoilt.
pub trait Rig: Storage {
    /// Over this disk.
    fn over(disk: SimDisk) -> Self;

    /// Over the folder of keys on this disk.
    fn keys_over(disk: SimDisk) -> Box<dyn Storage + Send> {
        Box::new(KeyFolder::new(disk))
    }

    /// Whether what was committed is acknowledged to the caller now.
    fn acknowledges(&self) -> bool {
        true
    }

    /// Whether the caller is told before the commit.
    fn acknowledges_early(&self) -> bool {
        false
    }
}

impl Rig for SimDisk {
    fn over(disk: SimDisk) -> Self {
        disk
    }
}

/// What is wrong with a disk that a crash left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CrashFault {
    /// An acknowledged entry is not there.
    Lost,
    /// A mere crash is called tampering.
    FalseTamper,
    /// A mere crash is called rollback.
    FalseRollback,
    /// Something was cut, and no RECOVERY would tell.
    SilentCut,
    /// What is there was never written.
    Invented,
    /// A frame key is still there whose frames are all behind a published checkpoint.
    KeyKept,
    /// The log cannot be opened, or not be gone on with.
    Stuck,
}

impl fmt::Display for CrashFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "LOST",
            Self::FalseTamper => "FALSE_TAMPER",
            Self::FalseRollback => "FALSE_ROLLBACK",
            Self::SilentCut => "SILENT_CUT",
            Self::Invented => "INVENTED",
            Self::KeyKept => "KEY_KEPT",
            Self::Stuck => "STUCK",
        })
    }
}

/// A crash that went wrong. Story, step and number find it again.
#[derive(Clone, Debug)]
pub struct Found {
    /// In which story.
    pub story: u64,
    /// After which of its steps.
    pub step: usize,
    /// After which step of the opening that followed, if that one was cut short too.
    pub recovery_step: Option<usize>,
    /// What the crash took.
    pub loss: Loss,
    /// What is wrong.
    pub fault: CrashFault,
    /// In words.
    pub what: String,
}

/// What a run of stories gave.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Stories that ran.
    pub stories: u64,
    /// Steps that changed a disk.
    pub steps: u64,
    /// Disks that were opened: each is what one crash left, and differs from the one before it.
    pub crash_points: u64,
    /// Of them, those that an opening was cut short on.
    pub in_recovery: u64,
    /// Openings that cut a torn frame.
    pub torn: u64,
    /// Openings after a clean close.
    pub clean: u64,
    /// Crash points at which the anchor keeps what `checkpoint` does not say yet.
    pub anchor_ahead: u64,
    /// Crash points by what was lost.
    pub losses: BTreeMap<Loss, u64>,
    /// Errors that a disk gave to a writer.
    pub disk_errors: u64,
    /// What went wrong.
    pub found: Vec<Found>,
}

/// Runs one story and all its crashes.
pub fn run(seed: u64, story: u64, report: &mut Report) {
    run_on::<SimDisk>(seed, story, report);
}

/// Runs one story on a storage that may be spoilt. See [`Rig`].
pub fn run_on<S: Rig>(seed: u64, story: u64, report: &mut Report) {
    let mut random = Random(seed ^ Random(story).below(u64::MAX));
    let told = story::tell::<S>(&mut random);
    report.stories += 1;
    judge::judge::<S>(&told, story, &mut random, report);
}

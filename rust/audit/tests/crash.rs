//! Ten thousand crashes, and writers that are wrong on purpose.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use crc32c::crc32c;
use cwts_audit::crash::{CrashFault, KeyFolder, Report, Rig, run, run_on};
use cwts_audit::storage::sim::SimDisk;
use cwts_audit::{FileStat, Storage, StorageError};

#[test]
fn ten_thousand_crashes_lose_nothing_and_cry_no_wolf() {
    let mut report = Report::default();
    for story in 0.. {
        run(SEED, story, &mut report);
        assert!(report.found.is_empty(), "{:#?}", report.found);
        if report.crash_points >= 10_000 {
            break;
        }
    }
    // The campaign saw what it is about: cut frames, clean closes, failing disks, and crashes
    // while it recovered.
    assert!(report.torn > 50 && report.clean > 100, "{report:?}");
    assert!(report.disk_errors > 20 && report.in_recovery > 500, "{report:?}");
    assert!(report.anchor_ahead > 100, "{report:?}");
    assert!(report.losses.values().all(|points| *points > 100), "{report:?}");
}

#[test]
fn a_story_repeats_from_its_seed() {
    let told = |seed| {
        let mut report = Report::default();
        run(seed, 3, &mut report);
        format!("{report:?}")
    };
    assert_eq!(told(5), told(5));
    assert_ne!(told(5), told(6));
}

/// A storage with one thing wrong, named by its number.
struct Wrong<const WHAT: u8> {
    disk: SimDisk,
    /// A segment whose sync was put off.
    put_off: Option<String>,
    syncs: u64,
}

const NO_SYNC: u8 = 0;
const EARLY: u8 = 1;
const NO_DIRECTORY_SYNC: u8 = 2;
const RETRY: u8 = 3;
const TWO_UNSYNCED: u8 = 4;
const SIGNS_ABOVE: u8 = 5;
const KEY_KEPT: u8 = 6;
const KEY_EARLY: u8 = 7;

/// A folder of keys in which one is erased never, or at once.
struct WrongKeys<const WHAT: u8>(KeyFolder);

impl<const WHAT: u8> Storage for WrongKeys<WHAT> {
    fn lock(&mut self) -> Result<(), StorageError> {
        self.0.lock()
    }
    fn create(&mut self, name: &str) -> Result<(), StorageError> {
        self.0.create(name)
    }
    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        let mut bytes = bytes.to_vec();
        if WHAT == KEY_EARLY {
            bytes[12] = 1;
            bytes[64..96].fill(0);
            let crc = crc32c(&bytes[..96]);
            bytes[96..].copy_from_slice(&crc.to_le_bytes());
        }
        self.0.write_at(name, offset, &bytes)
    }
    fn set_len(&mut self, name: &str, size_bytes: u64) -> Result<(), StorageError> {
        self.0.set_len(name, size_bytes)
    }
    fn sync_data(&mut self, name: &str) -> Result<(), StorageError> {
        self.0.sync_data(name)
    }
    fn rename(&mut self, from: &str, to: &str) -> Result<(), StorageError> {
        let mut slots = [0; 4];
        self.0.read_at(from, 12, &mut slots)?;
        // With one slot it is an erasure, which is left out.
        if WHAT == KEY_KEPT && slots[0] == 1 { Ok(()) } else { self.0.rename(from, to) }
    }
    fn unlink(&mut self, name: &str) -> Result<(), StorageError> {
        self.0.unlink(name)
    }
    fn sync_dir(&mut self, directory: &str) -> Result<(), StorageError> {
        self.0.sync_dir(directory)
    }
    fn syncfs(&mut self) -> Result<(), StorageError> {
        self.0.syncfs()
    }
    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError> {
        self.0.read_at(name, offset, buffer)
    }
    fn list(&self) -> Result<Vec<FileStat>, StorageError> {
        self.0.list()
    }
}

impl<const WHAT: u8> Wrong<WHAT> {
    fn catch_up(&mut self) -> Result<(), StorageError> {
        self.put_off.take().map_or(Ok(()), |name| self.disk.sync_data(&name))
    }
}

impl<const WHAT: u8> Rig for Wrong<WHAT> {
    fn over(disk: SimDisk) -> Self {
        Self { disk, put_off: None, syncs: 0 }
    }

    fn keys_over(disk: SimDisk) -> Box<dyn Storage + Send> {
        let folder = KeyFolder::new(disk);
        if WHAT < KEY_KEPT {
            return Box::new(folder);
        }
        Box::new(WrongKeys::<WHAT>(folder))
    }

    fn acknowledges(&self) -> bool {
        self.put_off.is_none()
    }

    fn acknowledges_early(&self) -> bool {
        WHAT == EARLY
    }
}

impl<const WHAT: u8> Storage for Wrong<WHAT> {
    fn lock(&mut self) -> Result<(), StorageError> {
        self.disk.lock()
    }
    fn create(&mut self, name: &str) -> Result<(), StorageError> {
        if WHAT == TWO_UNSYNCED && name == "checkpoint.tmp" {
            self.catch_up()?;
        }
        self.disk.create(name)
    }
    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        if WHAT == SIGNS_ABOVE && name.starts_with("wal/") {
            self.catch_up()?;
        }
        self.disk.write_at(name, offset, bytes)
    }
    fn set_len(&mut self, name: &str, size_bytes: u64) -> Result<(), StorageError> {
        self.disk.set_len(name, size_bytes)
    }
    fn sync_data(&mut self, name: &str) -> Result<(), StorageError> {
        self.syncs += 1;
        match WHAT {
            NO_SYNC => Ok(()),
            RETRY => self.disk.sync_data(name).or_else(|_| self.disk.sync_data(name)),
            TWO_UNSYNCED | SIGNS_ABOVE
                if name.starts_with("wal/")
                    && (WHAT == SIGNS_ABOVE || self.syncs.is_multiple_of(2)) =>
            {
                self.put_off = Some(name.to_owned());
                Ok(())
            }
            _ => {
                self.put_off = self.put_off.take().filter(|put_off| put_off != name);
                self.disk.sync_data(name)
            }
        }
    }
    fn rename(&mut self, from: &str, to: &str) -> Result<(), StorageError> {
        self.disk.rename(from, to)
    }
    fn unlink(&mut self, name: &str) -> Result<(), StorageError> {
        self.disk.unlink(name)
    }
    fn sync_dir(&mut self, directory: &str) -> Result<(), StorageError> {
        if WHAT == NO_DIRECTORY_SYNC { Ok(()) } else { self.disk.sync_dir(directory) }
    }
    fn syncfs(&mut self) -> Result<(), StorageError> {
        self.disk.syncfs()
    }
    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError> {
        self.disk.read_at(name, offset, buffer)
    }
    fn list(&self) -> Result<Vec<FileStat>, StorageError> {
        self.disk.list()
    }
}

/// Tells stories until a wrong writer shows one of these faults.
fn is_found<const WHAT: u8>(wanted: &[CrashFault]) {
    let mut report = Report::default();
    for story in 0..STORIES_MAX {
        run_on::<Wrong<WHAT>>(SEED, story, &mut report);
        let found = report.found.drain(..).map(|found| found.fault).collect::<Vec<_>>();
        if found.iter().any(|fault| wanted.contains(fault)) {
            return;
        }
    }
    panic!("{} crash points, and none of {wanted:?}", report.crash_points);
}

#[test]
fn a_writer_that_does_not_sync_is_found() {
    is_found::<NO_SYNC>(&[CrashFault::Lost]);
}

#[test]
fn a_writer_that_acknowledges_before_it_syncs_is_found() {
    is_found::<EARLY>(&[CrashFault::Lost]);
}

#[test]
fn a_writer_that_does_not_sync_directories_is_found() {
    is_found::<NO_DIRECTORY_SYNC>(&[CrashFault::Lost, CrashFault::Stuck]);
}

#[test]
fn a_writer_that_syncs_again_after_an_error_is_found() {
    // What it lost it had signed, or had gone on behind.
    is_found::<RETRY>(&[CrashFault::FalseRollback, CrashFault::Lost]);
}

#[test]
fn a_writer_with_two_frames_unsynced_is_found() {
    is_found::<TWO_UNSYNCED>(&[CrashFault::FalseTamper]);
}

#[test]
fn an_anchor_that_moves_before_the_frames_are_durable_is_found() {
    // This writer catches up before it publishes, which is after the anchor has moved.
    is_found::<TWO_UNSYNCED>(&[CrashFault::FalseRollback]);
}

#[test]
fn a_writer_that_signs_what_is_not_durable_is_found() {
    is_found::<SIGNS_ABOVE>(&[CrashFault::FalseRollback]);
}

#[test]
fn a_frame_key_that_is_kept_for_ever_is_found() {
    is_found::<KEY_KEPT>(&[CrashFault::KeyKept]);
}

#[test]
fn a_frame_key_that_is_erased_before_its_frames_are_signed_is_found() {
    is_found::<KEY_EARLY>(&[CrashFault::FalseRollback]);
}

const SEED: u64 = 7;
/// The wrong writer that is hardest to find needs a disk that fails: a few stories do.
const STORIES_MAX: u64 = 60;

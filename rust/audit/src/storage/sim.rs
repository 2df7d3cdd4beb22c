//! A log on a simulated disk, for crashes that no machine has to suffer.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::sim_state::{DiskState, DiskStep};
use super::{FileStat, LOCK_FILE, Storage, StorageError};
use crate::crash::Random;

/// How a disk fails, at one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// The next sync fails, once.
    SyncError,
    /// The next write fails, once, and changes nothing.
    WriteError,
    /// The next write stops after a part.
    ShortWrite,
    /// No file can grow any more, until the space is given back.
    NoSpace,
}

#[derive(Debug, Default)]
struct Recorder {
    disk: DiskState,
    steps: Vec<DiskStep>,
    locked: bool,
    fault: Option<(u64, DiskFault)>,
    random: Random,
}

/// A log on a simulated disk that records each step. Clones share the disk, and the lock.
#[derive(Debug, Default)]
pub struct SimDisk {
    shared: Arc<Mutex<Recorder>>,
    holds_lock: bool,
}

impl Clone for SimDisk {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), holds_lock: false }
    }
}

impl Drop for SimDisk {
    fn drop(&mut self) {
        if self.holds_lock {
            self.recorder().locked = false;
        }
    }
}

impl SimDisk {
    /// A disk on which these files are durable.
    pub fn from_image(files: &BTreeMap<String, Vec<u8>>) -> Self {
        let disk = DiskState::from_image(files);
        let recorder = Recorder { disk, ..Recorder::default() };
        Self { shared: Arc::new(Mutex::new(recorder)), holds_lock: false }
    }

    /// Lets the disk fail once so many more steps were done.
    pub fn fail_after(&self, steps: u64, fault: DiskFault) {
        let mut recorder = self.recorder();
        recorder.fault = Some((recorder.steps.len() as u64 + steps, fault));
        recorder.random = Random(steps);
    }

    /// Gives space back, and takes an awaited fault away.
    pub fn heal(&self) {
        self.recorder().fault = None;
    }

    /// How many steps were done.
    pub fn steps(&self) -> usize {
        self.recorder().steps.len()
    }

    /// Every step from one on.
    pub fn steps_from(&self, first: usize) -> Vec<DiskStep> {
        self.recorder().steps[first..].to_vec()
    }

    fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&mut self, step: DiskStep, needs: Option<&str>) -> Result<(), StorageError> {
        let mut recorder = self.recorder();
        if let Some(name) = needs
            && recorder.disk.size_of(name).is_none()
        {
            return Err(StorageError::Missing { name: name.to_owned() });
        }
        let (step, error) = recorder.fails(step);
        if let Some(step) = step {
            recorder.disk.apply(&step);
            recorder.steps.push(step);
        }
        let name = needs.unwrap_or_default().to_owned();
        error.map_or(Ok(()), |source| Err(StorageError::Io { what: "do", name, source }))
    }
}

impl Recorder {
    /// What becomes of a step on this disk: none or a part of it when it fails.
    fn fails(&mut self, step: DiskStep) -> (Option<DiskStep>, Option<io::Error>) {
        let Some((_, fault)) = self.fault.filter(|(at, _)| *at <= self.steps.len() as u64) else {
            return (Some(step), None);
        };
        let error = |number| Some(io::Error::from_raw_os_error(number));
        match (fault, step) {
            (DiskFault::SyncError, DiskStep::Sync(name, _)) => {
                self.fault = None;
                (Some(DiskStep::Sync(name, false)), error(EIO))
            }
            (DiskFault::WriteError, DiskStep::Write(..)) => {
                self.fault = None;
                (None, error(EIO))
            }
            (DiskFault::ShortWrite, DiskStep::Write(name, offset, mut bytes)) => {
                self.fault = None;
                bytes.truncate(self.random.below(bytes.len() as u64 + 1) as usize);
                (Some(DiskStep::Write(name, offset, bytes)), error(ENOSPC))
            }
            (DiskFault::NoSpace, DiskStep::Create(_)) => (None, error(ENOSPC)),
            (DiskFault::NoSpace, DiskStep::Write(name, offset, bytes)) => {
                let size = self.disk.size_of(&name).unwrap_or(0);
                let fits = size >= offset as usize + bytes.len();
                let step = DiskStep::Write(name, offset, bytes);
                if fits { (Some(step), None) } else { (None, error(ENOSPC)) }
            }
            (_, step) => (Some(step), None),
        }
    }
}

impl Storage for SimDisk {
    fn lock(&mut self) -> Result<(), StorageError> {
        let mut recorder = self.recorder();
        if recorder.locked && !self.holds_lock {
            return Err(StorageError::InUse);
        }
        recorder.locked = true;
        let exists = recorder.disk.size_of(LOCK_FILE).is_some();
        drop(recorder);
        self.holds_lock = true;
        if exists { Ok(()) } else { self.create(LOCK_FILE) }
    }

    fn create(&mut self, name: &str) -> Result<(), StorageError> {
        self.step(DiskStep::Create(name.to_owned()), None)
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        self.step(DiskStep::Write(name.to_owned(), offset, bytes.to_vec()), Some(name))
    }

    fn set_len(&mut self, name: &str, size_bytes: u64) -> Result<(), StorageError> {
        self.step(DiskStep::SetLen(name.to_owned(), size_bytes), Some(name))
    }

    fn sync_data(&mut self, name: &str) -> Result<(), StorageError> {
        self.step(DiskStep::Sync(name.to_owned(), true), Some(name))
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), StorageError> {
        self.step(DiskStep::Rename(from.to_owned(), to.to_owned()), Some(from))
    }

    fn unlink(&mut self, name: &str) -> Result<(), StorageError> {
        self.step(DiskStep::Unlink(name.to_owned()), None)
    }

    fn sync_dir(&mut self, directory: &str) -> Result<(), StorageError> {
        self.step(DiskStep::SyncDir(directory.to_owned()), None)
    }

    fn syncfs(&mut self) -> Result<(), StorageError> {
        self.step(DiskStep::SyncFs, None)
    }

    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError> {
        let recorder = self.recorder();
        let file = recorder.disk.file(name);
        let file = file.ok_or_else(|| StorageError::Missing { name: name.to_owned() })?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(file.len());
        let count = buffer.len().min(file.len() - start);
        buffer[..count].copy_from_slice(&file[start..start + count]);
        Ok(count)
    }

    fn list(&self) -> Result<Vec<FileStat>, StorageError> {
        let recorder = self.recorder();
        let stat = |(name, bytes): (&str, &[u8])| FileStat {
            name: name.to_owned(),
            size_bytes: bytes.len() as u64,
            regular: true,
        };
        let is_beside = |name: &str| name.starts_with(BESIDE);
        Ok(recorder.disk.files().filter(|(name, _)| !is_beside(name)).map(stat).collect())
    }
}

/// How the names of files begin that lie on the same disk and beside the log's directory.
pub const BESIDE: &str = "../";
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

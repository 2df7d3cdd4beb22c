//! The folder of a log's keys, on the disk that the log is on.

use crate::storage::sim::{BESIDE, SimDisk};
use crate::storage::{FileStat, Storage, StorageError};

/// The folder, beside the log's directory.
#[derive(Debug)]
pub struct KeyFolder(SimDisk);

impl KeyFolder {
    /// On this disk.
    pub fn new(disk: SimDisk) -> Self {
        Self(disk)
    }

    /// Makes the folder's own name durable, as whoever makes a folder of secrets does.
    pub(super) fn sync_above(&mut self) -> Result<(), StorageError> {
        self.0.sync_dir(BESIDE.trim_end_matches('/'))?;
        self.0.sync_dir("")
    }
}

/// The name of a file of the folder on the disk.
pub(super) fn on_disk(name: &str) -> String {
    format!("{BESIDE}{FOLDER}/{name}")
}

impl Storage for KeyFolder {
    fn lock(&mut self) -> Result<(), StorageError> {
        Ok(())
    }
    fn create(&mut self, name: &str) -> Result<(), StorageError> {
        self.0.create(&on_disk(name))
    }
    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        self.0.write_at(&on_disk(name), offset, bytes)
    }
    fn set_len(&mut self, name: &str, size_bytes: u64) -> Result<(), StorageError> {
        self.0.set_len(&on_disk(name), size_bytes)
    }
    fn sync_data(&mut self, name: &str) -> Result<(), StorageError> {
        self.0.sync_data(&on_disk(name))
    }
    fn rename(&mut self, from: &str, to: &str) -> Result<(), StorageError> {
        self.0.rename(&on_disk(from), &on_disk(to))
    }
    fn unlink(&mut self, name: &str) -> Result<(), StorageError> {
        self.0.unlink(&on_disk(name))
    }
    fn sync_dir(&mut self, _directory: &str) -> Result<(), StorageError> {
        self.0.sync_dir(on_disk("").trim_end_matches('/'))
    }
    fn syncfs(&mut self) -> Result<(), StorageError> {
        self.0.syncfs()
    }
    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError> {
        self.0.read_at(&on_disk(name), offset, buffer)
    }
    fn list(&self) -> Result<Vec<FileStat>, StorageError> {
        Ok(Vec::new())
    }
}

const FOLDER: &str = "keys";

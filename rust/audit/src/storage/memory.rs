//! A log's files in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{FileStat, LOCK_FILE, Storage, StorageError};

/// A log in memory: for tests, and to verify an image without touching a disk.
///
/// Clones share the files, and the lock is between them, so that two writers can meet.
#[derive(Debug, Default)]
pub struct MemStorage {
    shared: Arc<Mutex<MemFiles>>,
    holds_lock: bool,
}

#[derive(Debug, Default)]
struct MemFiles {
    files: BTreeMap<String, Vec<u8>>,
    locked: bool,
}

impl Clone for MemStorage {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), holds_lock: false }
    }
}

impl Drop for MemStorage {
    fn drop(&mut self) {
        if self.holds_lock {
            self.files().locked = false;
        }
    }
}

impl MemStorage {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// A storage with these files.
    pub fn from_image(files: BTreeMap<String, Vec<u8>>) -> Self {
        let files = MemFiles { files, locked: false };
        Self { shared: Arc::new(Mutex::new(files)), holds_lock: false }
    }

    /// A copy of every file.
    pub fn image(&self) -> BTreeMap<String, Vec<u8>> {
        self.files().files.clone()
    }

    /// Changes a file behind the log's back; the file is made if it is not there.
    pub fn with_file<T>(&self, name: &str, change: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        change(self.files().files.entry(name.to_owned()).or_default())
    }

    fn files(&self) -> MutexGuard<'_, MemFiles> {
        // A panic elsewhere leaves whole files behind: every change below is one statement.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut Vec<u8>) -> T,
    ) -> Result<T, StorageError> {
        let mut files = self.files();
        let file = files.files.get_mut(name);
        file.map(change).ok_or_else(|| StorageError::Missing { name: name.to_owned() })
    }
}

impl Storage for MemStorage {
    fn lock(&mut self) -> Result<(), StorageError> {
        let mut files = self.files();
        if files.locked && !self.holds_lock {
            return Err(StorageError::InUse);
        }
        files.locked = true;
        files.files.entry(LOCK_FILE.to_owned()).or_default();
        drop(files);
        self.holds_lock = true;
        Ok(())
    }

    fn create(&mut self, name: &str) -> Result<(), StorageError> {
        self.files().files.insert(name.to_owned(), Vec::new());
        Ok(())
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        self.change(name, |file| {
            let start = offset as usize;
            let end = start + bytes.len();
            if file.len() < end {
                file.resize(end, 0);
            }
            file[start..end].copy_from_slice(bytes);
        })
    }

    fn set_len(&mut self, name: &str, size_bytes: u64) -> Result<(), StorageError> {
        self.change(name, |file| file.resize(size_bytes as usize, 0))
    }

    fn sync_data(&mut self, name: &str) -> Result<(), StorageError> {
        self.change(name, |_| ())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), StorageError> {
        let mut files = self.files();
        let missing = || StorageError::Missing { name: from.to_owned() };
        let bytes = files.files.remove(from).ok_or_else(missing)?;
        files.files.insert(to.to_owned(), bytes);
        Ok(())
    }

    fn unlink(&mut self, name: &str) -> Result<(), StorageError> {
        self.files().files.remove(name);
        Ok(())
    }

    fn sync_dir(&mut self, _directory: &str) -> Result<(), StorageError> {
        Ok(())
    }

    fn syncfs(&mut self) -> Result<(), StorageError> {
        Ok(())
    }

    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError> {
        let files = self.files();
        let missing = || StorageError::Missing { name: name.to_owned() };
        let file = files.files.get(name).ok_or_else(missing)?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(file.len());
        let count = buffer.len().min(file.len() - start);
        buffer[..count].copy_from_slice(&file[start..start + count]);
        Ok(count)
    }

    fn list(&self) -> Result<Vec<FileStat>, StorageError> {
        let files = self.files();
        let stat = |(name, bytes): (&String, &Vec<u8>)| FileStat {
            name: name.clone(),
            size_bytes: bytes.len() as u64,
            regular: true,
        };
        Ok(files.files.iter().map(stat).collect())
    }
}

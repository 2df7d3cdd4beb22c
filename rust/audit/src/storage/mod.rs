//! Where a log's files lie: a directory, or memory.
//!
//! Names are relative, with `/` between parts. A write is durable after `sync_data` of its file;
//! a created, renamed or removed name after `sync_dir`.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

mod memory;
pub mod sim;
pub mod sim_state;

pub use memory::MemStorage;

use crate::tiers::Tiered;

/// The file that the writer locks; always empty.
pub const LOCK_FILE: &str = "lock";

/// Why the storage refused.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Another writer holds the log.
    #[error("another writer holds the log")]
    InUse,
    /// There is no such file.
    #[error("`{name}` does not exist")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A name leaves the directory, or is empty.
    #[error("`{name}` is not a name below the log's directory")]
    Name {
        /// The name.
        name: String,
    },
    /// The system failed.
    #[error("{what} `{name}`: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        name: String,
        /// What the system said.
        source: io::Error,
    },
}

/// One file of a log's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStat {
    /// The name, relative to the directory.
    pub name: String,
    /// How long it is.
    pub size_bytes: u64,
    /// Whether it is a plain file: a link or a device is nothing that a log holds.
    pub regular: bool,
}

/// The files of one log.
pub trait Storage {
    /// Takes the writer's lock, until this storage is dropped.
    fn lock(&mut self) -> Result<(), StorageError>;
    /// Makes an empty file, with the directories above it. An old one is emptied.
    fn create(&mut self, name: &str) -> Result<(), StorageError>;
    /// Writes all bytes at a position of an existing file.
    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), StorageError>;
    /// Cuts or extends a file to a length.
    fn set_len(&mut self, name: &str, size_bytes: u64) -> Result<(), StorageError>;
    /// Makes a file's bytes and length durable.
    fn sync_data(&mut self, name: &str) -> Result<(), StorageError>;
    /// Puts a file under another name, in one step; the old file of that name goes.
    fn rename(&mut self, from: &str, to: &str) -> Result<(), StorageError>;
    /// Removes a file. Removing what is not there is no error.
    fn unlink(&mut self, name: &str) -> Result<(), StorageError>;
    /// Makes the names in a directory durable; `""` is the log's own.
    fn sync_dir(&mut self, directory: &str) -> Result<(), StorageError>;
    /// Makes everything on the file system durable.
    fn syncfs(&mut self) -> Result<(), StorageError>;
    /// Reads up to `buffer.len()` bytes from a position; fewer only at the end of the file.
    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError>;
    /// Every file, by name.
    fn list(&self) -> Result<Vec<FileStat>, StorageError>;

    /// The files below one directory, by name.
    fn list_under(&self, directory: &str) -> Result<Vec<FileStat>, StorageError> {
        let mut files = self.list()?;
        files.retain(|f| f.name.strip_prefix(directory).is_some_and(|r| r.starts_with('/')));
        Ok(files)
    }

    /// Whether no such file is there, and reading makes its bytes out of archived ones.
    fn is_archived(&self, _name: &str) -> Result<bool, StorageError> {
        Ok(false)
    }

    /// Makes a file of these bytes, in the place of an old one. It can be found torn after a
    /// crash: for what can be made again.
    fn write_file(&mut self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        self.create(name)?;
        self.write_at(name, 0, bytes)
    }

    /// A whole file, if it is there and not longer than the bound.
    fn read_all(&self, name: &str, bytes_max: usize) -> Result<Option<Vec<u8>>, StorageError> {
        // One byte more than the bound tells a file that is longer.
        let mut bytes = Vec::new();
        loop {
            let at = bytes.len();
            let step = (bytes_max + 1 - at).min(at.max(READ_STEP_BYTES));
            bytes.resize(at + step, 0);
            let got = match self.read_at(name, at as u64, &mut bytes[at..]) {
                Err(StorageError::Missing { .. }) => return Ok(None),
                other => other?,
            };
            bytes.truncate(at + got);
            if got < step {
                return Ok(Some(bytes));
            }
            if bytes.len() > bytes_max {
                let source = io::Error::new(io::ErrorKind::FileTooLarge, "longer than the bound");
                return Err(StorageError::Io { what: "read", name: name.to_owned(), source });
            }
        }
    }
}

/// A log in a directory; what was archived is read out of its blocks.
pub type FsStorage = Tiered<Directory>;

/// The files of a directory, as they are.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
    /// Handles of the files last written, newest last.
    open: Vec<(String, File)>,
    /// Held for its lock alone.
    lock: Option<File>,
    /// Directories known to exist.
    directories: BTreeSet<String>,
    /// Permissions of the files that it makes, less the process's mask.
    mode: u32,
}

impl FsStorage {
    /// The directory, which must exist.
    pub fn open(root: &Path) -> Result<Self, StorageError> {
        Directory::open(root).map(Self::new)
    }

    /// A folder of secrets, which must exist: only its owner can read what is written to it.
    pub fn private(root: &Path) -> Result<Self, StorageError> {
        Ok(Self::new(Directory { mode: 0o600, ..Directory::open(root)? }))
    }

    /// The directory, made if it is not there.
    pub fn create(root: &Path) -> Result<Self, StorageError> {
        std::fs::create_dir_all(root).map_err(|e| io_error("create", "", e))?;
        Self::open(root)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.stored().root
    }
}

impl Directory {
    fn open(root: &Path) -> Result<Self, StorageError> {
        let is_dir = std::fs::metadata(root).map_err(|e| io_error("open", "", e))?.is_dir();
        if !is_dir {
            return Err(StorageError::Name { name: root.display().to_string() });
        }
        Ok(Self {
            root: root.to_owned(),
            open: Vec::new(),
            lock: None,
            directories: BTreeSet::new(),
            mode: 0o666,
        })
    }

    fn file_path(&self, name: &str) -> Result<PathBuf, StorageError> {
        let relative = Path::new(name);
        let plain = relative.components().all(|c| matches!(c, Component::Normal(_)));
        if name.is_empty() || !plain {
            return Err(StorageError::Name { name: name.to_owned() });
        }
        Ok(self.root.join(relative))
    }

    /// A new or emptied file, with the directories above it.
    fn emptied(&mut self, name: &str) -> Result<File, StorageError> {
        let path = self.file_path(name)?;
        if let Some((directory, _)) = name.rsplit_once('/')
            && !self.directories.contains(directory)
        {
            let above = self.file_path(directory)?;
            std::fs::create_dir_all(above).map_err(|e| io_error("create", directory, e))?;
            if self.directories.len() >= DIRECTORIES_MAX {
                self.directories.clear();
            }
            self.directories.insert(directory.to_owned());
        }
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(self.mode)
            .open(path)
            .map_err(|e| io_error("create", name, e))
    }

    fn handle(&mut self, name: &str) -> Result<&File, StorageError> {
        if let Some(at) = self.open.iter().position(|(open, _)| open == name) {
            return Ok(&self.open[at].1);
        }
        let path = self.file_path(name)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(|e| io_error("open", name, e))?;
        Ok(self.remember(name, file))
    }

    fn remember(&mut self, name: &str, file: File) -> &File {
        self.forget(name);
        if self.open.len() == OPEN_FILES_MAX {
            self.open.remove(0);
        }
        let at = self.open.len();
        self.open.push((name.to_owned(), file));
        &self.open[at].1
    }

    fn forget(&mut self, name: &str) {
        self.open.retain(|(open, _)| open != name);
    }
}

impl Storage for Directory {
    fn lock(&mut self) -> Result<(), StorageError> {
        if self.lock.is_some() {
            return Ok(());
        }
        let path = self.file_path(LOCK_FILE)?;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|e| io_error("lock", LOCK_FILE, e))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => self.lock = Some(file),
            Err(Errno::WOULDBLOCK) => return Err(StorageError::InUse),
            Err(e) => return Err(io_error("lock", LOCK_FILE, e.into())),
        }
        Ok(())
    }

    fn create(&mut self, name: &str) -> Result<(), StorageError> {
        let file = self.emptied(name)?;
        self.remember(name, file);
        Ok(())
    }

    /// The handle is not kept: the files written so are many, and the segment's stays open.
    fn write_file(&mut self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        self.emptied(name)?.write_all_at(bytes, 0).map_err(|e| io_error("write", name, e))
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        self.handle(name)?.write_all_at(bytes, offset).map_err(|e| io_error("write", name, e))
    }

    fn set_len(&mut self, name: &str, size_bytes: u64) -> Result<(), StorageError> {
        self.handle(name)?.set_len(size_bytes).map_err(|e| io_error("cut", name, e))
    }

    fn sync_data(&mut self, name: &str) -> Result<(), StorageError> {
        self.handle(name)?.sync_data().map_err(|e| io_error("sync", name, e))
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), StorageError> {
        let (old, new) = (self.file_path(from)?, self.file_path(to)?);
        std::fs::rename(old, new).map_err(|e| io_error("rename", from, e))?;
        self.forget(from);
        self.forget(to);
        Ok(())
    }

    fn unlink(&mut self, name: &str) -> Result<(), StorageError> {
        self.forget(name);
        match std::fs::remove_file(self.file_path(name)?) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_error("remove", name, e)),
            _ => Ok(()),
        }
    }

    fn sync_dir(&mut self, directory: &str) -> Result<(), StorageError> {
        let path =
            if directory.is_empty() { self.root.clone() } else { self.file_path(directory)? };
        File::open(path)
            .and_then(|handle| handle.sync_all())
            .map_err(|e| io_error("sync directory", directory, e))
    }

    fn syncfs(&mut self) -> Result<(), StorageError> {
        let root = File::open(&self.root).map_err(|e| io_error("open", "", e))?;
        rustix::fs::syncfs(root).map_err(|e| io_error("syncfs", "", e.into()))
    }

    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError> {
        let opened;
        let file = if let Some((_, file)) = self.open.iter().find(|(open, _)| open == name) {
            file
        } else {
            opened = File::open(self.file_path(name)?).map_err(|e| io_error("read", name, e))?;
            &opened
        };
        let mut done = 0;
        while done < buffer.len() {
            match file.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(io_error("read", name, e)),
            }
        }
        Ok(done)
    }

    fn list(&self) -> Result<Vec<FileStat>, StorageError> {
        list_from(self.root.clone(), String::new())
    }

    fn list_under(&self, directory: &str) -> Result<Vec<FileStat>, StorageError> {
        list_from(self.file_path(directory)?, format!("{directory}/"))
    }
}

/// The files below a directory, which may be none.
fn list_from(path: PathBuf, prefix: String) -> Result<Vec<FileStat>, StorageError> {
    let mut files = Vec::new();
    let mut directories = vec![(path, prefix)];
    while let Some((path, prefix)) = directories.pop() {
        let entries = match std::fs::read_dir(&path) {
            // A partial tile's directory may go while a live log is listed.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            other => other.map_err(|e| io_error("list", &prefix, e))?,
        };
        for entry in entries {
            let entry = entry.map_err(|e| io_error("list", &prefix, e))?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let stat = match entry.path().symlink_metadata() {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(|e| io_error("list", &name, e))?,
            };
            if stat.is_dir() {
                directories.push((entry.path(), format!("{name}/")));
            } else {
                let regular = stat.is_file();
                files.push(FileStat { name, size_bytes: stat.len(), regular });
            }
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// Writes a whole file so that a crash leaves the old one or the new one: temporary file, sync,
/// rename, sync of the directory.
pub fn replace_file(
    storage: &mut dyn Storage,
    name: &str,
    bytes: &[u8],
) -> Result<(), StorageError> {
    let temporary = format!("{name}{TEMPORARY}");
    storage.create(&temporary)?;
    storage.write_at(&temporary, 0, bytes)?;
    storage.sync_data(&temporary)?;
    storage.rename(&temporary, name)?;
    storage.sync_dir(name.rsplit_once('/').map_or("", |(directory, _)| directory))
}

/// How the name of a file ends that is not yet in place.
pub const TEMPORARY: &str = ".tmp";

fn io_error(what: &'static str, name: &str, source: io::Error) -> StorageError {
    let name = name.to_owned();
    if source.kind() == io::ErrorKind::NotFound {
        return StorageError::Missing { name };
    }
    StorageError::Io { what, name, source }
}

/// Handles kept open: the segment, a temporary file and what is read beside them.
const OPEN_FILES_MAX: usize = 8;
/// Directories remembered as existing: a thousand tiles share one.
const DIRECTORIES_MAX: usize = 4096;
/// A file is read in steps that double, so that its claimed length allocates nothing.
const READ_STEP_BYTES: usize = 4 * 1024;

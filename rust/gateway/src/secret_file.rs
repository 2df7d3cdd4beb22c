//! Secrets in files of their owner's: made once, replaced whole, wiped.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::GatewayError;
use crate::keys::random_32;

/// What others may do with a secret: nothing.
const OTHERS: u32 = 0o077;

/// Writes a secret to a file that must be absent; on disk when this returns.
///
/// # Errors
/// The file is there, or cannot be written.
pub fn new_secret(path: &Path, secret: &[u8]) -> Result<(), GatewayError> {
    write_secret(path, secret)?;
    sync_folder(parent(path))
}

/// Puts a secret in the place of a file, whole or not at all.
///
/// # Errors
/// It cannot be written.
pub fn replace_secret(path: &Path, secret: &[u8]) -> Result<(), GatewayError> {
    let part = path.with_extension("part");
    wipe_secret(&part)?;
    write_secret(&part, secret)?;
    std::fs::rename(&part, path).map_err(|source| file_error(path, source))?;
    sync_folder(parent(path))
}

/// Reads a secret of at most so many bytes, which nobody but its owner may read.
///
/// # Errors
/// It is not there, longer, or open to others.
pub fn read_secret(path: &Path, bytes_max: usize) -> Result<Zeroizing<Vec<u8>>, GatewayError> {
    let wrong = |why: String| GatewayError::Key { path: path.display().to_string(), why };
    let told = File::open(path).and_then(|file| file.metadata());
    let mode = told.map_err(|error| wrong(error.to_string()))?.permissions().mode();
    if mode & OTHERS != 0 {
        let mode = mode & 0o777;
        let why = "it is no secret any more; chmod 600 it if nobody did";
        return Err(wrong(format!("others can read it (mode {mode:03o}): {why}")));
    }
    let bytes = read_bounded(path, bytes_max)?;
    if bytes.len() > bytes_max {
        return Err(wrong(format!("has more than {bytes_max} bytes")));
    }
    Ok(bytes)
}

/// Overwrites a secret and removes it; nothing where there is none.
///
/// # Errors
/// It cannot be written or removed.
pub fn wipe_secret(path: &Path) -> Result<(), GatewayError> {
    let mut file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(file_error(path, source)),
    };
    let wiped = (|| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(0))?;
        std::io::copy(&mut std::io::repeat(0).take(length), &mut file)?;
        file.sync_all()?;
        std::fs::remove_file(path)
    })();
    wiped.map_err(|source| file_error(path, source))?;
    sync_folder(parent(path))
}

/// Keeps this process's memory from core dumps, and from others of the same user: for those that
/// hold secrets for a while. Where the kernel refuses, nothing changes.
pub fn hide_memory() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Makes a new file of mode 0600 with a secret, whole or not at all: under a name of its own first,
/// so that whoever else looks, and whoever looks after a crash, finds all of it or nothing. Its
/// folder is the caller's to sync.
pub(crate) fn write_secret(path: &Path, secret: &[u8]) -> Result<(), GatewayError> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.part", crate::hex(&random_32()?[..8])));
    let part = path.with_file_name(name);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
    let made = file.and_then(|mut file| {
        file.write_all(secret)?;
        file.sync_all()?;
        // Unlike a rename, a link does not replace what is there.
        std::fs::hard_link(&part, path)
    });
    // It is absent where it could not be made, which is what is told.
    let _ = std::fs::remove_file(&part);
    made.map_err(|source| file_error(path, source))
}

/// A file's bytes, one more than the bound at most. Their place in memory never moves, so that
/// nothing is left behind.
pub(crate) fn read_bounded(
    path: &Path,
    bytes_max: usize,
) -> Result<Zeroizing<Vec<u8>>, GatewayError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(bytes_max + 1));
    let read =
        File::open(path).and_then(|file| file.take(bytes_max as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| GatewayError::Key {
        path: path.display().to_string(),
        why: error.to_string(),
    })?;
    Ok(bytes)
}

pub(crate) fn sync_folder(folder: &Path) -> Result<(), GatewayError> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| file_error(folder, source))
}

pub(crate) fn file_error(path: &Path, source: std::io::Error) -> GatewayError {
    GatewayError::File { path: path.display().to_string(), source }
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]
    use super::*;

    #[test]
    fn a_secret_is_made_once_replaced_whole_and_wiped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        new_secret(&path, b"one").unwrap();
        assert!(new_secret(&path, b"two").is_err());
        assert_eq!(*read_secret(&path, 3).unwrap(), b"one");
        assert!(read_secret(&path, 2).unwrap_err().to_string().contains("more than 2 bytes"));
        replace_secret(&path, b"three").unwrap();
        assert_eq!(*read_secret(&path, 5).unwrap(), b"three");
        // A second name keeps what the first one's bytes became.
        let kept = folder.path().join("kept");
        std::fs::hard_link(&path, &kept).unwrap();
        wipe_secret(&path).unwrap();
        wipe_secret(&path).unwrap();
        assert!(!path.exists());
        assert_eq!(std::fs::read(&kept).unwrap(), [0; 5]);
        std::fs::set_permissions(&kept, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(read_secret(&kept, 5).unwrap_err().to_string().contains("mode 640"));
    }
}

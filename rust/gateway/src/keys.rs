//! Where a log's secret keys lie: never under the log, because backups copy the log.

use std::fmt::Write as _;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use cwts_audit::{
    EPOCH_KEY_FILE, FsStorage, KeyChain, Keys, SigningKey, VerifyKey, create_key_file,
};
use zeroize::Zeroizing;

use crate::GatewayError;
use crate::secret_file::{file_error, read_bounded, sync_folder, write_secret};

/// A folder of keys, one folder a log.
#[derive(Debug, Clone)]
pub struct KeyStore {
    root: PathBuf,
}

impl KeyStore {
    /// The folder at `root`, made when it is first written to.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// `$CWTS_KEYS`, or `cwts/keys` in the user's state folder.
    ///
    /// # Errors
    /// Neither `CWTS_KEYS`, `XDG_STATE_HOME` nor `HOME` is set.
    pub fn from_environment() -> Result<Self, GatewayError> {
        let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let root = set("CWTS_KEYS")
            .or_else(|| set("XDG_STATE_HOME").map(|p| p.join("cwts/keys")))
            .or_else(|| set("HOME").map(|p| p.join(".local/state/cwts/keys")))
            .ok_or_else(|| GatewayError::Key {
                path: "CWTS_KEYS".to_owned(),
                why: "is not set, and there is no home folder; set it to a folder".to_owned(),
            })?;
        Ok(Self { root })
    }

    /// Keys of a log that is about to be made, durable on return: the seed, the file of the
    /// evolving frame key, and `K_0` where its keeper takes it from.
    pub(crate) fn store(
        &self,
        log_id: [u8; 8],
        seed: &[u8; 32],
        k0: &[u8; 32],
        escrow: &Escrow,
    ) -> Result<(), GatewayError> {
        let folder = self.folder(log_id);
        make_private(&folder)?;
        write_secret(&folder.join(SEED_FILE), seed)?;
        match escrow {
            Escrow::Caller => {}
            Escrow::KeyFolder => {
                write_secret(&folder.join(K0_FILE), k0_line(log_id, k0).as_bytes())?;
            }
            Escrow::File(path) => {
                write_secret(path, k0_line(log_id, k0).as_bytes())?;
                sync_folder(path.parent().unwrap_or(Path::new("")))?;
            }
        }
        create_key_file(&mut FsStorage::private(&folder)?, log_id, &KeyChain::new(*k0))?;
        sync_folder(&self.root)
    }

    /// Keys of a log that exists. Without `epoch.key` its keeper's `K_0` serves, put back into the
    /// folder: all later keys follow from it.
    pub(crate) fn load(&self, origin: &str, log_id: [u8; 8]) -> Result<Keys, GatewayError> {
        let folder = self.folder(log_id);
        let seed = read_secret(&folder.join(SEED_FILE))?;
        let k0 = folder.join(K0_FILE);
        let wrong = |why: String| {
            let path = folder.join(EPOCH_KEY_FILE).display().to_string();
            GatewayError::Key { path, why }
        };
        let storage = FsStorage::private(&folder);
        let mut storage = storage.map_err(|error| wrong(error.to_string()))?;
        if !folder.join(EPOCH_KEY_FILE).exists() && k0.exists() {
            create_key_file(&mut storage, log_id, &read_k0(&k0)?)?;
        }
        let keys = Keys::kept(origin, &seed, log_id, Box::new(storage));
        keys.map_err(|error| wrong(error.to_string()))
    }

    /// Where a log's `K_0` lies as long as nobody has taken it away.
    ///
    /// # Errors
    /// There is no log, or it cannot be read.
    pub fn k0_on_host(&self, log: &Path) -> Result<Option<PathBuf>, GatewayError> {
        let (_, log_id) = crate::reader::identity(log)?;
        let path = self.folder(log_id).join(K0_FILE);
        Ok(path.exists().then_some(path))
    }

    /// The seed that signs replays; made at the first use.
    pub(crate) fn replay_seed(&self) -> Result<Zeroizing<[u8; 32]>, GatewayError> {
        let folder = self.root.join("replay");
        let path = folder.join(SEED_FILE);
        if !path.exists() {
            make_private(&folder)?;
            match write_secret(&path, &*random_32()?) {
                // Another process was faster: its key serves.
                Err(GatewayError::File { source, .. })
                    if source.kind() == std::io::ErrorKind::AlreadyExists => {}
                other => other?,
            }
        }
        read_secret(&path)
    }

    /// Makes an operator's key; gives its public half, under the operator's name.
    ///
    /// # Errors
    /// The name cannot name a key, it has one already, or the folder cannot be written.
    pub fn new_operator(&self, name: &str) -> Result<VerifyKey, GatewayError> {
        let folder = self.operator_folder(name)?;
        let seed = random_32()?;
        let key = SigningKey::from_seed(name, &seed)?;
        make_private(&folder)?;
        write_secret(&folder.join(SEED_FILE), &*seed)?;
        Ok(key.verify_key().clone())
    }

    /// An operator's key.
    ///
    /// # Errors
    /// There is none of this name on this machine.
    pub fn operator(&self, name: &str) -> Result<SigningKey, GatewayError> {
        let folder = self.operator_folder(name)?;
        let seed = read_secret(&folder.join(SEED_FILE))?;
        Ok(SigningKey::from_seed(name, &seed)?)
    }

    fn operator_folder(&self, name: &str) -> Result<PathBuf, GatewayError> {
        if !cwts_risk::limits::operators::is_plain(name) {
            let why = "an operator's name is 1 to 64 of a-z A-Z 0-9 . _ - and starts with no dot";
            return Err(GatewayError::Key { path: name.to_owned(), why: why.to_owned() });
        }
        Ok(self.root.join("operator").join(name))
    }

    pub(crate) fn folder(&self, log_id: [u8; 8]) -> PathBuf {
        self.root.join(crate::hex(&log_id))
    }
}

/// Where `K_0` goes when a log is made. Whoever keeps it, off the host, can check every frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Escrow {
    /// Beside the other keys, for somebody to take away.
    KeyFolder,
    /// To this file, which must not exist.
    File(PathBuf),
    /// Nowhere: the caller has it.
    Caller,
}

/// `K_0` as its keeper has it: one line of text, without the line feed that a file adds.
pub(crate) fn k0_line(log_id: [u8; 8], k0: &[u8; 32]) -> Zeroizing<String> {
    let mut line = Zeroizing::new(String::with_capacity(K0_LINE_BYTES));
    line.push_str(K0_MARK);
    for (at, byte) in log_id.iter().chain(k0).enumerate() {
        if at == log_id.len() {
            line.push(' ');
        }
        // Writing to a string that has the room cannot fail.
        let _ = write!(line, "{byte:02x}");
    }
    line.push('\n');
    line
}

/// The frame key chain of a keeper's `K_0`: its line, or 32 bytes as releases before this wrote.
///
/// # Errors
/// The file cannot be read, or is of neither form.
pub fn read_k0(path: &Path) -> Result<KeyChain, GatewayError> {
    let wrong = |why: String| GatewayError::Key { path: path.display().to_string(), why };
    let bytes = read_bounded(path, K0_LINE_BYTES)?;
    if let Ok(k0) = <&[u8; 32]>::try_from(bytes.as_slice()) {
        return Ok(KeyChain::resume(0, k0));
    }
    let text = str::from_utf8(&bytes).unwrap_or_default().trim_end();
    let digits = text.strip_prefix(K0_MARK).and_then(|rest| rest.split_once(' '));
    let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    let fits = |id: &str, k0: &str| id.len() == 16 && k0.len() == 64 && is_hex(id) && is_hex(k0);
    let Some((_, digits)) = digits.filter(|(id, k0)| fits(id, k0)) else {
        let why = format!("is no K_0: `{K0_MARK}`, 16 hex digits, a space and 64 hex digits");
        return Err(wrong(why));
    };
    let mut k0 = Zeroizing::new([0; 32]);
    for (byte, two) in k0.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let value = str::from_utf8(two).ok().and_then(|two| u8::from_str_radix(two, 16).ok());
        *byte = value.ok_or_else(|| wrong("has a digit that is none".to_owned()))?;
    }
    Ok(KeyChain::resume(0, &k0))
}

/// 32 bytes of the system's randomness.
pub fn random_32() -> Result<Zeroizing<[u8; 32]>, GatewayError> {
    let mut out = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *out).map_err(|e| GatewayError::Key {
        path: "the system's random source".to_owned(),
        why: e.to_string(),
    })?;
    Ok(out)
}

pub(crate) fn make_private(folder: &Path) -> Result<(), GatewayError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|e| file_error(folder, e))
}

fn read_secret(path: &Path) -> Result<Zeroizing<[u8; 32]>, GatewayError> {
    let bytes = read_bounded(path, 32)?;
    let mut out = Zeroizing::new([0; 32]);
    if bytes.len() != out.len() {
        let why = format!("has {} bytes, not 32", bytes.len());
        return Err(GatewayError::Key { path: path.display().to_string(), why });
    }
    out.copy_from_slice(&bytes);
    Ok(out)
}

const SEED_FILE: &str = "ed25519.key";
const K0_FILE: &str = "k0.key";
const K0_MARK: &str = "cwts-k0-v1 ";
/// The mark, 8 and 32 bytes in hexadecimal, a space, a line feed.
const K0_LINE_BYTES: usize = K0_MARK.len() + 16 + 1 + 64 + 1;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]
    use std::sync::Barrier;

    use super::*;

    /// Workers of a first replay come to an empty folder together: none may read half a key.
    #[test]
    fn who_come_together_get_one_key() {
        for _ in 0..200 {
            let folder = tempfile::tempdir().unwrap();
            let (store, start) = (KeyStore::new(folder.path()), Barrier::new(4));
            let seeds: Vec<_> = std::thread::scope(|scope| {
                let workers: Vec<_> = (0..4)
                    .map(|_| {
                        scope.spawn(|| {
                            start.wait();
                            store.replay_seed().map(|seed| *seed)
                        })
                    })
                    .collect();
                workers.into_iter().map(|worker| worker.join().unwrap()).collect()
            });
            let first = *seeds[0].as_ref().unwrap();
            assert!(seeds.iter().all(|seed| *seed.as_ref().unwrap() == first));
            let left: Vec<_> = std::fs::read_dir(folder.path().join("replay")).unwrap().collect();
            assert_eq!(left.len(), 1, "no half of a key is left");
        }
    }
}

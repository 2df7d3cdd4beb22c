//! Where a log's secret keys lie: never under the log, because backups copy the log.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use cwts_audit::{KeyChain, Keys, SigningKey, VerifyKey};
use zeroize::Zeroizing;

use crate::GatewayError;

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

    /// Keys of a log that is about to be made: seed and first frame key.
    pub(crate) fn store(
        &self,
        log_id: [u8; 8],
        seed: &[u8; 32],
        k0: &[u8; 32],
    ) -> Result<(), GatewayError> {
        let folder = self.folder(log_id);
        make_private(&folder)?;
        write_secret(&folder.join(SEED_FILE), seed)?;
        write_secret(&folder.join(K0_FILE), k0)
    }

    /// Keys of a log that exists.
    pub(crate) fn load(&self, origin: &str, log_id: [u8; 8]) -> Result<Keys, GatewayError> {
        let folder = self.folder(log_id);
        let seed = read_secret(&folder.join(SEED_FILE))?;
        let k0 = read_secret(&folder.join(K0_FILE))?;
        Ok(Keys::new(origin, &seed, KeyChain::new(*k0))?)
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
        write_secret(&folder.join(SEED_FILE), &seed)?;
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

    fn folder(&self, log_id: [u8; 8]) -> PathBuf {
        self.root.join(crate::hex(&log_id))
    }
}

/// 32 bytes of the system's randomness.
pub(crate) fn random_32() -> Result<Zeroizing<[u8; 32]>, GatewayError> {
    let mut out = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *out).map_err(|e| GatewayError::Key {
        path: "the system's random source".to_owned(),
        why: e.to_string(),
    })?;
    Ok(out)
}

fn file_error(path: &Path, source: std::io::Error) -> GatewayError {
    GatewayError::File { path: path.display().to_string(), source }
}

fn make_private(folder: &Path) -> Result<(), GatewayError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|e| file_error(folder, e))
}

fn write_secret(path: &Path, secret: &[u8; 32]) -> Result<(), GatewayError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|e| file_error(path, e))?;
    let written = file.write_all(secret).and_then(|()| file.sync_all());
    written.map_err(|e| file_error(path, e))
}

fn read_secret(path: &Path) -> Result<Zeroizing<[u8; 32]>, GatewayError> {
    let wrong = |why: String| GatewayError::Key { path: path.display().to_string(), why };
    let file = File::open(path).map_err(|e| wrong(e.to_string()))?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(33));
    file.take(33).read_to_end(&mut bytes).map_err(|e| wrong(e.to_string()))?;
    let mut out = Zeroizing::new([0; 32]);
    if bytes.len() != out.len() {
        return Err(wrong(format!("has {} bytes, not 32", bytes.len())));
    }
    out.copy_from_slice(&bytes);
    Ok(out)
}

const SEED_FILE: &str = "ed25519.key";
const K0_FILE: &str = "k0.key";

//! A log made in advance: its public half for the auditor, its first frame key for safe keeping.

use std::path::Path;

use cwts_audit::VKEY_FILE;
use cwts_types::ReleaseMode;
use zeroize::Zeroizing;

use crate::gateway::Gateway;
use crate::keys::{Escrow, KeyStore, k0_line, random_32};
use crate::reader::holds_a_log;
use crate::start::{GatewayOptions, RETENTION_YEARS};
use crate::{GatewayError, hex};

/// What comes of making a log.
#[derive(Debug)]
pub struct NewLog {
    /// The key that checks its signatures: for everybody.
    pub vkey: String,
    /// The log's id, which names its folder of keys.
    pub log_id: String,
    /// Where `K_0` was written; `None` if the caller has it.
    pub escrow: Option<String>,
    /// `K_0` as a line of text, if it was written nowhere.
    pub k0: Option<Zeroizing<String>>,
}

impl Gateway {
    /// Makes a log with its keys, and closes it: the next start goes on with it.
    ///
    /// # Errors
    /// There is a log already, the escrow file exists, or a folder cannot be written.
    pub fn init_log(
        dir: &Path,
        keys: &KeyStore,
        origin: Option<String>,
        escrow: &Escrow,
    ) -> Result<NewLog, GatewayError> {
        let refused = |path: &Path, why: &str| {
            Err(GatewayError::Key { path: path.display().to_string(), why: why.to_owned() })
        };
        if holds_a_log(dir)? {
            return refused(dir, "holds a log already; its keys were made with it");
        }
        if let Escrow::File(path) = escrow {
            if path.exists() {
                return refused(path, "exists; name a new file for K_0");
            }
            if !path.parent().is_none_or(|above| above.as_os_str().is_empty() || above.is_dir()) {
                return refused(path, "lies in no folder that exists");
            }
            let below = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            if below(path).starts_with(below(dir)) {
                return refused(path, "lies under the log, which backups copy");
            }
        }
        let options = GatewayOptions {
            limits: None,
            dir: Some(dir.to_owned()),
            keys: Some(keys.clone()),
            origin,
            anchor: None,
            release: ReleaseMode::Durable,
        };
        let k0 = random_32()?;
        let gateway = Self::create(dir, keys, &options, (&k0, escrow), RETENTION_YEARS)?;
        let log_id = gateway.log_id;
        gateway.close()?;
        let vkey_file = dir.join(VKEY_FILE);
        let vkey = std::fs::read_to_string(&vkey_file).map_err(|source| GatewayError::File {
            path: vkey_file.display().to_string(),
            source,
        })?;
        let escrow = match escrow {
            Escrow::KeyFolder => keys.k0_on_host(dir)?,
            Escrow::File(path) => Some(path.clone()),
            Escrow::Caller => None,
        };
        Ok(NewLog {
            vkey: vkey.trim_end().to_owned(),
            log_id: hex(&log_id),
            k0: escrow.is_none().then(|| k0_line(log_id, &k0)),
            escrow: escrow.map(|path| path.display().to_string()),
        })
    }
}

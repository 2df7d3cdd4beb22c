//! The root over the logs of one run: a checkpoint of checkpoints.
//!
//! A run of several files, each from fresh state, leaves a log a file: `RUN/0001`, `RUN/0002` and
//! so on, in the order of the command line. Leaf k of the run's tree (RFC 6962) is `LEAF_DOMAIN`
//! and then the three lines that log k's checkpoint signs; `RUN/checkpoint` is a signed note over
//! the run's origin, the number of logs and that root, and `RUN/log.vkey` checks it.
//! The logs of a run and the run itself are signed by one key, each under its own origin, so the
//! run's key, which an auditor holds, checks the logs' signatures too (see [`RunCheck::log_keys`]).
//! Invariant: nothing of the run (time, host, path, workers) is under the root.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use cwts_audit::merkle::CompactRange;
use cwts_audit::note::NOTE_BYTES_MAX;
use cwts_audit::storage::replace_file;
use cwts_audit::{
    CHECKPOINT_FILE, Checkpoint, Finding, FindingKind, FsStorage, Note, SigningKey, VKEY_FILE,
    VerifyKey,
};
use sha2::{Digest as _, Sha256};

use crate::{GatewayError, KeyStore, hex};

/// Logs of a run at most.
pub const RUN_LOGS_MAX: usize = 9_999;

/// The folder of the k-th log of a run, counted from 1.
pub fn run_log(run: &Path, k: usize) -> PathBuf {
    run.join(format!("{k:04}"))
}

/// Signs the root over the `logs` logs of a run, all of which were closed.
///
/// # Errors
/// A checkpoint is missing or is none, or the run's own cannot be written.
pub fn seal_run(
    run: &Path,
    logs: usize,
    keys: Option<&KeyStore>,
) -> Result<Checkpoint, GatewayError> {
    let mut heads = Vec::with_capacity(logs.min(RUN_LOGS_MAX));
    for k in 1..=logs.min(RUN_LOGS_MAX) {
        let path = run_log(run, k).join(CHECKPOINT_FILE);
        let head = signed_text(&path).and_then(|text| Checkpoint::parse(&text).map_err(why));
        heads.push(head.map_err(|why| broken(&path, &why))?);
    }
    let checkpoint = root_of(&heads);
    let store = match keys {
        Some(store) => store.clone(),
        None => KeyStore::from_environment()?,
    };
    let key = SigningKey::from_seed(&checkpoint.origin, &*store.replay_seed()?)?;
    let note = key.sign(&checkpoint.encode())?;
    let mut storage = FsStorage::open(run)?;
    replace_file(&mut storage, VKEY_FILE, format!("{}\n", key.verify_key()).as_bytes())?;
    replace_file(&mut storage, CHECKPOINT_FILE, note.encode().as_bytes())?;
    Ok(checkpoint)
}

/// What a run's folder says of itself; its logs are verified each for itself.
#[derive(Debug)]
pub struct RunCheck {
    /// Its logs, in order.
    pub logs: Vec<PathBuf>,
    /// For each log the key to check it with, of those that were given; none if none was.
    pub log_keys: Vec<Option<VerifyKey>>,
    /// Its signed root; a run that did not finish has none.
    pub checkpoint: Option<Checkpoint>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What the keys did not allow to check.
    pub not_checked: Vec<String>,
}

/// Whether a folder is a run's, and not a log.
pub fn is_run(dir: &Path) -> bool {
    !dir.join("wal").is_dir() && run_log(dir, 1).is_dir()
}

/// Checks names, signature and root of a run; nothing is written.
///
/// # Errors
/// The folder cannot be read.
pub fn check_run(run: &Path, keys: &[VerifyKey]) -> Result<RunCheck, GatewayError> {
    let failed = |source| GatewayError::File { path: run.display().to_string(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(run).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
        if names.len() > RUN_LOGS_MAX + FILES_BESIDE {
            let why = format!("{}: holds more than {RUN_LOGS_MAX} names", run.display());
            return Err(GatewayError::Replay(why));
        }
    }
    names.sort_unstable();
    let mut findings = Vec::new();
    let mut logs = Vec::new();
    while run_log(run, logs.len() + 1).is_dir() && logs.len() < RUN_LOGS_MAX {
        logs.push(run_log(run, logs.len() + 1));
    }
    for name in &names {
        let is_log = logs.iter().any(|log| log.file_name().is_some_and(|n| n == name.as_str()));
        if !is_log && ![CHECKPOINT_FILE, VKEY_FILE].contains(&name.as_str()) {
            let expected = format!("logs 0001 to {:04} and the run's checkpoint", logs.len());
            findings.push(finding(FindingKind::UnknownFile, name, &expected, "this name"));
        }
    }
    let mut check = RunCheck {
        log_keys: logs.iter().map(|log| key_of(log, keys)).collect(),
        logs,
        checkpoint: None,
        findings,
        not_checked: Vec::new(),
    };
    if names.iter().any(|name| name == CHECKPOINT_FILE) {
        check.signed_root(run, keys);
        return Ok(check);
    }
    // A run's key comes into being with its root.
    if names.iter().any(|name| name == VKEY_FILE) || keys.iter().any(is_runs) {
        check.wrong(FindingKind::FileMissing, "the signed root that the run's key checks", "none");
    } else {
        let what = "whether these are all the logs of the run: there is no signed root over them";
        check.not_checked.push(what.to_owned());
    }
    Ok(check)
}

impl RunCheck {
    fn signed_root(&mut self, run: &Path, keys: &[VerifyKey]) {
        let text = match signed_text(&run.join(CHECKPOINT_FILE)) {
            Ok(text) => text,
            Err(why) => return self.wrong(FindingKind::NotCanonical, "a signed note", &why),
        };
        let signed = match Checkpoint::parse(&text) {
            Ok(signed) => signed,
            Err(error) => {
                return self.wrong(FindingKind::NotCanonical, "a checkpoint", &why(error));
            }
        };
        if let Err(why) = self.check_signature(run, keys, &signed) {
            self.wrong(FindingKind::BadSignature, "a signature by the run's key", &why);
        }
        if signed.size != self.logs.len() as u64 {
            let got = format!("{} logs", self.logs.len());
            self.wrong(FindingKind::Rollback, &format!("{} logs", signed.size), &got);
        }
        let mut heads = Vec::new();
        for log in &self.logs {
            // The log's own verification says what is wrong with it.
            let head = signed_text(&log.join(CHECKPOINT_FILE)).ok();
            heads.extend(head.and_then(|text| Checkpoint::parse(&text).ok()));
        }
        let found = root_of(&heads);
        if found != signed && signed.size == self.logs.len() as u64 {
            let expected = format!("{} over {}", hex(&signed.root), signed.origin);
            let got = format!("{} over {}", hex(&found.root), found.origin);
            self.wrong(FindingKind::Inconsistent, &expected, &got);
        }
        self.checkpoint = Some(signed);
    }

    fn check_signature(
        &mut self,
        run: &Path,
        keys: &[VerifyKey],
        signed: &Checkpoint,
    ) -> Result<(), String> {
        let own;
        let keys = if keys.is_empty() {
            self.not_checked.push(
                "who signed the run: no key was given, so its own log.vkey was used".to_owned(),
            );
            let text = read_bounded(&run.join(VKEY_FILE))?;
            let text = String::from_utf8(text).map_err(why)?;
            let line = text.strip_suffix('\n').ok_or("log.vkey does not end its line")?;
            own = [line.parse::<VerifyKey>().map_err(why)?];
            &own[..]
        } else {
            keys
        };
        if !keys.iter().any(|key| key.name() == signed.origin) {
            return Err(format!("no key is named {}; give the run's own log.vkey", signed.origin));
        }
        let note = read_bounded(&run.join(CHECKPOINT_FILE))?;
        let note = Note::parse(&note).map_err(why)?;
        note.check_all(keys).map_err(why)
    }

    fn wrong(&mut self, kind: FindingKind, expected: &str, got: &str) {
        self.findings.push(finding(kind, CHECKPOINT_FILE, expected, got));
    }
}

/// The run's checkpoint over those of its logs.
fn root_of(heads: &[Checkpoint]) -> Checkpoint {
    let mut tree = CompactRange::new();
    let mut origins = Sha256::new_with_prefix(ORIGIN_DOMAIN);
    for head in heads {
        let leaf = [LEAF_DOMAIN, head.encode().as_bytes()].concat();
        tree.append(&leaf);
        origins.update(head.origin.as_bytes());
        origins.update(b"\n");
    }
    let origins: [u8; 32] = origins.finalize().into();
    let origin = format!("{ORIGIN_PREFIX}{}", hex(&origins[..8]));
    Checkpoint { origin, size: heads.len() as u64, root: tree.root() }
}

/// The key to check a log with: the one that is named after it, else a run's under the log's name.
///
/// A log that the holder of that key has not signed under this name does not verify by it; that it
/// is of this run is for the run's root to say.
fn key_of(log: &Path, keys: &[VerifyKey]) -> Option<VerifyKey> {
    let head = signed_text(&log.join(CHECKPOINT_FILE)).ok();
    let origin = head.and_then(|text| Checkpoint::parse(&text).ok()).map(|head| head.origin);
    let named = |origin: &str| keys.iter().find(|key| key.name() == origin).cloned();
    let runs = |origin: &str| keys.iter().find(|key| is_runs(key))?.renamed(origin).ok();
    let origin = origin.as_deref().filter(|origin| !origin.starts_with(ORIGIN_PREFIX));
    origin
        .and_then(|origin| named(origin).or_else(|| runs(origin)))
        .or_else(|| keys.first().cloned())
}

fn is_runs(key: &VerifyKey) -> bool {
    key.name().starts_with(ORIGIN_PREFIX)
}

fn finding(kind: FindingKind, file: &str, expected: &str, got: &str) -> Finding {
    Finding {
        kind,
        file: file.to_owned(),
        offset: None,
        index: None,
        index_end: None,
        expected: expected.to_owned(),
        got: got.to_owned(),
        proved_by: "the run's checkpoint and those of its logs".to_owned(),
    }
}

fn signed_text(path: &Path) -> Result<String, String> {
    Note::parse(&read_bounded(path)?).map(|note| note.text).map_err(why)
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(why)?;
    let mut bytes = Vec::new();
    file.take(NOTE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(why)?;
    Ok(bytes)
}

fn broken(path: &Path, why: &str) -> GatewayError {
    GatewayError::Replay(format!("{}: {why}", path.display()))
}

fn why(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Before a log's checkpoint in a leaf of a run's tree.
const LEAF_DOMAIN: &[u8] = b"cwts/replay-run-leaf/v1\0";
/// Before the logs' origins in the name of a run.
const ORIGIN_DOMAIN: &[u8] = b"cwts/replay-run-origin/v1\0";
/// Before the digest of the logs' origins in the name of a run.
const ORIGIN_PREFIX: &str = "cwts.local/replay-run/";
/// Names that a run's folder holds beside its logs, and a few more to be named as unknown.
const FILES_BESIDE: usize = 64;

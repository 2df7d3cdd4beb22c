//! A witness in files, and the log's side of one: what is sent, and where the answer is kept.
//!
//! No socket here: the facade carries bytes. A witness's key file is one line,
//! `PRIVATE+KEY+name+id+base64(04 || seed)`, in the form that Go's sumdb/note gives signing keys.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cwts_audit::line_key::{LineKey as _, WitnessSigner};
use cwts_audit::note::{NOTE_BYTES_MAX, NoteError};
use cwts_audit::storage::replace_file;
use cwts_audit::witness::{
    AddCheckpoint, STATE_BYTES_MAX, StateError, WITNESSED_FILE, Witness, cosignature, witnessed,
};
use cwts_audit::{
    Checkpoint, FsStorage, Note, NoteKey, Published, PublishedError, Storage as _, VKEY_FILE,
    VerifyKey,
};
use zeroize::Zeroizing;

use crate::keys::random_32;
use crate::{GatewayError, hex};

/// A witness whose state is a file. One process at a time has it.
#[derive(Debug)]
pub struct WitnessFiles {
    served: Mutex<Served>,
    /// Held for its lock alone.
    _lock: File,
}

#[derive(Debug)]
struct Served {
    witness: Witness,
    path: PathBuf,
    /// The first error of the disk: from there on nothing is cosigned.
    failed: Option<String>,
}

/// An answer over HTTP: status, type of the body, body.
pub type Answer = (u16, &'static str, String);

impl WitnessFiles {
    /// Makes a witness's key and its empty state; gives its public key.
    ///
    /// # Errors
    /// A file is there already, or cannot be written; the name is no name of a key.
    pub fn create(name: &str, key: &Path, state: &Path) -> Result<NoteKey, GatewayError> {
        let seed = random_32()?;
        let signer = WitnessSigner::from_seed(name, &seed)?;
        let vkey = NoteKey::Witness(signer.verify_key().clone());
        let empty = Witness::new(signer, Vec::new()).map_err(|error| state_error(state, &error))?;
        let text = Zeroizing::new(signing_text(name, &seed)?);
        write_new(state, empty.state().as_bytes(), 0o644)?;
        write_new(key, text.as_bytes(), 0o600)?;
        Ok(vkey)
    }

    /// Opens a witness of these logs; nothing is made that is not there: a witness that lost its
    /// state would cosign a second history.
    ///
    /// # Errors
    /// A file is missing, torn or changed, or another process serves this state.
    pub fn open(key: &Path, state: &Path, logs: Vec<VerifyKey>) -> Result<Self, GatewayError> {
        let signer = read_signer(key)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(with_ending(state, ".lock"))
            .map_err(|e| file_error(state, e))?;
        lock_now(&lock, state, "another process serves this witness")?;
        let bytes = read_bounded(state, STATE_BYTES_MAX)?;
        let witness =
            Witness::restore(signer, logs, &bytes).map_err(|error| state_error(state, &error))?;
        let served = Served { witness, path: state.to_owned(), failed: None };
        Ok(Self { served: Mutex::new(served), _lock: lock })
    }

    /// The public key.
    pub fn verify_key(&self) -> NoteKey {
        self.served().witness.verify_key()
    }

    /// Answers `add-checkpoint`. What is cosigned is on disk when this returns, and two requests
    /// are judged one after the other.
    pub fn add_checkpoint(&self, body: &[u8], unix_seconds: u64) -> Answer {
        let mut served = self.served();
        if let Some(why) = &served.failed {
            return (500, PLAIN, format!("the witness has stopped: {why}\n"));
        }
        let cosigned = match served.witness.judge(body, unix_seconds) {
            Ok(cosigned) => cosigned,
            Err(refusal) => return (refusal.status(), refusal.content_type(), refusal.body()),
        };
        let state = served.witness.state_with(&cosigned);
        if let Err(error) = replace(&served.path, state.as_bytes()) {
            // Not tried again: after a failed sync a second one may succeed falsely.
            let why = error.to_string();
            let answer = format!("the witness has stopped: {why}\n");
            served.failed = Some(why);
            return (500, PLAIN, answer);
        }
        let line = cosigned.line();
        served.witness.keep(cosigned);
        (200, PLAIN, line)
    }

    /// The newest cosigned checkpoint of the log whose origin has this SHA-256.
    pub fn newest(&self, origin_sha256: &str) -> Option<String> {
        self.served().witness.newest(origin_sha256)
    }

    fn served(&self) -> MutexGuard<'_, Served> {
        // A panic elsewhere leaves it as it was: it changes in one statement.
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of `add-checkpoint` for a checkpoint of this log and a witness that has seen `old`
/// entries of it; empty if it has seen more than the checkpoint signs. The log may have gone on.
///
/// # Errors
/// The checkpoint is none, is not covered, or the tiles do not prove it.
pub fn submission(log: &Published<'_>, note: &Note, old: u64) -> Result<String, PublishedError> {
    let checkpoint = Checkpoint::parse(&note.text)?;
    if old > checkpoint.size {
        return Ok(String::new());
    }
    let proof = log.consistency(old, checkpoint.size)?;
    Ok(AddCheckpoint { old, proof, note: note.clone(), checkpoint }.encode())
}

/// The size that this witness last cosigned by `checkpoint.witnessed`; 0 if that is not known.
pub fn cosigned_size(dir: &Path, key: &NoteKey) -> u64 {
    let Some((note, checkpoint)) = read_witnessed(dir) else { return 0 };
    note.check(std::slice::from_ref(key)).map_or(0, |_| checkpoint.size)
}

/// Verifies what witnesses answered to a checkpoint, and puts the lines that hold beside it in
/// `checkpoint.witnessed`. Gives for each answer why it does not count, if it does not.
///
/// # Errors
/// The checkpoint is none, or the file cannot be written.
pub fn keep_cosignatures(
    dir: &Path,
    note: &[u8],
    answers: &[(NoteKey, Vec<u8>)],
) -> Result<Vec<Option<NoteError>>, GatewayError> {
    let note = Note::parse(note)?;
    let checkpoint = Checkpoint::parse(&note.text)?;
    let mut lines = Vec::new();
    let mut refused = Vec::new();
    for (key, answer) in answers {
        match cosignature(&note, answer, key) {
            Ok(line) => {
                lines.push(line);
                refused.push(None);
            }
            Err(error) => refused.push(Some(error)),
        }
    }
    if lines.is_empty() {
        return Ok(refused);
    }
    // The log's own lock is its writer's. Its key's file is always there, and never written.
    let vkey = dir.join(VKEY_FILE);
    let lock = File::open(&vkey).map_err(|e| file_error(&vkey, e))?;
    lock_now(&lock, &dir.join(WITNESSED_FILE), "another process writes it; try again")?;
    let older = read_witnessed(dir);
    if older.as_ref().is_none_or(|(_, older)| older.size <= checkpoint.size) {
        let both = witnessed(&note, lines, older.as_ref().map(|(note, _)| note));
        replace_file(&mut FsStorage::open(dir)?, WITNESSED_FILE, both.encode().as_bytes())?;
    }
    Ok(refused)
}

fn read_witnessed(dir: &Path) -> Option<(Note, Checkpoint)> {
    let bytes = FsStorage::open(dir).ok()?.read_all(WITNESSED_FILE, NOTE_BYTES_MAX).ok()??;
    let note = Note::parse(&bytes).ok()?;
    let checkpoint = Checkpoint::parse(&note.text).ok()?;
    Some((note, checkpoint))
}

fn signing_text(name: &str, seed: &[u8; 32]) -> Result<String, GatewayError> {
    let signer = WitnessSigner::from_seed(name, seed)?;
    let id = hex(&signer.verify_key().id());
    let seed = Zeroizing::new([&[COSIGNATURE], &seed[..]].concat());
    Ok(format!("{PRIVATE}{name}+{id}+{}\n", cwts_audit::note::base64(&seed)))
}

fn read_signer(path: &Path) -> Result<WitnessSigner, GatewayError> {
    let bytes = Zeroizing::new(read_bounded(path, KEY_BYTES_MAX)?);
    let wrong =
        |why: &str| GatewayError::Key { path: path.display().to_string(), why: why.to_owned() };
    let text = str::from_utf8(&bytes).map_err(|_| wrong("is not text"))?;
    let line = text.strip_prefix(PRIVATE).ok_or(wrong("is no signing key of a witness"))?;
    let mut parts = line.trim_end().splitn(3, '+');
    let (Some(name), Some(_), Some(body)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(wrong("is not of the form PRIVATE+KEY+name+id+base64"));
    };
    let typed = Zeroizing::new(
        cwts_audit::note::parse_base64(body).ok_or(wrong("does not end with base64"))?,
    );
    let seed = typed.strip_prefix(&[COSIGNATURE]).and_then(|seed| seed.try_into().ok());
    let seed: Zeroizing<[u8; 32]> =
        Zeroizing::new(seed.ok_or(wrong("is of another type, or not of 32 bytes"))?);
    if *signing_text(name, &seed)? != *text {
        return Err(wrong("has an id that does not belong to this name and key"));
    }
    Ok(WitnessSigner::from_seed(name, &seed)?)
}

fn lock_now(file: &File, path: &Path, why: &str) -> Result<(), GatewayError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(file_error(path, io::Error::other(why.to_owned()))),
        Err(TryLockError::Error(error)) => Err(file_error(path, error)),
    }
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), GatewayError> {
    let failed = |error| file_error(path, error);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let name = path.file_name().ok_or_else(|| failed(io::Error::other("is no file's name")))?;
    let mut storage = FsStorage::open(folder.unwrap_or(Path::new(".")))?;
    Ok(replace_file(&mut storage, &name.to_string_lossy(), bytes)?)
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), GatewayError> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = opened.and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|e| file_error(path, e))
}

fn read_bounded(path: &Path, bytes_max: usize) -> Result<Vec<u8>, GatewayError> {
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(bytes_max as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|e| file_error(path, e))?;
    if bytes.len() > bytes_max {
        return Err(file_error(path, io::Error::other("is longer than its bound")));
    }
    Ok(bytes)
}

fn state_error(path: &Path, error: &StateError) -> GatewayError {
    file_error(path, io::Error::other(error.to_string()))
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(ending);
    PathBuf::from(name)
}

fn file_error(path: &Path, source: io::Error) -> GatewayError {
    GatewayError::File { path: path.display().to_string(), source }
}

const PLAIN: &str = "text/plain; charset=utf-8";
/// How a signing key's text starts: Go's sumdb/note.
const PRIVATE: &str = "PRIVATE+KEY+";
/// C2SP tlog-cosignature: the type of a witness's Ed25519 key.
const COSIGNATURE: u8 = 4;
/// A name of a few hundred bytes fits.
const KEY_BYTES_MAX: usize = 1_024;

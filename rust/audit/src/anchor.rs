//! The newest checkpoint a second time, where the log is not: on another disk or another host.
//!
//! Source: design note "audit", section 4, "Open, recovery, rollback". A log that was set back to
//! an older state of itself is sound in all of its files; only what is kept elsewhere tells. And of
//! two copies that go on from one state, one finds that the other has moved the anchor.
//!
//! Invariant: what the anchor keeps is durable in the log before it is put there, and is put there
//! before `checkpoint` moves. A crash leaves the anchor at most one checkpoint ahead of
//! `checkpoint`, and never ahead of the frames.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::LogError;
use crate::note::{Checkpoint, NOTE_BYTES_MAX, VerifyKey};
use crate::signed::signed_head;
use crate::storage::{Storage, StorageError, TEMPORARY};
use crate::writer::Writer;

/// A place outside the log that keeps its newest checkpoint.
pub trait Anchor: fmt::Debug + Send {
    /// Where it is, to say so.
    fn place(&self) -> String;
    /// What it keeps; `None` if nothing yet. A swap that goes on is seen before or after.
    fn read(&self) -> Result<Option<Vec<u8>>, StorageError>;
    /// Gives what it keeps to `next`, with every other swap locked out, and durably keeps what
    /// `next` gives instead. An error of `next` changes nothing.
    ///
    /// # Errors
    /// `InUse` while another swap goes on: there is a second writer.
    fn swap(&mut self, next: &mut Next<'_>) -> Result<(), LogError>;
}

/// What an anchor keeps next, by what it keeps now.
pub type Next<'n> = dyn FnMut(Option<Vec<u8>>) -> Result<Vec<u8>, LogError> + 'n;

/// An anchor in a file. It is replaced by renaming, under the lock of a file beside it.
#[derive(Debug)]
pub struct FsAnchor {
    path: PathBuf,
}

impl FsAnchor {
    /// The file at this path; it need not be there yet, its folder must.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(ending);
        PathBuf::from(name)
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.beside(TEMPORARY);
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, &self.path)?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    fn error(&self, what: &'static str) -> impl Fn(io::Error) -> StorageError {
        let name = self.place();
        move |source| StorageError::Io { what, name: name.clone(), source }
    }
}

impl Anchor for FsAnchor {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn read(&self) -> Result<Option<Vec<u8>>, StorageError> {
        let mut bytes = Vec::new();
        let read = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // A byte more than a note may have: its parser refuses it then.
            opened => {
                opened.and_then(|file| file.take(NOTE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes))
            }
        };
        read.map_err(self.error("read"))?;
        Ok(Some(bytes))
    }

    fn swap(&mut self, next: &mut Next<'_>) -> Result<(), LogError> {
        let locked = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.beside(LOCK))
            .map_err(self.error("lock"))?;
        // Not waited for: whoever holds it is a second writer, and may hold it for ever.
        match flock(&locked, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(LogError::InUse),
            Err(error) => return Err(self.error("lock")(error.into()).into()),
        }
        let bytes = next(self.read()?)?;
        Ok(self.replace(&bytes).map_err(self.error("replace"))?)
    }
}

/// An anchor in memory, for tests and simulations. Clones share what it keeps.
#[derive(Clone, Debug, Default)]
pub struct MemAnchor(Arc<Mutex<Option<Vec<u8>>>>);

impl MemAnchor {
    /// An anchor that keeps these bytes.
    pub fn keeping(bytes: Option<Vec<u8>>) -> Self {
        Self(Arc::new(Mutex::new(bytes)))
    }

    /// What it keeps.
    pub fn kept(&self) -> Option<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Anchor for MemAnchor {
    fn place(&self) -> String {
        "memory".to_owned()
    }

    fn read(&self) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.kept())
    }

    fn swap(&mut self, next: &mut Next<'_>) -> Result<(), LogError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(next(kept.clone())?);
        drop(kept);
        Ok(())
    }
}

/// An anchor, and what this writer knows to be in it.
#[derive(Debug)]
pub(crate) struct Anchored {
    anchor: Box<dyn Anchor>,
    last: Option<Vec<u8>>,
}

impl Anchored {
    /// The anchor of a log that is about to be made: it must keep nothing.
    pub(crate) fn of_new(anchor: Box<dyn Anchor>) -> Result<Self, LogError> {
        if anchor.read()?.is_none() {
            return Ok(Self { anchor, last: None });
        }
        let place = anchor.place();
        let what = format!("the anchor `{place}` keeps a checkpoint, and there is no log here");
        Err(LogError::Rollback { what })
    }

    /// Reads the anchor of a log that is opened. Only a log whose creation was cut short, and which
    /// has no checkpoint, may have nothing in its anchor.
    pub(crate) fn read(
        anchor: Box<dyn Anchor>,
        key: &VerifyKey,
        is_born: bool,
    ) -> Result<(Self, Option<Checkpoint>), LogError> {
        let place = anchor.place();
        let refused = |why: &str| LogError::Anchor { what: format!("`{place}` {why}") };
        let Some(bytes) = anchor.read()? else {
            if is_born {
                return Err(refused(
                    "is not there. Is its disk mounted? If this log never had an anchor, give it \
                     one: cwts log checkpoint DIR > ANCHOR",
                ));
            }
            return Ok((Self { anchor, last: None }, None));
        };
        let head = signed_head(&bytes, key, key.name())
            .map_err(|why| refused(&format!("keeps no checkpoint of this log: {why}")))?;
        Ok((Self { anchor, last: Some(bytes) }, Some(head)))
    }

    /// Puts what `sign` gives into the anchor, if it still keeps what this writer knows.
    fn swap(&mut self, mut sign: impl FnMut() -> Result<String, LogError>) -> Result<(), LogError> {
        let Self { anchor, last } = self;
        let place = anchor.place();
        let moved = |what: &str| LogError::Anchor {
            what: format!(
                "`{place}` {what}: another copy of this log is written. Nothing is signed"
            ),
        };
        let mut put = Vec::new();
        let swapped = anchor.swap(&mut |found| {
            if found != *last {
                return Err(moved("does not keep what this writer put there"));
            }
            put = sign()?.into_bytes();
            Ok(put.clone())
        });
        match swapped {
            Err(LogError::InUse) => return Err(moved("is being moved")),
            other => other?,
        }
        *last = Some(put);
        Ok(())
    }
}

impl<S: Storage> Writer<S> {
    /// Signs the checkpoint of the durable size. Where there is an anchor, it has it first.
    pub(crate) fn sign_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<String, LogError> {
        let text = checkpoint.encode();
        let mut note = String::new();
        let mut sign = || {
            note = self.signing.sign(&text)?.encode();
            Ok(note.clone())
        };
        match &mut self.anchor {
            Some(anchor) => anchor.swap(sign)?,
            None => drop(sign()?),
        }
        Ok(note)
    }
}

/// How the name of the file ends whose lock a swap holds.
const LOCK: &str = ".lock";

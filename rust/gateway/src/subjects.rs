//! Subjects: whom a log's codes stand for, in texts that their own keys seal.
//!
//! Source: design note "audit", section 10. Orders, limits and requests name accounts and people by
//! codes; nobody's identity decides anything, so no fold reads it and a replay needs no key. A key
//! lies in the key folder, one file a subject, made at the first text. The log holds the texts as
//! SEALED entries: they are hashed and proved like any other, with the key and without.

use std::fmt;
use std::str::FromStr;

use cwts_audit::sealed::{
    SEALED_TEXT_BYTES_MAX, SealedAt, SubjectKey, create_subject_key, destroy_subject_key,
    read_subject_key,
};
use cwts_audit::{FsStorage, StorageError};
use cwts_types::{Body, Entry, RegisterKind, Sealed, SealedKind};
use zeroize::Zeroizing;

use crate::GatewayError;
use crate::gateway::Gateway;
use crate::keys::{KeyStore, make_private, random_32};
use crate::secret_file::sync_folder;

/// Somebody or something that a log knows by a code: `account:ACME-77`, `person:c-17`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// What the code is registered as.
    pub kind: RegisterKind,
    /// The code.
    pub code: String,
}

impl FromStr for Subject {
    type Err = GatewayError;

    fn from_str(text: &str) -> Result<Self, GatewayError> {
        let known = |word: &str| KINDS.into_iter().find(|kind| kind.noun() == word);
        let parsed = text.split_once(':').and_then(|(word, code)| Some((known(word)?, code)));
        match parsed.filter(|(_, code)| !code.trim().is_empty()) {
            Some((kind, code)) => Ok(Self { kind, code: code.to_owned() }),
            None => {
                let words: Vec<&str> = KINDS.iter().map(|kind| kind.noun()).collect();
                let why = format!(
                    "subject {text:?}: is KIND:CODE as in account:ACME-77; kinds: {}",
                    words.join(", ")
                );
                Err(GatewayError::Record(why))
            }
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.noun(), self.code)
    }
}

impl Gateway {
    /// Appends a text about a subject, sealed under the subject's key, and gives its index. It is
    /// not durable yet. A person's code that is new is registered; another must be in the limits.
    ///
    /// # Errors
    /// The log does not know the code, its key was destroyed, the text is too long, or there is no
    /// log, or it has no room or failed.
    pub fn seal(
        &mut self,
        what: SealedKind,
        subject: &Subject,
        text: &str,
        actor: &str,
    ) -> Result<u64, GatewayError> {
        self.attend()?;
        if text.trim().is_empty() || text.contains('\0') {
            return Err(GatewayError::Record("text: is empty, or holds a NUL".to_owned()));
        }
        if text.len() > SEALED_TEXT_BYTES_MAX {
            let (bytes, max) = (text.len(), SEALED_TEXT_BYTES_MAX);
            return Err(GatewayError::EntryTooLong { field: "text", bytes, max });
        }
        let now = self.clock.now();
        if subject.kind == RegisterKind::Actor {
            self.responsible(&subject.code, now)?;
        }
        let Some(handle) = self.engine.registry().handle(subject.kind, &subject.code) else {
            let why = format!("{subject}: the log knows no such code; is it in the limits?");
            return Err(GatewayError::Permission(why));
        };
        let named = (subject.kind as u8, handle);
        let refuse = |e: cwts_audit::cases::CaseError| GatewayError::Permission(e.to_string());
        self.cases.check_sealed(subject.kind, handle).map_err(refuse)?;
        let actor = self.responsible(actor, now)?;
        let Some(keys) = &self.keys else {
            return Err(GatewayError::Record("log: there is none to write to".to_owned()));
        };
        let key = keys.made_subject_key(self.log_id, named)?;
        let (log_id, index) = (self.log_id, self.next_index());
        let at = SealedAt { log_id, index, subject: named, what };
        let Some(sealed) = key.seal(&at, text) else {
            return Err(GatewayError::Record("text: cannot be sealed".to_owned()));
        };
        let body = Body::Sealed(Sealed { kind: subject.kind, what, subject: handle, sealed });
        self.append_record(body, actor, now)
    }

    /// Destroys the keys of all whom the log says shredded: a crash may have come between.
    pub(crate) fn destroy_shredded(&self) -> Result<(), GatewayError> {
        self.cases.shredded().try_for_each(|(kind, handle, _)| self.destroy_key((kind, handle)))
    }

    pub(crate) fn destroy_key(&self, subject: (u8, u32)) -> Result<(), GatewayError> {
        match &self.keys {
            Some(keys) => keys.destroy_subject_key(self.log_id, subject).map(|_| ()),
            None => Ok(()),
        }
    }
}

impl KeyStore {
    /// A subject's key in a log, if it is there.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn subject_key(
        &self,
        log_id: [u8; 8],
        subject: (u8, u32),
    ) -> Result<Option<SubjectKey>, GatewayError> {
        match self.subject_folder(log_id)? {
            Some(folder) => {
                let name = file_name(subject);
                read_subject_key(&folder, &name).map_err(|e| self.wrong(log_id, &name, e))
            }
            None => Ok(None),
        }
    }

    fn made_subject_key(
        &self,
        log_id: [u8; 8],
        subject: (u8, u32),
    ) -> Result<SubjectKey, GatewayError> {
        if let Some(key) = self.subject_key(log_id, subject)? {
            return Ok(key);
        }
        let path = self.folder(log_id).join(SUBJECT_FOLDER);
        make_private(&path)?;
        sync_folder(&self.folder(log_id))?;
        let (name, secret) = (file_name(subject), random_32()?);
        let made = FsStorage::private(&path)
            .and_then(|mut folder| create_subject_key(&mut folder, &name, &secret));
        made.map_err(|error| self.wrong(log_id, &name, error))?;
        Ok(SubjectKey::new(secret))
    }

    /// Destroys a subject's key; gives whether it was there.
    ///
    /// # Errors
    /// The folder cannot be written: the key may still be there.
    pub fn destroy_subject_key(
        &self,
        log_id: [u8; 8],
        subject: (u8, u32),
    ) -> Result<bool, GatewayError> {
        let Some(mut folder) = self.subject_folder(log_id)? else { return Ok(false) };
        let name = file_name(subject);
        destroy_subject_key(&mut folder, &name).map_err(|error| self.wrong(log_id, &name, error))
    }

    fn subject_folder(&self, log_id: [u8; 8]) -> Result<Option<FsStorage>, GatewayError> {
        let path = self.folder(log_id).join(SUBJECT_FOLDER);
        if !path.exists() {
            return Ok(None);
        }
        FsStorage::private(&path).map(Some).map_err(|error| self.wrong(log_id, "", error))
    }

    fn wrong(&self, log_id: [u8; 8], name: &str, error: StorageError) -> GatewayError {
        let path = self.folder(log_id).join(SUBJECT_FOLDER).join(name);
        GatewayError::Key { path: path.display().to_string(), why: error.to_string() }
    }
}

/// What an entry's sealed text says, if it has one and its key is there.
pub fn sealed_text(
    keys: &KeyStore,
    log_id: [u8; 8],
    index: u64,
    entry: &[u8],
) -> Option<Zeroizing<String>> {
    let Ok(Entry { body: Body::Sealed(sealed), .. }) = Entry::decode(entry) else { return None };
    let at = SealedAt::of(log_id, index, &sealed);
    keys.subject_key(log_id, at.subject).ok()??.open(&at, &sealed.sealed)
}

fn file_name((kind, handle): (u8, u32)) -> String {
    format!("{kind}-{handle}.key")
}

/// What can have an identity of its own.
const KINDS: [RegisterKind; 5] = [
    RegisterKind::Account,
    RegisterKind::Customer,
    RegisterKind::Desk,
    RegisterKind::Strategy,
    RegisterKind::Actor,
];
const SUBJECT_FOLDER: &str = "subject";

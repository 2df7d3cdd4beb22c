//! Texts under a subject's key, and the end of such a key.
//!
//! Source: RFC 8452 (AES-256-GCM-SIV); design note "audit", section 10. The nonce is the entry's
//! index, so the same input gives the same bytes. An index comes back when a crash lost the entry
//! that had it: then this cipher tells whether two texts are equal, and nothing else, where plain
//! GCM would give the key stream away. Log, subject and kind of text are authenticated: a text
//! opens in the one entry that it was written for.

use std::fmt;

use aes_gcm_siv::aead::{Aead as _, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Key, KeyInit as _, Nonce};
use cwts_types::{Sealed, SealedKind};
use zeroize::Zeroizing;

use crate::storage::{Storage, StorageError};

/// The key of one subject's texts in one log.
pub struct SubjectKey(Zeroizing<[u8; SUBJECT_KEY_BYTES]>);

/// The entry that a text stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedAt {
    /// Id of the log.
    pub log_id: [u8; 8],
    /// Index of the entry.
    pub index: u64,
    /// Code of the subject's kind, and its handle.
    pub subject: (u8, u32),
    /// What the text is.
    pub what: SealedKind,
}

impl SealedAt {
    /// Where this entry of a log stands.
    pub fn of(log_id: [u8; 8], index: u64, sealed: &Sealed) -> Self {
        Self { log_id, index, subject: (sealed.kind as u8, sealed.subject), what: sealed.what }
    }

    fn nonce(&self) -> Nonce {
        let mut nonce = Nonce::default();
        nonce[..8].copy_from_slice(&self.index.to_le_bytes());
        nonce
    }

    fn aad(&self) -> Vec<u8> {
        let (kind, subject) = self.subject;
        let code = [kind, self.what as u8];
        [SEALED_DOMAIN, &self.log_id, &code, &subject.to_le_bytes()].concat()
    }
}

impl SubjectKey {
    /// The key with these bytes, which are as random as a key is.
    pub fn new(secret: Zeroizing<[u8; SUBJECT_KEY_BYTES]>) -> Self {
        Self(secret)
    }

    /// Seals a text, padded so that only its length in steps of 64 bytes shows.
    ///
    /// `None` if it is longer than [`SEALED_TEXT_BYTES_MAX`] or holds a NUL.
    pub fn seal(&self, at: &SealedAt, text: &str) -> Option<Vec<u8>> {
        if text.len() > SEALED_TEXT_BYTES_MAX || text.contains('\0') {
            return None;
        }
        let mut padded = Zeroizing::new(vec![0; text.len().max(1).next_multiple_of(STEP_BYTES)]);
        padded[..text.len()].copy_from_slice(text.as_bytes());
        let aad = at.aad();
        self.cipher().encrypt(&at.nonce(), Payload { msg: &padded, aad: &aad }).ok()
    }

    /// The text, if it was sealed by this key for this entry.
    pub fn open(&self, at: &SealedAt, sealed: &[u8]) -> Option<Zeroizing<String>> {
        let aad = at.aad();
        let opened = self.cipher().decrypt(&at.nonce(), Payload { msg: sealed, aad: &aad });
        let padded = Zeroizing::new(opened.ok()?);
        let text = str::from_utf8(&padded).ok()?;
        Some(Zeroizing::new(text.trim_end_matches('\0').to_owned()))
    }

    fn cipher(&self) -> Aes256GcmSiv {
        Aes256GcmSiv::new(&Key::<Aes256GcmSiv>::from(*self.0))
    }
}

impl fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubjectKey").finish_non_exhaustive()
    }
}

/// Makes a subject's key file, durable on return: whoever sees a text of it can have the key.
///
/// # Errors
/// The folder cannot be written.
pub fn create_subject_key(
    folder: &mut dyn Storage,
    name: &str,
    secret: &Zeroizing<[u8; SUBJECT_KEY_BYTES]>,
) -> Result<(), StorageError> {
    crate::storage::replace_file(folder, name, &**secret)
}

/// A subject's key, if its file is there. A file that was overwritten and not removed yet is none.
///
/// # Errors
/// The file cannot be read, or is no key.
pub fn read_subject_key(
    folder: &dyn Storage,
    name: &str,
) -> Result<Option<SubjectKey>, StorageError> {
    let mut secret = Zeroizing::new([0; SUBJECT_KEY_BYTES]);
    match folder.read_at(name, 0, &mut *secret) {
        Err(StorageError::Missing { .. }) => Ok(None),
        Ok(SUBJECT_KEY_BYTES) if *secret != [0; SUBJECT_KEY_BYTES] => Ok(Some(SubjectKey(secret))),
        Ok(_) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Destroys a subject's key: overwritten where it lies, then removed, each step durable before the
/// next. Gives whether a file was there. A crash in it is made good by doing it again.
///
/// # Errors
/// The folder cannot be written: the key may still be there.
pub fn destroy_subject_key(folder: &mut dyn Storage, name: &str) -> Result<bool, StorageError> {
    // In place: `create` would give its blocks back unwritten.
    match folder.write_at(name, 0, &[0; SUBJECT_KEY_BYTES]) {
        Err(StorageError::Missing { .. }) => return Ok(false),
        other => other?,
    }
    folder.sync_data(name)?;
    folder.unlink(name)?;
    folder.sync_dir(name.rsplit_once('/').map_or("", |(directory, _)| directory))?;
    Ok(true)
}

/// Bytes of a subject's key.
pub const SUBJECT_KEY_BYTES: usize = 32;
/// The longest text that is sealed.
pub const SEALED_TEXT_BYTES_MAX: usize = 32_768;
/// Lengths are told in these steps.
const STEP_BYTES: usize = 64;
const SEALED_DOMAIN: &[u8] = b"cwts/sealed/v1\0";

#[cfg(test)]
mod tests;

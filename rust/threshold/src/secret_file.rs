//! A share, or a ceremony's seed, as a file that nobody reads without the key or passphrase.
//!
//! `CWTSSHR1` or `CWTSSEED` | version u16 | kdf u8 | 0 | chain 32 | epoch u64 | index u16 | t u16 |
//! n u16 | 0 u16 | output digest 32 | salt 16 | nonce 12 | ciphertext 32 | tag 16. AES-256-GCM,
//! with all before the ciphertext as associated data. A seed's file has the ceremony's number for
//! an epoch, and zeros from index to output digest.
//!
//! Source: RFC 9106, the second recommended parameters of Argon2id, which version 1 implies.
//! Functions over bytes: who writes the file does so under another name, syncs, and renames.

use aes_gcm::aead::AeadInOut as _;
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce, Tag};
use argon2::{Algorithm, Argon2, Params, Version};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::ceremony::Output;
use crate::error::Error;
use crate::secret::{Seed, Share};

/// Bytes of a file.
pub const SECRET_FILE_BYTES: usize = HEADER_BYTES + 32 + TAG_BYTES;
/// Bytes of the longest passphrase.
pub const PASSPHRASE_BYTES_MAX: usize = 1_024;

const HEADER_BYTES: usize = FIELDS_BYTES + SALT_BYTES + NONCE_BYTES;
const FIELDS_BYTES: usize = 8 + 2 + 1 + 1 + 32 + 8 + 2 + 2 + 2 + 2 + 32;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

const SHARE_MAGIC: [u8; 8] = *b"CWTSSHR1";
const SEED_MAGIC: [u8; 8] = *b"CWTSSEED";
const VERSION: u16 = 1;
const FILE_DOMAIN: &[u8] = b"cwts/secret-file/v1";

/// Argon2id: 64 MiB, three passes, four lanes.
const MEMORY_KIB: u32 = 64 << 10;
const PASSES: u32 = 3;
const LANES: u32 = 4;

/// What a file is locked with.
#[derive(Clone, Copy)]
pub enum Lock<'k> {
    /// 32 bytes out of a key store.
    Key(&'k [u8; 32]),
    /// What somebody types.
    Passphrase(&'k [u8]),
}

impl Lock<'_> {
    fn kdf(self) -> u8 {
        match self {
            Self::Key(_) => 0,
            Self::Passphrase(_) => 1,
        }
    }

    fn cipher(self, magic: [u8; 8], salt: &[u8; SALT_BYTES]) -> Result<Aes256Gcm, FileError> {
        let mut stretched = Zeroizing::new([0; 32]);
        match self {
            Self::Key(key) => stretched.copy_from_slice(key),
            Self::Passphrase(phrase) => {
                if phrase.is_empty() || phrase.len() > PASSPHRASE_BYTES_MAX {
                    return Err(FileError::Passphrase { got: phrase.len() });
                }
                let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(32));
                let params = params.expect("the parameters are RFC 9106's");
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                    .hash_password_into(phrase, salt, &mut *stretched)
                    .expect("salt and length are within Argon2's bounds");
            }
        }
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(Some(salt), &*stretched)
            .expand_multi_info(&[FILE_DOMAIN, &magic], &mut *key)
            .expect("32 bytes are within HKDF's bound");
        Ok(Aes256Gcm::new((&*key).into()))
    }
}

/// Why a file is not opened, or not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Which of the two is not told.
    #[error("wrong passphrase or key, or no undamaged file of this kind")]
    Unreadable,
    /// A passphrase of a length that none has.
    #[error("a passphrase of {got} bytes: 1 to {PASSPHRASE_BYTES_MAX} are needed")]
    Passphrase {
        /// Its length.
        got: usize,
    },
    /// Of another log.
    #[error("of another chain")]
    WrongChain,
    /// A share of another output than this one.
    #[error("the share is of another ceremony's output")]
    WrongOutput,
    /// A seed of another ceremony.
    #[error("the seed is of ceremony {got}, not {want}")]
    WrongNumber {
        /// The number in the file.
        got: u64,
        /// The one asked for.
        want: u64,
    },
    /// A share of another epoch, or one that is not on the polynomial.
    #[error(transparent)]
    Share(#[from] Error),
}

impl FileError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable => "FILE_UNREADABLE",
            Self::Passphrase { .. } => "FILE_PASSPHRASE",
            Self::WrongChain => "FILE_CHAIN",
            Self::WrongOutput => "FILE_OUTPUT",
            Self::WrongNumber { .. } => "FILE_NUMBER",
            Self::Share(error) => error.code(),
        }
    }
}

/// What a share's file says beside the share; public.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareFile {
    /// The log's chain id.
    pub chain: [u8; 32],
    /// The epoch in which the share signs.
    pub epoch: u64,
    /// The member, from 1.
    pub index: u16,
    /// How many sign.
    pub t: u16,
    /// The members.
    pub n: u16,
    /// The digest of the ceremony's output.
    pub output: [u8; 32],
}

impl ShareFile {
    /// What the file of a share of this output says.
    pub fn of(output: &Output, share: &Share) -> Self {
        let committee = output.sharing().committee();
        Self {
            chain: output.chain(),
            epoch: share.epoch(),
            index: share.index(),
            t: committee.t(),
            n: committee.n(),
            output: output.digest(),
        }
    }

    /// The file of a share; `salt` and `nonce` are drawn for it.
    ///
    /// # Errors
    /// [`FileError::Share`] for a share of another index or epoch; [`FileError::Passphrase`].
    pub fn seal(
        &self,
        share: &Share,
        lock: Lock<'_>,
        salt: &[u8; 16],
        nonce: &[u8; 12],
    ) -> Result<Vec<u8>, FileError> {
        if share.epoch() != self.epoch {
            let (got, want) = (share.epoch(), self.epoch);
            return Err(Error::WrongEpoch { got, want }.into());
        }
        if share.index() != self.index {
            return Err(Error::ShareMismatch { index: share.index() }.into());
        }
        seal(SHARE_MAGIC, self, &share.export(), lock, salt, nonce)
    }

    /// Opens a file.
    ///
    /// # Errors
    /// [`FileError::Unreadable`], whatever is wrong; [`FileError::Passphrase`].
    pub fn open(bytes: &[u8], lock: Lock<'_>) -> Result<(Self, Share), FileError> {
        let (fields, secret) = open(SHARE_MAGIC, bytes, lock)?;
        let share = Share::parse(&*secret, fields.index, fields.epoch);
        Ok((fields, share.map_err(|_| FileError::Unreadable)?))
    }

    /// Refuses a share that is not of this output: another chain, epoch or digest, or a share that
    /// is not on the polynomial.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn check(&self, share: &Share, output: &Output) -> Result<(), FileError> {
        if self.chain != output.chain() {
            return Err(FileError::WrongChain);
        }
        output.sharing().check_share(share)?;
        if *self != Self::of(output, share) {
            return Err(FileError::WrongOutput);
        }
        Ok(())
    }
}

/// Whose seed a file has: kept from before round 0 until the epoch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeedFile {
    /// The log's chain id.
    pub chain: [u8; 32],
    /// The ceremony's number.
    pub number: u64,
}

impl SeedFile {
    fn fields(&self) -> ShareFile {
        let (chain, epoch) = (self.chain, self.number);
        ShareFile { chain, epoch, index: 0, t: 0, n: 0, output: [0; 32] }
    }

    /// The file of a seed; `salt` and `nonce` are drawn for it.
    ///
    /// # Errors
    /// [`FileError::Passphrase`].
    pub fn seal(
        &self,
        seed: &Seed,
        lock: Lock<'_>,
        salt: &[u8; 16],
        nonce: &[u8; 12],
    ) -> Result<Vec<u8>, FileError> {
        seal(SEED_MAGIC, &self.fields(), &seed.0, lock, salt, nonce)
    }

    /// Opens the file of this ceremony's seed.
    ///
    /// # Errors
    /// [`FileError::Unreadable`], [`FileError::Passphrase`]; [`FileError::WrongChain`] and
    /// [`FileError::WrongNumber`] for the seed of another ceremony.
    pub fn open(&self, bytes: &[u8], lock: Lock<'_>) -> Result<Seed, FileError> {
        let (fields, mut secret) = open(SEED_MAGIC, bytes, lock)?;
        if fields.chain != self.chain {
            return Err(FileError::WrongChain);
        }
        if fields.epoch != self.number {
            return Err(FileError::WrongNumber { got: fields.epoch, want: self.number });
        }
        Ok(Seed::take(&mut secret))
    }
}

fn header(magic: [u8; 8], kdf: u8, fields: &ShareFile) -> Vec<u8> {
    let mut out = magic.to_vec();
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[kdf, 0]);
    out.extend_from_slice(&fields.chain);
    out.extend_from_slice(&fields.epoch.to_le_bytes());
    for number in [fields.index, fields.t, fields.n, 0] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&fields.output);
    out
}

fn seal(
    magic: [u8; 8],
    fields: &ShareFile,
    secret: &[u8; 32],
    lock: Lock<'_>,
    salt: &[u8; SALT_BYTES],
    nonce: &[u8; NONCE_BYTES],
) -> Result<Vec<u8>, FileError> {
    let cipher = lock.cipher(magic, salt)?;
    let mut out = header(magic, lock.kdf(), fields);
    out.extend_from_slice(salt);
    out.extend_from_slice(nonce);
    let mut sealed = Zeroizing::new(*secret);
    let tag = cipher
        .encrypt_inout_detached(&Nonce::from(*nonce), &out, (&mut sealed[..]).into())
        .expect("32 bytes are within the cipher's bound");
    out.extend_from_slice(&*sealed);
    out.extend_from_slice(&tag);
    Ok(out)
}

fn open(
    magic: [u8; 8],
    bytes: &[u8],
    lock: Lock<'_>,
) -> Result<(ShareFile, Zeroizing<[u8; 32]>), FileError> {
    if bytes.len() != SECRET_FILE_BYTES {
        return Err(FileError::Unreadable);
    }
    let (header_bytes, sealed) = bytes.split_at(HEADER_BYTES);
    let u16_at = |at: usize| u16::from_le_bytes(array(&header_bytes[at..]));
    let fields = ShareFile {
        chain: array(&header_bytes[12..]),
        epoch: u64::from_le_bytes(array(&header_bytes[44..])),
        index: u16_at(52),
        t: u16_at(54),
        n: u16_at(56),
        output: array(&header_bytes[60..]),
    };
    // What is not spelled as `seal` does is refused, the reserved fields with it.
    if header_bytes[..FIELDS_BYTES] != header(magic, lock.kdf(), &fields) {
        return Err(FileError::Unreadable);
    }
    let cipher = lock.cipher(magic, &array(&header_bytes[FIELDS_BYTES..]))?;
    let nonce: [u8; NONCE_BYTES] = array(&header_bytes[FIELDS_BYTES + SALT_BYTES..]);
    let mut secret = Zeroizing::new(array(sealed));
    let tag: [u8; TAG_BYTES] = array(&sealed[32..]);
    cipher
        .decrypt_inout_detached(
            &Nonce::from(nonce),
            header_bytes,
            (&mut secret[..]).into(),
            &Tag::from(tag),
        )
        .map_err(|_| FileError::Unreadable)?;
    Ok((fields, secret))
}

/// The first N bytes of what is long enough.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[..N]);
    array
}

//! The keys of a log: the chain of frame MAC keys, and the key that signs checkpoints.
//!
//! Source: design note "audit", section 4 (forward-secure MAC after Bellare and Yee, 2003; HKDF is
//! RFC 5869). Invariant: a key of the chain tells nothing of those before it.

use std::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use cwts_types::KeyEpoch;

use crate::error::LogError;
use crate::key_file::KeyFile;
use crate::merkle::Hash;
use crate::note::{NoteError, SigningKey};
use crate::storage::Storage;

/// The secret at one epoch, from which that epoch's MAC key and the next secret follow.
///
/// The secret has one place in memory, which is erased: whoever moves a chain leaves no copy.
#[derive(Clone)]
pub struct KeyChain {
    epoch: u64,
    secret: Box<Zeroizing<[u8; 32]>>,
}

impl KeyChain {
    /// The chain that starts at `K_0`.
    pub fn new(k0: [u8; 32]) -> Self {
        let k0 = Zeroizing::new(k0);
        Self::resume(0, &k0)
    }

    /// The chain that goes on from the secret of an epoch.
    pub fn resume(epoch: u64, secret: &[u8; 32]) -> Self {
        let mut held = Box::new(Zeroizing::new([0; 32]));
        held.copy_from_slice(secret);
        Self { epoch, secret: held }
    }

    pub(crate) fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    /// The chain of a replay, which anyone can derive: `K_0` is a hash of the log's salt.
    pub fn replay(salt: &[u8; 16]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(REPLAY_DOMAIN);
        hasher.update(salt);
        Self::new(hasher.finalize().into())
    }

    /// Which epoch this is.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// SHA-256 of the secret, as GENESIS holds it for epoch 0.
    pub fn digest(&self) -> Hash {
        Sha256::digest(self.secret.as_slice()).into()
    }

    /// The chain one epoch on; the old secret is erased with the old chain.
    #[must_use]
    pub fn evolved(&self) -> Self {
        let mut secret = Box::new(Zeroizing::new([0; 32]));
        self.expand(EVOLVE_INFO, &mut secret);
        Self { epoch: self.epoch + 1, secret }
    }

    /// This epoch's MAC, keyed and ready.
    pub fn frame_mac(&self) -> FrameMac {
        let mut key = Zeroizing::new([0; 32]);
        self.expand(MAC_INFO, &mut key);
        let keyed = keyed(&key);
        scrub_stack();
        FrameMac { epoch: self.epoch, keyed }
    }

    fn expand(&self, info: &[u8], out: &mut [u8; 32]) {
        self.expand_on_stack(info, out);
        scrub_stack();
    }

    #[inline(never)]
    fn expand_on_stack(&self, info: &[u8], out: &mut [u8; 32]) {
        Hkdf::<Sha256>::from_prk(self.secret.as_slice())
            .expect("32 bytes are a pseudorandom key")
            .expand(info, out)
            .expect("32 bytes are one block of output");
    }
}

impl fmt::Debug for KeyChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyChain").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

#[inline(never)]
fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// Overwrites what the functions called before have left below this one's caller on the stack:
/// HKDF and HMAC keep key material in variables that are not erased.
#[inline(never)]
fn scrub_stack() {
    std::hint::black_box(&mut [0_u8; STACK_BYTES]);
}

/// Far more than HKDF and HMAC over SHA-256 take.
const STACK_BYTES: usize = 16 * 1024;

/// The MAC key of one epoch.
#[derive(Clone)]
pub struct FrameMac {
    epoch: u64,
    keyed: Hmac<Sha256>,
}

impl FrameMac {
    /// Which epoch's.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// HMAC-SHA256 of a frame hash.
    pub fn compute(&self, frame_hash: &Hash) -> Hash {
        self.keyed.clone().chain_update(frame_hash).finalize().into_bytes().into()
    }

    /// Whether this is the MAC of the frame hash, in constant time.
    pub fn verify(&self, frame_hash: &Hash, mac: &Hash) -> bool {
        self.keyed.clone().chain_update(frame_hash).verify_slice(mac).is_ok()
    }

    /// What ends this key's epoch, before entry `size`: the tree and the frame chain up to there,
    /// under the key's MAC. It outlives the frames.
    pub fn seal(&self, size: u64, root: Hash, chain: Hash) -> KeyEpoch {
        let unsealed = KeyEpoch { epoch: self.epoch, size, root, chain, mac: [0; 32] };
        let mac = self.sealing(&unsealed).finalize().into_bytes().into();
        KeyEpoch { mac, ..unsealed }
    }

    /// Whether the seal is by this key, in constant time.
    pub fn verify_seal(&self, seal: &KeyEpoch) -> bool {
        self.sealing(seal).verify_slice(&seal.mac).is_ok()
    }

    fn sealing(&self, seal: &KeyEpoch) -> Hmac<Sha256> {
        self.keyed
            .clone()
            .chain_update(EPOCH_DOMAIN)
            .chain_update(seal.epoch.to_le_bytes())
            .chain_update(seal.size.to_le_bytes())
            .chain_update(seal.root)
            .chain_update(seal.chain)
    }
}

impl fmt::Debug for FrameMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameMac").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

/// What a writer needs: the signing key, named after the log's origin, and the MAC chain.
#[derive(Debug)]
pub struct Keys {
    /// Signs checkpoints; its name is the origin.
    pub signing: SigningKey,
    /// Authenticates frames.
    pub chain: KeyChain,
    /// The chain one epoch before, as long as frames of that epoch may have to be checked.
    pub(crate) previous: Option<KeyChain>,
    /// Where the two lie; `None` for a chain that lives in memory alone.
    pub(crate) file: Option<KeyFile>,
}

impl Keys {
    /// The keys of a log with this origin, whose chain lies in no file: a replay's, or that of
    /// whoever keeps `K_0`.
    pub fn new(origin: &str, ed25519_seed: &[u8; 32], chain: KeyChain) -> Result<Self, NoteError> {
        let signing = SigningKey::from_seed(origin, ed25519_seed)?;
        Ok(Self { signing, chain, previous: None, file: None })
    }

    /// The keys of a log whose chain lies in the file [`EPOCH_KEY_FILE`](crate::EPOCH_KEY_FILE) of
    /// a folder of secrets.
    ///
    /// # Errors
    /// The file is not there, not of its form, or another log's.
    pub fn kept(
        origin: &str,
        ed25519_seed: &[u8; 32],
        log_id: [u8; 8],
        folder: Box<dyn Storage + Send>,
    ) -> Result<Self, LogError> {
        let (file, chain, previous) = KeyFile::open(folder, log_id)?;
        let signing = SigningKey::from_seed(origin, ed25519_seed)?;
        Ok(Self { signing, chain, previous, file: Some(file) })
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        self.signing.verify_key().name()
    }
}

/// HKDF info strings have no NUL at the end; hashed domains have.
const EVOLVE_INFO: &[u8] = b"cwts/log-key-evolve/v1";
const MAC_INFO: &[u8] = b"cwts/log-key-mac/v1";
const EPOCH_DOMAIN: &[u8] = b"cwts/log-epoch/v1\0";
const REPLAY_DOMAIN: &[u8] = b"cwts/replay-mac/v1\0";

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        use std::fmt::Write as _;
        bytes.iter().fold(String::new(), |mut out, b| {
            write!(out, "{b:02x}").unwrap();
            out
        })
    }

    #[test]
    fn the_chain_gives_the_published_vector() {
        let mut k0 = [0; 32];
        (0..32).for_each(|i| k0[i] = i as u8);
        let chain = KeyChain::new(k0);
        assert_eq!(
            hex(chain.evolved().secret.as_slice()),
            "7421b7e91c2a6e7acff6fe6799d9cbc71d2bff616a23d9bfa76e69bfad976b25"
        );
        let mut mac_key = [0; 32];
        chain.expand(MAC_INFO, &mut mac_key);
        assert_eq!(
            hex(&mac_key),
            "b7f2f9fb6f823eb8cd0392ad40e66c78b67295187b8d4cfdce19e7489d8a63c0"
        );
        assert_eq!(chain.evolved().epoch(), 1);
    }

    #[test]
    fn a_mac_is_bound_to_its_frame_and_its_epoch() {
        let chain = KeyChain::replay(&[7; 16]);
        let mac = chain.frame_mac();
        let tag = mac.compute(&[1; 32]);
        assert!(mac.verify(&[1; 32], &tag));
        assert!(!mac.verify(&[2; 32], &tag));
        assert!(!chain.evolved().frame_mac().verify(&[1; 32], &tag));
        assert!(!format!("{chain:?}{mac:?}").contains("secret"));
    }

    #[test]
    fn a_seal_is_bound_to_each_of_its_fields_and_to_its_key() {
        let mac = KeyChain::new([7; 32]).evolved().frame_mac();
        let seal = mac.seal(9, [1; 32], [2; 32]);
        assert_eq!((seal.epoch, seal.size), (1, 9));
        assert!(mac.verify_seal(&seal));
        for other in [
            KeyEpoch { epoch: 2, ..seal },
            KeyEpoch { size: 8, ..seal },
            KeyEpoch { root: [3; 32], ..seal },
            KeyEpoch { chain: [3; 32], ..seal },
            KeyEpoch { mac: [3; 32], ..seal },
        ] {
            assert!(!mac.verify_seal(&other), "{other:?}");
        }
        assert!(!KeyChain::new([7; 32]).frame_mac().verify_seal(&seal));
    }
}

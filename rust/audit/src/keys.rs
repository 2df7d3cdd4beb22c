//! The keys of a log: the chain of frame MAC keys, and the key that signs checkpoints.
//!
//! Source: design note "audit", section 4 (forward-secure MAC after Bellare and Yee, 2003; HKDF is
//! RFC 5869). Invariant: a key of the chain tells nothing of those before it.

use std::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::merkle::Hash;
use crate::note::{NoteError, SigningKey};

/// The secret at one epoch, from which that epoch's MAC key and the next secret follow.
#[derive(Clone)]
pub struct KeyChain {
    epoch: u64,
    secret: Zeroizing<[u8; 32]>,
}

impl KeyChain {
    /// The chain that starts at `K_0`.
    pub fn new(k0: [u8; 32]) -> Self {
        Self { epoch: 0, secret: Zeroizing::new(k0) }
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
        Self { epoch: self.epoch + 1, secret: self.expand(EVOLVE_INFO) }
    }

    /// This epoch's MAC, keyed and ready.
    pub fn frame_mac(&self) -> FrameMac {
        let key = self.expand(MAC_INFO);
        let keyed = Hmac::new_from_slice(key.as_slice()).expect("HMAC takes a key of any length");
        FrameMac { epoch: self.epoch, keyed }
    }

    fn expand(&self, info: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut out = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::from_prk(self.secret.as_slice())
            .expect("32 bytes are a pseudorandom key")
            .expand(info, out.as_mut_slice())
            .expect("32 bytes are one block of output");
        out
    }
}

impl fmt::Debug for KeyChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyChain").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

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
}

impl fmt::Debug for FrameMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameMac").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

/// What a writer needs: the signing key, named after the log's origin, and the MAC chain.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Signs checkpoints; its name is the origin.
    pub signing: SigningKey,
    /// Authenticates frames.
    pub chain: KeyChain,
}

impl Keys {
    /// The keys of a log with this origin.
    pub fn new(origin: &str, ed25519_seed: &[u8; 32], chain: KeyChain) -> Result<Self, NoteError> {
        Ok(Self { signing: SigningKey::from_seed(origin, ed25519_seed)?, chain })
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        self.signing.verify_key().name()
    }
}

/// HKDF info strings have no NUL at the end; hashed domains have.
const EVOLVE_INFO: &[u8] = b"cwts/log-key-evolve/v1";
const MAC_INFO: &[u8] = b"cwts/log-key-mac/v1";
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
        assert_eq!(
            hex(chain.expand(MAC_INFO).as_slice()),
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
}

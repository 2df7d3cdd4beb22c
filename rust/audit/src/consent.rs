//! What a person's key signs: a change of limits, the lifting of a hold, an override, a legal hold
//! and its end, or the destruction of a subject's key.
//!
//! Source: design, "Settled": two different listed keys over one digest. A digest binds the log's
//! id, so that nothing said of one log counts in another, and what is unique in the log (the
//! version that a change becomes, a hold and its entry, a blocked order's entry), so that nothing
//! counts twice.

use cwts_types::{Hold, Shred, Signature};
use sha2::{Digest as _, Sha256};

use crate::merkle::Hash;

/// A change of limits, as both of its signatures have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitsConsent<'a> {
    /// Id of the log.
    pub log_id: [u8; 8],
    /// The version that the change becomes.
    pub version: u32,
    /// SHA-256 of the text.
    pub sha256: Hash,
    /// UTC nanoseconds from which on it may come into force; 0 = at once.
    pub effective_ns: u64,
    /// UTC nanoseconds at which what it raises goes back; 0 = never.
    pub expires_ns: u64,
    /// Why.
    pub reason: &'a str,
}

impl LimitsConsent<'_> {
    /// The digest to sign.
    pub fn digest(&self) -> Hash {
        Sha256::new_with_prefix(LIMITS_DOMAIN)
            .chain_update(self.log_id)
            .chain_update(self.version.to_le_bytes())
            .chain_update(self.sha256)
            .chain_update(self.effective_ns.to_le_bytes())
            .chain_update(self.expires_ns.to_le_bytes())
            .chain_update(self.reason)
            .finalize()
            .into()
    }
}

/// The lifting of a hold, as both of its signatures have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResumeConsent<'a> {
    /// Id of the log.
    pub log_id: [u8; 8],
    /// Number of the hold.
    pub hold: u64,
    /// Log index of its KILL.
    pub kill_seq: u64,
    /// Why.
    pub reason: &'a str,
}

impl ResumeConsent<'_> {
    /// The digest to sign.
    pub fn digest(&self) -> Hash {
        Sha256::new_with_prefix(RESUME_DOMAIN)
            .chain_update(self.log_id)
            .chain_update(self.hold.to_le_bytes())
            .chain_update(self.kill_seq.to_le_bytes())
            .chain_update(self.reason)
            .finalize()
            .into()
    }
}

/// The override of a soft block, as both of its signatures have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverrideConsent<'a> {
    /// Id of the log.
    pub log_id: [u8; 8],
    /// The order's id.
    pub order_id: u64,
    /// Log index of the blocked order, which says all else of it.
    pub order_seq: u64,
    /// The controls that it may violate, by their bits.
    pub controls: u64,
    /// UTC nanoseconds from which on it counts no longer.
    pub expires_ns: u64,
    /// Why.
    pub reason: &'a str,
}

impl OverrideConsent<'_> {
    /// The digest to sign.
    pub fn digest(&self) -> Hash {
        Sha256::new_with_prefix(OVERRIDE_DOMAIN)
            .chain_update(self.log_id)
            .chain_update(self.order_id.to_le_bytes())
            .chain_update(self.order_seq.to_le_bytes())
            .chain_update(self.controls.to_le_bytes())
            .chain_update(self.expires_ns.to_le_bytes())
            .chain_update(self.reason)
            .finalize()
            .into()
    }
}

/// The opening of a case, as both of its signatures have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldConsent<'a> {
    /// Id of the log.
    pub log_id: [u8; 8],
    /// What is held; who asked and agreed is not read.
    pub hold: &'a Hold,
}

impl HoldConsent<'_> {
    /// The digest to sign.
    pub fn digest(&self) -> Hash {
        let Hold { case, account, instrument, person, from_ns, to_ns, reason, .. } = self.hold;
        let mut hash = Sha256::new_with_prefix(HOLD_DOMAIN).chain_update(self.log_id);
        for handle in [account, instrument, person] {
            hash.update(handle.to_le_bytes());
        }
        for time in [from_ns, to_ns] {
            hash.update(time.to_le_bytes());
        }
        // Two texts: the length tells where the first one ends.
        hash.update((case.len() as u64).to_le_bytes());
        hash.chain_update(case).chain_update(reason).finalize().into()
    }
}

/// The closing of a case, as both of its signatures have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReleaseConsent<'a> {
    /// Id of the log.
    pub log_id: [u8; 8],
    /// Log index of its HOLD, which says all else of it.
    pub hold_seq: u64,
    /// Why.
    pub reason: &'a str,
}

impl ReleaseConsent<'_> {
    /// The digest to sign.
    pub fn digest(&self) -> Hash {
        Sha256::new_with_prefix(RELEASE_DOMAIN)
            .chain_update(self.log_id)
            .chain_update(self.hold_seq.to_le_bytes())
            .chain_update(self.reason)
            .finalize()
            .into()
    }
}

/// The destruction of a subject's key, as both of its signatures have it. A log has one of each
/// subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShredConsent<'a> {
    /// Id of the log.
    pub log_id: [u8; 8],
    /// Whose; who asked and agreed is not read.
    pub shred: &'a Shred,
}

impl ShredConsent<'_> {
    /// The digest to sign.
    pub fn digest(&self) -> Hash {
        Sha256::new_with_prefix(SHRED_DOMAIN)
            .chain_update(self.log_id)
            .chain_update([self.shred.kind])
            .chain_update(self.shred.subject.to_le_bytes())
            .chain_update(&self.shred.reason)
            .finalize()
            .into()
    }
}

/// Whether the key with this text signed the digest; no if the text is no key.
pub fn signed_by(vkey: &str, digest: &Hash, signature: &Signature) -> bool {
    vkey.parse::<crate::VerifyKey>().is_ok_and(|key| key.verify_digest(digest, signature))
}

/// Domain of a change of limits.
const LIMITS_DOMAIN: &[u8] = b"cwts/limits-change/v1\0";
/// Domain of the lifting of a hold.
const RESUME_DOMAIN: &[u8] = b"cwts/resume/v1\0";
/// Domain of the override of a soft block.
const OVERRIDE_DOMAIN: &[u8] = b"cwts/override/v1\0";
/// Domain of the opening of a case.
const HOLD_DOMAIN: &[u8] = b"cwts/hold/v1\0";
/// Domain of the closing of a case.
const RELEASE_DOMAIN: &[u8] = b"cwts/hold-release/v1\0";
/// Separates a shred from everything else that is hashed.
const SHRED_DOMAIN: &[u8] = b"cwts/shred/v1\0";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SigningKey;

    #[test]
    fn a_signature_counts_for_its_key_and_for_every_field_of_what_was_said() {
        let key = SigningKey::from_seed("anna", &[3; 32]).unwrap();
        let other = SigningKey::from_seed("anna", &[4; 32]).unwrap();
        let said = LimitsConsent {
            log_id: [1; 8],
            version: 2,
            sha256: [5; 32],
            effective_ns: 0,
            expires_ns: 9,
            reason: "why",
        };
        let signature = key.sign_digest(&said.digest());
        let holds = |said: &LimitsConsent<'_>, key: &SigningKey| {
            signed_by(&key.verify_key().to_string(), &said.digest(), &signature)
        };
        assert!(holds(&said, &key));
        assert!(!holds(&said, &other));
        for changed in [
            LimitsConsent { log_id: [2; 8], ..said },
            LimitsConsent { version: 3, ..said },
            LimitsConsent { sha256: [6; 32], ..said },
            LimitsConsent { effective_ns: 1, ..said },
            LimitsConsent { expires_ns: 0, ..said },
            LimitsConsent { reason: "", ..said },
        ] {
            assert!(!holds(&changed, &key), "{changed:?}");
        }
        assert!(!signed_by("no key", &said.digest(), &signature));
        let resume = ResumeConsent { log_id: [1; 8], hold: 1, kill_seq: 7, reason: "why" };
        for changed in [
            ResumeConsent { log_id: [2; 8], ..resume },
            ResumeConsent { hold: 2, ..resume },
            ResumeConsent { kill_seq: 8, ..resume },
            ResumeConsent { reason: "other", ..resume },
        ] {
            assert_ne!(resume.digest(), changed.digest());
        }
        let passes = OverrideConsent {
            log_id: [1; 8],
            order_id: 1,
            order_seq: 7,
            controls: 16,
            expires_ns: 9,
            reason: "why",
        };
        for changed in [
            OverrideConsent { log_id: [2; 8], ..passes },
            OverrideConsent { order_id: 2, ..passes },
            OverrideConsent { order_seq: 8, ..passes },
            OverrideConsent { controls: 48, ..passes },
            OverrideConsent { expires_ns: 10, ..passes },
            OverrideConsent { reason: "other", ..passes },
        ] {
            assert_ne!(passes.digest(), changed.digest());
        }
        let held = Hold {
            case: "c1".to_owned(),
            account: 1,
            instrument: 2,
            person: 3,
            from_ns: 4,
            to_ns: 5,
            actor: String::new(),
            approver: String::new(),
            reason: "why".to_owned(),
            signatures: None,
        };
        let digest = |log_id, hold: &Hold| HoldConsent { log_id, hold }.digest();
        let said = digest([1; 8], &held);
        assert_ne!(said, digest([2; 8], &held));
        for changed in [
            Hold { case: "c1w".to_owned(), reason: "hy".to_owned(), ..held.clone() },
            Hold { account: 0, ..held.clone() },
            Hold { instrument: 0, ..held.clone() },
            Hold { person: 0, ..held.clone() },
            Hold { from_ns: 0, ..held.clone() },
            Hold { to_ns: 6, ..held.clone() },
            Hold { reason: "other".to_owned(), ..held.clone() },
        ] {
            assert_ne!(said, digest([1; 8], &changed), "{changed:?}");
        }
        let gone = Shred {
            kind: 3,
            subject: 7,
            actor: String::new(),
            approver: String::new(),
            reason: "why".to_owned(),
            signatures: None,
        };
        let digest = |log_id, shred: &Shred| ShredConsent { log_id, shred }.digest();
        let said = digest([1; 8], &gone);
        assert_ne!(said, digest([2; 8], &gone));
        for changed in [
            Shred { kind: 7, ..gone.clone() },
            Shred { subject: 8, ..gone.clone() },
            Shred { reason: "other".to_owned(), ..gone.clone() },
        ] {
            assert_ne!(said, digest([1; 8], &changed), "{changed:?}");
        }
        let ended = ReleaseConsent { log_id: [1; 8], hold_seq: 7, reason: "why" };
        for changed in [
            ReleaseConsent { log_id: [2; 8], ..ended },
            ReleaseConsent { hold_seq: 8, ..ended },
            ReleaseConsent { reason: "other", ..ended },
        ] {
            assert_ne!(ended.digest(), changed.digest());
        }
    }
}

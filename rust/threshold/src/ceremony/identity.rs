//! A member's keys for one ceremony, out of a seed that was persisted before.

use cwts_proofs::{Secret, prove_knowledge};
use ed25519_dalek::SigningKey;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::error::CeremonyError;
use super::info::{MemberKeys, enc_context, vote_key};
use crate::secret::Seed;

const ENC_DOMAIN: &[u8] = b"cwts/ceremony-enc-key/v1";
const ABSENT_DOMAIN: &[u8] = b"cwts/ceremony-absent/v1";
const ENC_PROOF_DOMAIN: &[u8] = b"cwts/ceremony-enc-proof/v1";

/// What a member takes part with. The encryption key is derived from the seed, the chain and the
/// ceremony's number: a restarted member has the same one, another ceremony another.
pub struct Identity {
    pub(crate) enc: Secret,
    keys: MemberKeys,
}

impl Identity {
    /// The identity that a seed gives.
    ///
    /// # Errors
    /// [`CeremonyError::Proof`], once in 2^252.
    pub fn derive(
        seed: &Seed,
        key: &SigningKey,
        chain: [u8; 32],
        number: u64,
    ) -> Result<Self, CeremonyError> {
        let derive = |domain: &[u8]| {
            cwts_proofs::Seed::new(&expand(seed, &chain, &[domain, &number.to_le_bytes()]))
        };
        let enc = Secret::generate(&derive(ENC_DOMAIN));
        let vote = key.verifying_key();
        let context = enc_context(chain, number, vote.to_bytes());
        let proof = prove_knowledge(&enc, &context, &derive(ENC_PROOF_DOMAIN))?;
        let keys = MemberKeys { vote, enc: enc.public()?, proof };
        Ok(Self { enc, keys })
    }

    /// The keys that stand for a dealer who did not come: nothing is sent to one who gets no share,
    /// so a key that everybody can make harms nobody, and everybody makes the same.
    ///
    /// # Errors
    /// [`CeremonyError`] for what is no vote key.
    pub fn absent(
        vote: [u8; 32],
        chain: [u8; 32],
        number: u64,
    ) -> Result<MemberKeys, CeremonyError> {
        let vote = vote_key("vote key", &vote)?;
        let seed = Seed::take(&mut vote.to_bytes());
        let derive = |domain: &[u8]| {
            cwts_proofs::Seed::new(&expand(&seed, &chain, &[ABSENT_DOMAIN, domain]))
        };
        let enc = Secret::generate(&derive(ENC_DOMAIN));
        let context = enc_context(chain, number, vote.to_bytes());
        let proof = prove_knowledge(&enc, &context, &derive(ENC_PROOF_DOMAIN))?;
        Ok(MemberKeys { vote, enc: enc.public()?, proof })
    }

    /// The public part, for round 0.
    pub fn keys(&self) -> &MemberKeys {
        &self.keys
    }
}

/// 32 secret bytes out of a seed (RFC 5869).
pub(crate) fn expand(seed: &Seed, salt: &[u8; 32], info: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(salt), &seed.0)
        .expand_multi_info(info, &mut *out)
        .expect("32 bytes are within HKDF's bound");
    out
}

//! What a proof is bound to: take it elsewhere, and it is false.

use sha2::{Digest as _, Sha256};

use crate::ProofError;

/// Bytes of a subject's name.
pub const SUBJECT_BYTES_MAX: usize = 64;

const DOMAIN: &[u8] = b"cwts/proof/v1\0";

/// As what the subject stands in the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// An account.
    Account = 1,
    /// A customer.
    Customer = 2,
    /// A desk.
    Desk = 3,
    /// The firm.
    Firm = 4,
    /// A member of a committee.
    Member = 5,
}

impl Role {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 5] =
        [Self::Account, Self::Customer, Self::Desk, Self::Firm, Self::Member];

    /// Its name, as a context's file has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Customer => "customer",
            Self::Desk => "desk",
            Self::Firm => "firm",
            Self::Member => "member",
        }
    }

    /// The role of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// Where, when, about whom and for whom a proof is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    chain: [u8; 32],
    epoch: u64,
    role: Role,
    subject: String,
    as_of_seq: u64,
    nonce: [u8; 32],
}

impl Context {
    /// The log's chain id, the committee's epoch, who it is about and as what, the entry as of
    /// which it holds, and 32 bytes that the verifier drew, so that no old proof answers.
    pub fn new(
        chain: [u8; 32],
        epoch: u64,
        role: Role,
        subject: &str,
        as_of_seq: u64,
        nonce: [u8; 32],
    ) -> Result<Self, ProofError> {
        let is_sound = (1..=SUBJECT_BYTES_MAX).contains(&subject.len())
            && !subject.chars().any(char::is_control);
        if !is_sound {
            return Err(ProofError::Field { field: "subject" });
        }
        Ok(Self { chain, epoch, role, subject: subject.to_owned(), as_of_seq, nonce })
    }

    /// Its fields in their order, each with the label that merlin gets.
    pub(crate) fn fields(&self) -> [(&'static [u8], Vec<u8>); 6] {
        [
            (b"chain", self.chain.to_vec()),
            (b"epoch", self.epoch.to_le_bytes().to_vec()),
            (b"role", vec![self.role as u8]),
            (b"subject", self.subject.as_bytes().to_vec()),
            (b"as_of_seq", self.as_of_seq.to_le_bytes().to_vec()),
            (b"nonce", self.nonce.to_vec()),
        ]
    }

    /// SHA-256 over the domain and the fields; the one field without a fixed length has its length
    /// before it.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix(DOMAIN);
        for (label, value) in self.fields() {
            if label == b"subject" {
                hash.update([value.len() as u8]);
            }
            hash.update(value);
        }
        hash.finalize().into()
    }
}

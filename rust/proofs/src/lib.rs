//! Zero-knowledge proofs: what somebody may know about a secret number without knowing it.
//!
//! [`sigma`] proves knowledge of a logarithm, and that two logarithms are one (Schnorr 1991,
//! Chaum and Pedersen 1992; draft-irtf-cfrg-sigma-protocols over draft-irtf-cfrg-fiat-shamir).
//! [`range`] proves that a committed number lies below another (Bünz et al., Bulletproofs, 2018).
//! Both are over ristretto255 (RFC 9496), each in its library's version of the group: points cross
//! between them as 32 bytes and in no other way. Every proof is bound to a [`Context`].
//!
//! No randomness is drawn here: a [`Seed`] comes in, and is mixed with the secret and with all that
//! is proven, so that a seed used twice costs linkability and not the secret.
#![forbid(unsafe_code)]

mod context;
mod equal;
mod error;
mod point;
mod proof;
pub mod range;
mod seed;
pub mod sigma;

pub use context::{Context, Role, SUBJECT_BYTES_MAX};
pub use equal::{prove_equal, verify_equal};
pub use error::ProofError;
pub use point::Point;
pub use proof::{Kind, PROOF_BYTES_MAX, Proof};
pub use range::{
    DESKS_MAX, Limit, OPENING_BYTES, OpenedLimit, Opening, prove_desks_sum_below,
    prove_exposure_below, verify_desks_sum_below, verify_exposure_below,
};
pub use seed::Seed;
pub use sigma::{Secret, prove_dleq, prove_knowledge, shared_point, verify_dleq, verify_knowledge};

#[cfg(test)]
mod tests;

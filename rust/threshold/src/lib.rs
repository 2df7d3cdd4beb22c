//! Threshold BLS signatures over BLS12-381: one 48-byte signature that t of n members made
//! together, checked with one 96-byte key.
//!
//! Source: draft-irtf-cfrg-bls-signature-05 (suites, proof of possession); RFC 9380 (hashing to
//! the curve); Boldyreva 2003 (threshold BLS); design note "threshold".
//! Invariant: no public function takes a point that was not checked to be on the curve, in the
//! subgroup and not the identity; a [`Partial`] is the one exception, and its type says so.
//! Secrets are multiplied in constant time; what is in [`vartime`] sees public values only.
#![forbid(unsafe_code)]

mod batch;
pub mod ceremony;
mod committee;
mod error;
mod lagrange;
pub mod min_pk;
mod point;
pub mod polynomial;
mod possession;
mod recover;
mod scalar;
mod schnorr;
mod secret;
mod secret_file;
mod sharing;
mod sign;
mod vartime;

pub use batch::{BATCH_MAX, BatchSecret, verify_batch};
pub use committee::{Committee, MEMBERS_MAX};
pub use error::{EncodingFault, Error};
pub use lagrange::{Coefficients, Row};
pub use point::{G1_BYTES, G2_BYTES, PublicKey, Signature};
pub use possession::{
    SHARE_PROOF_BYTES, ShareProof, prove_partial, prove_share, verify_partial_proof, verify_share,
};
pub use recover::{Partial, Recovered, combine_unverified, forge_partial, recover};
pub use scalar::{SCALAR_BYTES, Scalar};
pub use secret::{SecretKey, Seed, Share};
pub use secret_file::{
    FileError, Lock, PASSPHRASE_BYTES_MAX, SECRET_FILE_BYTES, SeedFile, ShareFile,
};
pub use sharing::{Dealing, Sharing, deal};
pub use sign::{
    POP_DST, Proof, Registry, SIGNATURE_DST, aggregate, fast_aggregate_verify, partial_sign,
    pop_prove, pop_verify, sign, verify, verify_with_dst,
};

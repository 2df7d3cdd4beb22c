//! The key ceremony: a key that nobody ever held, shares that are renewed or moved to others.
//!
//! Source: joint Feldman (Pedersen 1991), resharing after Desmedt and Jajodia 1997, over a list in
//! which everybody sees the same messages in the same order; design note "threshold", section 5.
//! Every step is a function of the list and of a seed that was persisted before: no clock, no
//! random source, no I/O. A dealer that speaks last can bias the public key, not the secret's
//! safety (Gennaro, Jarecki, Krawczyk, Rabin 1999).
//!
//! Rounds end where the sequencer's [`MessageKind::Close`] stands in the list, never by a clock.
//! The sequencer is trusted with time only: it can hold a ceremony up; if it shows two lists, its
//! two closes convict it, and neither list gets n - f heads and t activations.

mod answer;
mod board;
mod dealing;
mod effect;
mod error;
mod fault;
mod identity;
mod info;
mod machine;
mod message;
mod output;
mod progress;
mod rounds;
mod transcript;
mod wire;

pub use board::{ENTRIES_MAX, LIST_BYTES_MAX, Phase};
pub use effect::{CeremonyRole, Effect, Input, Previous, Status};
pub use error::CeremonyError;
pub use fault::{Cause, Fault, FaultKind, Party, Refusal};
pub use identity::Identity;
pub use info::{CeremonyKind, Info, MEMBER_BYTES, MemberKeys, Terms};
pub use machine::Ceremony;
pub use message::{MESSAGE_BYTES_MAX, MessageKind};
pub use output::Output;
pub use progress::{Cell, Progress};
pub use transcript::{Judgement, verify_transcript};

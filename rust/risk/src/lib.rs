//! Pre-trade controls: a pure fold `step(state, entry) -> decision`.
//!
//! No clock, no randomness, no I/O, and no float in a decision: the same entries give the same
//! bytes on every machine. Source of the rules: SEC Rule 15c3-5 and RTS 6; of the design: note
//! "risk". An order passes through `evaluate` (all violated controls), `violations` (what was
//! observed, for refused ones) and `decide` (reserve, count); execution reports through `exec`.
#![forbid(unsafe_code)]

mod alerts;
mod batch;
mod caps;
mod change;
mod compared;
mod compile;
mod counters;
mod crossing;
mod day;
mod decide;
mod due;
mod engine;
mod evaluate;
mod exec;
mod explain;
mod foreseen;
mod headroom;
mod holding;
mod ids;
mod in_scope;
mod kill;
pub mod limits;
mod market;
mod peaks;
mod pnl;
mod reference;
mod registry;
mod rules;
mod senders;
mod severity;
mod sight;
mod snapshot;
mod tables;
mod usage;
mod violations;
mod window;
mod working;

pub use batch::{AHEAD, Block};
pub use change::{Changes, Proposal, Standing, Temporary};
pub use compared::{COMPARED, Comparison, Of, UNCOMPARED, Unit};
pub use counters::Counters;
pub use decide::Outcome;
pub use engine::{Engine, StepError};
pub use exec::ExecEffect;
pub use explain::{missing_keys, scope_text, value_text, violation_text};
pub use kill::{Hold, RANK_RISK};
pub use peaks::Peaks;
pub use pnl::Trip;
pub use reference::mid;
pub use registry::{Registry, UnknownScope};
pub use severity::{BLOCKED_MAX, OVERRIDE_NS_MAX};
pub use sight::{Compared, Sight};
pub use usage::Usage;

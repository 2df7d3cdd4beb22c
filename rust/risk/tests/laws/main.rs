//! Laws that hold for every stream of entries, whatever the limits.
#![allow(clippy::unwrap_used, reason = "a fixture that fails is a failed test")]

mod batches;
mod bounds;
#[path = "../common/mod.rs"]
mod common;
mod entries;
mod fold;
mod own_trades;
mod peaks;
mod reducing;
mod reservations;
mod sides;
mod sight;
mod windows;

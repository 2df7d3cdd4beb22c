//! The DBN decoder against the format's own crate: its encoder, its decoder, and the public files.
#![allow(clippy::unwrap_used, reason = "a test's own set-up may panic")]

#[path = "../common/mod.rs"]
mod common;

mod books;
mod laws;
mod model;
mod refusals;
mod samples;

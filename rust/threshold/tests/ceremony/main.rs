//! Key ceremonies from end to end: honest ones, faulty members, crashes, sequencers that lie.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod crash;
mod desk;
mod faults;
mod files;
mod honest;
mod info;
mod sequencer;

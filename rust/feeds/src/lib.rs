//! Decoders of market files, and the generator of order flow. No clock, no threads, no I/O.
#![forbid(unsafe_code)]

mod asset;
pub mod book;
#[cfg(feature = "columnar")]
pub mod columnar;
pub mod compress;
pub mod csv;
pub mod csv_rows;
pub mod dbn;
pub mod decimal;
pub mod decoder;
#[cfg(test)]
mod driven;
pub mod error;
pub mod event;
pub mod fix;
pub mod inject;
mod intern;
pub mod itch;
pub mod lobster;
pub mod notice;
pub mod rfc3339;
pub mod sniff;
pub mod source;
pub mod synth;
mod words;

//! Unsafe room 2: vector kernels of the checks that need nothing but the order and its
//! instrument's limits.
//!
//! A block of orders passes through in four steps, each usable alone:
//!
//! - [`has_long_runs`]: whether grouping the block by instrument will pay.
//! - [`Groups`]: the block's entries by instrument, those of one instrument in arrival order.
//! - [`Columns`]: records turned into columns, in that order.
//! - [`Kernel`]: the limits of one instrument against a run of columns, eight rows at a time
//!   (AVX-512), four (AVX2) or one, chosen once, by what the processor has.
//!
//! What the kernels compute is defined by [`columns`]; all paths give the same bits, and are
//! tested against a model in 128-bit integers. [`Divisor`] is the exact division that they share.
//!
//! `unsafe` is a call of a function that needs a processor's feature, or a load or store of whole
//! vectors through a reference to an array of that size; each block has a row in
//! `docs/unsafe.toml`, and `SAFETY.md` beside this crate says what was argued and how.

#![deny(unsafe_code)]

mod block;
pub mod columns;
mod divisor;
mod group;

pub use block::Columns;
pub use columns::{Bounds, Kernel, Limits, Path, PathError, Row, Rows, path, with_path};
pub use divisor::Divisor;
pub use group::{BLOCK_MAX, BlockError, Groups, MEAN_RUN_MIN, Run, has_long_runs};

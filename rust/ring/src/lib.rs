//! Unsafe room 1: memory that two threads or two processes share.
//!
//! - [`spsc`]: a bounded queue with one producer and one consumer, which carries every entry from
//!   the gateway's one writer to the log, and every answer to the producer who asked.
//! - [`mpsc`]: a bounded queue with many producers, which carries their orders to the one writer.
//! - [`Doorbell`]: waiting at either without losing a call.
//! - [`KillPage`]: the page of atomics in the log's directory through which `cwts halt DIR` of
//!   another process stops a running gateway at its next order.
//!
//! This is one of the few rooms that may hold `unsafe`. Every block is one operation under an
//! argument, has a row in `docs/unsafe.toml`, and runs under loom, ThreadSanitizer and
//! AddressSanitizer (`checks/`). `SAFETY.md` beside this crate says what was argued and how.
//!
//! Under `cfg(loom)` only the lock-free protocols are built: loom has no files to map.

#![deny(unsafe_code)]

mod doorbell;
mod kill_cells;
#[cfg(not(loom))]
mod kill_page;
mod mpsc;
mod spsc;
mod sync;

pub use doorbell::Doorbell;
pub use kill_cells::{ACTIVE, HALTED, KillCellError, RAISE_TRIES_MAX, REDUCE_ONLY, SLOTS};
#[cfg(not(loom))]
pub use kill_page::{KillPage, KillPageError, PAGE_SIZE_BYTES, PAGE_VERSION, page_image};
pub use mpsc::{MpscConsumer, MpscProducer, PushError, mpsc};
pub use spsc::{CAPACITY_MAX, CapacityError, Consumer, Full, PopError, Producer, spsc};

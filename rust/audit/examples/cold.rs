//! Packs the entries of a log's directory, cold and warm, and prints one JSON object a line.
//!
//! `cargo run --release -p cwts-audit --example cold -- DIR`
//!
//! An event is an order with its decision. With a second argument the entries are also written
//! there, each behind its length, so that another packer can be asked about the same bytes.

use std::path::PathBuf;
use std::time::Instant;

use cwts_audit::cold::{BLOCK_ENTRIES_MAX, Block};
use cwts_audit::{FsStorage, Published, PublishedError};

#[expect(clippy::print_stdout, reason = "a program that reports its figures")]
fn report(name: &str, value: f64, unit: &str) {
    println!("{{\"area\":\"audit\",\"name\":\"{name}\",\"ours\":{value:.2},\"unit\":\"{unit}\"}}");
}

#[expect(clippy::disallowed_methods, reason = "an example may read a clock")]
fn now() -> Instant {
    Instant::now()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let dir = PathBuf::from(arguments.next().ok_or("the log's directory is missing")?);
    let storage = FsStorage::open(&dir)?;
    let log = Published::read(&storage)?;
    let size = log.checkpoint.size;
    let (mut raw, mut cold, mut warm, mut events) = (0, 0, 0, 0_u64);
    let (mut packing, mut unpacking) = (0.0, 0.0);
    let mut all = Vec::new();
    for first in (0..size).step_by(BLOCK_ENTRIES_MAX as usize) {
        let mut block = Block::new(first);
        let end = size.min(first + BLOCK_ENTRIES_MAX);
        log.entries(first, end, |_, entry| {
            events += u64::from(entry.first() == Some(&0x11));
            block.push(entry).map_err(|_| PublishedError::Root)
        })?;
        let start = now();
        let packed = block.encode();
        packing += start.elapsed().as_secs_f64();
        let start = now();
        let read = Block::decode(&packed)?;
        unpacking += start.elapsed().as_secs_f64();
        if read != block {
            return Err(format!("the block from {first} is not what it was").into());
        }
        raw += block.framed().len();
        cold += packed.len();
        warm += zstd::bulk::compress(block.framed(), 1)?.len();
        all.extend_from_slice(block.framed());
    }
    report("raw an entry", raw as f64 / size as f64, "B");
    report("cold an entry", cold as f64 / size as f64, "B");
    report("cold an event", cold as f64 / events as f64, "B");
    report("warm, zstd 1, an entry", warm as f64 / size as f64, "B");
    report("warm, zstd 1, an event", warm as f64 / events as f64, "B");
    report("packed cold", size as f64 / packing / 1e6, "M entries/s");
    report("unpacked cold", size as f64 / unpacking / 1e6, "M entries/s");
    if let Some(file) = arguments.next() {
        std::fs::write(file, all)?;
    }
    Ok(())
}

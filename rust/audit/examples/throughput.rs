//! Appends hot entries to a log in a directory and prints one JSON object a line.
//!
//! `cargo run --release -p cwts-audit --example throughput -- DIR [ENTRIES]`
//!
//! The directory is made twice: `DIR`, and `DIR-replay` for a log that can be made again.

use std::path::PathBuf;
use std::time::Instant;

use cwts_audit::{
    FsStorage, KeyChain, Keys, MemStorage, Options, Storage, Writer, merkle::CompactRange,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[expect(clippy::print_stdout, reason = "a program that reports its figures")]
fn report(name: &str, value: f64, unit: &str) {
    println!("{{\"area\":\"audit\",\"name\":\"{name}\",\"ours\":{value:.1},\"unit\":\"{unit}\"}}");
}

#[expect(clippy::disallowed_methods, reason = "an example may read a clock")]
fn now() -> Instant {
    Instant::now()
}

fn append<S: Storage>(name: &str, storage: S, entries: u64, options: Options) -> Outcome {
    let keys = Keys::new("cwts.example/bench", &[1; 32], KeyChain::new([2; 32]))?;
    let opening = [[7_u8; 100], [8; 100]];
    let opening: Vec<&[u8]> = opening.iter().map(<[u8; 100]>::as_slice).collect();
    let start = now();
    let mut writer = Writer::create(storage, keys, &opening, 0, options)?;
    report(&format!("{name} create"), start.elapsed().as_secs_f64() * 1e3, "ms");

    let mut entry = [3_u8; 118];
    let start = now();
    for index in 0..entries {
        entry[8..16].copy_from_slice(&index.to_le_bytes());
        writer.push(&entry)?;
        if index % 4096 == 4095 {
            writer.commit(index)?;
        }
    }
    writer.commit(entries)?;
    let rate = entries as f64 / start.elapsed().as_secs_f64() / 1e6;
    report(&format!("{name} append 118 B, 4,096 a commit"), rate, "M/s");
    let start = now();
    writer.checkpoint()?;
    report(
        &format!("{name} checkpoint after {entries}"),
        start.elapsed().as_secs_f64() * 1e3,
        "ms",
    );
    let start = now();
    writer.close(0, |_, _| vec![9; 80])?;
    report(&format!("{name} close"), start.elapsed().as_secs_f64() * 1e3, "ms");
    Ok(())
}

fn main() -> Outcome {
    let mut arguments = std::env::args_os().skip(1);
    let directory =
        PathBuf::from(arguments.next().ok_or("give a directory that is not there yet")?);
    let entries = match arguments.next() {
        Some(count) => count.to_string_lossy().parse()?,
        None => 1_000_000,
    };
    let mut range = CompactRange::new();
    let start = now();
    let entry = [3_u8; 118];
    (0..entries).for_each(|_| {
        range.append(&entry);
    });
    let each = start.elapsed().as_secs_f64() * 1e9 / entries as f64;
    report("leaf and compact range, 118 B", each, "ns");
    let (kept, replay) =
        (Options::default(), Options { sync_tiles: false, bundles: false, ..Options::default() });
    append("memory", MemStorage::new(), entries, kept)?;
    append("disk", FsStorage::create(&directory)?, entries, kept)?;
    let mut beside = directory.into_os_string();
    beside.push("-replay");
    append("disk, replay", FsStorage::create(&PathBuf::from(beside))?, entries, replay)
}

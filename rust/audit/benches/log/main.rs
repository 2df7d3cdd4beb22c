//! The log in Rust, beside another tree, beside hashing alone and beside the disk alone: one JSON
//! object a line.
//!
//! `cargo bench -p cwts-audit --bench log -- DIR [--quick]`. DIR holds `live`, a closed log of a
//! gateway (`cwts bench log` makes it); what is written and synced goes beside it and is removed.
//! Both sides of a comparison run in turn.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

mod lines;
#[path = "../../../gateway/benches/risk/lines/timing.rs"]
#[expect(dead_code, reason = "the other benchmark needs all of it")]
mod timing;

use std::path::Path;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let dir = words.iter().find(|word| !word.starts_with("--"));
    let dir = dir.expect("usage: log DIR [--quick]");
    let size = if words.iter().any(|word| word == "--quick") { lines::QUICK } else { lines::FULL };
    lines::all(Path::new(dir), size, &mut |line| println!("{line}"));
}

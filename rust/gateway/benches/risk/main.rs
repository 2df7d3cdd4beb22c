//! The risk path in Rust, beside OpenPit's crate and beside parts of ours: one JSON object a line.
//!
//! `cargo bench -p cwts-gateway --bench risk -- DIR [--quick] [--only NAME]`. DIR holds what
//! `cwts bench` wrote there (python/cwts/bench/wide.py): `desk.toml`, `common.toml`, `every.toml`
//! and `orders.bin`. Both sides of a comparison run in turn. Where one thread works, times are its
//! CPU time: deaf to other programs.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

mod lines;

use std::path::Path;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [flag, page] = words.as_slice()
        && flag == lines::RAISE
    {
        return lines::raise_when_told(Path::new(page));
    }
    let place = words.iter().position(|word| word == "--only");
    let only = place.and_then(|at| words.get(at + 1)).map(String::as_str);
    let dir = words.iter().find(|word| !word.starts_with("--") && Some(word.as_str()) != only);
    let dir = dir.expect("usage: risk DIR [--quick] [--only NAME]");
    let size = if words.iter().any(|word| word == "--quick") { lines::QUICK } else { lines::FULL };
    let this = std::env::current_exe().unwrap();
    lines::all(Path::new(dir), size, only, Some(&this), &mut |line| println!("{line}"));
}

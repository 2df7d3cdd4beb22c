//! What proofs cost: one JSON object a line, in microseconds of this thread's CPU time.
//!
//! `cargo bench -p cwts-proofs --bench proofs -- [--quick]`.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

mod lines;
#[path = "../../../gateway/benches/risk/lines/timing.rs"]
#[expect(dead_code, reason = "the other benchmark needs all of it")]
mod timing;

fn main() {
    lines::all(std::env::args().any(|word| word == "--quick"), &mut |line| println!("{line}"));
}

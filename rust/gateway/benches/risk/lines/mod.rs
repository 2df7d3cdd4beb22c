//! What the benchmark measures, each as a line; a test runs all of it once, briefly.

mod batch;
mod check;
mod columns;
mod desk;
mod kill;
mod timing;

use std::path::Path;

use serde_json::Value;

pub(crate) use kill::{RAISE, raise_when_told};

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Measured rounds of each side; one more warms up.
    pub(crate) rounds: usize,
    /// Checks of one order in a round.
    pub(crate) checks: usize,
    /// Kills of each kind.
    pub(crate) kills: usize,
}

/// What a figure takes.
pub(crate) const FULL: Size = Size { rounds: 9, checks: 100_000, kills: 300 };
/// That everything runs, and nothing more.
pub(crate) const QUICK: Size = Size { rounds: 2, checks: 1_000, kills: 3 };

/// Runs the benchmarks, or the one of a name, and gives their lines.
///
/// `this` is the program that raises the page from outside; without it nobody does.
pub(crate) fn all(
    dir: &Path,
    size: Size,
    only: Option<&str>,
    this: Option<&Path>,
    say: &mut dyn FnMut(Value),
) {
    let wanted = |name: &str| only.is_none_or(|only| only == name);
    if wanted("native_check") {
        check::native_check(dir, size, say);
    }
    if wanted("columns") {
        columns::columns(size, say);
    }
    if wanted("batch") {
        batch::batch(dir, size, say);
    }
    if wanted("kill") {
        kill::from_a_thread(dir, size, say);
        if let Some(this) = this {
            kill::from_a_process(dir, size, this, say);
        }
    }
}

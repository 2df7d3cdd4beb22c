//! Hostile bytes for every parser, and the laws that must hold of what it says.
//!
//! One table of targets serves two engines: libFuzzer (`fuzz/`), which finds inputs by coverage,
//! and the seeded mutator here, which needs nothing but the library. A target is a name, seeds
//! made by our own encoders, and a check. Neither engine knows a format.
//!
//! Invariant: a case is a function of target, seed and number, and an outcome of the input alone,
//! so that the same campaign has the same digest on every machine and any slicing.

mod entries;
mod feeds;
pub mod kill;
mod mutate;
mod outside;
mod planted;
mod proofs;
mod samples;
mod seeds;
pub mod stress;
mod texts;
mod threshold;
mod venues;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

use cwts_feeds::synth::ChaCha8;
use sha2::{Digest, Sha256};

/// Longest input that the mutator makes. Checks that feed a decoder byte by byte stay fast.
pub const INPUT_BYTES_MAX: usize = 20 << 10;
/// Faults that one [`run`] reports; it stops at the last.
pub const FOUND_MAX: usize = 16;

/// Something that reads foreign bytes.
pub struct Target {
    /// The name on the command line.
    pub name: &'static str,
    /// What is read, in a line.
    pub about: &'static str,
    /// Valid inputs to start from, small, by our own encoders.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Words of the format that chance would not find.
    pub tokens: &'static [&'static [u8]],
    /// Reads the input and checks what must hold of the answer.
    pub check: fn(&[u8]) -> Result<Outcome, String>,
}

/// What a parser said of an input whose laws held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the whole input was taken.
    pub accepted: bool,
    /// The answer in words: what was read, or the error with its place.
    pub said: String,
}

impl Outcome {
    /// The input was taken.
    pub fn accepted(said: impl Into<String>) -> Self {
        Self { accepted: true, said: said.into() }
    }

    /// The input was refused by a typed error.
    pub fn refused(said: impl Into<String>) -> Self {
        Self { accepted: false, said: said.into() }
    }
}

/// A case whose law broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its number.
    pub case: u64,
    /// The law, or the panic and where it was.
    pub what: String,
    /// The input.
    pub input: Vec<u8>,
}

/// What a run of cases gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Cases that ran.
    pub cases: u64,
    /// Of them, inputs that were taken.
    pub accepted: u64,
    /// Bytes of all inputs.
    pub bytes: u64,
    /// Chain over every outcome; the next slice goes on from it.
    pub digest: [u8; 32],
    /// What broke, [`FOUND_MAX`] at most.
    pub found: Vec<Found>,
}

/// Every target, in the order in which they run.
pub static TARGETS: &[Target] = &[
    Target {
        name: "lobster",
        about: "LOBSTER message files",
        seeds: seeds::lobster,
        tokens: seeds::LOBSTER_TOKENS,
        check: feeds::lobster,
    },
    Target {
        name: "csv",
        about: "CWTS CSV",
        seeds: seeds::csv,
        tokens: seeds::CSV_TOKENS,
        check: feeds::csv,
    },
    Target {
        name: "arrow",
        about: "Arrow IPC, file and stream",
        seeds: seeds::arrow,
        tokens: seeds::ARROW_TOKENS,
        check: feeds::arrow,
    },
    Target {
        name: "parquet",
        about: "Parquet",
        seeds: seeds::parquet,
        tokens: seeds::PARQUET_TOKENS,
        check: feeds::parquet,
    },
    Target {
        name: "dbn",
        about: "Databento DBN, schema mbo",
        seeds: venues::dbn,
        tokens: venues::DBN_TOKENS,
        check: feeds::dbn,
    },
    Target {
        name: "itch",
        about: "NASDAQ ITCH 5.0",
        seeds: venues::itch,
        tokens: venues::ITCH_TOKENS,
        check: feeds::itch,
    },
    Target {
        name: "fix",
        about: "FIX logs, lenient and strict",
        seeds: venues::fix,
        tokens: venues::FIX_TOKENS,
        check: feeds::fix,
    },
    Target {
        name: "packed",
        about: "gzip, zstd, xz and zip",
        seeds: seeds::packed,
        tokens: seeds::PACKED_TOKENS,
        check: feeds::packed,
    },
    Target {
        name: "sniff",
        about: "any input, its format unknown",
        seeds: seeds::any_format,
        tokens: seeds::SNIFF_TOKENS,
        check: feeds::sniff,
    },
    Target {
        name: "limits",
        about: "the limits file",
        seeds: texts::limits_seeds,
        tokens: texts::LIMITS_TOKENS,
        check: texts::limits,
    },
    Target {
        name: "decimal",
        about: "decimal numbers and times in text",
        seeds: texts::decimal_seeds,
        tokens: texts::DECIMAL_TOKENS,
        check: texts::decimal,
    },
    Target {
        name: "entry",
        about: "the canonical encoding of a log entry",
        seeds: entries::entry_seeds,
        tokens: &[],
        check: entries::entry,
    },
    Target {
        name: "fold",
        about: "entries in a log: written, opened, verified, folded",
        seeds: entries::fold_seeds,
        tokens: &[],
        check: entries::fold,
    },
    Target {
        name: "frame",
        about: "a frame of the log",
        seeds: entries::frame_seeds,
        tokens: entries::FRAME_TOKENS,
        check: entries::frame,
    },
    Target {
        name: "log",
        about: "a closed log with one file replaced: recovery and verification",
        seeds: entries::log_seeds,
        tokens: entries::FRAME_TOKENS,
        check: entries::log,
    },
    Target {
        name: "receipt",
        about: "receipts: parsed, verified, not forged",
        seeds: outside::receipt_seeds,
        tokens: outside::RECEIPT_TOKENS,
        check: outside::receipt,
    },
    Target {
        name: "block",
        about: "cold blocks of an archive",
        seeds: outside::block_seeds,
        tokens: &[],
        check: outside::block,
    },
    Target {
        name: "tile",
        about: "names of tiles and entry bundles",
        seeds: outside::tile_name_seeds,
        tokens: outside::TILE_NAME_TOKENS,
        check: outside::tile_name,
    },
    Target {
        name: "witness",
        about: "requests to a witness, its answers and its state",
        seeds: outside::witness_seeds,
        tokens: outside::WITNESS_TOKENS,
        check: outside::witness,
    },
    Target {
        name: "proof",
        about: "zero-knowledge proofs and openings",
        seeds: proofs::seeds,
        tokens: proofs::TOKENS,
        check: proofs::check,
    },
    Target {
        name: "threshold",
        about: "keys, signatures, sharings and files of secrets",
        seeds: threshold::seeds,
        tokens: threshold::TOKENS,
        check: threshold::check,
    },
    Target {
        name: "ceremony",
        about: "a ceremony's transcript, information and output",
        seeds: threshold::ceremony_seeds,
        tokens: threshold::TOKENS,
        check: threshold::ceremony,
    },
    Target {
        name: "note",
        about: "signed notes, checkpoints and verification keys",
        seeds: texts::note_seeds,
        tokens: texts::NOTE_TOKENS,
        check: texts::note,
    },
    Target {
        name: "kill",
        about: "kill page, state, scopes and requests",
        seeds: texts::kill_seeds,
        tokens: texts::KILL_TOKENS,
        check: texts::kill,
    },
];

/// The target of this name; `planted` is there too, and in no list: it is broken on purpose.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().chain([&planted::PLANTED]).find(|target| target.name == name)
}

/// The input of a case.
pub fn input(target: &Target, seed: u64, case: u64) -> Vec<u8> {
    mutate::mutated(&mut ChaCha8::new(seed, case), &(target.seeds)(), target.tokens)
}

/// Runs one input; a broken law and a panic are the error.
///
/// Panics of this thread are silent meanwhile: the decoders contain those of the arrow family, and
/// thousands of them are no news.
pub fn check(target: &Target, input: &[u8]) -> Result<Outcome, String> {
    static NOTE_PANICS: Once = Once::new();
    NOTE_PANICS.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(
            move |info| {
                if QUIET.get() { note(info) } else { print(info) }
            },
        ));
    });
    QUIET.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.check)(input)));
    QUIET.set(false);
    outcome.unwrap_or_else(|_| Err(format!("panicked: {}", LAST_PANIC.take())))
}

/// Runs cases `first..first + cases` and goes on with `digest`.
///
/// It knows no time: the caller slices, and looks at the clock between two slices.
pub fn run(target: &Target, seed: u64, first: u64, cases: u64, digest: [u8; 32]) -> Report {
    let seeds = (target.seeds)();
    let mut report = Report { cases: 0, accepted: 0, bytes: 0, digest, found: Vec::new() };
    for case in first..first.saturating_add(cases) {
        let input = mutate::mutated(&mut ChaCha8::new(seed, case), &seeds, target.tokens);
        let outcome = check(target, &input);
        report.cases += 1;
        report.bytes += input.len() as u64;
        let said = match &outcome {
            Ok(outcome) => outcome.said.as_str(),
            Err(what) => what.as_str(),
        };
        report.digest = chained(&report.digest, case, said);
        match outcome {
            Ok(outcome) => report.accepted += u64::from(outcome.accepted),
            Err(what) => report.found.push(Found { case, what, input }),
        }
        if report.found.len() == FOUND_MAX {
            break;
        }
    }
    report
}

fn chained(digest: &[u8; 32], case: u64, said: &str) -> [u8; 32] {
    let hash = Sha256::new_with_prefix(OUTCOME_DOMAIN).chain_update(digest);
    hash.chain_update(case.to_le_bytes()).chain_update(said).finalize().into()
}

/// Keeps text and place of a panic, for whoever catches it.
fn note(info: &PanicHookInfo<'_>) {
    // Only the file's name: the folder differs from machine to machine.
    let place = info.location().map_or_else(String::new, |at| {
        let file = at.file().rsplit(['/', '\\']).next().unwrap_or_default();
        format!("{file}:{}: ", at.line())
    });
    let payload = info.payload();
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no text");
    LAST_PANIC.set(format!("{place}{text}"));
}

thread_local! {
    /// Whether this thread runs a target.
    static QUIET: Cell<bool> = const { Cell::new(false) };
    /// Text and place of its newest panic.
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

const OUTCOME_DOMAIN: &[u8] = b"cwts/torture-outcome/v1\0";

#[cfg(test)]
mod tests;

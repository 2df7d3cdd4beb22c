//! libFuzzer over the torture targets: one program, the target named by `CWTS_FUZZ_TARGET`.
//!
//! The targets and their laws are `cwts_gateway::torture`; here is only what libFuzzer needs.
//! Invariant: while a case runs, the process may hold [`LIVE_BYTES_MAX`] more than before it: a
//! buffer whose size came out of the input ends the run like a crash.
//!
//! With `CWTS_FUZZ_SEEDS=DIR` it writes every target's seeds there, one folder a target, and ends.
#![no_main]

use std::alloc::System;
use std::path::Path;
use std::sync::LazyLock;

use cap::Cap;
use cwts_gateway::torture::{TARGETS, Target, check, target};
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

fuzz_target!(init: prepare(), |bytes: &[u8]| {
    let target = *CHOSEN;
    // A set limit can only fail below what is allocated already.
    let _ = MEMORY.set_limit(MEMORY.allocated() + LIVE_BYTES_MAX);
    let outcome = check(target, bytes);
    let _ = MEMORY.set_limit(usize::MAX);
    if let Err(what) = outcome {
        eprintln!("{}: {what}", target.name);
        std::process::abort();
    }
});

fn prepare() {
    if let Some(folder) = std::env::var_os("CWTS_FUZZ_SEEDS") {
        if let Err(error) = write_seeds(Path::new(&folder)) {
            eprintln!("{}: {error}", Path::new(&folder).display());
            std::process::exit(2);
        }
        std::process::exit(0);
    }
    // What a target makes once (its sample log) is not the first case's.
    let _ = check(*CHOSEN, &[]);
    let _ = (CHOSEN.seeds)();
}

fn write_seeds(folder: &Path) -> std::io::Result<()> {
    for target in TARGETS {
        let own = folder.join(target.name);
        std::fs::create_dir_all(&own)?;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            std::fs::write(own.join(format!("seed-{number}")), seed)?;
        }
        let words: String = target.tokens.iter().map(|token| dictionary_line(token)).collect();
        std::fs::write(folder.join(format!("{}.dict", target.name)), words)?;
        println!("{}", target.name);
    }
    Ok(())
}

/// A token as libFuzzer's dictionary spells it.
fn dictionary_line(token: &[u8]) -> String {
    let bytes: String = token.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    format!("\"{bytes}\"\n")
}

static CHOSEN: LazyLock<&'static Target> = LazyLock::new(|| {
    let name = std::env::var("CWTS_FUZZ_TARGET").unwrap_or_default();
    target(&name).unwrap_or_else(|| {
        eprintln!("CWTS_FUZZ_TARGET: no target {name:?}");
        std::process::exit(2);
    })
});

/// What a case may hold beyond what was there before it.
const LIVE_BYTES_MAX: usize = 16 << 20;

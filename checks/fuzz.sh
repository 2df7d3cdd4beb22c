#!/bin/sh
# libFuzzer over every decoder and parser: no crash, no hang, no broken law, no hostile buffer.
# usage: checks/fuzz.sh [SECONDS A TARGET [TARGET...]]
# FUZZ_SEED: libFuzzer's seed, 1 by default; 0 takes another one each time.
# FUZZ_ASAN=1: with AddressSanitizer, in a target directory of its own. Our rooms hold no unsafe
# code, so only a long campaign is worth its price: it looks into the arrow family.
# FUZZ_TARGET_DIR: where it is built and keeps its corpus; a cold build takes minutes.
# Exit: 0 clean, 1 something was found, 2 it could not be built or started.
set -u
cd "$(dirname "$0")/.."
seconds=${1:-3}
[ $# -eq 0 ] || shift
export RUSTC_BOOTSTRAP=1
flags="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
 -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
# A comparison of a few bytes becomes one of registers after the compares are traced: libFuzzer sees
# a magic only where it stays the call of `bcmp` that it listens to.
flags="$flags -Cllvm-args=-max-loads-per-memcmp=0"
out=${FUZZ_TARGET_DIR:-checks/target-fuzz}
if [ -n "${FUZZ_ASAN:-}" ]; then
    flags="$flags -Zsanitizer=address -Cunsafe-allow-abi-mismatch=sanitizer"
    out=$out-asan
fi
# An explicit target keeps build scripts and macros free of the flags.
host=x86_64-unknown-linux-gnu
RUSTFLAGS=$(echo $flags) CARGO_TARGET_DIR=$out cargo build --quiet --release --target "$host" \
    ${CHECK_LOCKED---locked} --manifest-path fuzz/Cargo.toml || exit 2
program=$out/$host/release/fuzz

seeds=$out/seeds
rm -rf "$seeds"
names=$(CWTS_FUZZ_SEEDS=$seeds "$program") || exit 2
mkdir -p "$out/found"
status=0
for target in ${*:-$names}; do
    # What earlier runs found stays in the corpus: the next run starts where they ended.
    mkdir -p "$out/corpus/$target" "$seeds/$target"
    words=""
    [ ! -s "$seeds/$target.dict" ] || words="-dict=$seeds/$target.dict"
    log=$out/$target.txt
    code=0
    CWTS_FUZZ_TARGET=$target "$program" -max_total_time="$seconds" -seed="${FUZZ_SEED:-1}" \
        -max_len=20480 -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        $words -artifact_prefix="$out/found/$target-" \
        "$out/corpus/$target" "$seeds/$target" >"$log" 2>&1 || code=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    if [ "$code" -eq 0 ]; then
        echo "fuzz $target: ${runs:-0} executions, ok"
        continue
    fi
    input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
    [ -n "$input" ] || { tail -n 20 "$log"; exit 2; }
    status=1
    # The last words before libFuzzer's own: the law that broke, or the panic.
    sed -n '/ERROR: libFuzzer/q; /^#/!p' "$log" | tail -n 3
    echo "fuzz $target: ${runs:-0} executions, FOUND $input"
done
exit "$status"

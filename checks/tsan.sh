#!/bin/sh
# The ring's tests, thread stress included, under ThreadSanitizer.
# usage: checks/tsan.sh [cargo test's filter and options]
set -eu
cd "$(dirname "$0")/.."
# A missing suppressions file makes TSan exit 66, the status of a race: say so ourselves.
[ -r checks/tsan.supp ] || { echo "checks/tsan.supp is missing" >&2; exit 2; }
export TSAN_OPTIONS="suppressions=$PWD/checks/tsan.supp"
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer"
export CARGO_TARGET_DIR=checks/target-tsan
export PROPTEST_CASES="${PROPTEST_CASES:-64}"
# The explicit target keeps build scripts and macros free of the sanitizer.
# CHECK_LOCKED= (empty) lets a work tree whose Cargo.lock is behind run as well.
exec cargo test ${CHECK_LOCKED---locked} -p cwts-ring --lib --target x86_64-unknown-linux-gnu -- "$@"

#!/bin/sh
# The tests of the rooms with unsafe code under AddressSanitizer: every pointer stays inside its
# allocation or map. Of the kernels, the paths that this processor has.
# usage: checks/asan.sh [cargo test's filter and options]
set -eu
cd "$(dirname "$0")/.."
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Zsanitizer=address -Cunsafe-allow-abi-mismatch=sanitizer"
export CARGO_TARGET_DIR=checks/target-asan
export PROPTEST_CASES="${PROPTEST_CASES:-256}"
# CHECK_LOCKED= (empty) lets a work tree whose Cargo.lock is behind run as well.
exec cargo test ${CHECK_LOCKED---locked} -p cwts-ring -p cwts-simd --lib \
    --target x86_64-unknown-linux-gnu -- "$@"

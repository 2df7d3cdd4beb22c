#!/bin/sh
# Every interleaving and reordering of the ring's small cases, up to three preemptions.
# usage: checks/loom.sh [cargo test's filter and options]
set -eu
cd "$(dirname "$0")/.."
export RUSTFLAGS="--cfg loom"
export CARGO_TARGET_DIR="${CHECK_TARGET_DIR:-checks/target-loom}"
export LOOM_MAX_PREEMPTIONS="${LOOM_MAX_PREEMPTIONS:-3}"
exec cargo test --locked --manifest-path checks/loom/Cargo.toml --lib -- "$@"

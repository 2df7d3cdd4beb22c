#!/bin/sh
# Who checks the checkers: each must be red on a planted bug, with the words it is red for. A
# status alone says nothing: a checker that crashed, or did not build, is red too.
set -eu
cd "$(dirname "$0")/.."
out=checks/target-canaries
mkdir -p "$out"
failed=0

# expect NAME WORDS... -- COMMAND...: the command fails, and its output has each of the words.
expect() {
    name=$1
    shift
    : >"$out/words"
    while [ "$1" != -- ]; do
        echo "$1" >>"$out/words"
        shift
    done
    shift
    status=0
    "$@" >"$out/$name.txt" 2>&1 || status=$?
    verdict=caught
    [ "$status" -ne 0 ] || verdict="NOT CAUGHT: the checker was green"
    while read -r words; do
        grep -qF -- "$words" "$out/$name.txt" || verdict="NOT CAUGHT: no \"$words\" (status $status)"
    done <"$out/words"
    echo "canary $name: $verdict"
    [ "$verdict" = caught ] || { failed=1; tail -n 20 "$out/$name.txt"; }
}

# The wrapper plants the bug in our crates only: their dependencies stay built. Each bug has a link
# of its own to it, which says why.
mkdir -p "$out/plants"
wrapper() {
    ln -sf "$PWD/checks/plant.sh" "$out/plants/$PLANTED"
    plant="RUSTC_WORKSPACE_WRAPPER=$PWD/$out/plants/$PLANTED"
}
PLANTED=relaxed_publish
wrapper
expect loom "Causality violation" "three_records_through_two_slots" -- \
    env "$plant" checks/loom.sh three_records_through_two_slots
expect tsan "data race" "rust/ring/src/spsc.rs:" "}::pop" -- \
    env "$plant" checks/tsan.sh two_pairs_of_threads_lose_nothing

PLANTED=relaxed_mpsc_publish
wrapper
expect loom_mpsc "Causality violation" "closed_is_said_after_the_last_of_two_producers" -- \
    env "$plant" checks/loom.sh closed_is_said_after_the_last_of_two_producers
expect tsan_mpsc "data race" "rust/ring/src/mpsc.rs:" "}::take" -- \
    env "$plant" checks/tsan.sh four_threads_lose_nothing

# A comparison with a sign where the kernels need one without: each path that this processor has
# must differ from the model, and under the test's own name.
PLANTED=signed_threshold
wrapper
paths="avx2"
if grep -q avx512dq /proc/cpuinfo; then paths="$paths avx512"; fi
for path in $paths; do
    expect "kernels_$path" "$path: row" "columns::tests::$path::agrees_with_the_model" \
        "test result: FAILED" -- env "$plant" PROPTEST_DISABLE_FAILURE_PERSISTENCE=1 \
        cargo test ${CHECK_LOCKED---locked} -p cwts-simd --lib "columns::tests::$path::"
done

# AddressSanitizer's canary is a program of its own: the ring's own slots are reached through a
# checked index, so no small change of an ordering takes a pointer out of them.
RUSTC_BOOTSTRAP=1 rustc --edition 2024 -Zsanitizer=address -Cunsafe-allow-abi-mismatch=sanitizer \
    --target x86_64-unknown-linux-gnu -o "$out/one_past" checks/canaries/one_past.rs
expect asan "heap-buffer-overflow" "one_past::read_lane" -- "$out/one_past"

# A function of ours that a build for one kind of processor widened: nobody asked before it.
if [ "$(uname -m)" = x86_64 ]; then
    rustc --edition 2024 -O -Ctarget-cpu=x86-64-v3 --emit obj \
        -o "$out/widened.o" checks/canaries/widened.rs
    expect wide "1 stray" "widened::sum" -- checks/wide.sh "$out/widened.o"
fi

# libFuzzer starts from nothing: it must find the planted decoder's magic and then its length. Only
# where it is built (sh checks/fuzz.sh): the mutator's canary is one of the Python tests.
fuzz=${FUZZ_TARGET_DIR:-checks/target-fuzz}
if [ -x "$fuzz/x86_64-unknown-linux-gnu/release/fuzz" ]; then
    rm -rf "$fuzz/corpus/planted"
    expect fuzz "planted: panicked: planted.rs:" "/found/planted-" -- \
        checks/fuzz.sh 60 planted
else
    echo "canary fuzz: libFuzzer's targets are not built here; sh checks/fuzz.sh builds them"
fi

exit "$failed"

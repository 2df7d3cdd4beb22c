#!/bin/sh
# Weakens every ordering of the ring's protocols, one at a time, in a copy: loom must be red for
# each, or the ordering is either not needed or not tested.
# usage: checks/mutants.sh [FILE...]
set -eu
cd "$(dirname "$0")/.."
tree=$PWD/checks/target-mutants/tree
rm -rf "$tree"
mkdir -p "$tree/rust/ring" "$tree/checks"
cp -r rust/ring/src "$tree/rust/ring/src"
cp -r checks/loom checks/loom.sh "$tree/checks/"

# Under the same name cargo would take the copy for the original, and test that.
sed -i 's/cwts-check-loom/cwts-check-mutants/' "$tree/checks/loom/Cargo.toml" "$tree/checks/loom/Cargo.lock"
# The same flags as checks/loom.sh, hence the same built dependencies.
export CHECK_TARGET_DIR="$PWD/checks/target-loom"
"$tree/checks/loom.sh" >checks/target-mutants/none.txt 2>&1 ||
    { echo "without a mutation: red"; tail -n 20 checks/target-mutants/none.txt; exit 1; }

survived=0
for file in ${*:-spsc mpsc doorbell kill_cells}; do
    source=rust/ring/src/$file.rs
    # One mutant a line: line number, the ordering, what it becomes. AcqRel has two halves; of a
    # sequentially consistent fence, AcqRel is what is left when it orders no store before a load.
    grep -nE 'Ordering::(Acquire|Release|AcqRel)|fence\(Ordering::SeqCst\)' "$source" | sed -E \
        -e 's/^([0-9]+):.*Ordering::(Acquire|Release).*/\1 \2 Relaxed/' \
        -e 's/^([0-9]+):.*Ordering::AcqRel.*/\1 AcqRel Acquire\n\1 AcqRel Release/' \
        -e 's/^([0-9]+):.*Ordering::SeqCst.*/\1 SeqCst AcqRel/' \
        >checks/target-mutants/list.txt
    [ -s checks/target-mutants/list.txt ] || { echo "$source: no ordering found"; exit 1; }
    while read -r line from to; do
        sed "${line}s/Ordering::$from/Ordering::$to/" "$source" >"$tree/$source"
        log=checks/target-mutants/$file-$line-$to.txt
        "$tree/checks/loom.sh" "$file::" >"$log" 2>&1 </dev/null || true
        # A call that was lost is a deadlock, which loom ends by an abort.
        if grep -qE '^test result: FAILED|^deadlock; threads = ' "$log"; then
            echo "mutant $file.rs:$line $from -> $to: caught"
        else
            echo "mutant $file.rs:$line $from -> $to: SURVIVED"
            survived=1
        fi
    done <checks/target-mutants/list.txt
    cp "$source" "$tree/$source"
done
exit "$survived"

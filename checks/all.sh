#!/bin/sh
# Every checker and then every canary; prints each stage's seconds, fails if one of them did.
# usage: checks/all.sh [STAGE...]; fuzz is one that must be named, because its build takes minutes
set -u
cd "$(dirname "$0")/.."
failed=""
for stage in ${*:-loom tsan asan wide constant_time canaries mutants}; do
    start=$(date +%s)
    status=0
    "checks/$stage.sh" || status=$?
    echo "== checks/$stage.sh: status $status, $(($(date +%s) - start)) s"
    [ "$status" -eq 0 ] || failed="$failed $stage"
done
[ -z "$failed" ] || { echo "failed:$failed"; exit 1; }

#!/bin/sh
# RUSTC_WORKSPACE_WRAPPER of checks/canaries.sh: builds our crates with the bug that $PLANTED names.
exec "$@" --cfg "planted=\"$PLANTED\""

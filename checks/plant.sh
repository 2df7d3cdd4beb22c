#!/bin/sh
# RUSTC_WORKSPACE_WRAPPER of checks/canaries.sh, which links to it under the name of a bug: builds
# our crates with that bug. Cargo knows a wrapper by its path alone, so a bug that came another way
# would find the last one's build, and test that.
exec "$@" --cfg "planted=\"$(basename "$0")\""

#!/bin/sh
# Whether the time that a secret's work takes tells the secret; the planted fault must be found.
set -eu
cd "$(dirname "$0")/.."
exec cargo run --locked --quiet --release -p cwts-threshold --example constant_time

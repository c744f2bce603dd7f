#!/usr/bin/env bash
# What an operation costs its client, beside pgbench and sysbench: same SQL, same connections, same
# server, in turns; the median of five short rounds. A line a figure: name value unit goal ok|short.
# About four minutes; $ROUNDS and $SECONDS_EACH set how often and how long.
set -euo pipefail

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
export PANTRYD=${PANTRYD:-$ROOT/build/release/pantryd}
for package in sysbench nodejs; do
  command -v "${package%js}" >/dev/null || bash "$ROOT/run" install "$package" >&2
done
# shellcheck source=../support/bench_server.sh
source "$ROOT/tests/support/bench_server.sh"
start_server "${PORT:-17740}" max_connections=200 shared_buffers=256MB fsync=off \
  synchronous_commit=off autovacuum=off
export BENCH_PORT=$port BENCH_WORK=$work

node "$ROOT/tests/bench/load.js"

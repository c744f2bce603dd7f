#!/usr/bin/env bash
# What it costs to be watched, beside Debian's prometheus-postgres-exporter in the same minutes: the
# page, the server's time, memory and processor with 100 and 2,000 tables and thousands of
# statements; 20,000 tables; 200 targets in one process; pgbench with and without the daemon. A line
# a figure: name value unit goal ok|short. About eight minutes; $WINDOW sets the seconds that both
# are looked at.
set -euo pipefail

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
export PANTRYD=${PANTRYD:-$ROOT/build/release/pantryd}
if ! command -v prometheus-postgres-exporter >/dev/null; then
  bash "$ROOT/run" install prometheus-postgres-exporter >&2
fi
# shellcheck source=../support/bench_server.sh
source "$ROOT/tests/support/bench_server.sh"
start_server "${PORT:-17710}" max_connections=1000 max_locks_per_transaction=256 \
  shared_buffers=256MB fsync=off shared_preload_libraries=pg_stat_statements \
  pg_stat_statements.max=6000
export BENCH_PORT=$port BENCH_WORK=$work

node "$ROOT/tests/bench/probes.js"

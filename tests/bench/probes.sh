#!/usr/bin/env bash
# What it costs to be watched, beside Debian's prometheus-postgres-exporter in the same minutes: the
# page, the server's time, memory and processor with 100 and 2,000 tables and thousands of
# statements; 20,000 tables; 200 targets in one process; pgbench with and without the daemon. A line
# a figure: name value unit goal ok|short. About eight minutes; $WINDOW sets the seconds that both are looked at.
set -euo pipefail

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
export PANTRYD=${PANTRYD:-$ROOT/build/release/pantryd}
if ! command -v prometheus-postgres-exporter >/dev/null; then
  bash "$ROOT/run" install prometheus-postgres-exporter >&2
fi
bin=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin | sort -V | tail -n 1)
work=$(mktemp -d "${TMPDIR:-/tmp}/pantryd-bench.XXXXXX")
chmod 755 "$work" # the server runs as another user
as_server=()
if ((EUID == 0)); then
  as_server=(setpriv --reuid=postgres --regid=postgres --clear-groups)
  mkdir "$work/server"
  chown postgres "$work/server"
else
  mkdir "$work/server"
fi

end() {
  "${as_server[@]}" "$bin/pg_ctl" -D "$work/server/data" -m immediate -w stop >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap end EXIT

export BENCH_PORT=${PORT:-17710}
"${as_server[@]}" "$bin/initdb" -D "$work/server/data" --auth=trust --username=owner \
  --locale=C.UTF-8 --no-sync >/dev/null
"${as_server[@]}" "$bin/pg_ctl" -D "$work/server/data" -w -l "$work/server/log" -o "-p $BENCH_PORT \
  -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=1000 \
  -c max_locks_per_transaction=256 -c shared_buffers=256MB -c fsync=off \
  -c shared_preload_libraries=pg_stat_statements -c pg_stat_statements.max=6000" start >/dev/null
export PGHOST=127.0.0.1 PGPORT=$BENCH_PORT PGUSER=owner PGDATABASE=postgres
export BENCH_WORK=$work PATH="$bin:$PATH"

node "$ROOT/tests/bench/probes.js"

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
bin=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin | sort -V | tail -n 1)
work=$(mktemp -d "${TMPDIR:-/tmp}/pantryd-bench.XXXXXX")
chmod 755 "$work" # the server runs as another user
mkdir "$work/server"
as_server=()
if ((EUID == 0)); then
  as_server=(setpriv --reuid=postgres --regid=postgres --clear-groups)
  chown postgres "$work/server"
fi

end() {
  "${as_server[@]}" "$bin/pg_ctl" -D "$work/server/data" -m immediate -w stop >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap end EXIT

export BENCH_PORT=${PORT:-17740}
"${as_server[@]}" "$bin/initdb" -D "$work/server/data" --auth=trust --username=owner \
  --locale=C.UTF-8 --no-sync >/dev/null
"${as_server[@]}" "$bin/pg_ctl" -D "$work/server/data" -w -l "$work/server/log" -o "-p $BENCH_PORT \
  -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=200 \
  -c shared_buffers=256MB -c fsync=off -c synchronous_commit=off -c autovacuum=off" start >/dev/null
export PGHOST=127.0.0.1 PGPORT=$BENCH_PORT PGUSER=owner PGDATABASE=postgres
export BENCH_WORK=$work PATH="$bin:$PATH"

node "$ROOT/tests/bench/load.js"

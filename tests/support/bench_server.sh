# shellcheck shell=bash
# Sourced by the benches that need a bare server of their own. After start_server psql and the
# server's programs are on PATH, the connection is in PG*, the folder is $work, and $port is the
# port. However the bench ends, the server is stopped and the folder removed.

bin=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin | sort -V | tail -n 1)
work=$(mktemp -d "${TMPDIR:-/tmp}/pantryd-bench.XXXXXX")
chmod 755 "$work" # the server runs as another user
mkdir "$work/server"
as_server=()
if ((EUID == 0)); then
  as_server=(setpriv --reuid=postgres --regid=postgres --clear-groups)
  chown postgres "$work/server"
fi

stop_server() {
  "${as_server[@]}" "$bin/pg_ctl" -D "$work/server/data" -m immediate -w stop \
    >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap stop_server EXIT

# start_server PORT SETTING...: without a socket, trusting everybody on this machine.
start_server() {
  port=$1
  shift
  local options="-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=''" each
  for each in "$@"; do options+=" -c $each"; done
  "${as_server[@]}" "$bin/initdb" -D "$work/server/data" --auth=trust --username=owner \
    --locale=C.UTF-8 --no-sync >/dev/null
  "${as_server[@]}" "$bin/pg_ctl" -D "$work/server/data" -w -l "$work/server/log" -o "$options" \
    start >/dev/null
  export PGHOST=127.0.0.1 PGPORT=$port PGUSER=owner PGDATABASE=postgres PATH="$bin:$PATH"
}

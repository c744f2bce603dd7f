# shellcheck shell=bash
# Sourced by the benches that need a sandbox of their own. $pantryd is the binary ($PANTRYD, else
# the release build) and $work a folder. However the bench ends, the sandbox and the folder are
# removed.

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
pantryd=${PANTRYD:-$ROOT/build/release/pantryd}
work=$(mktemp -d "${TMPDIR:-/tmp}/pantryd-bench.XXXXXX")
chmod 755 "$work" # the servers run as another user

remove_sandbox() {
  timeout 60 "$pantryd" sandbox down --dir "$work/sandbox" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap remove_sandbox EXIT

# start_shop PRODUCTS SALES OPTION...: a sandbox with the newest schema and so many rows; its
# connection string is in $dsn. OPTIONs are those of `pantryd sandbox up`.
start_shop() {
  local products=$1 sales=$2
  shift 2
  "$pantryd" sandbox up --dir "$work/sandbox" "$@" >"$work/up.log"
  dsn=$(sed -n 's/^primary=//p' "$work/up.log")
  "$pantryd" migrate up --dsn "$dsn" >/dev/null
  "$pantryd" seed --products "$products" --sales "$sales" --dsn "$dsn" >/dev/null
}

# number FILE KEY: the first value of this key in a result of pantryd, which has a key on each line.
number() {
  sed -nE "/\"$2\": *[0-9.]+/{s/.*\"$2\": *([0-9.]+).*/\1/p;q}" "$1"
}

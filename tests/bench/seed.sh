#!/usr/bin/env bash
# What a dataset costs: COPY in binary as the seed makes it beside text COPY of the same rows, the
# seed that builds its indexes afterwards beside the same rows copied into the indexes, v7 keys
# beside v4, sysbench prepare beside both, and the client's share of the processor. Everything in
# one run on one server, a line a figure: name value unit goal ok|short.
#
# About five minutes on two idle cores. SEED_PRODUCTS and SEED_SALES set the size of the dataset
# (100,000 and 1,000,000; the full size is 1000000 and 10000000, eight minutes for the part whole),
# JOBS the connections, PARTS which of "copy whole peer keys" (all). TMPDIR says where the server
# lives: a disk, or memory.
set -euo pipefail

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
PANTRYD=${PANTRYD:-$ROOT/build/release/pantryd}
PRODUCTS=${SEED_PRODUCTS:-100000} SALES=${SEED_SALES:-1000000} JOBS=${JOBS:-2}
ROUNDS=${ROUNDS:-5} COPY_SALES=${COPY_SALES:-1000000}
PEER_ROWS=${PEER_ROWS:-200000} KEY_SALES=${KEY_SALES:-300000}
PARTS=${PARTS:-copy whole peer keys}
if ! command -v sysbench >/dev/null; then bash "$ROOT/run" install sysbench >&2; fi
# shellcheck source=../support/bench_server.sh
source "$ROOT/tests/support/bench_server.sh"
start_server "${PORT:-17720}" shared_buffers=512MB max_wal_size=8GB autovacuum=off

figure() { printf '%s %s %s %s %s\n' "$1" "$2" "$3" "${4:--}" "${5:-ok}"; }
# judge NAME VALUE UNIT OPERATOR LIMIT
judge() {
  local met=short
  if awk "BEGIN { exit !($2 $4 $5) }"; then met=ok; fi
  figure "$1" "$2" "$3" "$4$5" "$met"
}
calc() { awk "BEGIN { printf \"%.${2:-2}f\", $1 }"; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
# jq is not everywhere.
field() { sed -n "s/^ *\"$1\": *\"\{0,1\}\([^\",]*\).*/\1/p" | sed -n 1p; }
dsn() { echo "postgresql://owner@127.0.0.1:$port/$1"; }
sql() { psql -AtqX -v ON_ERROR_STOP=1 -d "$1" -c "$2"; }
database() {
  psql -qX -c "DROP DATABASE IF EXISTS $1" -c "CREATE DATABASE $1" 2>/dev/null
  [[ $2 == none ]] || "$PANTRYD" migrate up --dsn "$(dsn "$1")" --to "$2" >/dev/null
}

# Seconds of processor of the server: the postmaster, whom it has reaped, and who lives.
server_cpu() {
  local postmaster
  postmaster=$(head -n 1 "$work/server/data/postmaster.pid")
  # shellcheck disable=SC2046  # a word is a path
  cat "/proc/$postmaster/stat" $(pgrep -P "$postmaster" | sed 's|.*|/proc/&/stat|') 2>/dev/null |
    sed 's/.*) //' | awk -v hz="$(getconf CLK_TCK)" -v first=1 '
      { sum += $12 + $13; if (first) { sum += $14 + $15; first = 0 } } END { print sum / hz }'
}

# timed COMMAND...: sets seconds, client (its processor time) and server.
timed() {
  local before
  sql postgres CHECKPOINT
  before=$(server_cpu)
  TIMEFORMAT='%R %U %S'
  { time "$@" >"$work/out" 2>"$work/err"; } 2>"$work/times" || {
    cat "$work/err" >&2
    exit 1
  }
  read -r seconds user system <"$work/times"
  client=$(calc "$user + $system" 3)
  server=$(calc "$(server_cpu) - $before")
}

# --- COPY alone: the six tables without indexes and foreign keys; the text over one connection ----

copy_part() {
  database bare 6
  sql bare "DO \$\$ DECLARE c text; BEGIN
    FOR c IN SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname)
      FROM pg_constraint WHERE contype IN ('f', 'p', 'u') AND connamespace = 'public'::regnamespace
        AND conrelid::regclass::text NOT LIKE 'pantryd.%' ORDER BY contype LOOP EXECUTE c; END LOOP;
    FOR c IN SELECT format('DROP INDEX %s', indexrelid::regclass) FROM pg_index i JOIN pg_class t
      ON t.oid = indrelid WHERE t.relnamespace = 'public'::regnamespace LOOP EXECUTE c; END LOOP;
  END \$\$"
  tables=(users products sales expenses debts debt_payments)
  local seed=0
  rm -f "$work"/copy.*
  for ((round = 0; round < ROUNDS; ++round)); do
    for jobs in "$JOBS" 1; do
      sql postgres CHECKPOINT
      "$PANTRYD" --json seed --dsn "$(dsn bare)" --products 20000 --sales "$COPY_SALES" \
        --jobs "$jobs" --keep-indexes --force --seed $((++seed)) >"$work/out" # never what is there
      rows=$(field rows_copied <"$work/out")
      calc "$rows * 1000 / $(field copy_ms <"$work/out")" 0 >"$work/rate.$jobs"
    done
    copy=''
    for table in "${tables[@]}"; do
      psql -qX -d bare -c "\\copy $table to '$work/$table.txt'"
      copy+="\\copy $table from '$work/$table.txt'"$'\n'
    done
    sql bare 'TRUNCATE users, products, sales, expenses, debts, debt_payments'
    sql postgres CHECKPOINT
    began=$(date +%s.%N)
    psql -qX -v ON_ERROR_STOP=1 -d bare <<<"$copy"
    text=$(calc "$rows / ($(date +%s.%N) - $began)" 0)
    echo "$text" >>"$work/copy.text"
    for jobs in "$JOBS" 1; do
      echo "$(<"$work/rate.$jobs")" >>"$work/copy.$jobs"
      printf '%s\n' "$(calc "$(<"$work/rate.$jobs") / $text")" >>"$work/copy.ratio.$jobs"
    done
  done
  figure copy_text "$(median <"$work/copy.text")" rows/s
  figure copy_binary_1 "$(median <"$work/copy.1")" rows/s
  figure "copy_binary_$JOBS" "$(median <"$work/copy.$JOBS")" rows/s
  figure copy_binary_1_over_text "$(median <"$work/copy.ratio.1")" x
  judge "copy_binary_${JOBS}_over_text" "$(median <"$work/copy.ratio.$JOBS")" x '>=' 2.5
}

# --- the whole dataset: built afterwards, and in place --------------------------------------------

# whole NAME OPTION...: a fresh database, all constraints valid and analysed at the end.
whole() {
  local name=$1
  shift
  database whole 17
  timed "$PANTRYD" --json seed --dsn "$(dsn whole)" --products "$PRODUCTS" --sales "$SALES" \
    --jobs "$JOBS" "$@"
  figure "seed_$name" "$seconds" s
  key_bytes=$(sql whole "SELECT pg_relation_size('sales_pkey')")
}
whole_part() {
  echo "# $PRODUCTS products, $SALES sales, $JOBS connections"
  whole built_after
  built=$seconds
  heap=$(sql whole "SELECT sum(pg_table_size(oid)) FROM pg_class WHERE relname IN ('users',
    'products', 'sales', 'expenses', 'debts', 'debt_payments')")
  indexes=$(sql whole "SELECT sum(pg_indexes_size(oid)) FROM pg_class WHERE relname IN ('users',
    'products', 'sales', 'expenses', 'debts', 'debt_payments')")
  copy_seconds=$(calc "$(field copy_ms <"$work/out") / 1000" 3)
  figure seed_copy_part "$copy_seconds" s
  figure seed_client_processor "$client" s
  figure seed_server_processor "$server" s
  judge seed_client_share "$(calc "100 * $client / ($client + $server)" 1)" % '<=' 15
  whole in_place --keep-indexes
  judge seed_in_place_over_built_after "$(calc "$seconds / $built")" x '>=' 3
}

# In place, one connection, as a till inserts: with several, each in a stretch of time of its own,
# the newest key is not the last of the index either, and nothing is gained.
keys_part() {
  local SALES=$KEY_SALES JOBS=1
  echo "# $PRODUCTS products, $SALES sales, $JOBS connection"
  whole v4_in_place --keep-indexes
  local v4=$seconds v4_bytes=$key_bytes
  whole v7_in_place --keep-indexes --keys v7
  figure seed_v4_over_v7_in_place "$(calc "$v4 / $seconds")" x
  figure sales_key_v4_in_place "$(calc "$v4_bytes / 1048576" 1)" MB
  figure sales_key_v7_in_place "$(calc "$key_bytes / 1048576" 1)" MB
}

# --- sysbench prepare: multi-row INSERT, a primary key, then one index ----------------------------

peer_part() {
  [[ -n ${built:-} ]] || { echo '# the part "peer" needs the part "whole" before it'; return; }
  database peer none
  timed sysbench oltp_read_write --db-driver=pgsql --pgsql-host=127.0.0.1 --pgsql-port="$port" \
    --pgsql-user=owner --pgsql-db=peer --tables="$JOBS" --table-size="$PEER_ROWS" \
    --threads="$JOBS" prepare
  peer_heap=$(sql peer \
    "SELECT sum(pg_table_size(oid)) FROM pg_class WHERE relname LIKE 'sbtest_'")
  peer_indexes=$(sql peer \
    "SELECT sum(pg_indexes_size(oid)) FROM pg_class WHERE relname LIKE 'sbtest_'")
  figure sysbench_prepare "$seconds" s
  peer_mb=$(calc "$peer_heap / 1048576 / $seconds")
  figure sysbench_rows_per_s "$(calc "$JOBS * $PEER_ROWS / $seconds" 0)" rows/s
  figure sysbench_heap_per_s "$peer_mb" MB/s
  figure seed_heap_per_s "$(calc "$heap / 1048576 / $built")" MB/s
  # Ours has some thirty indexes, trigrams and sums, sysbench two indexes a table: with the bytes of
  # the indexes counted, and of the copy alone, which is what both do.
  figure seed_over_sysbench_per_heap_byte "$(calc "$heap / 1048576 / $built / $peer_mb")" x
  judge seed_over_sysbench_per_byte "$(calc \
    "($heap + $indexes) / $built / (($peer_heap + $peer_indexes) / $seconds)")" x '>=' 10
  figure seed_copy_over_sysbench_per_heap_byte \
    "$(calc "$heap / 1048576 / $copy_seconds / $peer_mb")" x
}

for part in $PARTS; do "${part}_part"; done

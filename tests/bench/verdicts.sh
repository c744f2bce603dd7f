#!/usr/bin/env bash
# Does `validate` say the same again? At half of what an idle sandbox carries in a closed loop, a
# claim of throughput, one of users and one of latency have to PASS in each of $ROUNDS rounds (20).
# The workload leaves the number of rows as it is, or each load would slow the next one down.
# A line a figure: name value unit goal ok|short; exit code 1 where a round had another verdict,
# whose evidence is printed. A round that is INVALID by its client, because the machine had other
# work, says nothing and is made again, at most as often as there are rounds. About 30 s a round,
# of which $SECONDS_EACH (5) are measured for each claim. Only an idle machine gives figures that
# mean something: its load is printed.
set -euo pipefail

# shellcheck source=tests/support/bench_sandbox.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/../support/bench_sandbox.sh"
rounds=${ROUNDS:-20}
seconds=${SECONDS_EACH:-5}
readonly CONNECTIONS=10

start_shop 20000 20000 --no-standby --no-backups
cat >"$work/steady.yaml" <<'YAML'
version: 1
name: steady
operations:
  - name: look_up
    weight: 80
    slo: {p99: 100ms}
    let: {id: {product_id: {}}}
    steps:
      - {sql: 'SELECT name, stock FROM products WHERE id = $1::uuid', params: [$id]}
  - name: list
    weight: 15
    slo: {p99: 100ms}
    steps:
      - {sql: 'SELECT id, name FROM products ORDER BY id LIMIT 50'}
  - name: count_stock
    weight: 5
    slo: {p99: 100ms}
    let: {id: {product_id: {}}}
    transaction: true
    steps:
      - {sql: 'SELECT stock FROM products WHERE id = $1::uuid FOR UPDATE', params: [$id]}
      - {sql: 'UPDATE products SET stock = stock + 1 WHERE id = $1::uuid', params: [$id]}
YAML

echo "# load of the machine before: $(cut -d' ' -f1-3 /proc/loadavg), $(nproc) processors"
"$pantryd" load run --dsn "$dsn" --workload "$work/steady.yaml" --rate max \
  --connections "$CONNECTIONS" --warmup 3s --duration 5s \
  --out "$work/closed.json" >"$work/closed.log" 2>&1 || true
carried=$(number "$work/closed.json" completed_per_s)
half=$(awk -v rate="$carried" 'BEGIN { printf "%d", rate / 2 }')
think=$(awk -v rate="$carried" -v users="$CONNECTIONS" \
  'BEGIN { ms = 1000 * users / rate; printf "%d", ms < 1 ? 1 : ms }')
echo "carried $carried operations/s - ok"
keys="workload: $work/steady.yaml, warmup: 3s, duration: ${seconds}s"
cat >"$work/claims.yaml" <<YAML
version: 1
claims:
  - {id: throughput, text: t, check: throughput, at_least: $((half * 10 / 11)), offered: $half,
     users: 100, connections: 50, $keys}
  - {id: users, text: t, check: users, at_least: $CONNECTIONS, think: ${think}ms, $keys}
  - {id: latency, text: t, check: latency, p99: 100ms, $keys}
YAML

declare -A passed=([throughput]=0 [users]=0 [latency]=0)
repeated=0
for ((round = 1; round <= rounds; ++round)); do
  "$pantryd" validate --dsn "$dsn" --claims "$work/claims.yaml" --budget 15s >"$work/round.log" \
    2>&1 || true
  if grep -qE '^[a-z]+ INVALID \(client\)' "$work/round.log" && ((repeated < rounds)); then
    repeated=$((repeated + 1)) round=$((round - 1))
    continue
  fi
  whole=1
  for claim in "${!passed[@]}"; do
    if grep -qE "^$claim +PASS" "$work/round.log"; then
      passed[$claim]=$((passed[$claim] + 1))
    else
      whole=0
    fi
  done
  ((whole)) || sed "s/^/# round $round: /" "$work/round.log"
done
echo "invalid_rounds $repeated rounds - ok"
code=0
for claim in throughput users latency; do
  word=ok
  ((passed[$claim] == rounds)) || { word=short && code=1; }
  echo "pass_$claim ${passed[$claim]} of_$rounds $rounds $word"
done
echo "# load of the machine after: $(cut -d' ' -f1-3 /proc/loadavg)"
((code == 0))

#!/usr/bin/env bash
# `load find-max` twice on the same server: are the intervals narrow, and do they overlap? First of
# the grocery's pipelined sale, then of a server of known capacity (sleepers), where theory has the
# answer. A line a figure: name value unit goal ok|short. About 15 minutes; $TRIAL sets the shortest
# trial, $BUDGET that of each search. Only an idle machine gives figures that mean something: the
# load of the machine is printed.
set -euo pipefail

# shellcheck source=tests/support/bench_sandbox.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/../support/bench_sandbox.sh"
port=${PORT:-17640}
trial=${TRIAL:-3s}
budget=${BUDGET:-6m}

start_shop 20000 50000 --port "$port" --no-standby --no-backups
cat >"$work/sleep.yaml" <<'YAML'
version: 1
name: sleepers
operations:
  - {name: nap, weight: 1, slo: {p99: 100ms}, steps: [{sql: 'SELECT pg_sleep(0.02)'}]}
YAML

# search NAME OPTION...: its result lies in $work/NAME.json, whatever the verdict.
search() {
  local name=$1
  shift
  "$pantryd" load find-max --dsn "$dsn" --trial "$trial" --budget "$budget" --no-store "$@" \
    --out "$work/$name.json" >"$work/$name.log" 2>&1 || true
}

# report NAME: of NAME1.json and NAME2.json.
report() {
  node - "$work" "$1" <<'NODE'
const fs = require('fs');
const [work, name] = process.argv.slice(2);
const runs = [1, 2].map((i) => JSON.parse(fs.readFileSync(`${work}/${name}${i}.json`, 'utf8')));
const line = (key, value, unit, goal = '-', good = true) =>
  console.log(`${name}_${key} ${value} ${unit} ${goal} ${good ? 'ok' : 'short'}`);
runs.forEach((run, at) => {
  const i = at + 1;
  line(`verdict_${i}`, run.verdict, '-', 'PASS', run.verdict === 'PASS');
  if (run.low_per_s) line(`low_${i}`, run.low_per_s.toFixed(1), 'operations/s');
  if (run.high_per_s) line(`high_${i}`, run.high_per_s.toFixed(1), 'operations/s');
  if (run.width) line(`width_${i}`, (100 * run.width).toFixed(1), '%', '<=5', run.width <= 0.05);
  line(`closed_loop_${i}`, (run.closed_loop_per_s || 0).toFixed(1), 'operations/s');
  line(`trials_${i}`, run.trials.length, 'trials');
  line(`taken_${i}`, run.taken_s.toFixed(0), 's');
  line(`hysteresis_${i}`, String(run.hysteresis), '-');
  for (const reason of run.reasons) console.log(`# ${reason}`);
});
const [a, b] = runs;
if (runs.every((run) => run.low_per_s && run.high_per_s)) {
  const overlap = a.low_per_s <= b.high_per_s && b.low_per_s <= a.high_per_s;
  line('overlap', overlap ? 'yes' : 'no', '-', 'yes', overlap);
  line('low_ratio', (b.low_per_s / a.low_per_s).toFixed(3), 'x');
}
NODE
}

echo "# load of the machine before: $(cut -d' ' -f1-3 /proc/loadavg), $(nproc) processors"
for round in 1 2; do
  search "sleepers$round" --workload "$work/sleep.yaml" --connections 4 --users 100 --seed "$round"
done
report sleepers
for round in 1 2; do
  search "sale$round" --only sale --mode pipelined --connections 10 --users 10000 --seed "$round"
done
report sale
echo "# load of the machine after: $(cut -d' ' -f1-3 /proc/loadavg)"

#!/usr/bin/env bash
# `migrate up` from the schema as built to the newest one while tills sell: how many sales fail, and
# what the sales of each second waited, migration by migration. A line a figure:
# name value unit goal ok|short. $PRODUCTS and $SALES set the size (a million each).
set -euo pipefail

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
pantryd=${PANTRYD:-$ROOT/build/release/pantryd}
products=${PRODUCTS:-1000000}
sales=${SALES:-1000000}
port=${PORT:-17610}
work=$(mktemp -d "${TMPDIR:-/tmp}/pantryd-bench.XXXXXX")
chmod 755 "$work"  # the servers run as another user
pids=()

end() {
  for pid in "${pids[@]}"; do kill -INT "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  timeout 60 "$pantryd" sandbox down --dir "$work/sandbox" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap end EXIT

"$pantryd" sandbox up --dir "$work/sandbox" --port "$port" >"$work/up.log"
dsn=$(sed -n 's/^primary=//p' "$work/up.log")
"$pantryd" migrate up --to 6 --dsn "$dsn" >/dev/null
"$pantryd" seed --products "$products" --sales "$sales" --dsn "$dsn" >/dev/null

# The sales alone have their own run, so that their percentiles are theirs; the rest of the shop
# goes on beside them, slowly, because as built one search takes more than a second of a core.
"$pantryd" load run --only sale --rate "${RATE:-150}" --connections 20 --duration 20m --warmup 3s \
  --out "$work/sales.json" --dsn "$dsn" >"$work/sales.log" 2>&1 &
pids+=($!)
"$pantryd" load run --rate "${REST:-5}" --connections 20 --duration 20m --warmup 3s --seed 2 \
  --out "$work/rest.json" --dsn "$dsn" >"$work/rest.log" 2>&1 &
pids+=($!)
sleep 20  # how it is before
timeout 1100 "$pantryd" migrate up --dsn "$dsn" --json >"$work/applied.json"
sleep 10  # and afterwards
for pid in "${pids[@]}"; do kill -INT "$pid"; done
for pid in "${pids[@]}"; do wait "$pid" || true; done
pids=()
"$pantryd" migrate status --dsn "$dsn" --json >"$work/status.json"

node - "$work" <<'NODE'
const fs = require('fs');
const read = (name) => JSON.parse(fs.readFileSync(`${process.argv[2]}/${name}.json`, 'utf8'));
const line = (name, value, unit, goal = '', good = true) =>
  console.log(`${name} ${value} ${unit} ${goal || '-'} ${good ? 'ok' : 'short'}`);
const sales = read('sales'), rest = read('rest'), status = read('status');
line('sales_done', sales.completed, 'sales');
line('sales_refused_no_stock', sales.refused, 'sales');
line('sales_failed', sales.errors, 'sales', 0, sales.errors === 0);
line('sales_not_started', sales.not_started, 'sales', 0, sales.not_started === 0);
line('rest_failed', rest.errors, 'operations', 0, rest.errors === 0);
for (const [code, each] of Object.entries({...sales.errors_by_code, ...rest.errors_by_code}))
  console.log(`# error ${code}: ${each.count}, first: ${each.first}`);
const zero = Date.parse(sales.started_at) + 3000 + 1000 * (sales.setup_s || 0);
const ms = (us) => (us / 1000).toFixed(1);
const over = (name, from, to) => {
  const p99 = sales.windows
    .filter((w) => zero + 1000 * (w.second + 1) >= from && zero + 1000 * w.second <= to)
    .map((w) => w.p99_us).sort((a, b) => a - b);
  if (p99.length === 0) return;
  line(`${name}_sale_p99_median_second`, ms(p99[p99.length >> 1]), 'ms');
  line(`${name}_sale_p99_worst_second`, ms(p99[p99.length - 1]), 'ms');
};
const later = status.migrations.filter((m) => m.migration > 6);
const began = Math.min(...later.map((m) => Date.parse(m.finished_at) - m.duration_ms));
const ended = Math.max(...later.map((m) => Date.parse(m.finished_at)));
over('before', zero, began - 1000);
for (const m of later) {
  line(`${m.name}`, (m.duration_ms / 1000).toFixed(2), 's');
  const end = Date.parse(m.finished_at);
  over(m.name, end - m.duration_ms, end);
}
over('after', ended + 1000, Infinity);
NODE

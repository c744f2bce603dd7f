// The rounds of load.sh. Every client is measured as a whole process, by the kernel: what it spends on
// connecting and preparing is in its figure too.
'use strict';
const fs = require('fs');
const {spawnSync} = require('child_process');

const work = process.env.BENCH_WORK;
const rounds = Number(process.env.ROUNDS || 5);
const seconds = Number(process.env.SECONDS_EACH || 4);
const kConnections = 16;
const kProducts = 100000;

const line = (name, value, unit, goal = '-', good = true) =>
  console.log(`${name} ${value} ${unit} ${goal} ${good ? 'ok' : 'short'}`);
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const file = (name) => `${work}/${name}`;

// --- what all of them send -----------------------------------------------------------------------

const schema = `
CREATE TABLE products (id int PRIMARY KEY, name text NOT NULL, category text NOT NULL,
  price numeric(10,2) NOT NULL, stock int NOT NULL, min_stock int NOT NULL, barcode text NOT NULL);
INSERT INTO products SELECT i, 'Product number ' || i, 'Category ' || i % 20, 100 + i % 900, 1000000,
  10, lpad(i::text, 13, '6') FROM generate_series(1, ${kProducts}) i;
CREATE TABLE sales (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, product_id int NOT NULL,
  quantity int NOT NULL, total numeric(10,2) NOT NULL, created_at timestamptz DEFAULT now());
CREATE TABLE tills (id int PRIMARY KEY, sold bigint NOT NULL);
INSERT INTO tills SELECT i, 0 FROM generate_series(1, 1000) i;
CREATE TABLE journal (till int NOT NULL, product_id int NOT NULL, quantity int NOT NULL);
VACUUM ANALYZE products; VACUUM ANALYZE tills;`;

// $p product, $q quantity, $t till.
const sale = [
  ['SELECT name, price, stock FROM products WHERE id = $1', ['p']],
  ['INSERT INTO sales (product_id, quantity, total) SELECT $1::int, $2::int, price * $2::int ' +
    'FROM products WHERE id = $1::int', ['p', 'q']],
  ['UPDATE products SET stock = stock - $2::int WHERE id = $1', ['p', 'q']],
  ['UPDATE tills SET sold = sold + $2::int WHERE id = $1', ['t', 'q']],
  ['INSERT INTO journal (till, product_id, quantity) VALUES ($1, $2, $3)', ['t', 'p', 'q']],
];
const read = [['SELECT id, name, category, price, stock FROM products WHERE id = $1', ['p']]];
const draws = {p: [1, kProducts], q: [1, 5], t: [1, 1000]};

function workload(name, statements, transaction) {
  const steps = statements.map(([sql, params]) =>
    `      - {sql: "${sql}", params: [${params.map((p) => '$' + p).join(', ')}]}`).join('\n');
  const lets = Object.entries(draws).filter(([key]) => statements.some(([, p]) => p.includes(key)))
    .map(([key, [low, high]]) => `${key}: {int: [${low}, ${high}]}`).join(', ');
  fs.writeFileSync(file(`${name}.yaml`), `version: 1\nname: ${name}\noperations:\n  - name: ${name}
    weight: 1\n    slo: {p99: 1s}\n    transaction: ${transaction}\n    let: {${lets}}\n    steps:\n${steps}\n`);
}

function script(name, statements, transaction, pipeline) {
  const used = Object.entries(draws).filter(([key]) => statements.some(([, p]) => p.includes(key)));
  const out = used.map(([key, [low, high]]) => `\\set ${key} random(${low}, ${high})`);
  if (pipeline) out.push('\\startpipeline');
  if (transaction) out.push('BEGIN;');
  for (const [sql, params] of statements) {
    out.push(sql.replace(/\$(\d)/g, (_, n) => ':' + params[n - 1]) + ';');
  }
  if (transaction) out.push('COMMIT;');
  if (pipeline) out.push('\\endpipeline');
  fs.writeFileSync(file(`${name}.sql`), out.join('\n') + '\n');
}

function lua() {
  fs.writeFileSync(file('read.lua'), `
sysbench.cmdline.options = {}
function thread_init()
  drv = sysbench.sql.driver()
  con = drv:connect()
  stmt = con:prepare([[${read[0][0].replace('$1', '?')}]])
  id = stmt:bind_create(sysbench.sql.type.INT)
  stmt:bind_param(id)
end
function event()
  id:set(sysbench.rand.uniform(1, ${kProducts}))
  stmt:execute()
end
function thread_done() stmt:close() con:disconnect() end
`);
}

// --- one round of one client ---------------------------------------------------------------------

// CPU time of the child alone, as bash's own `time` reads it from the kernel.
function timed(command, args, okay = [0]) {
  const out = spawnSync('bash', ['-c', 'TIMEFORMAT="cpu %U %S"; time "$@"', 'bash', command, ...args],
    {encoding: 'utf8', maxBuffer: 1 << 26});
  if (!okay.includes(out.status)) throw new Error(`${command} ${args.join(' ')}: ${out.stderr}${out.stdout}`);
  const [, user, system] = /cpu ([\d.]+) ([\d.]+)\s*$/.exec(out.stderr);
  return {text: out.stdout, cpu: (Number(user) + Number(system)) * 1e6};
}

const target = `host=127.0.0.1 port=${process.env.PGPORT} user=owner dbname=postgres`;

function pantryd(name, extra = [], rate = 'max', connections = kConnections) {
  const json = file('run.json');
  const {cpu} = timed(process.env.PANTRYD, ['--dsn', target, 'load', 'run', '--workload',
    file(`${name}.yaml`), '--rate', rate, '--connections', connections, '--duration', `${seconds}s`,
    '--warmup', '0s', '--out', json, ...extra].map(String), [0, 1, 7]);
  const run = JSON.parse(fs.readFileSync(json, 'utf8'));
  if (run.errors > 0) throw new Error(JSON.stringify(run.errors_by_code));
  return {cpu: cpu / run.completed, rate: run.completed / run.measured_s, run};
}

function pgbench(name, extra = [], connections = kConnections) {
  const {text, cpu} = timed('pgbench', ['-n', '-M', 'prepared', '-c', connections, '-j', 1, '-T', seconds,
    '-f', file(`${name}.sql`), ...extra, 'postgres'].map(String));
  const done = Number(/actually processed: (\d+)/.exec(text)[1]);
  return {cpu: cpu / done, rate: done / seconds};
}

function sysbench() {
  const {text, cpu} = timed('sysbench', [file('read.lua'), '--db-driver=pgsql', '--pgsql-host=127.0.0.1',
    `--pgsql-port=${process.env.PGPORT}`, '--pgsql-user=owner', '--pgsql-db=postgres',
    `--threads=${kConnections}`, `--time=${seconds}`, 'run']);
  const done = Number(/total number of events:\s+(\d+)/.exec(text)[1]);
  return {cpu: cpu / done, rate: done / seconds};
}

/// The clients in turns; per client the lists of figures.
function interleave(clients) {
  const seen = Object.fromEntries(Object.keys(clients).map((name) => [name, {cpu: [], rate: []}]));
  for (let i = 0; i < rounds; ++i) {
    for (const [name, run] of Object.entries(clients)) {
      const {cpu, rate} = run();
      seen[name].cpu.push(cpu);
      seen[name].rate.push(rate);
    }
  }
  return seen;
}

/// The median of the ratios of each round, so that a slow minute of the machine is in both.
const ratio = (ours, theirs) => median(ours.map((value, i) => value / theirs[i]));

function report(prefix, seen) {
  for (const [name, {cpu, rate}] of Object.entries(seen)) {
    line(`${prefix}_${name}_cpu`, median(cpu).toFixed(1), 'us');
    line(`${prefix}_${name}_rate`, median(rate).toFixed(0), '/s');
  }
}

function bar(name, value, limit, least) {
  line(name, value.toFixed(2), 'x', `${least ? '>=' : '<='}${limit}`, least ? value >= limit : value <= limit);
}

// --- the bench -----------------------------------------------------------------------------------

function psql(sql) {
  const out = spawnSync('psql', ['-qXAt', '-v', 'ON_ERROR_STOP=1', '-c', sql], {encoding: 'utf8'});
  if (out.status !== 0) throw new Error(out.stderr);
}

function reads() {
  const seen = interleave({
    pantryd: () => pantryd('read'),
    pgbench: () => pgbench('read'),
    sysbench: () => sysbench(),
  });
  report('read', seen);
  bar('read_cpu_to_pgbench', ratio(seen.pantryd.cpu, seen.pgbench.cpu), 0.95);
  bar('read_cpu_to_sysbench', ratio(seen.pantryd.cpu, seen.sysbench.cpu), 0.75);
}

function sales() {
  const seen = interleave({
    pantryd: () => pantryd('sale', ['--mode', 'pipelined']),
    pgbench: () => pgbench('sale'),
    pgbench_pipeline: () => pgbench('sale_pipeline'),
    pantryd_faithful: () => pantryd('sale'),
  });
  report('sale', seen);
  bar('sale_cpu_to_pgbench', ratio(seen.pantryd.cpu, seen.pgbench.cpu), 0.30);
  bar('sale_cpu_to_pgbench_pipeline', ratio(seen.pantryd.cpu, seen.pgbench_pipeline.cpu), 1.0);
  bar('sale_rate_to_pgbench', ratio(seen.pantryd.rate, seen.pgbench.rate), 2.3, true);
  bar('sale_rate_to_pgbench_pipeline', ratio(seen.pantryd.rate, seen.pgbench_pipeline.rate), 0.97, true);
  bar('sale_faithful_cpu_to_pgbench', ratio(seen.pantryd_faithful.cpu, seen.pgbench.cpu), 0.95);
}

function peakMemory(args) {
  const status = spawnSync('bash', ['-c', '"$@" >/dev/null 2>&1 & pid=$!; peak=0; ' +
    'while kill -0 $pid 2>/dev/null; do now=$(sed -n "s/^VmHWM:[^0-9]*\\([0-9]*\\).*/\\1/p" /proc/$pid/status ' +
    '2>/dev/null); ((${now:-0} > peak)) && peak=$now; sleep 0.2; done; wait $pid; echo $peak',
    'bash', ...args], {encoding: 'utf8'});
  return Number(status.stdout) / 1024;
}

function users(count) {
  const json = file('users.json');
  const each = [];
  for (let i = 0; i < 3; ++i) {
    fs.rmSync(json, {force: true});
    const memory = peakMemory([process.env.PANTRYD, '--dsn', target, 'load', 'run', '--workload', file('read.yaml'),
      '--rate', '1000', '--users', String(count), '--connections', '100', '--duration', `${2 * seconds}s`,
      '--warmup', '1s', '--out', json, '--windows', file('windows.jsonl')]);
    const run = JSON.parse(fs.readFileSync(json, 'utf8'));
    each.push({delivered: 100 * run.completed / run.offered, lag: run.client.start_lag_us.p99 / 1000, memory,
      cpu: run.client.cpu_us_per_operation});
  }
  const of = (key) => median(each.map((run) => run[key]));
  line(`users_${count}_delivered`, of('delivered').toFixed(2), '%', '>=99.5', of('delivered') >= 99.5);
  line(`users_${count}_start_lag_p99`, of('lag').toFixed(3), 'ms', '<1', of('lag') < 1);
  line(`users_${count}_memory`, of('memory').toFixed(0), 'MB', '<150', of('memory') < 150);
  line(`users_${count}_reactor_cpu`, of('cpu').toFixed(1), 'us/op');
}

function openLoop() {
  const seen = {ours: [], theirs: []};
  for (let i = 0; i < 3; ++i) {
    seen.ours.push(pantryd('read', [], 1000, 100).cpu);
    seen.theirs.push(pgbench('read', ['-R', '1000'], 100).cpu);
  }
  line('open_pantryd_cpu', median(seen.ours).toFixed(1), 'us');
  line('open_pgbench_cpu', median(seen.theirs).toFixed(1), 'us');
  bar('open_cpu_to_pgbench', ratio(seen.ours, seen.theirs), 0.75);
}

const load = () => `# machine's load ${fs.readFileSync('/proc/loadavg', 'utf8').split(' ')[0]}`;
psql(schema.split(';').filter((s) => !/VACUUM/.test(s)).join(';'));
psql('VACUUM ANALYZE');
workload('read', read, false);
workload('sale', sale, true);
script('read', read, false, false);
script('sale', sale, true, false);
script('sale_pipeline', sale, true, true);
lua();
const parts = {reads, sales, openLoop, users1000: () => users(1000), users10000: () => users(10000)};
const wanted = (process.env.PARTS || Object.keys(parts).join(' ')).split(' ');
for (const part of wanted) {
  console.log(load());
  parts[part]();
}
console.log(load());

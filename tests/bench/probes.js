// The figures of probes.sh, which made the server that this one works on.
'use strict';
const {execFileSync, spawn} = require('child_process');
const fs = require('fs');
const http = require('http');
const net = require('net');

const work = process.env.BENCH_WORK;
const windowS = Number(process.env.WINDOW || 60);
const startS = 30;
const scrapeS = 15;
// pantryd hands out the same page for a quarter of a second; the time of a new one is the question.
const newPageS = 0.4;
const children = new Set();
const exported = '/usr/share/doc/prometheus-postgres-exporter/examples/queries.yaml';

const sleep = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const quantile = (list, share) =>
  [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(share * list.length))];
const remark = (text) => console.log(`# ${text}`);
function figure(name, value, unit, goal = '-', met = true) {
  const digits = Math.abs(value) < 10 ? 3 : 1;
  console.log(`${name} ${Number(value.toFixed(digits))} ${unit} ${goal} ${met ? 'ok' : 'short'}`);
}
const load = () => fs.readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 2).join(' ');

function psql(sql, database = 'postgres') {
  return execFileSync('psql', ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', database], {
    input: sql,
    maxBuffer: 1 << 26
  }).toString().trim();
}

function freePort() {
  return new Promise((done) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const {port} = server.address();
      server.close(() => done(port));
    });
  });
}

function get(port, path = '/metrics') {
  return new Promise((done, fail) => {
    const began = process.hrtime.bigint();
    const request = http.get({host: '127.0.0.1', port, path, agent: false, timeout: 120000});
    request.on('error', fail);
    request.on('timeout', () => request.destroy(new Error('no page within two minutes')));
    request.on('response', (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        const ms = Number(process.hrtime.bigint() - began) / 1e6;
        done({status: response.statusCode, body: Buffer.concat(chunks), ms});
      });
    });
  });
}

const seriesIn = (page) =>
  page.body.toString().split('\n').filter((line) => line && line[0] !== '#').length;

function proc(pid) {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  const kb = (key) => Number(new RegExp(`${key}:\\s+(\\d+)`).exec(status)[1]);
  return {
    cpuS: (Number(fields[11]) + Number(fields[12])) / 100,
    rssMb: kb('VmRSS') / 1024,
    peakMb: kb('VmHWM') / 1024,
    threads: kb('Threads')
  };
}

async function start(name, program, args, port, path, env = {}) {
  const log = fs.openSync(`${work}/${name}.log`, 'a');
  const child = spawn(program, args, {stdio: ['ignore', log, log], env: {...process.env, ...env}});
  fs.closeSync(log);
  children.add(child);
  child.port = port;
  for (let i = 0; i < 600; ++i) {
    try {
      if ((await get(port, path)).status === 200) return child;
    } catch (error) {
      if (child.exitCode !== null) break;
    }
    await sleep(0.1);
  }
  throw new Error(`${name} does not answer: ${fs.readFileSync(`${work}/${name}.log`, 'utf8')}`);
}

function stop(child) {
  return new Promise((done) => {
    children.delete(child);
    if (child.exitCode !== null) return done();
    child.on('exit', done);
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), 10000).unref();
  });
}

async function startDaemon(targets, probes = '') {
  const port = await freePort();
  const file = `${work}/pantryd.yaml`;
  fs.writeFileSync(file, `http: {listen: "127.0.0.1:${port}"}\nprobes: {${probes}}\ntargets:\n` +
    targets.map((t) => `  - {name: ${t.name}, dsn: "host=127.0.0.1 port=${process.env.PGPORT} ` +
      `user=pantryd dbname=${t.database}", databases: {include: [${t.database}]}}\n`).join(''));
  return start('pantryd', process.env.PANTRYD, ['serve', '--config', file], port, '/healthz');
}

// Debian's example asks pg_stat_statements for the columns of PostgreSQL 12, and gets none: its users
// mend the names, and so do we, so that both tell the same families.
function exporterQueries() {
  const text = fs.readFileSync(exported, 'utf8').replace(
    /\b(total|min|max|mean|stddev)_time \//g, '$1_exec_time /');
  const file = `${work}/queries.yaml`;
  fs.writeFileSync(file, text);
  return file;
}

async function startExporter() {
  const port = await freePort();
  return start('exporter', 'prometheus-postgres-exporter',
    [`--web.listen-address=127.0.0.1:${port}`, `--extend.query-path=${exporterQueries()}`], port, '/', {
      DATA_SOURCE_NAME: `host=127.0.0.1 port=${process.env.PGPORT} user=exporter dbname=shop ` +
        'sslmode=disable'
    });
}

function makeTables(from, to) {
  psql(`DO $$ BEGIN FOR i IN ${from}..${to} LOOP EXECUTE
    'CREATE TABLE t' || i || ' (a int PRIMARY KEY, b text)'; END LOOP; END $$`, 'shop');
  psql('ANALYZE pg_catalog.pg_class; ANALYZE pg_catalog.pg_attribute', 'shop');
}

function makeStatements() {
  const lines = [];
  // A column more is another statement; the words before and after make three of each.
  for (const [verb, tail] of [['SELECT', ''], ['SELECT DISTINCT', ''], ['SELECT', 'WHERE a > 1']]) {
    for (let i = 1; i <= 1660; ++i) {
      lines.push(`${verb} ${Array(i).fill('a').join(',')} FROM t1 ${tail};`);
    }
  }
  fs.writeFileSync(`${work}/statements.sql`, lines.join('\n'));
  execFileSync('psql', ['-X', '-q', '-o', '/dev/null', '-d', 'shop', '-f', `${work}/statements.sql`],
    {maxBuffer: 1 << 28});
}

function serverCost(role) {
  const [ms, calls] = psql(`SELECT coalesce(sum(total_exec_time), 0), coalesce(sum(calls), 0)
    FROM pg_stat_statements(false) s JOIN pg_roles r ON r.oid = userid
    WHERE rolname = '${role}'`).split('|').map(Number);
  return {ms, calls};
}

// What cost most, for who wants to make it cheaper.
function tellDearest(role) {
  if (!process.env.DETAIL) return;
  for (const line of psql(`SELECT calls, round(total_exec_time) AS ms,
      left(regexp_replace(query, '\\s+', ' ', 'g'), 200)
      FROM pg_stat_statements s JOIN pg_roles r ON r.oid = userid WHERE rolname = '${role}'
      ORDER BY total_exec_time DESC LIMIT 14`).split('\n')) {
    remark(`${role} ${line}`);
  }
}

// Both side by side, scraped every 15 s: the first seconds with the first run of every probe, then a
// window of what goes on; then pages in turns. A probe whose interval is longer than the window may
// have no run in it.
async function sideBySide(tables) {
  const first = {pantryd: serverCost('pantryd'), exporter: serverCost('exporter')};
  const daemon = await startDaemon([{name: 'shop', database: 'shop'}],
    'relations_max: 3000');
  const exporter = await startExporter();
  const scrape = async (seconds) => {
    const from = Date.now();
    while (Date.now() - from < 1000 * (seconds - 1)) {
      await Promise.all([get(daemon.port), get(exporter.port)]);
      await sleep(Math.max(0.1, Math.min(scrapeS, seconds - (Date.now() - from) / 1000)));
    }
  };
  await scrape(startS);
  const before = {pantryd: serverCost('pantryd'), exporter: serverCost('exporter')};
  const cpuBefore = {pantryd: proc(daemon.pid).cpuS, exporter: proc(exporter.pid).cpuS};
  const began = Date.now();
  await scrape(windowS);
  const minutes = (Date.now() - began) / 60000;
  const use = {pantryd: proc(daemon.pid), exporter: proc(exporter.pid)};
  const after = {pantryd: serverCost('pantryd'), exporter: serverCost('exporter')};
  const at = `${tables}_tables`;
  const pages = {pantryd: [], exporter: []};
  for (let i = 0; i < 7; ++i) {
    await sleep(newPageS);
    pages.pantryd.push(await get(daemon.port));
    pages.exporter.push(await get(exporter.port));
  }
  const page = (who) => median(pages[who].map((each) => each.ms));
  for (const who of ['pantryd', 'exporter']) {
    const last = pages[who][6];
    figure(`${at}_page_${who}`, page(who), 'ms');
    figure(`${at}_page_bytes_${who}`, last.body.length, 'bytes');
    figure(`${at}_series_${who}`, seriesIn(last), 'series');
    figure(`${at}_server_time_first_${startS}_s_${who}`, before[who].ms - first[who].ms, 'ms');
    figure(`${at}_server_time_${who}`, (after[who].ms - before[who].ms) / minutes, 'ms/min');
    figure(`${at}_statements_${who}`, (after[who].calls - before[who].calls) / minutes, '/min');
    figure(`${at}_rss_${who}`, use[who].rssMb, 'MB');
    figure(`${at}_rss_peak_${who}`, use[who].peakMb, 'MB');
    figure(`${at}_cpu_${who}`, 100 * (use[who].cpuS - cpuBefore[who]) / (60 * minutes), '%');
  }
  const ratio = (name, a, b, goal) => figure(`${at}_${name}_ratio`, a / b, 'x', `<=${goal}`,
    a / b <= goal);
  const spent = (who) => after[who].ms - before[who].ms;
  ratio('page', page('pantryd'), page('exporter'), 0.05);
  ratio('server_time', spent('pantryd'), spent('exporter'), 0.5);
  ratio('rss', use.pantryd.rssMb, use.exporter.rssMb, 0.5);
  await stop(daemon);
  await stop(exporter);
  tellDearest('pantryd');
  tellDearest('exporter');
}

async function manyTables() {
  const began = Date.now();
  makeTables(2001, 20000);
  remark(`18,000 tables more took ${((Date.now() - began) / 1000).toFixed(1)} s to make`);
  const before = serverCost('pantryd');
  const daemon = await startDaemon([{name: 'shop', database: 'shop'}]);
  const pages = [];
  const start = Date.now();
  while (Date.now() - start < 30000) {
    pages.push(await get(daemon.port));
    await sleep(newPageS);
  }
  const ms = pages.map((each) => each.ms);
  const last = pages[pages.length - 1];
  figure('20000_tables_page_median', median(ms), 'ms', '<=10', median(ms) <= 10);
  figure('20000_tables_page_p99', quantile(ms, 0.99), 'ms', '<=50', quantile(ms, 0.99) <= 50);
  figure('20000_tables_series', seriesIn(last), 'series');
  figure('20000_tables_server_time_first_half_minute', serverCost('pantryd').ms - before.ms, 'ms');
  figure('20000_tables_rss', proc(daemon.pid).rssMb, 'MB');
  for (const line of last.body.toString().split('\n')) {
    if (/^pantryd_probe_outcome.*outcome="(timeout|error|lock_skipped)".* 1$/.test(line)) {
      remark(line);
    }
  }
  await stop(daemon);
}

async function manyTargets(count) {
  const targets = [];
  for (let i = 0; i < count; ++i) targets.push({name: `n${i}`, database: `d${i % 20}`});
  const daemon = await startDaemon(targets);
  await sleep(20);
  const first = proc(daemon.pid);
  const began = Date.now();
  const ms = [];
  for (let i = 0; i < 3; ++i) {
    ms.push((await get(daemon.port)).ms);
    await sleep(12);
  }
  const last = proc(daemon.pid);
  const cpu = 100 * (last.cpuS - first.cpuS) / ((Date.now() - began) / 1000);
  const page = await get(daemon.port);
  remark(`${count} targets: 20 databases of one server, each ten times; scraped every 12 s`);
  figure(`${count}_targets_rss`, last.rssMb, 'MB', '<250', last.rssMb < 250);
  figure(`${count}_targets_cpu`, cpu, '%', '<10', cpu < 10);
  figure(`${count}_targets_threads`, last.threads, 'threads');
  figure(`${count}_targets_series`, seriesIn(page), 'series');
  figure(`${count}_targets_page`, median(ms), 'ms');
  figure(`${count}_targets_sessions`, Number(psql(
    "SELECT count(*) FROM pg_stat_activity WHERE usename = 'pantryd'")), 'sessions');
  await stop(daemon);
}

// pgbench at work for minutes, and the daemon stopped (SIGSTOP) in every other slice: the machine's own
// moods, which change its speed by a tenth from one minute to the next, are in both neighbours. What
// the daemon missed while it was stopped it does as soon as it goes on, so it is not flattered.
async function withAndWithout() {
  const slices = Number(process.env.SLICES || 30);
  const sliceS = 8;
  execFileSync('pgbench', ['-i', '-q', '-s', '10', 'bench'], {stdio: 'ignore'});
  const daemon = await startDaemon([{name: 'bench', database: 'bench'}]);
  await sleep(20);
  const client = spawn('pgbench', ['-n', '-S', '-c', '4', '-j', '2', '-P', '1',
    '-T', String(slices * sliceS + 10), 'bench'], {stdio: ['ignore', 'ignore', 'pipe']});
  children.add(client);
  const ended = new Promise((done) => client.on('exit', done));
  let seconds = [];
  client.stderr.on('data', (text) => {
    for (const [, tps] of text.toString().matchAll(/progress: [0-9.]+ s, ([0-9.]+) tps/g)) {
      seconds.push(Number(tps));
    }
  });
  await sleep(5);
  const mean = (list) => list.reduce((sum, each) => sum + each, 0) / list.length;
  const told = {with: [], without: []};
  for (let i = 0; i < slices; ++i) {
    // with, without, without, with: what grows or falls in time is in both.
    const watched = i % 4 === 0 || i % 4 === 3;
    daemon.kill(watched ? 'SIGCONT' : 'SIGSTOP');
    await sleep(1.2);  // the second in which it changed belongs to neither
    seconds = [];
    await sleep(sliceS - 1.2);
    told[watched ? 'with' : 'without'].push(mean(seconds));
  }
  daemon.kill('SIGCONT');
  client.kill('SIGINT');
  await ended;
  children.delete(client);
  await stop(daemon);
  const loss = told.without.map((each, i) => 100 * (1 - told.with[i] / each));
  const spread = Math.sqrt(mean(loss.map((each) => (each - mean(loss)) ** 2)) / (loss.length - 1));
  figure('pgbench_without', median(told.without), 'tps');
  figure('pgbench_with', median(told.with), 'tps');
  figure('pgbench_difference_median', median(loss), '%');
  figure('pgbench_difference_95_percent', 2 * spread, '+-%');
  figure('pgbench_difference', mean(loss), '%', '<1', mean(loss) < 1);
}

async function main() {
  remark(`load ${load()} at the start`);
  psql('CREATE EXTENSION pg_stat_statements; CREATE DATABASE shop; CREATE DATABASE bench;' +
    'CREATE ROLE pantryd LOGIN IN ROLE pg_monitor; CREATE ROLE exporter LOGIN IN ROLE pg_monitor');
  for (let i = 0; i < 20; ++i) psql(`CREATE DATABASE d${i}`);
  psql('CREATE EXTENSION pg_stat_statements', 'shop');
  makeTables(1, 100);
  makeStatements();
  remark(`${psql('SELECT count(*) FROM pg_stat_statements(false)')} statements are tracked`);
  const parts = {
    tables: async () => {
      await sideBySide(100);
      makeTables(101, 2000);
      await sideBySide(2000);
      await manyTables();
      psql('DROP DATABASE shop');  // nobody pays for its 40,000 files from here on
    },
    targets: () => manyTargets(200),
    pgbench: withAndWithout
  };
  const wanted = (process.env.PARTS || Object.keys(parts).join(' ')).split(' ');
  for (const part of wanted) {
    await parts[part]();
    remark(`load ${load()} after ${part}`);
  }
}

main().then(() => 0, (error) => { console.error(error); return 1; }).then((code) => {
  for (const child of children) child.kill('SIGKILL');
  process.exit(code);
});

#!/bin/bash
# What a newcomer does on a bare Debian 13, and what must be true then. Runs as root inside the
# root folder that run.sh makes; the checkout is /srv/pantryd. "prepare" only compiles.
set -euo pipefail

readonly METRICS=http://localhost:9788/metrics
# One line each: what the first demo's metrics page must show while the load runs.
readonly MUST_SHOW=(
  '^pg_static\{.*short_version="17'
  '^pg_replication_lag_seconds\{.*target="standby"'
  '^pantryd_standby_receiver_streaming\{.*\} 1$'
  '^pantryd_archive_enabled\{.*\} 1$'
  '^pantryd_archive_failing\{.*\} 0$'
  '^pantryd_backup_age_seconds\{.*kind="pg_dump"'
  '^pantryd_backup_age_seconds\{.*kind="base"'
  '^pg_stat_statements_calls_total\{'
)

say() { printf '==> fresh: %s\n' "$*"; }

fail() {
  printf 'fresh: FAILED: %s\n' "$*" >&2
  exit 1
}

# promtool's opinion of the text: broken text is 1, matters of style are 3. Names that we share
# with postgres_exporter are not ours to improve; our own must be clean.
check_metrics_text() {
  local code=0 opinion
  opinion=$(promtool check metrics <"$1" 2>&1) || code=$?
  if ((code != 0 && code != 3)) || grep -q '^pantryd_' <<<"$opinion"; then
    printf '%s\n' "$opinion" >&2
    fail "promtool does not accept the metrics page"
  fi
}

missing_on_page() {
  local pattern
  for pattern in "${MUST_SHOW[@]}"; do
    grep -qE "$pattern" "$1" || printf '%s\n' "$pattern"
  done
}

# watch_metrics PID: while that demo runs, until the page shows everything.
watch_metrics() {
  local page=/tmp/metrics missing='the page itself'
  while kill -0 "$1" 2>/dev/null; do
    if curl -sf --max-time 5 "$METRICS" >"$page" 2>/dev/null; then
      check_metrics_text "$page"
      missing=$(missing_on_page "$page")
      if [[ -z $missing ]]; then
        say "metrics: $(grep -vc '^#' "$page") series, promtool accepts them; lag, archive," \
          "both backups and top statements are there"
        return
      fi
    fi
    sleep 1
  done
  fail "while the demo ran, the metrics page never showed: $missing"
}

# Only this script, its children and what runs it may be alive.
nothing_survives() {
  local entry pid left=''
  for entry in /proc/[0-9]*; do
    pid=${entry#/proc/}
    [[ $pid != "$$" && $pid != 1 && $pid != "$BASHPID" ]] || continue
    left+=$(tr '\0' ' ' 2>/dev/null <"$entry/cmdline" || true)
  done
  [[ -z $left ]] || fail "after $1 there is still: $left"
  [[ -z $(find /var/tmp /tmp /dev/shm -maxdepth 1 -name 'pantryd*') ]] ||
    fail "$1 left a folder behind"
  ! (exec 3<>/dev/tcp/127.0.0.1/9788) 2>/dev/null || fail "$1 left port 9788 in use"
}

no_services() {
  [[ -z $(pg_lsclusters --no-header) ]] || fail "a PostgreSQL cluster was made"
  [[ ! -e /usr/sbin/policy-rc.d ]] || fail "policy-rc.d was left behind"
  [[ -z $(find /etc/systemd/system -type l -name 'p*.service') ]] || fail "a service is enabled"
}

# check_verdict CODE LOG: a verdict is any of three exit codes, with its table and its report.
check_verdict() {
  case $1 in
    0 | 1 | 7) ;;
    *) fail "the demo ended with exit code $1" ;;
  esac
  grep -qE '\b(PASS|FAIL|INCONCLUSIVE|INVALID)\b' "$2" || fail "the demo printed no verdicts"
  compgen -G 'build/demo-report/*.html' >/dev/null || fail "the demo left no report"
  compgen -G 'build/demo-report/*.json' >/dev/null || fail "the demo left no JSON report"
}

demo() {
  local code=0 pid began=$SECONDS log=/tmp/demo.log
  ./run demo --quick --no-wait >"$log" 2>&1 &
  pid=$!
  # In a subshell, so that the demo's output is shown before this ends.
  (watch_metrics "$pid") || { wait "$pid" || true; cat "$log"; exit 1; }
  wait "$pid" || code=$?
  cat "$log"
  say "./run demo --quick --no-wait: exit code $code after $((SECONDS - began)) s"
  check_verdict "$code" "$log"
  nothing_survives "./run demo"
  no_services
}

# The demo as the README has it: it stays up, everything that it names answers, Ctrl-C ends it.
demo_that_stays() {
  local code=0 pid began=$SECONDS log=/tmp/demo.log problem
  # shellcheck source=tests/support/demo_addresses.sh disable=SC1091
  source tests/support/demo_addresses.sh
  env --default-signal=INT ./run demo --quick >"$log" 2>&1 &
  pid=$!
  while kill -0 "$pid" 2>/dev/null && ! grep -q '^Ctrl-C ends it' "$log"; do sleep 1; done
  demo_addresses_answer "$log" >/tmp/problem || problem=$(</tmp/problem)
  kill -INT "$pid" 2>/dev/null || true
  wait "$pid" || code=$?
  cat "$log"
  [[ -z ${problem:-} ]] || fail "the demo printed an address that does not open: $problem"
  ((addresses_asked == 6)) || fail "the demo printed $addresses_asked addresses, not 6"
  say "./run demo --quick: all $addresses_asked addresses answer; exit code $code after" \
    "$((SECONDS - began)) s"
  check_verdict "$code" "$log"
  nothing_survives "./run demo"
  no_services
}

# The tests as an ordinary user with sudo: servers then run as that user and not as postgres.
tests_as_user() {
  local began=$SECONDS
  ./run install sudo
  useradd --create-home --shell /bin/bash newcomer
  echo 'newcomer ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/newcomer
  chown -R newcomer: /srv/pantryd
  su - newcomer -c 'cd /srv/pantryd && ./run test' || fail "./run test failed"
  say "./run test: $((SECONDS - began)) s"
  nothing_survives "./run test"
}

# Everything that the check compiles, into the cache that run.sh mounts.
prepare() {
  ./run install
  cmake --preset release >/dev/null
  cmake --build build/release --parallel "$(nproc)"
}

cd /srv/pantryd
if [[ $1 == prepare ]]; then
  prepare
  exit 0
fi
for line in './run demo' './run test'; do
  grep -qF "$line" README.md || fail "the README does not say $line"
done
demo
[[ $(/usr/lib/postgresql/17/bin/postgres --version) == *' 17.'* ]] ||
  fail "this is not PostgreSQL 17"
demo_that_stays
tests_as_user
say "all good after $SECONDS s"

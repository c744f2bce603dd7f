# shellcheck shell=bash
# ./run demo: a private PostgreSQL with its load, watched and judged. Read by ./run.
#
# Invariant: `demo_dir` is empty until the folder is ours; then this process holds its lock, and
# removes the folder, the sandbox in it and every process that it started, on every way out.

serve_pid=''
prometheus_pid=''
demo_dir=''
pantryd=$ROOT/build/release/pantryd

# A step that has just been ended may still be putting its part away: then it holds the lock.
remove_sandbox() {
  local tries=15 said
  until said=$("$pantryd" sandbox down --dir "$1" 2>&1 >/dev/null 9>&-); do
    ((--tries > 0)) || { printf '%s\n' "$said" >&2; return 1; }
    sleep 1
  done
}

# Removes what an earlier demo of this user left behind, after SIGKILL or a power cut.
clear_demo() {
  local pid_file pid
  for pid_file in "$1"/serve.pid "$1"/prometheus.pid; do
    [[ -s $pid_file ]] || continue
    pid=$(<"$pid_file")
    # The number may belong to somebody else by now.
    if tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$1/"; then
      end_process "$pid" 10
    fi
  done
  if [[ -e $1/sandbox ]]; then
    remove_sandbox "$1/sandbox" || return 1
  fi
  find "$1" -mindepth 1 -maxdepth 1 ! -name lock -exec rm -rf {} +
}

clean_up_demo() {
  end_process "$prometheus_pid" 10
  end_process "$serve_pid" 10
  if [[ -n $demo_dir ]] && clear_demo "$demo_dir"; then rm -rf "$demo_dir"; fi
}
clean_up_parts+=(clean_up_demo)

# The folder is private to this user, on a disk (/tmp is often memory), and the system user
# postgres can pass through it when we are root.
open_demo_dir() {
  local dir mode=700
  dir=$(realpath -m -- "${PANTRYD_DEMO_DIR:-/var/tmp/pantryd-demo-$EUID}")
  ((EUID)) || mode=711
  mkdir -m "$mode" "$dir" 2>/dev/null || true
  [[ -d $dir && ! -L $dir && -O $dir ]] ||
    fail 1 "$dir is not a folder of yours" "choose another: PANTRYD_DEMO_DIR=/path ./run demo"
  if [[ ! -e $dir/lock && -n $(ls -A "$dir") ]]; then
    fail 1 "$dir holds something that is not a demo" \
      "choose an empty or new folder: PANTRYD_DEMO_DIR=/path ./run demo"
  fi
  exec 9>>"$dir/lock"
  flock --nonblock 9 ||
    fail 1 "a demo is running in $dir" \
      "end it with Ctrl-C in its terminal, or choose PANTRYD_DEMO_DIR"
  demo_dir=$dir
  clear_demo "$dir"
}

yaml_string() { printf "'%s'" "${1//\'/\'\'}"; }

write_daemon_config() {
  local backups=$demo_dir/sandbox/backups
  cat >"$demo_dir/pantryd.yaml" <<TEXT
http:
  listen: "127.0.0.1:$port"
targets:
  - name: primary
    dsn: $(yaml_string "$primary")
    backups:
      - {name: dumps, kind: pg_dump, path: "$backups/dumps"}
      - {name: base, kind: base, path: "$backups/base"}
  - name: standby
    dsn: $(yaml_string "$standby")
TEXT
}

write_prometheus_config() {
  cat >"$demo_dir/prometheus.yaml" <<TEXT
global: {scrape_interval: 5s, evaluation_interval: 5s}
rule_files: ["$ROOT/dashboards/prometheus/*rules.yaml"]
scrape_configs:
  - job_name: pantryd
    static_configs: [{targets: ["127.0.0.1:$port"]}]
TEXT
}

# wait_for URL PID: until the page answers, the process is gone, or 30 s have passed.
wait_for() {
  local deadline=$((SECONDS + 30))
  until curl --silent --fail --max-time 2 --output /dev/null "$1"; do
    alive "$2" && ((SECONDS < deadline)) || return 1
    sleep 0.2
  done
}

start_serve() {
  write_daemon_config
  spawn "$pantryd" serve --config "$demo_dir/pantryd.yaml" >"$demo_dir/serve.log" 2>&1
  serve_pid=$!
  echo "$serve_pid" >"$demo_dir/serve.pid"
  wait_for "http://127.0.0.1:$port/readyz" "$serve_pid" && return 0
  tail -n 20 "$demo_dir/serve.log" >&2
  alive "$serve_pid" && fail 1 "the daemon is not ready after 30 s" "its last lines are above"
  local code=0
  wait "$serve_pid" || code=$?
  serve_pid=
  return "$((code ? code : 1))"
}

# alerts_page PORT: the address of Prometheus' list of alerts. Debian's package serves only the
# classic pages; upstream's serves only the new ones.
alerts_page() {
  local path
  for path in /classic/alerts /alerts; do
    if curl --silent --fail --max-time 5 --output /dev/null "http://127.0.0.1:$1$path"; then
      echo "http://localhost:$1$path"
      return
    fi
  done
  echo "http://localhost:$1/"
}

# Prometheus is an extra: the demo goes on without it.
start_prometheus() {
  command -v prometheus >/dev/null || return 0
  prometheus_port=9790
  while port_is_taken "$prometheus_port"; do
    ((++prometheus_port < 9800)) || return 0
  done
  write_prometheus_config
  spawn prometheus --config.file="$demo_dir/prometheus.yaml" --log.level=warn \
    --web.listen-address="127.0.0.1:$prometheus_port" \
    --storage.tsdb.path="$demo_dir/prometheus" >"$demo_dir/prometheus.log" 2>&1
  prometheus_pid=$!
  echo "$prometheus_pid" >"$demo_dir/prometheus.pid"
  if wait_for "http://127.0.0.1:$prometheus_port/-/ready" "$prometheus_pid"; then
    prometheus_page=$(alerts_page "$prometheus_port")
    return 0
  fi
  say "Prometheus does not start, the demo goes on without it:"
  tail -n 3 "$demo_dir/prometheus.log" >&2
  end_process "$prometheus_pid" 5
  prometheus_pid=
}

start_sandbox() {
  step "$pantryd" sandbox up --no-backups --dir "$demo_dir/sandbox" \
    >"$demo_dir/sandbox.out" || return
  primary=$(sed -n 's/^primary=//p' "$demo_dir/sandbox.out")
  standby=$(sed -n 's/^standby=//p' "$demo_dir/sandbox.out")
}

# What is up until Ctrl-C; nothing of it outlives --no-wait but the report.
print_pages() {
  echo
  echo "Report       $report/report.html"
  [[ $stay == yes ]] || return 0
  echo "Metrics      http://localhost:$port/metrics"
  [[ -z $prometheus_pid ]] || echo "Prometheus   $prometheus_page"
  echo "Primary      psql '$primary'"
  echo "Standby      psql '$standby'"
  echo "Settings     $demo_dir/pantryd.yaml"
}

check_port() {
  if [[ ! $port =~ ^[1-9][0-9]{0,4}$ ]] || ((port > 65535)); then
    fail 2 "'$port' is not a port" "a number from 1 to 65535, such as --port 9799"
  fi
  if port_is_taken "$port"; then
    fail 1 "port $port on 127.0.0.1 is in use" "choose another: ./run demo --port 9799"
  fi
}

# The sizes of a demo: rows, and how long validation may take.
demo_sizes() {
  if [[ $1 == quick ]]; then
    products=20000 sales=100000 budget=40s
  else
    products=200000 sales=2000000 budget=150s
  fi
}

demo_options() {
  size=full stay=yes port=${PANTRYD_PORT:-9788}
  while (($#)); do
    case $1 in
      --quick) size=quick ;;
      --no-wait) stay=no ;;
      --port) shift; port=${1:-} ;;
      --port=*) port=${1#--port=} ;;
      *) fail 2 "demo does not know '$1'" "./run help" ;;
    esac
    shift || true
  done
}

demo() {
  local size stay port products sales budget primary standby verdict=0
  local prometheus_port prometheus_page report=$ROOT/build/demo-report
  demo_options "$@"
  demo_sizes "$size"
  install_missing "${BUILD_PACKAGES[@]}" "${RUN_PACKAGES[@]}"
  check_port
  catch_signals
  build release pantryd
  open_demo_dir
  say "starting a private PostgreSQL: primary, standby, WAL archive"
  start_sandbox
  step "$pantryd" migrate up --dsn "$primary"
  say "seeding $products products and $sales sales"
  step "$pantryd" seed --dsn "$primary" --products "$products" --sales "$sales"
  step "$pantryd" sandbox backup --dir "$demo_dir/sandbox"
  say "starting the daemon"
  start_serve
  start_prometheus
  say "validating: the load runs, then every claim is judged"
  rm -rf "$report"
  step "$pantryd" validate --config "$demo_dir/pantryd.yaml" --budget "$budget" --out "$report" ||
    verdict=$?
  print_pages
  if [[ $stay == yes && ($verdict == 0 || $verdict == 1 || $verdict == 7) ]]; then
    echo "Ctrl-C ends it and removes everything but the report."
    trap 'exit "$verdict"' INT
    step sleep infinity || true
  fi
  exit "$verdict"
}

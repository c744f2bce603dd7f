#!/usr/bin/env bash
# Requests every address that ./run demo prints. The demo's own functions start the sandbox, the
# daemon and Prometheus; only the seeding, the load and its report are left out.
# Usage: demo_pages.sh PANTRYD
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=run disable=SC1091
source "$root/run"
# shellcheck source=tests/support/demo_addresses.sh disable=SC1091
source "$root/tests/support/demo_addresses.sh"

bad() {
  printf 'demo_pages: %s\n' "$1" >&2
  exit 1
}

free_port() {
  local tried
  for tried in {19788..19988}; do
    port_is_taken "$tried" || { echo "$tried"; return; }
  done
  bad "no port from 19788 to 19988 is free"
}

# shellcheck disable=SC2034  # the demo's functions read these
pantryd=$1 stay=yes port=$(free_port)
PANTRYD_DEMO_DIR=$(mktemp -d "${TMPDIR:-/tmp}/pantryd-demo-pages.XXXXXX")
((EUID)) || chmod 711 "$PANTRYD_DEMO_DIR" # the system user postgres passes through it
catch_signals
open_demo_dir
# shellcheck disable=SC2154  # the demo's functions set it
report=$demo_dir
start_sandbox
start_serve
start_prometheus
echo page >"$report/report.html"
print_pages | tee "$demo_dir/pages"

addresses_asked=0
problem=$(demo_addresses_answer "$demo_dir/pages") || bad "$problem"
demo_addresses_answer "$demo_dir/pages"
((addresses_asked == 6)) || bad "the demo printed $addresses_asked addresses, not 6"
echo "Metrics http://localhost:$port/no-such-page" >"$demo_dir/control"
! demo_addresses_answer "$demo_dir/control" >/dev/null 2>&1 ||
  bad "a page that does not exist passes: this test shows nothing"

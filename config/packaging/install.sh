# shellcheck shell=bash
# The Debian packages that ./run installs, and how. Read by ./run.
#
# Invariant: a package leaves no service running or enabled that was not there before. The part
# that needs root is a process of its own, `./run install-as-root`, so that its clean-up does not
# depend on ours.

# One list for building and testing: CMake looks for the test libraries when it configures.
readonly BUILD_PACKAGES=(g++ cmake ninja-build ccache libpq-dev libyaml-cpp-dev
  libboost-program-options-dev prometheus-cpp-dev libevent-dev libfmt-dev libspdlog-dev
  nlohmann-json3-dev libpg-query-dev zlib1g-dev libssl-dev libgtest-dev libgmock-dev
  libbenchmark-dev)
# postgresql brings the server, the client programs and pg_stat_statements; prometheus, promtool.
readonly RUN_PACKAGES=(postgresql prometheus curl)
# For the tests: a pooler, the exporter whose metric names we share, what checks the style, and
# Node for those that take over a database that Knex made. Node may be here without a package.
TEST_PACKAGES=(pgbouncer prometheus-postgres-exporter clang-format shellcheck)
command -v node >/dev/null || TEST_PACKAGES+=(nodejs)
command -v npm >/dev/null || TEST_PACKAGES+=(npm)
readonly TEST_PACKAGES

readonly POLICY=/usr/sbin/policy-rc.d
readonly NO_CLUSTER=/etc/postgresql-common/createcluster.d/pantryd-no-cluster.conf

missing_packages() {
  local package
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) == installed ]] ||
      echo "$package"
  done
}

install_missing() {
  local -a missing
  if ! { command -v dpkg-query && command -v apt-get; } >/dev/null; then
    fail 1 "this is not Debian: dpkg-query or apt-get is missing" \
      "install the libraries listed in docs/architecture.md, then: cmake --preset release"
  fi
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  say "installing Debian packages, a minute or two: ${missing[*]}"
  if ((EUID == 0)); then
    bash "$ROOT/run" install-as-root "${missing[@]}" </dev/null
  elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 2 ]]; }; then
    sudo -- bash "$ROOT/run" install-as-root "${missing[@]}"
  else
    fail 1 "packages are missing, and installing them needs root" \
      "as root: apt-get install --no-install-recommends ${missing[*]}"
  fi
}

# Which services start at boot: the links of systemd and of sysvinit.
enabled_services() {
  find /etc/systemd/system /etc/rc[2-5].d -type l \( -path '*.wants/*' -o -path '*/S[0-9]*' \) \
    2>/dev/null | sort
}

# Packages may not start anything while we install, nor make a cluster. The policy is for our own
# apt-get alone, by its environment, so that a leftover of SIGKILL binds nobody else.
forbid_starting() {
  if [[ ! -e $POLICY ]] || grep -q PANTRYD_INSTALLS "$POLICY"; then
    cat >"$POLICY" <<'TEXT'
#!/bin/sh
# Of pantryd's ./run while it installs packages; remove this if it does not.
[ -z "$PANTRYD_INSTALLS" ] || exit 101
TEXT
    chmod 755 "$POLICY"
  fi
  created_folder=''
  local folder
  for folder in /etc/postgresql-common "${NO_CLUSTER%/*}"; do
    if [[ ! -d $folder ]]; then
      mkdir "$folder"
      created_folder="$folder $created_folder"
    fi
  done
  printf '%s\n' "# Of pantryd's ./run while it installs packages." 'create_main_cluster = false' \
    >"$NO_CLUSTER"
}

allow_starting() {
  if grep -qs PANTRYD_INSTALLS "$POLICY"; then rm -f "$POLICY"; fi
  rm -f "$NO_CLUSTER"
  local folder
  for folder in ${created_folder:-}; do rmdir --ignore-fail-on-non-empty "$folder" || true; done
}

# disable_new_services LIST_BEFORE: what the packages enabled is disabled again.
disable_new_services() {
  local link name
  while read -r link; do
    name=${link##*/}
    if [[ $link == /etc/systemd/* ]]; then
      if [[ -d /run/systemd/system ]]; then
        systemctl --quiet disable --now "$name" >/dev/null 2>&1 || true
      fi
      deb-systemd-helper disable "$name" >/dev/null 2>&1 || true
      rm -f "$link"
    elif [[ -L $link ]]; then
      update-rc.d "${name#S[0-9][0-9]}" disable >/dev/null 2>&1 || true
    fi
  done < <(comm -13 <(printf '%s\n' "$1") <(enabled_services))
}

# apt_step ARGUMENT...: quiet when it works, the end of what was said when it does not.
apt_step() {
  local code=0 log
  ((interrupted == 0)) || exit "$interrupted"
  log=$(mktemp)
  # In a session of its own, so that Ctrl-C meets us and not dpkg in the middle of a package.
  setsid apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
    -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@" >"$log" 2>&1 </dev/null &
  apt_pid=$!
  wait "$apt_pid" || code=$?
  while alive "$apt_pid"; do
    code=0
    wait "$apt_pid" || code=$?
  done
  apt_pid=''
  ((code == 0 || interrupted)) || tail -n 30 "$log" >&2
  rm -f "$log"
  ((interrupted == 0)) || exit "$interrupted"
  ((code == 0)) || fail 1 "apt-get $1 failed" \
    "the lines above say why: the network and /etc/apt/sources.list* are the usual reasons"
}

# A download may end at once, an installation must be finished.
interrupt_install() {
  interrupted=$1
  if ((unpacking)); then
    say "finishing the installation first"
  elif [[ -n $apt_pid ]]; then
    kill "$apt_pid" 2>/dev/null || true
  fi
}

end_install() {
  local code=$?
  trap '' INT TERM HUP
  disable_new_services "$enabled_before"
  allow_starting
  exit "$code"
}

# Runs as root in a process of its own, so that its clean-up does not depend on ours.
install_as_root() {
  ((EUID == 0)) || fail 2 "install-as-root is for root" "use: ./run install"
  export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 PANTRYD_INSTALLS=1
  apt_pid='' interrupted=0 unpacking=0 enabled_before=$(enabled_services)
  trap end_install EXIT
  trap 'interrupt_install 130' INT
  trap 'interrupt_install 143' TERM HUP
  forbid_starting
  apt_step update
  apt_step install --download-only "$@"
  unpacking=1
  apt_step install "$@"
}

# install_packages [PACKAGE...]: these, or all that building, running and testing need.
install_packages() {
  (($#)) || set -- "${BUILD_PACKAGES[@]}" "${RUN_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
  install_missing "$@"
}

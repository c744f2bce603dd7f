# shellcheck shell=bash
# Messages, child processes and signals of ./run. Read by it; ROOT is the checkout.
#
# Invariants: whatever is started here is ended here, on every way out; each part of ./run adds a
# function to `clean_up_parts` before it makes something that must be removed.

step_pid=''  # the child that `step` waits for
clean_up_parts=()

say() { printf '==> %s\n' "$*"; }

# fail CODE MESSAGE HINT: the daemon's own form, one line and what to do about it.
fail() {
  printf 'run: %s\n' "$2" >&2
  printf 'HINT: %s\n' "$3" >&2
  exit "$1"
}

# Every child leads a process group of its own, so that it can be ended with all of its children,
# and gets SIGTERM when this script is gone, even by SIGKILL. None holds the demo's lock (9).
spawn() { setsid setpriv --pdeathsig TERM -- "$@" 9>&- </dev/null & }

# Runs a command so that a signal to this script is acted on at once and not when the command ends.
step() {
  spawn "$@"
  step_pid=$!
  local code=0
  wait "$step_pid" || code=$?
  step_pid=
  return "$code"
}

# end_process PID SECONDS: asks the process and its group, waits, insists.
end_process() {
  local pid=$1 tries=$(($2 * 10))
  [[ -n $pid ]] || return 0
  kill -TERM -- "-$pid" 2>/dev/null || true
  while ((tries-- > 0)) && alive "$pid"; do sleep 0.1; done
  kill -KILL -- "-$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
}

# A zombie of ours is dead.
alive() {
  local state
  state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) || return 1
  [[ -n $state && $state != Z ]]
}

port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The processes that work in a folder, one a line.
processes_in() {
  local entry cwd
  for entry in /proc/[0-9]*; do
    cwd=$(readlink "$entry/cwd" 2>/dev/null) || continue
    if [[ $cwd == "$1" || $cwd == "$1"/* ]]; then echo "${entry#/proc/}"; fi
  done
}

clean_up() {
  local code=$? part
  trap '' INT TERM HUP
  trap - EXIT
  end_process "$step_pid" 20
  for part in "${clean_up_parts[@]}"; do "$part"; done
  exit "$code"
}

catch_signals() {
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  trap 'exit 129' HUP
}

# shellcheck shell=bash
# ./run test: builds a preset and runs its tests. Read by ./run.
#
# Invariant: the tests' files lie in `test_dir`, and nothing in it outlives the run.

test_dir=''

clean_up_test() {
  local pid
  [[ -n $test_dir ]] || return 0
  for pid in $(processes_in "$test_dir"); do kill -KILL "$pid" 2>/dev/null || true; done
  rm -rf "$test_dir"
}
clean_up_parts+=(clean_up_test)

sanitizer_options() {
  export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1
  export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
  export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
}

# memory_folder: where the folders of servers cost half of the processor time that they cost on
# ext4. There must be memory to spare, and programs must run there.
memory_folder() {
  local folder=/dev/shm kib
  [[ -w $folder && $(stat --file-system --format=%T "$folder") == tmpfs ]] || return 1
  ! grep -qs "^[^ ]* $folder tmpfs [^ ]*noexec" /proc/mounts || return 1
  for kib in "$(df --output=avail --block-size=1K "$folder" | tail -n 1)" \
    "$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo)"; do
    ((kib > 10 * 1024 * 1024)) || return 1
  done
  echo "$folder"
}

# Tests get a temporary folder of their own: what still works in it afterwards was left behind.
test_all() {
  local preset=release suite='' code=0 left
  local -a select=()
  while (($#)); do
    case $1 in
      --preset) shift; preset=${1:-} ;;
      --preset=*) preset=${1#--preset=} ;;
      --suite) shift; suite=${1:-} ;;
      --suite=*) suite=${1#--suite=} ;;
      --long) export PANTRYD_LONG_TESTS=1 ;;
      *) fail 2 "test does not know '$1'" "./run help" ;;
    esac
    shift || true
  done
  # A suite is a label and a target, NAME_suite, of tests/CMakeLists.txt.
  case $suite in
    '') ;;
    pool) select=(-L "^pool$") ;;
    *) fail 2 "no suite '$suite'" "the only one is pool" ;;
  esac
  install_missing "${BUILD_PACKAGES[@]}" "${RUN_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
  catch_signals
  build "$preset" ${suite:+"${suite}_suite"}
  test_dir=$(mktemp -d "${TMPDIR:-$(memory_folder || echo /tmp)}/pantryd-test.XXXXXX")
  ((EUID)) || chmod 711 "$test_dir"
  sanitizer_options
  cd "$ROOT" || return
  # A test asks for quarters of a processor: tests/costs.txt.
  TMPDIR=$test_dir step ctest --preset "$preset" --no-tests=error --parallel "$((4 * $(nproc)))" \
    "${select[@]}" || code=$?
  left=$(processes_in "$test_dir" | wc -l)
  if ((left)); then
    echo "run: the tests left $left processes behind" >&2
    ((code)) || code=1
  fi
  exit "$code"
}

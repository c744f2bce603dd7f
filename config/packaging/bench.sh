# shellcheck shell=bash
# ./run bench: the benches of tests/bench. Read by ./run.

# A bench is tests/bench/NAME.sh, which finds the binary in $PANTRYD, or tests/bench/NAME.cpp.
bench() {
  local file name found=0
  install_missing "${BUILD_PACKAGES[@]}" "${RUN_PACKAGES[@]}"
  catch_signals
  build release
  for file in "$ROOT"/tests/bench/*.sh "$ROOT"/tests/bench/*.cpp; do
    name=$(basename "${file%.*}")
    [[ -e $file && (-z ${1:-} || $1 == "$name") ]] || continue
    found=1
    case $file in
      *.sh) PANTRYD=$ROOT/build/release/pantryd step bash "$file" ;;
      *.cpp) step "$ROOT/build/release/tests/bench_$name" ;;
    esac
  done
  ((found)) || fail 2 "no bench '${1:-}' in tests/bench" "each file there is a bench"
}

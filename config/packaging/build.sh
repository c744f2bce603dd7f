# shellcheck shell=bash
# Configures and builds a preset. Read by ./run.

# As many jobs as cores, but never more than memory has room for: a large source takes 0.8 GB.
build_jobs() {
  local cores memory_jobs
  cores=$(nproc)
  memory_jobs=$(awk '/^MemAvailable/ {print int($2 / 800000)}' /proc/meminfo)
  ((memory_jobs > 0)) || memory_jobs=1
  echo "$((memory_jobs < cores ? memory_jobs : cores))"
}

# build PRESET [TARGET]: quick when nothing has changed.
build() {
  local preset=$1 folder=$ROOT/build/$1
  local -a fresh=() target=()
  [[ -z ${2:-} ]] || target=(--target "$2")
  grep -q "\"name\": \"$preset\"" "$ROOT/CMakePresets.json" ||
    fail 2 "no preset '$preset'" "cmake --list-presets names them"
  if ! mkdir -p "$folder" || [[ ! -w $folder ]]; then
    fail 1 "cannot write to $folder" "if another user built here, remove 'build' as that user"
  fi
  # A checkout that has moved keeps a cache that CMake refuses.
  if [[ -e $folder/CMakeCache.txt ]] &&
    ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$ROOT" "$folder/CMakeCache.txt"; then
    fresh=(--fresh)
  fi
  if ((${#fresh[@]})) || [[ ! -e $folder/build.ninja ||
    $ROOT/CMakePresets.json -nt $folder/build.ninja ]]; then
    say "configuring build/$preset"
    step cmake -S "$ROOT" --preset "$preset" "${fresh[@]}" >"$folder/configure.log" 2>&1 ||
      { cat "$folder/configure.log" >&2; return 1; }
  fi
  # A checkout elsewhere finds what this one has compiled.
  export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$ROOT} CCACHE_NOHASHDIR=${CCACHE_NOHASHDIR:-1}
  say "building build/$preset"
  step cmake --build "$folder" --parallel "$(build_jobs)" "${target[@]}"
}

build_release() {
  install_missing "${BUILD_PACKAGES[@]}"
  catch_signals
  build release pantryd
}

# shellcheck shell=bash
# Sourced by the install scripts of the tests that need packages of npm. They set HERE (with
# package.json and package-lock.json), FOLDER, LIMIT_S and WITHOUT, what cannot be tested else.

fail() {
  printf 'tests/%s: %s\nHINT: %s\n' "${HERE##*/}" "$1" "$2" >&2
  exit 1
}

# One install in FOLDER at a time, until this shell ends.
npm_begin() {
  local tool
  for tool in node npm; do
    command -v "$tool" >/dev/null ||
      fail "$tool is missing, so $WITHOUT" "./run install, or: apt-get install nodejs npm"
  done
  mkdir -p "$FOLDER"
  exec 9>"$FOLDER/lock"
  flock --timeout "$LIMIT_S" 9 || fail "another install in $FOLDER does not end" "end it"
}

# npm_is_fresh STAMP: what the stamp describes is there already.
npm_is_fresh() { [[ $(cat "$FOLDER/stamp" 2>/dev/null) == "$1" ]]; }

# Into FOLDER/node_modules, as the lock file says.
npm_fetch() {
  rm -f "$FOLDER/stamp"
  cp "$HERE/package.json" "$HERE/package-lock.json" "$FOLDER/"
  cd "$FOLDER" || exit 1
  timeout --kill-after=10 "$LIMIT_S" npm ci --no-audit --no-fund --ignore-scripts \
    --loglevel=error </dev/null 9>&- ||
    fail "npm ci failed" "the lines above say why: npm must reach its registry"
}

# npm_done STAMP: only now is it there.
npm_done() { printf '%s\n' "$1" >"$FOLDER/stamp"; }

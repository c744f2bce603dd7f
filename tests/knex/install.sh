#!/usr/bin/env bash
# install.sh FOLDER: Knex and these migrations in FOLDER, which is in a build folder; node_modules is
# fetched again only when the lock file or the version of Node has changed.
set -euo pipefail

HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
readonly HERE FOLDER=${1:?FOLDER} LIMIT_S=240

fail() {
  printf 'tests/knex: %s\nHINT: %s\n' "$1" "$2" >&2
  exit 1
}

for tool in node npm; do
  command -v "$tool" >/dev/null ||
    fail "$tool is missing, so nothing can be tested against Knex" "./run install, or: apt-get install nodejs npm"
done

mkdir -p "$FOLDER"
exec 9>"$FOLDER/lock"
flock --timeout "$LIMIT_S" 9 || fail "another install in $FOLDER does not end" "end it"
rm -rf "$FOLDER/migrations"
cp -r "$HERE/package.json" "$HERE/package-lock.json" "$HERE/knexfile.js" "$HERE/migrations" "$FOLDER/"

stamp=$(node --version && sha256sum <"$HERE/package-lock.json")
[[ $(cat "$FOLDER/stamp" 2>/dev/null) != "$stamp" ]] || exit 0
rm -f "$FOLDER/stamp"
cd "$FOLDER"
timeout --kill-after=10 "$LIMIT_S" npm ci --no-audit --no-fund --ignore-scripts --loglevel=error \
  </dev/null 9>&- ||
  fail "npm ci failed" "the lines above say why: npm must reach its registry"
printf '%s\n' "$stamp" >"$FOLDER/stamp"

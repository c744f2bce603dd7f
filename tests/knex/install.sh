#!/usr/bin/env bash
# install.sh FOLDER: Knex and these migrations in FOLDER, which is in a build folder; node_modules
# is fetched again only when the lock file or the version of Node has changed.
set -euo pipefail

HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
readonly HERE FOLDER=${1:?FOLDER} LIMIT_S=240 WITHOUT='nothing can be tested against Knex'
# shellcheck source=../support/npm.sh
source "$HERE/../support/npm.sh"

npm_begin
rm -rf "$FOLDER/migrations"
cp -r "$HERE/knexfile.js" "$HERE/migrations" "$FOLDER/"
stamp=$(node --version && sha256sum <"$HERE/package-lock.json")
if npm_is_fresh "$stamp"; then exit 0; fi
npm_fetch
npm_done "$stamp"

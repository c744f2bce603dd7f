#!/usr/bin/env bash
# install.sh FOLDER: a server of each supported major, FOLDER/14 to FOLDER/18, each with bin, lib
# and share: no Debian packages more than one of them. FOLDER is in a build folder, and is filled
# again only when the lock file has changed. They hold initdb, postgres and contrib, no client
# programs.
set -euo pipefail

HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
readonly HERE FOLDER=${1:?FOLDER} LIMIT_S=400 WITHOUT='no probe can be tried on other majors'
# shellcheck source=../support/npm.sh
source "$HERE/../support/npm.sh"

[[ $(uname -m) == x86_64 ]] ||
  fail "these servers are built for x86_64" "test there, or leave probes_matrix_test out by name"

npm_begin
stamp=$(cat "$HERE/package-lock.json" "$HERE/install.sh" | sha256sum)
if npm_is_fresh "$stamp"; then exit 0; fi
rm -rf "$FOLDER"/1[0-9] "$FOLDER/node_modules"
npm_fetch

# npm packs no symbolic links, so the packages list theirs: [{source, target}], from their root.
for major in 14 15 16 17 18; do
  node --eval '
    const fs = require("fs"), path = require("path"), root = process.argv[1];
    const links = JSON.parse(fs.readFileSync(path.join(root, "native/pg-symlinks.json")));
    for (const {source, target} of links) {
      const link = path.join(root, target);
      fs.mkdirSync(path.dirname(link), {recursive: true});
      fs.rmSync(link, {force: true});
      fs.symlinkSync(path.relative(path.dirname(link), path.join(root, source)), link);
    }' "$FOLDER/node_modules/postgresql-$major" ||
    fail "no links for $major" "the package has changed"
  mv "node_modules/postgresql-$major/native" "$major"
  chmod 755 "$major"/bin/*
  LC_ALL=C "$major/bin/postgres" --version | grep -q " $major\." ||
    fail "the server of $major does not start here" "the line above says why"
done
rm -rf node_modules
npm_done "$stamp"

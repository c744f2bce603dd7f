#!/usr/bin/env bash
# The fresh-machine check: a bare Debian 13 in a folder, the checkout copied in, the README's
# commands as a newcomer gives them. It tests the last commit, not uncommitted changes.
#
# The machine is a chroot with mount and process namespaces of its own: when this script ends, on
# whatever way, no process, mount or folder of it is left. The bare root (a tarball) and what ccache
# has compiled in it are kept in ${XDG_CACHE_HOME:-~/.cache}/pantryd. PANTRYD_DEBIAN_MIRROR chooses
# another mirror.
#
#   run.sh           the check
#   run.sh prepare   fills that cache, so that the check compiles nothing that has not changed since
set -euo pipefail

HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd -- "$HERE/../.." && pwd)
readonly HERE ROOT SUITE=trixie
export LC_ALL=C.UTF-8 PATH=$PATH:/usr/sbin:/sbin

say() { printf '==> fresh: %s\n' "$*"; }

fail() {
  printf 'fresh: %s\n' "$1" >&2
  printf 'HINT: %s\n' "$2" >&2
  exit 1
}

# --- outside: what must be cleaned up whatever happens ------------------------------------------

work=''
child=''

clean_up() {
  local code=$?
  trap '' INT TERM HUP
  trap - EXIT
  if [[ -n $child ]]; then
    kill -KILL "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
  fi
  # The mounts went with the namespace; --one-file-system in case they did not.
  [[ -z $work ]] || rm -rf --one-file-system "$work"
  exit "$code"
}

outside() {
  if ((EUID)); then
    command -v sudo >/dev/null || fail "making a root folder needs root" "run it as root"
    exec sudo --preserve-env=PANTRYD_DEBIAN_MIRROR,CI -- bash "$HERE/run.sh" "$1"
  fi
  bash "$ROOT/run" install debootstrap
  unshare --mount --pid --fork --kill-child true 2>/dev/null ||
    fail "namespaces are not allowed here" "in a container, give it the capability SYS_ADMIN"
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  work=$(mktemp -d "${PANTRYD_FRESH_DIR:-/var/tmp}/pantryd-fresh.XXXXXX")
  local code=0
  unshare --mount --pid --fork --kill-child --mount-proc \
    bash "$HERE/run.sh" inside-namespace "$work" "$1" </dev/null &
  child=$!
  wait "$child" || code=$?
  child=''
  exit "$code"
}

# --- in the namespace ---------------------------------------------------------------------------

is_debian_13() {
  [[ -x $1/usr/bin/apt-get ]] && grep -qs "^VERSION_CODENAME=$SUITE$" "$1/etc/os-release"
}

# unpack_cached TARBALL FOLDER: false when there is none or it is damaged; gzip carries a checksum.
unpack_cached() {
  [[ -s $1 ]] || return 1
  mkdir -p "$2"
  tar -xzpf "$1" --numeric-owner -C "$2" 2>/dev/null && is_debian_13 "$2" && return 0
  say "the cached root is damaged, making a new one"
  rm -rf --one-file-system "$2" "$1"
  return 1
}

make_root() {
  local root=$1 cache=$2 tarball
  tarball=$cache/debian-$SUITE-$(dpkg --print-architecture).tar.gz
  if unpack_cached "$tarball" "$root"; then
    say "using the bare root in $tarball"
    return
  fi
  say "making a bare Debian 13, half a minute"
  debootstrap --variant=minbase "$SUITE" "$root" \
    ${PANTRYD_DEBIAN_MIRROR:+"$PANTRYD_DEBIAN_MIRROR"} >"$root.log" 2>&1 || {
    tail -n 20 "$root.log" >&2
    fail "debootstrap failed" "the lines above say why; PANTRYD_DEBIAN_MIRROR chooses a mirror"
  }
  is_debian_13 "$root" || fail "debootstrap made something else than Debian 13" "see $SUITE"
  rm -f "$root"/var/cache/apt/archives/*.deb
  if mkdir -p "$cache" 2>/dev/null && tar -czpf "$tarball.$$" --numeric-owner -C "$root" .; then
    mv "$tarball.$$" "$tarball"
  else
    rm -f "$tarball.$$"
  fi
}

# apt and npm in there reach their archives the way those out here do.
copy_network_settings() {
  local root=$1 authorities
  cat /etc/resolv.conf >"$root/etc/resolv.conf" 2>/dev/null || true
  cat /etc/hosts >"$root/etc/hosts" 2>/dev/null || true
  { apt-config dump | grep -E '^Acquire::(http|https|Retries|Check-|Force)' || true; } \
    >"$root/etc/apt/apt.conf.d/90outside"
  command -v npm >/dev/null || return 0
  printf 'registry=%s\n' "$(npm config get registry 2>/dev/null)" >"$root/etc/npmrc"
  authorities=$(npm config get cafile 2>/dev/null)
  if [[ -s $authorities ]]; then
    cat "$authorities" >"$root/etc/npm-authorities.crt"
    echo 'cafile=/etc/npm-authorities.crt' >>"$root/etc/npmrc"
  fi
}

# What a machine has that a folder has not. Nodes are bound, since making them may be forbidden.
mount_machine() {
  local root=$1 node
  mount -t proc proc "$root/proc"
  mount -t tmpfs -o mode=755 tmpfs "$root/dev"
  for node in null zero full random urandom tty; do
    : >"$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
  done
  mkdir "$root/dev/shm" "$root/dev/pts"
  mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
  ln -s pts/ptmx "$root/dev/ptmx"
  ln -s /proc/self/fd "$root/dev/fd"
  ln -s /proc/self/fd/0 "$root/dev/stdin"
  ln -s /proc/self/fd/1 "$root/dev/stdout"
  ln -s /proc/self/fd/2 "$root/dev/stderr"
}

# The cache is for root and for the newcomer, and its place is no setting of theirs.
mount_compiler_cache() {
  local root=$1 cache=$2/ccache-$SUITE
  mkdir -p "$root/var/cache/ccache" "$cache" 2>/dev/null || return 0
  chmod 777 "$cache"
  mount --bind "$cache" "$root/var/cache/ccache"
  printf '%s\n' 'cache_dir = /var/cache/ccache' 'max_size = 2G' 'umask = 000' \
    >"$root/etc/ccache.conf"
}

copy_checkout() {
  local git=(git -c safe.directory='*' -C "$ROOT")
  mkdir -p "$1"
  if command -v git >/dev/null && "${git[@]}" rev-parse --verify --quiet HEAD >/dev/null; then
    say "testing commit $("${git[@]}" rev-parse --short HEAD)"
    [[ -z $("${git[@]}" status --porcelain) ]] || say "uncommitted changes are NOT in the test"
    "${git[@]}" archive HEAD | tar -x -C "$1"
  else
    say "no git repository: testing the files as they are"
    tar -c --exclude=./build --exclude=./.git -C "$ROOT" . | tar -x --no-same-owner -C "$1"
  fi
}

# inside_namespace FOLDER prepare|check
inside_namespace() {
  local root=$1/root cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/pantryd
  mkdir "$root"
  make_root "$root" "$cache"
  copy_network_settings "$root"
  mount_machine "$root"
  mount_compiler_cache "$root" "$cache"
  copy_checkout "$root/srv/pantryd"
  cp "$HERE/newcomer.sh" "$root/srv/newcomer.sh"
  # A fresh login: nothing of our environment but the proxy, no locale.
  env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
    chroot "$root" /bin/bash /srv/newcomer.sh "$2"
}

case ${1:-check} in
  check | prepare) outside "${1:-check}" ;;
  inside-namespace) inside_namespace "$2" "$3" ;;
  *) fail "there is no '$1'" "bash tests/fresh/run.sh [prepare]" ;;
esac

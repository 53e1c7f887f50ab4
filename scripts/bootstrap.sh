#!/bin/sh
# Runs one of the project's scripts under the Node that the project brings along:  bootstrap.sh SCRIPT.ts [ARGUMENT…]
# Needs nothing but a shell and npm: on a fresh clone, or after the locked versions changed, it installs the packages first.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
installed="$root/node_modules/.package-lock.json"
lacking() {
  [ ! -x "$root/node_modules/.bin/node" ] || [ ! -f "$installed" ] || [ "$root/package-lock.json" -nt "$installed" ]
}
if lacking; then
  exec 9<"$root/package-lock.json" # one at a time: npm ci begins by removing everything
  flock 9
  if lacking; then
    echo "bootstrap: installing the npm packages of package-lock.json (npm ci)" >&2
    (cd "$root" && npm ci --no-audit --no-fund --loglevel=error >&2 9<&-)
  fi
  exec 9<&-
fi
script=$1
shift
PATH="$root/node_modules/.bin:$PATH:/usr/sbin:/sbin" exec "$root/node_modules/.bin/node" "$root/scripts/$script" "$@"

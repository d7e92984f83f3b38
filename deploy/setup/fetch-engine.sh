#!/usr/bin/env bash
# Fetches the ClickHouse engine (libchdb.so) into the cache folder. Does nothing, and needs no
# network, when the right file is there already.
set -euo pipefail

version=26.7.3-stable.1
case "$(uname -sm)" in
  "Linux x86_64")
    package=@chdb/lib-linux-x64-gnu
    sha256=36ad4e999882821ef13cf2d0f52c93f48e6ee1b4498b35a201c23ce4b8d15bf5 ;;
  *)
    echo "no tested ClickHouse engine for $(uname -sm): only Linux x86_64 with glibc is supported" >&2
    exit 2 ;;
esac

if [ -n "${NAAP_CACHE_DIR:-}" ]; then cache=$NAAP_CACHE_DIR
elif [ -n "${XDG_CACHE_HOME:-}" ]; then cache=$XDG_CACHE_HOME/naap
else cache=$HOME/.cache/naap
fi
target=$cache/chdb-$version/libchdb.so

matches() { [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$sha256" ]; }

if [ -f "$target" ]; then
  # The mark spares a second of hashing on every later run.
  if [ "$target.ok" -nt "$target" ] || matches "$target"; then
    touch "$target.ok"
    echo "ClickHouse engine $version is ready: $target"
    exit 0
  fi
  echo "$target is damaged, fetching it again" >&2
fi

command -v npm >/dev/null || { echo "npm is needed to fetch $package: install Node.js 20 or newer" >&2; exit 2; }
mkdir -p "$(dirname "$target")"
work=$(mktemp -d "$cache/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT

echo "fetching $package@$version (178 MB, once)"
(cd "$work" && npm pack --silent "$package@$version" >/dev/null) || {
  echo "npm could not fetch $package@$version: check the network and npm's registry setting, then run this again" >&2
  exit 1
}
tar xzf "$work"/*.tgz -C "$work" package/libchdb.so
matches "$work/package/libchdb.so" || {
  echo "checksum of libchdb.so in $package@$version is wrong, it was not installed" >&2
  exit 1
}
# A rename inside one file system: nobody ever sees half a library.
mv "$work/package/libchdb.so" "$target"
touch "$target.ok"
echo "ClickHouse engine $version is ready: $target"

# shellcheck shell=bash
# Sourced by the scripts and the Makefile: where tools are cached, and how to say that one is missing.
NAAP_CACHE_DIR=${NAAP_CACHE_DIR:-${HOME:-/root}/.cache/naap}
export NAAP_CACHE_DIR

NAAP_TOOLS=$NAAP_CACHE_DIR/tools
# rustup puts cargo here without touching the PATH of shells that are already open.
PATH=$NAAP_TOOLS/bin:$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin
export NAAP_TOOLS PATH
# No byte code beside the check scripts: a run leaves the work tree as it was.
export PYTHONDONTWRITEBYTECODE=1

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }
die() {
    say "$*"
    exit 2
}
have() { command -v "$1" >/dev/null 2>&1; }

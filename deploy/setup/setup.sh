#!/usr/bin/env bash
# Installs what a Debian-like machine misses. A second run finds everything and needs no network.
#
#   setup.sh build   compiler, Rust, engine library, crates    (make test, make demo)
#   setup.sh cluster build, and what a test broker takes       (make cluster, make test-cluster, make chaos)
#   setup.sh tools   linters of fixed versions in the cache    (make docs-check)
#   setup.sh all     both                                      (make lint)
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=deploy/setup/env.sh
. deploy/setup/env.sh

# Installs the named Debian packages, or says in one sentence what to do.
apt_install() {
    if [ "$(id -u)" -ne 0 ] || ! have apt-get; then
        die "missing: $*; install these packages (Debian: sudo apt-get install $*), then run make setup again"
    fi
    say "installing $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y --no-install-recommends "$@" >/dev/null 2>&1 && return
    # A fresh image has no package lists yet.
    if ! { apt-get update && apt-get install -y --no-install-recommends "$@"; } >/dev/null; then
        die "apt-get could not install $*; check the network or install them by hand, then run make setup again"
    fi
}

system_packages() {
    local missing=()
    have gcc || missing+=(gcc)
    have g++ || missing+=(g++)
    have make || missing+=(make)
    have git || missing+=(git)
    have pkg-config || missing+=(pkg-config)
    # librdkafka links both.
    { have pkg-config && pkg-config --exists openssl; } || missing+=(libssl-dev)
    { have pkg-config && pkg-config --exists zlib; } || missing+=(zlib1g-dev)
    [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
}

rust() {
    if ! have cargo; then
        # Debian carries rustup from release 13 on.
        apt-cache show rustup >/dev/null 2>&1 ||
            die "cargo is missing; install rustup from your package manager or its home page, then run make setup again"
        apt_install rustup
    fi
    # rust-toolchain.toml names the version; rustup fetches it on first use.
    cargo --version >/dev/null 2>&1 || rustup toolchain install >&2 ||
        die "the Rust toolchain of rust-toolchain.toml is missing; run rustup toolchain install with a network, then make setup again"
    local want got
    want=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
    got=$(rustc --version | cut -d' ' -f2)
    [ "$want" = "$got" ] ||
        die "rustc is $got but rust-toolchain.toml asks for $want; install rustup, or that version, then run make setup again"
}

engine() {
    local fetch=deploy/setup/fetch-engine.sh
    [ -x "$fetch" ] || return 0
    local missing=()
    have node || missing+=(nodejs)
    have npm || missing+=(npm)
    # fetch-engine.sh asks npm only when the library is not in the cache.
    if [ ${#missing[@]} -gt 0 ] && ! compgen -G "$NAAP_CACHE_DIR/chdb-*/libchdb.so" >/dev/null; then
        apt_install "${missing[@]}"
    fi
    "$fetch" >&2
}

crates() {
    # Answers at once when every crate is there already.
    cargo fetch --locked --offline >/dev/null 2>&1 && return
    say "fetching the crates of Cargo.lock"
    cargo fetch --locked >&2 ||
        die "the crates of Cargo.lock could not be fetched; check the network, then run make setup again"
}

tools() {
    local stamp want
    stamp=$NAAP_TOOLS/installed
    want=$(cat deploy/setup/tools.txt deploy/setup/k8s-tools.txt)
    [ "$(cat "$stamp" 2>/dev/null)" != "$want" ] || return 0
    have python3 || apt_install python3
    # Debian ships the venv module, and the pip it needs, as a package of their own.
    python3 -c 'import venv, ensurepip' 2>/dev/null || apt_install python3-venv
    say "installing the check tools into $NAAP_TOOLS"
    rm -rf "$NAAP_TOOLS"
    python3 -m venv "$NAAP_TOOLS"
    local pip=("$NAAP_TOOLS/bin/pip" install --quiet --disable-pip-version-check --only-binary :all:)
    "${pip[@]}" --no-deps --require-hashes -r deploy/setup/tools.txt >&2 ||
        die "the tools of deploy/setup/tools.txt could not be installed; check the network, then run make setup again"
    # Optional: without it `make k8s-check` says so and goes on.
    "${pip[@]}" -r deploy/setup/k8s-tools.txt >&2 || say "the manifest validator could not be installed; make k8s-check will skip it"
    printf '%s\n' "$want" >"$stamp"
}

build() {
    system_packages
    rust
    engine
    crates
}

# Java runs Apache Kafka, Maven fetches it; neither is needed where NAAP_KAFKA_BOOTSTRAP names a broker.
cluster() {
    build
    [ -z "${NAAP_KAFKA_BOOTSTRAP:-}" ] || return 0
    local missing=()
    have java || missing+=(openjdk-17-jre-headless)
    { have mvn || compgen -G "$NAAP_CACHE_DIR/kafka-*/complete" >/dev/null; } || missing+=(maven)
    [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
    deploy/setup/kafka.sh fetch
}

mkdir -p "$NAAP_CACHE_DIR" ||
    die "cannot create the cache folder $NAAP_CACHE_DIR; set NAAP_CACHE_DIR to a folder that can be written"
case ${1:-all} in
build) build ;;
cluster) cluster ;;
tools) tools ;;
all)
    build
    tools
    ;;
*) die "unknown part '$1'; use build, cluster, tools or all" ;;
esac

#!/usr/bin/env bash
# Builds what is shipped and what is measured: linked as a whole, and laid out by what the program does.
#   dist.sh                           the program, as target/dist/naap
#   dist.sh bench --workspace [...]   any other command of cargo, built in the same way
# The first run, and each after a change, also builds a naap that counts where it passes, and lets it replay real and
# generated events. What it counted guides the compiler, which takes a quarter off an event (docs/performance.md).
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=deploy/setup/env.sh
. deploy/setup/env.sh

[ $# -gt 0 ] || set -- build --bin naap

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
folder=$target/counting
naap=$folder/dist/naap
counts=$folder/counts
profile=$folder/naap.profdata

# What takes a minute to miss is looked for before what takes ten to build. The tool comes with the compiler, because
# it reads what that version of it writes.
profdata=$(rustc --print target-libdir)/../bin/llvm-profdata
if [ ! -x "$profdata" ]; then
    { have rustup && rustup component add llvm-tools >&2; } ||
        die "llvm-profdata is missing; run rustup component add llvm-tools with a network, then run this again"
fi
deploy/setup/fetch-engine.sh >&2

# Says what a command printed only if it failed.
quietly() {
    "$@" >"$folder/said" 2>&1 || {
        cat "$folder/said" >&2
        die "'$*' failed; the profile needs it, so nothing was built"
    }
}

count() {
    local work=$folder/replays
    rm -rf "$counts" "$work"
    mkdir -p "$work"
    # cargo does not look at what a profile holds, so nothing built with an older one may stay.
    cargo clean --quiet --profile dist
    say "replaying real and generated events with counters in the program"
    quietly "$naap" generate --seed 1 --sessions 3000 --out "$work/generated.jsonl"
    quietly "$naap" replay --data-dir "$work/real" tests/fixtures/events-2026-01-08.jsonl
    quietly "$naap" replay --data-dir "$work/generated" "$work/generated.jsonl"
    # What was never run stays as it would be without a profile: --sparse leaves it out, else it would be taken as rare.
    "$profdata" merge --sparse --output "$profile.new" "$counts"
    mv "$profile.new" "$profile"
    rm -rf "$work"
}

say "building naap with counters (ten minutes from nothing, and as long again for what it guides)"
RUSTFLAGS="${RUSTFLAGS:-} -Cprofile-generate=$counts" \
    cargo build --target-dir "$folder" --profile dist --locked --bin naap
[ "$profile" -nt "$naap" ] || count

RUSTFLAGS="${RUSTFLAGS:-} -Cprofile-use=$profile" cargo "$1" --profile dist --locked "${@:2}"

#!/usr/bin/env bash
# Runs every target of tests/fuzz for NAAP_FUZZ_SECONDS; a finding is written to tests/fuzz/artifacts and fails the run.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=deploy/setup/env.sh
. deploy/setup/env.sh

seconds=${NAAP_FUZZ_SECONDS:-60}
project=tests/fuzz
if [ ! -f "$project/Cargo.toml" ]; then
    say "skipped: there are no fuzz targets in $project"
    exit 0
fi
have cargo-fuzz || die "cargo-fuzz is not in the cache; run make setup with a network"

# Instrumentation needs unstable flags; without a nightly the pinned compiler is told to accept them.
if have rustup && rustup toolchain list | grep -q '^nightly'; then
    cargo=(cargo +nightly)
else
    export RUSTC_BOOTSTRAP=1
    cargo=(cargo)
fi

for target in $("${cargo[@]}" fuzz list --fuzz-dir "$project"); do
    say "$target for $seconds s"
    "${cargo[@]}" fuzz run --fuzz-dir "$project" "$target" -- -max_total_time="$seconds" -max_len=65536 -print_final_stats=1
done

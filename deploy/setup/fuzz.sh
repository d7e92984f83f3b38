#!/usr/bin/env bash
# Runs the targets of tests/fuzz, each for [seconds] (default NAAP_FUZZ_SECONDS, else 60), and prints what
# was done. A finding is written to tests/fuzz/artifacts and fails the run. Usage: fuzz.sh [seconds [target..]]
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=deploy/setup/env.sh
. deploy/setup/env.sh

seconds=${1:-${NAAP_FUZZ_SECONDS:-60}}
project=tests/fuzz
# The same version as setup.sh installs.
have cargo-fuzz || cargo install --quiet --locked --root "$NAAP_TOOLS" cargo-fuzz@0.13.2 ||
    die "cargo-fuzz is not in the cache; run make setup with a network"

# Instrumentation needs unstable flags; without a nightly the pinned compiler is told to accept them.
if have rustup && rustup toolchain list | grep -q '^nightly'; then
    cargo=(cargo +nightly)
else
    export RUSTC_BOOTSTRAP=1
    cargo=(cargo)
fi

targets=("${@:2}")
if [ ${#targets[@]} -eq 0 ]; then
    mapfile -t targets < <("${cargo[@]}" fuzz list --fuzz-dir "$project")
fi
python3 "$project/seed.py" "$project/corpus"

failed=()
summary=$(printf '%-18s %12s %8s  %s' target executions seconds result)
for target in "${targets[@]}"; do
    say "building $target"
    "${cargo[@]}" fuzz build --fuzz-dir "$project" "$target" 2>&1 | grep -vE '^ *(Compiling|Finished)' || true
    say "$target for $seconds s"
    log=$project/target/$target.log
    started=$SECONDS result=ok
    if ! "${cargo[@]}" fuzz run --fuzz-dir "$project" "$target" -- -max_total_time="$seconds" \
        -max_len=65536 -timeout=10 -malloc_limit_mb=256 -print_final_stats=1 >"$log" 2>&1; then
        failed+=("$target") result=FAILED
        tail -n 60 "$log" >&2
    fi
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    summary+=$'\n'$(printf '%-18s %12s %8s  %s' "$target" "${executions:--}" $((SECONDS - started)) "$result")
done
printf '%s\n' "$summary"
[ ${#failed[@]} -eq 0 ] || die "findings in ${failed[*]}; the inputs are in $project/artifacts"

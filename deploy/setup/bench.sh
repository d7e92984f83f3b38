#!/usr/bin/env bash
# What an event costs, per CPU-second: the stages in memory, the links between nodes, and a whole replay into rows.
#   NAAP_BENCH_SESSIONS  how many sessions to replay (default 25000, which is 1.08 M events)
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=deploy/setup/env.sh
. deploy/setup/env.sh

sessions=${NAAP_BENCH_SESSIONS:-25000}
naap=${CARGO_TARGET_DIR:-target}/dist/naap
folder=$NAAP_CACHE_DIR/bench

title() { printf '\n== %s\n\n' "$1"; }
replay() {
    "$naap" replay --data-dir "$folder/$1" "$folder/$1.jsonl" | tail -n 2
}

title "Stages in memory, and links between nodes (building first, twice: from nothing that takes half an hour)"
deploy/setup/dist.sh bench --workspace --bench pipeline --bench link

title "Whole replay into rows: a generated network with $sessions sessions"
deploy/setup/dist.sh
rm -rf "$folder"
mkdir -p "$folder"
"$naap" generate --sessions "$sessions" --out "$folder/all.jsonl"
replay all

title "The same without capability advertisements"
grep -av '"type":"network_capabilities"' "$folder/all.jsonl" >"$folder/plain.jsonl"
replay plain
rm -rf "$folder"

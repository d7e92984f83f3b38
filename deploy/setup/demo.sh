#!/usr/bin/env bash
# The newcomer's tour: real gateway events and a generated network through one embedded node, and what came of them.
#   NAAP_DEMO_SESSIONS  how many sessions to generate (default 2000)
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=deploy/setup/env.sh
. deploy/setup/env.sh

sessions=${NAAP_DEMO_SESSIONS:-2000}
naap=${CARGO_TARGET_DIR:-target}/release/naap
folder=$NAAP_CACHE_DIR/demo
real=tests/fixtures/events-2026-01-08.jsonl
generated=$folder/generated.jsonl

title() { printf '\n== %s\n\n' "$1"; }
query() {
    printf '%s\n' "$1"
    "$naap" query --data-dir "$folder/$2" --format PrettyCompactMonoBlock "$3"
    printf '\n'
}

title "Building naap (the first build takes some minutes)"
cargo build --release --locked --bin naap

# Every run starts from nothing; a second replay of the same file would only say "already applied".
rm -rf "$folder"
mkdir -p "$folder"

title "1. 65 real gateway messages of 2026-01-08"
"$naap" replay --data-dir "$folder/real" "$real"

title "2. A generated network with $sessions sessions: scattered order, duplicates, losses, garbage"
"$naap" generate --seed 1 --sessions "$sessions" --out "$generated" --truth "$folder/truth.jsonl"
"$naap" replay --data-dir "$folder/generated" --duplicate 0.2 --shuffle 7 "$generated"

title "3. What ClickHouse holds now"
query "Sessions by outcome" generated \
    "SELECT startup_outcome, selection_outcome, count() AS sessions FROM naap.fact_workflow_sessions FINAL
     GROUP BY ALL ORDER BY sessions DESC"
query "Orchestrators that reported most status" generated \
    "SELECT orchestrator_address, uniqExact(stream_id) AS streams, count() AS reports FROM naap.raw_ai_stream_status FINAL
     GROUP BY ALL ORDER BY reports DESC LIMIT 5"
query "Rejected input by reason" generated \
    "SELECT failure_class, failure_reason, count() AS records FROM naap.raw_streaming_events_dlq FINAL
     GROUP BY ALL ORDER BY records DESC LIMIT 10"
query "Rows per table" generated \
    "SELECT table, sum(rows) AS rows FROM system.parts WHERE active AND database = 'naap'
     GROUP BY table ORDER BY rows DESC LIMIT 12"

title "What to try next"
cat <<TEXT
  why a session is so     $naap explain session --data-dir $folder/real stream-o5s73x
  any SQL                 $naap query --data-dir $folder/generated "SHOW TABLES FROM naap"
  your own capture        $naap replay --data-dir my-data my-events.jsonl
  a larger network        NAAP_DEMO_SESSIONS=20000 make demo
  same rows, other order  replay with another --shuffle seed into a new --data-dir and compare the fingerprints
  how it works            docs/architecture.md
TEXT

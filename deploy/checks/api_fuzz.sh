#!/usr/bin/env bash
# Serves a replayed folder and lets schemathesis ask whatever the OpenAPI document allows, and much that it does not.
# The cases follow from NAAP_FUZZ_SEED (default 1); NAAP_FUZZ_EXAMPLES is how many there are per path (default 25).
# With --optional it is skipped where the tool can not be installed.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=deploy/setup/env.sh
. deploy/setup/env.sh
tool=$NAAP_CACHE_DIR/api-fuzz
pins=deploy/checks/api-fuzz.txt
if ! cmp -s "$pins" "$tool/installed"; then
    rm -rf "$tool"
    if ! { python3 -m venv "$tool" && "$tool/bin/pip" install --quiet --disable-pip-version-check --no-deps \
        --only-binary :all: --require-hashes -r "$pins" && cp "$pins" "$tool/installed"; } >&2; then
        say "the tools of $pins could not be installed; they need a network and Python 3.11 or newer"
        [ "${1:-}" = --optional ] && say "skipped: the HTTP interface is not fuzzed" && exit 0
        exit 2
    fi
fi
cargo build --quiet -p naap-node --locked
naap=${CARGO_TARGET_DIR:-target}/debug/naap
scratch=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait; rm -rf "$scratch"' EXIT
"$naap" generate --sessions 60 --hours 3 --out "$scratch/generated.jsonl" 2>/dev/null
# What is asked without a window is the last day: all stamps move so that the events end now.
python3 - "$scratch" <<'MOVE'
import re, sys, time
text = open(sys.argv[1] + "/generated.jsonl", "rb").read()
move = int(time.time() * 1000) - 1767225600000 - 4 * 3600000
moved = re.sub(rb"\b1767\d{9}\b", lambda stamp: b"%d" % (int(stamp[0]) + move), text)
open(sys.argv[1] + "/day.jsonl", "wb").write(moved)
MOVE
"$naap" replay --data-dir "$scratch/data" "$scratch/day.jsonl" >/dev/null 2>&1
"$naap" query --data-dir "$scratch/data" --format TSVRaw \
    "SELECT workflow_session_id FROM naap.fact_workflow_sessions FINAL ORDER BY ALL" >"$scratch/sessions.txt" 2>/dev/null
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$naap" serve --data-dir "$scratch/data" --listen "127.0.0.1:$port" >/dev/null 2>&1 &
server=$!
get() {
    python3 -c 'import sys, urllib.request as u; sys.stdout.buffer.write(u.urlopen(sys.argv[1]).read())' \
        "http://127.0.0.1:$port$1" 2>/dev/null
}
for _ in $(seq 100); do
    if get /readyz >/dev/null; then break; fi
    sleep 0.2
done
for list in gpu-metrics demand sla inventory; do
    get "/v1/streaming/$list?limit=1000" >"$scratch/$list.json" || true
    grep -q '"org"' "$scratch/$list.json" || die "the interface has no rows of $list to be fuzzed with"
done
hooks=$PWD/deploy/checks/api_fuzz_known.py
cd "$scratch"
fuzz() {
    "$tool/bin/schemathesis" --no-color run "http://127.0.0.1:$port/openapi.json" --workers 1 --no-shrink \
        --seed "${NAAP_FUZZ_SEED:-1}" --max-examples "${NAAP_FUZZ_EXAMPLES:-25}" "$@" >said 2>&1 || { cat said && exit 1; }
    sed -n 's/^ *\([0-9]* generated, .*\)/requests: \1/p' said
}
# The document can not say that start is before end, nor whose cursor it is: a refusal of such a request is no fault.
fuzz --exclude-checks positive_data_acceptance
# Of what the folder holds nothing may be refused.
SCHEMATHESIS_HOOKS=$hooks fuzz --mode positive --phases fuzzing

#!/usr/bin/env bash
# Serves a replayed folder and lets schemathesis ask whatever the OpenAPI document allows, and much that it does not.
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/setup/env.sh
cache=${NAAP_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/naap}/api-fuzz
tool=$(tr -d '[:space:]' <deploy/checks/api-fuzz.txt)
if ! "$cache/bin/pip" freeze 2>/dev/null | grep -qx "$tool"; then
    python3 -m venv "$cache"
    "$cache/bin/pip" install --quiet --disable-pip-version-check "$tool"
fi
cargo build --quiet -p naap-node
naap=${CARGO_TARGET_DIR:-target}/debug/naap
scratch=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait; rm -rf "$scratch"' EXIT
"$naap" generate --sessions 60 --hours 3 --out "$scratch/day.jsonl" 2>/dev/null
"$naap" replay --data-dir "$scratch/data" "$scratch/day.jsonl" >/dev/null 2>&1
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$naap" serve --data-dir "$scratch/data" --listen "127.0.0.1:$port" >/dev/null 2>&1 &
server=$!
for _ in $(seq 100); do
    if curl -fs "http://127.0.0.1:$port/readyz" >/dev/null; then break; fi
    sleep 0.2
done
"$cache/bin/schemathesis" run "http://127.0.0.1:$port/openapi.json" --max-examples "${NAAP_FUZZ_EXAMPLES:-40}" --workers 1

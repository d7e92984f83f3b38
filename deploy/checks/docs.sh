#!/usr/bin/env bash
# Documentation: style by rumdl, everything else by docs.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=deploy/setup/env.sh
. deploy/setup/env.sh

rumdl check --config deploy/checks/markdown.toml --no-cache --quiet . && style=0 || style=1
python3 deploy/checks/docs.py
exit "$style"

#!/usr/bin/env bash
# Every check but the tests. Runs them all, so that one run shows all findings; the summary names the failures.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=deploy/setup/env.sh
. deploy/setup/env.sh

failed=()
step() {
    local name=$1 started=$SECONDS
    shift
    printf -- '-- %s\n' "$name"
    if ! "$@"; then
        failed+=("$name")
        printf -- '-- %s FAILED (%s s)\n' "$name" $((SECONDS - started))
    fi
}

rustdoc() { RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet; }

dependencies() {
    local offline=()
    # The lock file is complete and fetched: nothing here needs a network.
    cargo fetch --locked --offline >/dev/null 2>&1 && offline=(--offline)
    cargo deny "${offline[@]}" --locked --log-level warn check --hide-inclusion-graph licenses bans sources || return 1
    if [ -d "$NAAP_CACHE_DIR/advisory-dbs" ]; then
        cargo deny "${offline[@]}" --locked check advisories --disable-fetch
    else
        printf 'skipped: advisories, for want of a database in %s/advisory-dbs\n' "$NAAP_CACHE_DIR"
    fi
}

# Every script in the repository, whether its name says so or only its first line.
scripts() {
    local file found=()
    while IFS= read -r file; do
        if [[ $file == *.sh ]] || head -n 1 "$file" 2>/dev/null | grep -qaE '^#!.*\b(bash|sh)\b'; then
            found+=("$file")
        fi
    done < <(git ls-files --cached --others --exclude-standard)
    shellcheck -x "${found[@]}"
}

step "self-tests of the checks" python3 -W error -m unittest discover --quiet --start-directory deploy/checks
step "rustfmt" cargo fmt --all --check
step "spelling" typos --config typos.toml
step "shell" scripts
step "names" python3 deploy/checks/names.py
step "joins of demand" python3 deploy/checks/demand.py
step "alerts" python3 deploy/checks/alerts.py
step "dependency table" python3 deploy/checks/dependencies.py
step "manifests" deploy/checks/k8s.sh
step "dependencies: licences, bans, sources" dependencies
step "unused dependencies" cargo shear --locked
step "clippy" cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
step "rustdoc" rustdoc
# The commands in the examples are compared with the binary that this tree builds.
step "naap" cargo build --package naap-node --locked --quiet
step "docs" deploy/checks/docs.sh
step "HTTP interface" deploy/checks/api_fuzz.sh --optional
if [ -n "${NAAP_CHANGE_BASE:-}" ]; then
    step "co-update" python3 deploy/checks/coupdate.py --base "$NAAP_CHANGE_BASE"
fi

if [ ${#failed[@]} -gt 0 ]; then
    printf 'lint: %s failed:' "${#failed[@]}"
    printf ' %s;' "${failed[@]}"
    printf '\n'
    exit 1
fi
printf 'lint: all checks passed in %s s\n' "$SECONDS"

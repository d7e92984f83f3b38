#!/usr/bin/env bash
# Renders every overlay, checks it against the schemas of the oldest and newest supported Kubernetes, then by our own rules.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=deploy/setup/env.sh
. deploy/setup/env.sh

if have kubectl; then
    render=(kubectl kustomize)
elif have kustomize; then
    render=(kustomize build)
else
    printf 'skipped: manifests, because neither kubectl nor kustomize is installed\n'
    exit 0
fi
if ! have kubernetes-validate; then
    printf 'skipped: manifests, because kubernetes-validate is not in the cache; run make setup with a network\n'
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for folder in k8s/base k8s/overlays/*/; do
    built=$work/built.yaml
    "${render[@]}" "$folder" >"$built"
    for version in 1.32 1.37; do
        kubernetes-validate -k "$version" --strict --quiet "$built"
    done
    "$NAAP_TOOLS/bin/python" deploy/checks/manifests.py "$built"
    printf 'manifests: %s is good\n' "$folder"
done

#!/bin/sh
# Renders base and examples for those who have no kustomize: install.yaml and rendered/*.yaml.
# Needs kubectl 1.27 or later, or kustomize 5. Argument: where to write, by default beside this script.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
there=${1:-$here}

if command -v kustomize >/dev/null; then
    render() { kustomize build "$1"; }
else
    render() { kubectl kustomize "$1"; }
fi

mkdir -p "$there/rendered"
render "$here/base" >"$there/install.yaml"
for example in "$here"/examples/*/; do
    name=$(basename "$example")
    # What it adds to `standalone` stands in grafana/ already, word for word and at length.
    [ "$name" = monitored ] || render "$example" >"$there/rendered/$name.yaml"
done

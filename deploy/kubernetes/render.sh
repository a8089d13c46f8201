#!/bin/sh
# Render the base to install.yaml and the examples to rendered/*.yaml, for use without kustomize.
# Requires kubectl 1.27 or later, or kustomize 5. Argument: the output directory, by default that of this script.
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
    # `monitored` only adds files that grafana/ already contains in full.
    [ "$name" = monitored ] || render "$example" >"$there/rendered/$name.yaml"
done

#!/bin/sh
# Render the chart with each file of values/ to rendered/*.yaml. The tests hold these to the same rules as the
# Kubernetes examples, also where Helm is not installed. Requires Helm 3 or later. Argument: the output directory, by
# default that of this script.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
there=${1:-$here}

mkdir -p "$there/rendered"
for values in "$here"/values/*.yaml; do
    # Rules and dashboards are omitted: they are the content of grafana/, and would change with it.
    helm template livepeer-session-exporter "$here/livepeer-session-exporter" --namespace livepeer-monitoring \
        --kube-version 1.29.0 --values "$values" --set prometheusRule.enabled=false --set dashboards.enabled=false \
        >"$there/rendered/$(basename "$values")"
done

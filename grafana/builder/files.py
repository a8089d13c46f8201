"""The generated files."""

from collections.abc import Mapping

from grafana.builder import rule_files
from grafana.builder.base_urls import BaseUrls
from grafana.builder.dashboard import to_json
from grafana.builder.dashboards.exporter.dashboard import exporter
from grafana.builder.dashboards.overview.dashboard import overview
from grafana.builder.dashboards.session.dashboard import session
from grafana.builder.dashboards.stream.dashboard import stream
from grafana.builder.dashboards.streams.dashboard import streams
from grafana.builder.thresholds import Thresholds


def generate(thresholds: Thresholds, urls: BaseUrls) -> Mapping[str, str]:
    """Return the content of each file by its path below ``grafana/``."""
    dashboards = (build(thresholds) for build in (overview, streams, stream, session, exporter))
    recorded = rule_files.recording_groups(thresholds)
    alerts, slo = rule_files.alert_groups(thresholds, urls), rule_files.slo_groups(thresholds, urls)
    documents = {
        "rules/livepeer-recording-rules.yaml": recorded,
        "rules/livepeer-alerts.yaml": alerts,
        "optional-rules/livepeer-slo-alerts.yaml": slo,
        "kubernetes/prometheusrule.yaml": rule_files.prometheus_rule(recorded, alerts),
        "optional-rules/prometheusrule-slo.yaml": rule_files.prometheus_rule(slo, suffix="-slo"),
        "examples/expected-live.yaml": rule_files.expected_live_groups(),
    }
    return {f"dashboards/{dashboard.uid}.json": to_json(dashboard) for dashboard in dashboards} | {
        name: rule_files.to_yaml(document) for name, document in documents.items()
    }

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
    return {f"dashboards/{dashboard.uid}.json": to_json(dashboard) for dashboard in dashboards} | {
        "rules/livepeer-recording-rules.yaml": rule_files.to_yaml(rule_files.recording_groups(thresholds)),
        "rules/livepeer-alerts.yaml": rule_files.to_yaml(rule_files.alert_groups(thresholds, urls)),
        "kubernetes/prometheusrule.yaml": rule_files.to_yaml(rule_files.prometheus_rule(thresholds, urls)),
        "examples/expected-live.yaml": rule_files.to_yaml(rule_files.expected_live_groups()),
    }

"""All that is built, by the name of its file."""

from collections.abc import Mapping

from grafana.builder import dashboard, rule_files
from grafana.builder.alert import Places
from grafana.builder.exporter import exporter
from grafana.builder.overview import overview
from grafana.builder.session import session
from grafana.builder.thresholds import Thresholds


def build(limits: Thresholds, places: Places) -> Mapping[str, str]:
    """The text of each file, by its path below ``grafana/``."""
    pages = (make(limits) for make in (overview, session, exporter))
    dashboards = {f"dashboards/{made.uid}.json": dashboard.write(made) for made in pages}
    return dashboards | {
        "rules/livepeer-recordings.yaml": rule_files.text(rule_files.recording_groups(limits)),
        "rules/livepeer-alerts.yaml": rule_files.text(rule_files.alert_groups(limits, places)),
        "kubernetes/prometheusrule.yaml": rule_files.text(rule_files.operator(limits, places)),
        "examples/expected-live.yaml": rule_files.text(rule_files.expected_groups()),
    }

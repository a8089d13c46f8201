"""Rule files: the same groups as plain files for Prometheus and as one object for the Prometheus operator."""

from typing import Any, Final

import promql_parser
import yaml

from grafana.builder.alert import Places
from grafana.builder.alerting_rules import EXPECTED, alerts
from grafana.builder.recording_rules import recordings
from grafana.builder.thresholds import Thresholds

RECORDINGS: Final = "livepeer.recordings"
ALERTS: Final = "livepeer.alerts"
INTERVAL: Final = "30s"
"""The default poll interval: between polls nothing changes."""

_HEAD: Final = "# Written by `python -m grafana.builder`; change the source there, not this file.\n"

Groups = dict[str, list[dict[str, Any]]]


def recording_groups(limits: Thresholds) -> Groups:
    """The recording rules."""
    rules = [_readable(each.plain()) for each in recordings(limits)]
    return {"groups": [{"name": RECORDINGS, "interval": INTERVAL, "rules": rules}]}


def alert_groups(limits: Thresholds, places: Places) -> Groups:
    """The alerting rules."""
    rules = [_readable(each.plain(places)) for each in alerts(limits)]
    return {"groups": [{"name": ALERTS, "interval": INTERVAL, "rules": rules}]}


def operator(limits: Thresholds, places: Places) -> dict[str, Any]:
    """Both as a PrometheusRule."""
    groups = recording_groups(limits)["groups"] + alert_groups(limits, places)["groups"]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": "livepeer-session-exporter",
            "labels": {"app.kubernetes.io/name": "livepeer-session-exporter"},
        },
        "spec": {"groups": groups},
    }


def expected_groups() -> Groups:
    """An example of the operator's own list of streams that must be live."""
    labels = {"account": "default", "stream_id": "the stream's id", "name": "what to call it"}
    return {
        "groups": [
            {"name": "livepeer.expected", "rules": [{"record": EXPECTED, "expr": "vector(1)", "labels": labels}]}
        ]
    }


def text(document: Any) -> str:
    """YAML with long queries as blocks."""
    return _HEAD + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


def _readable(rule: dict[str, Any]) -> dict[str, Any]:
    return rule | {"expr": promql_parser.parse(rule["expr"]).prettify()}


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and never an anchor."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Rules that stand in two places stand there in full."""
        return True


def _string(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _string)

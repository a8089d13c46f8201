"""All alerting rules, in groups by what they read.

Each alert is about one exporter, account, session or stream, and replicas of the exporter cause one alert. Alerts carry
the labels of their subject, so that Alertmanager can route by stream name and inhibit by job. They use the same
expressions as the panels and no recording rules.

Prometheus evaluates the rules of a group one after the other, and groups independently. What reads most series is
evaluated less often than the exporter polls: values of sessions change every 50 seconds, and causes that develop in
minutes or hours need no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from grafana.builder.activity_alerts import stream_activity_alerts, vanished_alert
from grafana.builder.alert import Alert
from grafana.builder.exporter_alerts import data_alerts, exporter_alerts
from grafana.builder.session_alerts import (
    expected_alert,
    ingest_alerts,
    recording_alerts,
    stopped_alert,
    transcoding_alerts,
    unhealthy_alert,
    unhealthy_for_long_alert,
)
from grafana.builder.slo_alerts import slo_alerts
from grafana.builder.target_alerts import target_alerts
from grafana.builder.thresholds import Thresholds

POLL_INTERVAL: Final = "30s"
"""The default poll interval; values do not change between polls."""

MINUTE: Final = "1m"
SLOW: Final = "2m"


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """Alerts that are evaluated together.

    Attributes:
        name: of the group.
        interval: between two evaluations, a Prometheus duration.
        alerts: in the order of their evaluation.
    """

    name: str
    interval: str
    alerts: Sequence[Alert]


def alert_groups(thresholds: Thresholds) -> list[AlertGroup]:
    """Return all alerts; those that inhibit others come first."""
    return [
        AlertGroup(
            "livepeer.exporter-alerts",
            POLL_INTERVAL,
            [*exporter_alerts(thresholds), *data_alerts(thresholds), vanished_alert(thresholds)],
        ),
        AlertGroup("livepeer.health-alerts", POLL_INTERVAL, [unhealthy_alert(thresholds)]),
        AlertGroup("livepeer.long-health-alerts", MINUTE, [unhealthy_for_long_alert(thresholds)]),
        AlertGroup("livepeer.stopped-alerts", POLL_INTERVAL, [stopped_alert(thresholds)]),
        AlertGroup("livepeer.ingest-alerts", MINUTE, ingest_alerts(thresholds)),
        AlertGroup("livepeer.transcoding-alerts", MINUTE, transcoding_alerts(thresholds)),
        AlertGroup(
            "livepeer.stream-alerts",
            MINUTE,
            [*stream_activity_alerts(thresholds), *target_alerts(thresholds), expected_alert(thresholds)],
        ),
        AlertGroup("livepeer.recording-alerts", SLOW, recording_alerts(thresholds)),
    ]


def slo_groups(thresholds: Thresholds) -> list[AlertGroup]:
    """Return the optional alerts: which objective is right depends on what was agreed."""
    return [AlertGroup("livepeer.slo-alerts", MINUTE, slo_alerts(thresholds))]


def alerting_rules(thresholds: Thresholds) -> list[Alert]:
    """Return the alerts of all groups."""
    groups = [*alert_groups(thresholds), *slo_groups(thresholds)]
    return [alert for group in groups for alert in group.alerts]

"""All alerting rules.

Each alert is about one exporter, account, session or stream, and replicas of the exporter cause one alert. Alerts carry
the labels of their subject, so that Alertmanager can route by stream name and inhibit by job. They use the same
expressions as the panels and no recording rules.
"""

from grafana.builder.activity_alerts import activity_alerts
from grafana.builder.alert import Alert
from grafana.builder.exporter_alerts import data_alerts, exporter_alerts
from grafana.builder.session_alerts import expected_alert, health_alerts, media_alerts, recording_alerts
from grafana.builder.target_alerts import target_alerts
from grafana.builder.thresholds import Thresholds


def alerting_rules(thresholds: Thresholds) -> list[Alert]:
    """Return all alerts; those that inhibit others come first."""
    return [
        *exporter_alerts(thresholds),
        *data_alerts(thresholds),
        *activity_alerts(thresholds),
        *health_alerts(thresholds),
        *media_alerts(thresholds),
        *recording_alerts(thresholds),
        *target_alerts(thresholds),
        expected_alert(thresholds),
    ]

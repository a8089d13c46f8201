"""The inhibit rules for Alertmanager suppress the alerts that follow from another one."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from exporter.metrics.catalogue.outcomes import FAILURES
from grafana.builder.alerting_rules import alerting_rules
from grafana.builder.thresholds import DEFAULT
from tests.conftest import program
from tests.grafana.dashboards import GRAFANA
from tests.support import documents
from tests.support.alertmanager import Labels, running_alertmanager
from tests.support.deadlines import HANG
from tests.support.running import wait_until

CONFIG: Final[dict[str, Any]] = documents.load((GRAFANA / "alertmanager" / "inhibit.yml").read_text(encoding="utf-8"))
ALERTS: Final = {alert.name for alert in alerting_rules(DEFAULT)}


def _matches(matcher: str, alert: str) -> bool:
    """Whether a matcher matches the name of an alert; those of other labels can."""
    parts = re.fullmatch(r'(\w+)(=~|!~|!=|=)"(.+)"', matcher)
    assert parts, matcher
    label, operator, pattern = parts.groups()
    if label != "alertname":
        return True
    equal = bool(re.fullmatch(pattern, alert)) if "~" in operator else pattern == alert
    return equal != operator.startswith("!")


def _selected(matchers: Sequence[str]) -> set[str]:
    return {alert for alert in ALERTS if all(_matches(matcher, alert) for matcher in matchers)}


def _inhibited_by(source: str) -> set[str]:
    """Return the alerts that are suppressed while another fires, if the labels in ``equal`` are equal."""
    inhibited = set()
    for rule in CONFIG["inhibit_rules"]:
        if all(_matches(matcher, source) for matcher in rule["source_matchers"]):
            inhibited |= _selected(rule["target_matchers"])
    return inhibited


def test_matchers_name_existing_alerts() -> None:
    for rule in CONFIG["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            pattern = re.fullmatch(r'(?:alertname|class)(?:=|!=|=~|!~)"(.+)"', matcher)
            assert pattern, matcher
            assert any(re.fullmatch(pattern[1], name) for name in (*ALERTS, *FAILURES)), matcher


def test_no_alert_inhibits_itself() -> None:
    assert not any(alert in _inhibited_by(alert) for alert in ALERTS)


def test_absent_exporter_inhibits_all_other_alerts() -> None:
    assert _inhibited_by("LivepeerExporterAbsent") == ALERTS - {"LivepeerExporterAbsent"}


def test_rules_on_alerts_that_exist_at_two_levels_compare_the_stream_and_the_session() -> None:
    """Alerts that exist per stream only follow from an alert on any session of the stream."""
    alerts = alerting_rules(DEFAULT)
    of_streams = {alert.name for alert in alerts if "stream_id" in alert.labels}
    of_sessions = {alert.name for alert in alerts if "session_id" in alert.labels}
    for rule in CONFIG["inhibit_rules"]:
        sources, targets = (_selected(rule[f"{each}_matchers"]) for each in ("source", "target"))
        if sources & of_sessions and not targets & of_sessions:
            assert rule["equal"] == ["job", "account", "stream_id"]
        elif sources & of_streams:
            assert rule["equal"] == ["job", "account", "stream_id", "session_id"]


def _alert(name: str, **labels: str) -> dict[str, str]:
    return {"alertname": name, "job": "livepeer", "account": "main", **labels}


def _at_both_levels(*names: str, stream_id: str) -> list[dict[str, str]]:
    """Return alerts on a session of the stream, and on the stream as at ``--detail=stream``."""
    labels = ({"stream_id": stream_id, "session_id": f"{stream_id}-e"}, {"stream_id": stream_id, "job": "by-stream"})
    return [_alert(name, **each) for name in names for each in labels]


def _without_job(name: str, **labels: str) -> dict[str, str]:
    return {label: value for label, value in _alert(name, **labels).items() if label != "job"}


_MEDIA: Final = ("LivepeerIngestDropped", "LivepeerIngestStarving", "LivepeerTranscodingBehind")

NOTIFIED: Final = [
    *_at_both_levels("LivepeerIngestStopped", "LivepeerNothingTranscoded", stream_id="bad"),
    *_at_both_levels("LivepeerStreamUnhealthyForLong", stream_id="long"),
    *_at_both_levels("LivepeerStreamUnhealthy", stream_id="other"),
    *_at_both_levels("LivepeerIngestStarving", "LivepeerTranscodingBehind", stream_id="slow"),
    *_at_both_levels("LivepeerIngestDropped", stream_id="low"),
    _alert("LivepeerStreamUnhealthy", stream_id="bad", session_id="another"),
    _alert("LivepeerStreamUnhealthy", account="another", stream_id="bad", session_id="bad-e"),
    _alert("LivepeerDataStale", instance="a:9877", account="stale"),
    _alert("LivepeerApiErrors", instance="b:9877", account="stale", **{"class": "auth"}),
    _alert("LivepeerStreamUnhealthy", account="stale", stream_id="bad", session_id="bad-e"),
    {"alertname": "LivepeerExporterDown", "job": "livepeer", "instance": "c:9877"},
    _alert("LivepeerRateLimited", instance="b:9877"),
    _alert("LivepeerApiErrors", instance="b:9877", **{"class": "timeout"}),
    _alert("LivepeerApiErrors", instance="d:9877", **{"class": "rate_limited"}),
    _alert("LivepeerActiveSessionsVanished", account="empty"),
    _without_job("LivepeerExpectedStreamNotLive", stream_id="missing"),
    _alert("LivepeerErrorBudgetBurningFast", stream_id="other"),
    _alert("LivepeerErrorBudgetBurningSlowly", stream_id="third"),
]
"""Alerts that no other one suppresses."""

SUPPRESSED: Final = [
    _alert("LivepeerApiErrors", instance="b:9877", **{"class": "rate_limited"}),
    *_at_both_levels("LivepeerStreamUnhealthy", "LivepeerStreamUnhealthyForLong", *_MEDIA, stream_id="bad"),
    *_at_both_levels("LivepeerStreamUnhealthy", *_MEDIA, stream_id="long"),
    *_at_both_levels(*_MEDIA, stream_id="other"),
    *_at_both_levels("LivepeerIngestDropped", stream_id="slow"),
    _alert("LivepeerApiErrors", instance="a:9877", account="stale", **{"class": "auth"}),
    _alert("LivepeerRateLimited", instance="c:9877"),
    _without_job("LivepeerExpectedStreamNotLive", account="empty", stream_id="missing"),
    _alert("LivepeerErrorBudgetBurningFast", stream_id="bad"),
    _alert("LivepeerErrorBudgetBurningSlowly", stream_id="bad"),
    _alert("LivepeerErrorBudgetBurningSlowly", stream_id="other"),
]
"""Alerts that follow from one of the others."""


@pytest.mark.prometheus
def test_V16_alertmanager_suppresses_what_follows_and_no_other_stream(tmp_path: Path) -> None:
    with running_alertmanager(program("prometheus-alertmanager"), tmp_path, CONFIG) as alertmanager:
        alertmanager.post([*NOTIFIED, *SUPPRESSED])

        def suppressed() -> list[Labels]:
            return [labels for labels, is_suppressed in alertmanager.alerts() if is_suppressed]

        # The inhibitor receives alerts after they are accepted.
        wait_until(lambda: len(suppressed()) >= len(SUPPRESSED), "the alerts to be suppressed")
        assert len(alertmanager.alerts()) == len(NOTIFIED) + len(SUPPRESSED)
        assert sorted(suppressed(), key=str) == sorted((dict(sorted(each.items())) for each in SUPPRESSED), key=str)


@pytest.mark.prometheus
def test_alertmanager_accepts_the_inhibit_rules(tmp_path: Path) -> None:
    config = {"route": {"receiver": "none"}, "receivers": [{"name": "none"}], **CONFIG}
    path = tmp_path / "alertmanager.yml"
    path.write_text(documents.dump(config), encoding="utf-8")
    result = subprocess.run(
        [program("amtool"), "check-config", str(path)], capture_output=True, text=True, timeout=HANG
    )
    assert result.returncode == 0, result.stdout + result.stderr

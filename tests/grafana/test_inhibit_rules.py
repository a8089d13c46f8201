"""The inhibit rules for Alertmanager suppress the alerts that follow from another one."""

import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from grafana.builder.alerting_rules import alerting_rules
from grafana.builder.thresholds import DEFAULT
from tests.conftest import program
from tests.grafana.dashboards import GRAFANA
from tests.support.deadlines import HANG

CONFIG: Final[dict[str, Any]] = yaml.safe_load((GRAFANA / "alertmanager" / "inhibit.yml").read_text(encoding="utf-8"))
ALERTS: Final = {alert.name for alert in alerting_rules(DEFAULT)}


def _matches(matcher: str, alert: str) -> bool:
    parts = re.fullmatch(r'alertname(=~|!~|!=|=)"(.+)"', matcher)
    assert parts, matcher
    operator, pattern = parts.groups()
    equal = bool(re.fullmatch(pattern, alert)) if "~" in operator else pattern == alert
    return equal != operator.startswith("!")


def _inhibited_by(source: str) -> set[str]:
    """Return the alerts that are suppressed while another fires, if the labels in ``equal`` are equal."""
    inhibited = set()
    for rule in CONFIG["inhibit_rules"]:
        if all(_matches(matcher, source) for matcher in rule["source_matchers"]):
            inhibited |= {
                alert for alert in ALERTS if all(_matches(matcher, alert) for matcher in rule["target_matchers"])
            }
    return inhibited


def test_matchers_name_existing_alerts() -> None:
    for rule in CONFIG["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            pattern = re.fullmatch(r'alertname(?:=|!=|=~|!~)"(.+)"', matcher)
            assert pattern, matcher
            assert any(re.fullmatch(pattern[1], alert) for alert in ALERTS), matcher


def test_no_alert_inhibits_itself() -> None:
    assert not any(alert in _inhibited_by(alert) for alert in ALERTS)


def test_absent_exporter_inhibits_all_other_alerts() -> None:
    assert _inhibited_by("LivepeerExporterAbsent") == ALERTS - {"LivepeerExporterAbsent"}


def test_exporter_that_is_down_inhibits_alerts_on_accounts_and_streams() -> None:
    assert _inhibited_by("LivepeerExporterDown") == ALERTS - {"LivepeerExporterDown", "LivepeerExporterAbsent"}


def test_stale_data_inhibits_its_cause_and_alerts_on_streams() -> None:
    assert _inhibited_by("LivepeerDataStale") >= {"LivepeerApiErrors", "LivepeerStreamUnhealthy"}


@pytest.mark.prometheus
def test_alertmanager_accepts_the_inhibit_rules(tmp_path: Path) -> None:
    config = {"route": {"receiver": "none"}, "receivers": [{"name": "none"}], **CONFIG}
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    result = subprocess.run(
        [program("amtool"), "check-config", str(path)], capture_output=True, text=True, timeout=HANG
    )
    assert result.returncode == 0, result.stdout + result.stderr

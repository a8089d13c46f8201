"""Every alert has a runbook with its thresholds, a query, the way to the customer and a silence."""

import functools
import re
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

import pytest
from promql_parser import parse

from grafana.builder.alert import Alert
from grafana.builder.alerting_rules import alerting_rules
from grafana.builder.base_urls import RUNBOOKS, project_base_urls
from grafana.builder.thresholds import DEFAULT, Thresholds
from tests.conftest import program
from tests.grafana.dashboards import GRAFANA
from tests.grafana.promql_ast import selectors
from tests.support import documents
from tests.support.alertmanager import running_alertmanager
from tests.support.deadlines import HANG
from tests.support.running import wait_until

ALERTS: Final = alerting_rules(DEFAULT)
TEXT: Final = (GRAFANA.parent / RUNBOOKS).read_text(encoding="utf-8")
INHIBIT_RULES: Final[dict[str, Any]] = documents.load((GRAFANA / "alertmanager" / "inhibit.yml").read_text())
SILENCE: Final = ["amtool", "silence", "add", "--duration=2h", "--comment=REASON"]

BURNS: Final = {
    "objective": (0.99, "healthy for 99 % of the time"),
    "burn_min_observed": (1800, "known health for half an hour"),
}
LIMITS: Final[Mapping[str, Mapping[str, tuple[float | str, str]]]] = {
    "LivepeerApiErrors": {
        "failure_ratio": (0.2, "more than a fifth of the polls"),
        "failure_window": ("15m", "In the last 15 minutes"),
    },
    "LivepeerRateLimited": {
        "throttled_responses": (3, "more than three times"),
        "throttled_window": ("15m", "in the last 15 minutes"),
    },
    "LivepeerSessionsDropped": {"max_dropped_sessions": (0, "have no series")},
    "LivepeerActiveSessionsVanished": {
        "vanished_ratio": (0.5, "Fewer than half"),
        "vanished_offset": ("1h", "as an hour ago"),
        "vanished_min_sessions": (5, "at least five"),
    },
    "LivepeerStreamUnhealthyForLong": {
        "unhealthy_share": (0.5, "more than half of"),
        "unhealthy_window": ("15m", "the last 15 minutes"),
    },
    "LivepeerIngestStopped": {"stopped_max_polls": (2.5, "older than two and a half poll intervals")},
    "LivepeerIngestDropped": {
        "comparison_window": ("5m", "the last five minutes"),
        "ingest_drop_ratio": (0.5, "less than half of the mean"),
        "ingest_baseline_window": ("30m", "the half hour before"),
        "ingest_drop_min_rate": (12_500, "at most 12.5 kB/s"),
    },
    "LivepeerIngestStarving": {
        "comparison_window": ("5m", "In the last five minutes"),
        "min_media_speed": (0.95, "less than 0.95 seconds of media"),
    },
    "LivepeerTranscodingBehind": {
        "lag_critical": (30, "more than 30 seconds behind"),
        "lag_window": (900, "within the last 15 minutes"),
    },
    "LivepeerNothingTranscoded": {
        "comparison_window": ("5m", "In the last five minutes"),
        "no_transcoding_min_media": (60, "more than a minute of media"),
        "no_transcoding_ratio": (0.05, "less than 5 %"),
    },
    "LivepeerStreamReconnecting": {
        "reconnects": (3, "More than three sessions"),
        "reconnect_window": (900, "within 15 minutes"),
    },
    "LivepeerSessionNotStarted": {
        "pending_after": (300, "more than five minutes ago"),
        "pending_until": (3600, "at the latest an hour after the creation"),
    },
    "LivepeerMultistreamTargetsFailing": {
        "target_failure_ratio": (0.2, "More than a fifth of the events"),
        "target_window": ("15m", "in the last 15 minutes"),
    },
    "LivepeerRecordingFailed": {"failed_window": ("30m", "30 minutes after the last failure")},
    "LivepeerRecordingStuck": {"recording_stuck_after": (3600, "an hour after the last media")},
    "LivepeerErrorBudgetBurningFast": BURNS
    | {
        "fast_burn": (14.4, "more than 14.4 times as fast"),
        "fast_burn_window": ("1h", "in the last hour"),
        "fast_burn_recent_window": ("5m", "in the last five minutes"),
    },
    "LivepeerErrorBudgetBurningSlowly": {
        **{
            name: (value, "other conditions are those of [LivepeerErrorBudgetBurningFast]")
            for name, (value, _) in BURNS.items()
        },
        "slow_burn": (6, "more than 6 %"),
        "slow_burn_window": ("6h", "in the last six hours"),
        "slow_burn_recent_window": ("30m", "in the last half hour"),
    },
}
"""For each alert the thresholds of its condition, with their value and the words for it in the runbook."""

every_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)


def _parts(alert: Alert) -> dict[str, str]:
    """Return the parts of an alert's section by their name."""
    section = re.search(rf"^## {alert.name}$(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert section, f"no section {alert.name}"
    names = re.split(r"^\*\*(\w+)\.\*\*", section[1], flags=re.MULTILINE)
    return dict(zip(names[1::2], names[2::2], strict=True))


def _code(text: str, language: str) -> str:
    """Return the only code block of a text."""
    (code,) = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert code[0] == language
    return str(code[1])


def _thresholds(alert: Alert) -> set[str]:
    """Return the names of the thresholds that change the condition of an alert."""
    return {field.name for field in fields(Thresholds) if _changed(field.name)[alert.name] != alert.expr}


@functools.cache
def _changed(threshold: str) -> dict[str, str]:
    """Return the conditions of all alerts with another value of a threshold."""
    value = getattr(DEFAULT, threshold)
    other: Any = f"2{value}" if isinstance(value, str) else 2 * value + 1
    return {alert.name: alert.expr for alert in alerting_rules(replace(DEFAULT, **{threshold: other}))}


def _matchers(alert: Alert) -> dict[str, str]:
    """Return the labels by which the command of an alert silences it."""
    words = shlex.split(_code(_parts(alert)["Silence"], "sh"))
    assert words[: len(SILENCE)] == SILENCE
    return dict(word.split("=") for word in words[len(SILENCE) :])


def _placeholders(alert: Alert) -> dict[str, str]:
    """Return labels of the alert; the value of each is its placeholder in the runbooks."""
    extra = ("class",) if alert.name == "LivepeerApiErrors" else ()
    return {"alertname": alert.name} | {label: label.upper() for label in (*alert.labels, *extra)}


def test_runbooks_are_in_the_order_of_the_alerts_that_refer_to_them() -> None:
    headings = re.findall(r"^## (\w+)$", TEXT, re.MULTILINE)
    files = ("rules/livepeer-alerts.yaml", "optional-rules/livepeer-slo-alerts.yaml")
    groups = [group for name in files for group in documents.load((GRAFANA / name).read_text())["groups"]]
    (annotation,) = project_base_urls().runbook_annotation("")
    references = [rule["annotations"][annotation] for group in groups for rule in group["rules"]]
    assert [reference.partition("#")[2] for reference in references] == [heading.lower() for heading in headings]


@every_alert
def test_a_runbook_has_all_parts_in_the_same_order(alert: Alert) -> None:
    assert list(_parts(alert)) == ["Meaning", "Query", "Diagnosis", "Mitigation", "Customer", "Silence"]
    assert all(text.strip() for text in _parts(alert).values())


@every_alert
def test_table_of_runbooks_has_severity_and_duration(alert: Alert) -> None:
    assert f"| [{alert.name}](#{alert.name.lower()}) | {alert.severity} | {alert.for_duration} |" in TEXT


@every_alert
def test_the_meaning_of_a_runbook_states_each_threshold_of_the_condition(alert: Alert) -> None:
    limits = LIMITS.get(alert.name, {})
    assert limits.keys() == _thresholds(alert)
    meaning = " ".join(_parts(alert)["Meaning"].split())
    for name, (value, words) in limits.items():
        assert getattr(DEFAULT, name) == value
        assert words in meaning


@every_alert
def test_the_query_of_a_runbook_selects_by_labels_of_the_alert(alert: Alert) -> None:
    """That it parses and has metrics of the catalogue is tested for all pages in ``tests/docs/test_promql.py``."""
    query = _code(_parts(alert)["Query"], "promql")
    parse(query)
    values = {
        (matcher.name, matcher.value)
        for selector, _ in selectors(query)
        for matcher in selector.matchers.matchers
        if matcher.value.isupper()
    }
    assert values <= _placeholders(alert).items()


@every_alert
def test_a_runbook_leads_to_the_customers_of_its_subject(alert: Alert) -> None:
    if "stream_id" in alert.labels:
        anchor = "customer-of-a-stream"
    elif "account" in alert.labels:
        anchor = "customers-of-an-account"
    else:
        anchor = "customers-of-an-exporter"
    assert f"](#{anchor})" in _parts(alert)["Customer"]


@every_alert
def test_the_silence_of_a_runbook_matches_the_alert_on_one_subject(alert: Alert) -> None:
    """A silence of a stream also covers its next sessions."""
    matchers = _matchers(alert)
    assert matchers.items() <= _placeholders(alert).items()
    assert matchers["alertname"] == alert.name
    required = {"account", "stream_id"} if "stream_id" in alert.labels else set(alert.labels)
    assert required <= matchers.keys()


@pytest.mark.prometheus
def test_the_commands_silence_all_alerts_and_suppressed_ones_remain_so(tmp_path: Path) -> None:
    """With a real Alertmanager, which receives each alert with the labels of the runbooks."""
    names = {alert.name for alert in ALERTS}
    with running_alertmanager(program("prometheus-alertmanager"), tmp_path, INHIBIT_RULES) as alertmanager:

        def suppressed() -> set[str]:
            return {labels["alertname"] for labels, is_suppressed in alertmanager.alerts() if is_suppressed}

        def silenced() -> set[str]:
            return {labels["alertname"] for labels in alertmanager.silenced()}

        alertmanager.post([_placeholders(alert) for alert in ALERTS])
        wait_until(lambda: suppressed() == names - {"LivepeerExporterAbsent"}, "the alerts to be suppressed")
        assert silenced() == set()
        for alert in ALERTS:
            words = shlex.split(_code(_parts(alert)["Silence"], "sh"))
            command = [program("amtool"), f"--alertmanager.url=http://127.0.0.1:{alertmanager.port}", *words[1:]]
            done = subprocess.run(command, capture_output=True, text=True, timeout=HANG)
            assert done.returncode == 0, done.stderr
        wait_until(lambda: silenced() == names, "the alerts to be silenced")
        assert suppressed() == names - {"LivepeerExporterAbsent"}

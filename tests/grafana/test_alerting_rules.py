"""Every alert fires and stays silent as its cases require, and the cases detect a change of any threshold."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

import pytest

from grafana.builder.alerting_rules import alerting_rules
from grafana.builder.base_urls import BaseUrls
from grafana.builder.files import generate
from grafana.builder.thresholds import DEFAULT, Thresholds
from tests.grafana.alert_cases import CASES
from tests.grafana.input_series import (
    ZERO,
    expected_stream,
    exporter_down_at,
    session,
    session_issue,
    stream,
    stream_issue,
)
from tests.grafana.promtool import InputSeries, promtool_series, run_alert_tests

pytestmark = pytest.mark.prometheus

ALERTS: Final = [alert.name for alert in alerting_rules(DEFAULT)]

MUTATIONS: Final[dict[str, Sequence[Any]]] = {
    "comparison_window": ("4m", "6m"),
    "down_for": ("170s", "190s"),
    "absent_for": ("290s", "310s"),
    "stale_for": ("50s", "70s"),
    "failure_ratio": (0.18, 0.22),
    "failure_window": ("13m", "17m"),
    "failure_for": ("290s", "310s"),
    "throttled_responses": (2, 4),
    "throttled_window": ("13m", "17m"),
    "throttled_for": ("290s", "310s"),
    "max_dropped_sessions": (-1, 1),
    "dropped_for": ("590s", "610s"),
    "unhealthy_for": ("170s", "190s"),
    "unhealthy_share": (0.45, 0.55),
    "unhealthy_window": ("14m", "16m"),
    "unhealthy_critical_for": ("410s", "430s"),
    "reconnects": (2, 4),
    "reconnect_window": (840, 960),
    "reconnect_for": ("50s", "70s"),
    "vanished_ratio": (0.47, 0.53),
    "vanished_min_sessions": (4, 6),
    "vanished_offset": ("50m", "70m"),
    "vanished_for": ("290s", "310s"),
    "pending_after": (290, 310),
    "pending_until": (3580, 3620),
    "pending_for": ("50s", "70s"),
    "failed_window": ("29m", "31m"),
    "keep_firing_for": ("280s", "320s"),
    "ingest_drop_ratio": (0.45, 0.6),
    "ingest_drop_min_rate": (12_000, 13_000),
    "ingest_baseline_window": ("10m", "60m"),
    "min_media_speed": (0.92, 0.98),
    "lag_critical": (27, 33),
    "no_transcoding_ratio": (0.03, 0.07),
    "no_transcoding_min_media": (50, 70),
    "recording_stuck_after": (3500, 3700),
    "target_failure_ratio": (0.18, 0.22),
    "target_window": ("13m", "17m"),
    "target_for": ("50s", "70s"),
    "session_for": ("170s", "250s"),
    "recording_for": ("170s", "190s"),
    "expected_for": ("290s", "310s"),
}
"""Values of each threshold that at least one case must detect."""

SHARED: Final = {
    "comparison_window": "LivepeerIngestStarving",
    "session_for": "LivepeerTranscodingBehind",
    "keep_firing_for": "LivepeerStreamUnhealthy",
}
"""For thresholds of several alerts, the one alert whose cases are run; running all takes too long."""


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_fires_in_its_cases_only(alert: str, promtool: str, tmp_path: Path) -> None:
    tests = [case.to_test() for case in CASES if case.alert == alert]
    result = run_alert_tests(promtool, tmp_path, DEFAULT, {alert}, tests)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_has_firing_and_silent_cases(alert: str) -> None:
    assert {bool(case.firing) for case in CASES if case.alert == alert} == {True, False}


@pytest.mark.parametrize(
    ("threshold", "value"), [(name, value) for name, values in MUTATIONS.items() for value in values]
)
def test_cases_detect_a_changed_threshold(threshold: str, value: Any, promtool: str, tmp_path: Path) -> None:
    mutated = replace(DEFAULT, **{threshold: value})
    before, after = (
        {alert.name: alert.to_rule(BaseUrls()) for alert in alerting_rules(thresholds)}
        for thresholds in (DEFAULT, mutated)
    )
    affected = {name for name in before if before[name] != after[name]}
    tested = {SHARED[threshold]} & affected if threshold in SHARED else affected
    assert tested
    tests = [case.to_test() for case in CASES if case.alert in tested]
    result = run_alert_tests(promtool, tmp_path, mutated, tested, tests)
    assert result.returncode != 0


def test_thresholds_without_mutation_change_a_dashboard() -> None:
    names = {field.name for field in fields(Thresholds)} - set(MUTATIONS)
    before = generate(DEFAULT, BaseUrls())
    for name in names:
        after = generate(replace(DEFAULT, **{name: getattr(DEFAULT, name) + 1}), BaseUrls())
        assert any(after[file] != before[file] for file in before if file.startswith("dashboards")), name


def _firing(alert: str, labels: dict[str, str], annotations: dict[str, str]) -> dict[str, Any]:
    return {
        "alertname": alert,
        "eval_time": "30m",
        "exp_alerts": [{"exp_labels": labels, "exp_annotations": annotations}],
    }


def _assert_firing(promtool: str, directory: Path, series: InputSeries, firing: dict[str, Any]) -> None:
    test = {"interval": "10s", "input_series": promtool_series(series, 1800), "alert_rule_test": [firing]}
    result = run_alert_tests(promtool, directory, DEFAULT, {firing["alertname"]}, [test])
    assert result.returncode == 0, result.stdout + result.stderr


def test_an_alert_on_an_exporter_names_the_instance_and_links_to_it(promtool: str, tmp_path: Path) -> None:
    firing = _firing(
        "LivepeerExporterDown",
        {"severity": "critical", "job": "livepeer", "instance": "one:9877"},
        {
            "summary": "Livepeer exporter one:9877 is down",
            "description": "Prometheus cannot scrape the exporter one:9877 of job livepeer. "
            "Unless a replica is running, its streams are not monitored.",
            "runbook": "docs/runbooks.md#livepeerexporterdown",
            "dashboard_url": "http://localhost:3000/d/livepeer-exporter?var-job=livepeer&var-instance=one%3A9877",
        },
    )
    _assert_firing(promtool, tmp_path, exporter_down_at(300), firing)


def _unhealthy_session(description: str) -> dict[str, Any]:
    return _firing(
        "LivepeerStreamUnhealthy",
        {
            "severity": "warning",
            "job": "livepeer",
            "account": "main",
            "stream_id": "s-1",
            "session_id": "e-1",
            "name": 'The "late" show',
        },
        {
            "summary": 'The "late" show: unhealthy',
            "description": description,
            "runbook": "docs/runbooks.md#livepeerstreamunhealthy",
            "dashboard_url": "http://localhost:3000/d/livepeer-session?var-job=livepeer&var-account=main"
            "&var-stream=s-1&var-session=e-1",
        },
    )


def test_an_alert_on_a_session_names_the_stream_and_links_to_the_session(promtool: str, tmp_path: Path) -> None:
    firing = _unhealthy_session("Livepeer Studio reports the stream as unhealthy.")
    _assert_firing(promtool, tmp_path, session(healthy=ZERO), firing)


def test_an_alert_on_health_lists_the_issues_of_its_session_once(promtool: str, tmp_path: Path) -> None:
    series = session(healthy=ZERO) | session("two:9877", healthy=ZERO)
    series |= session_issue("low frame rate") | session_issue("low frame rate", instance="two:9877")
    series |= session_issue("{{ bitrate }} above limit") | session_issue("of another session", session_id="e-2")
    firing = _unhealthy_session(
        "Livepeer Studio reports the stream as unhealthy. Reported issues: low frame rate; {{ bitrate }} above limit"
    )
    _assert_firing(promtool, tmp_path, series, firing)


def test_an_alert_on_health_lists_the_issues_of_its_stream(promtool: str, tmp_path: Path) -> None:
    firing = _firing(
        "LivepeerStreamUnhealthy",
        {"severity": "warning", "job": "livepeer", "account": "main", "stream_id": "s-1", "name": "News"},
        {
            "summary": "News: unhealthy",
            "description": "Livepeer Studio reports the stream as unhealthy. Reported issues: low frame rate",
            "runbook": "docs/runbooks.md#livepeerstreamunhealthy",
            "dashboard_url": "http://localhost:3000/d/livepeer-overview?var-job=livepeer&var-account=main"
            "&var-stream=s-1",
        },
    )
    _assert_firing(promtool, tmp_path, stream(healthy=ZERO) | stream_issue("low frame rate"), firing)


def test_an_alert_on_an_expected_stream_shows_its_name(promtool: str, tmp_path: Path) -> None:
    firing = _firing(
        "LivepeerExpectedStreamNotLive",
        {"account": "main", "stream_id": "s-1", "name": "News", "severity": "critical"},
        {
            "summary": "News: expected to be live, but is not",
            "description": "The stream is listed in livepeer_expected_live, but has no active session.",
            "runbook": "docs/runbooks.md#livepeerexpectedstreamnotlive",
            "dashboard_url": "http://localhost:3000/d/livepeer-overview?var-account=main&var-stream=s-1",
        },
    )
    _assert_firing(promtool, tmp_path, expected_stream(ZERO), firing)

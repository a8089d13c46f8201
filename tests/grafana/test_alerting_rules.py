"""Every alert fires when it should and is silent when it just should not, and every threshold matters to a test."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

import pytest

from grafana.builder.alert import Places
from grafana.builder.alerting_rules import alerts
from grafana.builder.files import build
from grafana.builder.thresholds import DEFAULT, Thresholds
from tests.grafana.alert_cases import CASES, OFF, down_from, expected, session
from tests.grafana.promtool import check_alerts, series

pytestmark = pytest.mark.prometheus

MUTANTS: Final[dict[str, Sequence[Any]]] = {
    "stale_intervals": (1.9, 2.1),
    "stale_slack": (110, 130),
    "window": ("4m", "6m"),
    "down_for": ("170s", "190s"),
    "absent_for": ("290s", "310s"),
    "stale_for": ("50s", "70s"),
    "failing_share": (0.18, 0.22),
    "failing_window": ("13m", "17m"),
    "failing_for": ("290s", "310s"),
    "throttled_answers": (2, 4),
    "throttled_window": ("13m", "17m"),
    "throttled_for": ("290s", "310s"),
    "dropped_sessions": (-1, 1),
    "dropped_for": ("590s", "610s"),
    "unhealthy_for": ("170s", "190s"),
    "unhealthy_critical_for": ("890s", "910s"),
    "drop_share": (0.45, 0.6),
    "drop_floor": (12_000, 13_000),
    "usual_window": ("10m", "60m"),
    "real_time": (0.92, 0.98),
    "lag_red": (27, 33),
    "nothing_share": (0.03, 0.07),
    "nothing_media": (50, 70),
    "stuck_after": (3500, 3700),
    "session_for": ("170s", "250s"),
    "recording_for": ("170s", "190s"),
    "expected_for": ("290s", "310s"),
}
"""Values of each threshold that at least one case must notice."""

SHARED: Final = {"window": "LivepeerIngestStarving", "session_for": "LivepeerTranscodingBehind"}
"""Of a threshold that many alerts share, the one whose cases must notice; all of them would take their time."""


@pytest.mark.parametrize("alert", [each.name for each in alerts(DEFAULT)])
def test_the_alert_fires_and_is_silent_as_its_cases_say(alert: str, promtool: str, tmp_path: Path) -> None:
    tests = [case.plain() for case in CASES if case.alert == alert]
    result = check_alerts(promtool, tmp_path, DEFAULT, {alert}, tests)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("alert", [each.name for each in alerts(DEFAULT)])
def test_the_alert_has_cases_of_both_kinds(alert: str) -> None:
    assert {bool(case.fires) for case in CASES if case.alert == alert} == {True, False}


@pytest.mark.parametrize(
    ("threshold", "value"), [(name, value) for name, values in MUTANTS.items() for value in values]
)
def test_a_changed_threshold_breaks_a_case(threshold: str, value: Any, promtool: str, tmp_path: Path) -> None:
    changed = replace(DEFAULT, **{threshold: value})
    usual, now = ({each.name: each.plain(Places()) for each in alerts(limits)} for limits in (DEFAULT, changed))
    touched = {name for name in usual if usual[name] != now[name]}
    looked_at = {SHARED[threshold]} & touched if threshold in SHARED else touched
    assert looked_at
    tests = [case.plain() for case in CASES if case.alert in looked_at]
    result = check_alerts(promtool, tmp_path, changed, looked_at, tests)
    assert result.returncode != 0


def test_every_threshold_is_mutated_or_drawn() -> None:
    """What no alert uses is a colour, and a changed colour is a changed dashboard."""
    colours = {each.name for each in fields(Thresholds)} - set(MUTANTS)
    usual = build(DEFAULT, Places())
    for name in colours:
        changed = build(replace(DEFAULT, **{name: getattr(DEFAULT, name) + 1}), Places())
        assert any(changed[file] != usual[file] for file in usual if file.startswith("dashboards")), name


def _fired(alert: str, labels: dict[str, str], annotations: dict[str, str]) -> dict[str, Any]:
    return {
        "alertname": alert,
        "eval_time": "30m",
        "exp_alerts": [{"exp_labels": labels, "exp_annotations": annotations}],
    }


def _message(promtool: str, directory: Path, seen: Any, expectation: dict[str, Any]) -> None:
    test = {"interval": "10s", "input_series": series(seen, 1800), "alert_rule_test": [expectation]}
    result = check_alerts(promtool, directory, DEFAULT, {expectation["alertname"]}, [test])
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_message_about_an_exporter_says_which_and_where_to_look(promtool: str, tmp_path: Path) -> None:
    wanted = _fired(
        "LivepeerExporterDown",
        {"severity": "critical", "job": "livepeer", "instance": "one:9877"},
        {
            "summary": "Livepeer exporter one:9877 is down",
            "description": "Prometheus cannot scrape the exporter one:9877 of job livepeer. "
            "Unless a replica goes on, nothing is known of its streams.",
            "runbook": "docs/runbooks.md#livepeerexporterdown",
            "dashboard_url": "http://localhost:3000/d/livepeer-exporter?var-job=livepeer&var-instance=one%3A9877",
        },
    )
    _message(promtool, tmp_path, down_from(300), wanted)


def test_a_message_about_a_session_names_the_stream_and_opens_the_session(promtool: str, tmp_path: Path) -> None:
    labels = {"job": "livepeer", "account": "main", "stream_id": "s-1", "session_id": "e-1"}
    wanted = _fired(
        "LivepeerStreamUnhealthy",
        labels | {"severity": "warning", "name": 'The "late" show'},
        {
            "summary": 'The "late" show: unhealthy',
            "description": "Livepeer calls the stream unhealthy. "
            "Its own words are in livepeer_studio_session_issue_info.",
            "runbook": "docs/runbooks.md#livepeerstreamunhealthy",
            "dashboard_url": "http://localhost:3000/d/livepeer-session?var-job=livepeer&var-account=main"
            "&var-stream=s-1&var-session=e-1",
        },
    )
    _message(promtool, tmp_path, session(healthy=OFF), wanted)


def test_a_message_about_an_expected_stream_says_its_name(promtool: str, tmp_path: Path) -> None:
    wanted = _fired(
        "LivepeerExpectedStreamNotLive",
        {"account": "main", "stream_id": "s-1", "name": "News", "severity": "critical"},
        {
            "summary": "News should be live and is not",
            "description": "The stream is on the list of those that must be live, and no session of it is active.",
            "runbook": "docs/runbooks.md#livepeerexpectedstreamnotlive",
            "dashboard_url": "http://localhost:3000/d/livepeer-overview?var-account=main&var-stream=s-1",
        },
    )
    _message(promtool, tmp_path, expected(OFF), wanted)

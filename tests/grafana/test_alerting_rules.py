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
from tests.grafana.alert_cases import (
    ABSENT,
    BEHIND,
    BURNING_FAST,
    BURNING_SLOWLY,
    CASES,
    DOWN,
    DROPPED,
    ERRORS,
    EXPECTED,
    FAILED,
    INGEST_DROPPED,
    LIMITED,
    NOT_STARTED,
    NOTHING_TRANSCODED,
    RECONNECTING,
    STALE,
    STARVING,
    STOPPED,
    STUCK,
    TARGETS,
    UNHEALTHY,
    UNHEALTHY_LONG,
    VANISHED,
)
from tests.grafana.promtool import run_alert_tests

pytestmark = pytest.mark.prometheus

ALERTS: Final = [alert.name for alert in alerting_rules(DEFAULT)]

MUTATIONS: Final[Sequence[tuple[str, Any, str, str]]] = (
    ("comparison_window", "4m", STARVING, "slow media is in the window"),
    ("comparison_window", "6m", STARVING, "slow media has left the window"),
    ("down_for", "170s", DOWN, "down for less than three minutes"),
    ("down_for", "190s", DOWN, "down for three minutes"),
    ("absent_for", "290s", ABSENT, "absent for less than five minutes"),
    ("absent_for", "310s", ABSENT, "absent for five minutes"),
    ("stale_for", "50s", STALE, "never polled for less than a minute"),
    ("stale_for", "70s", STALE, "never polled for a minute"),
    ("failure_ratio", 0.18, ERRORS, "less than a fifth fails"),
    ("failure_ratio", 0.22, ERRORS, "more than a fifth fails"),
    ("failure_window", "13m", ERRORS, "failures are in the window"),
    ("failure_window", "17m", ERRORS, "failures have left the window"),
    ("failure_for", "290s", ERRORS, "failing for less than five minutes"),
    ("failure_for", "310s", ERRORS, "failing for five minutes"),
    ("throttled_responses", 2, LIMITED, "three responses"),
    ("throttled_responses", 4, LIMITED, "four responses"),
    ("throttled_window", "13m", LIMITED, "four responses"),
    ("throttled_window", "17m", LIMITED, "responses have left the window"),
    ("throttled_for", "290s", LIMITED, "for less than five minutes"),
    ("throttled_for", "310s", LIMITED, "for five minutes"),
    ("max_dropped_sessions", -1, DROPPED, "one for less than ten minutes"),
    ("max_dropped_sessions", 1, DROPPED, "one for ten minutes"),
    ("dropped_for", "590s", DROPPED, "one for less than ten minutes"),
    ("dropped_for", "610s", DROPPED, "one for ten minutes"),
    ("unhealthy_for", "170s", UNHEALTHY, "for less than three minutes"),
    ("unhealthy_for", "190s", UNHEALTHY, "for three minutes"),
    ("unhealthy_share", 0.45, UNHEALTHY_LONG, "less than that"),
    ("unhealthy_share", 0.55, UNHEALTHY_LONG, "half of the window and seven minutes"),
    ("unhealthy_window", "14m", UNHEALTHY_LONG, "less than that"),
    ("unhealthy_window", "16m", UNHEALTHY_LONG, "half of the window and seven minutes"),
    ("unhealthy_critical_for", "410s", UNHEALTHY_LONG, "less than that"),
    ("unhealthy_critical_for", "430s", UNHEALTHY_LONG, "half of the window and seven minutes"),
    ("reconnects", 2, RECONNECTING, "three sessions in 15 minutes"),
    ("reconnects", 4, RECONNECTING, "four sessions in 15 minutes"),
    ("reconnect_window", 840, RECONNECTING, "four sessions in 15 minutes"),
    ("reconnect_window", 960, RECONNECTING, "the first too early"),
    ("reconnect_for", "50s", RECONNECTING, "for less than a minute"),
    ("reconnect_for", "70s", RECONNECTING, "four sessions in 15 minutes"),
    ("vanished_ratio", 0.47, VANISHED, "24 of 50"),
    ("vanished_ratio", 0.53, VANISHED, "25 of 50"),
    ("vanished_min_sessions", 4, VANISHED, "all of four"),
    ("vanished_min_sessions", 6, VANISHED, "all of five"),
    ("vanished_offset", "50m", VANISHED, "an hour ago"),
    ("vanished_offset", "70m", VANISHED, "24 of 50"),
    ("vanished_for", "290s", VANISHED, "24 of 50 for less than five minutes"),
    ("vanished_for", "310s", VANISHED, "24 of 50"),
    ("pending_after", 290, NOT_STARTED, "less than five minutes after creation"),
    ("pending_after", 310, NOT_STARTED, "five minutes after creation"),
    ("pending_until", 3580, NOT_STARTED, "an hour after creation"),
    ("pending_until", 3620, NOT_STARTED, "more than an hour after creation"),
    ("pending_for", "50s", NOT_STARTED, "less than five minutes after creation"),
    ("pending_for", "70s", NOT_STARTED, "five minutes after creation"),
    ("failed_window", "29m", FAILED, "30 minutes ago"),
    ("failed_window", "31m", FAILED, "more than 30 minutes ago"),
    ("keep_firing_for", "280s", UNHEALTHY, "healthy again for less than five minutes"),
    ("keep_firing_for", "320s", UNHEALTHY, "healthy again for five minutes"),
    ("ingest_drop_ratio", 0.45, INGEST_DROPPED, "for three minutes"),
    ("ingest_drop_ratio", 0.6, INGEST_DROPPED, "for less than three minutes"),
    ("ingest_drop_min_rate", 12000, INGEST_DROPPED, "baseline below the minimum"),
    ("ingest_drop_min_rate", 13000, INGEST_DROPPED, "baseline above the minimum"),
    ("ingest_baseline_window", "10m", INGEST_DROPPED, "baseline above the minimum"),
    ("ingest_baseline_window", "60m", INGEST_DROPPED, "the baseline has followed"),
    ("min_media_speed", 0.92, STARVING, "below the minimum speed"),
    ("min_media_speed", 0.98, STARVING, "above the minimum speed"),
    ("lag_window", 800, BEHIND, "grown within fifteen minutes"),
    ("lag_window", 1000, BEHIND, "not grown for fifteen minutes"),
    ("stopped_max_polls", 2.4, STOPPED, "data up to 75 seconds old"),
    ("stopped_max_polls", 2.6, STOPPED, "data more than 75 seconds old"),
    ("stuck_keep_firing_for", "13m", STUCK, "stays over an outage of 14 minutes"),
    ("stuck_keep_firing_for", "16m", STUCK, "ends after 15 minutes without data"),
    ("media_keep_firing_for", "14m", STOPPED, "stays for fifteen minutes"),
    ("media_keep_firing_for", "16m", STOPPED, "ends after fifteen minutes"),
    ("lag_critical", 27, BEHIND, "less than 30 seconds"),
    ("lag_critical", 33, BEHIND, "more than 30 seconds"),
    ("no_transcoding_ratio", 0.03, NOTHING_TRANSCODED, "below the ratio"),
    ("no_transcoding_ratio", 0.07, NOTHING_TRANSCODED, "above the ratio"),
    ("no_transcoding_min_media", 50, NOTHING_TRANSCODED, "source below the minimum"),
    ("no_transcoding_min_media", 70, NOTHING_TRANSCODED, "source above the minimum"),
    ("recording_stuck_after", 3500, STUCK, "waiting for less than an hour"),
    ("recording_stuck_after", 3700, STUCK, "waiting for an hour"),
    ("target_failure_ratio", 0.18, TARGETS, "a fifth of the targets"),
    ("target_failure_ratio", 0.22, TARGETS, "more than a fifth of the targets"),
    ("target_window", "13m", TARGETS, "shortly before the errors leave the window"),
    ("target_window", "17m", TARGETS, "when the errors have left the window"),
    ("target_for", "50s", TARGETS, "a target that does not connect, for less than a minute"),
    ("target_for", "70s", TARGETS, "a target that does not connect, for a minute"),
    ("session_for", "170s", BEHIND, "for less than three minutes"),
    ("session_for", "250s", BEHIND, "for three minutes"),
    ("recording_for", "170s", FAILED, "for less than three minutes"),
    ("recording_for", "190s", FAILED, "for three minutes"),
    ("expected_for", "290s", EXPECTED, "not active for less than five minutes"),
    ("expected_for", "310s", EXPECTED, "not active for five minutes"),
    ("objective", 0.985, BURNING_FAST, "8.6 minutes of an hour and two minutes more"),
    ("objective", 0.992, BURNING_FAST, "less than that"),
    ("fast_burn", 13, BURNING_FAST, "less than that"),
    ("fast_burn", 16, BURNING_FAST, "8.6 minutes of an hour and two minutes more"),
    ("fast_burn_window", "50m", BURNING_FAST, "less than that"),
    ("fast_burn_window", "70m", BURNING_FAST, "8.6 minutes of an hour and two minutes more"),
    ("fast_burn_recent_window", "4m", BURNING_FAST, "shortly after its end"),
    ("fast_burn_recent_window", "6m", BURNING_FAST, "some time after its end"),
    ("fast_burn_for", "110s", BURNING_FAST, "less than that"),
    ("fast_burn_for", "130s", BURNING_FAST, "8.6 minutes of an hour and two minutes more"),
    ("burn_min_observed", 1700, BURNING_FAST, "before half an hour"),
    ("burn_min_observed", 1900, BURNING_FAST, "after half an hour"),
    ("slow_burn", 5.4, BURNING_SLOWLY, "less than a sixteenth"),
    ("slow_burn", 6.6, BURNING_SLOWLY, "a sixteenth of the time"),
    ("slow_burn_window", "5h", BURNING_SLOWLY, "less than that"),
    ("slow_burn_window", "7h", BURNING_SLOWLY, "21.6 minutes of six hours and five minutes more"),
    ("slow_burn_recent_window", "25m", BURNING_SLOWLY, "shortly after its end"),
    ("slow_burn_recent_window", "35m", BURNING_SLOWLY, "some time after its end"),
    ("slow_burn_for", "280s", BURNING_SLOWLY, "before half an hour"),
    ("slow_burn_for", "320s", BURNING_SLOWLY, "after half an hour"),
)
"""Values of each threshold, each with the alert and the case that detects it.

One case is run for each value: all cases of all values would take a minute.
"""


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_fires_in_its_cases_only(alert: str, promtool: str, tmp_path: Path) -> None:
    tests = [case.to_test() for case in CASES if case.alert == alert]
    result = run_alert_tests(promtool, tmp_path, DEFAULT, {alert}, tests)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_has_firing_and_silent_cases(alert: str) -> None:
    assert {bool(case.firing) for case in CASES if case.alert == alert} == {True, False}


@pytest.mark.parametrize(("threshold", "value", "alert", "description"), MUTATIONS)
def test_a_case_detects_a_changed_threshold(
    threshold: str, value: Any, alert: str, description: str, promtool: str, tmp_path: Path
) -> None:
    (case,) = (each for each in CASES if (each.alert, each.description) == (alert, description))
    mutated = replace(DEFAULT, **{threshold: value})
    result = run_alert_tests(promtool, tmp_path, mutated, {alert}, [case.to_test()])
    assert result.returncode == 1
    assert "FAILED" in result.stdout + result.stderr


def test_thresholds_without_mutation_change_a_dashboard() -> None:
    names = {field.name for field in fields(Thresholds)} - {threshold for threshold, *_ in MUTATIONS}
    before = generate(DEFAULT, BaseUrls())
    for name in names:
        after = generate(replace(DEFAULT, **{name: getattr(DEFAULT, name) + 1}), BaseUrls())
        assert any(after[file] != before[file] for file in before if file.startswith("dashboards")), name

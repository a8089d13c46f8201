"""Annotations have the stream, the time, the issue texts and complete links, also where a query has no result."""

from pathlib import Path
from typing import Any, Final

import pytest

from grafana.builder.alert import Alert
from grafana.builder.alert_templates import MAX_ISSUE, MAX_ISSUES
from grafana.builder.alerting_rules import alerting_rules
from grafana.builder.base_urls import BaseUrls
from grafana.builder.thresholds import DEFAULT
from tests.grafana.input_series import (
    ONE,
    ZERO,
    account_series,
    expected_stream,
    exporter,
    exporter_down_at,
    observed,
    pending_session,
    pending_stream,
    poll_failures,
    recording,
    session,
    session_issue,
    stream,
    stream_issue,
)
from tests.grafana.promtool import InputSeries, changing_at, constant, linear, promtool_series, run_alert_tests

pytestmark = pytest.mark.prometheus

AT: Final = 1800
"""Seconds at which the alerts are compared."""

LATE_SHOW: Final = 'The "late" show'
OF_SESSION: Final = {"job": "livepeer", "account": "main", "stream_id": "s-1", "session_id": "e-1", "name": LATE_SHOW}
OF_STREAM: Final = {"job": "livepeer", "account": "main", "stream_id": "s-1", "name": "News"}
OF_EXPORTER: Final = {"job": "livepeer", "instance": "one:9877", "account": "main"}
LAST_3_HOURS: Final = "?from=now-3h&to=now"
SESSION_LINK: Final = (
    f"/d/livepeer-session{LAST_3_HOURS}&var-job=livepeer&var-account=main&var-stream=s-1&var-session=e-1"
)
STREAM_LINK: Final = f"/d/livepeer-stream{LAST_3_HOURS}&var-job=livepeer&var-account=main&var-stream=s-1"
EXPORTER_LINK: Final = f"/d/livepeer-exporter{LAST_3_HOURS}&var-job=livepeer&var-instance=one%3A9877&var-account=main"
STALE: Final = (
    "The exporter is running, but the data of its last successful poll is older than --max-staleness, or no poll has "
    "succeeded yet. Such data is removed: session and stream series disappear, and alerts on streams cannot fire, "
    "unless a replica has the data."
)
UNHEALTHY: Final = "Livepeer Studio reports the stream as unhealthy."
NOT_LIVE: Final = "The stream is listed in livepeer_expected_live, but has no active session."


def _assert_firing(
    promtool: str,
    directory: Path,
    series: InputSeries,
    alert: str,
    labels: dict[str, str],
    *,
    summary: str,
    description: str,
    link: str,
    at: int = AT,
) -> None:
    """Compare the only alert that fires with its labels and annotations."""
    severity = next(each.severity for each in alerting_rules(DEFAULT) if each.name == alert)
    annotations = {
        "summary": summary,
        "description": description,
        "runbook": f"docs/runbooks.md#{alert.lower()}",
        "dashboard_url": f"http://localhost:3000{link}",
    }
    firing = {
        "alertname": alert,
        "eval_time": f"{at}s",
        "exp_alerts": [{"exp_labels": {"severity": severity, **labels}, "exp_annotations": annotations}],
    }
    test = {"interval": "10s", "input_series": promtool_series(series, at), "alert_rule_test": [firing]}
    result = run_alert_tests(promtool, directory, DEFAULT, {alert}, [test])
    assert result.returncode == 0, result.stdout + result.stderr


def _assert_unhealthy_session(promtool: str, directory: Path, series: InputSeries, details: str) -> None:
    _assert_firing(
        promtool,
        directory,
        series,
        "LivepeerStreamUnhealthy",
        OF_SESSION,
        summary=f"{LATE_SHOW}: unhealthy",
        description=UNHEALTHY + details,
        link=SESSION_LINK,
    )


def _assert_unhealthy_stream(promtool: str, directory: Path, series: InputSeries, details: str) -> None:
    _assert_firing(
        promtool,
        directory,
        series,
        "LivepeerStreamUnhealthy",
        OF_STREAM,
        summary="News: unhealthy",
        description=UNHEALTHY + details,
        link=STREAM_LINK,
    )


def test_an_alert_on_an_exporter_has_the_instance_and_its_last_scrape(promtool: str, tmp_path: Path) -> None:
    _assert_firing(
        promtool,
        tmp_path,
        exporter_down_at(310),
        "LivepeerExporterDown",
        {"job": "livepeer", "instance": "one:9877"},
        summary="Livepeer exporter one:9877 is down",
        description="Prometheus cannot scrape the exporter one:9877 of job livepeer. Unless a replica is running, its "
        "streams are not monitored. Last scrape at 1970-01-01 00:05:00 UTC.",
        link=f"/d/livepeer-exporter{LAST_3_HOURS}&var-job=livepeer&var-instance=one%3A9877",
    )


@pytest.mark.parametrize(
    ("series", "scraped"),
    [
        (
            {account_series("exporter_build_info"): changing_at(310, 1, None)},
            " Last scrape at 1970-01-01 00:05:00 UTC.",
        ),
        ({account_series("up"): ONE}, ""),
    ],
    ids=["a scrape", "no scrape"],
)
def test_an_alert_on_absent_exporters_has_the_last_scrape(
    promtool: str, tmp_path: Path, series: InputSeries, scraped: str
) -> None:
    _assert_firing(
        promtool,
        tmp_path,
        series,
        "LivepeerExporterAbsent",
        {},
        summary="No Livepeer exporter is scraped",
        description="Prometheus scrapes no Livepeer exporter: none is deployed, or service discovery does not find "
        f"any.{scraped}",
        link=f"/d/livepeer-exporter{LAST_3_HOURS}",
    )


@pytest.mark.parametrize(
    ("series", "polled"),
    [
        (exporter(snapshot_timestamp_seconds=constant(61)), " Last successful poll at 1970-01-01 00:01:01 UTC."),
        (exporter(up=ZERO), ""),
    ],
    ids=["a poll", "no poll"],
)
def test_an_alert_on_stale_data_has_the_last_successful_poll(
    promtool: str, tmp_path: Path, series: InputSeries, polled: str
) -> None:
    _assert_firing(
        promtool,
        tmp_path,
        series,
        "LivepeerDataStale",
        OF_EXPORTER,
        summary="Data of the Livepeer account main is stale in one:9877",
        description=STALE + polled,
        link=EXPORTER_LINK,
    )


def test_an_alert_on_stale_data_lists_the_classes_of_failures_the_most_frequent_first(
    promtool: str, tmp_path: Path
) -> None:
    old = {account_series("exporter_poll_failures_total", 'class="dns"'): changing_at(60, 0, 900)}
    _assert_firing(
        promtool,
        tmp_path,
        exporter(up=ZERO) | old | poll_failures(auth=linear(1), timeout=linear(2)),
        "LivepeerDataStale",
        OF_EXPORTER,
        summary="Data of the Livepeer account main is stale in one:9877",
        description=f"{STALE} Failures of the last 30m: timeout, auth.",
        link=EXPORTER_LINK,
        at=2 * AT,
    )


def test_an_alert_on_failing_polls_has_since_when_and_the_last_successful_poll(promtool: str, tmp_path: Path) -> None:
    _assert_firing(
        promtool,
        tmp_path,
        poll_failures(linear(5)) | exporter(snapshot_timestamp_seconds=linear(1)),
        "LivepeerApiErrors",
        OF_EXPORTER | {"class": "auth"},
        summary="Polls of the Livepeer account main fail (auth)",
        description="In the last 15m, 50% of the polls of one:9877 failed with class auth. "
        "Since 1970-01-01 00:00:10 UTC. Last successful poll at 1970-01-01 00:30:00 UTC.",
        link=EXPORTER_LINK,
    )


def test_an_alert_has_since_when_the_health_is_the_same_if_that_is_known(promtool: str, tmp_path: Path) -> None:
    since = constant(95)
    series = session(healthy=changing_at(120, None, 0), health_since_timestamp_seconds=since)
    _assert_unhealthy_session(promtool, tmp_path, series, " Since 1970-01-01 00:01:35 UTC.")


def test_an_alert_has_since_when_its_condition_holds_if_the_health_is_younger(promtool: str, tmp_path: Path) -> None:
    """After a restart, an exporter reports the health as that of its first poll."""
    series = session(healthy=changing_at(120, None, 0), health_since_timestamp_seconds=constant(1500))
    _assert_unhealthy_session(promtool, tmp_path, series, " Since 1970-01-01 00:02:00 UTC.")


def test_an_alert_has_since_when_its_condition_holds_without_data(promtool: str, tmp_path: Path) -> None:
    series = session(healthy=changing_at(120, None, 0))
    _assert_unhealthy_session(promtool, tmp_path, series, " Since 1970-01-01 00:02:00 UTC.")


def test_an_alert_lists_the_issues_of_its_session_once(promtool: str, tmp_path: Path) -> None:
    series = session(healthy=ZERO) | session("two:9877", healthy=ZERO)
    series |= session_issue("low frame rate") | session_issue("low frame rate", instance="two:9877")
    series |= session_issue("{{ bitrate }} above limit") | session_issue("of another session", session_id="e-2")
    details = " Since 1970-01-01 00:00:00 UTC. Reported issues: low frame rate; {{ bitrate }} above limit"
    _assert_unhealthy_session(promtool, tmp_path, series, details)


def test_an_alert_at_detail_stream_lists_the_issues_and_links_to_the_stream(promtool: str, tmp_path: Path) -> None:
    series = stream(healthy=ZERO, health_since_timestamp_seconds=constant(-60)) | stream_issue("low frame rate")
    details = " Since 1969-12-31 23:59:00 UTC. Reported issues: low frame rate"
    _assert_unhealthy_stream(promtool, tmp_path, series, details)


def test_an_alert_bounds_the_number_and_the_length_of_issues(promtool: str, tmp_path: Path) -> None:
    series = stream(healthy=ZERO)
    for number in range(MAX_ISSUES + 1):
        series |= stream_issue(f"{number}" + "é" * (MAX_ISSUE - 1 + number % 2))
    listed = "; ".join(f"{each}" + "é" * (MAX_ISSUE - 1) + "…" * (each % 2) for each in range(MAX_ISSUES))
    details = f" Since 1970-01-01 00:00:00 UTC. Reported issues: {listed}; and more"
    _assert_unhealthy_stream(promtool, tmp_path, series, details)


def test_an_alert_on_a_session_without_name_and_stream_has_its_id(promtool: str, tmp_path: Path) -> None:
    named = session(healthy=ZERO) | session_issue("low frame rate")
    removed = ('stream_id="s-1", ', ', name="The \\"late\\" show"')
    series = {name.replace(removed[0], "").replace(removed[1], ""): value for name, value in named.items()}
    _assert_firing(
        promtool,
        tmp_path,
        series,
        "LivepeerStreamUnhealthy",
        {"job": "livepeer", "account": "main", "session_id": "e-1", "name": "e-1"},
        summary="e-1: unhealthy",
        description=f"{UNHEALTHY} Since 1970-01-01 00:00:00 UTC. Reported issues: low frame rate",
        link=SESSION_LINK.replace("&var-stream=s-1", ""),
    )


@pytest.mark.parametrize(
    ("last_seen", "media"),
    [(constant(1000), " Last media at 1970-01-01 00:16:40 UTC."), (lambda _: None, "")],
    ids=["media", "no media"],
)
def test_an_alert_on_stopped_ingest_has_the_last_media(
    promtool: str, tmp_path: Path, last_seen: Any, media: str
) -> None:
    series = session(ingest_rate_bytes_per_second=changing_at(1200, 1e6, 0), last_seen_timestamp_seconds=last_seen)
    polls = exporter(snapshot_timestamp_seconds=linear(1), exporter_poll_interval_seconds=constant(30))
    _assert_firing(
        promtool,
        tmp_path,
        series | polls,
        "LivepeerIngestStopped",
        OF_SESSION,
        summary=f"{LATE_SHOW}: ingest has stopped",
        description=f"The session is active, but has had an ingest rate of 0 for 3m. Viewers see no new media.{media}",
        link=SESSION_LINK,
    )


@pytest.mark.parametrize(
    ("series", "labels"),
    [
        (pending_session(900), OF_STREAM | {"name": "Lobby"}),
        (pending_stream(900), OF_STREAM),
    ],
    ids=["session", "stream"],
)
def test_an_alert_on_a_session_that_never_started_has_its_creation(
    promtool: str, tmp_path: Path, series: InputSeries, labels: dict[str, str]
) -> None:
    _assert_firing(
        promtool,
        tmp_path,
        series,
        "LivepeerSessionNotStarted",
        labels,
        summary=f"{labels['name']}: created, but never started",
        description="1 session was created more than 5 minutes ago, but no media has arrived. No session of the "
        "stream is active. Created at 1970-01-01 00:15:00 UTC.",
        link=STREAM_LINK,
    )


@pytest.mark.parametrize(("sessions", "counted"), [(1, "1 recording"), (2, "2 recordings")])
def test_an_alert_on_stuck_recordings_counts_them_and_links_to_the_last_six_hours(
    promtool: str, tmp_path: Path, sessions: int, counted: str
) -> None:
    waiting = recording("waiting", last_seen_timestamp_seconds=constant(-3601))
    series = {
        name.replace("e-1", f"e-{each + 1}"): value for each in range(sessions) for name, value in waiting.items()
    }
    verb = "is" if sessions == 1 else "are"
    _assert_firing(
        promtool,
        tmp_path,
        series,
        "LivepeerRecordingStuck",
        OF_STREAM | {"name": LATE_SHOW},
        summary=f"{LATE_SHOW}: {counted} {verb} not ready",
        description=f"{counted} of the stream {verb} not ready, although the last media arrived more than 1 h ago. The "
        "Stream dashboard has their sessions. Since 1970-01-01 00:00:00 UTC.",
        link=STREAM_LINK.replace("now-3h", "now-6h"),
    )


def test_an_alert_on_an_expected_stream_has_its_name_and_last_media(promtool: str, tmp_path: Path) -> None:
    _assert_firing(
        promtool,
        tmp_path,
        expected_stream(changing_at(900, 1, 0)),
        "LivepeerExpectedStreamNotLive",
        {"account": "main", "stream_id": "s-1", "name": "News"},
        summary="News: expected to be live, but is not",
        description=f"{NOT_LIVE} Since 1970-01-01 00:15:00 UTC. Last media at 1970-01-01 00:29:45 UTC.",
        link="/d/livepeer-stream?from=now-24h&to=now&var-account=main&var-stream=s-1",
    )


def test_an_alert_on_an_expected_stream_that_was_never_live_has_no_last_media(promtool: str, tmp_path: Path) -> None:
    series = {'livepeer_expected_live{account="main", stream_id="s-1"}': ONE} | exporter()
    _assert_firing(
        promtool,
        tmp_path,
        series,
        "LivepeerExpectedStreamNotLive",
        {"account": "main", "stream_id": "s-1"},
        summary="s-1: expected to be live, but is not",
        description=f"{NOT_LIVE} Since 1970-01-01 00:00:00 UTC.",
        link="/d/livepeer-stream?from=now-24h&to=now&var-account=main&var-stream=s-1",
    )


@pytest.mark.parametrize("alert", alerting_rules(DEFAULT), ids=lambda alert: alert.name)
def test_every_alert_has_a_time(alert: Alert) -> None:
    description = alert.to_rule(BaseUrls())["annotations"]["description"]
    assert description.count("toTime") == len(alert.moments) > 0


@pytest.mark.parametrize("alert", alerting_rules(DEFAULT), ids=lambda alert: alert.name)
def test_an_alert_has_one_query_for_each_name_and_time(alert: Alert) -> None:
    """Prometheus runs them at each evaluation, for every alert that is pending or firing.

    The alert on stale data has another one, for the classes of failures.
    """
    rule = alert.to_rule(BaseUrls())
    texts = (rule["labels"].get("name", ""), rule["annotations"]["summary"], rule["annotations"]["description"])
    named = 1 if alert.subject_name else 0
    others = len(alert.moments) + (alert.name == "LivepeerDataStale")
    assert [text.count("| query") for text in texts] == [named, named, others]


def test_an_alert_on_an_objective_has_the_share_the_objective_and_half_a_day(promtool: str, tmp_path: Path) -> None:
    _assert_firing(
        promtool,
        tmp_path,
        stream() | observed(linear(0.25), linear(1)),
        "LivepeerErrorBudgetBurningSlowly",
        OF_STREAM,
        summary="News: unhealthy in 25% of its live time in the last 6h",
        description="The stream was unhealthy in 25% of its live time in the last 6h. It uses its error budget more "
        "than 6 times as fast as the objective of 99% allows. Since 1970-01-01 00:30:00 UTC.",
        link=STREAM_LINK.replace("3h", "12h"),
        at=2400,
    )

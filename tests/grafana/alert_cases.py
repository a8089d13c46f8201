"""For each alert, inputs on which it fires and inputs on which it just does not."""

from typing import Final

from tests.grafana.input_series import (
    ONE,
    ZERO,
    account_series,
    expected_stream,
    exporter,
    exporter_down_at,
    exporter_series,
    frozen_at,
    ingest_drop,
    poll_failures,
    recording,
    session,
    source_only,
    source_speed,
    stream,
    stream_with_failed_recordings,
    target_series,
    transcoded_lag,
    transcoded_speed,
    upstream_restart,
)
from tests.grafana.promtool import MINUTE, Case, InputSeries, Value, changing_at, constant, linear, stepwise

HOUR: Final = 60 * MINUTE
DOWN, ABSENT, STALE = "LivepeerExporterDown", "LivepeerExporterAbsent", "LivepeerDataStale"
ERRORS, LIMITED, DROPPED = "LivepeerApiErrors", "LivepeerRateLimited", "LivepeerSessionsDropped"
UNHEALTHY, UNHEALTHY_LONG = "LivepeerStreamUnhealthy", "LivepeerStreamUnhealthyForLong"
INGEST_DROPPED, STARVING = "LivepeerIngestDropped", "LivepeerIngestStarving"
BEHIND, NOTHING_TRANSCODED = "LivepeerTranscodingBehind", "LivepeerNothingTranscoded"
FAILED, STUCK, EXPECTED = "LivepeerRecordingFailed", "LivepeerRecordingStuck", "LivepeerExpectedStreamNotLive"

_STALE_AGE: Final = 300
"""Highest age of data that is not stale, with the default --max-staleness."""

_LONG_STALE_AGE: Final = 20 * MINUTE
_LONG_STALENESS: Final = exporter(
    snapshot_timestamp_seconds=ZERO, exporter_max_staleness_seconds=constant(_LONG_STALE_AGE)
)


def _build_info(value: Value) -> InputSeries:
    return {exporter_series("exporter_build_info"): value}


def _throttled(at: float, responses: float) -> InputSeries:
    return {account_series("exporter_api_throttled_total"): changing_at(at, 0, responses)}


def _dropped(value: Value) -> InputSeries:
    return {account_series("exporter_sessions_dropped"): value}


EXPORTER_CASES: Final = (
    Case(DOWN, "down for three minutes", exporter_down_at(300), 300 + 180, 1),
    Case(DOWN, "down for less than three minutes", exporter_down_at(300), 300 + 170, 0),
    Case(DOWN, "target is not an exporter", {target_series("up"): ZERO}, 600, 0),
    Case(DOWN, "up", {target_series("up"): ONE} | _build_info(ONE), 600, 0),
    Case(ABSENT, "absent for five minutes", _build_info(changing_at(100, 1, None)), 400, 1),
    Case(ABSENT, "absent for less than five minutes", _build_info(changing_at(100, 1, None)), 390, 0),
    Case(ABSENT, "present", _build_info(ONE), 600, 0),
    Case(STALE, "stale for a minute", exporter(snapshot_timestamp_seconds=ZERO), _STALE_AGE + 10 + 60, 1),
    Case(STALE, "stale for less than a minute", exporter(snapshot_timestamp_seconds=ZERO), _STALE_AGE + 60, 0),
    Case(STALE, "never polled for a minute", exporter(up=ZERO), 60, 1),
    Case(STALE, "never polled for less than a minute", exporter(up=ZERO), 50, 0),
    Case(STALE, "V07 below a longer --max-staleness", _LONG_STALENESS, _LONG_STALE_AGE + 60, 0),
    Case(STALE, "V07 above a longer --max-staleness", _LONG_STALENESS, _LONG_STALE_AGE + 10 + 60, 1),
    Case(
        STALE,
        "one of two replicas is current",
        exporter(snapshot_timestamp_seconds=ZERO) | exporter(instance="two:9877", snapshot_timestamp_seconds=linear(1)),
        900,
        0,
    ),
    Case(
        STALE,
        "one of two shards is stale",
        exporter(snapshot_timestamp_seconds=ZERO)
        | exporter(index="1", instance="two:9877", snapshot_timestamp_seconds=linear(1)),
        900,
        1,
    ),
    Case(ERRORS, "more than a fifth fails", poll_failures(linear(2.1)), 20 * MINUTE, 1),
    Case(ERRORS, "less than a fifth fails", poll_failures(linear(1.9)), 20 * MINUTE, 0),
    Case(ERRORS, "two classes", poll_failures(linear(3), linear(4)), 20 * MINUTE, 2),
    Case(ERRORS, "failing for five minutes", poll_failures(linear(10)), 10 + 300, 1),
    Case(ERRORS, "failing for less than five minutes", poll_failures(linear(10)), 300, 0),
    Case(ERRORS, "failures have left the window", poll_failures(frozen_at(1200, linear(10))), 1200 + 13 * MINUTE, 0),
    Case(ERRORS, "failures are in the window", poll_failures(frozen_at(1200, linear(10))), 1200 + 11 * MINUTE, 1),
    Case(LIMITED, "four responses", _throttled(60, 4), 15 * MINUTE, 1),
    Case(LIMITED, "three responses", _throttled(60, 3), 15 * MINUTE, 0),
    Case(LIMITED, "for five minutes", _throttled(900, 9), 900 + 300, 1),
    Case(LIMITED, "for less than five minutes", _throttled(900, 9), 900 + 290, 0),
    Case(LIMITED, "responses have left the window", _throttled(600, 9), 600 + 16 * MINUTE, 0),
    Case(LIMITED, "responses are in the window", _throttled(600, 9), 600 + 14 * MINUTE, 1),
    Case(DROPPED, "one for ten minutes", _dropped(changing_at(60, 0, 1)), 60 + 600, 1),
    Case(DROPPED, "one for less than ten minutes", _dropped(changing_at(60, 0, 1)), 60 + 590, 0),
    Case(DROPPED, "none", _dropped(ZERO), 30 * MINUTE, 0),
)

HEALTH_CASES: Final = (
    Case(UNHEALTHY, "for three minutes", session(healthy=changing_at(60, 1, 0)), 60 + 180, 1),
    Case(UNHEALTHY, "for less than three minutes", session(healthy=changing_at(60, 1, 0)), 60 + 170, 0),
    Case(UNHEALTHY, "health is unknown", session(), 30 * MINUTE, 0),
    Case(UNHEALTHY, "the session has ended", session(end=120, healthy=changing_at(120, 0, None)), 10 * MINUTE, 0),
    Case(UNHEALTHY, "healthy", session(healthy=ONE), 30 * MINUTE, 0),
    Case(UNHEALTHY, "healthy every 170 seconds", session(healthy=lambda t: float(t % 170 == 0)), 30 * MINUTE, 0),
    Case(
        UNHEALTHY,
        "two replicas cause one alert",
        session(healthy=ZERO) | session("two:9877", healthy=ZERO),
        10 * MINUTE,
        1,
    ),
    Case(UNHEALTHY, "unhealthy at detail stream", stream(healthy=ZERO), 10 * MINUTE, 1),
    Case(UNHEALTHY, "healthy at detail stream", stream(healthy=ONE), 10 * MINUTE, 0),
    Case(UNHEALTHY_LONG, "unhealthy at detail stream", stream(healthy=ZERO), 20 * MINUTE, 1),
    Case(UNHEALTHY_LONG, "for fifteen minutes", session(healthy=changing_at(60, 1, 0)), 60 + 900, 1),
    Case(UNHEALTHY_LONG, "for less than fifteen minutes", session(healthy=changing_at(60, 1, 0)), 60 + 890, 0),
    Case(UNHEALTHY_LONG, "health is unknown", session(), 30 * MINUTE, 0),
    Case(UNHEALTHY_LONG, "the session has ended", session(end=120, healthy=changing_at(120, 0, None)), 30 * MINUTE, 0),
)

INGEST_CASES: Final = (
    Case(INGEST_DROPPED, "below half", ingest_drop(0.45, 2400), 2400 + 480, 1),
    Case(INGEST_DROPPED, "above half", ingest_drop(0.55, 2400), 2400 + 480, 0),
    Case(INGEST_DROPPED, "for three minutes", ingest_drop(0, 2400), 2400 + 150 + 180, 1),
    Case(INGEST_DROPPED, "for less than three minutes", ingest_drop(0, 2400), 2400 + 150 + 170, 0),
    Case(INGEST_DROPPED, "eleven minutes ago", ingest_drop(0.4, 3600), 3600 + 11 * MINUTE, 1),
    Case(INGEST_DROPPED, "the baseline has followed", ingest_drop(0.4, 3600), 3600 + 20 * MINUTE, 0),
    Case(INGEST_DROPPED, "baseline above the minimum", ingest_drop(0, 2400, before=12_800), 2400 + 330, 1),
    Case(INGEST_DROPPED, "baseline below the minimum", ingest_drop(0, 2400, before=12_450), 2400 + 330, 0),
    Case(INGEST_DROPPED, "the session has ended", ingest_drop(0, 2400, end=2400 + 90), 2400 + 480, 0),
    Case(STARVING, "below the minimum speed", session(source_segments_duration_seconds=source_speed(0.93)), 600, 1),
    Case(STARVING, "above the minimum speed", session(source_segments_duration_seconds=source_speed(0.97)), 600, 0),
    Case(
        STARVING,
        "for three minutes",
        session(source_segments_duration_seconds=source_speed(0.5, 561)),
        640 + 180,
        1,
    ),
    Case(
        STARVING,
        "for less than three minutes",
        session(source_segments_duration_seconds=source_speed(0.5, 561)),
        600 + 170,
        0,
    ),
    Case(
        STARVING,
        "slow media is in the window",
        session(source_segments_duration_seconds=source_speed(0.5, 0, 1224)),
        1224 + 270,
        1,
    ),
    Case(
        STARVING,
        "slow media has left the window",
        session(source_segments_duration_seconds=source_speed(0.5, 0, 1224)),
        1224 + 310,
        0,
    ),
    Case(
        STARVING,
        "values are no longer updated",
        session(
            last_seen_timestamp_seconds=frozen_at(306, stepwise(lambda _: 1)),
            source_segments_duration_seconds=frozen_at(306, stepwise(lambda _: 1)),
        ),
        20 * MINUTE,
        0,
    ),
    Case(
        STARVING,
        "values decreased at an upstream restart",
        session(source_segments_duration_seconds=upstream_restart(600)),
        600 + 200,
        0,
    ),
    Case(
        STARVING,
        "the session has ended",
        session(end=0, source_segments_duration_seconds=source_speed(0.5)),
        10 * MINUTE,
        0,
    ),
)

TRANSCODING_CASES: Final = (
    Case(BEHIND, "more than 30 seconds", session(transcoded_segments_duration_seconds=transcoded_lag(31)), 600, 1),
    Case(BEHIND, "less than 30 seconds", session(transcoded_segments_duration_seconds=transcoded_lag(29)), 600, 0),
    Case(BEHIND, "for three minutes", session(transcoded_segments_duration_seconds=transcoded_lag(40, 400)), 580, 1),
    Case(
        BEHIND,
        "for less than three minutes",
        session(transcoded_segments_duration_seconds=transcoded_lag(40, 400)),
        570,
        0,
    ),
    Case(BEHIND, "no profiles", session(profiles=ZERO, transcoded_segments_duration_seconds=ZERO), 600, 0),
    Case(BEHIND, "the session has ended", session(end=0, transcoded_segments_duration_seconds=ZERO), 600, 0),
    Case(NOTHING_TRANSCODED, "nothing", session(transcoded_segments_duration_seconds=ZERO), 600, 1),
    Case(
        NOTHING_TRANSCODED,
        "below the ratio",
        session(transcoded_segments_duration_seconds=transcoded_speed(0.04)),
        600,
        1,
    ),
    Case(
        NOTHING_TRANSCODED,
        "above the ratio",
        session(transcoded_segments_duration_seconds=transcoded_speed(0.06)),
        600,
        0,
    ),
    Case(NOTHING_TRANSCODED, "for three minutes", session(transcoded_segments_duration_seconds=ZERO), 110 + 180, 1),
    Case(
        NOTHING_TRANSCODED,
        "for less than three minutes",
        session(transcoded_segments_duration_seconds=ZERO),
        60 + 170,
        0,
    ),
    Case(NOTHING_TRANSCODED, "source above the minimum", source_only(0.22), 900, 1),
    Case(NOTHING_TRANSCODED, "source below the minimum", source_only(0.18), 900, 0),
    Case(
        NOTHING_TRANSCODED,
        "the session has ended",
        session(end=0, transcoded_segments_duration_seconds=ZERO),
        600,
        0,
    ),
    Case(
        NOTHING_TRANSCODED,
        "no profiles",
        session(profiles=ZERO, transcoded_segments_duration_seconds=ZERO),
        600,
        0,
    ),
)

RECORDING_CASES: Final = (
    Case(FAILED, "for three minutes", recording("failed", changing_at(60, 0, 1)), 60 + 180, 1),
    Case(FAILED, "for less than three minutes", recording("failed", changing_at(60, 0, 1)), 60 + 170, 0),
    Case(FAILED, "waiting", recording("waiting") | recording("failed", ZERO), 600, 0),
    Case(FAILED, "one at detail stream", stream_with_failed_recordings(1), 600, 1),
    Case(FAILED, "none at detail stream", stream_with_failed_recordings(0), 600, 0),
    Case(STUCK, "waiting for an hour", recording("waiting", last_seen_timestamp_seconds=ZERO), HOUR + 10 + 180, 1),
    Case(STUCK, "waiting for less than an hour", recording("waiting", last_seen_timestamp_seconds=ZERO), HOUR + 180, 0),
    Case(STUCK, "no recording", recording("none", last_seen_timestamp_seconds=ZERO), HOUR + 10 + 180, 1),
    Case(STUCK, "ready", recording("ready", last_seen_timestamp_seconds=ZERO), HOUR + 10 * MINUTE, 0),
    Case(
        STUCK,
        "no longer waiting",
        recording("waiting", ZERO, last_seen_timestamp_seconds=ZERO),
        HOUR + 10 * MINUTE,
        0,
    ),
    Case(
        STUCK,
        "no media was received",
        recording("waiting", last_seen_timestamp_seconds=lambda _: None),
        HOUR + 10 * MINUTE,
        0,
    ),
)

EXPECTED_CASES: Final = (
    Case(EXPECTED, "not active for five minutes", expected_stream(changing_at(60, 1, 0)), 60 + 300, 1),
    Case(EXPECTED, "not active for less than five minutes", expected_stream(changing_at(60, 1, 0)), 60 + 290, 0),
    Case(EXPECTED, "active", expected_stream(ONE), 30 * MINUTE, 0),
    Case(EXPECTED, "active at detail stream", expected_stream(ZERO) | stream(), 30 * MINUTE, 0),
    Case(EXPECTED, "polls fail", expected_stream(ZERO, up=ZERO), 30 * MINUTE, 0),
    Case(EXPECTED, "not listed", session(active=ZERO) | exporter(), 30 * MINUTE, 0),
)

CASES: Final = (
    *EXPORTER_CASES,
    *HEALTH_CASES,
    *INGEST_CASES,
    *TRANSCODING_CASES,
    *RECORDING_CASES,
    *EXPECTED_CASES,
)

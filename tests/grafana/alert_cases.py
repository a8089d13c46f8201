"""For each alert, inputs on which it fires and inputs on which it just does not."""

from typing import Final

from tests.grafana.input_series import (
    INSTANCE,
    ONE,
    ZERO,
    account_series,
    active_sessions,
    expected_stream,
    exporter,
    exporter_down_at,
    exporter_series,
    failed_recordings,
    frozen_at,
    ingest_drop,
    observed,
    pending_session,
    pending_stream,
    poll_failures,
    recording,
    session,
    sessions_created,
    sessions_started,
    source_only,
    source_speed,
    stream,
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
VANISHED, RECONNECTING = "LivepeerActiveSessionsVanished", "LivepeerStreamReconnecting"
NOT_STARTED, STOPPED = "LivepeerSessionNotStarted", "LivepeerIngestStopped"
FAILED, STUCK, EXPECTED = "LivepeerRecordingFailed", "LivepeerRecordingStuck", "LivepeerExpectedStreamNotLive"

BURNING_FAST, BURNING_SLOWLY = "LivepeerErrorBudgetBurningFast", "LivepeerErrorBudgetBurningSlowly"
TARGETS: Final = "LivepeerMultistreamTargetsFailing"

_FAILED_LABELS: Final = ('stream_id="s-1"', 'result="failed"')

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


def _episodes(seconds: float) -> Value:
    """Return the health of a stream that is unhealthy for some seconds in every 170."""
    return lambda time: float(time % 170 >= seconds)


def _flapping(seconds: float) -> InputSeries:
    return session(healthy=_episodes(seconds)) | exporter()


def _flapping_rate(time: float) -> float:
    return 1e6 if time % 170 == 0 else 0.0


def _mostly_unknown(seconds: float) -> Value:
    """Return the health of a session that is unhealthy for some seconds in every 300, and of unknown health else."""
    return lambda time: 0 if time % 300 < seconds else None


def _restarting(value: float) -> Value:
    """Return a value that is absent for 30 seconds in every 10 minutes."""
    return lambda time: value if time % 600 >= 30 else None


def _unhealthy_between(start: float, end: float) -> InputSeries:
    return session(healthy=lambda time: float(not start <= time < end)) | exporter()


def _ended(at: float) -> InputSeries:
    """Return an unhealthy session that ends."""
    return session(end=at, healthy=changing_at(at, 0, None)) | exporter()


def _polled(age: Value = ZERO, interval: float = 30, instance: str = INSTANCE) -> InputSeries:
    """Return an exporter whose data has this age in seconds, as a function of the time."""
    return exporter(
        instance=instance,
        snapshot_timestamp_seconds=lambda time: time - (age(time) or 0),
        exporter_poll_interval_seconds=constant(interval),
    )


def _rate(value: Value, instance: str = INSTANCE) -> InputSeries:
    """Return a session with this ingest rate, and its exporter with current data."""
    return session(instance, ingest_rate_bytes_per_second=value) | _polled(instance=instance)


def _ingest_stopped(at: float, instance: str = INSTANCE, end: float | None = None) -> InputSeries:
    rate = changing_at(at, 1e6, 0)
    series = session(
        instance, end, ingest_rate_bytes_per_second=lambda time: rate(time) if end is None or time < end else None
    )
    return series | _polled(instance=instance)


def _stopped_with_old_data(age: Value, interval: float = 30) -> InputSeries:
    return session(ingest_rate_bytes_per_second=ZERO) | _polled(age, interval)


def _ingest_stopped_between(start: float, end: float) -> InputSeries:
    return _rate(lambda time: 0 if start <= time < end else 1e6)


def _stream_rate(value: Value, age: Value = ZERO, active: Value = ONE) -> InputSeries:
    return stream(active=active, ingest_rate_bytes_per_second=value) | _polled(age)


def _nothing_transcoded_until(time: float) -> InputSeries:
    return session(transcoded_segments_duration_seconds=stepwise(lambda second: 3 * float(second >= time)))


def _stuck() -> InputSeries:
    return recording("waiting", last_seen_timestamp_seconds=ZERO)


def _replaced(series: InputSeries, old: str, new: str) -> InputSeries:
    """Return the series with another value of a label."""
    return {name.replace(f'"{old}"', f'"{new}"'): value for name, value in series.items()}


def _stuck_until(time: float) -> InputSeries:
    return recording("waiting", changing_at(time, 1, None), last_seen_timestamp_seconds=ZERO)


def _stale_until(time: float) -> InputSeries:
    labels = 'job="livepeer", instance="one:9877", account="main"'
    return {f'ALERTS{{alertname="LivepeerDataStale", alertstate="firing", {labels}}}': changing_at(time, 1, None)}


def _behind(seconds: float, start: float = 60, gap: tuple[float, float] = (0, 0)) -> InputSeries:
    """Return a session whose renditions are behind from a time on, without data in the gap."""
    transcoded = transcoded_lag(seconds, start)
    return session(transcoded_segments_duration_seconds=lambda now: None if gap[0] <= now < gap[1] else transcoded(now))


def _behind_again(seconds: float) -> InputSeries:
    """Return a session that is 40 seconds behind from the first minute on, and further behind after half an hour."""
    first, second = transcoded_lag(40, 60), transcoded_lag(40 + seconds, 1800)
    return session(transcoded_segments_duration_seconds=lambda now: second(now) if now >= 1800 else first(now))


def _dip(start: float, end: float) -> Value:
    return lambda time: 0 if start <= time < end else 50


def _steps(*times: float) -> Value:
    """Return a counter that increases by one at each time."""
    return lambda time: float(sum(time >= each for each in times))


def _replaced_pod(at: float, active: float) -> InputSeries:
    """Return two exporters, of which the second replaces the first and has a number of active sessions."""
    old = {name: _until(at, value) for name, value in active_sessions(constant(50)).items()}
    new = active_sessions(constant(active), instance="two:9877")
    return old | {name: _from(at, value) for name, value in new.items()}


def _until(end: float, value: Value) -> Value:
    return lambda time: value(time) if time < end else None


def _from(start: float, value: Value) -> Value:
    return lambda time: value(time) if time >= start else None


def _without_stream(*times: float) -> InputSeries:
    return {name.replace('stream_id="s-1", ', ""): value for name, value in sessions_created(*times).items()}


def _targets(at: float, errors: float, connected: float, instance: str = INSTANCE) -> InputSeries:
    """Return the counters of an exporter that receives events of multistream targets at one time."""
    events = {"error": errors, "connected": connected, "disconnected": 100}
    return {
        account_series("multistream_events_total", f'result="{result}"', instance=instance): changing_at(at, 0, count)
        for result, count in events.items()
    }


def _unhealthy_time(start: float) -> InputSeries:
    """Return a live stream that is unhealthy from a time on."""
    return observed(lambda time: max(0.0, time - start), linear(1))


def _unhealthy_part(part: float, end: float = 1e9, instance: str = INSTANCE) -> InputSeries:
    """Return a live stream that is unhealthy for a part of the time until an end."""
    return observed(lambda time: part * min(time, end), linear(1), instance=instance)


def _ended_stream(end: float) -> InputSeries:
    """Return a stream that is unhealthy for half of the time and ends."""
    return observed(frozen_at(end, linear(0.5)), frozen_at(end, linear(1)))


def _reset(per_second: float) -> Value:
    """Return a counter that restarts at 0 once."""
    return lambda time: per_second * (time if time < 2700 else time - 2700)


EXPORTER_CASES: Final = (
    Case(DOWN, "down for three minutes", exporter_down_at(300), 300 + 180, 1),
    Case(DOWN, "down for less than three minutes", exporter_down_at(300), 300 + 170, 0),
    Case(DOWN, "target is not an exporter", {target_series("up"): ZERO}, 600, 0),
    Case(DOWN, "up", {target_series("up"): ONE} | _build_info(ONE), 600, 0),
    Case(ABSENT, "absent for five minutes", _build_info(changing_at(100, 1, None)), 400, 1),
    Case(ABSENT, "absent for less than five minutes", _build_info(changing_at(100, 1, None)), 390, 0),
    Case(ABSENT, "present", _build_info(ONE), 600, 0),
    Case(ABSENT, "all targets are down", exporter_down_at(300), 900, 0),
    Case(STALE, "stale for a minute", exporter(snapshot_timestamp_seconds=ZERO), _STALE_AGE + 10 + 60, 1),
    Case(STALE, "stale for less than a minute", exporter(snapshot_timestamp_seconds=ZERO), _STALE_AGE + 60, 0),
    Case(STALE, "never polled for a minute", exporter(up=ZERO), 60, 1),
    Case(STALE, "never polled for less than a minute", exporter(up=ZERO), 50, 0),
    Case(STALE, "V07 below a longer --max-staleness", _LONG_STALENESS, _LONG_STALE_AGE + 60, 0),
    Case(STALE, "V07 above a longer --max-staleness", _LONG_STALENESS, _LONG_STALE_AGE + 10 + 60, 1),
    Case(
        STALE,
        "one of two replicas is stale",
        exporter(snapshot_timestamp_seconds=ZERO) | exporter(instance="two:9877", snapshot_timestamp_seconds=linear(1)),
        900,
        1,
    ),
    Case(
        STALE,
        "one of two replicas has never polled",
        exporter(up=ZERO) | exporter(instance="two:9877", snapshot_timestamp_seconds=linear(1)),
        900,
        1,
    ),
    Case(
        STALE,
        "both replicas are stale",
        exporter(snapshot_timestamp_seconds=ZERO) | exporter(instance="two:9877", up=ZERO),
        900,
        2,
    ),
    Case(
        STALE,
        "the exporter restarts and polls",
        exporter(
            up=lambda time: float(time > 930), snapshot_timestamp_seconds=lambda time: time if time != 930 else None
        ),
        990,
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
    Case(ERRORS, "data was stale", poll_failures(linear(10)) | _stale_until(600), 600 + 14 * MINUTE, 0),
    Case(ERRORS, "data is no longer stale", poll_failures(linear(10)) | _stale_until(600), 600 + 21 * MINUTE, 1),
    Case(ERRORS, "failing for five minutes", poll_failures(linear(10)), 10 + 300, 1),
    Case(ERRORS, "failing for less than five minutes", poll_failures(linear(10)), 300, 0),
    Case(ERRORS, "failures have left the window", poll_failures(frozen_at(1200, linear(10))), 1200 + 13 * MINUTE, 0),
    Case(ERRORS, "failures are in the window", poll_failures(frozen_at(1200, linear(10))), 1200 + 11 * MINUTE, 1),
    Case(LIMITED, "four responses", _throttled(60, 4), 15 * MINUTE, 1),
    Case(LIMITED, "data was stale", _throttled(60, 4) | _stale_until(600), 600 + 14 * MINUTE, 0),
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
    Case(UNHEALTHY, "healthy again for less than five minutes", _unhealthy_between(60, 600), 600 + 290, 1),
    Case(UNHEALTHY, "healthy again for five minutes", _unhealthy_between(60, 600), 600 + 300, 0),
    Case(UNHEALTHY_LONG, "unhealthy at detail stream", stream(healthy=ZERO), 20 * MINUTE, 1),
    Case(UNHEALTHY_LONG, "healthy at detail stream", stream(healthy=ONE), 20 * MINUTE, 0),
    Case(UNHEALTHY_LONG, "half of the window and seven minutes", _unhealthy_between(1200, 1e9), 1200 + 450 + 420, 1),
    Case(UNHEALTHY_LONG, "less than that", _unhealthy_between(1200, 1e9), 1200 + 450 + 410, 0),
    Case(UNHEALTHY_LONG, "episodes of 100 in 170 seconds", _flapping(100), HOUR, 1),
    Case(UNHEALTHY_LONG, "episodes of 70 in 170 seconds", _flapping(70), HOUR, 0),
    Case(UNHEALTHY_LONG, "episodes at detail stream", stream(healthy=_episodes(100)), HOUR, 1),
    Case(UNHEALTHY_LONG, "few episodes at detail stream", stream(healthy=_episodes(70)), HOUR, 0),
    Case(UNHEALTHY_LONG, "health is unknown", session() | exporter(), 30 * MINUTE, 0),
    Case(UNHEALTHY_LONG, "mostly unknown, else unhealthy", session(healthy=_mostly_unknown(140)) | exporter(), HOUR, 0),
    Case(
        UNHEALTHY_LONG, "at times unknown, else unhealthy", session(healthy=_mostly_unknown(160)) | exporter(), HOUR, 1
    ),
    Case(UNHEALTHY_LONG, "the session has ended", _ended(120), 30 * MINUTE, 0),
    Case(
        UNHEALTHY_LONG,
        "the session ended five minutes ago",
        _ended(1500),
        1500 + 300,
        0,
    ),
    Case(UNHEALTHY_LONG, "the session ended less than five minutes ago", _ended(1500), 1500 + 290, 1),
    Case(UNHEALTHY_LONG, "a young session", session(healthy=_from(1200, ZERO)) | exporter(), 1200 + 860, 0),
    Case(UNHEALTHY_LONG, "no longer a young session", session(healthy=_from(1200, ZERO)) | exporter(), 1200 + 870, 1),
    Case(
        UNHEALTHY_LONG,
        "the exporter restarts every ten minutes",
        session(healthy=_restarting(0), active=_restarting(1)) | exporter(up=_restarting(1)),
        HOUR,
        1,
    ),
    Case(
        UNHEALTHY_LONG,
        "two replicas cause one alert",
        session(healthy=ZERO) | exporter() | session("two:9877", healthy=ZERO) | exporter(instance="two:9877"),
        HOUR,
        1,
    ),
    Case(
        UNHEALTHY_LONG,
        "the window has moved on",
        _unhealthy_between(1200, 2400),
        2400 + 450 + 310,
        0,
    ),
    Case(UNHEALTHY_LONG, "the window has not moved on", _unhealthy_between(1200, 2400), 2400 + 440 + 290, 1),
)

ACTIVITY_CASES: Final = (
    Case(VANISHED, "24 of 50", active_sessions(changing_at(4000, 50, 24)), 4000 + 300, 1),
    Case(VANISHED, "24 of 50 for less than five minutes", active_sessions(changing_at(4000, 50, 24)), 4000 + 290, 0),
    Case(VANISHED, "25 of 50", active_sessions(changing_at(4000, 50, 25)), 4000 + 600, 0),
    Case(VANISHED, "all of 50", active_sessions(changing_at(4000, 50, 0)), 4000 + 600, 1),
    Case(VANISHED, "all of five", active_sessions(changing_at(4000, 5, 0)), 4000 + 600, 1),
    Case(VANISHED, "all of four", active_sessions(changing_at(4000, 4, 0)), 4000 + 600, 0),
    Case(VANISHED, "an hour ago", active_sessions(changing_at(4000, 50, 0)), 4000 + 3600 + 290, 1),
    Case(VANISHED, "more than an hour ago", active_sessions(changing_at(4000, 50, 0)), 4000 + 3600 + 300, 0),
    Case(VANISHED, "a drop of four minutes", active_sessions(_dip(4000, 4240)), 4000 + 420, 0),
    Case(VANISHED, "no data", active_sessions(changing_at(4000, 50, None)), 4000 + 600, 0),
    Case(VANISHED, "started less than an hour ago", active_sessions(changing_at(1000, 50, 0)), 3000, 0),
    Case(
        VANISHED,
        "one of two replicas sees none",
        active_sessions(changing_at(4000, 50, 0)) | active_sessions(constant(50), instance="two:9877"),
        4000 + 600,
        0,
    ),
    Case(
        VANISHED,
        "a replica sees none either",
        active_sessions(changing_at(4000, 50, 0)) | active_sessions(changing_at(4000, 49, 0), instance="two:9877"),
        4000 + 600,
        1,
    ),
    Case(
        VANISHED,
        "one of two shards is stale",
        active_sessions(changing_at(4000, 50, None)) | active_sessions(constant(20), "1", "two:9877"),
        4000 + 600,
        0,
    ),
    Case(
        VANISHED,
        "from both shards",
        active_sessions(changing_at(4000, 50, 10)) | active_sessions(constant(20), "1", "two:9877"),
        4000 + 600,
        1,
    ),
    Case(
        VANISHED,
        "a new instance of a replaced pod sees none",
        _replaced_pod(4000, 0),
        4000 + 600,
        1,
    ),
    Case(VANISHED, "a new instance of a replaced pod sees all", _replaced_pod(4000, 50), 4000 + 600, 0),
    Case(RECONNECTING, "four sessions in 15 minutes", sessions_created(170, 400, 700, 990), 990 + 60, 1),
    Case(RECONNECTING, "for less than a minute", sessions_created(170, 400, 700, 990), 990 + 50, 0),
    Case(RECONNECTING, "three sessions in 15 minutes", sessions_created(170, 400, 990), 990 + 120, 0),
    Case(RECONNECTING, "the first too early", sessions_created(130, 400, 700, 990), 990 + 60, 0),
    Case(RECONNECTING, "ended five minutes ago", sessions_created(100, 400, 700, 800), 100 + 900 + 290, 1),
    Case(RECONNECTING, "ended more than that ago", sessions_created(100, 400, 700, 800), 100 + 900 + 310, 0),
    Case(
        RECONNECTING,
        "two replicas count once",
        sessions_created(170, 700, 990) | sessions_created(170, 700, 990, instance="two:9877"),
        1100,
        0,
    ),
    Case(
        RECONNECTING,
        "two replicas cause one alert",
        sessions_created(170, 400, 700, 990) | sessions_created(170, 400, 700, 990, instance="two:9877"),
        1060,
        1,
    ),
    Case(
        RECONNECTING,
        "four sessions that receive no media",
        sessions_created(170, 400, 700, 990, has_media=False)
        | {account_series("stream_sessions_started_total", 'stream_id="s-1"'): _steps(170, 400, 700, 990)}
        | exporter(),
        990 + 60,
        0,
    ),
    Case(RECONNECTING, "sessions without a parent stream", _without_stream(170, 400, 700, 990), 1060, 0),
    Case(RECONNECTING, "four at detail stream", sessions_started(_steps(300, 500, 700, 900)), 1000, 1),
    Case(RECONNECTING, "three at detail stream", sessions_started(_steps(300, 500, 700)), 1000, 0),
    Case(RECONNECTING, "four before the window at detail stream", sessions_started(_steps(10, 20, 30, 40)), 1300, 0),
    Case(
        RECONNECTING,
        "a restarted exporter starts at 0",
        sessions_started(lambda time: 9.0 if time < 600 else 0.0),
        1000,
        0,
    ),
    Case(
        RECONNECTING,
        "four in two shards",
        sessions_started(_steps(300, 500)) | sessions_started(_steps(400, 700), "1", "two:9877"),
        1000,
        1,
    ),
    Case(NOT_STARTED, "five minutes after creation", pending_session(100), 100 + 310 + 60, 1),
    Case(NOT_STARTED, "less than five minutes after creation", pending_session(100), 100 + 300 + 60, 0),
    Case(NOT_STARTED, "an hour after creation", pending_session(100), 100 + 3590, 1),
    Case(NOT_STARTED, "more than an hour after creation", pending_session(100), 100 + 3600, 0),
    Case(NOT_STARTED, "media has arrived", session(created_timestamp_seconds=constant(100)), 900, 0),
    Case(NOT_STARTED, "media arrived and ended", session(end=300, created_timestamp_seconds=constant(100)), 900, 0),
    Case(NOT_STARTED, "another session of the stream is live", pending_session(100, stream_active=ONE), 900, 0),
    Case(NOT_STARTED, "another session of the stream has ended", pending_session(100, stream_active=ZERO), 900, 1),
    Case(
        NOT_STARTED,
        "two replicas cause one alert",
        pending_session(100) | pending_session(100, instance="two:9877"),
        900,
        1,
    ),
    Case(NOT_STARTED, "at detail stream", pending_stream(100), 100 + 310 + 60, 1),
    Case(NOT_STARTED, "sooner at detail stream", pending_stream(100), 100 + 300 + 60, 0),
    Case(NOT_STARTED, "later at detail stream", pending_stream(100), 100 + 3600, 0),
    Case(NOT_STARTED, "none pending at detail stream", pending_stream(100, ZERO), 900, 0),
    Case(NOT_STARTED, "live at detail stream", pending_stream(100, active=ONE), 900, 0),
)

INGEST_CASES: Final = (
    Case(STOPPED, "for three minutes", _ingest_stopped(600), 600 + 180, 1),
    Case(STOPPED, "for less than three minutes", _ingest_stopped(600), 600 + 170, 0),
    Case(STOPPED, "a session that ends", _ingest_stopped(600, end=690), 600 + 180, 0),
    Case(STOPPED, "a rate above 0", _rate(ONE), 900, 0),
    Case(STOPPED, "an unknown rate", session() | _polled(), 900, 0),
    Case(STOPPED, "a rate every 170 seconds", _rate(_flapping_rate), 1800, 0),
    Case(STOPPED, "one of two replicas sees media", _ingest_stopped(600) | _rate(ONE, "two:9877"), 900, 0),
    Case(STOPPED, "two replicas cause one alert", _ingest_stopped(600) | _ingest_stopped(600, "two:9877"), 900, 1),
    Case(STOPPED, "data up to 75 seconds old", _stopped_with_old_data(constant(74)), 900, 1),
    Case(STOPPED, "data more than 75 seconds old", _stopped_with_old_data(constant(76)), 900, 0),
    Case(STOPPED, "a poll interval of 5 minutes", _stopped_with_old_data(lambda time: time % 300, 300), 900, 1),
    Case(STOPPED, "polls fail since the session ended", _stopped_with_old_data(lambda time: time), 290, 0),
    Case(STOPPED, "stays for fifteen minutes", _ingest_stopped_between(600, 900), 900 + 890, 1),
    Case(STOPPED, "ends after fifteen minutes", _ingest_stopped_between(600, 900), 900 + 910, 0),
    Case(STOPPED, "at detail stream", _stream_rate(ZERO), 180, 1),
    Case(STOPPED, "old data at detail stream", _stream_rate(ZERO, constant(76)), 900, 0),
    Case(STOPPED, "a rate above 0 at detail stream", _stream_rate(ONE), 900, 0),
    Case(STOPPED, "not active at detail stream", _stream_rate(ZERO, active=ZERO), 900, 0),
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
    Case(BEHIND, "more than 30 seconds", _behind(31), 600, 1),
    Case(BEHIND, "less than 30 seconds", _behind(29), 600, 0),
    Case(BEHIND, "for three minutes", _behind(40, 400), 580, 1),
    Case(BEHIND, "for less than three minutes", _behind(40, 400), 570, 0),
    Case(BEHIND, "grown within fifteen minutes", _behind(40, 1200), 1200 + 14 * MINUTE, 1),
    Case(BEHIND, "not grown for fifteen minutes", _behind(40, 1200), 1200 + 16 * MINUTE, 0),
    Case(BEHIND, "grown by more than 30 seconds", _behind_again(31), 2400, 1),
    Case(BEHIND, "grown by less than 30 seconds", _behind_again(29), 2400, 0),
    Case(BEHIND, "no data fifteen minutes ago", _behind(40, 600, gap=(900, 1800)), 1800 + 7 * MINUTE, 0),
    Case(BEHIND, "grown after an outage", _behind(40, 1900, gap=(900, 1800)), 1900 + 180, 1),
    Case(BEHIND, "behind when first seen", _behind(40, 600, gap=(0, 1200)), 1200 + 7 * MINUTE, 0),
    Case(BEHIND, "no profiles", session(profiles=ZERO, transcoded_segments_duration_seconds=ZERO), 600, 0),
    Case(BEHIND, "the session has ended", session(end=0, transcoded_segments_duration_seconds=ZERO), 600, 0),
    Case(
        BEHIND,
        "two replicas cause one alert",
        _behind(40) | _replaced(_behind(40), INSTANCE, "two:9877"),
        600,
        1,
    ),
    Case(BEHIND, "at detail stream", stream(transcoding_lag_seconds=changing_at(60, 0, 31)), 600, 1),
    Case(BEHIND, "less at detail stream", stream(transcoding_lag_seconds=changing_at(60, 0, 29)), 600, 0),
    Case(BEHIND, "not grown at detail stream", stream(transcoding_lag_seconds=constant(40)), 600, 0),
    Case(
        BEHIND,
        "the session that is behind is inactive for a moment at detail stream",
        stream(transcoding_lag_seconds=_dip(1200, 1350)),
        1350 + 14 * MINUTE,
        0,
    ),
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
    Case(NOTHING_TRANSCODED, "stays for fifteen minutes", _nothing_transcoded_until(900), 900 + 15 * MINUTE, 1),
    Case(NOTHING_TRANSCODED, "ends after fifteen minutes", _nothing_transcoded_until(900), 900 + 17 * MINUTE, 0),
    Case(NOTHING_TRANSCODED, "for three minutes", session(transcoded_segments_duration_seconds=ZERO), 110 + 180, 1),
    Case(
        NOTHING_TRANSCODED,
        "for less than three minutes",
        session(transcoded_segments_duration_seconds=ZERO),
        60 + 170,
        0,
    ),
    Case(
        NOTHING_TRANSCODED,
        "values decreased at an upstream restart",
        session(transcoded_segments_duration_seconds=upstream_restart(600, 3)),
        600 + 200,
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
    Case(FAILED, "for three minutes", failed_recordings(changing_at(600, 0, 1)), 600 + 180, 1),
    Case(FAILED, "for less than three minutes", failed_recordings(changing_at(600, 0, 1)), 600 + 170, 0),
    Case(FAILED, "none", failed_recordings(ZERO), 600, 0),
    Case(FAILED, "none since the exporter started", failed_recordings(constant(7)), 600, 0),
    Case(FAILED, "55 of one stream cause one alert", failed_recordings(lambda t: min(55.0, t // 60)), 2400, 1),
    Case(FAILED, "30 minutes ago", failed_recordings(changing_at(600, 0, 1)), 600 + 30 * MINUTE - 20, 1),
    Case(FAILED, "more than 30 minutes ago", failed_recordings(changing_at(600, 0, 1)), 600 + 30 * MINUTE + 10, 0),
    Case(FAILED, "the exporter restarts", failed_recordings(lambda t: 3.0 if t < 900 else 0.0), 1200, 0),
    Case(
        FAILED,
        "two replicas cause one alert",
        failed_recordings(changing_at(600, 0, 1)) | failed_recordings(changing_at(600, 0, 1), "two:9877"),
        900,
        1,
    ),
    Case(
        FAILED,
        "at detail stream",
        stream() | {account_series("stream_recordings_finished_total", *_FAILED_LABELS): changing_at(600, 0, 1)},
        900,
        1,
    ),
    Case(STUCK, "waiting for an hour", _stuck(), HOUR + 10 + 180, 1),
    Case(STUCK, "stays over an outage of 14 minutes", _stuck_until(HOUR + 600), HOUR + 600 + 14 * MINUTE, 1),
    Case(STUCK, "ends after 15 minutes without data", _stuck_until(HOUR + 600), HOUR + 600 + 15 * MINUTE + 10, 0),
    Case(STUCK, "two of a stream cause one alert", _stuck() | _replaced(_stuck(), "e-1", "e-2"), HOUR + 10 + 180, 1),
    Case(STUCK, "two replicas cause one alert", _stuck() | _replaced(_stuck(), INSTANCE, "two"), HOUR + 10 + 180, 1),
    Case(STUCK, "two streams cause two alerts", _stuck() | _replaced(_stuck(), "s-1", "s-2"), HOUR + 10 + 180, 2),
    Case(STUCK, "waiting for less than an hour", _stuck(), HOUR + 180, 0),
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

TARGET_CASES: Final = (
    Case(TARGETS, "a target that does not connect, for a minute", _targets(300, 1, 0), 300 + 60, 1),
    Case(TARGETS, "a target that does not connect, for less than a minute", _targets(300, 1, 0), 300 + 50, 0),
    Case(TARGETS, "more than a fifth of the targets", _targets(300, 21, 79), 400, 1),
    Case(TARGETS, "a fifth of the targets", _targets(300, 20, 80), 400, 0),
    Case(TARGETS, "shortly before the errors leave the window", _targets(300, 1, 0), 300 + 15 * MINUTE - 20, 1),
    Case(TARGETS, "when the errors have left the window", _targets(300, 1, 0), 300 + 15 * MINUTE + 10, 0),
    Case(TARGETS, "all connect", _targets(300, 0, 100), 400, 0),
    Case(TARGETS, "nothing happens", _targets(300, 0, 0), 400, 0),
    Case(TARGETS, "one alert for two replicas", _targets(300, 1, 0) | _targets(300, 1, 0, "two:9877"), 400, 1),
    Case(
        TARGETS,
        "a replica whose webhook receives nothing hides no error",
        _targets(300, 1, 0) | _targets(300, 0, 0, "two:9877"),
        400,
        1,
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

SLO_CASES: Final = (
    Case(BURNING_FAST, "8.6 minutes of an hour and two minutes more", _unhealthy_time(3600), 3600 + 520 + 120, 1),
    Case(BURNING_FAST, "less than that", _unhealthy_time(3600), 3600 + 510 + 120, 0),
    Case(BURNING_FAST, "after half an hour", _unhealthy_time(0), 1800 + 130, 1),
    Case(BURNING_FAST, "before half an hour", _unhealthy_time(0), 1800 + 110, 0),
    Case(BURNING_FAST, "a seventh of the time", _unhealthy_part(0.15), HOUR, 1),
    Case(BURNING_FAST, "less than a seventh", _unhealthy_part(0.14), HOUR, 0),
    Case(BURNING_FAST, "shortly after its end", _unhealthy_part(0.5, 2400), 2400 + 210 + 290, 1),
    Case(BURNING_FAST, "some time after its end", _unhealthy_part(0.5, 2400), 2400 + 220 + 310, 0),
    Case(BURNING_FAST, "the stream has ended", _ended_stream(2400), 2400 + 310 + 310, 0),
    Case(BURNING_FAST, "the health is mostly unknown", observed(linear(0.2), linear(0.4)), HOUR, 0),
    Case(BURNING_FAST, "the health is often unknown", observed(linear(0.2), linear(0.6)), HOUR, 1),
    Case(BURNING_FAST, "the exporter restarts", observed(_reset(0.2), _reset(1)), HOUR, 1),
    Case(BURNING_FAST, "the exporter restarts, and the share is low", observed(_reset(0.1), _reset(1)), HOUR, 0),
    Case(
        BURNING_FAST,
        "two replicas cause one alert",
        _unhealthy_part(0.2) | _unhealthy_part(0.2, instance="two:9877"),
        HOUR,
        1,
    ),
    Case(
        BURNING_FAST,
        "the unhealthy time of replicas does not add up",
        _unhealthy_part(0.1) | _unhealthy_part(0.1, instance="two:9877"),
        HOUR,
        0,
    ),
    Case(
        BURNING_SLOWLY,
        "21.6 minutes of six hours and five minutes more",
        _unhealthy_time(6 * HOUR),
        6 * HOUR + 1300 + 330,
        1,
        60,
    ),
    Case(BURNING_SLOWLY, "less than that", _unhealthy_time(6 * HOUR), 6 * HOUR + 1300 + 270, 0, 60),
    Case(BURNING_SLOWLY, "a sixteenth of the time", _unhealthy_part(0.0625), HOUR, 1),
    Case(BURNING_SLOWLY, "less than a sixteenth", _unhealthy_part(0.055), HOUR, 0),
    Case(BURNING_SLOWLY, "after half an hour", _unhealthy_time(0), 1800 + 310, 1),
    Case(BURNING_SLOWLY, "before half an hour", _unhealthy_time(0), 1800 + 290, 0),
    Case(BURNING_SLOWLY, "shortly after its end", _unhealthy_part(0.5, 3000), 3000 + 1580 + 280, 1),
    Case(BURNING_SLOWLY, "some time after its end", _unhealthy_part(0.5, 3000), 3000 + 1590 + 320, 0),
)

CASES: Final = (
    *EXPORTER_CASES,
    *HEALTH_CASES,
    *ACTIVITY_CASES,
    *INGEST_CASES,
    *TRANSCODING_CASES,
    *RECORDING_CASES,
    *TARGET_CASES,
    *EXPECTED_CASES,
    *SLO_CASES,
)

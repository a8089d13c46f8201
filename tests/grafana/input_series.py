"""Series of exporters, sessions and streams, as input of promtool tests."""

from collections.abc import Mapping
from typing import Final

from tests.grafana.promtool import InputSeries, Value, changing_at, constant, linear, stepwise

PREFIX: Final = "livepeer_studio_"
INSTANCE: Final = "one:9877"
ONE: Final = constant(1)
ZERO: Final = constant(0)
STEP: Final = 51
"""Seconds between updates of session values, as measured on Livepeer Studio."""

_SESSION_KEY: Final = ('stream_id="s-1"', 'session_id="e-1"')


def target_series(metric: str, *labels: str, instance: str = INSTANCE) -> str:
    """Return a series with the labels of a scrape target."""
    inside = ", ".join(['job="livepeer"', f'instance="{instance}"', *labels])
    return f"{metric}{{{inside}}}"


def exporter_series(metric: str, *labels: str, instance: str = INSTANCE) -> str:
    """Return a series of the exporter about its process; the metric without prefix."""
    return target_series(PREFIX + metric, *labels, instance=instance)


def account_series(metric: str, *labels: str, instance: str = INSTANCE) -> str:
    """Return a series about the account; the metric without prefix."""
    return exporter_series(metric, 'account="main"', *labels, instance=instance)


def scope_series(index: str = "0", instance: str = INSTANCE) -> str:
    """Return the series that identifies what an exporter polls: one of two shards."""
    return account_series(
        "exporter_scope_info", f'scope="0000000{index}"', f'index="{index}"', 'count="2"', instance=instance
    )


def exporter(index: str = "0", instance: str = INSTANCE, **metrics: Value) -> InputSeries:
    """Return the series of an exporter whose polls succeed every 30 seconds, except as given in ``metrics``."""
    defaults: dict[str, Value] = {"up": ONE, "exporter_max_staleness_seconds": constant(300)}
    return {scope_series(index, instance): ONE} | {
        account_series(name, instance=instance): value for name, value in (defaults | metrics).items()
    }


def session(instance: str = INSTANCE, end: float | None = None, **metrics: Value) -> InputSeries:
    """Return the series of a session with three renditions in real time, except as given in ``metrics``.

    It has an ingest rate and a lag while it is active, as the exporter exports them.

    Args:
        instance: the exporter.
        end: seconds at which the session becomes inactive; None keeps it active.
        metrics: values by metric, without the prefix and ``session_``.
    """
    active = metrics.get("active", ONE if end is None else changing_at(end, 1, 0))
    defaults: dict[str, Value] = {
        "active": active,
        "ingest_rate_bytes_per_second": lambda time: 1e6 if active(time) else None,
        "last_seen_timestamp_seconds": stepwise(lambda _: 1),
        "source_segments_duration_seconds": stepwise(lambda _: 1),
        "transcoded_segments_duration_seconds": stepwise(lambda _: 3),
        "profiles": constant(3),
    }
    given = defaults | metrics
    values = {
        account_series(f"session_{name}", *_SESSION_KEY, instance=instance): value
        for name, value in ({"transcoding_lag_seconds": _lag(given)} | given).items()
    }
    info = account_series("session_info", *_SESSION_KEY, 'name="The \\"late\\" show"', instance=instance)
    return values | {info: ONE}


def _lag(metrics: Mapping[str, Value]) -> Value:
    """Return the lag of a session with these metrics."""

    def lag(time: float) -> float | None:
        source = metrics["source_segments_duration_seconds"](time)
        transcoded = metrics["transcoded_segments_duration_seconds"](time)
        profiles = metrics["profiles"](time)
        if source is None or transcoded is None or not profiles or not metrics["active"](time):
            return None
        return source - transcoded / profiles

    return lag


def session_issue(issue: str, session_id: str = "e-1", instance: str = INSTANCE) -> InputSeries:
    """Return the series of an open issue of a session."""
    labels = ('stream_id="s-1"', f'session_id="{session_id}"', f'issue="{issue}"')
    return {account_series("session_issue_info", *labels, instance=instance): ONE}


def stream(**metrics: Value) -> InputSeries:
    """Return the series of an active stream, from an exporter with ``--detail=stream``."""
    values = {
        account_series(f"stream_{name}", 'stream_id="s-1"'): value
        for name, value in ({"active": ONE} | metrics).items()
    }
    info = account_series("stream_info", 'stream_id="s-1"', 'name="News"')
    return values | {info: ONE} | exporter()


def stream_issue(issue: str) -> InputSeries:
    """Return the series of an open issue of a stream."""
    return {account_series("stream_issue_info", 'stream_id="s-1"', f'issue="{issue}"'): ONE}


def failed_recordings(value: Value, instance: str = INSTANCE) -> InputSeries:
    """Return the series of a stream with an active session and this counter of failed recordings."""
    labels = ('stream_id="s-1"', 'result="failed"')
    failed = {account_series("stream_recordings_finished_total", *labels, instance=instance): value}
    return session(instance) | exporter(instance=instance) | failed


def sessions_created(*times: float, end: float = 1e9, instance: str = INSTANCE, has_media: bool = True) -> InputSeries:
    """Return the series of one stream's sessions, each created at a time and on the page from then on until the end."""
    series: InputSeries = {}
    for number, time in enumerate(times):
        labels = ('stream_id="s-1"', f'session_id="e-{number}"')
        metrics = [("created_timestamp_seconds", time), ("active", float(has_media))]
        if has_media:
            metrics.append(("last_seen_timestamp_seconds", time))
        for name, value in metrics:
            series[account_series(f"session_{name}", *labels, instance=instance)] = _between(time, end, value)
        info = account_series("session_info", *labels, 'name="Lobby"', instance=instance)
        series[info] = _between(time, end, 1)
    return series


def sessions_started(value: Value, index: str = "0", instance: str = INSTANCE) -> InputSeries:
    """Return the series of a stream of an exporter with ``--detail=stream``, and this counter of started sessions."""
    started = account_series("stream_sessions_started_total", 'stream_id="s-1"', instance=instance)
    info = account_series("stream_info", 'stream_id="s-1"', 'name="News"', instance=instance)
    active = account_series("stream_active", 'stream_id="s-1"', instance=instance)
    return {started: value, info: ONE, active: ONE} | exporter(index, instance)


def pending_session(created: float, *, stream_active: Value | None = None, instance: str = INSTANCE) -> InputSeries:
    """Return the series of a session without media that was created at a time, and of another one of its stream."""
    labels = ('stream_id="s-1"', 'session_id="e-9"')
    names = (("created_timestamp_seconds", constant(created)), ("active", ZERO))
    series = {account_series(f"session_{name}", *labels, instance=instance): value for name, value in names}
    series[account_series("session_info", *labels, 'name="Lobby"', instance=instance)] = ONE
    return series if stream_active is None else series | session(active=stream_active)


def pending_stream(created: float, pending: Value = ONE, active: Value = ZERO) -> InputSeries:
    """Return the series of a stream with pending sessions, from an exporter with ``--detail=stream``."""
    sessions = {account_series("stream_sessions", 'stream_id="s-1"', 'state="pending"'): pending}
    return stream(created_timestamp_seconds=constant(created), active=active) | sessions


def active_sessions(value: Value, index: str = "0", instance: str = INSTANCE) -> InputSeries:
    """Return the series of an exporter with this number of active sessions."""
    return exporter(index, instance) | {account_series("sessions", 'state="active"', instance=instance): value}


def _between(start: float, end: float, value: float) -> Value:
    """Return a value from a time on until another, and no sample otherwise."""
    return lambda time: value if start <= time < end else None


def recording(status: str, value: Value = ONE, **metrics: Value) -> InputSeries:
    """Return the series of an ended session with a recording status."""
    series = account_series("session_recording_status", *_SESSION_KEY, f'status="{status}"')
    return session(INSTANCE, 0, **metrics) | {series: value}


def observed(unhealthy: Value, known: Value, index: str = "0", instance: str = INSTANCE) -> InputSeries:
    """Return the counters of a stream's unhealthy time and of its time with a known health; the rest is unknown."""
    seconds: dict[str, Value] = {
        "unhealthy": unhealthy,
        "healthy": lambda time: (known(time) or 0) - (unhealthy(time) or 0),
        "unknown": lambda time: time - (known(time) or 0),
    }
    counters = {
        account_series(
            "stream_observed_seconds_total", 'stream_id="s-1"', f'health="{health}"', instance=instance
        ): value
        for health, value in seconds.items()
    }
    return counters | exporter(index, instance)


def poll_failures(auth: Value, timeout: Value = ZERO) -> InputSeries:
    """Return ten polls per second, and the numbers of failed polls of two classes."""
    return {
        account_series("exporter_polls_total"): linear(10),
        account_series("exporter_poll_failures_total", 'class="auth"'): auth,
        account_series("exporter_poll_failures_total", 'class="timeout"'): timeout,
    }


def exporter_down_at(time: float) -> InputSeries:
    """Return an exporter that cannot be scraped from a time on."""
    return {
        target_series("up"): changing_at(time, 1, 0),
        exporter_series("exporter_build_info"): changing_at(time, 1, None),
    }


def expected_stream(active: Value, up: Value = ONE) -> InputSeries:
    """Return a stream of the operator's list, its session and its account."""
    listed = 'livepeer_expected_live{account="main", stream_id="s-1", name="News"}'
    return {listed: ONE} | session(active=active) | exporter(up=up)


def ingest_drop(ratio: float, at: float, before: float = 1e6, end: float | None = None) -> InputSeries:
    """Return a session whose ingest rate drops from ``before`` to a ratio of it; without rate after its ``end``."""
    rate = changing_at(at, before, ratio * before)
    return session(
        end=end, ingest_rate_bytes_per_second=rate if end is None else lambda t: rate(t) if t < end else None
    )


def source_only(speed: float) -> InputSeries:
    """Return a session of which nothing is transcoded, with this number of source seconds per second."""
    return session(source_segments_duration_seconds=linear(speed), transcoded_segments_duration_seconds=ZERO)


def frozen_at(freeze: float, value: Value) -> Value:
    """Stop at the value of a time."""
    return lambda time: value(min(time, freeze))


def source_speed(speed: float, start: float = 0, end: float = 1e9) -> Value:
    """Source seconds that increase at this speed between two times and in real time otherwise."""
    return stepwise(lambda second: speed if start <= second < end else 1)


def transcoded_speed(ratio: float) -> Value:
    """Transcoded seconds of three renditions, each at a ratio of real time."""
    return stepwise(lambda _: 3 * ratio)


def transcoded_lag(seconds: float, start: float = 0) -> Value:
    """Transcoded seconds of three renditions, each behind the source from a time on."""
    return lambda time: 3 * (int(time // STEP) * STEP - (seconds if time >= start else 0))


def upstream_restart(restart: float, speed: float = 1) -> Value:
    """Seconds of media at a speed that decrease by 500 times the speed at a time."""
    return lambda time: speed * (int(time // STEP) * STEP - (500 if time > restart else 0))

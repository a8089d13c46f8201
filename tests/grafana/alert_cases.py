"""When each alert fires, and when it just does not."""

from typing import Final

from tests.grafana.promtool import MINUTE, Case, Seen, Value, constant, growing, stepping, then

P: Final = "livepeer_studio_"
ON: Final = constant(1)
OFF: Final = constant(0)
HOUR: Final = 60 * MINUTE
DOWN, ABSENT, STALE = "LivepeerExporterDown", "LivepeerExporterAbsent", "LivepeerDataStale"
ERRORS, LIMITED, DROPPED = "LivepeerApiErrors", "LivepeerRateLimited", "LivepeerSessionsDropped"
UNHEALTHY, LONG, SAG = "LivepeerStreamUnhealthy", "LivepeerStreamUnhealthyForLong", "LivepeerIngestDropped"
STARVING, BEHIND, NOTHING = "LivepeerIngestStarving", "LivepeerTranscodingBehind", "LivepeerNothingTranscoded"
FAILED, STUCK, EXPECTED = "LivepeerRecordingFailed", "LivepeerRecordingStuck", "LivepeerExpectedStreamNotLive"


def labelled(metric: str, *labels: str, instance: str = "one:9877") -> str:
    """A series of a target."""
    inside = ", ".join(['job="livepeer"', f'instance="{instance}"', *labels])
    return f"{metric}{{{inside}}}"


def account(metric: str, *labels: str, instance: str = "one:9877") -> str:
    """A series of an account."""
    return labelled(P + metric, 'account="main"', *labels, instance=instance)


def exporter(index: str = "0", instance: str = "one:9877", **metrics: Value) -> Seen:
    """One exporter's series about its account; one that answers, and polls every 30 seconds."""
    usual: dict[str, Value] = {"up": ON, "exporter_poll_interval_seconds": constant(30)}
    shard = labelled(f"{P}exporter_shard_info", f'index="{index}"', 'count="2"', instance=instance)
    return {shard: ON} | {account(name, instance=instance): value for name, value in (usual | metrics).items()}


def session(instance: str = "one:9877", end: float | None = None, **metrics: Value) -> Seen:
    """One session's series: a live one that all is well with, unless the metrics say otherwise; ``end`` ends it."""
    usual: dict[str, Value] = {
        "active": ON if end is None else then(end, 1, 0),
        "last_seen_timestamp_seconds": stepping(lambda _: 1),
        "source_segments_duration_seconds": stepping(lambda _: 1),
        "transcoded_segments_duration_seconds": stepping(lambda _: 3),
        "profiles": constant(3),
    }
    key = ('stream_id="s-1"', 'session_id="e-1"')
    told = {account(f"session_{name}", *key, instance=instance): value for name, value in (usual | metrics).items()}
    return told | {account("session_info", *key, 'name="The \\"late\\" show"', instance=instance): ON}


def stream(**metrics: Value) -> Seen:
    """A stream as a whole, from an exporter that tells of no sessions."""
    told = {account(f"stream_{name}", 'stream_id="s-1"'): value for name, value in ({"active": ON} | metrics).items()}
    return told | {account("stream_info", 'stream_id="s-1"', 'name="News"'): ON} | exporter()


def recording(status: str, value: Value = ON, **metrics: Value) -> Seen:
    """A session with its recording in a state."""
    key = ('stream_id="s-1"', 'session_id="e-1"', f'status="{status}"')
    return session("one:9877", 0, **metrics) | {account("session_recording_status", *key): value}


def failures(auth: Value, timeout: Value = OFF) -> Seen:
    """Ten polls a second, and how many of them failed so far by class."""
    return {
        account("exporter_polls_total"): growing(10),
        account("exporter_poll_failures_total", 'class="auth"'): auth,
        account("exporter_poll_failures_total", 'class="timeout"'): timeout,
    }


def until(moment: float, value: Value) -> Value:
    """A counter that stands still from a moment on."""
    return lambda time: value(min(time, moment))


def down_from(moment: float) -> Seen:
    """An exporter that cannot be scraped from a moment on."""
    return {labelled("up"): then(moment, 1, 0), labelled(f"{P}exporter_build_info"): then(moment, 1, None)}


def expected(live: Value, told: Value = ON) -> Seen:
    """A stream of the operator's list."""
    wanted = 'livepeer_expected_live{account="main", stream_id="s-1", name="News"}'
    return {wanted: ON} | session(active=live) | exporter(up=told)


def sagging(share: float, since: float, usual: float = 1e6, end: float | None = None) -> Seen:
    """A stream whose ingest falls to a share."""
    rate = then(since, usual, share * usual)
    return session(
        end=end, ingest_rate_bytes_per_second=rate if end is None else lambda t: rate(t) if t < end else None
    )


def _speed(slow: float, since: float = 0, back: float = 1e9) -> Value:
    return stepping(lambda second: slow if since <= second < back else 1)


def _speed_of(share: float) -> Value:
    """Three renditions, each with a share of real time."""
    return stepping(lambda _: 3 * share)


def _lagging(seconds: float, since: float = 0) -> Value:
    """Three renditions that are so far behind from a moment on; upstream shows it at its next step."""
    return lambda time: 3 * (int(time // 51) * 51 - (seconds if time >= since else 0))


def _restarted(moment: float) -> Value:
    """In real time, but upstream forgets most of it at a moment."""
    return lambda time: int(time // 51) * 51 - (500 if time > moment else 0)


def _nothing_of(speed: float) -> Seen:
    """A source that brings so many seconds per second, and nothing is transcoded."""
    return session(source_segments_duration_seconds=growing(speed), transcoded_segments_duration_seconds=OFF)


def _recordings_of_stream(failed: float) -> Seen:
    """A stream as a whole, and how many of its recordings failed."""
    status = account("stream_recording_status", 'stream_id="s-1"', 'status="failed"')
    return stream() | {status: constant(failed)}


_AGE: Final = 2 * MINUTE + 2 * 30

EXPORTER_CASES: Final = (
    Case(DOWN, "down for three minutes", down_from(300), 300 + 180, 1),
    Case(DOWN, "not down for three minutes yet", down_from(300), 300 + 170, 0),
    Case(DOWN, "somebody else's target", {labelled("up"): OFF}, 600, 0),
    Case(DOWN, "up", {labelled("up"): ON, labelled(f"{P}exporter_build_info"): ON}, 600, 0),
    Case(ABSENT, "gone for five minutes", {labelled(f"{P}exporter_build_info"): then(100, 1, None)}, 400, 1),
    Case(ABSENT, "not gone for long yet", {labelled(f"{P}exporter_build_info"): then(100, 1, None)}, 390, 0),
    Case(ABSENT, "there", {labelled(f"{P}exporter_build_info"): ON}, 600, 0),
    Case(STALE, "too old for a minute", exporter(snapshot_timestamp_seconds=OFF), _AGE + 10 + 60, 1),
    Case(STALE, "not too old for a minute", exporter(snapshot_timestamp_seconds=OFF), _AGE + 60, 0),
    Case(STALE, "never polled", exporter(up=OFF), 60, 1),
    Case(STALE, "never polled, but only just started", exporter(up=OFF), 50, 0),
    Case(
        STALE,
        "old, but polled rarely",
        exporter(snapshot_timestamp_seconds=OFF, exporter_poll_interval_seconds=constant(300)),
        720 + 60,
        0,
    ),
    Case(
        STALE,
        "too old even for a rare poll",
        exporter(snapshot_timestamp_seconds=OFF, exporter_poll_interval_seconds=constant(300)),
        720 + 10 + 60,
        1,
    ),
    Case(
        STALE,
        "a replica is fresh",
        exporter(snapshot_timestamp_seconds=OFF) | exporter(instance="two:9877", snapshot_timestamp_seconds=growing(1)),
        900,
        0,
    ),
    Case(
        STALE,
        "one of two shards is old",
        exporter(snapshot_timestamp_seconds=OFF)
        | exporter(index="1", instance="two:9877", snapshot_timestamp_seconds=growing(1)),
        900,
        1,
    ),
    Case(ERRORS, "a fifth and more fails", failures(growing(2.1)), 20 * MINUTE, 1),
    Case(ERRORS, "less than a fifth fails", failures(growing(1.9)), 20 * MINUTE, 0),
    Case(ERRORS, "two reasons", failures(growing(3), growing(4)), 20 * MINUTE, 2),
    Case(ERRORS, "for five minutes", failures(growing(10)), 10 + 300, 1),
    Case(ERRORS, "not for five minutes yet", failures(growing(10)), 300, 0),
    Case(ERRORS, "ended a while ago", failures(until(1200, growing(10))), 1200 + 13 * MINUTE, 0),
    Case(ERRORS, "ended not long ago", failures(until(1200, growing(10))), 1200 + 11 * MINUTE, 1),
    Case(LIMITED, "four answers", {account("exporter_api_throttled_total"): then(60, 0, 4)}, 15 * MINUTE, 1),
    Case(LIMITED, "three answers", {account("exporter_api_throttled_total"): then(60, 0, 3)}, 15 * MINUTE, 0),
    Case(LIMITED, "for five minutes", {account("exporter_api_throttled_total"): then(900, 0, 9)}, 900 + 300, 1),
    Case(LIMITED, "not for five minutes", {account("exporter_api_throttled_total"): then(900, 0, 9)}, 900 + 290, 0),
    Case(LIMITED, "long ago", {account("exporter_api_throttled_total"): then(600, 0, 9)}, 600 + 16 * MINUTE, 0),
    Case(LIMITED, "not long ago", {account("exporter_api_throttled_total"): then(600, 0, 9)}, 600 + 14 * MINUTE, 1),
    Case(DROPPED, "one for ten minutes", {account("exporter_sessions_dropped"): then(60, 0, 1)}, 60 + 600, 1),
    Case(DROPPED, "not for ten minutes yet", {account("exporter_sessions_dropped"): then(60, 0, 1)}, 60 + 590, 0),
    Case(DROPPED, "none", {account("exporter_sessions_dropped"): OFF}, 30 * MINUTE, 0),
)

SESSION_CASES: Final = (
    Case(UNHEALTHY, "for three minutes", session(healthy=then(60, 1, 0)), 60 + 180, 1),
    Case(UNHEALTHY, "not for three minutes yet", session(healthy=then(60, 1, 0)), 60 + 170, 0),
    Case(UNHEALTHY, "health is null", session(), 30 * MINUTE, 0),
    Case(UNHEALTHY, "the session has ended", session(end=120, healthy=then(120, 0, None)), 10 * MINUTE, 0),
    Case(UNHEALTHY, "healthy", session(healthy=ON), 30 * MINUTE, 0),
    Case(UNHEALTHY, "well for a moment", session(healthy=lambda t: float(t % 170 == 0)), 30 * MINUTE, 0),
    Case(
        UNHEALTHY,
        "two replicas, one alert",
        session(healthy=OFF) | session("two:9877", healthy=OFF),
        10 * MINUTE,
        1,
    ),
    Case(UNHEALTHY, "a stream as a whole", stream(healthy=OFF), 10 * MINUTE, 1),
    Case(UNHEALTHY, "a healthy stream as a whole", stream(healthy=ON), 10 * MINUTE, 0),
    Case(LONG, "a stream as a whole", stream(healthy=OFF), 20 * MINUTE, 1),
    Case(LONG, "for fifteen minutes", session(healthy=then(60, 1, 0)), 60 + 900, 1),
    Case(LONG, "not for fifteen minutes yet", session(healthy=then(60, 1, 0)), 60 + 890, 0),
    Case(LONG, "health is null", session(), 30 * MINUTE, 0),
    Case(LONG, "the session has ended", session(end=120, healthy=then(120, 0, None)), 30 * MINUTE, 0),
    Case(SAG, "to less than a half", sagging(0.45, 2400), 2400 + 480, 1),
    Case(SAG, "to more than a half", sagging(0.55, 2400), 2400 + 480, 0),
    Case(SAG, "for three minutes", sagging(0, 2400), 2400 + 150 + 180, 1),
    Case(SAG, "not for three minutes yet", sagging(0, 2400), 2400 + 150 + 170, 0),
    Case(SAG, "ten minutes ago", sagging(0.4, 3600), 3600 + 11 * MINUTE, 1),
    Case(SAG, "long ago, and it is usual now", sagging(0.4, 3600), 3600 + 20 * MINUTE, 0),
    Case(SAG, "from thick enough", sagging(0, 2400, usual=12_800), 2400 + 330, 1),
    Case(SAG, "from too thin", sagging(0, 2400, usual=12_450), 2400 + 330, 0),
    Case(SAG, "the session has ended", sagging(0, 2400, end=2400 + 90), 2400 + 480, 0),
    Case(STARVING, "below", session(source_segments_duration_seconds=_speed(0.93)), 10 * MINUTE, 1),
    Case(STARVING, "just above", session(source_segments_duration_seconds=_speed(0.97)), 10 * MINUTE, 0),
    Case(STARVING, "for three minutes", session(source_segments_duration_seconds=_speed(0.5, 561)), 640 + 180, 1),
    Case(STARVING, "not for three minutes", session(source_segments_duration_seconds=_speed(0.5, 561)), 600 + 170, 0),
    Case(STARVING, "it went on", session(source_segments_duration_seconds=_speed(0.5, 0, 1224)), 1224 + 270, 1),
    Case(STARVING, "it has recovered", session(source_segments_duration_seconds=_speed(0.5, 0, 1224)), 1224 + 310, 0),
    Case(
        STARVING,
        "nothing is written any more",
        session(
            last_seen_timestamp_seconds=until(306, stepping(lambda _: 1)),
            source_segments_duration_seconds=until(306, stepping(lambda _: 1)),
        ),
        20 * MINUTE,
        0,
    ),
    Case(
        STARVING,
        "values fell after a restart upstream",
        session(source_segments_duration_seconds=_restarted(600)),
        600 + 200,
        0,
    ),
    Case(STARVING, "ended", session(end=0, source_segments_duration_seconds=_speed(0.5)), 10 * MINUTE, 0),
    Case(BEHIND, "more than 30 seconds", session(transcoded_segments_duration_seconds=_lagging(31)), 600, 1),
    Case(BEHIND, "less than 30 seconds", session(transcoded_segments_duration_seconds=_lagging(29)), 600, 0),
    Case(BEHIND, "for three minutes", session(transcoded_segments_duration_seconds=_lagging(40, 400)), 580, 1),
    Case(BEHIND, "not for three minutes", session(transcoded_segments_duration_seconds=_lagging(40, 400)), 570, 0),
    Case(BEHIND, "no profiles", session(profiles=OFF, transcoded_segments_duration_seconds=OFF), 600, 0),
    Case(BEHIND, "ended", session(end=0, transcoded_segments_duration_seconds=OFF), 600, 0),
    Case(NOTHING, "nothing", session(transcoded_segments_duration_seconds=OFF), 600, 1),
    Case(NOTHING, "nearly nothing", session(transcoded_segments_duration_seconds=_speed_of(0.04)), 600, 1),
    Case(NOTHING, "a little", session(transcoded_segments_duration_seconds=_speed_of(0.06)), 600, 0),
    Case(NOTHING, "for three minutes", session(transcoded_segments_duration_seconds=OFF), 110 + 180, 1),
    Case(NOTHING, "not for three minutes", session(transcoded_segments_duration_seconds=OFF), 60 + 170, 0),
    Case(NOTHING, "enough arrives", _nothing_of(0.22), 900, 1),
    Case(NOTHING, "too little arrives", _nothing_of(0.18), 900, 0),
    Case(NOTHING, "ended", session(end=0, transcoded_segments_duration_seconds=OFF), 600, 0),
    Case(NOTHING, "no profiles", session(profiles=OFF, transcoded_segments_duration_seconds=OFF), 600, 0),
)

RECORDING_CASES: Final = (
    Case(FAILED, "for three minutes", recording("failed", then(60, 0, 1)), 60 + 180, 1),
    Case(FAILED, "not for three minutes yet", recording("failed", then(60, 0, 1)), 60 + 170, 0),
    Case(FAILED, "waiting", recording("waiting") | recording("failed", OFF), 600, 0),
    Case(FAILED, "one of a stream as a whole", _recordings_of_stream(1), 600, 1),
    Case(FAILED, "none of a stream as a whole", _recordings_of_stream(0), 600, 0),
    Case(STUCK, "for an hour", recording("waiting", last_seen_timestamp_seconds=OFF), HOUR + 10 + 180, 1),
    Case(STUCK, "not for an hour yet", recording("waiting", last_seen_timestamp_seconds=OFF), HOUR + 180, 0),
    Case(STUCK, "no asset", recording("none", last_seen_timestamp_seconds=OFF), HOUR + 10 + 180, 1),
    Case(STUCK, "ready", recording("ready", last_seen_timestamp_seconds=OFF), HOUR + 10 * MINUTE, 0),
    Case(
        STUCK, "not waiting any more", recording("waiting", OFF, last_seen_timestamp_seconds=OFF), HOUR + 10 * MINUTE, 0
    ),
    Case(STUCK, "never seen", recording("waiting", last_seen_timestamp_seconds=lambda _: None), HOUR + 10 * MINUTE, 0),
    Case(EXPECTED, "not live for five minutes", expected(then(60, 1, 0)), 60 + 300, 1),
    Case(EXPECTED, "not for five minutes yet", expected(then(60, 1, 0)), 60 + 290, 0),
    Case(EXPECTED, "live", expected(ON), 30 * MINUTE, 0),
    Case(EXPECTED, "live as a whole", expected(OFF) | stream(), 30 * MINUTE, 0),
    Case(EXPECTED, "nobody knows", expected(OFF, told=OFF), 30 * MINUTE, 0),
    Case(EXPECTED, "no list", session(active=OFF) | exporter(), 30 * MINUTE, 0),
)

CASES: Final = (*EXPORTER_CASES, *SESSION_CASES, *RECORDING_CASES)

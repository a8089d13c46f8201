"""The alerts, all of them, and in particular those about streams.

Every alert is about one thing only: an account, an exporter, a session. They ask in the same words as the panels and
depend on no recording rule. Replicas give one alert. An alert carries the labels that it is about, so that Alertmanager
can route by the stream's name and inhibit by job.
"""

from typing import Final, Literal

from grafana.builder import dashboard, queries, stream_queries
from grafana.builder.alert import Alert
from grafana.builder.exporter_alerts import about_data, about_exporters
from grafana.builder.promql import EVERYWHERE, KEY, named, per_session, series
from grafana.builder.thresholds import Thresholds

EXPECTED: Final = "livepeer_expected_live"
"""The series by which an operator lists streams that must be live; not the exporter's, but a rule of the operator's."""

_ALL: Final = EVERYWHERE
_ON: Final = f"on ({', '.join(KEY)})"


def alerts(limits: Thresholds) -> list[Alert]:
    """All of them: what silences others first."""
    return [
        *about_exporters(limits),
        *about_data(limits),
        *_health(limits),
        *_media(limits),
        *_recordings(limits),
        _expected(limits),
    ]


def _s(name: str, *matchers: str, window: str = "") -> str:
    return series(_ALL, name, *matchers, window=window)


def _about_session(
    name: str,
    expr: str,
    lasts: str,
    severity: Literal["warning", "critical"],
    summary: str,
    description: str,
    *,
    or_streams: str = "",
) -> Alert:
    """About a session, or about a stream where the exporter tells of streams alone; it never tells of both."""
    return Alert(
        name=name,
        expr=f"{named(_ALL, expr)} or {or_streams}" if or_streams else named(_ALL, expr),
        lasts=lasts,
        severity=severity,
        summary=f"{{{{ $labels.name }}}}: {summary}",
        description=description,
        dashboard=dashboard.SESSION,
        variables=("job", "account", "stream_id", "session_id"),
    )


def _health(limits: Thresholds) -> list[Alert]:
    expr = f"{queries.healthy(_ALL)} == 0"
    whole = stream_queries.named(_ALL, f"{stream_queries.healthy(_ALL)} == 0")
    words = "Livepeer calls the stream unhealthy. Its own words are in livepeer_studio_session_issue_info."
    return [
        _about_session(
            "LivepeerStreamUnhealthy", expr, limits.unhealthy_for, "warning", "unhealthy", words, or_streams=whole
        ),
        _about_session(
            "LivepeerStreamUnhealthyForLong",
            expr,
            limits.unhealthy_critical_for,
            "critical",
            "unhealthy for long",
            words,
            or_streams=whole,
        ),
    ]


def _media(limits: Thresholds) -> list[Alert]:
    rate = "session_ingest_rate_bytes_per_second"
    now = per_session(f"avg_over_time({_s(rate, window=limits.window)})")
    usual = per_session(f"avg_over_time({_s(rate, window=limits.usual_window)} offset {limits.window})")
    dropped = f"{now} / ({usual} > {limits.drop_floor:g}) < {limits.drop_share:g}"
    speed = queries.source_speed(_ALL, limits)
    arrived = per_session(f"delta({_s('session_source_segments_duration_seconds', window=limits.window)})")
    share = f"({queries.renditions(_ALL, limits)}) / {_ON} ({per_session(_s('session_profiles'))} > 0)"
    return [
        _about_session(
            "LivepeerIngestDropped",
            queries.while_active(_ALL, dropped),
            limits.session_for,
            "warning",
            "ingest fell to {{ $value | humanizePercentage }}",
            "Over the last minutes the stream sent {{ $value | humanizePercentage }} of what it sent in the half hour "
            "before.",
        ),
        _about_session(
            "LivepeerIngestStarving",
            f"({speed}) >= 0 < {limits.real_time:g}",
            limits.session_for,
            "warning",
            "less media arrives than is played",
            "Only {{ $value | humanize }} seconds of media arrive per second; viewers run out of media.",
        ),
        _about_session(
            "LivepeerTranscodingBehind",
            f"({queries.lag(_ALL)}) > {limits.lag_red:g}",
            limits.session_for,
            "warning",
            "transcoding is {{ $value | humanizeDuration }} behind",
            "The renditions are {{ $value | humanizeDuration }} behind the source, on average. A rendition that is not "
            "delivered at all shows the same way: look at the renditions delivered.",
        ),
        _about_session(
            "LivepeerNothingTranscoded",
            f"({share}) >= 0 < {limits.nothing_share:g} and {_ON} {arrived} > {limits.nothing_media:g}",
            limits.session_for,
            "critical",
            "nothing is transcoded",
            "Media arrives, profiles are asked for, but no rendition is made: viewers get the source or nothing.",
        ),
    ]


def _recordings(limits: Thresholds) -> list[Alert]:
    failed = per_session(_s("session_recording_status", 'status="failed"'))
    lost = stream_queries.added(_ALL, _s("stream_recording_status", 'status="failed"'))
    waiting = per_session(_s("session_recording_status", 'status=~"waiting|none"'))
    return [
        _about_session(
            "LivepeerRecordingFailed",
            f"{failed} == 1",
            limits.recording_for,
            "warning",
            "the recording failed",
            "Livepeer says that the recording of this session has failed.",
            or_streams=stream_queries.named(_ALL, f"{lost} > 0"),
        ),
        _about_session(
            "LivepeerRecordingStuck",
            f"({queries.since_any_media(_ALL)} > {limits.stuck_after:g}) and {_ON} {waiting} == 1",
            limits.recording_for,
            "warning",
            "the recording does not become ready",
            "The last media was {{ $value | humanizeDuration }} ago, and there is still no recording.",
        ),
    ]


def _expected(limits: Thresholds) -> Alert:
    live = f"max by (account, stream_id) ({_s('session_active')} or {_s('stream_active')}) == 1"
    told = f"max by (account) ({_s('up')}) == 1"
    return Alert(
        name="LivepeerExpectedStreamNotLive",
        expr=f"({EXPECTED} unless on (account, stream_id) ({live})) and on (account) ({told})",
        lasts=limits.expected_for,
        severity="critical",
        summary="{{ or $labels.name $labels.stream_id }} should be live and is not",
        description="The stream is on the list of those that must be live, and no session of it is active.",
        dashboard=dashboard.OVERVIEW,
        variables=("account", "stream_id"),
    )

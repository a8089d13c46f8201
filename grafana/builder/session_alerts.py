"""Alerts on sessions and streams: health, media, recordings, and streams that are expected to be live."""

from typing import Any, Final, Literal

from grafana.builder import stream_queries
from grafana.builder.alert import Alert, Severity
from grafana.builder.alert_templates import LAST_MEDIA, SINCE, STREAM_NAME, SUBJECT_NAME, UNHEALTHY_SINCE, counted
from grafana.builder.dashboard import OVERVIEW_UID, SESSION_UID, STREAM_UID
from grafana.builder.promql import NO_FILTERS, ON_ACCOUNT, SESSION_KEY, per_session, selector
from grafana.builder.queries import ON_SESSION
from grafana.builder.thresholds import Thresholds

EXPECTED_LIVE: Final = "livepeer_expected_live"
"""Series of the streams that must be live. The operator defines it in a recording rule."""


def _series(name: str, *matchers: str, window: str = "") -> str:
    return selector(NO_FILTERS, name, *matchers, window=window)


def _while_active(expr: str) -> str:
    """Restrict a condition to active sessions: only these have an ingest rate, which are fewer series than of all."""
    return f"{expr} and {ON_SESSION} {_series('session_ingest_rate_bytes_per_second')}"


def _while_stream_active(expr: str) -> str:
    """Restrict a condition to streams with an active session."""
    return f"{expr} and {stream_queries.ON_STREAM} {stream_queries.active_streams(NO_FILTERS)}"


def _session_alert(
    name: str,
    expr: str,
    for_duration: str,
    severity: Severity,
    summary: str,
    description: str,
    *,
    stream_expr: str = "",
    **optional: Any,
) -> Alert:
    """Return an alert on a session.

    Args:
        name: of the alert.
        expr: the condition, per session.
        for_duration: how long the condition must hold.
        severity: of the alert.
        summary: template; the name of the stream is put in front.
        description: template.
        stream_expr: the condition per stream, for exporters with ``--detail=stream``. An exporter exports sessions or
            streams, so that at most one of the conditions has series.
        optional: further attributes of the alert.
    """
    return Alert(
        name=name,
        expr=f"{expr} or {stream_expr}" if stream_expr else expr,
        for_duration=for_duration,
        severity=severity,
        summary=summary,
        subject_name=SUBJECT_NAME,
        description=description,
        dashboard_uid=OVERVIEW_UID,
        dashboards_of_labels=(("session_id", SESSION_UID), ("stream_id", STREAM_UID)),
        labels=SESSION_KEY,
        **optional,
    )


def stream_alert(
    name: str, expr: str, for_duration: str, severity: Severity, summary: str, description: str, **optional: Any
) -> Alert:
    """Return an alert on a stream across its sessions, at any ``--detail`` that has streams or sessions.

    Args:
        name: of the alert.
        expr: the condition, per stream.
        for_duration: how long the condition must hold.
        severity: of the alert.
        summary: template; the name of the stream is put in front.
        description: template.
        optional: further attributes of the alert.
    """
    return Alert(
        name=name,
        expr=expr,
        for_duration=for_duration,
        severity=severity,
        summary=summary,
        subject_name=STREAM_NAME,
        description=description,
        dashboard_uid=OVERVIEW_UID,
        dashboards_of_labels=(("stream_id", STREAM_UID),),
        labels=stream_queries.STREAM_KEY,
        **optional,
    )


def unhealthy_alert(thresholds: Thresholds) -> Alert:
    """Return the warning on unhealthy streams."""
    return _session_alert(
        "LivepeerStreamUnhealthy",
        per_session(f"{_series('session_healthy')} == 0"),
        thresholds.unhealthy_for,
        "warning",
        "unhealthy",
        "Livepeer Studio reports the stream as unhealthy.",
        stream_expr=f"{stream_queries.stream_health(NO_FILTERS)} == 0",
        keep_firing_for=thresholds.keep_firing_for,
        moments=(UNHEALTHY_SINCE,),
        has_issues=True,
    )


def unhealthy_for_long_alert(thresholds: Thresholds) -> Alert:
    """Return the critical alert on unhealthy streams."""
    share = per_session(_unhealthy_share("session", thresholds))
    stream_share = stream_queries.per_stream(_unhealthy_share("stream", thresholds))
    return _session_alert(
        "LivepeerStreamUnhealthyForLong",
        _while_active(share),
        thresholds.unhealthy_critical_for,
        "critical",
        f"unhealthy in most of the last {thresholds.unhealthy_window}",
        f"Livepeer Studio reported the stream as unhealthy in {{{{ $value | humanizePercentage }}}} of the last "
        f"{thresholds.unhealthy_window}.",
        stream_expr=_while_stream_active(stream_share),
        keep_firing_for=thresholds.keep_firing_for,
        moments=(UNHEALTHY_SINCE,),
        has_issues=True,
    )


def _unhealthy_share(subject: Literal["session", "stream"], thresholds: Thresholds) -> str:
    """Return the share of time in which sessions or streams were unhealthy, if it is too large, per replica.

    The whole is the time in which the exporter was scraped, so that a young session has no large share, and unknown
    health counts as healthy. The first comparison leaves few series to join.
    """
    window = thresholds.unhealthy_window
    health = _series(f"{subject}_healthy", window=window)
    scraped = f"count_over_time({_series('up', window=window)})"
    unhealthy = f"(1 - (avg_over_time({health}) < {1 - thresholds.unhealthy_share:g}))"
    share = f"{unhealthy} * count_over_time({health}) / {ON_ACCOUNT} group_left () {scraped}"
    return f"{share} > {thresholds.unhealthy_share:g}"


def ingest_alerts(thresholds: Thresholds) -> list[Alert]:
    """Return the alerts on an ingest that is lower or slower than it should be."""
    return [_ingest_dropped(thresholds), _ingest_starving(thresholds)]


def transcoding_alerts(thresholds: Thresholds) -> list[Alert]:
    """Return the alerts on transcoding."""
    return [_transcoding_behind(thresholds), _nothing_transcoded(thresholds)]


def stopped_alert(thresholds: Thresholds) -> Alert:
    """Return the alert on an ingest of 0.

    An ending session has an ingest rate of 0 until it is inactive, 90 seconds after its last media, or until the data
    is stale if polls fail from then on. So data that is older than a few polls does not count.

    Inactive sessions have no rate. A session has stopped if no replica has another rate.
    """
    age = f"time() - {_series('snapshot_timestamp_seconds')}"
    max_age = f"{thresholds.stopped_max_polls:g} * {_series('exporter_poll_interval_seconds')}"
    is_current = f"{ON_ACCOUNT} ({age} < {max_age})"
    stopped = per_session(f"{_series('session_ingest_rate_bytes_per_second')} and {is_current}")
    rate = f"({_series('stream_ingest_rate_bytes_per_second')} and {is_current})"
    stream_rate = stream_queries.sum_per_stream(NO_FILTERS, rate)
    return _session_alert(
        "LivepeerIngestStopped",
        f"{stopped} == 0",
        thresholds.session_for,
        "critical",
        "ingest has stopped",
        f"The session is active, but has had an ingest rate of 0 for {thresholds.session_for}. Viewers see no new "
        "media.",
        stream_expr=_while_stream_active(f"{stream_rate} == 0"),
        keep_firing_for=thresholds.media_keep_firing_for,
        moments=(LAST_MEDIA,),
        has_issues=True,
    )


def _ingest_dropped(thresholds: Thresholds) -> Alert:
    rate = "session_ingest_rate_bytes_per_second"
    window, baseline_window = thresholds.comparison_window, thresholds.ingest_baseline_window
    current = f"avg_over_time({_series(rate, window=window)})"
    baseline = f"avg_over_time({_series(rate, window=baseline_window)} offset {window})"
    dropped = per_session(
        f"{current} / ({baseline} > {thresholds.ingest_drop_min_rate:g}) < {thresholds.ingest_drop_ratio:g}"
    )
    return _session_alert(
        "LivepeerIngestDropped",
        _while_active(dropped),
        thresholds.session_for,
        "warning",
        "ingest rate dropped to {{ $value | humanizePercentage }}",
        f"The mean ingest rate of the last {window} is {{{{ $value | humanizePercentage }}}} of the mean of the "
        f"{baseline_window} before.",
        has_issues=True,
    )


def _ingest_starving(thresholds: Thresholds) -> Alert:
    media, last_seen = (
        f"delta({_series(name, window=thresholds.comparison_window)})"
        for name in ("session_source_segments_duration_seconds", "session_last_seen_timestamp_seconds")
    )
    slow = per_session(f"{media} / {last_seen} >= 0 < {thresholds.min_media_speed:g}")
    return _session_alert(
        "LivepeerIngestStarving",
        _while_active(slow),
        thresholds.session_for,
        "warning",
        "ingest is slower than real time",
        'Only {{ printf "%.2f" $value }} seconds of media arrive per second, so players run out of media.',
        has_issues=True,
    )


def _transcoding_behind(thresholds: Thresholds) -> Alert:
    """Segments that are lost are never transcoded, so that the lag after a failure stays: it must be new, too.

    The lag begins at 0 before the first media, so that all lag of a new session is new. What a session has when it is
    first seen later is not: after an outage of the exporter it may be old.
    """
    limit, window = f"{thresholds.lag_critical:g}", f"{thresholds.lag_window:g}s"

    def behind(metric: str) -> str:
        return f"{_series(metric)} > {limit} and delta({_series(metric, window=window)}) > {limit}"

    return _session_alert(
        "LivepeerTranscodingBehind",
        per_session(behind("session_transcoding_lag_seconds")),
        thresholds.session_for,
        "warning",
        "transcoding is {{ $value | humanizeDuration }} behind",
        "The renditions are {{ $value | humanizeDuration }} behind the source on average. More than "
        f"{limit} s of this are of the last {thresholds.lag_window / 60:g} minutes. A rendition that is not transcoded "
        "at all has the same effect: check the panel Delivered renditions.",
        stream_expr=stream_queries.per_stream(behind("stream_transcoding_lag_seconds")),
        has_issues=True,
    )


def _nothing_transcoded(thresholds: Thresholds) -> Alert:
    """All media of the window is lag. Only sessions that have not ended have a lag now.

    A lag that grows by more than the media is an upstream restart, at which values decrease; both durations have
    floating-point noise and the lag is rounded, so that the limit is not exactly 1.
    """
    lag, source = (
        f"delta({_series(name, window=thresholds.comparison_window)})"
        for name in ("session_transcoding_lag_seconds", "session_source_segments_duration_seconds")
    )
    ratio = thresholds.no_transcoding_ratio
    lost = f"{lag} / ({source} > {thresholds.no_transcoding_min_media:g}) > {1 - ratio:g} < {1 + ratio:g}"
    return _session_alert(
        "LivepeerNothingTranscoded",
        per_session(f"{lost} and {_series('session_transcoding_lag_seconds')}"),
        thresholds.session_for,
        "critical",
        "nothing is transcoded",
        "Media arrives and profiles are configured, but no rendition is transcoded. Viewers get the source or nothing.",
        keep_firing_for=thresholds.media_keep_firing_for,
        has_issues=True,
    )


def recording_alerts(thresholds: Thresholds) -> list[Alert]:
    """Return the alerts on failed and stuck recordings."""
    finished = _series("stream_recordings_finished_total", 'result="failed"', window=thresholds.failed_window)
    failed = f"round({stream_queries.sum_per_stream(NO_FILTERS, f'increase({finished})')}) > 0"
    waiting = _series("session_recording_status", 'status=~"waiting|none"') + " == 1"
    ended = f"{_series('session_last_seen_timestamp_seconds')} < time() - {thresholds.recording_stuck_after:g}"
    stuck = per_session(f"{ended} and {ON_SESSION} ({waiting})")
    return [
        stream_alert(
            "LivepeerRecordingFailed",
            failed,
            thresholds.recording_for,
            "warning",
            f"{counted('recording', 'recordings')} failed",
            f"Livepeer Studio reported {counted('recording', 'recordings')} of the stream as failed in the last "
            f"{thresholds.failed_window}. The Stream dashboard has their sessions.",
        ),
        stream_alert(
            "LivepeerRecordingStuck",
            f"count by ({stream_queries.STREAM_KEYS}) ({stuck})",
            thresholds.recording_for,
            "warning",
            f"{counted('recording is', 'recordings are')} not ready",
            f"{counted('recording of the stream is', 'recordings of the stream are')} not ready, although the last "
            f"media arrived more than {thresholds.recording_stuck_after / 3600:g} h ago. The Stream dashboard has "
            "their sessions.",
            keep_firing_for=thresholds.stuck_keep_firing_for,
            time_range="6h",
        ),
    ]


def expected_alert(thresholds: Thresholds) -> Alert:
    """Return the alert on streams of the operator's list that are not live."""
    active = f"max by (account, stream_id) ({_series('session_active')} or {_series('stream_active')}) == 1"
    polled = f"max by (account) ({_series('up')}) == 1"
    return Alert(
        name="LivepeerExpectedStreamNotLive",
        expr=f"({EXPECTED_LIVE} unless on (account, stream_id) ({active})) and on (account) ({polled})",
        for_duration=thresholds.expected_for,
        severity="critical",
        summary="{{ or $labels.name $labels.stream_id }}: expected to be live, but is not",
        description=f"The stream is listed in {EXPECTED_LIVE}, but has no active session.",
        dashboard_uid=OVERVIEW_UID,
        dashboards_of_labels=(("stream_id", STREAM_UID),),
        labels=("account", "stream_id"),
        moments=(SINCE, LAST_MEDIA),
        time_range="24h",
    )

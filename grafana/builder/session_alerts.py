"""Alerts on sessions and streams: health, media, recordings, and streams that are expected to be live."""

from typing import Final, Literal

from grafana.builder import queries, stream_queries
from grafana.builder.alert import Alert, Severity
from grafana.builder.dashboard import OVERVIEW_UID, SESSION_UID
from grafana.builder.promql import NO_FILTERS, ON_ACCOUNT, per_session, selector, with_name
from grafana.builder.queries import ON_SESSION
from grafana.builder.thresholds import Thresholds

EXPECTED_LIVE: Final = "livepeer_expected_live"
"""Series of the streams that must be live. The operator defines it in a recording rule."""

_KEY_ARGUMENTS: Final = {"job": 1, "account": 2, "stream_id": 3, "session_id": 4}
"""Positions of the label values in the arguments of ``printf``."""


def _series(name: str, *matchers: str, window: str = "") -> str:
    return selector(NO_FILTERS, name, *matchers, window=window)


def _reported_issues() -> str:
    """Return a template that lists the issue texts of the alert's session or stream, and nothing without issues.

    A label that the alert does not have is empty and matches only series without it. So the alert of a session matches
    ``session_issue_info``, and the alert of a stream ``stream_issue_info``.
    """
    matchers = {label: f"{label}=%[{position}]q" for label, position in _KEY_ARGUMENTS.items()}
    of_session = _series("session_issue_info", *matchers.values())
    of_stream = _series("stream_issue_info", *(matchers[label] for label in stream_queries.STREAM_KEY))
    arguments = " ".join(f"$labels.{label}" for label in _KEY_ARGUMENTS)
    query = f'printf "count by (issue) ({of_session} or {of_stream})" {arguments} | query | sortByLabel "issue"'
    return (
        f"{{{{ range $index, $sample := {query} }}}}"
        "{{ if $index }}; {{ else }} Reported issues: {{ end }}{{ $sample.Labels.issue }}"
        "{{ end }}"
    )


def _session_alert(
    name: str,
    expr: str,
    for_duration: str,
    severity: Severity,
    summary: str,
    description: str,
    *,
    stream_expr: str = "",
    keep_firing_for: str = "",
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
        keep_firing_for: how long the alert stays after its condition.
    """
    named = with_name(NO_FILTERS, expr)
    return Alert(
        name=name,
        expr=f"{named} or {stream_queries.with_name(NO_FILTERS, stream_expr)}" if stream_expr else named,
        for_duration=for_duration,
        severity=severity,
        summary=f"{{{{ $labels.name }}}}: {summary}",
        description=description,
        dashboard_uid=SESSION_UID,
        dashboard_without_session=OVERVIEW_UID if stream_expr else "",
        keep_firing_for=keep_firing_for,
        labels=("job", "account", "stream_id", "session_id"),
    )


def stream_alert(
    name: str, expr: str, for_duration: str, severity: Severity, summary: str, description: str, **optional: str
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
        expr=stream_queries.with_session_name(expr),
        for_duration=for_duration,
        severity=severity,
        summary=f"{{{{ $labels.name }}}}: {summary}",
        description=description,
        dashboard_uid=OVERVIEW_UID,
        labels=stream_queries.STREAM_KEY,
        **optional,
    )


def health_alerts(thresholds: Thresholds) -> list[Alert]:
    """Return the warning and the critical alert on unhealthy streams."""
    share = per_session(_unhealthy_share("session", thresholds))
    stream_share = stream_queries.per_stream(_unhealthy_share("stream", thresholds))
    active_stream = f"{stream_queries.ON_STREAM} {stream_queries.active_streams(NO_FILTERS)}"
    description = f"Livepeer Studio reports the stream as unhealthy.{_reported_issues()}"
    return [
        _session_alert(
            "LivepeerStreamUnhealthy",
            per_session(f"{_series('session_healthy')} == 0"),
            thresholds.unhealthy_for,
            "warning",
            "unhealthy",
            description,
            stream_expr=f"{stream_queries.stream_health(NO_FILTERS)} == 0",
            keep_firing_for=thresholds.keep_firing_for,
        ),
        _session_alert(
            "LivepeerStreamUnhealthyForLong",
            queries.while_active(NO_FILTERS, share),
            thresholds.unhealthy_critical_for,
            "critical",
            f"unhealthy in most of the last {thresholds.unhealthy_window}",
            f"Livepeer Studio reported the stream as unhealthy in {{{{ $value | humanizePercentage }}}} of the last "
            f"{thresholds.unhealthy_window}.{_reported_issues()}",
            stream_expr=f"{stream_share} and {active_stream}",
            keep_firing_for=thresholds.keep_firing_for,
        ),
    ]


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


def media_alerts(thresholds: Thresholds) -> list[Alert]:
    """Return the alerts on ingest and transcoding."""
    return [
        _ingest_stopped(thresholds),
        _ingest_dropped(thresholds),
        _ingest_starving(thresholds),
        _transcoding_behind(thresholds),
        _nothing_transcoded(thresholds),
    ]


def _ingest_stopped(thresholds: Thresholds) -> Alert:
    """An ending session has an ingest rate of 0 until it is inactive, 90 seconds after its last media.

    Inactive sessions have no rate. Only sessions with a rate of 0 in a replica are compared over replicas.
    """
    rate = _series("session_ingest_rate_bytes_per_second")
    stopped = per_session(f"{rate} and {ON_SESSION} ({rate} == 0)")
    stream_rate = stream_queries.sum_per_stream(NO_FILTERS, _series("stream_ingest_rate_bytes_per_second"))
    active_stream = f"{stream_queries.ON_STREAM} {stream_queries.active_streams(NO_FILTERS)}"
    return _session_alert(
        "LivepeerIngestStopped",
        f"{stopped} == 0",
        thresholds.session_for,
        "critical",
        "ingest has stopped",
        f"The session is active, but has had an ingest rate of 0 for {thresholds.session_for}. Viewers see no new "
        "media.",
        stream_expr=f"{stream_rate} == 0 and {active_stream}",
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
        queries.while_active(NO_FILTERS, dropped),
        thresholds.session_for,
        "warning",
        "ingest rate dropped to {{ $value | humanizePercentage }}",
        f"The mean ingest rate of the last {window} is {{{{ $value | humanizePercentage }}}} of the mean of the "
        f"{baseline_window} before.",
    )


def _ingest_starving(thresholds: Thresholds) -> Alert:
    media, last_seen = (
        f"delta({_series(name, window=thresholds.comparison_window)})"
        for name in ("session_source_segments_duration_seconds", "session_last_seen_timestamp_seconds")
    )
    slow = per_session(f"{media} / {last_seen} >= 0 < {thresholds.min_media_speed:g}")
    return _session_alert(
        "LivepeerIngestStarving",
        queries.while_active(NO_FILTERS, slow),
        thresholds.session_for,
        "warning",
        "ingest is slower than real time",
        "Only {{ $value | humanize }} seconds of media arrive per second, so players run out of media.",
    )


def _transcoding_behind(thresholds: Thresholds) -> Alert:
    """Without profiles the quotient is infinite or not a number, and the comparison drops it."""
    source = _series("session_source_segments_duration_seconds")
    transcoded = _series("session_transcoded_segments_duration_seconds")
    lag = per_session(f"{source} - {transcoded} / {_series('session_profiles')} > {thresholds.lag_critical:g}")
    return _session_alert(
        "LivepeerTranscodingBehind",
        queries.while_active(NO_FILTERS, lag),
        thresholds.session_for,
        "warning",
        "transcoding is {{ $value | humanizeDuration }} behind",
        "The renditions are {{ $value | humanizeDuration }} behind the source on average. A rendition that is not "
        "transcoded at all has the same effect: check the panel Delivered renditions.",
    )


def _nothing_transcoded(thresholds: Thresholds) -> Alert:
    source, transcoded = (
        f"delta({_series(f'session_{kind}_segments_duration_seconds', window=thresholds.comparison_window)})"
        for kind in ("source", "transcoded")
    )
    received = f"({source} > {thresholds.no_transcoding_min_media:g})"
    ratio = f"{transcoded} / {received} / ({_series('session_profiles')} > 0)"
    return _session_alert(
        "LivepeerNothingTranscoded",
        queries.while_active(NO_FILTERS, per_session(f"{ratio} >= 0 < {thresholds.no_transcoding_ratio:g}")),
        thresholds.session_for,
        "critical",
        "nothing is transcoded",
        "Media arrives and profiles are configured, but no rendition is transcoded. Viewers get the source or nothing.",
    )


def recording_alerts(thresholds: Thresholds) -> list[Alert]:
    """Return the alerts on failed and stuck recordings."""
    finished = _series("stream_recordings_finished_total", 'result="failed"', window=thresholds.failed_window)
    failed = f"round({stream_queries.sum_per_stream(NO_FILTERS, f'increase({finished})')}) > 0"
    waiting = _series("session_recording_status", 'status=~"waiting|none"') + " == 1"
    age = f"time() - {_series('session_last_seen_timestamp_seconds')}"
    stuck = per_session(f"{age} > {thresholds.recording_stuck_after:g} and {ON_SESSION} ({waiting})")
    return [
        stream_alert(
            "LivepeerRecordingFailed",
            failed,
            thresholds.recording_for,
            "warning",
            "{{ $value }} recordings failed",
            f"Livepeer Studio reported {{{{ $value }}}} recordings of the stream as failed in the last "
            f"{thresholds.failed_window}. The Overview dashboard has their sessions.",
        ),
        _session_alert(
            "LivepeerRecordingStuck",
            stuck,
            thresholds.recording_for,
            "warning",
            "recording is not ready",
            "The recording is not ready, although the last media arrived {{ $value | humanizeDuration }} ago.",
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
        labels=("account", "stream_id"),
    )

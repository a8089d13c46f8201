"""Alerts on sessions that vanish, reconnect or never start."""

from grafana.builder import stream_queries
from grafana.builder.alert import Alert
from grafana.builder.alert_templates import CREATED, counted
from grafana.builder.dashboard import OVERVIEW_UID
from grafana.builder.promql import NO_FILTERS, per_scope, per_session, selector
from grafana.builder.session_alerts import stream_alert
from grafana.builder.stream_queries import ON_STREAM, STREAM_KEYS
from grafana.builder.thresholds import Thresholds


def _series(name: str, *matchers: str) -> str:
    return selector(NO_FILTERS, name, *matchers)


def stream_activity_alerts(thresholds: Thresholds) -> list[Alert]:
    """Return the alerts on reconnecting and pending sessions."""
    return [_reconnecting(thresholds), _not_started(thresholds)]


def vanished_alert(thresholds: Thresholds) -> Alert:
    """Return the alert on vanished sessions.

    Only scopes that are exported now are compared: a shard that is down, or a reload, is not many ended sessions.
    """
    active = _series("sessions", 'state="active"')
    now = per_scope(NO_FILTERS, active)
    before = per_scope(NO_FILTERS, active, offset=thresholds.vanished_offset)
    total = f"sum by (job, account) ({now})"
    total_before = f"sum by (job, account) ({before} and {now})"
    limit = f"{thresholds.vanished_ratio:g} * ({total_before} >= {thresholds.vanished_min_sessions:g})"
    return Alert(
        name="LivepeerActiveSessionsVanished",
        expr=f"{total} < {limit}",
        for_duration=thresholds.vanished_for,
        severity="critical",
        summary="Most active sessions of the Livepeer account {{ $labels.account }} have vanished",
        description=f"Only {counted('session is', 'sessions are')} active, fewer than {thresholds.vanished_ratio:.0%} "
        f"of those {thresholds.vanished_offset} ago. The exporter is running and its data is current.",
        dashboard_uid=OVERVIEW_UID,
        keep_firing_for=thresholds.keep_firing_for,
    )


def _reconnecting(thresholds: Thresholds) -> Alert:
    """Count the sessions that were created in the window, which restarts of the exporter and Prometheus do not change.

    Sessions without media interrupt no viewer, and have an alert of their own. Exporters with ``--detail=stream``, the
    only ones with ``stream_active``, have a counter instead. It includes sessions without media, and misses the first
    session of a new stream, because the counter of a new stream can start at 1. ``increase`` extrapolates by less than
    half a session.
    """
    created = _series("session_created_timestamp_seconds", 'stream_id!=""')
    has_media = _series("session_last_seen_timestamp_seconds")
    sessions = per_session(f"{created} > time() - {thresholds.reconnect_window:g} and {has_media}")
    started = selector(
        NO_FILTERS, "stream_sessions_started_total", 'stream_id!=""', window=f"{thresholds.reconnect_window:g}s"
    )
    sessions_of_stream = f"round({stream_queries.sum_per_stream(NO_FILTERS, f'increase({started})')})"
    counter = f"{sessions_of_stream} and {ON_STREAM} {_series('stream_active')}"
    minutes = f"{thresholds.reconnect_window / 60:g} minutes"
    return stream_alert(
        "LivepeerStreamReconnecting",
        f"(count by ({STREAM_KEYS}) ({sessions}) or {counter}) > {thresholds.reconnects}",
        thresholds.reconnect_for,
        "warning",
        f"{{{{ $value }}}} sessions in {minutes}",
        f"The encoder started {{{{ $value }}}} sessions of the stream in {minutes}. Viewers are interrupted by each.",
        keep_firing_for=thresholds.keep_firing_for,
        has_issues=True,
    )


def _not_started(thresholds: Thresholds) -> Alert:
    after, until = thresholds.pending_after, thresholds.pending_until
    created = _series("session_created_timestamp_seconds")
    pending = per_session(
        f"{created} < time() - {after:g} > time() - {until:g} unless {_series('session_last_seen_timestamp_seconds')}"
    )
    live = _series("session_ingest_rate_bytes_per_second")
    newest = stream_queries.per_stream(_series("stream_created_timestamp_seconds"))
    pending_of_stream = stream_queries.sum_per_stream(NO_FILTERS, _series("stream_sessions", 'state="pending"'))
    live_of_stream = stream_queries.active_streams(NO_FILTERS)
    old = f"{newest} < time() - {after:g} > time() - {until:g}"
    return stream_alert(
        "LivepeerSessionNotStarted",
        f"(count by ({STREAM_KEYS}) ({pending}) unless {ON_STREAM} {live})"
        f" or ({pending_of_stream} > 0 and {ON_STREAM} ({old}) unless {ON_STREAM} {live_of_stream})",
        thresholds.pending_for,
        "warning",
        "created, but never started",
        f"{counted('session was', 'sessions were')} created more than {after / 60:g} minutes ago, but no media has "
        "arrived. No session of the stream is active.",
        moments=(CREATED,),
    )

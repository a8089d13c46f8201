"""PromQL expressions on sessions and accounts, shared by panels and alerts.

Session values are gauges that change in steps and can decrease, so they take ``delta`` and never ``rate``. Speeds are
the ``delta`` of media divided by the ``delta`` of the last-seen timestamp. Both change in the same step, so the
quotient is exact, whereas a slope over wall-clock time is off by up to one step.
"""

from typing import Final, Literal

from grafana.builder.promql import SESSION_KEY, Filters, per_account, per_scope, per_session, selector
from grafana.builder.thresholds import Thresholds

BITS_PER_BYTE: Final = 8
MILLISECONDS: Final = 1000
"""Milliseconds per second; Grafana's date units expect Unix milliseconds."""

ON_SESSION: Final = f"on ({', '.join(SESSION_KEY)})"


def active_sessions(filters: Filters) -> str:
    """1 for each active session; other sessions are absent."""
    return f"{per_session(selector(filters, 'session_active'))} == 1"


def while_active(filters: Filters, expr: str) -> str:
    """Restrict an expression to active sessions, for metrics that ended sessions keep.

    A session is active if it is in one replica, so that replicas need not be aggregated first.
    """
    return f"{expr} and {ON_SESSION} ({selector(filters, 'session_active')} == 1)"


def session_health(filters: Filters) -> str:
    """1 if healthy, 0 if not; 0 if replicas disagree."""
    return per_session(selector(filters, "session_healthy"), aggregation="min")


def health_rank(filters: Filters) -> str:
    """0 unhealthy, 1 unknown, 2 healthy, for each active session; sorts the worst first."""
    return f"2 * {session_health(filters)} or {ON_SESSION} {active_sessions(filters)}"


def issue_count(filters: Filters) -> str:
    """Number of open issues."""
    return per_session(selector(filters, "session_issues"))


def bits(expr: str) -> str:
    """Convert bytes to bits."""
    return f"{BITS_PER_BYTE} * {expr}"


def ingest_rate(filters: Filters) -> str:
    """Ingest rate in bytes per second."""
    return per_session(selector(filters, "session_ingest_rate_bytes_per_second"))


def outgoing_rate(filters: Filters) -> str:
    """Outgoing rate in bytes per second."""
    return per_session(selector(filters, "session_outgoing_rate_bytes_per_second"))


def last_media_age(filters: Filters) -> str:
    """Seconds since the last media, for every session that received any."""
    return f"time() - {per_session(selector(filters, 'session_last_seen_timestamp_seconds'))}"


def active_last_media_age(filters: Filters) -> str:
    """Seconds since the last media, for active sessions."""
    return while_active(filters, last_media_age(filters))


def created_at(filters: Filters) -> str:
    """Creation time in Unix milliseconds."""
    return f"{MILLISECONDS} * {per_session(selector(filters, 'session_created_timestamp_seconds'))}"


def transcoding_lag(filters: Filters) -> str:
    """Seconds by which transcoding is behind the source, for sessions that have not ended."""
    return per_session(selector(filters, "session_transcoding_lag_seconds"))


def severity_score(filters: Filters, thresholds: Thresholds) -> str:
    """Sort key of active sessions: the sum of unhealthy 4, ingest 0 4, late media 2, lag 2, unknown health 1."""
    unhealthy = f"4 * ({session_health(filters)} == bool 0) or {ON_SESSION} {active_sessions(filters)}"
    late = f"2 * (({active_last_media_age(filters)}) > bool {thresholds.media_age_warning:g})"
    behind = f"2 * (({transcoding_lag(filters)}) > bool {thresholds.lag_warning:g})"
    stopped = f"4 * (({ingest_rate(filters)}) == bool 0)"
    zero = f"0 * ({active_sessions(filters)})"
    added = (f" + {ON_SESSION} ({each} or {ON_SESSION} {zero})" for each in (stopped, late, behind))
    return f"({unhealthy}){''.join(added)}"


def _delta_ratio(filters: Filters, numerator: str, denominator: str, thresholds: Thresholds) -> str:
    window = thresholds.comparison_window
    deltas = (f"delta({selector(filters, name, window=window)})" for name in (numerator, denominator))
    return " / ".join(deltas)


def source_speed(filters: Filters, thresholds: Thresholds) -> str:
    """Seconds of source media received per second, for active sessions; 1 is real time."""
    ratio = _delta_ratio(
        filters, "session_source_segments_duration_seconds", "session_last_seen_timestamp_seconds", thresholds
    )
    return while_active(filters, per_session(ratio))


def rendition_speed(filters: Filters, thresholds: Thresholds) -> str:
    """Seconds of media transcoded per second, as the mean of the renditions of active sessions; 1 is real time."""
    ratio = _delta_ratio(
        filters, "session_transcoded_segments_duration_seconds", "session_last_seen_timestamp_seconds", thresholds
    )
    profiles = selector(filters, "session_profiles")
    return while_active(filters, per_session(f"{ratio} / ({profiles} > 0)"))


def delivered_renditions(filters: Filters, thresholds: Thresholds) -> str:
    """Number of delivered renditions of active sessions: seconds transcoded per second of source."""
    ratio = _delta_ratio(
        filters, "session_transcoded_segments_duration_seconds", "session_source_segments_duration_seconds", thresholds
    )
    return while_active(filters, per_session(ratio))


def segment_duration(filters: Filters, thresholds: Thresholds, kind: Literal["source", "transcoded"]) -> str:
    """Mean seconds per segment, for active sessions."""
    ratio = _delta_ratio(filters, f"session_{kind}_segments_duration_seconds", f"session_{kind}_segments", thresholds)
    return while_active(filters, per_session(ratio))


def snapshot_age(filters: Filters) -> str:
    """Seconds since the start of the last successful poll, per account and scope; the newest of the replicas."""
    return f"time() - {per_scope(filters, selector(filters, 'snapshot_timestamp_seconds'))}"


def last_seen(filters: Filters) -> str:
    """Time of the last media in Unix milliseconds."""
    return f"{MILLISECONDS} * {per_session(selector(filters, 'session_last_seen_timestamp_seconds'))}"


def health_since(filters: Filters) -> str:
    """Time of the last change of health in Unix milliseconds, for active sessions; of replicas the earlier one."""
    since = per_session(selector(filters, "session_health_since_timestamp_seconds"), aggregation="min")
    return f"{MILLISECONDS} * {since}"


def issue_text(filters: Filters) -> str:
    """One of the issues of each session, as the label ``issue``."""
    keys = ", ".join(SESSION_KEY)
    return per_session(f"topk by ({keys}) (1, {selector(filters, 'session_issue_info')})", "issue")


RECORDING_STATUSES: Final = ("unknown", "waiting", "ready", "failed", "none", "deleted")
"""Recording statuses in the order of the numbers of ``recording_status``."""


def recording_status(filters: Filters) -> str:
    """The recording status as an index of ``RECORDING_STATUSES``."""
    series = [selector(filters, "session_recording_status", f'status="{status}"') for status in RECORDING_STATUSES]
    return per_session(" or ".join(f"{number} * ({each} == 1)" for number, each in enumerate(series)))


def with_short_id(expr: str, label: str = "session_id") -> str:
    """Add the start of an id as the label ``short``: names of streams need not be unique."""
    return f'label_replace({expr}, "short", "$1", "{label}", "([^-]{{0,8}}).*")'


def counter_rate(filters: Filters, name: str) -> str:
    """Growth per second of each series of a counter, over Grafana's window for rates."""
    return f"rate({selector(filters, name, window='$__rate_interval')})"


def counter_steps(filters: Filters, name: str, *labels: str, by: tuple[str, ...] = ()) -> str:
    """Growth of an account counter since the previous point of a graph: whole numbers that add up to the counter.

    ``increase`` would extrapolate, and its windows overlap. After a restart the growth is the counter itself. Without a
    previous sample there is no value: how much of the counter is new is not known.
    """
    counter = selector(filters, name)
    before = f"{counter} offset $__interval"
    steps = f"{counter} - ({before} <= {counter}) or {counter} and ({before} > {counter})"
    return per_account(filters, f"({steps})", *labels, by=by)

"""The questions about sessions, as PromQL; panels and alerts ask them in the same words.

A session's values are gauges that move in steps and may fall, so there is ``delta`` and never ``rate``. Speeds are
``delta`` of media over ``delta`` of the time it was last seen: both move in the same step, so the quotient is exact
where a slope over wall-clock time would be off by up to a step.
"""

from typing import Final

from grafana.builder.promql import KEY, Scope, per_part, per_session, series
from grafana.builder.thresholds import Thresholds

BITS: Final = 8
MILLISECONDS: Final = 1000
_ON: Final = f"on ({', '.join(KEY)})"


def active(scope: Scope) -> str:
    """1 for each session that is active; others are not there."""
    return f"{per_session(series(scope, 'session_active'))} == 1"


def while_active(scope: Scope, expr: str) -> str:
    """Only of sessions that are active, for values that outlive the session."""
    return f"{expr} and {_ON} {active(scope)}"


def healthy(scope: Scope) -> str:
    """1 or 0; 0 when replicas disagree."""
    return per_session(series(scope, "session_healthy"), how="min")


def health_or_unknown(scope: Scope) -> str:
    """0 unhealthy, 1 unknown, 2 healthy, for each active session: so that sorting puts the worst first."""
    return f"2 * {healthy(scope)} or {_ON} {active(scope)}"


def issues(scope: Scope) -> str:
    """Number of open issues."""
    return per_session(series(scope, "session_issues"))


def bits(expr: str) -> str:
    """Bytes as bits: operators think in bit/s."""
    return f"{BITS} * {expr}"


def ingest(scope: Scope) -> str:
    """Bytes per second that arrive."""
    return per_session(series(scope, "session_ingest_rate_bytes_per_second"))


def outgoing(scope: Scope) -> str:
    """Bytes per second that are sent."""
    return per_session(series(scope, "session_outgoing_rate_bytes_per_second"))


def since_media(scope: Scope) -> str:
    """Seconds since media was last seen, of active sessions."""
    return while_active(scope, f"time() - {per_session(series(scope, 'session_last_seen_timestamp_seconds'))}")


def since_any_media(scope: Scope) -> str:
    """Seconds since media was last seen, of every session that was ever seen."""
    return f"time() - {per_session(series(scope, 'session_last_seen_timestamp_seconds'))}"


def created(scope: Scope) -> str:
    """When it was created, Unix milliseconds, which is what Grafana calls a date."""
    return f"{MILLISECONDS} * {per_session(series(scope, 'session_created_timestamp_seconds'))}"


def lag(scope: Scope) -> str:
    """Seconds that transcoding is behind the source, of active sessions.

    What is transcoded is summed over all renditions, so it is divided by the number of profiles. Rounded, since
    upstream's seconds carry the noise of floating point, and a lag of some femtoseconds is none.
    """
    source = series(scope, "session_source_segments_duration_seconds")
    transcoded = series(scope, "session_transcoded_segments_duration_seconds")
    profiles = series(scope, "session_profiles")
    return while_active(scope, per_session(f"round({source} - {transcoded} / ({profiles} > 0), 0.01)"))


def trouble(scope: Scope, limits: Thresholds) -> str:
    """How badly an active session needs a person: unhealthy 4, late 2, behind 2, health unknown 1, added up."""
    unhealthy = f"4 * ({healthy(scope)} == bool 0) or {_ON} {active(scope)}"
    late = f"2 * (({since_media(scope)}) > bool {limits.late_orange:g})"
    behind = f"2 * (({lag(scope)}) > bool {limits.lag_orange:g})"
    none = f"0 * ({active(scope)})"
    return f"({unhealthy}) + {_ON} ({late} or {_ON} {none}) + {_ON} ({behind} or {_ON} {none})"


def _growth(scope: Scope, of: str, over: str, limits: Thresholds) -> str:
    window = limits.window
    return f"delta({series(scope, of, window=window)}) / delta({series(scope, over, window=window)})"


def source_speed(scope: Scope, limits: Thresholds) -> str:
    """Seconds of media that arrive per second; 1 is real time."""
    growth = _growth(scope, "session_source_segments_duration_seconds", "session_last_seen_timestamp_seconds", limits)
    return while_active(scope, per_session(growth))


def rendition_speed(scope: Scope, limits: Thresholds) -> str:
    """Seconds of media that are transcoded per second, as the mean of the renditions; 1 is real time."""
    growth = _growth(
        scope, "session_transcoded_segments_duration_seconds", "session_last_seen_timestamp_seconds", limits
    )
    profiles = series(scope, "session_profiles")
    return while_active(scope, per_session(f"{growth} / ({profiles} > 0)"))


def renditions(scope: Scope, limits: Thresholds) -> str:
    """How many renditions are delivered: seconds that are transcoded per second that arrives."""
    growth = _growth(
        scope, "session_transcoded_segments_duration_seconds", "session_source_segments_duration_seconds", limits
    )
    return while_active(scope, per_session(growth))


def segment_length(scope: Scope, limits: Thresholds, of: str) -> str:
    """Seconds per segment, ``of`` being source or transcoded."""
    growth = _growth(scope, f"session_{of}_segments_duration_seconds", f"session_{of}_segments", limits)
    return while_active(scope, per_session(growth))


def age(scope: Scope) -> str:
    """Seconds since the poll began whose data is shown, per account and shard; of replicas the freshest."""
    return f"time() - {per_part(scope, series(scope, 'snapshot_timestamp_seconds'))}"


def bytes_in_range(scope: Scope, of: str) -> str:
    """Bytes per stream name within the dashboard's range, ``of`` being source or transcoded.

    A session that was created within the range counts in full, an older one what it grew by.
    """
    values = series(scope, f"session_{of}_bytes", window="$__range")
    began = series(scope, "session_created_timestamp_seconds", window="$__range")
    info = series(scope, "session_info", window="$__range")
    keys = ", ".join(KEY)
    older = f"{per_session(f'last_over_time({began})')} < time() - $__range_s"
    before = f"{per_session(f'min_over_time({values})', how='min')} and {_ON} ({older})"
    total = per_session(f"max_over_time({values})")
    grown = f"{total} - {_ON} ({before} or {_ON} 0 * {total})"
    name = f"topk by ({keys}) (1, last_over_time({info}))"
    return f"sum by (account, stream_id, name) (({grown}) * {_ON} group_left (name) {name})"

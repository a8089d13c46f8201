"""PromQL expressions on streams.

The gauges of streams are for exporters with ``--detail=stream``, which export no sessions. Their sums include ended
sessions and decrease when one leaves the session window, so the expressions on them use single points in time: no
speed, nothing that compares two samples. The ingest rate and the transcoding lag are usable, since they include no
ended sessions.

The counters of streams, and the time since which the health is as it is, exist at both levels of detail.
"""

from typing import Final

from grafana.builder.promql import ON_ACCOUNT, SCOPE_KEY, Filters, named, per_session, selector
from grafana.builder.queries import MILLISECONDS

STREAM_KEY: Final = ("job", "account", "stream_id")
"""Labels that identify a stream, independent of replica and shard."""

_OBSERVED: Final = "stream_observed_seconds_total"
_ACTIVE: Final = 'state="active"'

STREAM_KEYS: Final = ", ".join(STREAM_KEY)
ON_STREAM: Final = f"on ({STREAM_KEYS})"


def per_stream(expr: str, aggregation: str = "max") -> str:
    """Aggregate replicas and shards alike, for values that do not add up, such as health and timestamps."""
    return f"{aggregation} by ({STREAM_KEYS}) ({expr})"


def sum_per_stream(filters: Filters, expr: str, *labels: str) -> str:
    """Sum over scopes, taking the maximum of the replicas of each scope; ``labels`` are kept too."""
    keys = ", ".join(dict.fromkeys((*SCOPE_KEY, *STREAM_KEY, *labels)))
    kept = ", ".join((*STREAM_KEY, *labels))
    info = selector(filters, "exporter_scope_info")
    return f"sum by ({kept}) (max by ({keys}) ({expr} * {ON_ACCOUNT} group_left (scope) {info}))"


def with_name(filters: Filters, expr: str) -> str:
    """Add the stream's name as a label to values per stream."""
    return named(STREAM_KEY, selector(filters, "stream_info"), expr)


def active_streams(filters: Filters) -> str:
    """1 for each stream with an active session; other streams are absent."""
    return f"{per_stream(selector(filters, 'stream_active'))} == 1"


def stream_health(filters: Filters) -> str:
    """1 if healthy, 0 if any session is unhealthy."""
    return per_stream(selector(filters, "stream_healthy"), aggregation="min")


def live_sessions(filters: Filters) -> str:
    """Number of active sessions of each stream, at both levels of detail."""
    sessions = f"sum by ({STREAM_KEYS}) ({per_session(selector(filters, 'session_active'))})"
    return f"{sessions} or {sum_per_stream(filters, selector(filters, 'stream_sessions', _ACTIVE))}"


def health(filters: Filters) -> str:
    """1 if healthy, 0 if any session is unhealthy, at both levels of detail."""
    return f"{per_stream(selector(filters, 'session_healthy'), 'min')} or {stream_health(filters)}"


def health_rank(filters: Filters) -> str:
    """0 unhealthy, 1 unknown, 2 healthy, for each live stream, at both levels of detail."""
    return f"2 * ({health(filters)}) or {ON_STREAM} (0 * ({live_sessions(filters)} > 0) + 1)"


def health_since(filters: Filters) -> str:
    """Time of the last change of health in Unix milliseconds, for live streams; of replicas the earlier one."""
    return f"{MILLISECONDS} * {per_stream(selector(filters, 'stream_health_since_timestamp_seconds'), 'min')}"


def ingest_rate(filters: Filters) -> str:
    """Ingest rate of each stream in bytes per second, at both levels of detail."""
    sessions = f"sum by ({STREAM_KEYS}) ({per_session(selector(filters, 'session_ingest_rate_bytes_per_second'))})"
    return f"{sessions} or {sum_per_stream(filters, selector(filters, 'stream_ingest_rate_bytes_per_second'))}"


def with_either_name(filters: Filters, expr: str) -> str:
    """Add the stream's name to values per stream, at both levels of detail."""
    info = f"({selector(filters, 'session_info')} or {selector(filters, 'stream_info')})"
    return named(STREAM_KEY, info, expr)


def named_in_range(filters: Filters, expr: str) -> str:
    """Add the last name of the time range to values per stream, at both levels of detail."""
    infos = (
        f"last_over_time({selector(filters, name, window='$__range')})" for name in ("session_info", "stream_info")
    )
    newest = f"max by ({STREAM_KEYS}, name) ({' or '.join(infos)})"
    names = f"topk by ({STREAM_KEYS}) (1, {newest} and {ON_STREAM} ({expr}))"
    return f"{names} * {ON_STREAM} group_left () ({expr})"


def growth_in_range(filters: Filters, name: str, *matchers: str) -> str:
    """Growth of a stream's counter within the dashboard's time range.

    The counter of a new stream can start above 0, which ``increase`` misses. A stream without samples in the day before
    the range is new: the exporter remembers the counters of an absent stream for a day. All of its counter is growth.
    """
    counter = selector(filters, name, *matchers, window="$__range")
    known = f"present_over_time({selector(filters, name, *matchers, window='1d')} offset $__range)"
    return sum_per_stream(filters, f"(increase({counter}) and {known} or max_over_time({counter}))")


def unhealthy_share(filters: Filters, window: str, known_time: str = "> 0") -> str:
    """Share of the time with known health in which a stream was unhealthy.

    Args:
        filters: as for ``selector``.
        window: a duration.
        known_time: condition on the seconds with known health.
    """
    unhealthy, known = (
        sum_per_stream(filters, f"sum without (health) (increase({selector(filters, _OBSERVED, each, window=window)}))")
        for each in ('health="unhealthy"', 'health=~"healthy|unhealthy"')
    )
    return f"{unhealthy} / ({known} {known_time})"


def burn_rate(filters: Filters, window: str) -> str:
    """Speed at which a stream uses its error budget; 1 uses it up in exactly the period of the objective."""
    return f"{unhealthy_share(filters, window)} / (1 - $objective / 100)"

"""PromQL expressions on streams, for exporters with ``--detail=stream``, which export no sessions.

The sums of a stream include ended sessions and decrease when one leaves the session window. Expressions here therefore
use single points in time: no lag, no speed, nothing that compares two samples. The ingest rate is usable, since it
includes active sessions only.
"""

from typing import Final

from exporter.metrics import catalogue
from grafana.builder.promql import ON_ACCOUNT, SCOPE_KEY, Filters, named, selector

STREAM_KEY: Final = ("job", "account", "stream_id")
"""Labels that identify a stream, independent of replica and shard."""

STREAM_KEYS: Final = ", ".join(STREAM_KEY)
ON_STREAM: Final = f"on ({STREAM_KEYS})"


def per_stream(expr: str, aggregation: str = "max") -> str:
    """Aggregate replicas and shards alike, for values that do not add up, such as health and timestamps."""
    return f"{aggregation} by ({STREAM_KEYS}) ({expr})"


def sum_per_stream(filters: Filters, expr: str) -> str:
    """Sum over scopes, taking the maximum of the replicas of each scope."""
    keys = ", ".join(dict.fromkeys((*SCOPE_KEY, *STREAM_KEY)))
    info = selector(filters, "exporter_scope_info")
    return f"sum by ({STREAM_KEYS}) (max by ({keys}) ({expr} * {ON_ACCOUNT} group_left (scope) {info}))"


def with_name(filters: Filters, expr: str) -> str:
    """Add the stream's name as a label to values per stream."""
    return named(STREAM_KEY, selector(filters, "stream_info"), expr)


def with_session_name(expr: str) -> str:
    """Add the stream's name to values per stream, at any ``--detail`` that has streams: sessions carry it too."""
    return named(STREAM_KEY, f'{{__name__=~"{catalogue.PREFIX}(session|stream)_info"}}', expr)


def active_streams(filters: Filters) -> str:
    """1 for each stream with an active session; other streams are absent."""
    return f"{per_stream(selector(filters, 'stream_active'))} == 1"


def stream_health(filters: Filters) -> str:
    """1 if healthy, 0 if any session is unhealthy."""
    return per_stream(selector(filters, "stream_healthy"), aggregation="min")

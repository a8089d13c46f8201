"""Streams as wholes, for exporters that run with ``--detail=stream`` and tell of no session.

A stream's sums hold ended sessions too, and fall when one leaves the window. So there are only questions here that a
moment answers: no lag, no speed, nothing that compares two moments but the ingest, which is of active sessions alone.
"""

from typing import Final

from grafana.builder import dashboard
from grafana.builder.panels import GREY, ORANGE, RED, TEXT
from grafana.builder.promql import PART, STREAMS, Scope, series
from grafana.builder.queries import MILLISECONDS, bits
from grafana.builder.tables import Column, grid
from grafana.builder.thresholds import Thresholds
from grafana.builder.value_mappings import HEALTH_ORDER

KEY: Final = ("job", "account", "stream_id")
_KEYS: Final = ", ".join(KEY)
_ON: Final = f"on ({_KEYS})"


def agreed(expr: str, how: str = "max") -> str:
    """One value per stream where replicas and shards may be compared: the worst health, the newest time."""
    return f"{how} by ({_KEYS}) ({expr})"


def added(scope: Scope, expr: str) -> str:
    """One value per stream where shards add up and replicas do not."""
    part = ", ".join(dict.fromkeys((*PART, *KEY)))
    shard = series(scope, "exporter_shard_info")
    return f"sum by ({_KEYS}) (max by ({part}) ({expr} * on (job, instance) group_left (index) {shard}))"


def named(scope: Scope, expr: str) -> str:
    """With the stream's name as a label."""
    return f"({expr}) * {_ON} group_left (name) topk by ({_KEYS}) (1, {series(scope, 'stream_info')})"


def active(scope: Scope) -> str:
    """1 for each stream that has an active session; others are not there."""
    return f"{agreed(series(scope, 'stream_active'))} == 1"


def healthy(scope: Scope) -> str:
    """1 or 0; 0 when one session is unhealthy."""
    return agreed(series(scope, "stream_healthy"), how="min")


def table(limits: Thresholds) -> dashboard.Builder:
    """A row per stream."""
    scope = STREAMS
    live = active(scope)
    ended = added(scope, series(scope, "stream_recording_status", 'status="failed"'))
    seen = f"time() - {agreed(series(scope, 'stream_last_seen_timestamp_seconds'))} and {_ON} {live}"
    columns = [
        Column(title="Stream", expr=named(scope, live), label="name", width=220),
        Column(
            title="Health",
            expr=f"2 * {healthy(scope)} or {_ON} {live}",
            width=100,
            meaning=HEALTH_ORDER,
            unit="short",
        ),
        Column(
            title="Issues",
            expr=added(scope, series(scope, "stream_issues")),
            width=70,
            unit="short",
            colours=((None, TEXT), (1, RED)),
            missing=("–", GREY),
        ),
        Column(
            title="Livepeer says",
            expr=f"max by ({_KEYS}, issue) (topk by ({_KEYS}) (1, {series(scope, 'stream_issue_info')}))",
            label="issue",
            missing=("–", GREY),
        ),
        Column(
            title="Live sessions",
            expr=added(scope, series(scope, "stream_sessions", 'state="active"')),
            width=110,
            unit="short",
        ),
        Column(
            title="Ingest",
            expr=bits(added(scope, series(scope, "stream_ingest_rate_bytes_per_second"))),
            unit="bps",
            width=105,
        ),
        Column(
            title="Outgoing",
            expr=bits(added(scope, series(scope, "stream_outgoing_rate_bytes_per_second"))),
            unit="bps",
            width=105,
        ),
        Column(
            title="Last media",
            expr=seen,
            unit="s",
            width=100,
            decimals=0,
            colours=((None, TEXT), (limits.late_orange, ORANGE), (limits.late_red, RED)),
        ),
        Column(
            title="Started",
            expr=f"{MILLISECONDS} * {agreed(series(scope, 'stream_created_timestamp_seconds'))}",
            unit="dateTimeFromNow",
            width=130,
        ),
        Column(title="Arrived", expr=added(scope, series(scope, "stream_source_bytes")), unit="decbytes", width=100),
        Column(title="Recorded", expr=added(scope, series(scope, "stream_recording_enabled")), unit="short", width=90),
        Column(
            title="Failed",
            expr=ended,
            unit="short",
            width=80,
            colours=((None, TEXT), (1, RED)),
            missing=("–", GREY),
        ),
        Column(title="Account", label="account", width=110),
    ]
    return grid(
        "Streams",
        "Only where the exporter runs with --detail=stream. Recorded and failed count sessions.",
        columns,
        no_value="The exporter tells of sessions: see above",
        drop=("job", "stream_id"),
        worst_first="Issues",
        long=True,
    )

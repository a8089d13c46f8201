"""The table of what each stream does now, for exporters with ``--detail=stream``, which export no sessions."""

from grafana.builder.dashboard import PanelBuilder
from grafana.builder.panels import GREY, ORANGE, RED, TEXT
from grafana.builder.promql import STREAM_FILTERS, selector
from grafana.builder.queries import MILLISECONDS, bits
from grafana.builder.stream_queries import (
    ON_STREAM,
    STREAM_KEYS,
    active_streams,
    per_stream,
    stream_health,
    sum_per_stream,
    with_name,
)
from grafana.builder.tables import EMPTY_CELL, Column, table_panel
from grafana.builder.thresholds import Thresholds
from grafana.builder.value_mappings import HEALTH_RANK


def _sum(name: str, *matchers: str) -> str:
    return sum_per_stream(STREAM_FILTERS, selector(STREAM_FILTERS, name, *matchers))


def live_values(thresholds: Thresholds) -> PanelBuilder:
    """One row per active stream."""
    active = active_streams(STREAM_FILTERS)
    last_seen = per_stream(selector(STREAM_FILTERS, "stream_last_seen_timestamp_seconds"))
    created = per_stream(selector(STREAM_FILTERS, "stream_created_timestamp_seconds"))
    issue = f"topk by ({STREAM_KEYS}) (1, {selector(STREAM_FILTERS, 'stream_issue_info')})"
    columns = [
        Column(title="Stream", expr=with_name(STREAM_FILTERS, active), label="name", width=220),
        Column(
            title="Health",
            expr=f"2 * {stream_health(STREAM_FILTERS)} or {ON_STREAM} {active}",
            width=100,
            mapping=HEALTH_RANK,
            unit="short",
        ),
        Column(
            title="Issues",
            expr=_sum("stream_issues"),
            width=70,
            unit="short",
            colors=((None, TEXT), (1, RED)),
            empty=(EMPTY_CELL, GREY),
        ),
        Column(
            title="Issue text",
            expr=f"max by ({STREAM_KEYS}, issue) ({issue})",
            label="issue",
            empty=(EMPTY_CELL, GREY),
        ),
        Column(title="Active sessions", expr=_sum("stream_sessions", 'state="active"'), width=110, unit="short"),
        Column(title="Ingest", expr=bits(_sum("stream_ingest_rate_bytes_per_second")), unit="bps", width=105),
        Column(title="Outgoing", expr=bits(_sum("stream_outgoing_rate_bytes_per_second")), unit="bps", width=105),
        Column(
            title="Last media",
            expr=f"time() - {last_seen} and {ON_STREAM} {active}",
            unit="s",
            width=100,
            decimals=0,
            colors=((None, TEXT), (thresholds.media_age_warning, ORANGE), (thresholds.media_age_critical, RED)),
        ),
        Column(title="Started", expr=f"{MILLISECONDS} * {created}", unit="dateTimeFromNow", width=130),
        Column(title="Source", expr=_sum("stream_source_bytes"), unit="decbytes", width=100),
        Column(title="Recorded", expr=_sum("stream_recording_enabled"), unit="short", width=90),
        Column(
            title="Failed",
            expr=_sum("stream_recording_status", 'status="failed"'),
            unit="short",
            width=80,
            colors=((None, TEXT), (1, RED)),
            empty=(EMPTY_CELL, GREY),
        ),
        Column(title="Account", label="account", width=110),
    ]
    return table_panel(
        "Live values of streams",
        "Requires --detail=stream. Recorded and Failed are numbers of sessions.",
        columns,
        no_value="No data: requires --detail=stream",
        hidden_labels=("job", "stream_id"),
        sort_by="Issues",
        paginate=True,
    )

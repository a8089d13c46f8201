"""The panels over time, and the table of traffic, of the Overview dashboard."""

from typing import Final

from grafana.builder import queries
from grafana.builder.dashboard import PanelBuilder
from grafana.builder.panels import COUNTER_INTERVAL, RED, graph_panel, range_query, state_timeline
from grafana.builder.promql import SESSION_KEY, STREAM_FILTERS, per_account, per_session, selector, with_name
from grafana.builder.tables import Column, table_panel
from grafana.builder.thresholds import Thresholds
from grafana.builder.value_mappings import HEALTH, STATE_COLORS

NO_ACTIVE_STREAMS: Final = "No active streams"


def health() -> PanelBuilder:
    """When sessions were unhealthy."""
    values = selector(STREAM_FILTERS, "session_healthy", window="$__range")
    unhealthy = f"{per_session(f'min_over_time({values} @ end())', aggregation='min')} == 0"
    expr = f"{queries.session_health(STREAM_FILTERS)} and on ({', '.join(SESSION_KEY)}) ({unhealthy})"
    return state_timeline(
        "Sessions with health problems",
        "Health of the sessions that were unhealthy at least once in the time range. Other sessions were healthy "
        "throughout, or Livepeer Studio reported no health.",
        range_query(with_name(STREAM_FILTERS, expr), "{{name}}", interval="30s"),
        mapping=HEALTH,
        no_value="No unhealthy sessions in this time range",
    )


def session_states() -> PanelBuilder:
    """Number of sessions by state and health."""
    states = per_account(STREAM_FILTERS, selector(STREAM_FILTERS, "sessions"), "state", by=())
    healths = per_account(STREAM_FILTERS, selector(STREAM_FILTERS, "sessions_by_health"), "health", by=())
    return graph_panel(
        "Sessions by state",
        "Sessions within the session window. Pending: created, no media received yet. Ended: no media within the "
        "active window (90 seconds by default).",
        range_query(states, "{{state}}"),
        range_query(healths, "{{health}} (active)"),
        unit="short",
        decimals=0,
        series_colors=STATE_COLORS,
    )


def ingest() -> PanelBuilder:
    """Ingest rate of the largest sessions."""
    top = f"topk(20, {with_name(STREAM_FILTERS, queries.ingest_rate(STREAM_FILTERS))})"
    return graph_panel(
        "Ingest per session (top 20)",
        "Ingest rate of the 20 sessions with the highest rate at each point in time.",
        range_query(queries.bits(top), "{{name}}"),
        unit="bps",
        no_value=NO_ACTIVE_STREAMS,
    )


def lag(thresholds: Thresholds) -> PanelBuilder:
    """Transcoding lag of the sessions that are most behind."""
    top = f"topk(20, {with_name(STREAM_FILTERS, queries.transcoding_lag(STREAM_FILTERS))})"
    return graph_panel(
        "Transcoding lag (top 20)",
        "Time by which transcoding is behind the source, for the 20 sessions with the highest lag at each point in "
        "time.",
        range_query(top, "{{name}}"),
        unit="s",
        minimum=None,
        soft_max=thresholds.lag_critical,
        threshold_lines=((thresholds.lag_critical, RED),),
        no_value=NO_ACTIVE_STREAMS,
    )


def _counter(function: str, name: str, *labels: str, by: tuple[str, ...] = ()) -> str:
    """Apply ``rate`` or ``increase`` to an account counter."""
    return per_account(
        STREAM_FILTERS,
        f"{function}({selector(STREAM_FILTERS, name, window='$__rate_interval')})",
        *labels,
        by=by,
    )


def sessions_started() -> PanelBuilder:
    """Number of sessions created."""
    started = _counter("increase", "sessions_started_total", by=("account",))
    return graph_panel(
        "Sessions started",
        "Sessions created, per interval of the graph.",
        range_query(started, "{{account}}", interval=COUNTER_INTERVAL),
        unit="short",
        style="bars",
        legend_table=False,
    )


def recordings_finished() -> PanelBuilder:
    """Number of recordings that became ready or failed."""
    finished = _counter("increase", "recordings_finished_total", "result")
    return graph_panel(
        "Recordings finished",
        "Recordings that became ready or failed, per interval of the graph.",
        range_query(finished, "{{result}}", interval=COUNTER_INTERVAL),
        unit="short",
        style="bars",
        legend_table=False,
        series_colors=STATE_COLORS,
    )


def recording_statuses() -> PanelBuilder:
    """Number of recorded sessions by recording status."""
    total = per_account(STREAM_FILTERS, selector(STREAM_FILTERS, "sessions_by_recording_status"), "status", by=())
    return graph_panel(
        "Recordings by status",
        "Recorded sessions within the session and recording windows, by recording status. None: no recording three "
        "hours after the last media.",
        range_query(total, "{{status}}"),
        unit="short",
        decimals=0,
        series_colors=STATE_COLORS,
        legend_table=False,
    )


def traffic() -> PanelBuilder:
    """Source and transcoded bit rate of the account."""
    source = queries.bits(_counter("rate", "source_bytes_total"))
    transcoded = queries.bits(_counter("rate", "transcoded_bytes_total"))
    return graph_panel(
        "Traffic",
        "Source bit rate, and transcoded bit rate over all renditions, from the account's counters. These include "
        "sessions that have left the session window.",
        range_query(source, "source", interval=COUNTER_INTERVAL),
        range_query(transcoded, "transcoded", interval=COUNTER_INTERVAL),
        unit="bps",
        legend_table=False,
    )


def traffic_by_stream() -> PanelBuilder:
    """Source and transcoded bytes of each stream."""
    return table_panel(
        "Traffic by stream",
        "Bytes within the time range. A session created within the range counts in full, an older one by its increase.",
        [
            Column(title="Stream", label="name"),
            Column(title="Account", label="account", width=110),
            Column(title="Source", expr=queries.bytes_in_range(STREAM_FILTERS, "source"), unit="decbytes", width=120),
            Column(
                title="Transcoded",
                expr=queries.bytes_in_range(STREAM_FILTERS, "transcoded"),
                unit="decbytes",
                width=120,
            ),
        ],
        no_value="No sessions in this time range",
        hidden_labels=("stream_id",),
        sort_by="Source",
        paginate=True,
    )

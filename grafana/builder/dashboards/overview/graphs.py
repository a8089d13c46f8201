"""The panels over time of the Overview dashboard."""

from typing import Final

from grafana.builder import queries, stream_queries
from grafana.builder.dashboard import PanelBuilder
from grafana.builder.dashboards.overview.lists import FALLEN, FALLEN_STREAMS, LISTED, ONCE_UNHEALTHY, TIMELINE_ROWS
from grafana.builder.panels import COUNTER_INTERVAL, RED, event_bars, graph_panel, range_query, state_timeline
from grafana.builder.promql import STREAM_FILTERS, per_account, selector, with_name
from grafana.builder.thresholds import Thresholds
from grafana.builder.value_mappings import HEALTH, STATE_COLORS

_LAG_SERIES: Final = 20
_NO_SESSION: Final = "No active session, or no data"


def health() -> PanelBuilder:
    """When sessions were unhealthy."""
    named = queries.with_short_id(with_name(ONCE_UNHEALTHY, queries.session_health(ONCE_UNHEALTHY)))
    return state_timeline(
        "Sessions with health problems",
        f"Health of the {TIMELINE_ROWS} sessions that were unhealthy longest in the time range. Sessions "
        "that were healthy throughout, or without a reported health, are omitted.",
        range_query(named, "{{name}} · {{short}}", interval="30s"),
        mapping=HEALTH,
        no_value="No unhealthy session in this time range, or no data",
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
        unit="locale",
        legend="right",
        series_colors=STATE_COLORS,
    )


def fallen_ingest() -> PanelBuilder:
    """Ingest rate of the streams that receive less than at the start of the range."""
    rates = stream_queries.with_either_name(FALLEN, stream_queries.ingest_rate(FALLEN))
    return graph_panel(
        "Streams whose ingest fell most",
        f"Ingest rate of the {FALLEN_STREAMS} live streams whose rate is furthest below that at the start of the time "
        "range. A stream that started later is not compared.",
        range_query(queries.bits(f"({queries.with_short_id(rates, 'stream_id')})"), "{{name}} · {{short}}"),
        unit="bps",
        legend="right",
        no_value="No live stream with less ingest, or no data",
    )


def lag(thresholds: Thresholds) -> PanelBuilder:
    """Transcoding lag of the sessions that are most behind."""
    top = f"topk({_LAG_SERIES}, {with_name(LISTED, queries.transcoding_lag(LISTED))})"
    return graph_panel(
        "Transcoding lag",
        "Time by which transcoding is behind the source, for the sessions in the table above: those with the highest "
        f"lag, at most {_LAG_SERIES} at each point in time.",
        range_query(queries.with_short_id(top), "{{name}} · {{short}}"),
        unit="s",
        minimum=None,
        soft_max=thresholds.lag_critical,
        threshold_lines=((thresholds.lag_critical, RED),),
        legend="right",
        no_value=_NO_SESSION,
    )


def _rate(name: str) -> str:
    """Rate of an account counter."""
    return per_account(STREAM_FILTERS, queries.counter_rate(STREAM_FILTERS, name), by=())


def sessions_started() -> PanelBuilder:
    """Number of sessions created."""
    return event_bars(
        "Sessions started",
        "Sessions created since the previous bar.",
        (queries.counter_steps(STREAM_FILTERS, "sessions_started_total", by=("account",)), "{{account}}"),
    )


def recordings_finished() -> PanelBuilder:
    """Number of recordings that became ready or failed."""
    return event_bars(
        "Recordings finished",
        "Recordings that became ready or failed since the previous bar.",
        (queries.counter_steps(STREAM_FILTERS, "recordings_finished_total", "result"), "{{result}}"),
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
        unit="locale",
        series_colors=STATE_COLORS,
    )


def traffic() -> PanelBuilder:
    """Source and transcoded bit rate of the account."""
    return graph_panel(
        "Traffic",
        "Source bit rate, and transcoded bit rate over all renditions, from the account's counters. These include "
        "sessions that have left the session window.",
        range_query(queries.bits(_rate("source_bytes_total")), "source", interval=COUNTER_INTERVAL),
        range_query(queries.bits(_rate("transcoded_bytes_total")), "transcoded", interval=COUNTER_INTERVAL),
        unit="bps",
    )


def rates() -> PanelBuilder:
    """Ingest and outgoing rate of the active sessions."""
    ingest, outgoing = (
        queries.bits(per_account(STREAM_FILTERS, selector(STREAM_FILTERS, f"{kind}_rate_bytes_per_second"), by=()))
        for kind in ("ingest", "outgoing")
    )
    return graph_panel(
        "Ingest and outgoing rate",
        "Bits per second received and sent by all active sessions, as reported by Livepeer Studio.",
        range_query(ingest, "ingest"),
        range_query(outgoing, "outgoing"),
        unit="bps",
    )

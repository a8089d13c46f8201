"""The panels over time of the Stream dashboard."""

from grafana.builder import queries
from grafana.builder.dashboard import PanelBuilder
from grafana.builder.panels import COUNTER_INTERVAL, GREEN, PURPLE, RED, graph_panel, range_query
from grafana.builder.promql import STREAM_FILTERS
from grafana.builder.stream_queries import ingest_rate, sum_per_stream


def _rate(name: str) -> str:
    return queries.counter_rate(STREAM_FILTERS, name)


def observed() -> PanelBuilder:
    """Share of the time by health."""
    scopes = sum_per_stream(STREAM_FILTERS, _rate("stream_observed_seconds_total"), "health")
    return graph_panel(
        "Live time by health",
        "Observed seconds per second by health: 1 while the stream is live, as long as polls succeed.",
        range_query(scopes, "{{health}}", interval=COUNTER_INTERVAL),
        unit="percentunit",
        soft_max=1,
        series_colors={"healthy": GREEN, "unhealthy": RED, "unknown": PURPLE},
        no_value="Not live in this time range, or no data",
    )


def ingest() -> PanelBuilder:
    """Ingest rate of the stream and of its sessions."""
    sessions = queries.bits(queries.ingest_rate(STREAM_FILTERS))
    return graph_panel(
        "Ingest by session",
        "Ingest rate of each active session (requires --detail=session), and of the stream.",
        range_query(queries.with_short_id(sessions), "{{short}}"),
        range_query(queries.bits(f"({ingest_rate(STREAM_FILTERS)})"), "stream"),
        unit="bps",
        legend="right",
        no_value="Not live in this time range, or no data",
    )


def media() -> PanelBuilder:
    """Media received and transcoded."""
    source, transcoded = (
        sum_per_stream(STREAM_FILTERS, _rate(f"stream_observed_{kind}_segments_duration_seconds_total"))
        for kind in ("source", "transcoded")
    )
    return graph_panel(
        "Media seconds per second",
        "Seconds of media received, and transcoded over all renditions, per second. One live session receives 1.",
        range_query(source, "source", interval=COUNTER_INTERVAL),
        range_query(transcoded, "transcoded", interval=COUNTER_INTERVAL),
        unit="short",
        decimals=1,
        no_value="Not live in this time range, or no data",
    )

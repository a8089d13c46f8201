"""The graphs of the Session dashboard."""

from typing import Final

from grafana.builder import queries
from grafana.builder.dashboard import PanelBuilder
from grafana.builder.panels import ORANGE, RED, graph_panel, range_query
from grafana.builder.promql import SESSION_FILTERS, per_session, selector, with_name
from grafana.builder.thresholds import Thresholds

_NOT_ACTIVE: Final = "Not active in this time range, or no data"


def _named(expr: str) -> str:
    return with_name(SESSION_FILTERS, expr)


def _value(name: str, *labels: str) -> str:
    return per_session(selector(SESSION_FILTERS, name), *labels)


def rates() -> PanelBuilder:
    """Bit rates."""
    return graph_panel(
        "Ingest and outgoing rate",
        "Bits per second received and sent.",
        range_query(queries.bits(_named(queries.ingest_rate(SESSION_FILTERS))), "ingest {{name}}"),
        range_query(queries.bits(_named(queries.outgoing_rate(SESSION_FILTERS))), "outgoing {{name}}"),
        unit="bps",
        no_value=_NOT_ACTIVE,
    )


def speed(thresholds: Thresholds) -> PanelBuilder:
    """Media per second."""
    return graph_panel(
        "Media speed (1 = real time)",
        "Seconds of media received and transcoded per second. If the source is below "
        f"{thresholds.min_media_speed:g}, players run out of media. The rendition value is the mean of all renditions.",
        range_query(_named(queries.source_speed(SESSION_FILTERS, thresholds)), "source {{name}}"),
        range_query(_named(queries.rendition_speed(SESSION_FILTERS, thresholds)), "per rendition {{name}}"),
        unit="short",
        minimum=None,
        soft_max=1.05,
        threshold_lines=((thresholds.min_media_speed, ORANGE),),
        no_value=_NOT_ACTIVE,
        decimals=2,
    )


def lag(thresholds: Thresholds) -> PanelBuilder:
    """How far transcoding is behind."""
    return graph_panel(
        "Transcoding lag",
        "Time by which transcoding is behind the source.",
        range_query(_named(queries.transcoding_lag(SESSION_FILTERS)), "{{name}}"),
        unit="s",
        minimum=None,
        soft_max=thresholds.lag_critical,
        threshold_lines=((thresholds.lag_critical, RED),),
        no_value=_NOT_ACTIVE,
    )


def renditions(thresholds: Thresholds) -> PanelBuilder:
    """How many renditions are delivered."""
    return graph_panel(
        "Delivered renditions",
        "Number of renditions transcoded in real time, compared with the number of configured profiles.",
        range_query(_named(queries.delivered_renditions(SESSION_FILTERS, thresholds)), "delivered {{name}}"),
        range_query(_named(_value("session_profiles")), "configured {{name}}"),
        unit="short",
        no_value=_NOT_ACTIVE,
        decimals=1,
    )


def segment_duration(thresholds: Thresholds) -> PanelBuilder:
    """Duration of a segment."""
    return graph_panel(
        "Segment duration",
        "Mean duration of a segment.",
        range_query(_named(queries.segment_duration(SESSION_FILTERS, thresholds, "source")), "source {{name}}"),
        range_query(_named(queries.segment_duration(SESSION_FILTERS, thresholds, "transcoded")), "transcoded {{name}}"),
        unit="s",
        no_value=_NOT_ACTIVE,
    )


def media_bytes() -> PanelBuilder:
    """Bytes since the session was created."""
    return graph_panel(
        "Bytes",
        "Source and transcoded bytes since the session was created. Values decrease if an upstream process restarts.",
        range_query(_named(_value("session_source_bytes")), "source {{name}}"),
        range_query(_named(_value("session_transcoded_bytes")), "transcoded {{name}}"),
        unit="decbytes",
    )


def segments() -> PanelBuilder:
    """Segments since the session was created."""
    return graph_panel(
        "Segments",
        "Source segments, and transcoded segments over all renditions, since the session was created.",
        range_query(_named(_value("session_source_segments")), "source {{name}}"),
        range_query(_named(_value("session_transcoded_segments")), "transcoded {{name}}"),
        unit="short",
    )

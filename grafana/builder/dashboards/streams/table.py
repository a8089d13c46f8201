"""The table of the Streams dashboard: one row per stream, at both levels of detail that have streams."""

from typing import Final

from grafana.builder import stream_queries
from grafana.builder.dashboard import PanelBuilder
from grafana.builder.links import OPEN_STREAM, STREAM_ID_COLUMN
from grafana.builder.panels import GREEN, GREY, ORANGE, RED, TEXT
from grafana.builder.promql import STREAM_FILTERS, selector
from grafana.builder.tables import EMPTY_CELL, Column, table_panel
from grafana.builder.value_mappings import HEALTH_RANK

_NONE_EXPECTED: Final = ((None, TEXT), (1, ORANGE))


def _growth(name: str, *matchers: str) -> str:
    return stream_queries.growth_in_range(STREAM_FILTERS, name, *matchers)


def _count(title: str, name: str, *matchers: str, alarming: bool = False) -> Column:
    """A column of a number of events; rounded, since ``increase`` extrapolates."""
    return Column(
        title=title,
        expr=f"round({_growth(name, *matchers)})",
        unit="short",
        width=80,
        colors=_NONE_EXPECTED if alarming else (),
    )


def streams_table() -> PanelBuilder:
    """One row per stream."""
    on_the_page = stream_queries.per_stream(
        f"last_over_time({selector(STREAM_FILTERS, 'stream_sessions_started_total', window='$__range')})"
    )
    columns = [
        Column(
            title="Stream",
            expr=stream_queries.named_in_range(STREAM_FILTERS, on_the_page),
            label="name",
            link=OPEN_STREAM,
        ),
        Column(
            title="Live",
            expr=stream_queries.live_sessions(STREAM_FILTERS),
            unit="short",
            width=60,
            colors=((None, GREY), (1, TEXT)),
        ),
        Column(
            title="Health",
            expr=stream_queries.health_rank(STREAM_FILTERS),
            mapping=HEALTH_RANK,
            unit="short",
            width=90,
            empty=("Not live", GREY),
        ),
        Column(
            title="Since",
            expr=stream_queries.health_since(STREAM_FILTERS),
            unit="dateTimeFromNow",
            width=140,
            empty=(EMPTY_CELL, GREY),
        ),
        Column(
            title="Healthy share",
            expr=f"1 - {stream_queries.unhealthy_share(STREAM_FILTERS, '$__range')}",
            unit="percentunit",
            decimals=2,
            width=115,
            colors=((None, RED), (0.95, ORANGE), (0.99, GREEN)),
            empty=("Unknown", GREY),
        ),
        _count("Episodes", "stream_unhealthy_episodes_total", alarming=True),
        _count("Sessions", "stream_sessions_started_total"),
        Column(
            title="Source minutes",
            expr=f"{_growth('stream_observed_source_segments_duration_seconds_total')} / 60",
            unit="locale",
            decimals=0,
            width=125,
        ),
        Column(
            title="Transcoded minutes",
            expr=f"{_growth('stream_observed_transcoded_segments_duration_seconds_total')} / 60",
            unit="locale",
            decimals=0,
            width=155,
        ),
        Column(title="Source", expr=_growth("stream_observed_source_bytes_total"), unit="decbytes", width=80),
        Column(title="Transcoded", expr=_growth("stream_observed_transcoded_bytes_total"), unit="decbytes", width=100),
        _count("Recorded", "stream_recordings_finished_total", 'result="ready"'),
        _count("Failed", "stream_recordings_finished_total", 'result="failed"', alarming=True),
        Column(title="Account", label="account", width=90),
        Column(title=STREAM_ID_COLUMN, label="stream_id", width=90, link=OPEN_STREAM),
    ]
    return table_panel(
        "Streams",
        "All streams with a session on the page in the time range. Since: the last change of health of a live stream. "
        "Healthy share: of the live time with a reported health. Episodes: how often the stream became unhealthy. "
        "Sessions: created in the range; many short ones are an encoder that reconnects. Transcoded minutes and bytes "
        "sum over all renditions. Recorded and Failed: recordings that became ready or failed. "
        "Shards export no health of streams.",
        columns,
        no_value="No stream in this time range, or no data: requires --detail=session or --detail=stream",
        hidden_labels=("job",),
        sort_by="Episodes",
        paginate=True,
    )

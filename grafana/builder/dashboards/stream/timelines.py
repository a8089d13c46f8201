"""The state timelines of the Stream dashboard."""

from typing import Final

from grafana.builder import queries, stream_queries
from grafana.builder.dashboard import PanelBuilder
from grafana.builder.panels import range_query, state_timeline
from grafana.builder.promql import STREAM_FILTERS
from grafana.builder.value_mappings import HEALTH_RANK

_NOT_LIVE: Final = "Not live in this time range, or no data"


def health() -> PanelBuilder:
    """Health of the stream."""
    return state_timeline(
        "Health of the stream",
        "Unhealthy if any active session is, else healthy if any is, else unknown. Gaps: not live, or no data.",
        range_query(stream_queries.health_rank(STREAM_FILTERS), "stream", interval="30s"),
        mapping=HEALTH_RANK,
        no_value=_NOT_LIVE,
    )


def sessions() -> PanelBuilder:
    """A bar for each session."""
    ranks = queries.with_short_id(queries.health_rank(STREAM_FILTERS))
    return state_timeline(
        "Sessions by health",
        "A bar for each session while it was active. Requires --detail=session.",
        range_query(ranks, "{{short}}", interval="30s"),
        mapping=HEALTH_RANK,
        no_value=f"{_NOT_LIVE}: requires --detail=session",
    )

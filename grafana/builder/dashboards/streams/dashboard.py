"""The rows of the Streams dashboard."""

from grafana.builder.annotations import firing_alerts
from grafana.builder.dashboard import STREAMS_UID, Dashboard, Row
from grafana.builder.dashboards.streams import graphs
from grafana.builder.dashboards.streams.live_values import live_values
from grafana.builder.dashboards.streams.stats import stats
from grafana.builder.dashboards.streams.table import streams_table
from grafana.builder.thresholds import Thresholds
from grafana.builder.variables import common_variables, streams_variable


def streams(thresholds: Thresholds) -> Dashboard:
    """Return the dashboard; its range is today, since its table has totals of the range."""
    return Dashboard(
        uid=STREAMS_UID,
        description="One row per stream: live, healthy share, episodes, sessions, media minutes and bytes.",
        variables=[*common_variables(), streams_variable()],
        annotations=[firing_alerts()],
        time_from="now/d",
        rows=[
            Row(4, [(panel, 4) for panel in stats()]),
            Row(13, [(streams_table(), 24)]),
            Row(9, [(graphs.observed(), 8), (graphs.episodes(), 8), (graphs.reconnects(), 8)], "Health and reconnects"),
            Row(
                9,
                [
                    (graphs.ended_durations(), 8),
                    (graphs.ended_unhealthy(), 8),
                    (graphs.recording_times(), 8),
                ],
                "Ended sessions and recordings",
            ),
            Row(8, [(live_values(thresholds), 24)], "Live values (requires --detail=stream)", collapsed=True),
        ],
    )

"""The rows of the Session dashboard."""

from grafana.builder.annotations import firing_alerts, started_sessions
from grafana.builder.dashboard import SESSION_UID, Dashboard, Row
from grafana.builder.dashboards.session import graphs, tables, timelines
from grafana.builder.dashboards.session.stats import stats
from grafana.builder.promql import SESSION_FILTERS
from grafana.builder.thresholds import Thresholds
from grafana.builder.variables import common_variables, session_variable, streams_variable


def session(thresholds: Thresholds) -> Dashboard:
    """Return the dashboard."""
    return Dashboard(
        uid=SESSION_UID,
        description="One session from creation to recording: ingest, transcoding, health, recording.",
        variables=[*common_variables(), streams_variable(), session_variable()],
        annotations=[firing_alerts(), started_sessions(SESSION_FILTERS)],
        rows=[
            Row(4, [(panel, 3) for panel in stats(thresholds)]),
            Row(5, [(timelines.health(), 12), (timelines.issues(), 12)], "Health"),
            Row(8, [(graphs.rates(), 12), (graphs.speed(thresholds), 12)], "Media"),
            Row(
                8,
                [
                    (graphs.lag(thresholds), 8),
                    (graphs.renditions(thresholds), 8),
                    (graphs.segment_duration(thresholds), 8),
                ],
            ),
            Row(
                7,
                [(graphs.media_bytes(), 8), (graphs.segments(), 8), (timelines.recording(), 8)],
                "Totals and recording",
            ),
            Row(4, [(tables.details(), 24)]),
            Row(6, [(tables.profiles(), 24)], "Configured renditions (requires --profile-series)", collapsed=True),
        ],
    )

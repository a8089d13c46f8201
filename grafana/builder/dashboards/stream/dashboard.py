"""The rows of the Stream dashboard."""

from grafana.builder.annotations import firing_alerts, started_sessions
from grafana.builder.dashboard import STREAM_UID, Dashboard, Row
from grafana.builder.dashboards.stream import graphs, objective, timelines
from grafana.builder.dashboards.stream.sessions import sessions_table
from grafana.builder.dashboards.stream.stats import stats
from grafana.builder.promql import STREAM_FILTERS
from grafana.builder.thresholds import Thresholds
from grafana.builder.variables import common_variables, objective_variable, one_stream_variable


def stream(thresholds: Thresholds) -> Dashboard:
    """Return the dashboard; its range is a day, which shows a stream across its sessions."""
    return Dashboard(
        uid=STREAM_UID,
        description="One stream across its sessions: health, objective, sessions, media, recordings.",
        variables=[*common_variables(), one_stream_variable(), objective_variable(thresholds)],
        annotations=[firing_alerts(), started_sessions(STREAM_FILTERS)],
        time_from="now-24h",
        rows=[
            Row(4, [(panel, 3) for panel in stats(thresholds)]),
            Row(4, [(timelines.health(), 24)]),
            Row(9, [(timelines.sessions(), 24)]),
            Row(4, [(panel, 6) for panel in objective.stats(thresholds)], "Objective"),
            Row(9, [(objective.burn_rate(thresholds), 12), (graphs.observed(), 12)]),
            Row(8, [(graphs.ingest(), 12), (graphs.media(), 12)], "Media"),
            Row(10, [(sessions_table(), 24)], "Sessions and recordings"),
        ],
    )

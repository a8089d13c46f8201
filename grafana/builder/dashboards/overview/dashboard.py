"""The rows of the Overview dashboard."""

from typing import Final

from grafana.builder.annotations import firing_alerts
from grafana.builder.dashboard import OVERVIEW_UID, SESSION_UID, STREAMS_UID, TITLES, Dashboard, Row
from grafana.builder.dashboards.overview import graphs
from grafana.builder.dashboards.overview.lists import hidden_variables
from grafana.builder.dashboards.overview.stats import stats
from grafana.builder.dashboards.overview.tables import recordings_table, sessions_table
from grafana.builder.links import dashboard_url
from grafana.builder.panels import text_panel
from grafana.builder.thresholds import Thresholds
from grafana.builder.variables import common_variables, streams_variable

_ABOUT: Final = f"""\
**Active** sessions received media within the active window (90 seconds by default). Livepeer Studio updates the \
values of a session about every 50 seconds and the exporter polls independently, so all values change in steps. \
**Data age** is the age of the displayed data.

**Lag** is the time by which transcoding is behind the source: source seconds minus transcoded seconds per rendition. \
**Health** and **issues** are reported by Livepeer Studio; *unknown* means that it reports no health.

The *Stream* variable filters the tables, *Sessions with health problems*, *Streams whose ingest fell most*, \
*Transcoding lag* and *No ingest*. The other panels are totals of the selected accounts. \
Replicas of the exporter are counted once, shards are summed. \
[{TITLES[STREAMS_UID]}]({dashboard_url(STREAMS_UID)}) lists all streams; click a session to open \
[{TITLES[SESSION_UID]}]({dashboard_url(SESSION_UID)})."""


def overview(thresholds: Thresholds) -> Dashboard:
    """Return the dashboard."""
    return Dashboard(
        uid=OVERVIEW_UID,
        description="All active streams of the selected accounts: what is broken, which stream, since when.",
        variables=[*common_variables(), streams_variable(), *hidden_variables(thresholds)],
        annotations=[firing_alerts()],
        rows=[
            Row(4, [(panel, 3) for panel in stats(thresholds)]),
            Row(12, [(sessions_table(thresholds), 24)]),
            Row(10, [(graphs.health(), 12), (graphs.session_states(), 12)]),
            Row(8, [(graphs.fallen_ingest(), 12), (graphs.lag(thresholds), 12)], "Media"),
            Row(
                9,
                [(recordings_table(), 12), (graphs.recordings_finished(), 6), (graphs.recording_statuses(), 6)],
                "Recordings",
            ),
            Row(8, [(graphs.sessions_started(), 8), (graphs.traffic(), 8), (graphs.rates(), 8)], "Traffic"),
            Row(6, [(text_panel("About this dashboard", _ABOUT), 24)]),
        ],
    )

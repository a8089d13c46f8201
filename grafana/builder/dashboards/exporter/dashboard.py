"""The rows of the Exporter dashboard."""

from grafana.builder.dashboard import EXPORTER_UID, Dashboard, Row
from grafana.builder.dashboards.exporter import graphs, tables, webhooks
from grafana.builder.dashboards.exporter.stats import stats
from grafana.builder.thresholds import Thresholds
from grafana.builder.variables import common_variables, streams_variable


def exporter(thresholds: Thresholds) -> Dashboard:
    """Return the dashboard."""
    return Dashboard(
        uid=EXPORTER_UID,
        description="Whether the data is current and complete: polls, API responses, dropped values, process.",
        variables=[*common_variables(), streams_variable(hidden=True)],
        rows=[
            Row(4, [(panel, 4) for panel in stats(thresholds)]),
            Row(6, [(tables.accounts(thresholds), 24)]),
            Row(9, [(graphs.data_age(), 8), (graphs.poll_duration(), 8), (graphs.polls(), 8)], "Polls"),
            Row(9, [(graphs.requests(), 8), (graphs.request_duration(), 8), (graphs.response_bytes(), 8)], "API"),
            Row(9, [(graphs.pages(), 8), (graphs.invalid(), 8), (graphs.regressions(), 8)], "API data"),
            Row(9, [(graphs.series(), 8), (graphs.sessions(), 8), (graphs.clock_skew(), 8)], "Exported data"),
            Row(9, [(graphs.segments(), 12), (graphs.media(), 12)], "Account counters"),
            Row(9, [(graphs.cpu(), 8), (graphs.memory(), 8), (graphs.file_descriptors(), 8)], "Process"),
            Row(5, [(tables.versions(), 24)]),
            Row(9, [(panel, 6) for panel in webhooks.panels()], "Webhooks (off by default)", collapsed=True),
        ],
    )

"""The Exporter dashboard: whether the data is current and complete."""

from typing import Final

from grafana_foundation_sdk.models import dashboard as models

from grafana.builder import exporter_graphs as graphs
from grafana.builder import queries
from grafana.builder.dashboard import EXPORTER_UID, Dashboard, PanelBuilder, Row
from grafana.builder.panels import BLUE, GREEN, GREY, ORANGE, RED, TEXT, stat_panel
from grafana.builder.promql import ACCOUNT_FILTERS, selector
from grafana.builder.queries import MILLISECONDS
from grafana.builder.tables import EMPTY_CELL, Column, table_panel
from grafana.builder.thresholds import Thresholds
from grafana.builder.variables import common_variables, stream_variable

_NONE: Final = "None"
_NO_EXPORTER: Final = "No exporter is scraped"


def exporter(thresholds: Thresholds) -> Dashboard:
    """Return the dashboard.

    Its stream variable is hidden. It exists so that links between the dashboards keep the selected streams.
    """
    stream = stream_variable()
    stream.hide = models.VariableHide.HIDE_VARIABLE
    return Dashboard(
        uid=EXPORTER_UID,
        description="Whether the data is current and complete: polls, API responses, dropped values, process.",
        variables=[*common_variables(), stream],
        rows=[
            Row(4, [(panel, 4) for panel in _stats(thresholds)]),
            Row(6, [(_accounts(thresholds), 24)]),
            Row(8, [(graphs.data_age(thresholds), 8), (graphs.poll_duration(), 8), (graphs.polls(), 8)], "Polls"),
            Row(8, [(graphs.requests(), 8), (graphs.request_duration(), 8), (graphs.response_bytes(), 8)], "API"),
            Row(8, [(graphs.pages(), 8), (graphs.invalid(), 8), (graphs.regressions(), 8)], "API data"),
            Row(8, [(graphs.series(), 8), (graphs.sessions(), 8), (graphs.clock_skew(), 8)], "Exported data"),
            Row(8, [(graphs.segments(), 12), (graphs.media(), 12)], "Account counters"),
            Row(8, [(graphs.cpu(), 8), (graphs.memory(), 8), (graphs.file_descriptors(), 8)], "Process"),
            Row(5, [(_versions(), 24)]),
        ],
    )


def _series(name: str) -> str:
    return selector(ACCOUNT_FILTERS, name)


def _stats(thresholds: Thresholds) -> list[PanelBuilder]:
    return [
        stat_panel(
            "Failing accounts",
            "Accounts whose last poll failed or that have not been polled successfully yet, counted per exporter.",
            f"count({_series('up')} == 0)",
            unit="short",
            colors=((None, GREEN), (1, RED)),
            no_value=_NONE,
        ),
        stat_panel(
            "Oldest data",
            "Time since the start of the poll that produced the displayed data, for the account with the oldest data.",
            f"max({queries.snapshot_age(ACCOUNT_FILTERS)})",
            unit="s",
            colors=((None, GREEN), (thresholds.data_age_warning, ORANGE), (thresholds.data_age_critical, RED)),
            decimals=0,
        ),
        stat_panel(
            "Exporters",
            "Scraped exporter processes, including replicas and shards.",
            f"count({_series('exporter_build_info')})",
            unit="short",
            colors=((None, BLUE),),
        ),
        stat_panel(
            "Series limit used",
            "Share of the series limit (--max-series) that is used, for the exporter with the highest share.",
            f"max({_series('exporter_series')} / {_series('exporter_series_limit')})",
            unit="percentunit",
            colors=((None, GREEN), (0.8, ORANGE), (1, RED)),
        ),
        stat_panel(
            "Dropped sessions",
            "Sessions without series, because the series limit (--max-series) is reached. Account totals include them.",
            f"sum({_series('exporter_sessions_dropped')})",
            unit="short",
            colors=((None, GREEN), (1, RED)),
        ),
        stat_panel(
            "Failed reloads",
            "Exporters whose last reload of the settings failed. They keep the previous settings.",
            f"count({_series('exporter_config_reload_successful')} == 0)",
            unit="short",
            colors=((None, GREEN), (1, RED)),
            no_value=_NONE,
        ),
    ]


def _accounts(thresholds: Thresholds) -> PanelBuilder:
    def value(name: str) -> str:
        return f"max by ({graphs.ACCOUNT_KEYS}) ({_series(name)})"

    return table_panel(
        "Accounts",
        "Polling of each account, per exporter.",
        [
            Column(title="Account", label="account"),
            Column(
                title="Last poll",
                expr=value("up"),
                mapping={"1": ("Succeeded", GREEN), "0": ("Failed", RED)},
                width=110,
            ),
            Column(
                title="Data age",
                expr=f"time() - {value('snapshot_timestamp_seconds')}",
                unit="s",
                decimals=0,
                colors=((None, GREEN), (thresholds.data_age_warning, ORANGE), (thresholds.data_age_critical, RED)),
                empty=("No data", RED),
                width=90,
            ),
            Column(title="Interval", expr=value("exporter_poll_interval_seconds"), unit="s", width=90),
            Column(
                title="Consecutive failures",
                expr=value("exporter_poll_consecutive_failures"),
                unit="short",
                colors=((None, TEXT), (1, RED)),
                width=150,
            ),
            Column(
                title="Last success",
                expr=f"{MILLISECONDS} * {value('exporter_poll_last_success_timestamp_seconds')}",
                unit="dateTimeFromNow",
                empty=("Never", RED),
                width=160,
            ),
            Column(
                title="Backoff until",
                expr=f"{MILLISECONDS} * ({value('exporter_poll_backoff_until_timestamp_seconds')} > 0)",
                unit="dateTimeAsIso",
                empty=(EMPTY_CELL, GREY),
                width=170,
            ),
            Column(title="Sessions", expr=value("exporter_sessions_exported"), unit="short", width=90),
            Column(title="Pages", expr=value("exporter_walk_pages"), unit="short", width=80),
            Column(title="Job", label="job"),
            Column(title="Instance", label="instance"),
        ],
        no_value=_NO_EXPORTER,
    )


def _versions() -> PanelBuilder:
    def value(name: str, *labels: str) -> str:
        return f"max by ({', '.join(('job', 'instance', *labels))}) ({_series(name)})"

    return table_panel(
        "Versions",
        "Version, shard and start time of each exporter.",
        [
            Column(title="Instance", label="instance"),
            Column(title="Job", label="job"),
            Column(
                title="Version",
                expr=value("exporter_build_info", "version", "revision", "python_version"),
                label="version",
            ),
            Column(title="Revision", label="revision"),
            Column(title="Python", label="python_version"),
            Column(title="Shard", expr=value("exporter_shard_info", "index", "count"), label="index"),
            Column(title="Shards", label="count"),
            Column(
                title="Started",
                expr=f"{MILLISECONDS} * {value('process_start_time_seconds')}",
                unit="dateTimeFromNow",
            ),
            Column(
                title="Settings loaded",
                expr=f"{MILLISECONDS} * {value('exporter_config_reload_timestamp_seconds')}",
                unit="dateTimeFromNow",
            ),
        ],
        no_value=_NO_EXPORTER,
    )

"""The tables of the Exporter dashboard."""

from typing import Final

from grafana.builder.dashboard import PanelBuilder
from grafana.builder.dashboards.exporter.graphs import ACCOUNT_KEYS
from grafana.builder.panels import GREEN, GREY, ORANGE, RED, TEXT
from grafana.builder.promql import ACCOUNT_FILTERS, selector
from grafana.builder.queries import MILLISECONDS
from grafana.builder.tables import EMPTY_CELL, Column, table_panel
from grafana.builder.thresholds import Thresholds

_NO_EXPORTER: Final = "No data: no exporter is scraped"


def _series(name: str) -> str:
    return selector(ACCOUNT_FILTERS, name)


def accounts(thresholds: Thresholds) -> PanelBuilder:
    """The polling of each account."""

    def value(name: str) -> str:
        return f"max by ({ACCOUNT_KEYS}) ({_series(name)})"

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


def versions() -> PanelBuilder:
    """Version, shard and start time of each exporter."""

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

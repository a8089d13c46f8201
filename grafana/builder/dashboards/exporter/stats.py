"""The values at the top of the Exporter dashboard."""

from grafana.builder import queries
from grafana.builder.dashboard import PanelBuilder
from grafana.builder.panels import BLUE, GREEN, ORANGE, RED, stat_panel
from grafana.builder.promql import ACCOUNT_FILTERS, selector
from grafana.builder.thresholds import Thresholds


def _series(name: str) -> str:
    return selector(ACCOUNT_FILTERS, name)


def stats(thresholds: Thresholds) -> list[PanelBuilder]:
    """Return the panels."""
    return [
        stat_panel(
            "Failing accounts",
            "Accounts whose last poll failed or that have not been polled successfully yet, counted per exporter.",
            f"sum({_series('up')} == bool 0)",
            unit="short",
            colors=((None, GREEN), (1, RED)),
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
            f"sum({_series('exporter_config_reload_successful')} == bool 0)",
            unit="short",
            colors=((None, GREEN), (1, RED)),
        ),
    ]

"""The dashboard Exporter: can these numbers be trusted."""

from typing import Final

from grafana_foundation_sdk.models import dashboard as models

from grafana.builder import dashboard, queries, variables
from grafana.builder import exporter_graphs as graphs
from grafana.builder.panels import BLUE, GREEN, GREY, ORANGE, RED, TEXT, figure
from grafana.builder.promql import PROCESS, series
from grafana.builder.tables import Column, grid
from grafana.builder.thresholds import Thresholds

_P: Final = PROCESS
_QUIET: Final = "None"
_LABELS: Final = "job, instance, account"


def exporter(limits: Thresholds) -> dashboard.Page:
    """The dashboard; it has the choice of streams, hidden, so that the choice survives the way through it."""
    stream = variables.stream()
    stream.hide = models.VariableHide.HIDE_VARIABLE
    return dashboard.Page(
        uid=dashboard.EXPORTER,
        about="Whether the figures can be trusted: polls, the API's answers, what was left out, the process itself.",
        variables=[*variables.common(), stream],
        shelves=[
            dashboard.Shelf(4, [(panel, 4) for panel in _figures(limits)]),
            dashboard.Shelf(6, [(_accounts(limits), 24)]),
            dashboard.Shelf(
                8,
                [(graphs.age(limits), 8), (graphs.duration(), 8), (graphs.polls(), 8)],
                "Polls",
            ),
            dashboard.Shelf(
                8,
                [(graphs.requests(), 8), (graphs.latency(), 8), (graphs.received(), 8)],
                "API",
            ),
            dashboard.Shelf(
                8,
                [(graphs.walk(), 8), (graphs.invalid(), 8), (graphs.regressions(), 8)],
                "What the API sent",
            ),
            dashboard.Shelf(
                8,
                [(graphs.series_used(), 8), (graphs.kept(), 8), (graphs.clocks(), 8)],
                "What is on the page",
            ),
            dashboard.Shelf(8, [(graphs.growth(), 12), (graphs.amounts(), 12)], "Counted since the start"),
            dashboard.Shelf(8, [(graphs.cpu(), 8), (graphs.memory(), 8), (graphs.files(), 8)], "Process"),
            dashboard.Shelf(5, [(_builds(), 24)]),
        ],
    )


def _s(name: str, *matchers: str) -> str:
    return series(_P, name, *matchers)


def _figures(limits: Thresholds) -> list[dashboard.Builder]:
    return [
        figure(
            "Accounts whose last poll failed",
            "An account of one exporter counts when its last poll failed, or when none has succeeded yet.",
            f"count({_s('up')} == 0)",
            unit="short",
            colours=((None, GREEN), (1, RED)),
            no_value=_QUIET,
        ),
        figure(
            "Oldest data",
            "Seconds since the poll began whose answer is shown.",
            f"max({queries.age(_P)})",
            unit="s",
            colours=((None, GREEN), (limits.age_orange, ORANGE), (limits.age_red, RED)),
            decimals=0,
        ),
        figure(
            "Exporters",
            "Processes that are scraped: replicas and shards alike.",
            f"count({_s('exporter_build_info')})",
            unit="short",
            colours=((None, BLUE),),
        ),
        figure(
            "Series of the limit",
            "Share of the series that the budget allows; of several exporters the fullest.",
            f"max({_s('exporter_series')} / {_s('exporter_series_limit')})",
            unit="percentunit",
            colours=((None, GREEN), (0.8, ORANGE), (1, RED)),
        ),
        figure(
            "Sessions left off the page",
            "Sessions that have no series of their own, since the budget is used up. Totals still count them.",
            f"sum({_s('exporter_sessions_dropped')})",
            unit="short",
            colours=((None, GREEN), (1, RED)),
        ),
        figure(
            "Settings could not be read",
            "Exporters whose last reload of the settings failed; they go on with the old ones.",
            f"count({_s('exporter_config_reload_successful')} == 0)",
            unit="short",
            colours=((None, GREEN), (1, RED)),
            no_value=_QUIET,
        ),
    ]


def _accounts(limits: Thresholds) -> dashboard.Builder:
    def each(expr: str) -> str:
        return f"max by ({_LABELS}) ({expr})"

    return grid(
        "Accounts",
        "How the polling of each account goes, as each exporter tells it.",
        [
            Column(title="Account", label="account"),
            Column(
                title="Last poll",
                expr=each(_s("up")),
                meaning={"1": ("Succeeded", GREEN), "0": ("Failed", RED)},
                width=110,
            ),
            Column(
                title="Age",
                expr=f"time() - {each(_s('snapshot_timestamp_seconds'))}",
                unit="s",
                decimals=0,
                colours=((None, GREEN), (limits.age_orange, ORANGE), (limits.age_red, RED)),
                missing=("No data", RED),
                width=90,
            ),
            Column(title="Interval", expr=each(_s("exporter_poll_interval_seconds")), unit="s", width=90),
            Column(
                title="Failures in a row",
                expr=each(_s("exporter_poll_consecutive_failures")),
                unit="short",
                colours=((None, TEXT), (1, RED)),
                width=130,
            ),
            Column(
                title="Last success",
                expr=f"1000 * {each(_s('exporter_poll_last_success_timestamp_seconds'))}",
                unit="dateTimeFromNow",
                missing=("Never", RED),
                width=160,
            ),
            Column(
                title="Waits until",
                expr=f"1000 * ({each(_s('exporter_poll_backoff_until_timestamp_seconds'))} > 0)",
                unit="dateTimeAsIso",
                missing=("–", GREY),
                width=170,
            ),
            Column(title="Sessions", expr=each(_s("exporter_sessions_exported")), unit="short", width=90),
            Column(title="Pages", expr=each(_s("exporter_walk_pages")), unit="short", width=80),
            Column(title="Job", label="job"),
            Column(title="Exporter", label="instance"),
        ],
        no_value="No exporter is scraped",
    )


def _builds() -> dashboard.Builder:
    def each(expr: str, *labels: str) -> str:
        return f"max by ({', '.join(('job', 'instance', *labels))}) ({expr})"

    return grid(
        "Versions",
        "What runs, which part of the sessions it reads, and since when.",
        [
            Column(title="Exporter", label="instance"),
            Column(title="Job", label="job"),
            Column(
                title="Version",
                expr=each(_s("exporter_build_info"), "version", "revision", "python_version"),
                label="version",
            ),
            Column(title="Revision", label="revision"),
            Column(title="Python", label="python_version"),
            Column(title="Shard", expr=each(_s("exporter_shard_info"), "index", "count"), label="index"),
            Column(title="of", label="count"),
            Column(
                title="Running since",
                expr=f"1000 * {each(_s('process_start_time_seconds'))}",
                unit="dateTimeFromNow",
            ),
            Column(
                title="Settings read",
                expr=f"1000 * {each(_s('exporter_config_reload_timestamp_seconds'))}",
                unit="dateTimeFromNow",
            ),
        ],
        no_value="No exporter is scraped",
    )

"""The dashboard Exporter: can these numbers be trusted."""

from typing import Final

from grafana_foundation_sdk.models import dashboard as models

from grafana.builder import page, queries, variables
from grafana.builder.panels import BLUE, GREEN, GREY, ORANGE, RED, TEXT, figure, graph, query
from grafana.builder.promql import PROCESS, series
from grafana.builder.tables import Column, grid
from grafana.builder.thresholds import Thresholds

_P: Final = PROCESS
_QUIET: Final = "None"
_LABELS: Final = "job, instance, account"


def exporter(limits: Thresholds) -> page.Page:
    """The dashboard; it has the choice of streams, hidden, so that the choice survives the way through it."""
    stream = variables.stream()
    stream.hide = models.VariableHide.HIDE_VARIABLE
    return page.Page(
        uid=page.EXPORTER,
        about="Whether the figures can be trusted: polls, the API's answers, what was left out, the process itself.",
        variables=[*variables.common(), stream],
        shelves=[
            page.Shelf(4, [(panel, 4) for panel in _figures(limits)]),
            page.Shelf(6, [(_accounts(limits), 24)]),
            page.Shelf(8, [(_age(limits), 8), (_duration(), 8), (_polls(), 8)], "Polls"),
            page.Shelf(8, [(_requests(), 8), (_latency(), 8), (_bytes(), 8)], "API"),
            page.Shelf(8, [(_walk(), 8), (_invalid(), 8), (_regressions(), 8)], "What the API sent"),
            page.Shelf(8, [(_series(), 8), (_kept(), 8), (_clocks(), 8)], "What is on the page"),
            page.Shelf(8, [(_growth(), 12), (_amounts(), 12)], "Counted since the start"),
            page.Shelf(8, [(_cpu(), 8), (_memory(), 8), (_files(), 8)], "Process"),
            page.Shelf(6, [(_builds(), 24)]),
        ],
    )


def _s(name: str, *matchers: str) -> str:
    return series(_P, name, *matchers)


def _rate(name: str) -> str:
    return f"rate({series(_P, name, window='$__rate_interval')})"


def _figures(limits: Thresholds) -> list[page.Builder]:
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


def _accounts(limits: Thresholds) -> page.Builder:
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


def _age(limits: Thresholds) -> page.Builder:
    return graph(
        "Age of the data",
        "Seconds since the poll began whose answer is shown. Climbing to the poll interval is as it should be.",
        query(f"time() - max by ({_LABELS}) ({_s('snapshot_timestamp_seconds')})", "{{account}} {{instance}}"),
        unit="s",
        limits=((limits.age_red, RED),),
        dense_legend=False,
    )


def _quantile(share: float, histogram: str) -> str:
    inside = _rate(f"exporter_{histogram}_duration_seconds_bucket")
    return f"histogram_quantile({share:g}, sum by (account, le) ({inside}))"


def _mean(histogram: str) -> str:
    whole, number = (_rate(f"exporter_{histogram}_duration_seconds_{part}") for part in ("sum", "count"))
    return f"sum by (account) ({whole}) / sum by (account) ({number})"


def _duration() -> page.Builder:
    return graph(
        "Duration of polls",
        "How long polls take, failed ones included; they must stay well below the interval.",
        query(_quantile(0.99, "poll"), "99 % {{account}}"),
        query(_mean("poll"), "mean {{account}}"),
        unit="s",
        dense_legend=False,
    )


def _polls() -> page.Builder:
    return graph(
        "Polls, and those that failed",
        "Polls per second: begun, skipped since the one before was under way, and failed by class.",
        query(f"sum by (account) ({_rate('exporter_polls_total')})", "begun {{account}}"),
        query(f"sum by (account) ({_rate('exporter_polls_skipped_total')}) > 0", "skipped {{account}}"),
        query(
            f"sum by (account, class) ({_rate('exporter_poll_failures_total')}) > 0", "failed: {{class}} {{account}}"
        ),
        unit="cps",
        dense_legend=False,
    )


def _requests() -> page.Builder:
    return graph(
        "Requests to the API by answer",
        "Requests per second by status code; none means that no answer came. Throttled ones had status 429.",
        query(f"sum by (code) ({_rate('exporter_api_requests_total')}) > 0", "{{code}}"),
        query(f"sum({_rate('exporter_api_retries_total')}) > 0", "repeated"),
        query(f"sum({_rate('exporter_api_throttled_total')}) > 0", "throttled"),
        unit="reqps",
        dense_legend=False,
    )


def _latency() -> page.Builder:
    return graph(
        "Latency of the API",
        "How long requests to the API take.",
        query(_quantile(0.99, "api_request"), "99 % {{account}}"),
        query(_quantile(0.5, "api_request"), "50 % {{account}}"),
        query(_mean("api_request"), "mean {{account}}"),
        unit="s",
        dense_legend=False,
    )


def _bytes() -> page.Builder:
    return graph(
        "Bytes from the API",
        "Bytes per second of the API's answers.",
        query(f"sum by (account) ({_rate('exporter_api_response_bytes_total')})", "{{account}}"),
        unit="Bps",
        dense_legend=False,
    )


def _walk() -> page.Builder:
    return graph(
        "Pages and duplicates",
        "Pages that the last successful poll read, and sessions that came more than once within a walk.",
        query(f"max by ({_LABELS}) ({_s('exporter_walk_pages')})", "pages {{account}} {{instance}}"),
        query(f"sum by (account) ({_rate('exporter_walk_duplicates_total')}) > 0", "duplicates per second {{account}}"),
        unit="short",
        dense_legend=False,
    )


def _invalid() -> page.Builder:
    return graph(
        "Values and sessions left out",
        "Per second: what the API sent and could not be believed. Everything else of the session is kept.",
        query(f"sum by (field, reason) ({_rate('exporter_invalid_values_total')}) > 0", "{{field}}: {{reason}}"),
        query(f"sum by (reason) ({_rate('exporter_invalid_sessions_total')}) > 0", "session: {{reason}}"),
        unit="cps",
        no_value=_QUIET,
        dense_legend=False,
    )


def _regressions() -> page.Builder:
    return graph(
        "Values that fell",
        "Per second: cumulative values that were lower than in the poll before, which restarts upstream bring about.",
        query(f"sum by (field) ({_rate('exporter_regressions_total')}) > 0", "{{field}}"),
        unit="cps",
        no_value=_QUIET,
        dense_legend=False,
    )


def _series() -> page.Builder:
    return graph(
        "Series about sessions",
        "Series on the page, against the budget.",
        query(f"sum by (instance) ({_s('exporter_series')})", "{{instance}}"),
        query(f"max({_s('exporter_series_limit')})", "limit"),
        unit="short",
        dense_legend=False,
    )


def _kept() -> page.Builder:
    return graph(
        "Sessions on the page, and left off",
        "Sessions that have series of their own, and those that the budget left without.",
        query(f"sum by ({_LABELS}) ({_s('exporter_sessions_exported')})", "on the page {{account}} {{instance}}"),
        query(f"sum by ({_LABELS}) ({_s('exporter_sessions_dropped')}) > 0", "left off {{account}} {{instance}}"),
        unit="short",
        dense_legend=False,
    )


def _clocks() -> page.Builder:
    return graph(
        "Clock of the API against ours",
        "Seconds that the API's clock is ahead. States are told by the API's clock, so a difference does no harm.",
        query(f"max by ({_LABELS}) ({_s('exporter_clock_skew_seconds')})", "{{account}} {{instance}}"),
        unit="s",
        low=None,
        dense_legend=False,
    )


def _growth() -> page.Builder:
    return graph(
        "Segments",
        "Segments per second over all sessions, from counters that outlive the sessions. As each exporter tells it.",
        query(f"sum by (instance) ({_rate('source_segments_total')})", "arrived {{instance}}"),
        query(f"sum by (instance) ({_rate('transcoded_segments_total')})", "transcoded {{instance}}"),
        unit="cps",
        dense_legend=False,
    )


def _amounts() -> page.Builder:
    return graph(
        "Seconds of media per second",
        "Over all sessions, from counters that outlive the sessions. As each exporter tells it.",
        query(f"sum by (instance) ({_rate('source_segments_duration_seconds_total')})", "arrived {{instance}}"),
        query(f"sum by (instance) ({_rate('transcoded_segments_duration_seconds_total')})", "transcoded {{instance}}"),
        unit="short",
        dense_legend=False,
    )


def _cpu() -> page.Builder:
    return graph(
        "CPU",
        "Share of one core.",
        query(f"sum by (instance) ({_rate('process_cpu_seconds_total')})", "{{instance}}"),
        unit="percentunit",
        dense_legend=False,
    )


def _memory() -> page.Builder:
    return graph(
        "Memory",
        "Resident memory.",
        query(f"max by (instance) ({_s('process_resident_memory_bytes')})", "{{instance}}"),
        unit="bytes",
        dense_legend=False,
    )


def _files() -> page.Builder:
    return graph(
        "Open files and sockets",
        "File descriptors, against the limit of the process.",
        query(f"max by (instance) ({_s('process_open_fds')})", "{{instance}}"),
        query(f"min({_s('process_max_fds')})", "limit"),
        unit="short",
        dense_legend=False,
    )


def _builds() -> page.Builder:
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

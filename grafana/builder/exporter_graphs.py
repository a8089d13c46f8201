"""What the dashboard Exporter draws over time."""

from typing import Final

from grafana.builder import dashboard
from grafana.builder.panels import RED, SLOW_STEP, graph, query
from grafana.builder.promql import PROCESS, series
from grafana.builder.thresholds import Thresholds
from grafana.builder.value_mappings import PAINTED

_LABELS: Final = "job, instance, account"
_P: Final = PROCESS
_QUIET: Final = "None"


def _s(name: str, *matchers: str) -> str:
    return series(_P, name, *matchers)


def _rate(name: str) -> str:
    return f"rate({series(_P, name, window='$__rate_interval')})"


def age(limits: Thresholds) -> dashboard.Builder:
    """Whether the data is fresh."""
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


def duration() -> dashboard.Builder:
    """Whether polls end in time."""
    return graph(
        "Duration of polls",
        "How long polls take, failed ones included; they must stay well below the interval.",
        query(_quantile(0.99, "poll"), "99 % {{account}}"),
        query(_mean("poll"), "mean {{account}}"),
        unit="s",
        dense_legend=False,
    )


def polls() -> dashboard.Builder:
    """Whether polls succeed."""
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


def requests() -> dashboard.Builder:
    """What the API answers."""
    return graph(
        "Requests to the API by answer",
        "Requests per second by status code; none means that no answer came. Throttled ones had status 429.",
        query(f"sum by (code) ({_rate('exporter_api_requests_total')}) > 0", "{{code}}"),
        query(f"sum({_rate('exporter_api_retries_total')}) > 0", "repeated"),
        query(f"sum({_rate('exporter_api_throttled_total')}) > 0", "throttled"),
        unit="reqps",
        dense_legend=False,
    )


def latency() -> dashboard.Builder:
    """How fast the API answers."""
    return graph(
        "Latency of the API",
        "How long requests to the API take.",
        query(_quantile(0.99, "api_request"), "99 % {{account}}"),
        query(_quantile(0.5, "api_request"), "50 % {{account}}"),
        query(_mean("api_request"), "mean {{account}}"),
        unit="s",
        dense_legend=False,
    )


def received() -> dashboard.Builder:
    """How much the API sends."""
    return graph(
        "Bytes from the API",
        "Bytes per second of the API's answers.",
        query(f"sum by (account) ({_rate('exporter_api_response_bytes_total')})", "{{account}}"),
        unit="Bps",
        dense_legend=False,
    )


def walk() -> dashboard.Builder:
    """How much a poll has to read."""
    return graph(
        "Pages and duplicates",
        "Pages that the last successful poll read, and sessions that came more than once within a walk.",
        query(f"max by ({_LABELS}) ({_s('exporter_walk_pages')})", "pages {{account}} {{instance}}"),
        query(f"sum by (account) ({_rate('exporter_walk_duplicates_total')}) > 0", "duplicates per second {{account}}"),
        unit="short",
        dense_legend=False,
    )


def invalid() -> dashboard.Builder:
    """What could not be believed."""
    return graph(
        "Values and sessions left out",
        "Per second: what the API sent and could not be believed. Everything else of the session is kept.",
        query(f"sum by (field, reason) ({_rate('exporter_invalid_values_total')}) > 0", "{{field}}: {{reason}}"),
        query(f"sum by (reason) ({_rate('exporter_invalid_sessions_total')}) > 0", "session: {{reason}}"),
        unit="cps",
        no_value=_QUIET,
        dense_legend=False,
    )


def regressions() -> dashboard.Builder:
    """Restarts upstream."""
    return graph(
        "Values that fell",
        "Per second: cumulative values that were lower than in the poll before, which restarts upstream bring about.",
        query(f"sum by (field) ({_rate('exporter_regressions_total')}) > 0", "{{field}}"),
        unit="cps",
        no_value=_QUIET,
        dense_legend=False,
    )


def series_used() -> dashboard.Builder:
    """How full the page is."""
    return graph(
        "Series about sessions",
        "Series on the page, against the budget.",
        query(f"sum by (instance) ({_s('exporter_series')})", "{{instance}}"),
        query(f"max({_s('exporter_series_limit')})", "limit"),
        unit="short",
        painted=PAINTED,
        dense_legend=False,
    )


def kept() -> dashboard.Builder:
    """Which sessions have found room."""
    return graph(
        "Sessions on the page, and left off",
        "Sessions that have series of their own, and those that the budget left without.",
        query(f"sum by ({_LABELS}) ({_s('exporter_sessions_exported')})", "on the page {{account}} {{instance}}"),
        query(f"sum by ({_LABELS}) ({_s('exporter_sessions_dropped')}) > 0", "left off {{account}} {{instance}}"),
        unit="short",
        dense_legend=False,
    )


def clocks() -> dashboard.Builder:
    """Whether clocks agree."""
    return graph(
        "Clock of the API against ours",
        "Seconds that the API's clock is ahead. States are told by the API's clock, so a difference does no harm.",
        query(f"max by ({_LABELS}) ({_s('exporter_clock_skew_seconds')})", "{{account}} {{instance}}"),
        unit="s",
        low=None,
        dense_legend=False,
    )


def growth() -> dashboard.Builder:
    """Segments by counters."""
    return graph(
        "Segments",
        "Segments per second over all sessions, from counters that outlive the sessions. As each exporter tells it.",
        query(f"sum by (instance) ({_rate('source_segments_total')})", "arrived {{instance}}", interval=SLOW_STEP),
        query(
            f"sum by (instance) ({_rate('transcoded_segments_total')})", "transcoded {{instance}}", interval=SLOW_STEP
        ),
        unit="cps",
        dense_legend=False,
    )


def amounts() -> dashboard.Builder:
    """Media by counters."""
    return graph(
        "Seconds of media per second",
        "Over all sessions, from counters that outlive the sessions. As each exporter tells it.",
        query(
            f"sum by (instance) ({_rate('source_segments_duration_seconds_total')})",
            "arrived {{instance}}",
            interval=SLOW_STEP,
        ),
        query(
            f"sum by (instance) ({_rate('transcoded_segments_duration_seconds_total')})",
            "transcoded {{instance}}",
            interval=SLOW_STEP,
        ),
        unit="short",
        dense_legend=False,
    )


def cpu() -> dashboard.Builder:
    """What it takes of a processor."""
    return graph(
        "CPU",
        "Share of one core.",
        query(f"sum by (instance) ({_rate('process_cpu_seconds_total')})", "{{instance}}"),
        unit="percentunit",
        dense_legend=False,
    )


def memory() -> dashboard.Builder:
    """What it takes of memory."""
    return graph(
        "Memory",
        "Resident memory.",
        query(f"max by (instance) ({_s('process_resident_memory_bytes')})", "{{instance}}"),
        unit="bytes",
        dense_legend=False,
    )


def files() -> dashboard.Builder:
    """What it has open."""
    return graph(
        "Open files and sockets",
        "File descriptors, against the limit of the process.",
        query(f"max by (instance) ({_s('process_open_fds')})", "{{instance}}"),
        query(f"min({_s('process_max_fds')})", "limit"),
        unit="short",
        painted=PAINTED,
        dense_legend=False,
    )

"""The panels over time of the Exporter dashboard."""

from typing import Final

from grafana.builder import queries
from grafana.builder.dashboard import PanelBuilder
from grafana.builder.panels import COUNTER_INTERVAL, graph_panel, range_query
from grafana.builder.promql import ACCOUNT_FILTERS, selector
from grafana.builder.value_mappings import STATE_COLORS

ACCOUNT_KEYS: Final = "job, instance, account"
"""Labels that identify an account of one exporter."""

_NONE: Final = "None, or no data"


def _series(name: str) -> str:
    return selector(ACCOUNT_FILTERS, name)


def _rate(name: str) -> str:
    return queries.counter_rate(ACCOUNT_FILTERS, name)


def _max_per_account(name: str) -> str:
    return f"max by ({ACCOUNT_KEYS}) ({_series(name)})"


def _quantile(quantile: float, operation: str) -> str:
    buckets = _rate(f"exporter_{operation}_duration_seconds_bucket")
    return f"histogram_quantile({quantile:g}, sum by (account, le) ({buckets}))"


def _mean(operation: str) -> str:
    total, count = (_rate(f"exporter_{operation}_duration_seconds_{suffix}") for suffix in ("sum", "count"))
    return f"sum by (account) ({total}) / sum by (account) ({count})"


def data_age() -> PanelBuilder:
    """Age of the snapshot, compared with the age at which it expires."""
    older = f"time() - {_max_per_account('recordings_snapshot_timestamp_seconds')}"
    return graph_panel(
        "Data age",
        "Time since the start of the poll that produced the displayed data. A sawtooth up to the poll interval is "
        "normal. Recordings: the same for the sessions before the session window, which are polled less often. "
        "Limit: the lowest age at which data expires (--max-staleness).",
        range_query(f"time() - {_max_per_account('snapshot_timestamp_seconds')}", "{{account}} {{instance}}"),
        range_query(older, "recordings {{account}} {{instance}}"),
        range_query(f"min({_series('exporter_max_staleness_seconds')})", "limit"),
        unit="s",
        series_colors=STATE_COLORS,
    )


def poll_duration() -> PanelBuilder:
    """Duration of polls."""
    return graph_panel(
        "Poll duration",
        "Duration of polls, including failed ones. It must stay well below the poll interval.",
        range_query(_quantile(0.99, "poll"), "p99 {{account}}"),
        range_query(_mean("poll"), "mean {{account}}"),
        unit="s",
    )


def polls() -> PanelBuilder:
    """Rate of started, skipped and failed polls."""
    failures = f"sum by (account, class) ({_rate('exporter_poll_failures_total')}) > 0"
    return graph_panel(
        "Polls and failures",
        "Polls per second: started, skipped because the previous poll was still running, and failed by class.",
        range_query(f"sum by (account) ({_rate('exporter_polls_total')})", "started {{account}}"),
        range_query(f"sum by (account) ({_rate('exporter_polls_skipped_total')}) > 0", "skipped {{account}}"),
        range_query(failures, "failed: {{class}} {{account}}"),
        unit="cps",
    )


def requests() -> PanelBuilder:
    """Rate of API requests."""
    return graph_panel(
        "API requests by status code",
        "Requests per second by status code (none: no response), retries, and responses with status 429 (throttled).",
        range_query(f"sum by (code) ({_rate('exporter_api_requests_total')}) > 0", "{{code}}"),
        range_query(f"sum({_rate('exporter_api_retries_total')}) > 0", "retries"),
        range_query(f"sum({_rate('exporter_api_throttled_total')}) > 0", "throttled"),
        unit="reqps",
    )


def request_duration() -> PanelBuilder:
    """Duration of API requests."""
    return graph_panel(
        "API request duration",
        "Duration of API requests.",
        range_query(_quantile(0.99, "api_request"), "p99 {{account}}"),
        range_query(_quantile(0.5, "api_request"), "p50 {{account}}"),
        range_query(_mean("api_request"), "mean {{account}}"),
        unit="s",
    )


def response_bytes() -> PanelBuilder:
    """Size of API responses."""
    return graph_panel(
        "API response bytes",
        "Bytes per second received in API responses.",
        range_query(f"sum by (account) ({_rate('exporter_api_response_bytes_total')})", "{{account}}"),
        unit="Bps",
    )


def pages() -> PanelBuilder:
    """Pages per poll, and duplicate sessions."""
    duplicates = f"sum by (account) ({_rate('exporter_walk_duplicates_total')}) > 0"
    return graph_panel(
        "Pages and duplicates",
        "Pages read by the last successful poll, and sessions received more than once in the same poll.",
        range_query(_max_per_account("exporter_walk_pages"), "pages {{account}} {{instance}}"),
        range_query(duplicates, "duplicates per second {{account}}"),
        unit="short",
    )


def invalid() -> PanelBuilder:
    """Invalid values and sessions."""
    fields = f"sum by (field, reason) ({_rate('exporter_invalid_values_by_field_total')}) > 0"
    sessions = f"sum by (reason) ({_rate('exporter_invalid_sessions_total')}) > 0"
    return graph_panel(
        "Invalid values and sessions",
        "Values and sessions dropped per second because they are invalid. The valid values of a session are kept. The "
        "first values of a field are only in the sum over all fields, because the series of a field begins with them.",
        range_query(fields, "{{field}}: {{reason}}"),
        range_query(sessions, "session: {{reason}}"),
        range_query(f"sum({_rate('exporter_invalid_values_total')}) > 0", "all fields"),
        unit="cps",
        no_value=_NONE,
    )


def regressions() -> PanelBuilder:
    """Decreases of cumulative values."""
    return graph_panel(
        "Counter regressions",
        "Cumulative session values per second that were lower than in the previous poll, as after upstream restarts.",
        range_query(f"sum by (field) ({_rate('exporter_regressions_total')}) > 0", "{{field}}"),
        unit="cps",
        no_value=_NONE,
    )


def series() -> PanelBuilder:
    """Series, compared with the limit."""
    return graph_panel(
        "Session and stream series",
        "Series exported for sessions and streams, compared with the series limit (--max-series).",
        range_query(f"sum by (instance) ({_series('exporter_series')})", "{{instance}}"),
        range_query(f"max({_series('exporter_series_limit')})", "limit"),
        unit="short",
        series_colors=STATE_COLORS,
    )


def sessions() -> PanelBuilder:
    """Sessions with and without series."""
    exported = f"sum by ({ACCOUNT_KEYS}) ({_series('exporter_sessions_exported')})"
    dropped = f"sum by ({ACCOUNT_KEYS}) ({_series('exporter_sessions_dropped')}) > 0"
    return graph_panel(
        "Exported and dropped sessions",
        "Sessions with series, and sessions without series because the series limit (--max-series) is reached.",
        range_query(exported, "exported {{account}} {{instance}}"),
        range_query(dropped, "dropped {{account}} {{instance}}"),
        unit="short",
    )


def clock_skew() -> PanelBuilder:
    """Difference between the clocks of the API and of the exporter."""
    return graph_panel(
        "Clock skew",
        "Time by which the API's clock is ahead of the exporter's. It does not affect session states, which use the "
        "API's clock.",
        range_query(_max_per_account("exporter_clock_skew_seconds"), "{{account}} {{instance}}"),
        unit="s",
        minimum=None,
    )


def _source_and_transcoded(title: str, description: str, quantity: str, unit: str) -> PanelBuilder:
    """Rates of two account counters, per exporter."""
    rates = [
        range_query(
            f"sum by (instance) ({_rate(f'{kind}_{quantity}_total')})",
            f"{kind} {{{{instance}}}}",
            interval=COUNTER_INTERVAL,
        )
        for kind in ("source", "transcoded")
    ]
    return graph_panel(title, description, *rates, unit=unit)


def segments() -> PanelBuilder:
    """Rate of segments."""
    return _source_and_transcoded(
        "Segments",
        "Segments per second over all sessions, from the account counters of each exporter.",
        "segments",
        "cps",
    )


def media() -> PanelBuilder:
    """Rate of media seconds."""
    return _source_and_transcoded(
        "Media seconds",
        "Seconds of media per second over all sessions, from the account counters of each exporter.",
        "segments_duration_seconds",
        "short",
    )


def cpu() -> PanelBuilder:
    """CPU usage."""
    return graph_panel(
        "CPU",
        "CPU usage as a share of one core.",
        range_query(f"sum by (instance) ({_rate('process_cpu_seconds_total')})", "{{instance}}"),
        unit="percentunit",
    )


def memory() -> PanelBuilder:
    """Memory usage."""
    return graph_panel(
        "Memory",
        "Resident memory.",
        range_query(f"max by (instance) ({_series('process_resident_memory_bytes')})", "{{instance}}"),
        unit="bytes",
    )


def file_descriptors() -> PanelBuilder:
    """Open file descriptors, compared with the limit."""
    return graph_panel(
        "File descriptors",
        "Open file descriptors, compared with the limit of the process.",
        range_query(f"max by (instance) ({_series('process_open_fds')})", "{{instance}}"),
        range_query(f"min({_series('process_max_fds')})", "limit"),
        unit="short",
        series_colors=STATE_COLORS,
    )

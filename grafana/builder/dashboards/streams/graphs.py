"""The panels over time of the Streams dashboard, from the lifecycle counters of the accounts."""

from typing import Final

from grafana.builder import queries
from grafana.builder.dashboard import PanelBuilder
from grafana.builder.panels import (
    COUNTER_INTERVAL,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    event_bars,
    graph_panel,
    range_query,
)
from grafana.builder.promql import STREAM_FILTERS, per_account, selector

_HOUR: Final = "1h"
"""Window of the quantiles: sessions end rarely."""


def observed() -> PanelBuilder:
    """Number of live streams by health, from the time that was observed."""
    rate = queries.counter_rate(STREAM_FILTERS, "observed_seconds_total")
    unobserved = queries.counter_rate(STREAM_FILTERS, "unobserved_seconds_total")
    return graph_panel(
        "Live streams by health",
        "Observed seconds per second by health, which is the mean number of live streams, and the seconds that no poll "
        "covered.",
        range_query(per_account(STREAM_FILTERS, rate, "health", by=()), "{{health}}", interval=COUNTER_INTERVAL),
        range_query(per_account(STREAM_FILTERS, unobserved, by=()), "unobserved", interval=COUNTER_INTERVAL),
        unit="short",
        decimals=1,
        series_colors={"healthy": GREEN, "unhealthy": RED, "unknown": PURPLE, "unobserved": GREY},
    )


def _bars(title: str, description: str, *counters: tuple[str, str]) -> PanelBuilder:
    steps = ((queries.counter_steps(STREAM_FILTERS, name, by=("account",)), legend) for name, legend in counters)
    return event_bars(title, description, *steps)


def episodes() -> PanelBuilder:
    """How often streams became unhealthy."""
    return _bars(
        "Unhealthy episodes",
        "How often streams became unhealthy since the previous bar.",
        ("unhealthy_episodes_total", "{{account}}"),
    )


def reconnects() -> PanelBuilder:
    """Sessions that continued another one, and those that never started."""
    return _bars(
        "Reconnects and sessions that never started",
        "Sessions that continued an earlier session of their stream within five minutes, and sessions without media "
        "five minutes after their creation, since the previous bar.",
        ("reconnects_total", "reconnects {{account}}"),
        ("sessions_never_started_total", "never started {{account}}"),
    )


def _buckets(name: str, *matchers: str, labels: tuple[str, ...] = ()) -> str:
    """Growth of the buckets of a histogram in the last hour."""
    growth = f"increase({selector(STREAM_FILTERS, f'{name}_bucket', *matchers, window=_HOUR)})"
    return per_account(STREAM_FILTERS, growth, "le", *labels, by=())


def _quantile(quantile: float, buckets: str) -> str:
    return f"histogram_quantile({quantile:g}, {buckets})"


def ended_durations() -> PanelBuilder:
    """How long sessions lasted."""
    buckets = _buckets("ended_session_duration_seconds")
    return graph_panel(
        "Duration of ended sessions",
        "Source media of the sessions that ended in the last hour.",
        range_query(_quantile(0.5, buckets), "median"),
        range_query(_quantile(0.9, buckets), "90th percentile"),
        unit="s",
    )


def ended_unhealthy() -> PanelBuilder:
    """How many of the sessions that ended were unhealthy for a large part of their time."""
    all_ended = _buckets("ended_session_unhealthy_ratio", 'le="+Inf"')
    shares = {}
    for bound in ("0.01", "0.05", "0.25"):
        below = _buckets("ended_session_unhealthy_ratio", f'le="{bound}"')
        shares[bound] = f"1 - sum({below}) / (sum({all_ended}) > 0)"
    return graph_panel(
        "Ended sessions that were unhealthy",
        "Share of the sessions that ended in the last hour and were unhealthy for more than 1, 5 and 25 % of their "
        "time.",
        *(range_query(expr, f"more than {float(bound):.0%}") for bound, expr in shares.items()),
        unit="percentunit",
        soft_max=1,
        series_colors={"more than 1%": GREY, "more than 5%": ORANGE, "more than 25%": RED},
    )


def recording_times() -> PanelBuilder:
    """How long recordings take."""
    return graph_panel(
        "Recording processing time",
        "Time from the last media of a session until its recording was ready or failed, in the last hour.",
        *(
            range_query(
                _quantile(quantile, _buckets("recording_processing_seconds", labels=("result",))),
                f"{name} {{{{result}}}}",
            )
            for quantile, name in ((0.5, "median"), (0.9, "90th percentile"))
        ),
        unit="s",
    )

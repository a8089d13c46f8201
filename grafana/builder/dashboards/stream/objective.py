"""The panels on the objective of the Stream dashboard: the share of the time in which a stream should be healthy.

The indicator is the healthy share of the live time with a reported health. A budget is the unhealthy time that the
objective allows. The burn rate is the speed at which it is used: 1 uses it up in exactly the period of the objective.
"""

from typing import Final

from grafana.builder.dashboard import OVERVIEW_UID, PanelBuilder
from grafana.builder.links import Link, dashboard_url
from grafana.builder.panels import GREEN, ORANGE, RED, graph_panel, range_query, stat_panel
from grafana.builder.promql import STREAM_FILTERS, selector
from grafana.builder.stream_queries import burn_rate as burn_rate_of
from grafana.builder.stream_queries import sum_per_stream, unhealthy_share
from grafana.builder.thresholds import Thresholds

_OVERVIEW: Final[Link] = ("Open overview", dashboard_url(OVERVIEW_UID))
_NOT_LIVE: Final = "Not live, or no data"
_UNHEALTHY: Final = 'health="unhealthy"'


def stats(thresholds: Thresholds) -> list[PanelBuilder]:
    """Return the values."""
    observed = selector(STREAM_FILTERS, "stream_observed_seconds_total", _UNHEALTHY, window="$__range")
    return [
        stat_panel(
            "Healthy share",
            "Share of the live time in the range in which the stream was healthy, where Livepeer Studio reported a "
            "health.",
            f"1 - {unhealthy_share(STREAM_FILTERS, '$__range')}",
            unit="percentunit",
            decimals=3,
            no_value=_NOT_LIVE,
            link=_OVERVIEW,
        ),
        stat_panel(
            "Budget left",
            "Share of the unhealthy time that the objective allows in the time range and that is not used. Below 0 the "
            "objective is missed.",
            f"1 - {burn_rate_of(STREAM_FILTERS, '$__range')}",
            unit="percentunit",
            decimals=1,
            colors=((None, RED), (0, ORANGE), (0.5, GREEN)),
            no_value=_NOT_LIVE,
            link=_OVERVIEW,
        ),
        stat_panel(
            "Burn rate",
            "Speed at which the stream used its budget in the last hour; 1 uses it up in exactly the period of the "
            "objective.",
            burn_rate_of(STREAM_FILTERS, thresholds.fast_burn_window),
            unit="short",
            decimals=1,
            colors=((None, GREEN), (1, ORANGE), (thresholds.fast_burn, RED)),
            no_value=_NOT_LIVE,
            link=_OVERVIEW,
        ),
        stat_panel(
            "Unhealthy time",
            "Observed unhealthy time in the range.",
            sum_per_stream(STREAM_FILTERS, f"sum without (health) (increase({observed}))"),
            unit="s",
            decimals=0,
            no_value=_NOT_LIVE,
            link=_OVERVIEW,
        ),
    ]


def burn_rate(thresholds: Thresholds) -> PanelBuilder:
    """Burn rate over a short and a long window."""
    return graph_panel(
        "Burn rate over time",
        "Speed at which the budget is used, over one and over six hours. "
        f"A burn rate of {thresholds.fast_burn:g} uses 2 % of a budget of 30 days in an hour, "
        f"and one of {thresholds.slow_burn:g} uses 5 % in six hours.",
        range_query(burn_rate_of(STREAM_FILTERS, thresholds.fast_burn_window), "1 hour"),
        range_query(burn_rate_of(STREAM_FILTERS, thresholds.slow_burn_window), "6 hours"),
        unit="short",
        decimals=1,
        soft_max=thresholds.slow_burn,
        threshold_lines=((thresholds.slow_burn, ORANGE), (thresholds.fast_burn, RED)),
        no_value=_NOT_LIVE,
    )

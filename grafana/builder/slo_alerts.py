"""Optional alerts on streams that miss their objective: a share of the live time in which they should be healthy.

An alert fires while the error budget, the unhealthy time that the objective allows, is used too fast in a long window
and in a recent one. The counters of replicas count once. Shards do not export them, since no shard has all sessions of
a stream.
"""

from typing import Any

from grafana.builder.alert import Alert, Severity
from grafana.builder.promql import NO_FILTERS
from grafana.builder.session_alerts import stream_alert
from grafana.builder.stream_queries import ON_STREAM, unhealthy_share
from grafana.builder.thresholds import Thresholds


def slo_alerts(thresholds: Thresholds) -> list[Alert]:
    """Return the alert on a high burn rate, and on a lower one that lasts."""
    return [
        _burning(
            "LivepeerErrorBudgetBurningFast",
            thresholds,
            thresholds.fast_burn,
            thresholds.fast_burn_window,
            thresholds.fast_burn_recent_window,
            for_duration=thresholds.fast_burn_for,
            severity="critical",
        ),
        _burning(
            "LivepeerErrorBudgetBurningSlowly",
            thresholds,
            thresholds.slow_burn,
            thresholds.slow_burn_window,
            thresholds.slow_burn_recent_window,
            for_duration=thresholds.slow_burn_for,
            severity="warning",
            time_range="12h",
        ),
    ]


def _burning(
    name: str,
    thresholds: Thresholds,
    burn: float,
    window: str,
    recent_window: str,
    *,
    for_duration: str,
    severity: Severity,
    **optional: Any,
) -> Alert:
    limit = f"{burn * (1 - thresholds.objective):.6g}"
    share = unhealthy_share(NO_FILTERS, window, f">= {thresholds.burn_min_observed:g}")
    return stream_alert(
        name,
        f"{share} > {limit} and {ON_STREAM} {unhealthy_share(NO_FILTERS, recent_window)} > {limit}",
        for_duration,
        severity,
        f"unhealthy in {{{{ $value | humanizePercentage }}}} of its live time in the last {window}",
        f"The stream was unhealthy in {{{{ $value | humanizePercentage }}}} of its live time in the last {window}. It "
        f"uses its error budget more than {burn:g} times as fast as the objective of {100 * thresholds.objective:g}% "
        "allows.",
        keep_firing_for=thresholds.keep_firing_for,
        has_issues=True,
        **optional,
    )

"""The panels on webhooks of the Exporter dashboard."""

from typing import Final

from grafana.builder import queries
from grafana.builder.dashboard import PanelBuilder
from grafana.builder.panels import graph_panel, range_query
from grafana.builder.promql import ACCOUNT_FILTERS

_NO_WEBHOOK: Final = "No data: webhooks are off"


def _rate(name: str) -> str:
    return queries.counter_rate(ACCOUNT_FILTERS, name)


def panels() -> list[PanelBuilder]:
    """Return the panels."""
    return [_calls(), _lag(), _hinted_polls(), _targets()]


def _calls() -> PanelBuilder:
    return graph_panel(
        "Webhook calls",
        "Calls per second by event and result; none: the call was refused before its event was read.",
        range_query(f"sum by (event, result) ({_rate('webhooks_total')}) > 0", "{{event}}: {{result}}"),
        range_query(f"sum({_rate('webhooks_total')})", "all"),
        unit="cps",
        no_value=_NO_WEBHOOK,
    )


def _lag() -> PanelBuilder:
    buckets = f"sum by (le) ({_rate('webhook_lag_seconds_bucket')})"
    return graph_panel(
        "Time from an event to its data",
        "Time from an event, by the API's clock, to the publication of the poll of its stream.",
        range_query(f"histogram_quantile(0.5, {buckets})", "median"),
        range_query(f"histogram_quantile(0.99, {buckets})", "99th percentile"),
        unit="s",
        no_value=_NO_WEBHOOK,
    )


def _hinted_polls() -> PanelBuilder:
    return graph_panel(
        "Polls after webhooks",
        "Polls of a single stream per second by result, and the events that needed none of their own.",
        range_query(f"sum by (result) ({_rate('exporter_hinted_polls_total')})", "{{result}}"),
        range_query(f"sum({_rate('exporter_hints_saved_total')})", "saved"),
        unit="cps",
        no_value=_NO_WEBHOOK,
    )


def _targets() -> PanelBuilder:
    return graph_panel(
        "Events of multistream targets",
        "Events per second by result. Only webhooks have them; the API's sessions do not.",
        range_query(f"sum by (result) ({_rate('multistream_events_total')})", "{{result}}"),
        unit="cps",
        no_value=_NO_WEBHOOK,
    )

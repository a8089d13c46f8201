"""The state timelines of the Session dashboard."""

from grafana.builder import queries
from grafana.builder.dashboard import PanelBuilder
from grafana.builder.panels import GREEN, GREY, ORANGE, range_query, state_timeline
from grafana.builder.promql import SESSION_FILTERS, per_session, selector, with_name
from grafana.builder.value_mappings import HEALTH, RECORDING_STATUS


def _named(expr: str) -> str:
    return with_name(SESSION_FILTERS, expr)


def _value(name: str, *labels: str) -> str:
    return per_session(selector(SESSION_FILTERS, name), *labels)


def health() -> PanelBuilder:
    """When the session was unhealthy."""
    return state_timeline(
        "Health over time",
        "Health reported by Livepeer Studio while the session was active.",
        range_query(_named(queries.session_health(SESSION_FILTERS)), "{{name}}", interval="30s"),
        mapping=HEALTH,
        no_value="No health reported in this time range, or no data",
        show_text=True,
    )


def issues() -> PanelBuilder:
    """The issues, while they were open."""
    return state_timeline(
        "Issues over time",
        "Issues reported by Livepeer Studio, while they were open.",
        range_query(_value("session_issue_info", "issue"), "{{issue}}", interval="30s"),
        mapping={"1": ("open", ORANGE)},
        no_value="No issue reported in this time range, or no data",
    )


def recording() -> PanelBuilder:
    """The state of the recording."""
    available = _value("session_recording_available", "format")
    first = len(RECORDING_STATUS)
    return state_timeline(
        "Recording over time",
        "Recording status, and availability of the recording by format.",
        range_query(_named(queries.recording_status(SESSION_FILTERS)), "{{name}}", interval="30s"),
        range_query(f"{available} + {first}", "{{format}}", interval="30s"),
        mapping={**RECORDING_STATUS, f"{first}": ("Not available", GREY), f"{first + 1}": ("Available", GREEN)},
        no_value="Not recorded, or no data",
        show_text=True,
    )

"""Dashboard variables and annotations.

Variables query series that exist while no stream is active: those on accounts, and the names of all sessions within the
time range. The stream and session variables show names and send ids, so the characters of a name cannot change a
query.
"""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.models import dashboard
from grafana_foundation_sdk.models.prometheus import QueryEditorMode

from grafana.builder.panels import BLUE, DATASOURCE, RED
from grafana.builder.promql import (
    ACCOUNT_FILTERS,
    NO_FILTERS,
    SESSION_KEY,
    STREAM_FILTERS,
    Filters,
    per_session,
    selector,
    with_name,
)
from grafana.builder.queries import created_at

ANY_VALUE: Final = ".+"
ANY_VALUE_OR_ABSENT: Final = ".*"
"""A session without a parent stream has no label ``stream_id``."""

_ALL: Final = dashboard.VariableOption(text="All", value="$__all", selected=True)


def _query_variable(name: str, label: str, query: str) -> builders.QueryVariable:
    query_type = 3 if query.startswith("query_result") else 1
    variable = builders.QueryVariable(name).label(label).datasource(DATASOURCE).definition(query)
    variable = variable.query({"qryType": query_type, "query": query, "refId": name})
    return variable.refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED).multi(True)


def _label_values(name: str, label: str, filters: Filters) -> dashboard.VariableModel:
    query = f"label_values({selector(filters, 'up')}, {name})"
    variable = _query_variable(name, label, query).include_all(True).all_value(ANY_VALUE).current(_ALL)
    return variable.sort(dashboard.VariableSort.NATURAL_ASC).build()


def common_variables() -> list[dashboard.VariableModel]:
    """Return data source, job, instance and account; each of the last three is filtered by those before it."""
    variables = [builders.DatasourceVariable("datasource").label("Data source").type("prometheus").build()]
    filters = NO_FILTERS
    for name, label in (("job", "Job"), ("instance", "Instance"), ("account", "Account")):
        variables.append(_label_values(name, label, filters))
        filters = Filters({**filters.matchers, name: ACCOUNT_FILTERS.matchers[name]})
    return variables


def stream_variable() -> dashboard.VariableModel:
    """Return the streams of the time range; shows the name, sends the id."""
    info = f"last_over_time({selector(ACCOUNT_FILTERS, 'session_info', window='$__range')})"
    query = f"query_result(max by (name, stream_id) ({info}))"
    variable = _query_variable("stream", "Stream", query)
    variable = variable.regex('/^{(?:name="(?<text>.*)",)?stream_id="(?<value>[^"]*)"}/')
    variable = variable.include_all(True).all_value(ANY_VALUE_OR_ABSENT).current(_ALL)
    return variable.sort(dashboard.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC).build()


def session_variable() -> dashboard.VariableModel:
    """Return the sessions of the selected streams, newest first; shows name and start of the id, sends the id."""
    timestamps = selector(STREAM_FILTERS, "session_created_timestamp_seconds", window="$__range")
    created = per_session(f"last_over_time({timestamps})")
    info = f"last_over_time({selector(STREAM_FILTERS, 'session_info', window='$__range')})"
    keys = ", ".join(SESSION_KEY)
    named = f"{created} * on ({keys}) group_left (name) topk by ({keys}) (1, {info})"
    short = f'label_replace({named}, "short", "$1", "session_id", "([^-]*).*")'
    titled = f'label_join({short}, "title", " · ", "name", "short")'
    query = f"query_result(sort_desc(max by (session_id, title) ({titled})))"
    variable = _query_variable("session", "Session", query)
    variable = variable.regex('/^{session_id="(?<value>[^"]*)",title="(?<text>.*)"}/')
    return variable.sort(dashboard.VariableSort.DISABLED).build()


def annotations(filters: Filters) -> list[dashboard.AnnotationQuery]:
    """Return the annotations for started sessions and firing alerts."""
    alerts = 'ALERTS{alertname=~"Livepeer.+", alertstate="firing", job=~"$job|", account=~"$account|"}'
    started = with_name(filters, created_at(filters))
    return [
        _annotation("Session started", BLUE, started, "{{name}} started", use_value=True),
        _annotation("Firing alert", RED, alerts, "{{alertname}} {{name}}", use_value=False),
    ]


def _annotation(name: str, color: str, expr: str, title: str, *, use_value: bool) -> dashboard.AnnotationQuery:
    """Return an annotation query; ``use_value`` takes the time from the value instead of the sample."""
    query = prometheus.Dataquery().expr(expr).ref_id("Anno").range().editor_mode(QueryEditorMode.CODE)
    return dashboard.AnnotationQuery(
        name=name,
        datasource=DATASOURCE,
        icon_color=color,
        target=query.build(),
        expr=expr,
        title_format=title,
        step="60s",
        use_value_for_time=use_value,
    )

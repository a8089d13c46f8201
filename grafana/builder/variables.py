"""Dashboard variables.

The variables that are shown query series that exist while no stream is active: those on accounts, and the names of all
sessions and streams within the time range. The stream and session variables show names and send ids, so the characters
of a name cannot change a query.
"""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard

from grafana.builder.panels import DATASOURCE
from grafana.builder.promql import (
    ACCOUNT_FILTERS,
    NO_FILTERS,
    SESSION_KEY,
    STREAM_FILTERS,
    Filters,
    per_session,
    selector,
)
from grafana.builder.thresholds import Thresholds

ANY_VALUE: Final = ".+"
ANY_VALUE_OR_ABSENT: Final = ".*"
"""Sessions without a parent stream have no label ``stream_id``, and not every Prometheus adds ``cluster``."""

NEWEST_SESSIONS: Final = 200
"""Number of sessions to choose from; the stream variable narrows the choice."""

OBJECTIVES: Final = ("90", "95", "99", "99.5", "99.9")
"""Objectives to choose from, in percent of the time."""

_ALL: Final = dashboard.VariableOption(text="All", value="$__all", selected=True)


def _query_variable(name: str, label: str, query: str) -> builders.QueryVariable:
    query_type = 3 if query.startswith("query_result") else 1
    variable = builders.QueryVariable(name).label(label).datasource(DATASOURCE).definition(query)
    variable = variable.query({"qryType": query_type, "query": query, "refId": name})
    return variable.refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)


def _label_values(name: str, label: str, filters: Filters, all_value: str) -> builders.QueryVariable:
    query = f"label_values({selector(filters, 'up')}, {name})"
    variable = _query_variable(name, label, query).multi(True).include_all(True).all_value(all_value).current(_ALL)
    return variable.sort(dashboard.VariableSort.NATURAL_ASC)


def common_variables() -> list[dashboard.VariableModel]:
    """Return data source, cluster, job, instance and account; each of the last four is filtered by those before it.

    Grafana cannot hide a variable for want of values. The cluster is therefore always hidden: a URL can set it, and its
    value All matches series without the label.
    """
    hidden = dashboard.VariableHide.HIDE_VARIABLE
    cluster = _label_values("cluster", "Cluster", NO_FILTERS, ANY_VALUE_OR_ABSENT).hide(hidden)
    variables = [builders.DatasourceVariable("datasource").label("Data source").type("prometheus").build()]
    variables.append(cluster.build())
    filters = Filters({"cluster": ACCOUNT_FILTERS.matchers["cluster"]})
    for name, label in (("job", "Job"), ("instance", "Instance"), ("account", "Account")):
        variables.append(_label_values(name, label, filters, ANY_VALUE).build())
        filters = Filters({**filters.matchers, name: ACCOUNT_FILTERS.matchers[name]})
    return variables


def _stream_variable() -> builders.QueryVariable:
    infos = (
        f"last_over_time({selector(ACCOUNT_FILTERS, name, window='$__range')})"
        for name in ("session_info", "stream_info")
    )
    query = f"query_result(max by (name, stream_id) ({' or '.join(infos)}))"
    variable = _query_variable("stream", "Stream", query)
    variable = variable.regex('/^{(?:name="(?<text>.*)",)?stream_id="(?<value>[^"]*)"}/')
    return variable.sort(dashboard.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)


def streams_variable(*, hidden: bool = False) -> dashboard.VariableModel:
    """Return the streams of the time range, of which several can be selected; shows the name, sends the id.

    A hidden one keeps the selected streams in the links between the dashboards.
    """
    variable = _stream_variable().multi(True).include_all(True).all_value(ANY_VALUE_OR_ABSENT).current(_ALL)
    return (variable.hide(dashboard.VariableHide.HIDE_VARIABLE) if hidden else variable).build()


def one_stream_variable() -> dashboard.VariableModel:
    """Return the streams of the time range, of which one is selected."""
    return _stream_variable().build()


def session_variable() -> dashboard.VariableModel:
    """Return the newest sessions of the selected streams; shows name and start of the id, sends the id."""
    timestamps = selector(STREAM_FILTERS, "session_created_timestamp_seconds", window="$__range")
    created = f"topk({NEWEST_SESSIONS}, {per_session(f'last_over_time({timestamps})')})"
    info = f"last_over_time({selector(STREAM_FILTERS, 'session_info', window='$__range')})"
    keys = ", ".join(SESSION_KEY)
    names = f"topk by ({keys}) (1, {info} and on ({keys}) {created})"
    named = f"{created} * on ({keys}) group_left (name) {names}"
    short = f'label_replace({named}, "short", "$1", "session_id", "([^-]*).*")'
    titled = f'label_join({short}, "title", " · ", "name", "short")'
    query = f"query_result(sort_desc(max by (session_id, title) ({titled})))"
    variable = _query_variable("session", "Session", query).multi(True)
    variable = variable.regex('/^{session_id="(?<value>[^"]*)",title="(?<text>.*)"}/')
    return variable.sort(dashboard.VariableSort.DISABLED).build()


def session_list(name: str, expr: str) -> dashboard.VariableModel:
    """Return a hidden variable with the ids of the sessions that a panel shows; see ``promql.filters_of_list``.

    A query that compares all sessions is expensive if there are thousands. Grafana evaluates the variable once, and the
    queries of the panel select its sessions by id, which costs next to nothing. Its value is always All, which Grafana
    replaces by all ids. Without ids the matcher selects no series.

    Args:
        name: of the variable.
        expr: values per session; only the labels matter.
    """
    return _hidden_list(name, "session_id", expr)


def stream_list(name: str, expr: str) -> dashboard.VariableModel:
    """Return a hidden variable with ids of streams, as ``session_list`` does with those of sessions."""
    return _hidden_list(name, "stream_id", expr)


def _hidden_list(name: str, label: str, expr: str) -> dashboard.VariableModel:
    query = f"query_result(max by ({label}) ({expr}))"
    variable = _query_variable(name, f"Hidden: {name}", query).multi(True).include_all(True).current(_ALL)
    variable = variable.regex(f'/^{{{label}="([^"]+)"}}/').hide(dashboard.VariableHide.HIDE_VARIABLE)
    model = variable.sort(dashboard.VariableSort.DISABLED).build()
    model.skip_url_sync = True
    return model


def objective_variable(thresholds: Thresholds) -> dashboard.VariableModel:
    """Return the objective: the percentage of the time in which a stream should be healthy.

    Raises:
        ValueError: the objective of the thresholds is not one of ``OBJECTIVES``.
    """
    default = f"{100 * thresholds.objective:.6g}"
    options = [dashboard.VariableOption(text=f"{each} %", value=each, selected=each == default) for each in OBJECTIVES]
    values = ",".join(f"{each} % : {each}" for each in OBJECTIVES)
    variable = builders.CustomVariable("objective").label("Objective (healthy)").values(values).options(options)
    return variable.current(options[OBJECTIVES.index(default)]).build()

"""The choices at the top of every dashboard, and the marks on every graph.

They are anchored on series that are there when no stream is live: what the exporter says of itself, and the names of
all sessions within the dashboard's time range. A stream is shown by name and sent by id, so no name, whatever
characters it has, becomes part of a query.
"""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.models import dashboard
from grafana_foundation_sdk.models.prometheus import QueryEditorMode

from grafana.builder.panels import BLUE, DATASOURCE, RED
from grafana.builder.promql import KEY, PROCESS, STREAMS, Scope, named, per_session, series
from grafana.builder.queries import created

ANY: Final = ".+"
ANY_OR_NONE: Final = ".*"
"""A session whose API item names no parent stream has no label ``stream_id``."""

_ALL: Final = dashboard.VariableOption(text="All", value="$__all", selected=True)


def _choice(name: str, label: str, query: str) -> builders.QueryVariable:
    made = builders.QueryVariable(name).label(label).datasource(DATASOURCE).definition(query)
    made = made.query({"qryType": 3 if query.startswith("query_result") else 1, "query": query, "refId": name})
    return made.refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED).multi(True)


def _label_values(name: str, label: str, scope: Scope) -> dashboard.VariableModel:
    known = {key: matcher for key, matcher in scope.matchers.items() if key != name}
    query = f"label_values({series(Scope(known), 'up')}, {name})"
    made = _choice(name, label, query).include_all(True).all_value(ANY).current(_ALL)
    return made.sort(dashboard.VariableSort.NATURAL_ASC).build()


def common() -> list[dashboard.VariableModel]:
    """Data source, job, instance, account."""
    source = builders.DatasourceVariable("datasource").label("Data source").type("prometheus").build()
    scope = Scope({})
    made = [source]
    for name, label in (("job", "Job"), ("instance", "Instance"), ("account", "Account")):
        made.append(_label_values(name, label, scope))
        scope = Scope({**scope.matchers, name: PROCESS.matchers[name]})
    return made


def stream() -> dashboard.VariableModel:
    """Streams of the time range: the name is shown, the id is sent."""
    info = f"last_over_time({series(PROCESS, 'session_info', window='$__range')})"
    query = f"query_result(max by (name, stream_id) ({info}))"
    made = _choice("stream", "Stream", query).regex('/^{(?:name="(?<text>.*)",)?stream_id="(?<value>[^"]*)"}/')
    made = made.include_all(True).all_value(ANY_OR_NONE).current(_ALL)
    return made.sort(dashboard.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC).build()


def session() -> dashboard.VariableModel:
    """Sessions of the chosen streams, the newest first: name and the start of the id are shown, the id is sent."""
    began = per_session(f"last_over_time({series(STREAMS, 'session_created_timestamp_seconds', window='$__range')})")
    info = f"last_over_time({series(STREAMS, 'session_info', window='$__range')})"
    keys = ", ".join(KEY)
    both = f"{began} * on ({keys}) group_left (name) topk by ({keys}) (1, {info})"
    short = f'label_replace({both}, "short", "$1", "session_id", "([^-]*).*")'
    titled = f'label_join({short}, "title", " · ", "name", "short")'
    query = f"query_result(sort_desc(max by (session_id, title) ({titled})))"
    made = _choice("session", "Session", query).regex('/^{session_id="(?<value>[^"]*)",title="(?<text>.*)"}/')
    return made.sort(dashboard.VariableSort.DISABLED).build()


def marks(scope: Scope) -> list[dashboard.AnnotationQuery]:
    """Starts of sessions and firing alerts."""
    alerts = 'ALERTS{alertname=~"Livepeer.+", alertstate="firing", job=~"$job|", account=~"$account|"}'
    return [
        _mark("Session started", BLUE, named(scope, created(scope)), "{{name}} started", use_value=True),
        _mark("Firing alert", RED, alerts, "{{alertname}} {{name}}", use_value=False),
    ]


def _mark(name: str, colour: str, expr: str, title: str, *, use_value: bool) -> dashboard.AnnotationQuery:
    query = prometheus.Dataquery().expr(expr).ref_id("Anno").range().editor_mode(QueryEditorMode.CODE)
    return dashboard.AnnotationQuery(
        name=name,
        datasource=DATASOURCE,
        icon_color=colour,
        target=query.build(),
        expr=expr,
        title_format=title,
        step="60s",
        use_value_for_time=use_value,
    )

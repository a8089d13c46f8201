"""Annotations of the graphs."""

from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.models import dashboard
from grafana_foundation_sdk.models.prometheus import QueryEditorMode

from grafana.builder.panels import BLUE, DATASOURCE, RED
from grafana.builder.promql import Filters, with_name
from grafana.builder.queries import created_at


def firing_alerts() -> dashboard.AnnotationQuery:
    """Return the annotation for firing alerts."""
    target = 'job=~"$job|", account=~"$account|"'
    alerts = f'ALERTS{{alertname=~"Livepeer.+", alertstate="firing", cluster=~"$cluster", {target}}}'
    return _annotation("Firing alert", RED, alerts, "{{alertname}} {{name}}")


def started_sessions(filters: Filters) -> dashboard.AnnotationQuery:
    """Return the annotation for started sessions, for dashboards on one stream or session; off until it is selected."""
    annotation = _annotation("Session started", BLUE, with_name(filters, created_at(filters)), "{{name}} started")
    annotation.use_value_for_time = True
    annotation.enable = False
    return annotation


def _annotation(name: str, color: str, expr: str, title: str) -> dashboard.AnnotationQuery:
    query = prometheus.Dataquery().expr(expr).ref_id("Anno").range().editor_mode(QueryEditorMode.CODE)
    return dashboard.AnnotationQuery(
        name=name,
        datasource=DATASOURCE,
        icon_color=color,
        target=query.build(),
        expr=expr,
        title_format=title,
        step="60s",
        use_value_for_time=False,
    )

"""The dashboards follow the rules of ``lint``, and each rule detects dashboards that violate it."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from grafana.builder.left_out import LEFT_OUT
from tests.grafana import lint
from tests.grafana.dashboards import UIDS, Json, load

Violation = Callable[[Json], Any]


def _panel(dashboard: Json, title: str) -> Json:
    return next(panel for panel in dashboard["panels"] if panel["title"] == title)


def _set_query(dashboard: Json, expr: str) -> None:
    _panel(dashboard, "Ingest")["targets"][0]["expr"] = expr


_ACCOUNT = 'cluster=~"$cluster", job=~"$job", instance=~"$instance", account=~"$account"'
_STREAM = f'{_ACCOUNT}, stream_id=~"$stream"'

VIOLATIONS: list[tuple[lint.Rule, Violation]] = [
    (lint.data_source_is_a_variable, lambda d: d["templating"]["list"].pop(0)),
    (lint.data_source_is_a_variable, lambda d: d["templating"]["list"][0].update(label="Source")),
    (lint.data_source_is_a_variable, lambda d: _panel(d, "Ingest").update(datasource={"uid": "abc"})),
    (lint.data_source_is_a_variable, lambda d: _panel(d, "Ingest")["targets"][0].pop("datasource")),
    (lint.data_source_is_a_variable, lambda d: d["annotations"]["list"][0].pop("datasource")),
    (lint.variables_are_complete, lambda d: d["templating"]["list"][2].update(allValue=".*")),
    (lint.variables_are_complete, lambda d: d["templating"]["list"][3].update(refresh=1)),
    (lint.variables_are_complete, lambda d: d["templating"]["list"][3].update(multi=False)),
    (lint.variables_are_complete, lambda d: d["templating"]["list"].pop()),
    (lint.variables_are_complete, lambda d: d["templating"]["list"][1].update(hide=0)),
    (lint.panels_are_documented, lambda d: _panel(d, "Ingest").update(title="")),
    (lint.panels_are_documented, lambda d: _panel(d, "Ingest").pop("description")),
    (lint.panels_are_documented, lambda d: _panel(d, "Ingest")["fieldConfig"]["defaults"].pop("unit")),
    (lint.panels_are_documented, lambda d: _panel(d, "Ingest")["fieldConfig"]["defaults"].update(unit="none")),
    (lint.panels_are_documented, lambda d: _panel(d, "Ingest")["fieldConfig"]["defaults"].pop("noValue")),
    (lint.panels_are_documented, lambda d: _panel(d, "Sessions: trouble first, then the largest")["fieldConfig"].update(
        overrides=[])),
    (lint.variables_are_complete, lambda d: d["templating"]["list"][5].update(refresh=1)),
    (lint.panels_have_queries, lambda d: _panel(d, "Ingest").update(targets=[])),
    (lint.panels_have_queries, lambda d: _set_query(d, "")),
    (lint.queries_use_the_variables, lambda d: _set_query(d, 'livepeer_studio_up{instance=~"$instance"}')),
    (lint.queries_use_the_variables, lambda d: _set_query(
        d, 'livepeer_studio_up{job=~"$job", instance=~"$instance"}')),
    (lint.queries_use_the_variables, lambda d: _set_query(d, f"livepeer_studio_session_active{{{_ACCOUNT}}}")),
    (lint.queries_use_the_variables, lambda d: _set_query(d, f"livepeer_studio_up{{{_ACCOUNT.replace('=~', '=')}}}")),
    (lint.rates_use_the_rate_interval, lambda d: _set_query(
        d, f"rate(livepeer_studio_source_bytes_total{{{_ACCOUNT}}}[5m])")),
    (lint.rates_use_the_rate_interval, lambda d: _set_query(
        d, f"rate(livepeer_studio_source_bytes_total{{{_ACCOUNT}}}[$__range])")),
    (lint.rates_use_the_rate_interval, lambda d: _set_query(
        d, f"increase(livepeer_studio_source_bytes_total{{{_ACCOUNT}}}[30m])")),
    (lint.session_windows_are_long, lambda d: _set_query(
        d, f"delta(livepeer_studio_session_source_bytes{{{_STREAM}}}[2m])")),
    (lint.session_windows_are_long, lambda d: _set_query(
        d, f"rate(livepeer_studio_session_source_bytes{{{_STREAM}}}[$__rate_interval])")),
    (lint.account_counters_have_a_long_interval,
     lambda d: _panel(d, "Sessions started")["targets"][0].pop("interval")),
    (lint.account_counters_have_a_long_interval, lambda d: _set_query(
        d, f"rate(livepeer_studio_source_bytes_total{{{_ACCOUNT}}}[$__rate_interval])")),
    (lint.counters_are_arguments_of_rate, lambda d: _set_query(
        d, f"livepeer_studio_source_bytes_total{{{_ACCOUNT}}}")),
    (lint.counters_are_arguments_of_rate, lambda d: _set_query(
        d, f"delta(livepeer_studio_source_bytes_total{{{_ACCOUNT}}}[5m])")),
    (lint.missing_metrics_are_visible, lambda d: _set_query(d, f"livepeer_studio_up{{{_ACCOUNT}}} or vector(0)")),
    (lint.metrics_exist, lambda d: _set_query(d, f"livepeer_studio_session_helthy{{{_STREAM}}}")),
    (lint.metrics_exist, lambda d: d["annotations"]["list"][0]["target"].update(expr="livepeer_studio_nothing")),
    (lint.metrics_exist, lambda d: d["templating"]["list"][1]["query"].update(query="label_values(nothing, job)")),
    (lint.matched_labels_exist, lambda d: _set_query(d, f'livepeer_studio_up{{{_ACCOUNT}, status="x"}}')),
    (lint.variables_do_not_need_active_streams, lambda d: d["templating"]["list"][1]["query"].update(
        query="label_values(livepeer_studio_session_active, job)")),
    (lint.grid_is_valid, lambda d: d["panels"][1]["gridPos"].update(x=0)),
    (lint.grid_is_valid, lambda d: d["panels"][7]["gridPos"].update(w=4)),
    (lint.grid_is_valid, lambda d: d["panels"][1].update(id=1)),
    (lint.grid_is_valid, lambda d: d["panels"][1].pop("id")),
    (lint.model_is_portable, lambda d: d.update(uid="other")),
    (lint.model_is_portable, lambda d: d.update(editable=True)),
    (lint.model_is_portable, lambda d: d.update(__inputs=[])),
    (lint.model_is_portable, lambda d: d.update(schemaVersion=42)),
    (lint.model_is_portable, lambda d: d["panels"][1].update(type="other-panel")),
    (lint.model_is_portable, lambda d: _panel(d, "Transcoding lag")["options"]["legend"].update(
        showLegend=False)),
    (lint.refresh_is_not_faster_than_polls, lambda d: d.update(refresh="5s")),
    (lint.refresh_is_not_faster_than_polls, lambda d: d["timepicker"]["refresh_intervals"].insert(0, "10s")),
    (lint.links_resolve, lambda d: d["links"][0].update(url="/d/other")),
    (lint.links_resolve, lambda d: d["links"][0].update(keepTime=False)),
    (lint.links_resolve, lambda d: _panel(d, "Ingest").update(links=[{"url": "/d/other"}])),
    (lint.links_resolve, lambda d: _panel(d, "Ingest").update(links=[{"url": "/d/livepeer-session"}])),
    (lint.nothing_known_is_not_calm, lambda d: _panel(d, "Ingest")["fieldConfig"]["defaults"].update(noValue="None")),
    (lint.nothing_known_is_not_calm, lambda d: _panel(d, "Ingest")["fieldConfig"]["defaults"].update(mappings=[])),
    (lint.annotations_of_sessions_are_off, lambda d: d["annotations"]["list"][0].update(name="Session started")),
    (lint.bars_count_whole_events,
     lambda d: _panel(d, "Sessions started")["fieldConfig"]["defaults"].update(decimals=1)),
    (lint.bars_count_whole_events, lambda d: _panel(d, "Sessions started")["targets"][0].update(
        expr="increase(livepeer_studio_sessions_started_total[$__rate_interval])")),
    (lint.rows_for_options_are_collapsed, lambda d: _panel(d, "Media").update(collapsed=True)),
    (lint.rows_for_options_are_collapsed, lambda d: _panel(d, "Media").update(title="Media (requires --detail)")),
    (lint.legends_are_tables, lambda d: _panel(d, "Ingest and outgoing rate")["options"]["legend"].update(
        displayMode="list")),
    (lint.stats_lead_somewhere, lambda d: _panel(d, "Ingest")["fieldConfig"]["defaults"].pop("links")),
]  # fmt: skip


@pytest.mark.parametrize("uid", UIDS)
@pytest.mark.parametrize("rule", lint.RULES, ids=lambda rule: rule.__name__)
def test_dashboard_follows_the_rule(rule: lint.Rule, uid: str) -> None:
    assert list(rule(load(uid))) == []


@pytest.mark.parametrize(
    ("rule", "violate"), VIOLATIONS, ids=[f"{rule.__name__}-{number}" for number, (rule, _) in enumerate(VIOLATIONS)]
)
def test_rule_detects_a_violation(rule: lint.Rule, violate: Violation) -> None:
    dashboard = deepcopy(load("livepeer-overview"))
    violate(dashboard)
    assert list(rule(dashboard)) != []


def test_every_rule_has_a_violation() -> None:
    assert {rule for rule, _ in VIOLATIONS} == set(lint.RULES)


def test_every_rule_of_grafanas_linter_is_enforced_or_left_out_with_a_reason() -> None:
    assert len(lint.GRAFANA_LINTER_RULES) == 17
    for name, ours in lint.GRAFANA_LINTER_RULES.items():
        assert ours in lint.RULES if callable(ours) else ours, name


def test_a_rule_for_loki_is_left_out_because_no_query_is_for_loki() -> None:
    sources = {str(target["datasource"]["type"]) for uid in UIDS for panel in lint.data_panels(load(uid))
               for target in panel["targets"]}  # fmt: skip
    assert sources == {"prometheus"}


def test_every_metric_is_on_a_panel_or_left_out_with_a_reason() -> None:
    unused = lint.unused_metrics([load(uid) for uid in UIDS])
    assert unused <= set(LEFT_OUT)
    shown = {name for name in set(LEFT_OUT) - unused if not name.startswith("livepeer_studio_stream_")}
    assert not shown, "on a panel, although the declaration leaves it out"


def test_a_metric_on_no_panel_is_detected() -> None:
    assert "livepeer_studio_session_healthy" in lint.unused_metrics([load("livepeer-exporter")])

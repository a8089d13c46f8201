"""The dashboards keep the rules, and each rule can fail: for each there are dashboards that break it."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from grafana.builder.left_out import LEFT_OUT
from tests.grafana import lint
from tests.grafana.dashboards import UIDS, Json, load

Breakage = Callable[[Json], Any]


def _panel(dashboard: Json, title: str) -> Json:
    return next(panel for panel in dashboard["panels"] if panel["title"] == title)


def _ask(dashboard: Json, expr: str) -> None:
    _panel(dashboard, "Ingest")["targets"][0]["expr"] = expr


_CHOSEN = 'job=~"$job", instance=~"$instance", account=~"$account"'
_STREAM = f'{_CHOSEN}, stream_id=~"$stream"'

BREAKAGES: list[tuple[lint.Rule, Breakage]] = [
    (lint.data_source_is_a_variable, lambda d: d["templating"]["list"].pop(0)),
    (lint.data_source_is_a_variable, lambda d: d["templating"]["list"][0].update(label="Source")),
    (lint.data_source_is_a_variable, lambda d: _panel(d, "Ingest").update(datasource={"uid": "abc"})),
    (lint.data_source_is_a_variable, lambda d: _panel(d, "Ingest")["targets"][0].pop("datasource")),
    (lint.data_source_is_a_variable, lambda d: d["annotations"]["list"][0].pop("datasource")),
    (lint.choices_are_complete, lambda d: d["templating"]["list"][1].update(allValue=".*")),
    (lint.choices_are_complete, lambda d: d["templating"]["list"][2].update(refresh=1)),
    (lint.choices_are_complete, lambda d: d["templating"]["list"][2].update(multi=False)),
    (lint.choices_are_complete, lambda d: d["templating"]["list"].pop()),
    (lint.panels_explain_themselves, lambda d: _panel(d, "Ingest").update(title="")),
    (lint.panels_explain_themselves, lambda d: _panel(d, "Ingest").pop("description")),
    (lint.panels_explain_themselves, lambda d: _panel(d, "Ingest")["fieldConfig"]["defaults"].pop("unit")),
    (lint.panels_explain_themselves, lambda d: _panel(d, "Ingest")["fieldConfig"]["defaults"].update(unit="none")),
    (lint.panels_explain_themselves, lambda d: _panel(d, "Ingest")["fieldConfig"]["defaults"].pop("noValue")),
    (lint.panels_explain_themselves, lambda d: _panel(d, "Live sessions, the worst first")["fieldConfig"].update(
        overrides=[])),
    (lint.queries_follow_the_choices, lambda d: _ask(d, 'livepeer_studio_up{instance=~"$instance"}')),
    (lint.queries_follow_the_choices, lambda d: _ask(d, 'livepeer_studio_up{job=~"$job", instance=~"$instance"}')),
    (lint.queries_follow_the_choices, lambda d: _ask(d, f"livepeer_studio_session_active{{{_CHOSEN}}}")),
    (lint.queries_follow_the_choices, lambda d: _ask(d, f"livepeer_studio_up{{{_CHOSEN.replace('=~', '=')}}}")),
    (lint.rates_have_grafanas_window, lambda d: _ask(d, f"rate(livepeer_studio_source_bytes_total{{{_CHOSEN}}}[5m])")),
    (lint.rates_have_grafanas_window, lambda d: _ask(
        d, f"increase(livepeer_studio_source_bytes_total{{{_CHOSEN}}}[$__range])")),
    (lint.session_windows_are_long, lambda d: _ask(
        d, f"delta(livepeer_studio_session_source_bytes{{{_STREAM}}}[2m])")),
    (lint.session_windows_are_long, lambda d: _ask(
        d, f"rate(livepeer_studio_session_source_bytes{{{_STREAM}}}[$__rate_interval])")),
    (lint.account_counters_have_a_slow_step, lambda d: _panel(d, "Sessions started")["targets"][0].pop("interval")),
    (lint.counters_stand_inside_of_rate, lambda d: _ask(d, f"livepeer_studio_source_bytes_total{{{_CHOSEN}}}")),
    (lint.counters_stand_inside_of_rate, lambda d: _ask(
        d, f"delta(livepeer_studio_source_bytes_total{{{_CHOSEN}}}[5m])")),
    (lint.nothing_hides_a_missing_metric, lambda d: _ask(d, f"livepeer_studio_up{{{_CHOSEN}}} or vector(0)")),
    (lint.metrics_exist, lambda d: _ask(d, f"livepeer_studio_session_helthy{{{_STREAM}}}")),
    (lint.metrics_exist, lambda d: d["annotations"]["list"][0]["target"].update(expr="livepeer_studio_nothing")),
    (lint.metrics_exist, lambda d: d["templating"]["list"][1]["query"].update(query="label_values(nothing, job)")),
    (lint.matched_labels_exist, lambda d: _ask(d, f'livepeer_studio_up{{{_CHOSEN}, status="x"}}')),
    (lint.variables_are_always_there, lambda d: d["templating"]["list"][1]["query"].update(
        query="label_values(livepeer_studio_session_active, job)")),
    (lint.grid_is_tidy, lambda d: d["panels"][1]["gridPos"].update(x=0)),
    (lint.grid_is_tidy, lambda d: d["panels"][7]["gridPos"].update(w=4)),
    (lint.grid_is_tidy, lambda d: d["panels"][1].update(id=1)),
    (lint.grid_is_tidy, lambda d: d["panels"][1].pop("id")),
    (lint.page_is_ours, lambda d: d.update(uid="other")),
    (lint.page_is_ours, lambda d: d.update(editable=True)),
    (lint.page_is_ours, lambda d: d.update(__inputs=[])),
    (lint.page_is_ours, lambda d: d.update(schemaVersion=42)),
    (lint.page_is_ours, lambda d: d["panels"][1].update(type="somebody-panel")),
    (lint.page_is_ours, lambda d: _panel(d, "Ingest per stream")["options"]["legend"].update(showLegend=False)),
    (lint.refresh_is_not_faster_than_polls, lambda d: d.update(refresh="5s")),
    (lint.refresh_is_not_faster_than_polls, lambda d: d["timepicker"]["refresh_intervals"].insert(0, "10s")),
    (lint.links_resolve, lambda d: d["links"][0].update(url="/d/elsewhere")),
    (lint.links_resolve, lambda d: d["links"][0].update(keepTime=False)),
    (lint.links_resolve, lambda d: _panel(d, "Ingest").update(links=[{"url": "/d/elsewhere"}])),
    (lint.links_resolve, lambda d: _panel(d, "Ingest").update(links=[{"url": "/d/livepeer-session"}])),
]  # fmt: skip


@pytest.mark.parametrize("uid", UIDS)
@pytest.mark.parametrize("rule", lint.RULES, ids=lambda rule: rule.__name__)
def test_a_dashboard_keeps_the_rule(rule: lint.Rule, uid: str) -> None:
    assert list(rule(load(uid))) == []


@pytest.mark.parametrize(
    ("rule", "breakage"), BREAKAGES, ids=[f"{rule.__name__}-{number}" for number, (rule, _) in enumerate(BREAKAGES)]
)
def test_the_rule_notices_a_dashboard_that_breaks_it(rule: lint.Rule, breakage: Breakage) -> None:
    broken = deepcopy(load("livepeer-overview"))
    breakage(broken)
    assert list(rule(broken)) != []


def test_every_rule_has_a_dashboard_that_breaks_it() -> None:
    assert {rule for rule, _ in BREAKAGES} == set(lint.RULES)


def test_every_metric_is_on_a_panel_or_left_out_with_a_reason() -> None:
    unused = lint.unused_metrics([load(uid) for uid in UIDS])
    assert unused <= set(LEFT_OUT)
    shown = {name for name in set(LEFT_OUT) - unused if not name.startswith("livepeer_studio_stream_")}
    assert not shown, "on a panel, though the declaration says that it is not"


def test_a_metric_that_no_panel_shows_is_noticed() -> None:
    assert "livepeer_studio_session_healthy" in lint.unused_metrics([load("livepeer-exporter")])

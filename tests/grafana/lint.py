"""Rules for dashboards: each is a function that yields the violations in a dashboard."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

from promql_parser import MatchOp

from exporter.metrics import catalogue
from exporter.metrics.catalogue.lifecycle import ACCOUNT_LIFE_FAMILIES, STREAM_LIFE_COUNTERS
from grafana.builder.promql import METRIC_LABELS
from tests.grafana.dashboards import (
    ALL,
    HIDDEN_LISTS,
    UIDS,
    Json,
    Selection,
    all_queries,
    annotation_queries,
    interpolate,
    panel_queries,
    panels,
    variable_queries,
)
from tests.grafana.promql_ast import constant_fallbacks, range_selectors, selectors

Rule = Callable[[Json], Iterator[str]]

CORE_PANELS: Final = {"stat", "table", "timeseries", "state-timeline", "text", "row"}
MIN_SESSION_WINDOW: Final = timedelta(minutes=5)
POLL_INTERVAL_SECONDS: Final = 30

_RATE_INTERVAL: Final = timedelta(seconds=1234)
"""A window that no query uses; where it is found after interpolation, the query has ``$__rate_interval``."""

_MARKED: Final = Selection({}, range_seconds=4321, rate_interval=f"{_RATE_INTERVAL.seconds}s")


def data_panels(dashboard: Json) -> Iterator[Json]:
    """Yield the panels with queries."""
    return (panel for panel in panels(dashboard) if panel["type"] not in ("row", "text"))


def _variables(dashboard: Json) -> dict[str, Json]:
    return {variable["name"]: variable for variable in dashboard["templating"]["list"]}


def data_source_is_a_variable(dashboard: Json) -> Iterator[str]:
    """All panels, targets, variables and annotations use the variable ``datasource``."""
    source = _variables(dashboard).get("datasource", {})
    if source.get("type") != "datasource" or source.get("label") != "Data source":
        yield "no data source variable, or a wrong label"
    users = [*data_panels(dashboard), *dashboard["annotations"]["list"]]
    users += [target for panel in data_panels(dashboard) for target in panel["targets"]]
    users += [variable for variable in _variables(dashboard).values() if variable["type"] == "query"]
    for user in users:
        if user.get("datasource", {}).get("uid") != "${datasource}":
            yield f"fixed data source: {user.get('title') or user.get('name') or user.get('refId')}"


_OWN_VARIABLES: Final = {
    "livepeer-overview": set(HIDDEN_LISTS),
    "livepeer-stream": {"objective"},
    "livepeer-session": {"session"},
}
HIDDEN: Final = 2
"""The value of ``hide`` of variables that are not shown."""


def variables_are_complete(dashboard: Json) -> Iterator[str]:
    """All variables exist; job and instance have the options that Grafana's dashboard-linter requires."""
    variables = _variables(dashboard)
    for name, variable in variables.items():
        if variable["type"] == "query" and variable.get("refresh") != 2:
            yield f"variable {name} is not reloaded with the time range"
    for name in ("job", "instance"):
        required = {"type": "query", "multi": True, "includeAll": True, "allValue": ".+", "refresh": 2}
        if {key: variables.get(name, {}).get(key) for key in required} != required:
            yield f"variable {name}"
    required_names = {"datasource", "cluster", "job", "instance", "account", "stream"}
    required_names |= _OWN_VARIABLES.get(dashboard["uid"], set())
    if set(variables) != required_names:
        yield f"variables {sorted(variables)}"
    for name in {"cluster", *HIDDEN_LISTS} & set(variables):
        if variables[name].get("hide") != HIDDEN:
            yield f"variable {name} is shown"


def panels_are_documented(dashboard: Json) -> Iterator[str]:
    """Panels have a title, and those with queries a description, a unit, and a text for missing values."""
    for panel in panels(dashboard):
        if not panel.get("title"):
            yield f"panel {panel.get('id')} has no title"
    for panel in data_panels(dashboard):
        defaults = panel["fieldConfig"]["defaults"]
        if not panel.get("description"):
            yield f"{panel['title']}: no description"
        if not defaults.get("noValue"):
            yield f"{panel['title']}: no text for missing values"
        if panel["type"] == "table":
            yield from _columns_without_unit(panel)
        elif not defaults.get("unit") or defaults["unit"] == "none":
            yield f"{panel['title']}: no unit"


def panels_have_queries(dashboard: Json) -> Iterator[str]:
    """Panels other than rows and text have queries."""
    for panel in data_panels(dashboard):
        if not all(target.get("expr") for target in panel.get("targets") or [{}]):
            yield f"{panel['title']}: no query"


def _columns_without_unit(panel: Json) -> Iterator[str]:
    """Columns of a table that show the value of a query have a unit or value mappings."""
    organize = next(each["options"] for each in panel["transformations"] if each["id"] == "organize")
    properties = {
        override["matcher"]["options"]: {each["id"] for each in override["properties"]}
        for override in panel["fieldConfig"]["overrides"]
    }
    for name, title in organize["renameByName"].items():
        if name.startswith("Value") and not properties.get(title, set()) & {"unit", "mappings"}:
            yield f"{panel['title']}: no unit for {title}"


def queries_use_the_variables(dashboard: Json) -> Iterator[str]:
    """Every selector has matchers for job and instance, and for each variable whose label the metric has."""
    for query in panel_queries(dashboard):
        for selector, _ in selectors(interpolate(query.expr, ALL)):
            matchers = {(m.name, m.value) for m in selector.matchers.matchers if m.op == MatchOp.Re}
            labels = METRIC_LABELS.get(selector.name or "", ())
            required = {("cluster", ".*"), ("job", ".+"), ("instance", ".+")}
            if "account" in labels:
                required.add(("account", ".+"))
            if "stream_id" in labels:
                required.add(("stream_id", ".*"))
                if dashboard["uid"] == "livepeer-session":
                    required.add(("session_id", ".+"))
            if not required <= matchers:
                yield f"{query.location}: {selector.name} lacks {sorted(required - matchers)}"


def rates_use_the_rate_interval(dashboard: Json) -> Iterator[str]:
    """The window of ``rate`` is ``$__rate_interval``, that of ``increase`` may be the range or at least an hour."""
    for query in panel_queries(dashboard):
        for window, functions in range_selectors(interpolate(query.expr, _MARKED)):
            is_long = window.range >= timedelta(hours=1)  # as is the range in _MARKED
            allowed = window.range == _RATE_INTERVAL or (functions[:1] == ("increase",) and is_long)
            if functions[:1] in (("rate",), ("increase",)) and not allowed:
                yield f"{query.location}: a window of {window.range}"


def session_windows_are_long(dashboard: Json) -> Iterator[str]:
    """Windows on session values, which change about every 50 seconds, are 5 minutes or longer, without ``rate``."""
    for query in panel_queries(dashboard):
        for window, functions in range_selectors(interpolate(query.expr, _MARKED)):
            if "session_id" not in METRIC_LABELS.get(window.vector_selector.name or "", ()):
                continue
            if functions[0] in ("rate", "increase", "irate"):
                yield f"{query.location}: {functions[0]} on a gauge"
            if window.range < MIN_SESSION_WINDOW:
                yield f"{query.location}: a window of {window.range}"


def account_counters_have_a_long_interval(dashboard: Json) -> Iterator[str]:
    """Rates of counters that change as rarely as sessions have an interval of a quarter of 5 minutes, bars one of 2."""
    slow = (*catalogue.AMOUNTS.values(), catalogue.STARTED, catalogue.RECORDINGS, *STREAM_LIFE_COUNTERS)
    counters = {family.name for family in (*slow, *ACCOUNT_LIFE_FAMILIES) if family.type == "counter"}
    for query in panel_queries(dashboard):
        names = {selector.name for selector, _ in selectors(interpolate(query.expr, ALL))}
        expected = "75s" if "$__rate_interval" in query.expr else "2m" if "$__interval" in query.expr else ""
        if names & counters and query.interval != expected:
            yield f"{query.location}: interval {query.interval or 'of the data source'}"


COUNTER_FUNCTIONS: Final = ("rate", "increase", "present_over_time", "max_over_time", "last_over_time")
"""Functions of counters. The last three only show since when a counter exists, and the values of a new one."""


def counters_are_arguments_of_rate(dashboard: Json) -> Iterator[str]:
    """A counter occurs only as the argument of such a function, or as the difference of two points of a graph."""
    for query in panel_queries(dashboard):
        for selector, functions in selectors(interpolate(query.expr, ALL)):
            is_counter = (selector.name or "").endswith(("_total", "_bucket"))
            is_argument = functions[:1] in [(each,) for each in COUNTER_FUNCTIONS]
            if is_counter and not is_argument and "offset $__interval" not in query.expr:
                yield f"{query.location}: {selector.name} without rate"


CALM_WORDS: Final = re.compile(r"\b(no|none|never|not)\b", re.IGNORECASE)


def nothing_known_is_not_calm(dashboard: Json) -> Iterator[str]:
    """The text for missing values does not deny trouble without naming missing data as a cause; values turn grey."""
    for panel in data_panels(dashboard):
        defaults = panel["fieldConfig"]["defaults"]
        text = defaults["noValue"]
        if CALM_WORDS.search(text) and "no data" not in text.lower():
            yield f"{panel['title']}: {text}"
        if panel["type"] == "stat":
            special = [each["options"] for each in defaults.get("mappings", ()) if each["type"] == "special"]
            if [(each["match"], each["result"]["color"]) for each in special] != [("null+nan", "#8e8e99")]:
                yield f"{panel['title']}: a missing value is not grey"


def annotations_of_sessions_are_off(dashboard: Json) -> Iterator[str]:
    """Only the dashboards on one stream or session have annotations for started sessions, off by default."""
    allowed = dashboard["uid"] in ("livepeer-stream", "livepeer-session")
    for annotation in dashboard["annotations"]["list"]:
        if annotation["name"] == "Session started" and (annotation["enable"] or not allowed):
            yield "annotations for started sessions"


def bars_count_whole_events(dashboard: Json) -> Iterator[str]:
    """Stacked bars are differences between two points, without decimals."""
    for panel in data_panels(dashboard):
        defaults = panel["fieldConfig"]["defaults"]
        is_bars = defaults.get("custom", {}).get("drawStyle") == "bars"
        increases = any("increase" in target["expr"] for target in panel["targets"])
        if is_bars and (increases or defaults.get("decimals") != 0):
            yield f"{panel['title']}: fractions of events"


def rows_for_options_are_collapsed(dashboard: Json) -> Iterator[str]:
    """Rows that need a setting which is off by default are collapsed, as are no others."""
    for panel in panels(dashboard):
        if panel["type"] == "row":
            needs_setting = bool(re.search(r"requires|off by default", panel["title"]))
            if panel.get("collapsed", False) != needs_setting:
                yield f"row {panel['title']}"


def legends_are_tables(dashboard: Json) -> Iterator[str]:
    """The legends of graphs are tables with the last and the maximum value."""
    for panel in panels(dashboard):
        if panel["type"] == "timeseries":
            legend = panel["options"]["legend"]
            if (legend["displayMode"], legend["calcs"]) != ("table", ["lastNotNull", "max"]):
                yield f"{panel['title']}: legend"


def stats_lead_somewhere(dashboard: Json) -> Iterator[str]:
    """The values at the top of the dashboards on all streams, and on one, link to the details."""
    if dashboard["uid"] in ("livepeer-overview", "livepeer-streams", "livepeer-stream"):
        for panel in panels(dashboard):
            if panel["type"] == "stat" and not panel["fieldConfig"]["defaults"].get("links"):
                yield f"{panel['title']}: no link"


def missing_metrics_are_visible(dashboard: Json) -> Iterator[str]:
    """No query has ``or vector(0)``."""
    for query in panel_queries(dashboard):
        if any(constant_fallbacks(interpolate(query.expr, ALL))):
            yield f"{query.location}: a constant instead of missing series"


def metrics_exist(dashboard: Json) -> Iterator[str]:
    """Every metric is one of the catalogue or of prometheus-client, or ALERTS of Prometheus."""
    for query in all_queries(dashboard):
        for selector, _ in selectors(interpolate(query.expr, ALL)):
            name = selector.name or ""
            if name not in METRIC_LABELS and not re.fullmatch(r"process_[a-z_]+|python_info|ALERTS", name):
                yield f"{query.location}: unknown metric {name}"


def matched_labels_exist(dashboard: Json) -> Iterator[str]:
    """No matcher names a label that the metric does not have."""
    for query in all_queries(dashboard):
        for selector, _ in selectors(interpolate(query.expr, ALL)):
            labels = {*METRIC_LABELS.get(selector.name or "", ()), "cluster", "job", "instance", "le"}
            for matcher in selector.matchers.matchers:
                if selector.name in METRIC_LABELS and matcher.name not in labels:
                    yield f"{query.location}: {selector.name} has no label {matcher.name}"


def variables_do_not_need_active_streams(dashboard: Json) -> Iterator[str]:
    """Variables that are shown query series that exist while no stream is active."""
    lists = {f"{dashboard['uid']}: ${name}" for name in HIDDEN_LISTS}
    for query in variable_queries(dashboard):
        if query.location in lists:
            continue
        for selector, functions in selectors(interpolate(query.expr, ALL)):
            on_streams = "stream_id" in METRIC_LABELS.get(selector.name or "", ())
            if selector.name != "livepeer_studio_up" and not (on_streams and "last_over_time" in functions):
                yield f"{query.location}: {selector.name}"


def grid_is_valid(dashboard: Json) -> Iterator[str]:
    """Panel ids are unique, and panels are within 24 columns and do not overlap."""
    occupied: dict[tuple[int, int], str] = {}
    ids = [panel.get("id") for panel in panels(dashboard)]
    if None in ids or len(set(ids)) != len(ids):
        yield "ids missing or not unique"
    for panel in dashboard["panels"]:  # without the panels of collapsed rows, which take no space
        position = panel["gridPos"]
        left, top = position["x"], position["y"]
        if left < 0 or left + position["w"] > 24:
            yield f"{panel['title']}: outside of the grid"
        cells = [(x, y) for x in range(left, left + position["w"]) for y in range(top, top + position["h"])]
        for cell in cells:
            if cell in occupied:
                yield f"{panel['title']}: overlaps {occupied[cell]}"
                break
        for cell in cells:
            occupied[cell] = panel["title"]


def model_is_portable(dashboard: Json) -> Iterator[str]:
    """The uid is fixed, the schema is Grafana 11's, panels are core panels, and nothing of an export is left."""
    if dashboard.get("uid") not in UIDS:
        yield f"uid {dashboard.get('uid')}"
    if dashboard.get("editable") is not False:
        yield "editable"
    if {"__inputs", "__requires", "id"} & set(dashboard):
        yield "fields of an export"
    if dashboard.get("schemaVersion") != 39:
        yield f"schema {dashboard.get('schemaVersion')}"
    for panel in panels(dashboard):
        if panel["type"] not in CORE_PANELS:
            yield f"{panel['title']}: not a core panel"
        if panel.get("options", {}).get("legend", {}).get("showLegend", True) is not True:
            yield f"{panel['title']}: hidden legend"


def refresh_is_not_faster_than_polls(dashboard: Json) -> Iterator[str]:
    """The refresh interval is not shorter than the poll interval."""
    for duration in (dashboard["refresh"], *dashboard["timepicker"]["refresh_intervals"]):
        if _seconds(duration) < POLL_INTERVAL_SECONDS:
            yield f"refresh {duration}"


def _seconds(duration: str) -> int:
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]


def links_resolve(dashboard: Json) -> Iterator[str]:
    """Links point to one of the dashboards and pass on variables and time range."""
    for link in dashboard["links"]:
        if link["url"].removeprefix("/d/") not in UIDS or not (link["includeVars"] and link["keepTime"]):
            yield f"link {link['title']}"
    texts = _strings(list(panels(dashboard)))
    for url in (url for text in texts for url in re.findall(r"/d/[^\s)]+(?: ID[^\s)]+)?", text)):
        uid = re.match(r"/d/([\w-]+)", url)
        if not uid or uid[1] not in UIDS:
            yield f"link to {url}"
        elif not re.search(r"__all_variables|datasource:queryparam", url) or "__url_time_range" not in url:
            yield f"link without variables or time range: {url}"


GRAFANA_LINTER_RULES: Final[dict[str, Rule | str]] = {
    "template-datasource-rule": data_source_is_a_variable,
    "template-job-rule": variables_are_complete,
    "template-instance-rule": variables_are_complete,
    "template-label-promql-rule": metrics_exist,
    "template-on-time-change-reload-rule": variables_are_complete,
    "panel-datasource-rule": data_source_is_a_variable,
    "panel-title-description-rule": panels_are_documented,
    "panel-units-rule": panels_are_documented,
    "panel-no-targets-rule": panels_have_queries,
    "target-logql-rule": "no dashboard has queries of Loki",
    "target-logql-auto-rule": "no dashboard has queries of Loki",
    "target-promql-rule": metrics_exist,
    "target-rate-interval-rule": rates_use_the_rate_interval,
    "target-job-rule": queries_use_the_variables,
    "target-instance-rule": queries_use_the_variables,
    "target-counter-agg-rule": counters_are_arguments_of_rate,
    "uneditable-dashboard-rule": model_is_portable,
}
"""The rules of Grafana's dashboard-linter, each with the rule here that contains it, or the reason why it is left out.

``counters_are_arguments_of_rate`` allows more than the linter's rule: bars of whole events are differences of two
points of a counter, since ``increase`` extrapolates, and the amounts of a new stream include the first value of its
counter, which ``increase`` misses."""


def _strings(value: object) -> Iterator[str]:
    """Yield all strings in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each)


RULES: Final[tuple[Rule, ...]] = (
    data_source_is_a_variable,
    variables_are_complete,
    panels_are_documented,
    panels_have_queries,
    queries_use_the_variables,
    rates_use_the_rate_interval,
    session_windows_are_long,
    account_counters_have_a_long_interval,
    counters_are_arguments_of_rate,
    missing_metrics_are_visible,
    metrics_exist,
    matched_labels_exist,
    variables_do_not_need_active_streams,
    grid_is_valid,
    model_is_portable,
    refresh_is_not_faster_than_polls,
    links_resolve,
    nothing_known_is_not_calm,
    annotations_of_sessions_are_off,
    bars_count_whole_events,
    rows_for_options_are_collapsed,
    legends_are_tables,
    stats_lead_somewhere,
)


CLIENT_LIBRARY_METRICS: Final = {
    "process_virtual_memory_bytes",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_max_fds",
    "python_info",
}
"""The metrics of prometheus-client on Linux."""


def unused_metrics(dashboards: list[Json]) -> set[str]:
    """Return the metrics of the catalogue and of prometheus-client that no panel or annotation uses."""
    used = {
        selector.name or ""
        for dashboard in dashboards
        for query in (*panel_queries(dashboard), *annotation_queries(dashboard))
        for selector, _ in selectors(interpolate(query.expr, ALL))
    }
    histograms = {re.sub(r"_(bucket|sum|count)$", "", name) for name in used}
    exported = {family.name for family, _ in catalogue.everything(catalogue.EVERY_OPTION)} | CLIENT_LIBRARY_METRICS
    return exported - used - histograms

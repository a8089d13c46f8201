"""The rules that a dashboard keeps: each is a function from a dashboard to its complaints."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

from promql_parser import MatchOp

from exporter.metrics import catalogue
from grafana.builder.promql import LABELS
from tests.grafana.dashboards import (
    EVERYTHING,
    UIDS,
    Json,
    View,
    annotation_queries,
    every_query,
    panel_queries,
    panels,
    substitute,
    variable_queries,
)
from tests.grafana.promql_ast import constant_fallbacks, selectors, windows

Rule = Callable[[Json], Iterator[str]]

CORE: Final = {"stat", "table", "timeseries", "state-timeline", "text", "row"}
FILTERED: Final = {"job": "$job", "instance": "$instance"}
SLOWEST_STEP: Final = timedelta(minutes=5)
POLL_SECONDS: Final = 30
_RATE: Final = 1234
"""A rate interval that nobody would write: where a window has this length, ``$__rate_interval`` stood there."""

_MARKED: Final = View({}, range_seconds=4321, rate_interval=f"{_RATE}s")


def drawn(dashboard: Json) -> Iterator[Json]:
    """Panels that show data."""
    return (panel for panel in panels(dashboard) if panel["type"] not in ("row", "text"))


def _variables(dashboard: Json) -> dict[str, Json]:
    return {variable["name"]: variable for variable in dashboard["templating"]["list"]}


def data_source_is_a_variable(dashboard: Json) -> Iterator[str]:
    """It is named, labelled and used by every panel, target, variable and annotation."""
    source = _variables(dashboard).get("datasource", {})
    if source.get("type") != "datasource" or source.get("label") != "Data source":
        yield "no data source variable with the right label"
    users = [*drawn(dashboard), *dashboard["annotations"]["list"]]
    users += [target for panel in drawn(dashboard) for target in panel["targets"]]
    users += [variable for variable in _variables(dashboard).values() if variable["type"] == "query"]
    for user in users:
        if user.get("datasource", {}).get("uid") != "${datasource}":
            yield f"fixed data source: {user.get('title') or user.get('name') or user.get('refId')}"


def choices_are_complete(dashboard: Json) -> Iterator[str]:
    """Job and instance as dashboard-linter wants them, and all variables of the design."""
    found = _variables(dashboard)
    for name in ("job", "instance"):
        wanted = {"type": "query", "multi": True, "includeAll": True, "allValue": ".+", "refresh": 2}
        if {key: found.get(name, {}).get(key) for key in wanted} != wanted:
            yield f"variable {name}"
    wanted_names = {"datasource", "job", "instance", "account", "stream"}
    if dashboard["uid"] == "livepeer-session":
        wanted_names.add("session")
    if set(found) != wanted_names:
        yield f"variables {sorted(found)}"


def panels_explain_themselves(dashboard: Json) -> Iterator[str]:
    """Title, description, unit, a word where there is no value; text needs only a title."""
    for panel in panels(dashboard):
        if not panel.get("title"):
            yield f"panel {panel.get('id')} has no title"
    for panel in drawn(dashboard):
        defaults = panel["fieldConfig"]["defaults"]
        if not panel.get("description"):
            yield f"{panel['title']}: no description"
        if not defaults.get("noValue"):
            yield f"{panel['title']}: no word for no value"
        if panel["type"] == "table":
            yield from _columns_without_unit(panel)
        elif not defaults.get("unit") or defaults["unit"] == "none":
            yield f"{panel['title']}: no unit"


def _columns_without_unit(panel: Json) -> Iterator[str]:
    """A column that shows a query's value says its unit or puts it into words."""
    organize = next(each["options"] for each in panel["transformations"] if each["id"] == "organize")
    told = {
        override["matcher"]["options"]: {each["id"] for each in override["properties"]}
        for override in panel["fieldConfig"]["overrides"]
    }
    for name, title in organize["renameByName"].items():
        if name.startswith("Value") and not told.get(title, set()) & {"unit", "mappings"}:
            yield f"{panel['title']}: no unit for {title}"


def queries_follow_the_choices(dashboard: Json) -> Iterator[str]:
    """Every selector of every panel has job and instance, and what other choice its labels allow."""
    for query in panel_queries(dashboard):
        for selector, _ in selectors(substitute(query.expr, EVERYTHING)):
            has = {(m.name, m.value) for m in selector.matchers.matchers if m.op == MatchOp.Re}
            wanted = {("job", ".+"), ("instance", ".+")}
            if "account" in LABELS.get(selector.name or "", ()):
                wanted.add(("account", ".+"))
            if "stream_id" in LABELS.get(selector.name or "", ()):
                wanted.add(("stream_id", ".*"))
                if dashboard["uid"] == "livepeer-session":
                    wanted.add(("session_id", ".+"))
            if not wanted <= has:
                yield f"{query.where}: {selector.name} lacks {sorted(wanted - has)}"


def rates_have_grafanas_window(dashboard: Json) -> Iterator[str]:
    """Only ``$__rate_interval`` inside rate and increase."""
    for query in panel_queries(dashboard):
        for window, around in windows(substitute(query.expr, _MARKED)):
            if around[:1] in (("rate",), ("increase",)) and window.range != timedelta(seconds=_RATE):
                yield f"{query.where}: a window of {window.range}"


def session_windows_are_long(dashboard: Json) -> Iterator[str]:
    """A session's values move about every 50 seconds: windows are 5 minutes or more, and there is no rate on them."""
    for query in panel_queries(dashboard):
        for window, around in windows(substitute(query.expr, _MARKED)):
            if "session_id" not in LABELS.get(window.vector_selector.name or "", ()):
                continue
            if around[0] in ("rate", "increase", "irate"):
                yield f"{query.where}: {around[0]} on a gauge"
            if window.range < SLOWEST_STEP:
                yield f"{query.where}: a window of {window.range}"


def account_counters_have_a_slow_step(dashboard: Json) -> Iterator[str]:
    """What accounts count moves as slowly as sessions, so four of the step are 5 minutes."""
    slow = {family.name for family in (*catalogue.AMOUNTS.values(), catalogue.STARTED, catalogue.RECORDINGS)}
    for query in panel_queries(dashboard):
        names = {selector.name for selector, _ in selectors(substitute(query.expr, EVERYTHING))}
        if names & slow and query.interval != "75s":
            yield f"{query.where}: step {query.interval or 'of the data source'}"


def counters_stand_inside_of_rate(dashboard: Json) -> Iterator[str]:
    """A counter is only ever the argument of rate or increase."""
    for query in panel_queries(dashboard):
        for selector, around in selectors(substitute(query.expr, EVERYTHING)):
            if (selector.name or "").endswith("_total") and around[:1] not in (("rate",), ("increase",)):
                yield f"{query.where}: {selector.name} bare"


def nothing_hides_a_missing_metric(dashboard: Json) -> Iterator[str]:
    """No ``or vector(0)``."""
    for query in panel_queries(dashboard):
        if any(constant_fallbacks(substitute(query.expr, EVERYTHING))):
            yield f"{query.where}: a constant in the place of what is not there"


def metrics_exist(dashboard: Json) -> Iterator[str]:
    """Every metric is in the catalogue or the client library's own; ALERTS is Prometheus's."""
    for query in every_query(dashboard):
        for selector, _ in selectors(substitute(query.expr, EVERYTHING)):
            name = selector.name or ""
            if name not in LABELS and not re.fullmatch(r"process_[a-z_]+|python_info|ALERTS", name):
                yield f"{query.where}: unknown metric {name}"


def matched_labels_exist(dashboard: Json) -> Iterator[str]:
    """A matcher on a label that a metric has not would find nothing for ever."""
    for query in every_query(dashboard):
        for selector, _ in selectors(substitute(query.expr, EVERYTHING)):
            labels = {*LABELS.get(selector.name or "", ()), "job", "instance", "le"}
            for matcher in selector.matchers.matchers:
                if selector.name in LABELS and matcher.name not in labels:
                    yield f"{query.where}: {selector.name} has no label {matcher.name}"


def variables_are_always_there(dashboard: Json) -> Iterator[str]:
    """They are anchored on series that exist when no stream is live."""
    for query in variable_queries(dashboard):
        for selector, around in selectors(substitute(query.expr, EVERYTHING)):
            of_sessions = "session_id" in LABELS.get(selector.name or "", ())
            if selector.name != "livepeer_studio_up" and not (of_sessions and "last_over_time" in around):
                yield f"{query.where}: {selector.name}"


def grid_is_tidy(dashboard: Json) -> Iterator[str]:
    """Unique ids, nothing outside of 24 columns, no overlap."""
    taken: dict[tuple[int, int], str] = {}
    ids = [panel.get("id") for panel in panels(dashboard)]
    if None in ids or len(set(ids)) != len(ids):
        yield "ids missing or not unique"
    for panel in dashboard["panels"]:  # what is folded up into a row takes no room
        at = panel["gridPos"]
        if at["x"] < 0 or at["x"] + at["w"] > 24:
            yield f"{panel['title']}: outside"
        cells = [(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]
        for cell in cells:
            if cell in taken:
                yield f"{panel['title']}: on top of {taken[cell]}"
                break
        for cell in cells:
            taken[cell] = panel["title"]


def page_is_ours(dashboard: Json) -> Iterator[str]:
    """Fixed uid, not editable, no ``__inputs``, no id, Grafana 11's schema, core panels, no hidden legend."""
    if dashboard.get("uid") not in UIDS:
        yield f"uid {dashboard.get('uid')}"
    if dashboard.get("editable") is not False:
        yield "editable"
    if {"__inputs", "__requires", "id"} & set(dashboard):
        yield "left-overs of an export"
    if dashboard.get("schemaVersion") != 39:
        yield f"schema {dashboard.get('schemaVersion')}"
    for panel in panels(dashboard):
        if panel["type"] not in CORE:
            yield f"{panel['title']}: not a core panel"
        if panel.get("options", {}).get("legend", {}).get("showLegend", True) is not True:
            yield f"{panel['title']}: hidden legend"


def refresh_is_not_faster_than_polls(dashboard: Json) -> Iterator[str]:
    """Refreshing faster shows the same figures again."""
    for given in (dashboard["refresh"], *dashboard["timepicker"]["refresh_intervals"]):
        if _seconds(given) < POLL_SECONDS:
            yield f"refresh {given}"


def _seconds(duration: str) -> int:
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]


def links_resolve(dashboard: Json) -> Iterator[str]:
    """Every link leads to one of our dashboards, keeps variables and time, and names variables that are there."""
    for link in dashboard["links"]:
        if link["url"].removeprefix("/d/") not in UIDS or not (link["includeVars"] and link["keepTime"]):
            yield f"link {link['title']}"
    for url in re.findall(r'/d/[^"\\) ]+', str(list(panels(dashboard)))):
        uid = re.match(r"/d/([\w-]+)", url)
        if not uid or uid[1] not in UIDS:
            yield f"link to {url}"
        elif not re.search(r"__all_variables|datasource:queryparam", url) or "__url_time_range" not in url:
            yield f"link forgets the choices: {url}"


RULES: Final[tuple[Rule, ...]] = (
    data_source_is_a_variable,
    choices_are_complete,
    panels_explain_themselves,
    queries_follow_the_choices,
    rates_have_grafanas_window,
    session_windows_are_long,
    account_counters_have_a_slow_step,
    counters_stand_inside_of_rate,
    nothing_hides_a_missing_metric,
    metrics_exist,
    matched_labels_exist,
    variables_are_always_there,
    grid_is_tidy,
    page_is_ours,
    refresh_is_not_faster_than_polls,
    links_resolve,
)


LIBRARY: Final = {
    "process_virtual_memory_bytes",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_max_fds",
    "python_info",
}
"""What prometheus-client says of a process on Linux."""


def unused_metrics(dashboards: list[Json]) -> set[str]:
    """Metrics of the catalogue and of the client library that stand on no panel."""
    used = {
        selector.name
        for dashboard in dashboards
        for query in (*panel_queries(dashboard), *annotation_queries(dashboard))
        for selector, _ in selectors(substitute(query.expr, EVERYTHING))
    }
    families = {family.name for family, _ in catalogue.everything(catalogue.EVERY_OPTION)} | LIBRARY
    stems = {re.sub(r"_(bucket|sum|count)$", "", name or "") for name in used}
    return families - used - stems

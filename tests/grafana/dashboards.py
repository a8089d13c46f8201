"""The committed dashboards: their panels and queries, with variables interpolated as Grafana does."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

GRAFANA: Final = Path(__file__).parents[2] / "grafana"
UIDS: Final = ("livepeer-overview", "livepeer-streams", "livepeer-stream", "livepeer-session", "livepeer-exporter")

Json = dict[str, Any]


def load(uid: str) -> Json:
    """Return a committed dashboard."""
    dashboard: Json = json.loads((GRAFANA / "dashboards" / f"{uid}.json").read_text(encoding="utf-8"))
    return dashboard


def panels(dashboard: Json) -> Iterator[Json]:
    """Yield all panels, including rows and the panels of collapsed rows."""
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", ())


@dataclass(frozen=True, slots=True)
class Query:
    """A query and its location, such as ``livepeer-overview: Ingest A``."""

    location: str
    expr: str
    interval: str = ""


def panel_queries(dashboard: Json) -> Iterator[Query]:
    """Yield the queries of all panels."""
    for panel in panels(dashboard):
        for target in panel.get("targets", ()):
            location = f"{dashboard['uid']}: {panel['title']} {target['refId']}"
            yield Query(location, target["expr"], target.get("interval", ""))


def variable_queries(dashboard: Json) -> Iterator[Query]:
    """Yield the PromQL inside ``query_result()`` or ``label_values()`` of all query variables."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            query = variable["query"]["query"]
            inner = re.fullmatch(r"query_result\((.*)\)|label_values\((.*), \w+\)", query)
            assert inner, query
            yield Query(f"{dashboard['uid']}: ${variable['name']}", inner[1] or inner[2])


def annotation_queries(dashboard: Json) -> Iterator[Query]:
    """Yield the queries of all annotations."""
    for annotation in dashboard["annotations"]["list"]:
        yield Query(f"{dashboard['uid']}: {annotation['name']}", annotation["target"]["expr"])


def all_queries(dashboard: Json) -> list[Query]:
    """Return the queries of panels, variables and annotations."""
    return [*panel_queries(dashboard), *variable_queries(dashboard), *annotation_queries(dashboard)]


@dataclass(frozen=True, slots=True)
class Selection:
    """Selected values by variable (a variable without an entry is All), and the time range in seconds."""

    values: Mapping[str, Sequence[str]]
    range_seconds: int = 3600
    rate_interval: str = "2m"


ALL: Final = Selection({})
_ALL_VALUES: Final = {
    "cluster": ".*",
    "job": ".+",
    "instance": ".+",
    "account": ".+",
    "stream": ".*",
    "session": ".+",
    "objective": "99",
}
HIDDEN_LISTS: Final = {"listed": ".+", "unhealthy": ".+", "recordings": ".+", "fallen": ".+"}
"""The variables with the sessions or streams of a panel. Tests select all of them, unless they give others."""


def interpolate(expr: str, selection: Selection) -> str:
    """Return the query as Grafana's Prometheus data source sends it."""
    builtin = {
        "__range": f"{selection.range_seconds}s",
        "__range_s": str(selection.range_seconds),
        "__rate_interval": selection.rate_interval,
        "__interval": "30s",
    }

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name in builtin:
            return builtin[name]
        if name not in _ALL_VALUES:
            return match[0]
        values = selection.values.get(name)
        if values is None:
            return _ALL_VALUES[name]
        escaped = [escape(each) for each in values]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"

    piped = re.sub(r"\$\{(\w+):pipe\}", lambda match: "|".join(_values_of_list(match[1], selection)), expr)
    return re.sub(r"\$(\w+)", value, piped)


def _values_of_list(name: str, selection: Selection) -> Sequence[str]:
    return selection.values.get(name, (HIDDEN_LISTS[name],))


def escape(value: str) -> str:
    """Escape a value for a quoted regular expression, as Grafana's Prometheus data source does."""
    backslashes = value.replace("\\", "\\\\\\\\").replace('"', '\\\\\\"')
    return re.sub(r"[$^*{}\[\]'+?.()|]", r"\\\\\g<0>", backslashes)

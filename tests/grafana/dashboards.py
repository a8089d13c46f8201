"""The committed dashboards as the tests read them, and what Grafana puts in the place of variables."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

GRAFANA: Final = Path(__file__).parents[2] / "grafana"
UIDS: Final = ("livepeer-overview", "livepeer-session", "livepeer-exporter")

Json = dict[str, Any]


def load(uid: str) -> Json:
    """A committed dashboard."""
    found: Json = json.loads((GRAFANA / "dashboards" / f"{uid}.json").read_text(encoding="utf-8"))
    return found


def panels(dashboard: Json) -> Iterator[Json]:
    """All panels, rows and what is folded into them included."""
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", ())


@dataclass(frozen=True, slots=True)
class Query:
    """A query and where it stands."""

    where: str
    expr: str
    instant: bool = True
    interval: str = ""


def panel_queries(dashboard: Json) -> Iterator[Query]:
    """Every query of every panel."""
    for panel in panels(dashboard):
        for target in panel.get("targets", ()):
            where = f"{dashboard['uid']}: {panel['title']} {target['refId']}"
            yield Query(where, target["expr"], bool(target.get("instant")), target.get("interval", ""))


def variable_queries(dashboard: Json) -> Iterator[Query]:
    """What every query variable asks, as the instant query or selector that it comes to."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            asked = variable["query"]["query"]
            inner = re.fullmatch(r"query_result\((.*)\)|label_values\((.*), \w+\)", asked)
            assert inner, asked
            yield Query(f"{dashboard['uid']}: ${variable['name']}", inner[1] or inner[2])


def annotation_queries(dashboard: Json) -> Iterator[Query]:
    """What every annotation asks."""
    for annotation in dashboard["annotations"]["list"]:
        yield Query(f"{dashboard['uid']}: {annotation['name']}", annotation["target"]["expr"], instant=False)


def every_query(dashboard: Json) -> list[Query]:
    """Panels, variables and annotations."""
    return [*panel_queries(dashboard), *variable_queries(dashboard), *annotation_queries(dashboard)]


@dataclass(frozen=True, slots=True)
class View:
    """What a person has chosen: per variable All (None) or the values; and the time range in seconds."""

    chosen: Mapping[str, Sequence[str] | None]
    range_seconds: int = 3600
    rate_interval: str = "2m"


EVERYTHING: Final = View({})
_ALL: Final = {"job": ".+", "instance": ".+", "account": ".+", "stream": ".*", "session": ".+"}


def substitute(expr: str, view: View) -> str:
    """The query as Grafana's Prometheus data source sends it."""
    builtin = {
        "__range": f"{view.range_seconds}s",
        "__range_s": str(view.range_seconds),
        "__rate_interval": view.rate_interval,
        "__interval": "30s",
    }

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name in builtin:
            return builtin[name]
        if name not in _ALL:
            return match[0]
        chosen = view.chosen.get(name)
        if chosen is None:
            return _ALL[name]
        escaped = [escape(each) for each in chosen]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"

    return re.sub(r"\$(\w+)", value, expr)


def escape(value: str) -> str:
    """A chosen value inside of a quoted regular expression, as Grafana's Prometheus data source escapes it."""
    slashes = value.replace("\\", "\\\\\\\\").replace('"', '\\\\\\"')
    return re.sub(r"[$^*{}\[\]'+?.()|]", r"\\\\\g<0>", slashes)

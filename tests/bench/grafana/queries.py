"""The queries that Grafana sends to show a dashboard, and what each of them costs Prometheus."""

import http.client
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from tests.grafana.dashboards import (
    HIDDEN_LISTS,
    Json,
    Query,
    Selection,
    annotation_queries,
    interpolate,
    panels,
    variable_queries,
)
from tests.support.running import Prometheus

MIN_STEP: Final = 30
"""Seconds between two points at least: the scrape interval in the data source. A range of an hour has no other limit,
since its points are fewer than the pixels of a panel."""

TIMEOUT: Final = 900.0

_ONE_VALUE: Final = {
    "stream": ("stream_id", "livepeer_studio_session_active == 1"),
    "session": ("session_id", "livepeer_studio_session_active == 1"),
}
"""Label, and a query with possible values, of the variables that a dashboard may have without All."""


@dataclass(frozen=True, slots=True)
class Request:
    """One query of a dashboard.

    Attributes:
        location: the dashboard, and the panel or variable.
        expr: with variables.
        is_range: whether the query has a value for each step, or for the end of the range only.
        step: seconds.
        on_load: whether Grafana sends it when the dashboard is opened, unlike the queries of collapsed rows and of
            annotations that are off.
    """

    location: str
    expr: str
    is_range: bool
    step: int
    on_load: bool


@dataclass(frozen=True, slots=True)
class Cost:
    """What a query costs.

    Attributes:
        request: the query.
        cpu: seconds of Prometheus. Below 10 ms it is mostly noise.
        samples: number of samples that were loaded, over all steps.
        peak: number of samples in memory at a time.
        answer: bytes of the response, uncompressed.
        series: number of series of the response.
    """

    request: Request
    cpu: float
    samples: int
    peak: int
    answer: int
    series: int


def requests_of(dashboard: Json) -> list[Request]:
    """Return the queries of panels, variables and annotations."""
    hidden = {
        id(panel) for row in dashboard["panels"] if row.get("collapsed") for panel in row.get("panels", ())
    }  # by identity: titles need not be unique
    found = [
        _of_target(dashboard, panel, target, on_load=id(panel) not in hidden)
        for panel in panels(dashboard)
        for target in panel.get("targets", ())
    ]
    found += [Request(each.location, each.expr, False, MIN_STEP, True) for each in variable_queries(dashboard)]
    enabled = {each["name"] for each in dashboard["annotations"]["list"] if each["enable"]}
    for query in annotation_queries(dashboard):
        found.append(Request(query.location, query.expr, True, 60, _name(query) in enabled))
    return found


def _name(query: Query) -> str:
    return query.location.partition(": ")[2]


def _of_target(dashboard: Json, panel: Json, target: Json, *, on_load: bool) -> Request:
    location = f"{dashboard['uid']}: {panel['title']} {target['refId']}"
    step = max(MIN_STEP, _seconds(target.get("interval") or panel.get("interval") or "0s"))
    return Request(location, target["expr"], not target.get("instant"), step, on_load)


def _seconds(duration: str) -> int:
    match = re.fullmatch(r"(\d+)([smh])", duration)
    assert match, duration
    return int(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


class Client:
    """Queries of a Prometheus at a fixed time, with their costs.

    Args:
        prometheus: the server.
        end: Unix seconds of the last samples.
        cpu: returns the CPU seconds of the server.
    """

    def __init__(self, prometheus: Prometheus, end: float, cpu: Callable[[], float]) -> None:
        self._port = prometheus.port
        self._end = end
        self._cpu = cpu

    def measure(self, request: Request, selection: Selection) -> Cost:
        """Send a query once, over the range of the selection."""
        rate_interval = f"{max(request.step + MIN_STEP, 4 * MIN_STEP)}s"
        chosen = Selection(selection.values, selection.range_seconds, rate_interval)
        form: dict[str, str | float] = {"query": interpolate(request.expr, chosen), "stats": "all"}
        end = self._end - self._end % request.step
        if request.is_range:
            form |= {"start": end - selection.range_seconds, "end": end, "step": request.step}
        else:
            form["time"] = self._end
        before = self._cpu()
        body = self.post("query_range" if request.is_range else "query", form)
        cpu = self._cpu() - before
        data = json.loads(body)["data"]
        stats = data["stats"]["samples"]
        return Cost(request, cpu, stats["totalQueryableSamples"], stats["peakSamples"], len(body), len(data["result"]))

    def first_value(self, label: str, expr: str) -> str:
        """Return a label of the first series of an instant query."""
        result = json.loads(self.post("query", {"query": expr, "time": self._end}))["data"]["result"]
        return min(str(each["metric"][label]) for each in result)

    def values(self, label: str, expr: str) -> list[str]:
        """Return a label of all series of an instant query that have it."""
        result = json.loads(self.post("query", {"query": expr, "time": self._end}))["data"]["result"]
        return [each["metric"][label] for each in result if label in each["metric"]]

    def post(self, path: str, form: Mapping[str, str | float]) -> bytes:
        """Return the response of an endpoint of the API.

        Raises:
            RuntimeError: the status is not 200.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT)
        try:
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", f"/api/v1/{path}", urlencode(form), headers)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise RuntimeError(f"{body.decode()}: {form}")
        return body


def selection_of(dashboard: Json, client: Client, range_seconds: int) -> Selection:
    """Select All of each variable that has it, and of the others a value that exists.

    Grafana replaces All of a hidden list by the values that its query finds.
    """
    values: dict[str, Sequence[str]] = {}
    for variable in dashboard["templating"]["list"]:
        name = variable["name"]
        if variable["type"] == "query" and not variable["includeAll"]:
            values[name] = (client.first_value(*_ONE_VALUE[name]),)
    for query in variable_queries(dashboard):
        name = query.location.rpartition("$")[2]
        if name in HIDDEN_LISTS:
            label = "stream_id" if query.expr.startswith("max by (stream_id)") else "session_id"
            values[name] = client.values(label, interpolate(query.expr, Selection({}, range_seconds)))
    return Selection(values, range_seconds)


def measure_dashboard(dashboard: Json, client: Client, range_seconds: int) -> Iterator[Cost]:
    """Send every query of a dashboard once."""
    selection = selection_of(dashboard, client, range_seconds)
    for request in requests_of(dashboard):
        yield client.measure(request, selection)

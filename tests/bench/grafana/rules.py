"""What an evaluation of the rules costs Prometheus.

Prometheus evaluates rules at the present time, and the samples are of the past. So every selector is moved by an
offset, and the rules are otherwise those that are committed. Each group runs in a server of its own, so that its CPU
time can be measured.
"""

import copy
import http.client
import json
import re
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.bench.processes import Server
from tests.grafana.dashboards import GRAFANA
from tests.support import documents
from tests.support.running import Prometheus, running_prometheus, wait_until

ALERTS: Final = GRAFANA / "rules/livepeer-alerts.yaml"
RULE_FILES: Final = (*sorted((GRAFANA / "rules").glob("*.yaml")), GRAFANA / "optional-rules/livepeer-slo-alerts.yaml")

BEFORE_END: Final = 300.0
"""Seconds before the end of the data at which the first evaluation is."""

PATIENCE: Final = 600.0
"""Seconds for the evaluations of a group."""

Group = dict[str, Any]

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_NAME: Final = r"(?<![:\w])(?:livepeer_\w+|up)(?![:\w])(?:\{[^}]*\})?"
"""A metric of the exporter. Names with a colon are recorded by the rules, at the present time."""

_REST: Final = r"(?:\[\w+\])?(?P<offset>\s+offset\s+\w+)?"
_IN_QUERY: Final = re.compile(rf'(?:{_NAME}|(?<=[\s(]){{__name__=~"[^"]*"[^}}]*}}){_REST}')
_IN_TEMPLATE: Final = re.compile(_NAME + _REST)


@dataclass(frozen=True, slots=True)
class GroupCost:
    """What an evaluation of a group of rules costs.

    Attributes:
        name: of the group.
        rules: number of rules.
        cpu: seconds of Prometheus per evaluation.
        duration: seconds of the last evaluation, by Prometheus's own metric.
        alerts: number of pending and firing alerts.
        slowest: names of the rules that took longest, with their seconds.
    """

    name: str
    rules: int
    cpu: float
    duration: float
    alerts: int
    slowest: Sequence[tuple[str, float]]


def groups_in(*files: Path) -> list[Group]:
    """Return the groups of some rule files."""
    return [group for file in files for group in documents.load(file.read_text(encoding="utf-8"))["groups"]]


def shifted(expr: str, seconds: int, moved: int = 0) -> str:
    """Return a query whose data is that of some seconds ago.

    Args:
        expr: the query.
        seconds: age of the samples.
        moved: seconds by which the samples, but not the times that are their values, were moved.
    """
    return _IN_QUERY.sub(lambda match: _shifted_selector(match, seconds), expr).replace(
        "time()", f"(time() - {seconds + moved})"
    )


def _shifted_selector(match: re.Match[str], seconds: int) -> str:
    given = match["offset"]
    if given is None:
        return f"{match[0]} offset {seconds}s"
    duration = given.split()[1]
    total = seconds + int(duration[:-1]) * _SECONDS[duration[-1]]
    return f"{match[0].removesuffix(given)} offset {total}s"


def shifted_group(group: Group, seconds: int, interval: float, moved: int = 0) -> Group:
    """Return a group for the data of some seconds ago, with another interval in seconds; ``moved`` as in `shifted`."""
    changed = copy.deepcopy(group)
    changed["interval"] = f"{interval * 1000:.0f}ms"
    for rule in changed["rules"]:
        rule["expr"] = shifted(rule["expr"], seconds, moved)
        for name, text in rule.get("annotations", {}).items():
            if "| query" in text:
                rule["annotations"][name] = _IN_TEMPLATE.sub(lambda match: _shifted_selector(match, seconds), text)
    return changed


def without_templates(group: Group) -> Group:
    """Return a group with the conditions of its rules only."""
    return group | {"rules": [rule | {"labels": {}, "annotations": {}} for rule in group["rules"]]}


def measure(
    binary: str,
    data: Path,
    group: Group,
    end: float,
    *,
    evaluations: int = 4,
    interval: float = 5,
    moved: int | None = None,
) -> GroupCost:
    """Evaluate a group some times.

    Args:
        binary: path of Prometheus.
        data: directory with its data; no block is added.
        group: the rules.
        end: Unix seconds of the last samples.
        evaluations: number of evaluations that are measured, after two others.
        interval: seconds between two evaluations.
        moved: seconds by which `head.create` moved the samples; without it, what Prometheus adds to blocks is removed.
    """
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        changed = shifted_group(group, int(time.time() - end + BEFORE_END), interval, moved or 0)
        (directory / "rules.yml").write_text(documents.dump({"groups": [changed]}), encoding="utf-8")
        config = {"rule_files": [str(directory / "rules.yml")]}
        try:
            with running_prometheus(binary, directory, config, *flags(), data=data) as prometheus:
                return _measure(prometheus, group, evaluations, interval)
        finally:
            if moved is None:
                remove_head(data)


def flags() -> Sequence[str]:
    """Return the flags for a Prometheus with the samples.

    They have no staleness markers: only the last of the samples, which are 30 seconds apart, is current. There is one
    at nearly every time.
    """
    return ("--query.lookback-delta=29999ms", "--storage.tsdb.retention.time=100y", "--query.timeout=15m")


def remove_head(data: Path) -> None:
    """Remove what a Prometheus recorded in addition to the blocks."""
    for name in ("wal", "chunks_head", "lock", "queries.active"):
        if (data / name).is_dir():
            shutil.rmtree(data / name)
        else:
            (data / name).unlink(missing_ok=True)


def _measure(prometheus: Prometheus, group: Group, evaluations: int, interval: float) -> GroupCost:
    process = Server(prometheus.pid, prometheus.port)

    def wait_for(count: float) -> float:
        """Wait until the group has been evaluated so many times. Each request costs, so there is one an interval."""

        def enough() -> float:
            time.sleep(interval)
            done = _metrics(prometheus).get("prometheus_rule_group_iterations_total", 0)
            return done if done >= count else 0

        return wait_until(enough, f"{count:g} evaluations", PATIENCE)

    first = wait_for(2)
    before = process.cpu()
    last = wait_for(first + evaluations)
    cpu = (process.cpu() - before) / (last - first)
    metrics = _metrics(prometheus)
    if metrics.get("prometheus_rule_evaluation_failures_total", 0):
        raise RuntimeError(f"rules of {group['name']} fail")
    (found,) = _get(prometheus, "/api/v1/rules")["data"]["groups"]
    times = sorted(((each["name"], each["evaluationTime"]) for each in found["rules"]), key=lambda each: -each[1])
    alerts = sum(len(each.get("alerts", ())) for each in found["rules"])
    duration = metrics["prometheus_rule_group_last_duration_seconds"]
    return GroupCost(group["name"], len(group["rules"]), cpu, duration, alerts, times)


def _get(prometheus: Prometheus, path: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(_text(prometheus, path))
    return answer


def _metrics(prometheus: Prometheus) -> Mapping[str, float]:
    """Return the samples of Prometheus about its only group, by name without labels."""
    return {name.partition("{")[0]: value for name, value in metrics_of(prometheus, "prometheus_rule_").items()}


def metrics_of(prometheus: Prometheus, prefix: str) -> Mapping[str, float]:
    """Return Prometheus's samples about itself whose name begins with a prefix, by name with labels."""
    lines = (line for line in _text(prometheus, "/metrics").splitlines() if line.startswith(prefix))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def _text(prometheus: Prometheus, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", prometheus.port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()

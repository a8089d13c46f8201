"""Cases for ``promtool test rules``: the values that Prometheus saw, and whether an alert fires at a moment.

Time begins at 0 and there is a scrape every 10 seconds. Values are functions of the time in seconds; None is no sample.
"""

import subprocess
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import yaml

from grafana.builder import rule_files
from grafana.builder.alert import Places
from grafana.builder.thresholds import Thresholds

STEP: Final = 10
MINUTE: Final = 60
LONGEST: Final = 130 * MINUTE

Value = Callable[[float], float | None]
"""From the time in seconds to what a scrape finds."""

Seen = dict[str, Value]
"""By series, as PromQL writes it, its values."""


@dataclass(frozen=True, slots=True)
class Case:
    """At a moment (seconds) an alert fires for so many things, or for none."""

    alert: str
    what: str
    seen: Seen
    at: int
    fires: int

    def __str__(self) -> str:
        """For the test's name."""
        return f"{self.alert}-{self.what}".replace(" ", "-")

    def plain(self) -> dict[str, Any]:
        """As promtool's file has it."""
        firing = f'ALERTS{{alertname="{self.alert}", alertstate="firing"}}'
        expected = [{"labels": "{}", "value": self.fires}] if self.fires else []
        return {
            "name": str(self),
            "interval": f"{STEP}s",
            "input_series": series(self.seen, self.at),
            "promql_expr_test": [{"expr": f"count({firing})", "eval_time": f"{self.at}s", "exp_samples": expected}],
        }


def series(seen: Seen, until: int) -> list[dict[str, str]]:
    """The scrapes up to a moment in promtool's notation; a series that ends is marked as stale."""
    return [{"series": name, "values": " ".join(_samples(value, until))} for name, value in seen.items()]


def _samples(value: Value, until: int) -> list[str]:
    found = [value(moment) for moment in range(0, until + STEP, STEP)]
    marks = ["_" if sample is None else f"{sample:g}" if sample < 1e5 else f"{sample:.3f}" for sample in found]
    for number in range(1, len(marks)):
        if marks[number] == "_" and marks[number - 1] not in ("_", "stale"):
            marks[number] = "stale"
    return marks


def constant(number: float) -> Value:
    """Always the same."""
    return lambda _: number


def then(moment: float, before: float | None, after: float | None) -> Value:
    """One value before a moment and another from it on."""
    return lambda time: before if time < moment else after


def growing(per_second: float) -> Value:
    """From 0, evenly."""
    return lambda time: per_second * time


def stepping(speed: Callable[[int], float], *, step: int = 51) -> Value:
    """Growing by ``speed`` per second, but seen only in steps, as upstream writes a session's figures."""
    grown = list(accumulate((speed(second) for second in range(LONGEST)), initial=0.0))
    return lambda time: grown[int(time // step) * step]


def check(
    promtool: str, directory: Path, groups: rule_files.Groups, tests: Sequence[dict[str, Any]]
) -> subprocess.CompletedProcess[str]:
    """Run tests against rules."""
    (directory / "rules.yaml").write_text(rule_files.text(groups), encoding="utf-8")
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": f"{STEP}s", "tests": list(tests)}
    path = directory / "tests.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return subprocess.run([promtool, "test", "rules", str(path)], capture_output=True, text=True, timeout=120)


def check_alerts(
    promtool: str, directory: Path, limits: Thresholds, names: Collection[str], tests: Sequence[dict[str, Any]]
) -> subprocess.CompletedProcess[str]:
    """Run tests against some of the alerts with these thresholds; the others would only cost time."""
    groups = rule_files.alert_groups(limits, Places())
    for group in groups["groups"]:
        group["rules"] = [rule for rule in group["rules"] if rule["alert"] in names]
    return check(promtool, directory, groups, tests)

"""Input and expectations for ``promtool test rules``.

Time starts at 0 and there is a scrape every 10 seconds. Values are functions of the time in seconds; None is no sample.
"""

import os
import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from grafana.builder import rule_files
from grafana.builder.base_urls import BaseUrls
from grafana.builder.thresholds import Thresholds
from tests.support import documents
from tests.support.deadlines import HANG

SCRAPE_INTERVAL: Final = 10
MINUTE: Final = 60
MAX_DURATION: Final = 130 * MINUTE

Value = Callable[[float], float | None]
"""The value of a series as a function of the time in seconds."""

InputSeries = dict[str, Value]
"""Values by series, the series as in PromQL."""


@dataclass(frozen=True, slots=True)
class Case:
    """The number of alerts that fire ``at`` a time in seconds, with a scrape every ``interval`` seconds."""

    alert: str
    description: str
    input_series: InputSeries
    at: int
    firing: int
    interval: int = SCRAPE_INTERVAL

    def __str__(self) -> str:
        """Return the id of the case."""
        return f"{self.alert}-{self.description}".replace(" ", "-")

    def to_test(self) -> dict[str, Any]:
        """Return the case as in a promtool test file."""
        firing = f'ALERTS{{alertname="{self.alert}", alertstate="firing"}}'
        expected = [{"labels": "{}", "value": self.firing}] if self.firing else []
        return {
            "name": str(self),
            "interval": f"{self.interval}s",
            "input_series": promtool_series(self.input_series, self.at, self.interval),
            "promql_expr_test": [{"expr": f"count({firing})", "eval_time": f"{self.at}s", "exp_samples": expected}],
        }


def promtool_series(series: Mapping[str, Value], until: int, interval: int = SCRAPE_INTERVAL) -> list[dict[str, str]]:
    """Return the samples until a time in promtool's notation; a series that ends gets a staleness marker."""
    return [{"series": name, "values": " ".join(_samples(value, until, interval))} for name, value in series.items()]


def _samples(value: Value, until: int, interval: int) -> list[str]:
    values = [value(time) for time in range(0, until + interval, interval)]
    samples = ["_" if value is None else f"{value:g}" if value < 1e5 else f"{value:.3f}" for value in values]
    for index in range(1, len(samples)):
        if samples[index] == "_" and samples[index - 1] not in ("_", "stale"):
            samples[index] = "stale"
    return samples


def constant(value: float) -> Value:
    """Return the same value at all times."""
    return lambda _: value


def changing_at(change: float, before: float | None, after: float | None) -> Value:
    """Return one value before a time and another from then on."""
    return lambda time: before if time < change else after


def linear(per_second: float) -> Value:
    """Increase from 0 at a constant rate."""
    return lambda time: per_second * time


def stepwise(rate: Callable[[int], float], *, step: int = 51) -> Value:
    """Increase by ``rate`` per second but change in steps only, as Livepeer Studio updates session values."""

    @cache
    def totals() -> list[float]:
        return list(accumulate((rate(second) for second in range(MAX_DURATION)), initial=0.0))

    # Computed when it is used, since every process that collects the tests creates all cases.
    return lambda time: totals()[int(time // step) * step]


def run_tests(
    promtool: str, directory: Path, groups: rule_files.Groups, tests: Sequence[dict[str, Any]]
) -> subprocess.CompletedProcess[str]:
    """Run promtool tests against rule groups."""
    (directory / "rules.yaml").write_text(rule_files.to_yaml(groups), encoding="utf-8")
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": f"{SCRAPE_INTERVAL}s", "tests": list(tests)}
    path = directory / "tests.yaml"
    path.write_text(documents.dump(document), encoding="utf-8")
    command = [promtool, "test", "rules", str(path)]
    # It runs briefly; with the default, garbage collection takes a fifth of its processor time.
    environment = {**os.environ, "GOGC": "400"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANG)


def alert_groups(thresholds: Thresholds) -> rule_files.Groups:
    """Return the groups of all alerts, the optional ones too."""
    files = [each(thresholds, BaseUrls()) for each in (rule_files.alert_groups, rule_files.slo_groups)]
    return {"groups": [group for file in files for group in file["groups"]]}


def run_alert_tests(
    promtool: str, directory: Path, thresholds: Thresholds, alerts: Collection[str], tests: Sequence[dict[str, Any]]
) -> subprocess.CompletedProcess[str]:
    """Run promtool tests against the named alerts only, since evaluating all of them takes long.

    Templates are omitted unless a test compares annotations, since their queries run at each evaluation.
    """
    groups = alert_groups(thresholds)
    omitted: dict[str, Any] = (
        {} if any("alert_rule_test" in test for test in tests) else {"labels": {}, "annotations": {}}
    )
    for group in groups["groups"]:
        group["rules"] = [rule | omitted for rule in group["rules"] if rule["alert"] in alerts]
    return run_tests(promtool, directory, groups, tests)

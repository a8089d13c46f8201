"""The alerts that fire during the evening, evaluated by Prometheus' own rule engine (``promtool test rules``)."""

import json
import re
import subprocess
from pathlib import Path
from typing import Final

from tests.bad_evening.recording import INTERVAL, STEPS, Series
from tests.grafana.dashboards import GRAFANA

RULES: Final = GRAFANA / "rules" / "livepeer-alerts.yaml"

Alert = frozenset[tuple[str, str]]
"""The labels of an alert, among them ``alertname``."""

FIRING: Final = 'ALERTS{alertstate="firing"}'


def used_metrics() -> set[str]:
    """Return the metrics that the conditions and templates of the rules use."""
    return set(re.findall(r"livepeer_\w+", RULES.read_text(encoding="utf-8")))


def firing_alerts(promtool: str, directory: Path, series: Series) -> list[set[Alert]]:
    """Return the alerts that fire at each step.

    Raises:
        ValueError: promtool fails for another reason than the alerts that it found.
    """
    evaluations = [
        {"expr": FIRING, "eval_time": f"{step * INTERVAL:g}s", "exp_samples": []} for step in range(STEPS + 1)
    ]
    test = {
        "interval": f"{INTERVAL:g}s",
        "input_series": [{"series": name, "values": " ".join(values)} for name, values in series.items()],
        "promql_expr_test": evaluations,
    }
    document = {"rule_files": [str(RULES)], "evaluation_interval": f"{INTERVAL:g}s", "tests": [test]}
    path = directory / "evening.yaml"
    path.write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML too
    result = subprocess.run([promtool, "test", "rules", str(path)], capture_output=True, text=True, check=False)
    firing: list[set[Alert]] = [set() for _ in range(STEPS + 1)]
    blocks = _FAILED.findall(result.stdout + result.stderr)
    if not blocks:
        raise ValueError(f"promtool found no alert: {result.stdout[:2000]}{result.stderr[:2000]}")
    for time, got in blocks:
        step = round(_seconds(time) / INTERVAL)
        firing[step] = {_alert(labels) for labels in _LABELS.findall(got)}
    return firing


_FAILED: Final = re.compile(r'expr: ".*?", time: (\S+),\s+exp: ?\S*\s+got:(.*)')
_LABELS: Final = re.compile(r'\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\}')
_PAIR: Final = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*")')


def _seconds(duration: str) -> float:
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"(\d+)([hms])", duration))


def _alert(text: str) -> Alert:
    labels = {name: json.loads(value) for name, value in _PAIR.findall(text)}
    return frozenset((name, value) for name, value in labels.items() if name not in ("__name__", "alertstate"))

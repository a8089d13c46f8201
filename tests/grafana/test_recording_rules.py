"""Recording rules count replicas once and sum shards."""

import re
from pathlib import Path
from typing import Any

import pytest

from grafana.builder import rule_files
from grafana.builder.recording_rules import recording_rules
from grafana.builder.thresholds import DEFAULT
from tests.grafana.input_series import ONE, PREFIX, account_series, scope_series, target_series
from tests.grafana.promtool import InputSeries, constant, linear, promtool_series, run_tests

pytestmark = pytest.mark.prometheus

_EVAL_TIME = 600


def _exporter(instance: str, index: str, active: float, bytes_per_second: float) -> InputSeries:
    """Return the series of one exporter that polls one shard of the account."""
    return {
        scope_series(index, instance): ONE,
        account_series("sessions", 'state="active"', instance=instance): constant(active),
        account_series("source_bytes_total", instance=instance): linear(bytes_per_second),
    }


SINGLE = _exporter("a:1", "0", 7, 1000)
REPLICAS = SINGLE | _exporter("b:1", "0", 6, 990)
SHARDS = SINGLE | _exporter("c:1", "1", 5, 500)
SHARDS_WITH_REPLICAS = REPLICAS | _exporter("c:1", "1", 5, 500) | _exporter("d:1", "1", 5, 500)


def _sample(expr: str, value: float, labels: str) -> dict[str, Any]:
    return {"expr": expr, "eval_time": f"{_EVAL_TIME}s", "exp_samples": [{"labels": labels, "value": value}]}


def _assert_samples(promtool: str, directory: Path, series: InputSeries, *samples: dict[str, Any]) -> None:
    test = {
        "interval": "10s",
        "input_series": promtool_series(series, _EVAL_TIME),
        "promql_expr_test": list(samples),
    }
    result = run_tests(promtool, directory, rule_files.recording_groups(DEFAULT), [test])
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("series", "active", "rate"),
    [(SINGLE, 7, 1000), (REPLICAS, 7, 1000), (SHARDS, 12, 1500), (SHARDS_WITH_REPLICAS, 12, 1500)],
    ids=["one exporter", "two replicas", "two shards", "two replicas of two shards"],
)
def test_replicas_are_counted_once_and_shards_are_summed(
    series: InputSeries, active: float, rate: float, promtool: str, tmp_path: Path
) -> None:
    sessions = f"account:{PREFIX}sessions:sum"
    bytes_rate = f"account:{PREFIX}source_bytes:rate5m"
    _assert_samples(
        promtool,
        tmp_path,
        series,
        _sample(sessions, active, f'{sessions}{{job="livepeer", account="main", state="active"}}'),
        _sample(f"round({bytes_rate}, 0.001)", rate, '{job="livepeer", account="main"}'),
    )


def test_accounts_are_separate(promtool: str, tmp_path: Path) -> None:
    other = target_series(f"{PREFIX}sessions", 'account="other"', 'state="active"', instance="a:1")
    scope = target_series(f"{PREFIX}exporter_scope_info", 'account="other"', 'scope="00000000"', instance="a:1")
    total = f"account:{PREFIX}sessions:sum"
    series = SINGLE | {other: constant(2), scope: ONE}
    _assert_samples(promtool, tmp_path, series, _sample(f"count({total})", 2, "{}"))


def test_no_rule_has_series_per_session_or_stream() -> None:
    assert not [rule.record for rule in recording_rules(DEFAULT) if re.search("session_id|stream_id", rule.expr)]


def test_names_are_unique_and_have_level_metric_and_operation() -> None:
    names = [rule.record for rule in recording_rules(DEFAULT)]
    assert all(name.count(":") == 2 for name in names)
    assert len(set(names)) == len(names)

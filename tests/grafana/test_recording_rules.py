"""Recording rules: replicas of an exporter count once, shards add up, whatever mixture of both there is."""

from pathlib import Path
from typing import Any

import pytest

from grafana.builder import rule_files
from grafana.builder.recording_rules import recordings
from grafana.builder.thresholds import DEFAULT
from tests.grafana.alert_cases import ON, P, account, labelled
from tests.grafana.promtool import Seen, check, constant, growing, series

pytestmark = pytest.mark.prometheus

_AT = 600


def _one(instance: str, index: str, active: float, bytes_per_second: float) -> Seen:
    """One process: its shard and what it says of its account's part."""
    return {
        labelled(f"{P}exporter_shard_info", f'index="{index}"', 'count="2"', instance=instance): ON,
        account("sessions", 'state="active"', instance=instance): constant(active),
        account("source_bytes_total", instance=instance): growing(bytes_per_second),
    }


SINGLE = _one("a:1", "0", 7, 1000)
REPLICAS = SINGLE | _one("b:1", "0", 6, 990)
SHARDS = SINGLE | _one("c:1", "1", 5, 500)
BOTH = REPLICAS | _one("c:1", "1", 5, 500) | _one("d:1", "1", 5, 500)


def _expect(expr: str, value: float | None, labels: str) -> dict[str, Any]:
    samples = [] if value is None else [{"labels": labels, "value": value}]
    return {"expr": expr, "eval_time": f"{_AT}s", "exp_samples": samples}


def _check(promtool: str, directory: Path, seen: Seen, *expectations: dict[str, Any]) -> None:
    test = {"interval": "10s", "input_series": series(seen, _AT), "promql_expr_test": list(expectations)}
    result = check(promtool, directory, rule_files.recording_groups(DEFAULT), [test])
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("seen", "active", "rate"),
    [(SINGLE, 7, 1000), (REPLICAS, 7, 1000), (SHARDS, 12, 1500), (BOTH, 12, 1500)],
    ids=["one process", "two replicas", "two shards", "two replicas of each of two shards"],
)
def test_replicas_count_once_and_shards_add_up(
    seen: Seen, active: float, rate: float, promtool: str, tmp_path: Path
) -> None:
    sessions = f"account:{P}sessions:sum"
    speed = f"account:{P}source_bytes:rate5m"
    _check(
        promtool,
        tmp_path,
        seen,
        _expect(sessions, active, f'{sessions}{{job="livepeer", account="main", state="active"}}'),
        _expect(f"round({speed}, 0.001)", rate, '{job="livepeer", account="main"}'),
    )


def test_two_accounts_stay_two(promtool: str, tmp_path: Path) -> None:
    other = labelled(f"{P}sessions", 'account="other"', 'state="active"', instance="a:1")
    total = f"account:{P}sessions:sum"
    _check(promtool, tmp_path, SINGLE | {other: constant(2)}, _expect(f"count({total})", 2, "{}"))


def test_a_session_told_by_two_replicas_is_one_and_the_worse_health_counts(promtool: str, tmp_path: Path) -> None:
    key = ('stream_id="s"', 'session_id="e"')
    seen = {
        account("session_healthy", *key, instance="a:1"): constant(1),
        account("session_healthy", *key, instance="b:1"): constant(0),
    }
    name = f"session:{P}session_healthy:min"
    labels = f'{name}{{job="livepeer", account="main", stream_id="s", session_id="e"}}'
    _check(promtool, tmp_path, seen, _expect(name, 0, labels))


def test_the_lag_divides_what_is_transcoded_by_the_renditions_and_needs_a_live_session(
    promtool: str, tmp_path: Path
) -> None:
    def told(session: str, active: float) -> Seen:
        key = ('stream_id="s"', f'session_id="{session}"')
        values = {
            "active": active,
            "source_segments_duration_seconds": 300,
            "transcoded_segments_duration_seconds": 840,
            "profiles": 3,
        }
        return {account(f"session_{name}", *key): constant(value) for name, value in values.items()}

    name = f"session:{P}session_transcoding_lag_seconds:max"
    labels = f'{name}{{job="livepeer", account="main", stream_id="s", session_id="live"}}'
    _check(promtool, tmp_path, told("live", 1) | told("ended", 0), _expect(name, 20, labels))


def test_names_are_level_metric_operation() -> None:
    assert all(each.record.count(":") == 2 for each in recordings(DEFAULT))
    assert len({each.record for each in recordings(DEFAULT)}) == len(recordings(DEFAULT))

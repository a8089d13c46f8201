"""The benchmark of dashboards and rules, with few sessions."""

import subprocess
import time
from pathlib import Path

import pytest
from promql_parser import parse

from tests.bench.grafana import head, rules, samples
from tests.bench.grafana.__main__ import main
from tests.bench.grafana.queries import requests_of
from tests.bench.grafana.world import DenseWorld
from tests.grafana.dashboards import UIDS, load
from tests.grafana.promql_ast import selectors

GROUPS = rules.groups_in(*rules.RULE_FILES)
EXPRESSIONS = [rule["expr"] for group in GROUPS for rule in group["rules"]]


def test_the_world_has_about_as_many_sessions_as_asked_for_and_half_of_them_are_live() -> None:
    world = DenseWorld(1, 500, 25, samples.START)
    for now in (samples.START, samples.START + 3600):
        rows = world.rows(now)
        assert 450 < len(rows) < 550
        assert 0.4 < sum(bool(row["ingestRate"]) for row in rows) / len(rows) < 0.6
        assert len({row["parentId"] for row in rows}) == 25
        assert len({row["id"] for row in rows}) == len(rows)


def test_the_samples_are_in_the_format_that_promtool_reads() -> None:
    page = b'# HELP a text\na{x="} 1"} 2.0\nb 3.0\n'
    lines = samples.Lines(b'job="j"')
    assert list(lines.of(page, 10.5)) == [
        b'up{job="j"} 1 10.500\n',
        b'a{job="j",x="} 1"} 2.0 10.500\n',
        b'b{job="j"} 3.0 10.500\n',
    ]


@pytest.mark.parametrize("expr", EXPRESSIONS)
def test_a_shifted_rule_reads_older_samples_by_every_selector(expr: str) -> None:
    before = [selector for selector, _ in selectors(expr)]
    after = [selector for selector, _ in selectors(rules.shifted(expr, 7200))]
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        shifted = new.prettify()
        is_recorded = ":" in (old.name or "") or old.name == "ALERTS"  # by the rules, at the time of the benchmark
        assert shifted == old.prettify() if is_recorded else "offset 2h" in shifted or "offset 3h" in shifted


def test_a_shifted_rule_has_the_time_of_its_samples() -> None:
    shifted = parse(rules.shifted("time() - up offset 1h", 3600))
    assert shifted.prettify() == parse("(time() - 3600) - up offset 2h").prettify()
    moved = parse(rules.shifted("time() - up", 3600, 1800))
    assert moved.prettify() == parse("(time() - 5400) - up offset 1h").prettify()


def test_the_queries_of_collapsed_rows_and_of_annotations_that_are_off_are_not_those_of_a_load() -> None:
    dashboard = load("livepeer-session")
    for annotation in dashboard["annotations"]["list"]:
        annotation["enable"] = annotation["name"] == "Firing alert"
    hidden = {request.location for request in requests_of(dashboard) if not request.on_load}
    collapsed = [panel for row in dashboard["panels"] if row.get("collapsed") for panel in row["panels"]]
    assert len(hidden) == 1 + sum(len(panel.get("targets", ())) for panel in collapsed)
    assert "livepeer-session: Session started" in hidden


@pytest.mark.parametrize(
    ("dumped", "exposed"),
    [
        (b'{__name__="a", b="c d", e="\\"} 1"} 2.5 1000\n', b'a{b="c d", e="\\"} 1"} 2.5 61000\n'),
        (b'{__name__="a"} 1e+06 1000\n', b"a{} 1e+06 61000\n"),
    ],
)
def test_a_dumped_sample_is_exposed_at_another_time(dumped: bytes, exposed: bytes) -> None:
    assert head.exposed(dumped, 60) == exposed


@pytest.mark.prometheus
def test_the_last_samples_of_the_blocks_are_put_in_the_head(
    promtool: str, prometheus_binary: str, tmp_path: Path
) -> None:
    blocks, directory = tmp_path / "blocks", tmp_path / "head"
    data = samples.create(promtool, blocks, 20, 2, 3)
    found = head.create(promtool, prometheus_binary, blocks, data.end, directory, interval=1)
    assert time.time() - 60 < found.end == data.end + found.moved < time.time()
    assert head.read(directory) == found
    dump = [promtool, "tsdb", "dump", "--match=livepeer_studio_up", str(directory)]
    (_, newest, milliseconds) = subprocess.run(dump, check=True, capture_output=True).stdout.rsplit(maxsplit=2)
    assert (float(newest), int(milliseconds)) == (1, 1000 * found.end)
    assert {path.name for path in blocks.iterdir() if not (path / "meta.json").exists()} == {"bench.json"}


@pytest.mark.prometheus
def test_the_benchmark_measures_every_dashboard_and_group(
    promtool: str, prometheus_binary: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--sessions", "20", "--streams", "2", "--scrapes", "4", "--data", str(tmp_path), "--interval", "0.1"])
    printed = capsys.readouterr().out
    for name in (*UIDS, *(group["name"] for group in GROUPS)):
        assert f"\n{name} " in printed
    data = samples.read(tmp_path)
    assert data is not None
    assert (data.sessions, data.streams, data.scrapes, data.end) == (20, 2, 4, samples.START + 100)
    assert data.series > 20 * 10
    assert {path.name for path in tmp_path.iterdir() if not (path / "meta.json").exists()} == {"bench.json"}

"""The metrics of the process, as the tail of both formats."""

import platform

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.metrics import catalogue
from exporter.metrics.catalogue import PREFIX
from exporter.metrics.catalogue.outcomes import CLOSE_REASONS
from exporter.metrics.process import Process
from exporter.metrics.text_format import Format
from exporter.sessions.session import MAX_ID
from exporter.version import VERSION
from tests.support.clock import ManualClock

RELOAD_OK = catalogue.RELOAD_OK.name.removeprefix(PREFIX)
RELOAD_TIME = catalogue.RELOAD_TIME.name.removeprefix(PREFIX)


def process(*, revision: str = "abc", clock: ManualClock | None = None) -> Process:
    now = (clock or ManualClock()).now
    return Process(revision=revision, series=lambda: 7, series_limit=100, shard=(1, 4), now=now)


def samples(process: Process) -> dict[str, tuple[dict[str, str], float]]:
    """Return labels and value of each sample, by name without the prefix."""
    families = parse_text(process.tail(Format.TEXT).decode())
    found = [sample for family in families for sample in family.samples]
    return {each.name.removeprefix(PREFIX): (each.labels, each.value) for each in found}


def test_the_build_has_its_version_revision_and_python() -> None:
    labels = {"version": VERSION, "revision": "abc", "python_version": platform.python_version()}
    assert samples(process())["exporter_build_info"] == (labels, 1)


def test_a_long_revision_is_cut() -> None:
    labels, _ = samples(process(revision="x" * (MAX_ID + 1)))["exporter_build_info"]
    assert labels["revision"] == "x" * MAX_ID


def test_the_shard_has_its_index_and_the_number_of_shards() -> None:
    assert samples(process())["exporter_shard_info"] == ({"index": "1", "count": "4"}, 1)


def test_the_number_of_series_and_their_limit_are_exported() -> None:
    found = samples(process())
    assert (found["exporter_series"], found["exporter_series_limit"]) == (({}, 7), ({}, 100))


def test_a_new_series_limit_is_exported() -> None:
    changed = process()
    changed.set_series_limit(50)
    assert samples(changed)["exporter_series_limit"] == ({}, 50)


def test_the_configuration_was_loaded_at_the_start() -> None:
    clock = ManualClock()
    found = samples(process(clock=clock))
    assert found[RELOAD_OK] == ({}, 1)
    assert found[RELOAD_TIME] == ({}, clock.now())


def test_a_failed_reload_keeps_the_time_of_the_last_success() -> None:
    clock = ManualClock()
    reloaded = process(clock=clock)
    loaded = clock.now()
    clock.advance(60)
    reloaded.config_loaded(ok=False)
    found = samples(reloaded)
    assert found[RELOAD_OK] == ({}, 0)
    assert found[RELOAD_TIME] == ({}, loaded)


@pytest.mark.parametrize("name", ["process_resident_memory_bytes", "python_info"])
def test_the_standard_metrics_of_processes_and_of_python_are_exported(name: str) -> None:
    assert name in samples(process())


def test_only_openmetrics_has_an_end_marker() -> None:
    tails = {form: process().tail(form) for form in Format}
    assert tails[Format.OPENMETRICS].endswith(b"# EOF\n")
    assert b"# EOF" not in tails[Format.TEXT]


def test_V01_closed_connections_are_counted_by_reason() -> None:
    counted = process()
    for reason in ("slow", "slow", "evicted"):
        counted.count_closed_connection(reason)
    for form in Format:
        lines = [line for line in counted.tail(form).decode().splitlines() if "connections_closed" in line]
        values = {line.split('"')[1]: line.split()[-1] for line in lines if not line.startswith("#")}
        expected = dict.fromkeys(CLOSE_REASONS, "0.0") | {"slow": "2.0", "evicted": "1.0"}
        assert values == expected
        assert not any("_created" in line for line in lines)
    with pytest.raises(KeyError):
        counted.count_closed_connection("unknown")

"""A world is a function of its seed and the time, and the demo shows every behavior within two minutes."""

import json
from collections.abc import Callable, Iterator
from itertools import groupby, pairwise

import msgspec
import pytest

from exporter.simulator.api import Row
from exporter.simulator.lifecycle import NO_RECORDING_AFTER
from exporter.simulator.world import DEMO_SPEED, DEMO_STREAMS, World
from tests.simulator.worlds import HOUR, START, Snapshots, by_id, has_rates, is_active, lag, snapshots

pytestmark = pytest.mark.untraced

SEEDS = (1, 2, 3)


@pytest.fixture(scope="module", params=SEEDS)
def demo(request: pytest.FixtureRequest) -> Snapshots:
    """Two minutes of the demo, one snapshot per second, without sessions that ended too long ago to change."""
    history = NO_RECORDING_AFTER + HOUR
    return list(snapshots(World(request.param, DEMO_STREAMS, start=START, speed=DEMO_SPEED, history=history), 120))


def test_worlds_of_the_same_seed_are_equal() -> None:
    one, other = (World(5, 8, start=START, speed=DEMO_SPEED) for _ in range(2))
    list(other.rows(START + 999))  # earlier calls have no effect
    assert one.rows(START + 500) == other.rows(START + 500)


def test_worlds_of_different_seeds_have_no_common_sessions() -> None:
    one, other = (World(seed, 8, start=START) for seed in (1, 2))
    assert not set(by_id(one, START)) & set(by_id(other, START))


def test_ids_are_unique_random_uuids() -> None:
    ids = [row["id"] for row in World(1, 12, start=START).rows(START)]
    assert len(ids) == len(set(ids))
    assert all(len(session_id) == 36 and session_id[14] == "4" for session_id in ids)


def test_rows_have_a_realistic_size_about_half_of_it_the_parent_stream() -> None:
    rows = World(1, 12, start=START).rows(START)
    size = len(msgspec.json.encode(rows)) / len(rows)
    parents = sum(len(msgspec.json.encode(row["parentStream"])) for row in rows) / len(rows)
    assert 1_300 < size < 2_000
    assert 0.35 < parents / size < 0.65


def test_names_contain_special_characters() -> None:
    names = {row["name"] for row in World(1, 12, start=START).rows(START)}
    for special in ("\n", '"', "\\", "🍲", "{"):
        assert any(special in name for name in names)


def test_a_new_world_has_hours_of_history_with_recordings_of_every_outcome() -> None:
    rows = World(1, DEMO_STREAMS, start=START, speed=DEMO_SPEED).rows(START)
    ended = [row for row in rows if row["lastSeen"] and not is_active(row, START)]
    assert min(row["lastSeen"] for row in ended) < (START - 4 * HOUR) * 1000
    assert {row["recordingStatus"] for row in ended if row.get("record")} >= {"ready", "failed", "none", "deleted"}


def test_only_ready_recordings_have_urls() -> None:
    for row in World(1, DEMO_STREAMS, start=START).rows(START):
        ready = row.get("recordingStatus") == "ready"
        assert ("recordingUrl" in row, "mp4Url" in row) == (ready, ready)
        assert ("recordingStatus" in row) == (row.get("record") is True)


def test_the_number_of_sessions_does_not_grow_over_a_month() -> None:
    world = World(1, DEMO_STREAMS, start=START, speed=DEMO_SPEED)
    first, last = len(world.rows(START)), len(world.rows(START + 30 * 24 * HOUR))
    assert abs(last - first) < first * 0.1


def test_sessions_that_ended_before_the_history_are_not_listed() -> None:
    world = World(1, DEMO_STREAMS, start=START, history=HOUR)
    assert min(row["lastSeen"] or row["createdAt"] for row in world.rows(START)) >= (START - HOUR - 30) * 1000


def test_timestamps_are_never_in_the_future_of_the_server(demo: Snapshots) -> None:
    for now, rows in demo:
        assert all(row["createdAt"] <= now * 1000 and row["lastSeen"] <= now * 1000 for row in rows.values())


def test_every_row_is_valid_json() -> None:
    rows = World(1, DEMO_STREAMS, start=START).rows(START)
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


def occurs(taken: Snapshots, condition: Callable[[Row], bool]) -> bool:
    return any(condition(row) for _now, rows in taken for row in rows.values())


def changes(taken: Snapshots) -> Iterator[tuple[Row, Row]]:
    for (_, before), (_, after) in pairwise(taken):
        yield from ((before[session], after[session]) for session in before.keys() & after.keys())


def test_sessions_start_and_end(demo: Snapshots) -> None:
    first, last = demo[0][1], demo[-1][1]
    assert any(row["lastSeen"] for session, row in last.items() if session not in first)
    assert any(has_rates(before) and not has_rates(after) for before, after in changes(demo))


def test_sessions_are_created_and_not_seen(
    demo: Snapshots,
) -> None:
    assert occurs(demo, lambda row: row["lastSeen"] == 0 and row["createdAt"] > START * 1000)
    assert any(before["lastSeen"] == 0 < after["lastSeen"] for before, after in changes(demo))


def test_a_stream_becomes_unhealthy_with_issues_and_recovers(
    demo: Snapshots,
) -> None:
    moves = {(before.get("isHealthy"), after.get("isHealthy")) for before, after in changes(demo) if has_rates(after)}
    assert {(True, False), (False, True)} <= moves
    unhealthy = [row for _now, rows in demo for row in rows.values() if row.get("isHealthy") is False]
    assert all(row["issues"] for row in unhealthy)
    assert any('"' in issue for row in unhealthy for issue in row["issues"])


def test_an_ingest_rate_drops_and_recovers(demo: Snapshots) -> None:
    ratios = [
        after["ingestRate"] / before["ingestRate"]
        for before, after in changes(demo)
        if has_rates(before) and has_rates(after)
    ]
    assert min(ratios) < 0.7
    assert max(ratios) > 1.4


def test_a_transcoding_lag_grows_and_disappears(demo: Snapshots) -> None:
    lags: dict[str, list[float]] = {}
    for _now, rows in demo:
        for session, row in rows.items():
            if has_rates(row):
                lags.setdefault(session, []).append(lag(row))
    assert any(grows_and_disappears(values) for values in lags.values())


def grows_and_disappears(lags: list[float]) -> bool:
    is_large = [behind > 4 for behind in lags if behind < 2 or behind > 4]
    phases = [large for large, _ in groupby(is_large)]
    return any(phases[at : at + 3] == [False, True, False] for at in range(len(phases)))


def test_a_rendition_is_missing_while_the_session_is_healthy(
    demo: Snapshots,
) -> None:
    missing: dict[str, list[float]] = {}  # seconds of media, over all renditions
    for _now, rows in demo:
        for session, row in rows.items():
            if has_rates(row) and row["isHealthy"]:
                missing.setdefault(session, []).append(lag(row) * len(row["profiles"]))
    assert any(is_lost(values) for values in missing.values())


def is_lost(missing: list[float]) -> bool:
    """Whether media is missing for good; a difference of one segment is due to rounding."""
    return missing[-1] - missing[0] > 9 and all(later > earlier - 2.2 for earlier, later in pairwise(missing))


def test_recordings_become_ready_and_fail(demo: Snapshots) -> None:
    outcomes = {
        after["recordingStatus"]
        for before, after in changes(demo)
        if before.get("recordingStatus") == "waiting" != after.get("recordingStatus")
    }
    assert {"ready", "failed"} <= outcomes


def test_some_sessions_are_always_live(demo: Snapshots) -> None:
    assert min(sum(map(has_rates, rows.values())) for _now, rows in demo) >= 4

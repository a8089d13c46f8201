"""A world is a function of its seed and the time, and the demo shows every behavior."""

import json
from collections.abc import Callable, Iterator
from itertools import groupby, pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.simulator.api import Row
from exporter.simulator.lifecycle import Pace
from exporter.simulator.world import DEMO_SPEED, DEMO_STREAMS, World

pytestmark = pytest.mark.untraced

START = 1_800_000_000.0
HOUR = 3600.0
SEEDS = (1, 2, 3)
Snapshots = list[tuple[float, dict[str, Row]]]
"""The sessions by id at some times of the server."""

STATISTICS = ("sourceSegmentsDuration", "transcodedSegmentsDuration", "sourceBytes", "transcodedBytes")


def by_id(world: World, now: float) -> dict[str, Row]:
    return {row["id"]: row for row in world.rows(now)}


def is_active(row: Row, now: float) -> bool:
    return bool(row["lastSeen"] > (now - 90) * 1000)


def has_rates(row: Row) -> bool:
    return bool(row["ingestRate"])


def lag(row: Row) -> float:
    """Seconds by which the average rendition is behind the source."""
    return float(row["sourceSegmentsDuration"] - row["transcodedSegmentsDuration"] / len(row["profiles"]))


def snapshots(world: World, seconds: float, every: float = 1.0) -> Iterator[tuple[float, dict[str, Row]]]:
    """Yield the sessions by id at regular times after the start."""
    for number in range(int(seconds / every)):
        now = START + number * every
        yield now, by_id(world, now)


@pytest.fixture(scope="module", params=SEEDS)
def demo(request: pytest.FixtureRequest) -> Snapshots:
    """Two minutes of the demo, one snapshot per second."""
    return list(snapshots(World(request.param, DEMO_STREAMS, start=START, speed=DEMO_SPEED), 120))


def test_worlds_of_the_same_seed_are_equal() -> None:
    one, other = (World(5, 8, start=START, speed=DEMO_SPEED) for _ in range(2))
    list(other.rows(START + 999))  # earlier calls have no effect
    assert one.rows(START + 500) == other.rows(START + 500)


def test_worlds_of_different_seeds_have_no_common_sessions() -> None:
    one, other = (World(seed, 8, start=START) for seed in (1, 2))
    assert not set(by_id(one, START)) & set(by_id(other, START))


def test_a_row_does_not_change_between_two_updates() -> None:
    world = World(1, 1, start=START)
    row = max(world.rows(START), key=lambda row: row["lastSeen"])
    after = by_id(world, START + 0.5)[row["id"]]
    assert after == row


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
    assert {row["recordingStatus"] for row in ended if row.get("record")} >= {"ready", "failed", "none"}


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


@pytest.mark.parametrize("speed", [1.0, DEMO_SPEED])
def test_a_live_session_was_seen_within_one_update_interval(speed: float) -> None:
    world = World(1, DEMO_STREAMS, start=START, speed=speed)
    for now, rows in snapshots(world, 300, every=7):
        live = [row for row in rows.values() if row["lastSeen"] > START * 1000 and has_rates(row)]
        assert all(now - row["lastSeen"] / 1000 <= 52 / speed + 0.002 for row in live)


def live_session(world: World, span: float) -> tuple[float, str]:
    """A time after the start, and the id of a session that is live from then on for some seconds."""
    for number in range(1, 100):
        begin = START + 60 * number
        before, after = by_id(world, begin), by_id(world, begin + span)
        for session, row in before.items():
            if has_rates(row) and has_rates(after[session]):
                return begin, session
    raise AssertionError


@pytest.mark.parametrize("speed", [1.0, DEMO_SPEED])
def test_counters_and_last_seen_are_updated_together_about_every_50_seconds(speed: float) -> None:
    world = World(1, 1, start=START, speed=speed)  # one steady stream
    begin, session = live_session(world, 600 / speed)
    updates: list[tuple[float, ...]] = []
    for number in range(600):
        row = by_id(world, begin + number / speed)[session]
        update = (row["lastSeen"], *(row[field] for field in STATISTICS))
        if not updates or updates[-1] != update:
            updates.append(update)
    lengths = [(after[0] - before[0]) / 1000 * speed for before, after in pairwise(updates)]
    assert len(lengths) >= 8
    assert all(49.9 <= length <= 52.1 for length in lengths)
    assert all(
        later > earlier for before, after in pairwise(updates) for earlier, later in zip(before, after, strict=True)
    )


def test_transcoded_values_are_sums_over_all_renditions() -> None:
    rows = World(1, 1, start=START).rows(START)  # one steady stream
    seen = [row for row in rows if row["lastSeen"]]
    assert seen
    for row in seen:
        renditions = len(row["profiles"])
        assert renditions in (3, 4)
        assert row["transcodedSegments"] == renditions * row["sourceSegments"]
        assert row["transcodedSegmentsDuration"] == pytest.approx(renditions * row["sourceSegmentsDuration"])


def test_a_second_of_video_takes_a_second_at_any_speed() -> None:
    world = World(1, 1, start=START, speed=DEMO_SPEED)
    begin, session = live_session(world, 60)
    before, after = by_id(world, begin), by_id(world, begin + 60)
    passed = (after[session]["lastSeen"] - before[session]["lastSeen"]) / 1000
    media = after[session]["sourceSegmentsDuration"] - before[session]["sourceSegmentsDuration"]
    assert passed > 30
    assert media == pytest.approx(passed, abs=3)


def test_the_rates_are_averages_since_the_previous_update() -> None:
    world = World(1, 1, start=START)
    begin, session = live_session(world, 120)
    for before, after in pairwise(by_id(world, begin + number)[session] for number in range(120)):
        if (passed := (after["lastSeen"] - before["lastSeen"]) / 1000) > 0:
            assert after["ingestRate"] == pytest.approx(
                (after["sourceBytes"] - before["sourceBytes"]) / passed, rel=0.01
            )


def test_rates_are_zero_half_a_minute_after_the_last_update() -> None:
    world = World(1, 6, start=START)
    ages: dict[bool, list[float]] = {True: [], False: []}
    for now, rows in snapshots(world, 1200, every=3):
        for row in rows.values():
            if 0 < (age := now - row["lastSeen"] / 1000) < 90:
                ages[has_rates(row)].append(age)
    assert 29 < min(ages[False]) < 36
    assert max(ages[True]) < 52.1


def test_health_is_unknown_before_and_after_except_if_the_end_event_was_lost() -> None:
    rows = World(1, DEMO_STREAMS, start=START).rows(START)
    never = [row for row in rows if row["lastSeen"] == 0]
    ended = [row for row in rows if row["lastSeen"] and not is_active(row, START)]
    assert never
    assert all("isHealthy" not in row for row in never)
    assert {row["isHealthy"] for row in ended} == {None, True}
    assert sum(row["isHealthy"] is True for row in ended) < len(ended) / 3


# Behavior that the demo shows within two minutes, for every seed


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


@given(
    st.floats(min_value=-1e6, max_value=1e6),
    st.floats(min_value=-1e6, max_value=1e6),
    st.floats(min_value=0.1, max_value=1000),
)
def test_world_time_increases_and_converts_back_to_server_time(one: float, other: float, speed: float) -> None:
    pace = Pace(START, speed)
    assert pace.server_time(pace.world_time(START + one)) == pytest.approx(START + one, abs=1e-3)
    earlier, later = sorted((one, other))
    assert pace.world_time(START + earlier) <= pace.world_time(START + later)


def test_every_row_is_valid_json() -> None:
    rows = World(1, DEMO_STREAMS, start=START).rows(START)
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows

"""When sessions are updated and end, and the conversion of world time."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.simulator.lifecycle import Pace
from exporter.simulator.world import DEMO_SPEED, DEMO_STREAMS, World
from tests.simulator.worlds import START, STATISTICS, by_id, has_rates, is_active, live_session, snapshots

pytestmark = pytest.mark.untraced


def test_a_row_does_not_change_between_two_updates() -> None:
    world = World(1, 1, start=START)
    row = max(world.rows(START), key=lambda row: row["lastSeen"])
    after = by_id(world, START + 0.5)[row["id"]]
    assert after == row


@pytest.mark.parametrize("speed", [1.0, DEMO_SPEED])
def test_a_live_session_was_seen_within_one_update_interval(speed: float) -> None:
    world = World(1, DEMO_STREAMS, start=START, speed=speed)
    for now, rows in snapshots(world, 300, every=7):
        live = [row for row in rows.values() if row["lastSeen"] > START * 1000 and has_rates(row)]
        assert all(now - row["lastSeen"] / 1000 <= 52 / speed + 0.002 for row in live)


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

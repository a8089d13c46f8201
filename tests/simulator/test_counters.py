"""The counters and rates of a session."""

from itertools import pairwise

import pytest

from exporter.simulator.world import DEMO_SPEED, World
from tests.simulator.worlds import START, by_id, live_session

pytestmark = pytest.mark.untraced


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

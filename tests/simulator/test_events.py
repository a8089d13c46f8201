"""The events of a world are what its rows show, and the demo has every kind of event soon after its start."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

import pytest

from exporter.simulator.api import Row
from exporter.simulator.events import Event, EventKind
from exporter.simulator.lifecycle import NO_RECORDING_AFTER
from exporter.simulator.world import DEMO_SPEED, DEMO_STREAMS, World
from tests.simulator.worlds import HOUR, START, Snapshots, has_rates, is_active, snapshots

pytestmark = pytest.mark.untraced

SECONDS = 300
RECONNECT_GAP = 300.0
RECORDINGS = {
    "ready": EventKind.RECORDING_READY,
    "failed": EventKind.RECORDING_FAILED,
    "none": EventKind.RECORDING_NONE,
    "deleted": EventKind.RECORDING_DELETED,
}


def demo_world(seed: int) -> World:
    return World(seed, DEMO_STREAMS, start=START, speed=DEMO_SPEED)


def events(world: World, seconds: float = SECONDS, since: float = START) -> list[Event]:
    return world.events(since, since + seconds)


def seen_events(taken: Snapshots) -> Iterator[tuple[str, EventKind]]:
    """Yield the events that snapshots show, each with the id of its session."""
    for (before_time, before), (time, after) in pairwise(taken):
        for session, row in after.items():
            old: Row = before.get(session, {"lastSeen": 0, "ingestRate": 0, "createdAt": row["createdAt"]})
            if session not in before:
                yield session, EventKind.CREATED
                if is_reconnect(row, after):
                    yield session, EventKind.RECONNECTED
            age_before, age = (at - row["createdAt"] / 1000 for at in (before_time, time))
            if row["lastSeen"] == 0 and age_before < RECONNECT_GAP <= age:
                yield session, EventKind.NEVER_STARTED
            yield from ((session, kind) for kind in changes_of(old, row))


def is_reconnect(row: Row, rows: dict[str, Row]) -> bool:
    return any(
        other["parentId"] == row["parentId"]
        and other["createdAt"] < row["createdAt"]
        and other["lastSeen"] > 0
        and other["lastSeen"] >= row["createdAt"] - RECONNECT_GAP * 1000
        for other in rows.values()
    )


def changes_of(old: Row, row: Row) -> Iterator[EventKind]:
    if old["lastSeen"] == 0 < row["lastSeen"]:
        yield EventKind.STARTED
    if has_rates(row) and row["isHealthy"] is not old.get("isHealthy"):
        yield EventKind.HEALTHY if row["isHealthy"] else EventKind.UNHEALTHY
    if has_rates(old) and not has_rates(row):
        yield EventKind.ENDED
    if row.get("recordingStatus", "waiting") != old.get("recordingStatus", "waiting"):
        yield RECORDINGS[row["recordingStatus"]]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("speed", [1.0, DEMO_SPEED])
def test_the_events_are_those_that_the_rows_show(seed: int, speed: float) -> None:
    # Ended sessions are listed for as long as they have events; with the default, most rows never change.
    world = World(seed, DEMO_STREAMS, start=START, speed=speed, history=NO_RECORDING_AFTER + HOUR)
    every = DEMO_SPEED / speed
    taken = list(snapshots(world, SECONDS * every, every))
    found = world.events(START, taken[-1][0])
    assert Counter(seen_events(taken)) == Counter((event.session_id, event.kind) for event in found)


def test_events_are_ordered_and_do_not_depend_on_how_the_time_is_divided() -> None:
    world = demo_world(1)
    whole = events(world)
    assert [event.time for event in whole] == sorted(event.time for event in whole)
    assert all(START < event.time <= START + SECONDS for event in whole)
    parts = [events(world, 100, START + begin) for begin in (0, 100, 200)]
    assert [event for part in parts for event in part] == whole


@pytest.mark.parametrize("seed", range(8))
def test_within_five_minutes_the_demo_has_every_event_that_is_counted(seed: int) -> None:
    kinds = {event.kind for event in events(demo_world(seed))}
    assert kinds >= set(EventKind) - {EventKind.RECORDING_NONE}  # needs three hours of world time


@pytest.mark.parametrize("seed", range(8))
def test_a_young_session_is_never_started_within_two_minutes(seed: int) -> None:
    (first, *_) = [event for event in events(demo_world(seed)) if event.kind == EventKind.NEVER_STARTED]
    assert START + 55 < first.time < START + 125


@pytest.mark.parametrize("seed", [1, 2])
def test_a_stream_reconnects_about_every_90_seconds_and_another_one_overlaps(seed: int) -> None:
    world = demo_world(seed)
    streams = {row["name"]: row["parentId"] for row in world.rows(START)}
    times: defaultdict[str, list[float]] = defaultdict(list)
    for event in events(world, 900):
        if event.kind == EventKind.RECONNECTED:
            times[event.stream_id].append(event.time)
    reconnecting = times[streams["match day {final} <live>"]]
    assert all(75 < later - earlier < 105 for earlier, later in pairwise(reconnecting))
    assert len(reconnecting) >= 8
    overlapping = streams["100% techno"]
    live = [
        sum(row["parentId"] == overlapping and has_rates(row) for row in rows.values())
        for _now, rows in snapshots(world, 300, 5)
    ]
    assert {1, 2} <= set(live)
    assert 0 not in live


@pytest.mark.parametrize("seed", [1, 2])
def test_health_flaps_about_every_quarter_of_a_minute_and_each_change_lasts_longer_than_a_poll(seed: int) -> None:
    world = demo_world(seed)
    flapping = flapping_stream(world)
    changes = [
        event
        for event in events(world)
        if event.kind in (EventKind.HEALTHY, EventKind.UNHEALTHY) and event.stream_id == flapping
    ]
    assert len(changes) > 20
    unhealthy = [
        later.time - earlier.time
        for earlier, later in pairwise(changes)
        if (earlier.kind, later.kind) == (EventKind.UNHEALTHY, EventKind.HEALTHY)
        and earlier.session_id == later.session_id
    ]
    assert all(duration == pytest.approx(6) for duration in unhealthy)


def flapping_stream(world: World) -> str:
    (found,) = {row["parentId"] for row in world.rows(START) if row["name"] == "town-hall.camera-3"}
    return str(found)


@pytest.mark.parametrize("seed", [1, 2])
def test_most_streams_are_healthy_most_of_the_time(seed: int) -> None:
    active = unhealthy = 0
    for now, rows in snapshots(demo_world(seed), 600, 10):
        live = [row for row in rows.values() if is_active(row, now) and has_rates(row)]
        active += len(live)
        unhealthy += sum(row["isHealthy"] is False for row in live)
    assert unhealthy < active / 4


def test_the_history_has_recordings_of_every_outcome() -> None:
    rows = demo_world(1).rows(START)
    assert {row["recordingStatus"] for row in rows if row.get("record")} == {"waiting", *RECORDINGS}


def test_a_session_without_media_never_has_a_recording() -> None:
    found = World(1, DEMO_STREAMS, start=START).events(START - 24 * HOUR, START)
    never = {event.session_id for event in found if event.kind == EventKind.NEVER_STARTED}
    assert never
    assert not [event for event in found if event.session_id in never and event.kind == EventKind.RECORDING_READY]

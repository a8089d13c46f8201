"""Snapshots: which sessions are exported, their states and their totals."""

import asyncio
import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.cooperative import BATCH_SIZE, run_yielding
from exporter.sessions.session import INVALID_TIME, Profile, Session
from exporter.sessions.snapshot import (
    HEALTH,
    RECORDING_STATUSES,
    STATES,
    Snapshot,
    Windows,
    health,
    merge_stream,
    recording_status,
    take_snapshot,
    transcoding_lag,
)
from tests.support.cooperative import run_to_end
from tests.support.rows import START, ident

WINDOWS = Windows(session=3600.0, active=90.0)


def session(number: int = 1, *, age: float | None = 10.0, born: float | None = 600.0, **fields: Any) -> Session:
    """A session that was seen and created some seconds ago; None is never."""
    return Session(
        id=ident(number),
        last_seen=None if age is None else (START - age) * 1000,
        created_at=None if born is None else (START - born) * 1000,
        **fields,
    )


def snapshot(*sessions: Session) -> Snapshot:
    return run_to_end(take_snapshot(sessions, WINDOWS, START))


@pytest.mark.parametrize(
    ("age", "born", "state"),
    [
        (0.0, 600.0, "active"),
        (90.0, 600.0, "active"),
        (-60.0, 600.0, "active"),
        (90.5, 600.0, "ended"),
        (3599.0, 7200.0, "ended"),
        (None, 600.0, "pending"),
        (None, 3600.0, "pending"),
        (None, 3601.0, "ended"),
        (None, None, "ended"),
    ],
)
def test_the_state_of_a_session_follows_the_servers_clock(age: float | None, born: float | None, state: str) -> None:
    assert WINDOWS.state(session(age=age, born=born), START) == state


def test_D06_a_session_with_an_invalid_last_seen_is_ended_and_still_exported() -> None:
    invalid = Session(id="a", last_seen=INVALID_TIME, created_at=START * 1000)
    assert snapshot(invalid).sessions == [(invalid, "ended")]


def test_a_last_seen_of_zero_means_never_seen() -> None:
    assert WINDOWS.state(Session(id="a", last_seen=0.0, created_at=START * 1000), START) == "pending"


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"age": 3600.0}, True),
        ({"age": 3601.0}, False),
        ({"age": None}, True),
        ({"age": 3601.0, "record": True, "recording_status": "waiting"}, True),
        ({"age": 3601.0, "record": True, "recording_status": "failed"}, True),
        ({"age": 3601.0, "record": True, "recording_status": "none"}, True),
        ({"age": 3601.0, "record": True, "recording_status": "ready"}, False),
        ({"age": 3601.0, "record": True, "recording_status": "deleted"}, False),
        ({"age": 3601.0, "record": True}, False),
        ({"age": 3601.0, "recording_status": "failed"}, False),
    ],
)
def test_only_unfinished_recordings_are_exported_after_the_window(fields: dict[str, Any], shown: bool) -> None:
    assert bool(snapshot(session(**fields)).sessions) is shown


def test_a_snapshot_has_each_session_with_its_state_ordered_by_id() -> None:
    taken = snapshot(session(3), session(1, age=None), session(2, age=600))
    states = [(each.id, state) for each, state in taken.sessions]
    assert states == [(ident(1), "pending"), (ident(2), "ended"), (ident(3), "active")]


def test_the_totals_without_sessions_are_explicit_zeros() -> None:
    totals = snapshot().totals
    assert totals.sessions == dict.fromkeys(STATES, 0)
    assert totals.health == dict.fromkeys(HEALTH, 0)
    assert totals.recordings == dict.fromkeys(RECORDING_STATUSES, 0)
    assert (totals.ingest_rate, totals.outgoing_rate) == (0, 0)


def test_the_totals_are_summed_over_all_batches() -> None:
    streams = frozenset({"a", "b", "c"})
    parents = ["a", *["b"] * (BATCH_SIZE - 1), None]
    sessions = [
        session(number, ingest_rate=1.0, outgoing_rate=2.0, parent_id=parent) for number, parent in enumerate(parents)
    ]
    taken = run_to_end(take_snapshot(sessions, WINDOWS, START, streams))
    assert (taken.totals.ingest_rate, taken.totals.outgoing_rate) == (BATCH_SIZE + 1, 2 * (BATCH_SIZE + 1))
    assert taken.totals.configured_streams == {"live": 2, "idle": 0, "absent": 1}


def test_the_configured_streams_without_sessions_are_listed() -> None:
    taken = run_to_end(take_snapshot([session(parent_id="b")], WINDOWS, START, {"c", "b", "a"}))
    assert taken.absent_streams == ("a", "c")


@pytest.mark.parametrize(("value", "name"), [(None, "unknown"), (True, "healthy"), (False, "unhealthy")])
def test_the_health_of_a_session_has_three_values(value: bool | None, name: str) -> None:
    assert health(session(is_healthy=value)) == name


def test_rates_and_health_count_active_sessions_only() -> None:
    live = session(1, ingest_rate=100.0, outgoing_rate=300.0, is_healthy=True)
    left_standing = session(2, age=120, ingest_rate=100.0, outgoing_rate=300.0, is_healthy=False)
    totals = snapshot(live, left_standing).totals
    assert (totals.ingest_rate, totals.outgoing_rate) == (100, 300)
    assert totals.health == {"healthy": 1, "unhealthy": 0, "unknown": 0}


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, None),
        ({"record": False, "recording_status": "ready"}, None),
        ({"record": True, "recording_status": "ready"}, "ready"),
        ({"record": True}, "unknown"),
        ({"record": True, "recording_status": "brand new"}, "unknown"),
    ],
)
def test_a_recording_status_is_from_a_closed_set(fields: dict[str, Any], status: str | None) -> None:
    assert recording_status(session(**fields)) == status


PROFILES = (Profile(name="720p"), Profile(name="480p"), Profile(name="360p"))


@pytest.mark.parametrize(
    ("source", "transcoded", "profiles", "lag"),
    [
        (100.0, 240.0, PROFILES, 20),  # the transcoded duration sums over the renditions
        (100.0, 0.0, PROFILES[:1], 100),
        (100.0, 100.0, (), None),
        (100.0, 100.0, None, None),
        (None, 240.0, PROFILES, None),
        (100.0, None, PROFILES, None),
        (0.0, 0.0, PROFILES, 0),
        (100.0, 303.0, PROFILES, -1),
        (1000.0, 1000.0, PROFILES, 666.667),
        (0.1 + 0.2, 0.9, PROFILES, 0),  # whose difference is not 0
    ],
)
def test_the_transcoding_lag_is_the_mean_of_the_renditions_in_milliseconds(
    source: float | None, transcoded: float | None, profiles: tuple[Profile, ...] | None, lag: float | None
) -> None:
    found = session(source_segments_duration=source, transcoded_segments_duration=transcoded, profiles=profiles)
    assert transcoding_lag(found) == lag


def test_a_transcoding_lag_of_less_than_a_millisecond_is_not_a_negative_zero() -> None:
    early = session(source_segments_duration=100.0, transcoded_segments_duration=100.0001, profiles=PROFILES[:1])
    assert math.copysign(1, transcoding_lag(early) or 0.0) == 1


SESSIONS = st.lists(
    st.builds(
        session,
        st.integers(0, 10**6),
        age=st.none() | st.floats(-60, 9000),
        ingest_rate=st.none() | st.floats(0, 1e9),
        is_healthy=st.none() | st.booleans(),
        record=st.none() | st.booleans(),
        recording_status=st.none() | st.sampled_from([*RECORDING_STATUSES, "new"]),
    ),
    max_size=30,
    unique_by=lambda each: each.id,
)


@given(SESSIONS)
def test_totals_are_the_sums_over_the_exported_sessions(sessions: list[Session]) -> None:
    taken = snapshot(*sessions)
    active = [each for each, state in taken.sessions if state == "active"]
    assert sum(taken.totals.sessions.values()) == len(taken.sessions)
    assert +Counter(taken.totals.sessions) == Counter(state for _, state in taken.sessions)
    assert +Counter(taken.totals.health) == Counter(map(health, active))
    recordings = Counter(status for each, _ in taken.sessions if (status := recording_status(each)))
    assert +Counter(taken.totals.recordings) == recordings
    assert taken.totals.ingest_rate == math.fsum(each.ingest_rate or 0 for each in active)


def test_a_large_snapshot_is_taken_in_steps_that_yield_to_other_tasks() -> None:
    sessions = [session(number) for number in range(5 * BATCH_SIZE)]
    served = 0

    async def others() -> None:
        nonlocal served
        while True:
            served += 1
            await asyncio.sleep(0)

    async def scenario() -> Snapshot:
        task = asyncio.create_task(others())
        taken = await run_yielding(take_snapshot(sessions, WINDOWS, START))
        task.cancel()
        return taken

    assert len(asyncio.run(scenario()).sessions) == 5 * BATCH_SIZE
    assert served >= 10


def test_a_merged_snapshot_equals_one_of_all_sessions_over_several_batches() -> None:
    streams = frozenset({"one", "gone", "never"})
    others = [session(number, parent_id="many") for number in range(2 * BATCH_SIZE)]
    before = run_to_end(take_snapshot([*others, session(9999, parent_id="gone")], WINDOWS, START, streams))
    read = session(5000, parent_id="one", is_healthy=False, ingest_rate=3.0)
    part = run_to_end(take_snapshot([read], WINDOWS, START))
    merged = run_to_end(merge_stream(before, lambda each: each.parent_id in ("one", "gone"), part, streams))
    assert merged == run_to_end(take_snapshot([*others, read], WINDOWS, START, streams))
    assert merged.absent_streams == ("gone", "never")

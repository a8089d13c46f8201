"""The counters outlive faults: what was hidden for once is counted once, as soon as it is seen again."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exporter.sessions.counters import MISSING, CounterState, Increments, compare
from exporter.sessions.session import Session
from exporter.sessions.snapshot import Windows
from tests.support.cooperative import run_to_end
from tests.support.rows import START

WINDOWS = Windows(session=3600, active=90)


def session(size: float | None = 0.0, **fields: Any) -> Session:
    defaults = {"id": "a", "created_at": (START - 60) * 1000, "record": True, "recording_status": "waiting"}
    return Session(**{**defaults, "source_bytes": size, **fields})


def polls(*found: list[Session], every: float = 30.0) -> list[Increments]:
    """What each poll counts; the first one is the baseline."""
    counter_state, growths = CounterState(), []
    for number, sessions in enumerate(found):
        counter_state, increments = run_to_end(
            compare(counter_state, sessions, windows=WINDOWS, now=START + number * every)
        )
        growths.append(increments)
    return growths


def counted(growths: list[Increments]) -> float:
    return sum(increments.amounts["source_bytes"] for increments in growths)


def test_a_session_that_is_gone_for_one_poll_is_not_counted_anew() -> None:
    growths = polls([session(100)], [], [session(130)])
    assert counted(growths) == 30
    assert sum(increments.started for increments in growths) == 0


def test_a_session_that_comes_back_when_it_would_not_count_as_new_is_a_baseline() -> None:
    growths = polls([session(100)], [], [session(130)], [session(131)], every=7200)
    assert counted(growths) == 1


def test_a_recording_whose_status_is_unreadable_for_one_poll_finishes_once() -> None:
    ready, unreadable = session(recording_status="ready"), session(recording_status=None)
    growths = polls([session()], [ready], [unreadable], [ready], [session(record=None)], [ready])
    assert [increments.recordings["ready"] for increments in growths] == [0, 1, 0, 0, 0, 0]


def test_a_creation_time_that_is_unreadable_for_one_poll_is_remembered() -> None:
    assert counted(polls([session(100)], [session(110, created_at=None)], [], [session(120)])) == 20


@given(st.lists(st.tuples(st.integers(0, 1000), st.sampled_from(["seen", "gone", "unreadable"]))))
def test_whatever_is_hidden_in_between_the_counter_equals_the_growth(steps: list[tuple[int, str]]) -> None:
    size, found = 100, [[session(100)]]
    for grown, how in [*steps, (0, "seen")]:
        size += grown
        found.append([session(None if how == "unreadable" else size)] if how != "gone" else [])
    growths = polls(*found, every=1)
    assert counted(growths) == size - 100
    assert not any(increments.started for increments in growths)


def test_of_a_crowd_that_comes_and_goes_no_more_is_remembered_than_was_ever_there_at_once() -> None:
    counter_state = CounterState()
    for turn in range(5):
        crowd = [session(100, id=f"{turn}-{number}") for number in range(MISSING + 1)]
        counter_state, _ = run_to_end(compare(counter_state, crowd, windows=WINDOWS, now=START + turn))
    remembered = {name.partition("-")[0] for name in counter_state.entries or ()}
    assert len(counter_state.entries or ()) == 2 * (MISSING + 1)
    assert remembered == {"4", "3"}  # those that left last

"""Snapshots, totals, and the counters that outlive the sessions they count."""

import asyncio
import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.cooperative import BATCH_SIZE, run_yielding
from exporter.sessions.counters import CounterState, Increments, compare
from exporter.sessions.session import Session
from exporter.sessions.snapshot import (
    COUNTED,
    HEALTH,
    RECORDING_STATUSES,
    STATES,
    Snapshot,
    Windows,
    health,
    recording_status,
    take,
)
from tests.support.cooperative import run_to_end
from tests.support.rows import START, ident

WINDOWS = Windows(session=3600.0, active=90.0)


def session(number: int = 1, *, age: float | None = 10.0, born: float | None = 600.0, **fields: Any) -> Session:
    """A session that was seen and created so many seconds ago; None is never."""
    return Session(
        id=ident(number),
        last_seen=None if age is None else (START - age) * 1000,
        created_at=None if born is None else (START - born) * 1000,
        **fields,
    )


def snapshot(*sessions: Session) -> Snapshot:
    return run_to_end(take("default", sessions, windows=WINDOWS, began=START, server_time=START))


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
def test_the_state_of_a_session_goes_by_the_servers_clock(age: float | None, born: float | None, state: str) -> None:
    assert WINDOWS.state(session(age=age, born=born), START) == state


def test_a_last_seen_of_zero_is_never_seen() -> None:
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
def test_behind_the_window_only_unfinished_recordings_are_shown(fields: dict[str, Any], shown: bool) -> None:
    assert bool(snapshot(session(**fields)).sessions) is shown


def test_a_snapshot_is_ordered_by_id_with_the_states_in_the_same_order() -> None:
    taken = snapshot(session(3), session(1, age=None), session(2, age=600))
    assert [each.id for each in taken.sessions] == [ident(1), ident(2), ident(3)]
    assert list(taken.states) == ["pending", "ended", "active"]


def test_the_totals_of_nothing_are_zeros_that_are_written_out() -> None:
    totals = snapshot().totals
    assert totals.sessions == dict.fromkeys(STATES, 0)
    assert totals.health == dict.fromkeys(HEALTH, 0)
    assert totals.recordings == dict.fromkeys(RECORDING_STATUSES, 0)
    assert (totals.ingest_rate, totals.outgoing_rate) == (0, 0)


def test_rates_and_health_count_only_while_a_session_is_active() -> None:
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
def test_the_status_of_a_recording_is_from_a_closed_set(fields: dict[str, Any], status: str | None) -> None:
    assert recording_status(session(**fields)) == status


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
def test_totals_are_the_sums_over_what_is_shown(sessions: list[Session]) -> None:
    taken = snapshot(*sessions)
    pairs = list(zip(taken.sessions, taken.states, strict=True))
    active = [each for each, state in pairs if state == "active"]
    assert sum(taken.totals.sessions.values()) == len(taken.sessions)
    assert +Counter(taken.totals.sessions) == Counter(taken.states)
    assert +Counter(taken.totals.health) == Counter(map(health, active))
    recordings = Counter(status for status in map(recording_status, taken.sessions) if status)
    assert +Counter(taken.totals.recordings) == recordings
    assert taken.totals.ingest_rate == math.fsum(each.ingest_rate or 0 for each in active)


def test_a_large_snapshot_is_taken_in_steps_so_that_others_are_served() -> None:
    sessions = [session(number) for number in range(5 * BATCH_SIZE)]
    served = 0

    async def others() -> None:
        nonlocal served
        while True:
            served += 1
            await asyncio.sleep(0)

    async def scenario() -> Snapshot:
        task = asyncio.create_task(others())
        taken = await run_yielding(take("default", sessions, windows=WINDOWS, began=START, server_time=START))
        task.cancel()
        return taken

    assert len(asyncio.run(scenario()).sessions) == 5 * BATCH_SIZE
    assert served >= 10


class Account:
    """An account's counters over some polls, ten seconds apart."""

    def __init__(self) -> None:
        self.now = START
        self.counter_state = CounterState()
        self.amounts: Counter[str] = Counter()
        self.regressions: Counter[str] = Counter()
        self.recordings: Counter[str] = Counter()
        self.started = 0

    def poll(self, *sessions: Session) -> Increments:
        self.now += 10
        self.counter_state, increments = run_to_end(
            compare(self.counter_state, sessions, windows=WINDOWS, now=self.now)
        )
        for name, amount in increments.amounts.items():
            self.amounts[name] += round(amount)
        self.regressions.update(increments.regressions)
        self.recordings.update(increments.recordings)
        self.started += increments.started
        return increments


def sent(number: int, amount: float | None, *, born: float = 600.0, **fields: Any) -> Session:
    """A session that has received so many bytes."""
    return session(number, born=born, source_bytes=amount, **fields)


def test_the_first_poll_is_the_baseline() -> None:
    account = Account()
    increments = account.poll(sent(1, 500, record=True, recording_status="ready"))
    assert set(increments.amounts) == set(COUNTED)
    assert not any(increments.amounts.values())
    assert not any(increments.recordings.values())
    assert increments.started == 0


@pytest.mark.parametrize("name", COUNTED)
def test_what_grew_is_counted_by_its_field(name: str) -> None:
    account = Account()
    before: dict[str, Any] = {name: 100.0}
    after: dict[str, Any] = {name: 130.5}
    account.poll(session(**before))
    increments = account.poll(session(**after))
    assert {key: amount for key, amount in increments.amounts.items() if amount} == {name: 30.5}


def test_a_session_that_began_within_the_window_counts_in_full() -> None:
    account = Account()
    account.poll()
    increments = account.poll(sent(1, 500))
    assert increments.amounts["source_bytes"] == 500
    assert increments.started == 1


@pytest.mark.parametrize("born", [9000.0, None])
def test_a_session_that_left_the_window_and_comes_back_is_its_own_baseline(born: Any) -> None:
    account = Account()
    account.poll()
    assert account.poll(sent(1, 500, born=born)).amounts["source_bytes"] == 0
    assert account.poll(sent(1, 510, born=born)).amounts["source_bytes"] == 10
    assert account.started == 0


def test_an_ended_session_leaves_what_it_counted() -> None:
    account = Account()
    account.poll(sent(1, 100))
    account.poll(sent(1, 150))
    account.poll()
    assert account.amounts["source_bytes"] == 50


def test_a_session_that_is_missing_for_once_is_not_counted_twice() -> None:
    account = Account()
    account.poll()
    for sessions in ([sent(1, 500)], [], [], [sent(1, 520)]):
        account.poll(*sessions)
    assert account.amounts["source_bytes"] == 520
    assert account.started == 1


def test_a_session_that_is_gone_is_forgotten_with_the_window() -> None:
    account = Account()
    account.poll(sent(1, 500))
    account.now += 3600
    account.poll()
    assert account.counter_state.entries == {}


def test_a_value_that_fell_counts_nothing_but_its_fall() -> None:
    account = Account()
    for amount in (100, 40, 70):
        account.poll(sent(1, amount))
    assert account.amounts["source_bytes"] == 30
    assert +account.regressions == {"source_bytes": 1}


def test_a_value_that_is_missing_for_once_keeps_its_last_one() -> None:
    account = Account()
    for amount in (100, None, 130):
        account.poll(sent(1, amount))
    assert account.amounts["source_bytes"] == 30
    assert not +account.regressions


def test_a_value_that_first_appears_later_is_its_own_baseline() -> None:
    account = Account()
    for amount in (None, 100, 130):
        account.poll(sent(1, amount))
    assert account.amounts["source_bytes"] == 30


def recorded(status: str | None, number: int = 1) -> Session:
    return session(number, record=True, recording_status=status)


@pytest.mark.parametrize(
    ("statuses", "counted"),
    [
        (["waiting", "ready", "ready"], {"ready": 1}),
        (["waiting", "failed"], {"failed": 1}),
        (["waiting", "failed", "ready"], {"failed": 1, "ready": 1}),
        (["waiting", "none", "deleted"], {}),
        (["ready", "ready"], {}),
        (["ready", None, "ready"], {}),
        (["ready", "brand new", "ready"], {}),
    ],
)
def test_a_recording_is_counted_when_it_gets_there(statuses: list[str | None], counted: dict[str, int]) -> None:
    account = Account()
    for status in statuses:
        account.poll(recorded(status))
    assert +account.recordings == counted


def test_a_recording_that_finished_between_two_polls_is_counted_with_its_new_session() -> None:
    account = Account()
    account.poll()
    account.poll(recorded("ready"))
    assert +account.recordings == {"ready": 1}


CHURN = st.lists(st.dictionaries(st.integers(0, 5), st.integers(0, 100), max_size=6), min_size=1, max_size=12)
"""For each poll: which sessions it finds, and by how much each grew since it was last found."""


@given(CHURN)
def test_over_any_churn_the_counters_are_the_true_growth_since_the_first_poll(polls: list[dict[int, int]]) -> None:
    account = Account()
    amounts = Counter[int]()
    for each in polls:
        amounts.update(each)
        account.poll(*[sent(number, amounts[number]) for number in each])
    assert account.amounts["source_bytes"] == sum(amounts.values()) - sum(polls[0].values())
    assert account.started == len({number for each in polls for number in each} - polls[0].keys())
    assert not +account.regressions

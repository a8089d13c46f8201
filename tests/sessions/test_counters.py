"""Counters: they count every increase once, also across polls that do not show a session or a value."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sessions.counters import COUNTED, MIN_REMEMBERED, CounterState, Increments, diff
from exporter.sessions.session import Session
from exporter.sessions.snapshot import Windows
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


class Account:
    """The counters of an account over some polls, ten seconds apart."""

    def __init__(self) -> None:
        self.now = START
        self.counter_state = CounterState()
        self.amounts: Counter[str] = Counter()
        self.regressions: Counter[str] = Counter()
        self.recordings: Counter[str] = Counter()
        self.started = 0

    def poll(self, *sessions: Session) -> Increments:
        self.now += 10
        self.counter_state, increments = run_to_end(diff(self.counter_state, sessions, windows=WINDOWS, now=self.now))
        for name, amount in increments.amounts.items():
            self.amounts[name] += round(amount)
        self.regressions.update(increments.regressions)
        self.recordings.update(increments.recordings)
        self.started += increments.started
        return increments


def sent(number: int, amount: float | None, *, born: float = 600.0, **fields: Any) -> Session:
    """A session that has received some bytes."""
    return session(number, born=born, source_bytes=amount, **fields)


def test_the_first_poll_is_the_baseline() -> None:
    account = Account()
    increments = account.poll(sent(1, 500, record=True, recording_status="ready"))
    assert set(increments.amounts) == set(COUNTED)
    assert not any(increments.amounts.values())
    assert not any(increments.recordings.values())
    assert increments.started == 0


@pytest.mark.parametrize("name", COUNTED)
def test_an_increase_is_counted_by_its_field(name: str) -> None:
    account = Account()
    before: dict[str, Any] = {name: 100.0}
    after: dict[str, Any] = {name: 130.5}
    account.poll(session(**before))
    increments = account.poll(session(**after))
    assert {key: amount for key, amount in increments.amounts.items() if amount} == {name: 30.5}


def test_a_new_session_created_within_the_window_counts_in_full() -> None:
    account = Account()
    account.poll()
    increments = account.poll(sent(1, 500))
    assert increments.amounts["source_bytes"] == 500
    assert increments.started == 1


@pytest.mark.parametrize("born", [9000.0, None])
def test_a_session_that_returns_to_the_window_is_a_baseline(born: Any) -> None:
    account = Account()
    account.poll()
    assert account.poll(sent(1, 500, born=born)).amounts["source_bytes"] == 0
    assert account.poll(sent(1, 510, born=born)).amounts["source_bytes"] == 10
    assert account.started == 0


def test_what_an_absent_session_has_counted_stays() -> None:
    account = Account()
    account.poll(sent(1, 100))
    account.poll(sent(1, 150))
    account.poll()
    assert account.amounts["source_bytes"] == 50


def test_a_session_absent_from_some_polls_is_not_counted_twice() -> None:
    account = Account()
    account.poll()
    for sessions in ([sent(1, 500)], [], [], [sent(1, 520)]):
        account.poll(*sessions)
    assert account.amounts["source_bytes"] == 520
    assert account.started == 1


def test_an_absent_session_is_forgotten_after_the_window() -> None:
    account = Account()
    account.poll(sent(1, 500))
    account.now += 3600
    account.poll()
    assert account.counter_state.entries == {}


def test_a_falling_value_counts_as_a_regression_only() -> None:
    account = Account()
    for amount in (100, 40, 70):
        account.poll(sent(1, amount))
    assert account.amounts["source_bytes"] == 30
    assert +account.regressions == {"source_bytes": 1}


def test_a_missing_value_keeps_its_last_known_one() -> None:
    account = Account()
    for amount in (100, None, 130):
        account.poll(sent(1, amount))
    assert account.amounts["source_bytes"] == 30
    assert not +account.regressions


def test_a_value_that_appears_later_is_a_baseline() -> None:
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
def test_a_recording_is_counted_when_it_reaches_a_result(statuses: list[str | None], counted: dict[str, int]) -> None:
    account = Account()
    for status in statuses:
        account.poll(recorded(status))
    assert +account.recordings == counted


def test_a_recording_finished_before_its_session_is_first_seen_is_counted() -> None:
    account = Account()
    account.poll()
    account.poll(recorded("ready"))
    assert +account.recordings == {"ready": 1}


CHURN = st.lists(st.dictionaries(st.integers(0, 5), st.integers(0, 100), max_size=6), min_size=1, max_size=12)
"""For each poll the sessions that it shows, with their increase since they were last shown."""


@given(CHURN)
def test_counters_equal_the_true_increase_whatever_sessions_each_poll_shows(polls: list[dict[int, int]]) -> None:
    account = Account()
    amounts = Counter[int]()
    for each in polls:
        amounts.update(each)
        account.poll(*[sent(number, amounts[number]) for number in each])
    assert account.amounts["source_bytes"] == sum(amounts.values()) - sum(polls[0].values())
    assert account.started == len({number for each in polls for number in each} - polls[0].keys())
    assert not +account.regressions


def waiting(size: float | None = 0.0, **fields: Any) -> Session:
    defaults = {"id": "a", "created_at": (START - 60) * 1000, "record": True, "recording_status": "waiting"}
    return Session(**{**defaults, "source_bytes": size, **fields})


def polls(*found: list[Session], every: float = 30.0) -> list[Increments]:
    """Return what each poll counts; the first one is the baseline."""
    counter_state, growths = CounterState(), []
    for number, sessions in enumerate(found):
        counter_state, increments = run_to_end(
            diff(counter_state, sessions, windows=WINDOWS, now=START + number * every)
        )
        growths.append(increments)
    return growths


def counted(growths: list[Increments]) -> float:
    return sum(increments.amounts["source_bytes"] for increments in growths)


def test_a_session_absent_from_one_poll_counts_its_increase_only() -> None:
    growths = polls([waiting(100)], [], [waiting(130)])
    assert counted(growths) == 30
    assert sum(increments.started for increments in growths) == 0


def test_an_old_session_that_returns_is_a_baseline() -> None:
    growths = polls([waiting(100)], [], [waiting(130)], [waiting(131)], every=7200)
    assert counted(growths) == 1


def test_a_recording_with_an_invalid_status_in_one_poll_finishes_once() -> None:
    ready, unreadable = waiting(recording_status="ready"), waiting(recording_status=None)
    growths = polls([waiting()], [ready], [unreadable], [ready], [waiting(record=None)], [ready])
    assert [increments.recordings["ready"] for increments in growths] == [0, 1, 0, 0, 0, 0]


def test_a_creation_time_invalid_in_one_poll_is_remembered() -> None:
    assert counted(polls([waiting(100)], [waiting(110, created_at=None)], [], [waiting(120)])) == 20


@given(st.lists(st.tuples(st.integers(0, 1000), st.sampled_from(["seen", "gone", "unreadable"]))))
def test_the_counter_equals_the_increase_whatever_is_hidden_in_between(steps: list[tuple[int, str]]) -> None:
    size, found = 100, [[waiting(100)]]
    for grown, how in [*steps, (0, "seen")]:
        size += grown
        found.append([waiting(None if how == "unreadable" else size)] if how != "gone" else [])
    growths = polls(*found, every=1)
    assert counted(growths) == size - 100
    assert not any(increments.started for increments in growths)


def test_turnover_is_remembered_up_to_the_largest_poll() -> None:
    counter_state = CounterState()
    for turn in range(5):
        crowd = [waiting(100, id=f"{turn}-{number}") for number in range(MIN_REMEMBERED + 1)]
        counter_state, _ = run_to_end(diff(counter_state, crowd, windows=WINDOWS, now=START + turn))
    remembered = {name.partition("-")[0] for name in counter_state.entries or ()}
    assert len(counter_state.entries or ()) == 2 * (MIN_REMEMBERED + 1)
    assert remembered == {"4", "3"}  # those that left last

"""Counters: they count every increase once, also across polls that do not show a session or a value."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from exporter.cooperative import BATCH_SIZE
from exporter.sessions.counter_scope import CounterScope, PollTime
from exporter.sessions.counters import MIN_REMEMBERED, CounterState, Increments, diff
from exporter.sessions.growth import COUNTED
from exporter.sessions.session import Session
from tests.support.cooperative import run_to_end
from tests.support.rows import START, ident

NEW = -5.0
"""Seconds before ``START`` at which a session that is new in the second poll was created."""


def scope(**changes: Any) -> CounterScope:
    usual: dict[str, Any] = {
        "base_url": "https://api.invalid",
        "stream_ids": frozenset(),
        "session_window": 3600.0,
        "recording_window": 14_400.0,
    }
    return CounterScope(**(usual | changes))


def sent(number: int, amount: float | None, *, born: float | None = 600.0, **fields: Any) -> Session:
    """A session that was created some seconds before ``START`` and has received some bytes."""
    fields = {"last_seen": START * 1000} | fields
    created = None if born is None else (START - born) * 1000
    return Session(id=ident(number), created_at=created, source_bytes=amount, **fields)


class Account:
    """The counters of an account over some polls, ten seconds apart."""

    def __init__(self) -> None:
        self.monotonic = 1000.0
        self.clock_error = 0.0
        self.scope = scope()
        self.state = CounterState()
        self.amounts: Counter[str] = Counter()
        self.regressions: Counter[str] = Counter()
        self.recordings: Counter[str] = Counter()
        self.started = 0

    def poll(self, *sessions: Session, recordings: bool = True) -> Increments:
        self.monotonic += 10
        now = START + self.monotonic - 1010
        time = PollTime(now + self.clock_error, now, self.monotonic)
        self.state, increments = run_to_end(
            diff(self.state, sessions, scope=self.scope, time=time, recordings=recordings)
        )
        for name, amount in increments.amounts.items():
            self.amounts[name] += round(amount)
        self.regressions.update(increments.regressions)
        self.recordings.update(increments.recordings)
        self.started += increments.started
        return increments

    @property
    def bytes(self) -> int:
        return self.amounts["source_bytes"]


def counted(*polls: Sequence[Session]) -> list[float]:
    """Return the bytes that each poll counts."""
    account = Account()
    return [account.poll(*sessions).amounts["source_bytes"] for sessions in polls]


def test_the_first_poll_is_the_baseline() -> None:
    increments = Account().poll(sent(1, 500, record=True, recording_status="ready"))
    assert set(increments.amounts) == set(COUNTED)
    assert not any(increments.amounts.values())
    assert not any(increments.recordings.values())
    assert increments.started == 0


@pytest.mark.parametrize("name", COUNTED)
def test_an_increase_is_counted_by_its_field(name: str) -> None:
    account = Account()
    before: dict[str, Any] = {name: 100.0}
    after: dict[str, Any] = {name: 130.5}
    account.poll(Session(id="1", **before))
    increments = account.poll(Session(id="1", **after))
    assert {key: amount for key, amount in increments.amounts.items() if amount} == {name: 30.5}


def test_a_session_created_after_the_baseline_counts_in_full() -> None:
    account = Account()
    account.poll()
    assert account.poll(sent(1, 500, born=NEW)).amounts["source_bytes"] == 500
    assert account.started == 1


def test_a_session_created_at_the_baseline_is_a_baseline() -> None:
    assert counted([], [sent(1, 500, born=0.0)]) == [0, 0]


def test_the_growth_of_all_batches_is_counted() -> None:
    before, after = ([sent(number, amount) for number in range(BATCH_SIZE + 1)] for amount in (100, 130))
    assert counted(before, after) == [0, 30 * (BATCH_SIZE + 1)]


def test_a_session_is_remembered_while_others_replace_it() -> None:
    assert counted([sent(1, 100)], [sent(2, 5), sent(3, 5)], [sent(1, 130)]) == [0, 0, 30]


@pytest.mark.parametrize("born", [1.0, 9000.0, None])
def test_an_unknown_session_that_is_older_than_the_baseline_is_a_baseline(born: float | None) -> None:
    assert counted([], [sent(1, 500, born=born)], [sent(1, 510, born=born)]) == [0, 0, 10]


def test_what_an_absent_session_has_counted_stays() -> None:
    account = Account()
    for sessions in ([sent(1, 100)], [sent(1, 150)], []):
        account.poll(*sessions)
    assert account.bytes == 50


def test_D03_a_session_absent_from_some_polls_counts_its_increase_once() -> None:
    account = Account()
    for sessions in ([], [sent(1, 500, born=NEW)], [], [], [sent(1, 520, born=NEW)]):
        account.poll(*sessions)
    assert (account.bytes, account.started) == (520, 1)


def test_D03_an_absence_of_hours_loses_nothing() -> None:
    account = Account()
    account.poll(sent(1, 500, born=7200))
    account.poll()
    account.monotonic += 5 * 3600
    assert account.poll(sent(1, 5500, born=7200)).amounts["source_bytes"] == 5000


def test_D03_a_session_created_during_a_long_outage_counts_in_full() -> None:
    account = Account()
    account.poll()
    account.monotonic += 5 * 3600
    assert account.poll(sent(1, 500, born=-10)).amounts["source_bytes"] == 500


def test_D03_sessions_are_forgotten_by_number_with_the_longest_absent_first() -> None:
    account = Account()
    crowds = [
        [sent(turn * 100_000 + each, 100, born=-turn) for each in range(MIN_REMEMBERED + 1)] for turn in (1, 2, 3)
    ]
    account.poll()
    for crowd in crowds:
        account.poll(*crowd)
    entries = account.state.entries or {}
    assert len(entries) == 2 * (MIN_REMEMBERED + 1)
    assert crowds[1][0].id in entries
    assert crowds[0][0].id not in entries


def test_D03_a_forgotten_session_that_returns_is_a_baseline() -> None:
    account = Account()
    account.poll()
    first = [sent(each, 100, born=-1) for each in range(MIN_REMEMBERED + 1)]
    second = [sent(100_000 + each, 100, born=-2) for each in range(MIN_REMEMBERED + 1)]
    third = [sent(200_000 + each, 100, born=-3) for each in range(MIN_REMEMBERED + 1)]
    for crowd in (first, second, third):
        account.poll(*crowd)
    before = account.bytes
    account.poll(first[0], *third)
    assert account.bytes == before


def test_D04_a_value_that_alternates_between_two_replicas_is_counted_once() -> None:
    assert counted(*[[sent(1, amount)] for amount in (1000, 900, 1000, 900, 1000, 1010)]) == [0, 0, 0, 0, 0, 10]


def test_a_falling_value_counts_as_a_regression_only() -> None:
    account = Account()
    for amount in (100, 40):
        account.poll(sent(1, amount))
    assert (account.bytes, +account.regressions) == (0, {"source_bytes": 1})


def test_a_missing_value_keeps_its_last_known_one() -> None:
    assert counted([sent(1, 100)], [sent(1, None)], [sent(1, 130)]) == [0, 0, 30]


def test_a_value_that_appears_later_is_a_baseline() -> None:
    assert counted([sent(1, None)], [sent(1, 100)], [sent(1, 130)]) == [0, 0, 30]


@pytest.mark.parametrize("clock_error", [-7200.0, 7200.0])
def test_D01_a_wrong_clock_in_some_polls_counts_nothing_twice(clock_error: float) -> None:
    account = Account()
    account.poll(sent(1, 1000))
    account.poll(sent(1, 1010), sent(2, 500, born=NEW))
    account.clock_error = clock_error
    account.poll()
    account.poll()
    account.clock_error = 0
    account.poll(sent(1, 1020), sent(2, 510, born=NEW))
    assert (account.bytes, account.started) == (530, 1)


def test_D01_a_baseline_with_a_wrong_clock_is_corrected_later() -> None:
    account = Account()
    account.clock_error = 7200
    account.poll()
    account.clock_error = 0
    assert account.poll(sent(1, 500, born=NEW)).amounts["source_bytes"] == 500


def test_D02_a_wider_window_is_a_baseline_for_what_the_old_one_could_not_show() -> None:
    account = Account()
    account.poll(sent(1, 100))
    account.monotonic += 7200
    account.scope = scope(session_window=21_600.0)
    ended = sent(2, 10_000, born=-60, last_seen=(START + 1800) * 1000)
    live = sent(3, 500, born=-7000, last_seen=(START + 7200) * 1000)
    account.poll(sent(1, 150, last_seen=(START + 7200) * 1000), ended, live)
    assert (account.bytes, account.started) == (550, 1)


def test_D02_a_stream_that_comes_into_scope_is_a_baseline() -> None:
    account = Account()
    account.scope = scope(stream_ids=frozenset({"a"}))
    account.poll(sent(1, 100, parent_id="a"))
    account.scope = scope(stream_ids=frozenset({"a", "b"}))
    account.poll(sent(1, 110, parent_id="a"), sent(2, 10_000, parent_id="b", born=NEW))
    assert (account.bytes, account.started) == (10, 0)
    account.poll(sent(1, 110, parent_id="a"), sent(2, 10_005, parent_id="b", born=NEW))
    assert account.bytes == 15


def test_D02_a_session_of_such_a_stream_that_appears_a_poll_later_is_a_baseline_too() -> None:
    account = Account()
    account.scope = scope(stream_ids=frozenset({"a"}))
    account.poll()
    account.scope = scope()
    account.poll()
    account.poll(sent(2, 10_000, parent_id="b", born=NEW))
    assert account.bytes == 0


def test_D02_a_stream_that_returns_to_the_scope_is_a_baseline() -> None:
    account = Account()
    account.poll(sent(1, 100, parent_id="a"), sent(2, 100, parent_id="b"))
    account.scope = scope(stream_ids=frozenset({"a"}))
    account.poll(sent(1, 110, parent_id="a"))
    account.scope = scope()
    account.poll(sent(1, 120, parent_id="a"), sent(2, 900, parent_id="b"))
    assert account.bytes == 20


@pytest.mark.parametrize("user", ["one", None])
def test_D02_a_rotated_key_of_the_same_or_an_unknown_user_goes_on(user: str | None) -> None:
    account = Account()
    account.poll(sent(1, 100, user_id="one"))
    account.poll(sent(1, 130, user_id=user))
    assert account.bytes == 30


def test_D02_a_key_of_another_user_is_a_new_baseline() -> None:
    account = Account()
    account.poll(sent(1, 100, user_id="one"))
    account.poll(sent(1, 130, user_id="one"))
    account.poll(sent(2, 10_000, born=NEW, user_id="two"))
    account.poll(sent(2, 10_001, born=NEW, user_id="two"))
    assert (account.bytes, account.started) == (31, 0)


def test_D02_the_key_of_an_administrator_is_a_new_baseline_once() -> None:
    account = Account()
    account.poll(sent(1, 100, user_id="one"))
    account.poll(sent(1, 130, user_id="one"), sent(2, 10_000, born=NEW, user_id="two"))
    assert (account.bytes, account.started) == (0, 0)
    account.poll(sent(2, 10_001, born=NEW, user_id="two"))
    account.poll(sent(1, 132, user_id="one"), sent(2, 10_003, born=NEW, user_id="two"))
    assert (account.bytes, account.started) == (5, 0)


def test_D02_another_base_url_is_a_new_baseline() -> None:
    account = Account()
    account.poll(sent(1, 100))
    account.scope = scope(base_url="https://other.invalid")
    account.poll(sent(1, 10_000))
    account.poll(sent(1, 10_007))
    assert account.bytes == 7


def recorded(status: str | None) -> Session:
    return sent(1, 0, born=NEW, record=True, recording_status=status)


@pytest.mark.parametrize(
    ("statuses", "results"),
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
def test_a_recording_is_counted_when_it_reaches_a_result(statuses: list[str | None], results: dict[str, int]) -> None:
    account = Account()
    for status in statuses:
        account.poll(recorded(status))
    assert +account.recordings == results


@pytest.mark.parametrize("result", ["ready", "failed"])
def test_D04_a_recording_whose_status_alternates_between_two_replicas_is_counted_once(result: str) -> None:
    account = Account()
    for status in ("waiting", result, "waiting", result, "waiting", "waiting", "waiting", result):
        account.poll(recorded(status))
    assert +account.recordings == {result: 1}


def test_D04_a_failed_recording_that_is_ready_after_all_is_counted_with_both_results() -> None:
    account = Account()
    for status in ("waiting", "failed", "waiting", "ready"):
        account.poll(recorded(status))
    assert +account.recordings == {"failed": 1, "ready": 1}


def test_the_recordings_of_two_sessions_that_finish_in_the_same_poll_add_up() -> None:
    account = Account()
    for status in ("waiting", "ready"):
        account.poll(*(sent(number, 100, record=True, recording_status=status) for number in (1, 2)))
    assert account.recordings["ready"] == 2


def test_a_recording_finished_before_its_session_is_first_seen_is_counted() -> None:
    account = Account()
    account.poll()
    account.poll(recorded("ready"))
    assert +account.recordings == {"ready": 1}


def test_a_recorded_session_that_was_not_requested_is_not_absent() -> None:
    account = Account()
    recorded = sent(1, 10, record=True, recording_status="waiting")
    account.poll(recorded, sent(2, 10))
    account.poll(recordings=False)
    absent = {name: entry.absent_since for name, entry in (account.state.entries or {}).items()}
    assert absent == {ident(1): None, ident(2): account.monotonic}
    account.poll()
    assert all(entry.absent_since for entry in (account.state.entries or {}).values())


def test_a_recording_of_an_absent_session_finishes_once() -> None:
    account = Account()
    for sessions in ([recorded("waiting")], [], [recorded("ready")], [], [recorded("ready")]):
        account.poll(*sessions)
    assert +account.recordings == {"ready": 1}


def test_a_creation_time_invalid_in_one_poll_is_remembered() -> None:
    assert counted([sent(1, 100)], [sent(1, 110, born=None)], [], [sent(1, 120)]) == [0, 10, 0, 10]


def test_recordings_that_finish_in_one_poll_are_counted_in_all_batches() -> None:
    account = Account()
    for status in ("waiting", "ready"):
        account.poll(*(sent(n, 0, record=True, recording_status=status) for n in range(BATCH_SIZE + 1)))
    assert account.recordings["ready"] == BATCH_SIZE + 1


def test_the_largest_number_of_sessions_is_remembered_after_smaller_polls() -> None:
    account = Account()
    account.poll(sent(1, 0), sent(2, 0))
    account.poll(sent(1, 0))
    assert account.state.max_sessions == 2

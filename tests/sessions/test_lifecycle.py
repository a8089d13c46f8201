"""The lifecycle of streams and sessions: bounds of what is remembered, and rules that random histories rarely meet."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from exporter.cooperative import BATCH_SIZE
from exporter.sessions.counter_scope import CounterScope, PollTime
from exporter.sessions.counters import MIN_REMEMBERED, CounterState, diff
from exporter.sessions.growth import Entry
from exporter.sessions.lifecycle import LifecycleIncrements, LifecycleState, advance
from exporter.sessions.lifecycle_poll import LifecyclePoll
from exporter.sessions.session import INVALID_TIME, Session
from exporter.sessions.snapshot import Windows
from exporter.sessions.stream_life import MAX_ABSENCE, MAX_ABSENT_STREAMS, MAX_RECENT_EVENTS
from tests.support.cooperative import count_steps, run_to_end
from tests.support.rows import START, ident

SCOPE = CounterScope("https://api.invalid", frozenset(), 3600.0, 14_400.0)


class Account:
    """The lifecycle of an account over some polls."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.counters = CounterState()
        self.state = LifecycleState()

    def step(self, sessions: Sequence[Session], seconds: float = 30.0) -> LifecyclePoll:
        self.passed += seconds
        now = START + self.passed
        before, time = self.counters, PollTime(now, now, 1000.0 + self.passed)
        self.counters, increments = run_to_end(diff(before, sessions, scope=SCOPE, time=time))
        return LifecyclePoll(
            sessions=sessions,
            unread=(),
            windows=Windows(session=3600.0, active=90.0),
            scope=SCOPE,
            time=time,
            interval=30.0,
            duration=1.0,
            before=before,
            counters=self.counters,
            events=increments.events,
        )

    def poll(self, *sessions: Session, seconds: float = 30.0) -> LifecycleIncrements:
        poll = self.step(sessions, seconds)
        self.state, increments = run_to_end(advance(self.state, poll))
        return increments

    def live(self, number: int, *, healthy: bool | None = True, **fields: Any) -> Session:
        """A session that is active at the next poll, 30 seconds later."""
        seen = (START + self.passed + 30) * 1000
        usual: dict[str, Any] = {"created_at": (START - 600) * 1000, "last_seen": seen, "parent_id": f"parent-{number}"}
        return Session(id=ident(number), is_healthy=healthy, **(usual | fields))


def test_the_longest_absent_streams_are_forgotten_first() -> None:
    account = Account()
    account.poll(*map(account.live, range(3)))
    account.poll(*map(account.live, range(3, 3 + MAX_ABSENT_STREAMS)))
    assert len(account.state.streams.absent) == 3
    account.poll()
    absent = account.state.streams.absent
    assert len(absent) == MAX_ABSENT_STREAMS
    assert not {f"parent-{number}" for number in range(3)} & absent.keys()


def test_the_growth_of_a_stream_is_the_sum_over_its_sessions_in_all_batches() -> None:
    account = Account()
    for amount in (100.0, 107.0):
        amounts: dict[str, Any] = {"source_bytes": 2 * amount, "transcoded_segments_duration": amount}
        account.poll(*(account.live(n, parent_id=f"parent-{n % 2}", **amounts) for n in range(2 * BATCH_SIZE + 2)))
    for stream in account.state.streams.present.values():
        assert (stream.source_bytes, stream.transcoded_bytes) == (14 * (BATCH_SIZE + 1), 0)
        assert (stream.source_segments_duration, stream.transcoded_segments_duration) == (0, 7 * (BATCH_SIZE + 1))


def test_the_growth_of_parent_ids_that_become_the_same_label_is_added_up() -> None:
    account = Account()
    for amount in (0.0, 5.0):
        account.poll(
            *(account.live(n, parent_id=parent, source_bytes=amount) for n, parent in enumerate(("p\n", "p\t")))
        )
    (life,) = account.state.streams.present.values()
    assert life.source_bytes == 10


def test_an_absent_stream_is_forgotten_after_a_day_and_a_present_one_is_not() -> None:
    account = Account()
    account.poll(account.live(1), account.live(2))
    account.poll(account.live(1), account.live(2))
    account.poll(account.live(2))
    assert account.state.streams.absent.keys() == {"parent-1"}
    account.poll(account.live(2), seconds=MAX_ABSENCE - 30)
    assert account.state.streams.absent == {}
    account.poll(account.live(1), account.live(2))
    streams = account.state.streams.present
    assert streams["parent-1"].healthy == 0
    assert streams["parent-2"].healthy == 30 + 30 + 61  # the poll after a day sees it ended


def test_a_stream_that_returns_within_a_day_goes_on_counting() -> None:
    account = Account()
    account.poll(account.live(1))
    account.poll()
    account.poll(seconds=MAX_ABSENCE - 90)
    account.poll(account.live(1))
    account.poll(account.live(1))
    assert account.state.streams.present["parent-1"].healthy == 60


def test_sessions_are_remembered_as_long_as_the_counters_remember_them() -> None:
    account = Account()
    for crowd in range(4):
        first = crowd * 2 * MIN_REMEMBERED
        account.poll(*map(account.live, range(first, first + MIN_REMEMBERED + 1)))
    assert account.state.sessions.keys() == (account.counters.entries or {}).keys()
    assert len(account.state.sessions) == 2 * (MIN_REMEMBERED + 1)


def test_the_times_of_recent_episodes_are_those_of_the_last_hour_and_bounded() -> None:
    account = Account()
    account.poll(account.live(1))
    for turn in range(2 * MAX_RECENT_EVENTS + 4):
        account.poll(account.live(1, healthy=turn % 2 == 1), seconds=10)
    life = account.state.streams.present["parent-1"]
    assert life.episodes == MAX_RECENT_EVENTS + 2
    assert len(life.recent_episodes) == MAX_RECENT_EVENTS
    account.poll(account.live(1), seconds=3600)
    account.poll(account.live(1, healthy=False))
    assert account.state.streams.present["parent-1"].recent_episodes == (START + account.passed,)


def test_a_reconnect_is_remembered_with_its_stream() -> None:
    account = Account()
    account.poll(account.live(1, parent_id="one"))
    created = (START + account.passed + 20) * 1000
    second = account.live(2, parent_id="one", created_at=created)
    assert account.poll(account.live(1, parent_id="one"), second).streams.reconnects == 1
    assert account.state.streams.present["one"].recent_reconnects == (START + account.passed,)


def test_each_reconnect_that_a_poll_after_an_outage_finds_is_remembered() -> None:
    account = Account()
    account.poll(account.live(1, parent_id="one"))
    created = [(START + account.passed + seconds) * 1000 for seconds in (20, 100, 200)]
    later = [account.live(number, parent_id="one", created_at=each) for number, each in enumerate(created, 2)]
    assert account.poll(account.live(1, parent_id="one"), *later, seconds=600).streams.reconnects == 3
    assert account.state.streams.present["one"].recent_reconnects == (START + account.passed,) * 3


def test_an_end_without_a_valid_last_seen_does_not_count() -> None:
    account = Account()
    account.poll(account.live(1, source_segments_duration=5.0))
    increments = account.poll(account.live(1, last_seen=INVALID_TIME, source_segments_duration=5.0))
    assert increments.sessions.durations == []
    ended = account.live(1, last_seen=(START - 300) * 1000, source_segments_duration=5.0)
    assert account.poll(ended).sessions.durations == [5.0]


@pytest.mark.parametrize("unhealthy", [1, 2])
def test_parent_ids_that_become_the_same_label_are_one_stream(unhealthy: int) -> None:
    account = Account()
    pair = [(1, "one\n"), (2, "one\t")]
    for _ in range(2):
        account.poll(*(account.live(number, healthy=number != unhealthy, parent_id=parent) for number, parent in pair))
    (life,) = account.state.streams.present.values()
    assert (life.unhealthy, life.healthy) == (30, 0)


def test_another_user_is_a_new_baseline_and_the_streams_keep_their_counters() -> None:
    account = Account()
    account.poll(account.live(1, user_id="one"))
    account.poll(account.live(1, user_id="one"))
    increments = account.poll(account.live(1, user_id="two", healthy=False))
    assert (increments.streams.episodes, sum(increments.streams.observed.values())) == (0, 0)
    assert account.state.streams.present["parent-1"].healthy == 30


def test_a_stream_of_the_user_before_is_forgotten_a_day_after_its_last_answer() -> None:
    account = Account()
    account.poll(account.live(1, user_id="one"))
    account.poll(account.live(2, user_id="two"), seconds=3600)
    account.poll(account.live(2, user_id="two"), seconds=MAX_ABSENCE - 3601)
    assert account.state.streams.absent.keys() == {"parent-1"}
    account.poll(account.live(2, user_id="two"), seconds=1)
    assert account.state.streams.absent == {}


def test_a_stream_has_its_health_although_sessions_without_a_parent_have_the_same() -> None:
    account = Account()
    account.poll(account.live(1, parent_id=None), account.live(2))
    assert account.state.streams.present["parent-2"].health == "healthy"


def test_the_unhealthy_ratio_of_a_session_that_was_observed_for_less_than_a_second_is_known() -> None:
    account = Account()
    account.poll(account.live(1))
    increments = account.poll(account.live(1, last_seen=(START - 300) * 1000), seconds=0.5)
    assert increments.sessions.unhealthy_ratios == [0]


@pytest.mark.parametrize("last_seen", [None, 0.0, INVALID_TIME])
def test_the_processing_time_of_a_recording_without_a_valid_last_seen_is_unknown(last_seen: float | None) -> None:
    account = Account()
    for status in ("waiting", "ready"):
        increments = account.poll(account.live(1, last_seen=last_seen, record=True, recording_status=status))
    assert account.state.streams.present["parent-1"].ready == 1
    assert increments.processing == {"ready": [], "failed": []}


@pytest.mark.parametrize(("gap", "count"), [(300.0, 1), (300.125, 0)])
def test_a_reconnect_follows_within_five_minutes_of_the_session_before(gap: float, count: int) -> None:
    account = Account()
    before = account.live(1, parent_id="one")
    account.poll(before)
    created = (before.last_seen or 0) + gap * 1000
    after = account.live(2, parent_id="one", created_at=created, last_seen=created)
    assert account.poll(before, after, seconds=400).streams.reconnects == count


def test_taking_in_many_sessions_yields_in_between() -> None:
    account = Account()
    poll = account.step([account.live(number) for number in range(5000)])
    assert count_steps(advance(LifecycleState(), poll)) > 10


def test_streams_grow_and_leave_in_short_steps() -> None:
    account = Account()
    live = [account.live(number, source_bytes=1.0) for number in range(5000)]
    account.poll(*live)
    grown = account.step([account.live(number, source_bytes=2.0) for number in range(5000)])
    unchanged = replace(grown, events=replace(grown.events, grown={}))
    more = count_steps(advance(account.state, grown)) - count_steps(advance(account.state, unchanged))
    assert more == 5
    gone = account.step([])
    assert count_steps(advance(account.state, gone)) - count_steps(advance(LifecycleState(), gone)) == 5


def test_a_stream_with_an_unprintable_id_in_scope_keeps_the_time_until_it_leaves() -> None:
    account = Account()
    account.poll(account.live(1, parent_id="one\n"), account.live(2, parent_id="two"))
    poll = replace(account.step([]), scope=replace(SCOPE, stream_ids=frozenset({"one\n"})))
    state, _ = run_to_end(advance(account.state, poll))
    assert {name: life.healthy for name, life in state.streams.absent.items()} == {"one ": 30, "two": 0}


def test_a_session_counts_as_never_started_once_five_minutes_after_its_creation() -> None:
    account = Account()
    account.poll()
    pending = Session(id=ident(1), created_at=(START + 60) * 1000, last_seen=0.0)
    counted = [account.poll(pending, seconds=passed).sessions.never_started for passed in (30, 299.875, 0.125, 30)]
    assert counted == [0, 0, 1, 0]


@pytest.mark.parametrize(("age", "count"), [(300.0, 0), (299.875, 1)])
def test_a_session_that_was_five_minutes_old_at_the_baseline_does_not_count_as_never_started(
    age: float, count: int
) -> None:
    account = Account()
    account.poll()
    pending = Session(id=ident(1), created_at=(START + account.passed - age) * 1000, last_seen=0.0)
    assert account.poll(pending).sessions.never_started == count


@pytest.mark.parametrize(("known", "age", "is_baseline"), [(True, 0, False), (False, 0, True), (False, -0.125, False)])
def test_an_unknown_session_that_is_not_younger_than_a_forgotten_one_is_at_its_baseline(
    known: bool, age: float, is_baseline: bool
) -> None:
    account = Account()
    account.poll()
    session = Session(id=ident(1), created_at=(START + 40 - age) * 1000, last_seen=0.0)
    poll = account.step([session])
    entries = {session.id: Entry()} if known else {}
    before = replace(poll.before, entries=entries, forgotten=(START + 40) * 1000)
    assert replace(poll, before=before).is_baseline_of(session, 300) == is_baseline

"""The sessions that need attention: the worst first, and a bounded number of them."""

from collections.abc import Sequence
from typing import Any

import pytest

from exporter.sessions.attention import RECENT_END, SLOW_START, Problems, find_problems
from exporter.sessions.history import Moment, SessionHistory
from exporter.sessions.lifecycle import LifecycleState
from exporter.sessions.problem import LIST_LIMITS, MAX_LISTED, Kind, Problem
from exporter.sessions.session import Session
from exporter.sessions.session_life import SessionLife
from exporter.sessions.snapshot import Windows, take_snapshot
from exporter.sessions.stream_life import StreamLife, StreamStates
from tests.support.cooperative import run_to_end
from tests.support.rows import START, ident

WINDOWS = Windows(session=3600.0, active=90.0)


def session(number: int, *, age: float = 10.0, **fields: Any) -> Session:
    """A session without problems, last seen some seconds ago, with other fields as given."""
    whole = {"is_healthy": True, "ingest_rate": 1.0, "created_at": (START - 600) * 1000, **fields}
    return Session(id=ident(number), last_seen=(START - age) * 1000, **whole)


def problems(*sessions: Session, account: str = "default") -> Problems:
    return run_to_end(find_problems(account, run_to_end(take_snapshot(sessions, WINDOWS, START))))


def ids(listed: Sequence[Problem]) -> list[int]:
    """Return the numbers of the sessions."""
    return [int(each.session.id.partition("-")[0], 16) for each in listed]


def test_a_session_without_problems_is_not_listed() -> None:
    found = problems(session(1))
    assert (found.count, found.worst) == (0, ())
    assert found.counts == {Kind.LIVE: 1}


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"is_healthy": False}, Kind.UNHEALTHY),
        ({"issues": ("high latency",)}, Kind.ISSUES),
        ({"ingest_rate": 0.0}, Kind.NO_INGEST),
        ({"record": True, "recording_status": "failed"}, Kind.RECORDING_FAILED),
    ],
)
def test_each_problem_has_its_kind(fields: dict[str, Any], kind: Kind) -> None:
    (problem,) = problems(session(1, **fields)).worst
    assert (problem.kind, problem.account, problem.active) == (kind, "default", True)
    assert (problem.created_ago, problem.seen_ago, problem.resumed) == (600, 10, False)


@pytest.mark.parametrize("fields", [{"is_healthy": False}, {"issues": ("x",)}, {"ingest_rate": 0.0}])
def test_the_last_values_of_an_ended_session_are_not_a_problem(fields: dict[str, Any]) -> None:
    assert problems(session(1, age=120, **fields)).count == 0


@pytest.mark.parametrize("rate", [None, 0.5])
def test_an_ingest_rate_that_is_unknown_or_positive_is_not_a_problem(rate: float | None) -> None:
    assert problems(session(1, ingest_rate=rate)).count == 0


@pytest.mark.parametrize(
    ("record", "status"), [(True, "ready"), (True, "waiting"), (False, "failed"), (None, "failed")]
)
def test_only_a_failed_recording_of_a_recorded_session_is_a_problem(record: bool | None, status: str) -> None:
    assert problems(session(1, record=record, recording_status=status)).count == 0


def test_a_failed_recording_is_a_problem_after_the_end_too() -> None:
    (problem,) = problems(session(1, age=9000, record=True, recording_status="failed")).worst
    assert (problem.kind, problem.active) == (Kind.RECORDING_FAILED, False)


def test_the_worst_kind_comes_first_and_within_it_the_oldest_media() -> None:
    found = problems(
        session(1, record=True, recording_status="failed"),
        session(2, is_healthy=False, age=5),
        session(3, ingest_rate=0.0),
        session(4, is_healthy=False, age=60),
        session(5, issues=("x",)),
    )
    assert ids(found.worst) == [4, 2, 5, 3, 1]


def test_the_latest_failed_recording_comes_first_and_a_session_never_seen_last() -> None:
    failed: dict[str, Any] = {"record": True, "recording_status": "failed"}
    never = Session(id=ident(1), created_at=(START - 60) * 1000, last_seen=0.0, **failed)
    found = problems(never, session(2, age=5000, **failed), session(3, age=2000, **failed))
    assert ids(found.worst) == [3, 2, 1]


def test_many_problems_are_listed_in_part_and_all_counted() -> None:
    found = problems(*[session(number, is_healthy=False, age=number / 100) for number in range(1, 3000)])
    assert ids(found.worst) == list(range(2999, 2999 - MAX_LISTED, -1))
    assert found.count == 2999


def test_failed_recordings_take_few_rows() -> None:
    failed = [session(number, age=2000 + number, record=True, recording_status="failed") for number in range(30)]
    found = problems(*failed, session(40, ingest_rate=0.0))
    assert ids(found.worst) == [40, *range(LIST_LIMITS[Kind.RECORDING_FAILED])]
    assert found.counts == {Kind.RECORDING_FAILED: 30, Kind.NO_INGEST: 1, Kind.LIVE: 1}


def test_recently_ended_sessions_are_listed_with_the_latest_first() -> None:
    found = problems(
        session(1, age=RECENT_END), session(2, age=RECENT_END + 1), session(3, age=180), session(4, age=90)
    )
    assert ids(found.listed[Kind.ENDED]) == [3, 1]
    assert not any(each.active for each in found.listed[Kind.ENDED])
    assert found.counts == {Kind.ENDED: 2, Kind.LIVE: 1}
    assert (found.count, found.worst) == (0, ())


def test_ended_sessions_that_were_continued_are_marked_and_come_last() -> None:
    found = problems(
        session(1, age=120, parent_id="came back"),
        session(2, age=130, parent_id="dark"),
        session(3, age=140),
        session(4, age=5, parent_id="came back"),
        session(5, age=150, parent_id="dark"),
        session(6),
    )
    ended = found.listed[Kind.ENDED]
    assert [(number, each.resumed) for number, each in zip(ids(ended), ended, strict=True)] == [
        (2, False),
        (3, False),
        (1, True),
        (5, True),
    ]


def test_an_ended_session_that_was_not_continued_is_listed_although_many_were() -> None:
    continued = [session(number, age=100 + number / 100, parent_id="p") for number in range(2, 2500)]
    found = problems(session(1, age=800, parent_id="gone"), *continued, session(3000, parent_id="p"))
    assert ids(found.listed[Kind.ENDED])[0] == 1
    assert found.counts[Kind.ENDED] == 2499


def reconnected(**times: int) -> LifecycleState:
    """A state in which streams reconnected a number of times in the last hour, and once before."""
    streams: dict[str | None, StreamLife] = {
        name: StreamLife(recent_reconnects=(START - 4000, *(START - 60 - each for each in range(count))))
        for name, count in times.items()
    }
    return LifecycleState(streams=StreamStates(streams))


def found_with(lifecycle: LifecycleState, *sessions: Session) -> Problems:
    return run_to_end(find_problems("default", run_to_end(take_snapshot(sessions, WINDOWS, START)), lifecycle))


def test_reconnecting_streams_are_listed_with_the_most_often_reconnected_first() -> None:
    sessions = [
        session(1, parent_id="a", age=300, created_at=(START - 900) * 1000),
        session(2, parent_id="a", created_at=(START - 100) * 1000),
        session(3, parent_id="b"),
        session(7, parent_id="b", age=200, created_at=(START - 300) * 1000),
        session(4, parent_id="long_ago"),
        session(5, parent_id="never"),
        session(6),
    ]
    found = found_with(reconnected(a=1, b=4, long_ago=0), *sessions)
    listed = found.listed[Kind.RECONNECTING]
    assert ids(listed) == [3, 2]  # the latest active session of each stream
    assert [(each.history.reconnects, each.active) for each in listed] == [(4, True), (1, True)]
    assert found.counts[Kind.RECONNECTING] == 2


def test_a_reconnecting_stream_without_an_active_session_is_listed_with_its_latest_one() -> None:
    ended = [session(1, parent_id="a", age=300), session(2, parent_id="a", age=200, created_at=(START - 400) * 1000)]
    (listed,) = found_with(reconnected(a=1), *ended).listed[Kind.RECONNECTING]
    assert ids([listed]) == [2]
    assert not listed.active


def test_a_reconnecting_stream_without_exported_sessions_is_not_counted() -> None:
    found = found_with(reconnected(a=1, elsewhere=2), session(1, parent_id="a"))
    assert ids(found.listed[Kind.RECONNECTING]) == [1]
    assert found.counts[Kind.RECONNECTING] == 1


def test_many_reconnecting_streams_are_listed_in_part_and_all_counted() -> None:
    names = {f"p{number}": number for number in range(1, 61)}
    found = found_with(reconnected(**names), *[session(number, parent_id=f"p{number}") for number in names.values()])
    assert ids(found.listed[Kind.RECONNECTING]) == list(range(60, 60 - LIST_LIMITS[Kind.RECONNECTING], -1))
    assert found.counts[Kind.RECONNECTING] == 60


def test_ended_sessions_that_a_reconnecting_stream_has_continued_are_not_listed_too() -> None:
    sessions = [
        session(1, parent_id="a", age=300),
        session(2, parent_id="a", age=200),
        session(3, parent_id="b", age=400),
    ]
    found = found_with(reconnected(a=2), *sessions)
    assert ids(found.listed[Kind.ENDED]) == [2, 3]
    assert found.counts[Kind.ENDED] == 2


def test_listed_sessions_have_their_history() -> None:
    lives = {ident(1): SessionLife(health="unhealthy", since=START - 60)}
    streams = StreamStates({"a": StreamLife(recent_episodes=(START - 60,))})
    found = found_with(LifecycleState(active=lives, streams=streams), session(1, parent_id="a", is_healthy=False))
    (problem,) = found.aged(30).worst
    assert problem.history == SessionHistory(Moment(START - 60, 90), episodes=1)


def test_live_sessions_are_listed_with_the_latest_first_and_all_counted() -> None:
    found = problems(*[session(number, created_at=(START - number) * 1000) for number in range(1, 2500)])
    assert ids(found.listed[Kind.LIVE]) == list(range(1, 1 + LIST_LIMITS[Kind.LIVE]))
    assert all(each.active for each in found.listed[Kind.LIVE])
    assert found.counts == {Kind.LIVE: 2499}


def test_an_ended_session_without_a_time_is_not_listed() -> None:
    assert problems(Session(id=ident(1))) == Problems()


def test_sessions_long_without_media_are_listed_with_the_latest_first() -> None:
    ages = {1: 1200.0, 2: SLOW_START, 3: SLOW_START - 1}
    waiting = [
        Session(id=ident(number), created_at=(START - age) * 1000, last_seen=0.0) for number, age in ages.items()
    ]
    found = problems(*waiting)
    assert ids(found.listed[Kind.WAITING]) == [2, 1]
    assert found.count == 0


def test_many_ended_sessions_are_listed_in_part_and_all_counted() -> None:
    found = problems(*[session(number, age=350 - number / 10) for number in range(2500)])
    assert ids(found.listed[Kind.ENDED]) == list(range(2499, 2499 - LIST_LIMITS[Kind.ENDED], -1))
    assert found.counts == {Kind.ENDED: 2500}


def test_an_ended_session_with_a_failed_recording_is_listed_twice() -> None:
    found = problems(session(1, age=120, record=True, recording_status="failed"))
    assert found.counts == {Kind.RECORDING_FAILED: 1, Kind.ENDED: 1}


def test_ages_grow_with_time() -> None:
    found = problems(session(1, age=10, is_healthy=False), session(2, age=120)).aged(30)
    assert [(each.created_ago, each.seen_ago) for each in found.worst] == [(630, 40)]
    assert [each.seen_ago for each in found.listed[Kind.ENDED]] == [150]


def test_an_unknown_age_stays_unknown() -> None:
    (problem,) = problems(Session(id="a", record=True, recording_status="failed")).aged(30).worst
    assert (problem.created_ago, problem.seen_ago) == (None, None)


def test_a_time_slightly_in_the_future_is_now() -> None:
    (problem,) = problems(session(1, age=-30, is_healthy=False)).worst
    assert problem.seen_ago == 0


def test_a_session_that_was_never_seen_has_no_age() -> None:
    (problem,) = problems(Session(id="a", record=True, recording_status="failed")).worst
    assert (problem.created_ago, problem.seen_ago) == (None, None)


def test_the_problems_of_two_accounts_merge_in_order_of_kind() -> None:
    one = problems(session(1, issues=("x",)), account="one")
    two = problems(session(2, is_healthy=False), session(3, ingest_rate=0.0), account="two")
    both = one.merged(two)
    assert both.counts == {Kind.UNHEALTHY: 1, Kind.ISSUES: 1, Kind.NO_INGEST: 1, Kind.LIVE: 3}
    assert [each.account for each in both.worst] == ["two", "one", "two"]
    assert both.count == 3

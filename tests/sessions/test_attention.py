"""The sessions that need attention: the worst come first, and no more than people can read."""

from collections.abc import Sequence
from typing import Any

import pytest

from exporter.sessions.attention import LATELY, LISTED, MOST, PATIENCE, Kind, Problem, Problems, find
from exporter.sessions.session import Session
from exporter.sessions.snapshot import Windows, take
from tests.support.cooperative import run_to_end
from tests.support.rows import START, ident

WINDOWS = Windows(session=3600.0, active=90.0)


def session(number: int, *, age: float = 10.0, **fields: Any) -> Session:
    """A session without trouble, last seen so many seconds ago, but for some fields."""
    whole = {"is_healthy": True, "ingest_rate": 1.0, "created_at": (START - 600) * 1000, **fields}
    return Session(id=ident(number), last_seen=(START - age) * 1000, **whole)


def problems(*sessions: Session, account: str = "default") -> Problems:
    return run_to_end(find(run_to_end(take(account, sessions, windows=WINDOWS, began=START, server_time=START))))


def ids(listed: Sequence[Problem]) -> list[int]:
    """The numbers of the sessions."""
    return [int(each.session.id.partition("-")[0], 16) for each in listed]


def test_a_session_without_trouble_is_not_listed() -> None:
    assert problems(session(1)) == Problems()


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"is_healthy": False}, Kind.UNHEALTHY),
        ({"issues": ("high latency",)}, Kind.ISSUES),
        ({"ingest_rate": 0.0}, Kind.SILENT),
        ({"record": True, "recording_status": "failed"}, Kind.RECORDING),
    ],
)
def test_each_trouble_is_of_a_kind(fields: dict[str, Any], kind: Kind) -> None:
    (problem,) = problems(session(1, **fields)).worst
    assert (problem.kind, problem.account, problem.active) == (kind, "default", True)
    assert (problem.started, problem.age) == (600, 10)


@pytest.mark.parametrize("fields", [{"is_healthy": False}, {"issues": ("x",)}, {"ingest_rate": 0.0}])
def test_what_a_session_said_before_it_ended_is_no_trouble(fields: dict[str, Any]) -> None:
    assert problems(session(1, age=120, **fields)).count == 0


def test_a_failed_recording_is_trouble_after_the_end_too() -> None:
    (problem,) = problems(session(1, age=9000, record=True, recording_status="failed")).worst
    assert (problem.kind, problem.active) == (Kind.RECORDING, False)


def test_the_worst_comes_first_and_among_the_live_the_longest_silent() -> None:
    found = problems(
        session(1, record=True, recording_status="failed"),
        session(2, is_healthy=False, age=5),
        session(3, ingest_rate=0.0),
        session(4, is_healthy=False, age=60),
        session(5, issues=("x",)),
    )
    assert ids(found.worst) == [4, 2, 5, 3, 1]


def test_of_failed_recordings_the_latest_comes_first_and_one_that_was_never_seen_last() -> None:
    failed: dict[str, Any] = {"record": True, "recording_status": "failed"}
    never = Session(id=ident(1), created_at=(START - 60) * 1000, last_seen=0.0, **failed)
    found = problems(never, session(2, age=5000, **failed), session(3, age=2000, **failed))
    assert ids(found.worst) == [3, 2, 1]


def test_of_many_troubles_some_are_listed_and_all_are_counted() -> None:
    found = problems(*[session(number, is_healthy=False, age=number / 100) for number in range(1, 3000)])
    assert ids(found.worst) == list(range(2999, 2999 - MOST, -1))
    assert found.count == 2999


def test_many_failed_recordings_take_few_rows() -> None:
    failed = [session(number, age=2000 + number, record=True, recording_status="failed") for number in range(30)]
    found = problems(*failed, session(40, ingest_rate=0.0))
    assert ids(found.worst) == [40, *range(LISTED[Kind.RECORDING])]
    assert found.counts == {Kind.RECORDING: 30, Kind.SILENT: 1}


def test_a_session_that_ended_lately_is_news_and_the_latest_comes_first() -> None:
    found = problems(session(1, age=LATELY), session(2, age=LATELY + 1), session(3, age=180), session(4, age=90))
    assert ids(found.listed[Kind.ENDED]) == [3, 1]
    assert found.counts == {Kind.ENDED: 2}
    assert (found.count, found.worst) == (0, ())


def test_of_an_end_it_is_told_whether_the_stream_is_live_again() -> None:
    found = problems(
        session(1, age=120, parent_id="came back"),
        session(2, age=130, parent_id="dark"),
        session(3, age=140),
        session(4, age=5, parent_id="came back"),
        session(5, age=150, parent_id="dark"),
        session(6),
    )
    assert [each.back for each in found.listed[Kind.ENDED]] == [True, False, False, False]


def test_an_end_without_a_time_is_no_news() -> None:
    assert problems(Session(id=ident(1))) == Problems()


def test_a_session_that_waits_long_for_its_first_media_is_news_and_the_latest_comes_first() -> None:
    ages = {1: 1200.0, 2: PATIENCE, 3: PATIENCE - 1}
    waiting = [
        Session(id=ident(number), created_at=(START - age) * 1000, last_seen=0.0) for number, age in ages.items()
    ]
    found = problems(*waiting)
    assert ids(found.listed[Kind.WAITING]) == [2, 1]
    assert found.count == 0


def test_news_is_listed_in_part_and_counted_in_all() -> None:
    found = problems(*[session(number, age=100 + number / 10) for number in range(2500)])
    assert ids(found.listed[Kind.ENDED]) == list(range(LISTED[Kind.ENDED]))
    assert found.counts == {Kind.ENDED: 2500}


def test_what_ended_with_a_failed_recording_is_trouble_and_news() -> None:
    found = problems(session(1, age=120, record=True, recording_status="failed"))
    assert found.counts == {Kind.RECORDING: 1, Kind.ENDED: 1}


def test_ages_grow_while_nothing_more_is_heard() -> None:
    found = problems(session(1, age=10, is_healthy=False), session(2, age=120)).later(30)
    assert [(each.started, each.age) for each in found.worst] == [(630, 40)]
    assert [each.age for each in found.listed[Kind.ENDED]] == [150]


def test_what_has_no_age_gets_none() -> None:
    (problem,) = problems(Session(id="a", record=True, recording_status="failed")).later(30).worst
    assert (problem.started, problem.age) == (None, None)


def test_a_time_slightly_in_the_future_is_now() -> None:
    (problem,) = problems(session(1, age=-30, is_healthy=False)).worst
    assert problem.age == 0


def test_a_session_that_was_never_seen_has_no_age() -> None:
    (problem,) = problems(Session(id="a", record=True, recording_status="failed")).worst
    assert (problem.started, problem.age) == (None, None)


def test_the_troubles_of_two_accounts_are_put_together_by_how_bad_they_are() -> None:
    one = problems(session(1, issues=("x",)), account="one")
    two = problems(session(2, is_healthy=False), session(3, ingest_rate=0.0), account="two")
    both = one.with_(two)
    assert both.counts == {Kind.UNHEALTHY: 1, Kind.ISSUES: 1, Kind.SILENT: 1}
    assert [each.account for each in both.worst] == ["two", "one", "two"]
    assert both.count == 3

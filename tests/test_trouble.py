"""The sessions that need attention: the worst come first, and no more than people can read."""

from typing import Any

import pytest

from exporter.session import Session
from exporter.snapshot import Windows, take
from exporter.steps import at_once
from exporter.trouble import MOST, Troubles, find
from tests.support.rows import START, ident

WINDOWS = Windows(session=3600.0, active=90.0)


def session(number: int, *, age: float = 10.0, **fields: Any) -> Session:
    """A session without trouble, last seen so many seconds ago, but for some fields."""
    whole = {"is_healthy": True, "ingest_rate": 1.0, "created_at": (START - 600) * 1000, **fields}
    return Session(id=ident(number), last_seen=(START - age) * 1000, **whole)


def troubles(*sessions: Session, account: str = "default") -> Troubles:
    return at_once(find(at_once(take(account, sessions, windows=WINDOWS, began=START, server_time=START))))


def test_a_session_without_trouble_is_not_listed() -> None:
    assert troubles(session(1)) == Troubles()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"is_healthy": False}, "unhealthy"),
        ({"issues": ("high latency",)}, "has issues"),
        ({"ingest_rate": 0.0}, "active, but nothing arrives"),
        ({"record": True, "recording_status": "failed"}, "recording failed"),
    ],
)
def test_each_kind_of_trouble_has_its_reason(fields: dict[str, Any], reason: str) -> None:
    (trouble,) = troubles(session(1, **fields)).worst
    assert (trouble.reason, trouble.account, trouble.active) == (reason, "default", True)
    assert (trouble.started, trouble.age) == (600, 10)


@pytest.mark.parametrize("fields", [{"is_healthy": False}, {"issues": ("x",)}, {"ingest_rate": 0.0}])
def test_what_a_session_said_before_it_ended_is_no_trouble(fields: dict[str, Any]) -> None:
    assert troubles(session(1, age=120, **fields)).count == 0


def test_a_failed_recording_is_trouble_after_the_end_too() -> None:
    (trouble,) = troubles(session(1, age=9000, record=True, recording_status="failed")).worst
    assert (trouble.reason, trouble.active) == ("recording failed", False)


def test_the_worst_comes_first_and_among_equals_the_one_seen_last() -> None:
    found = troubles(
        session(1, record=True, recording_status="failed"),
        session(2, is_healthy=False, age=60),
        session(3, ingest_rate=0.0),
        session(4, is_healthy=False, age=5),
        session(5, issues=("x",)),
    )
    assert [each.session.id for each in found.worst] == [ident(number) for number in (4, 2, 5, 3, 1)]


def test_of_many_troubles_some_are_listed_and_all_are_counted() -> None:
    found = troubles(*[session(number, is_healthy=False, age=number / 10) for number in range(1, 200)])
    assert [each.session.id for each in found.worst] == [ident(number) for number in range(1, MOST + 1)]
    assert found.count == 199


def test_a_time_slightly_in_the_future_is_now() -> None:
    (trouble,) = troubles(session(1, age=-30, is_healthy=False)).worst
    assert trouble.age == 0


def test_a_session_that_was_never_seen_has_no_age() -> None:
    (trouble,) = troubles(Session(id="a", record=True, recording_status="failed")).worst
    assert (trouble.started, trouble.age) == (None, None)


def test_the_troubles_of_two_accounts_are_put_together_by_how_bad_they_are() -> None:
    one = troubles(session(1, issues=("x",)), account="one")
    two = troubles(session(2, is_healthy=False), session(3, ingest_rate=0.0), account="two")
    both = one.with_(two)
    assert [each.account for each in both.worst] == ["two", "one", "two"]
    assert both.count == 3

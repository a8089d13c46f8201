"""Streams: how sessions are grouped, and the state of a group."""

from typing import Any

import pytest

from exporter.cooperative import BATCH_SIZE
from exporter.sessions.session import MAX_ID, Session
from exporter.sessions.snapshot import SessionState, State
from exporter.sessions.streams import Stream, group_by_stream
from tests.support.cooperative import run_to_end


def session(name: str, state: State = "active", **fields: Any) -> SessionState:
    return Session(id=name, **fields), state


def groups(*sessions: SessionState) -> dict[str | None, list[str]]:
    streams = run_to_end(group_by_stream(sessions))
    return {stream.id: [each.id for each, _ in stream.sessions] for stream, _ in streams}


def test_sessions_of_one_parent_are_one_stream() -> None:
    found = groups(session("1", parent_id="b"), session("2", parent_id="a"), session("3", parent_id="b"))
    assert list(found.items()) == [("a", ["2"]), ("b", ["1", "3"])]


def test_sessions_without_a_parent_are_one_stream_without_an_id() -> None:
    found = groups(session("1", parent_id="a"), session("2"), session("3", parent_id=""))
    assert list(found.items()) == [(None, ["2", "3"]), ("a", ["1"])]


def test_the_stream_without_an_id_comes_before_ids_in_upper_case() -> None:
    assert list(groups(session("1", parent_id="A"), session("2"))) == [None, "A"]


def test_streams_of_more_than_one_batch_are_all_returned() -> None:
    names = [f"{number:05}" for number in range(2 * BATCH_SIZE + 1)]
    assert list(groups(*[session(name, parent_id=name) for name in names])) == names


def test_parents_that_are_the_same_label_are_one_stream() -> None:
    long = "x" * MAX_ID
    assert groups(session("1", parent_id=long + "1"), session("2", parent_id=long + "2")) == {long: ["1", "2"]}


@pytest.mark.parametrize(
    ("states", "state"),
    [
        (["ended", "active", "pending"], "active"),
        (["ended", "pending"], "pending"),
        (["ended", "ended"], "ended"),
    ],
)
def test_a_stream_is_active_before_pending_before_ended(states: list[State], state: State) -> None:
    sessions = [session(str(number), each) for number, each in enumerate(states)]
    assert [found for _, found in run_to_end(group_by_stream(sessions))] == [state]


def test_the_latest_session_is_the_one_created_last() -> None:
    stream = Stream("a", [session("1", created_at=10.0), session("2", created_at=20.0), session("3")])
    assert stream.latest[0].id == "2"


def test_a_stream_was_last_seen_when_any_of_its_sessions_was() -> None:
    assert Stream("a", [session("1", last_seen=10.0), session("2", last_seen=30.0), session("3")]).last_seen == 30
    assert Stream("a", [session("1")]).last_seen is None


def test_no_sessions_are_no_streams() -> None:
    assert groups() == {}

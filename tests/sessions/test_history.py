"""The past of a session and its stream, as the status page shows it."""

import pytest

from exporter.sessions.history import Moment, SessionHistory, history_of
from exporter.sessions.lifecycle import LifecycleState
from exporter.sessions.session import Session
from exporter.sessions.session_life import SessionLife
from exporter.sessions.stream_life import StreamLife, StreamStates
from tests.support.rows import START

SESSION = Session(id="a", parent_id="p")


def lifecycle(life: SessionLife | None = None, stream: StreamLife | None = None) -> LifecycleState:
    sessions = {} if life is None else {"a": life}
    return LifecycleState(active=sessions, streams=StreamStates({"p": stream or StreamLife()}))


def test_the_present_health_of_a_session_has_a_start() -> None:
    state = lifecycle(SessionLife(health="unhealthy", since=START - 840))
    assert history_of(SESSION, state, START) == SessionHistory(since=Moment(START - 840, 840))


@pytest.mark.parametrize("life", [None, SessionLife(since=START - 840)], ids=["not remembered", "inactive"])
def test_without_a_health_there_is_no_start(life: SessionLife | None) -> None:
    assert history_of(SESSION, lifecycle(life), START) == SessionHistory()


def test_episodes_and_reconnects_of_the_last_hour_are_counted() -> None:
    stream = StreamLife(
        recent_episodes=(START - 3601, START - 3600, START - 60),
        recent_reconnects=(START - 3700, START - 120),
    )
    assert history_of(SESSION, lifecycle(stream=stream), START) == SessionHistory(None, 2, 1, Moment(START - 120, 120))


def test_a_start_in_the_future_is_now() -> None:
    state = lifecycle(SessionLife(health="healthy", since=START + 5))
    assert history_of(SESSION, state, START).since == Moment(START + 5, 0)


def test_sessions_without_a_parent_are_not_one_stream() -> None:
    streams = StreamStates({None: StreamLife(recent_episodes=(START,))})
    assert history_of(Session(id="b"), LifecycleState(streams=streams), START) == SessionHistory()


def test_a_session_without_a_parent_has_its_own_start() -> None:
    state = lifecycle(SessionLife(health="healthy", since=START - 60))
    assert history_of(Session(id="a"), state, START) == SessionHistory(since=Moment(START - 60, 60))


def test_times_become_older() -> None:
    aged = SessionHistory(Moment(START, 5), 2, 1, Moment(START, 6)).aged(10)
    assert aged == SessionHistory(Moment(START, 15), 2, 1, Moment(START, 16))
    assert SessionHistory().aged(10) == SessionHistory()

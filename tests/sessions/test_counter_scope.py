"""The sessions that a poll can show."""

from typing import Any

import pytest

from exporter.sessions.counter_scope import CounterScope, PollTime, ScopeHistory
from exporter.sessions.session import INVALID_TIME, Session

NOW = 1_000_000.0
SCOPE = CounterScope("https://api.invalid", frozenset({"stream"}), session_window=60.0, recording_window=600.0)


def shows(scope: CounterScope = SCOPE, **fields: Any) -> bool:
    usual: dict[str, Any] = {"id": "1", "parent_id": "stream", "last_seen": NOW * 1000}
    return scope.shows(Session(**(usual | fields)), NOW)


def seen(ago: float) -> float:
    """Return the time some seconds ago in milliseconds."""
    return (NOW - ago) * 1000


def test_a_session_of_another_stream_is_not_shown() -> None:
    assert shows()
    assert not shows(parent_id="other")


@pytest.mark.parametrize(("ago", "shown"), [(60.0, True), (60.5, False)])
def test_a_session_is_shown_up_to_the_end_of_the_session_window(ago: float, shown: bool) -> None:
    assert shows(last_seen=seen(ago)) == shown


@pytest.mark.parametrize(("ago", "shown"), [(600.0, True), (600.5, False)])
def test_a_recorded_session_is_shown_up_to_the_end_of_the_recording_window(ago: float, shown: bool) -> None:
    assert shows(last_seen=seen(ago), record=True) == shown


def test_a_recording_window_below_the_session_window_hides_nothing() -> None:
    scope = CounterScope("https://api.invalid", frozenset(), session_window=60.0, recording_window=10.0)
    assert shows(scope, last_seen=seen(30.0), record=True)


def test_a_session_never_seen_is_shown_by_its_creation() -> None:
    assert shows(last_seen=None, created_at=seen(30.0))
    assert not shows(last_seen=None, created_at=seen(90.0))


def test_D02_a_session_with_an_invalid_last_seen_is_shown_by_its_creation() -> None:
    assert shows(last_seen=INVALID_TIME, created_at=seen(30.0))
    assert not shows(last_seen=INVALID_TIME, created_at=seen(90.0))


def test_a_session_without_a_time_is_shown() -> None:
    assert shows(last_seen=None)


def test_a_stream_that_the_scope_does_not_contain_is_shown_since_the_last_change() -> None:
    time = PollTime(NOW, NOW, 5.0)
    history = ScopeHistory().followed_by(SCOPE, time)
    assert history.shown_since(Session(id="1", parent_id="other")) == time

"""Which recorded sessions keep their series while they are not requested, and when they are requested."""

from typing import Any

import pytest

from exporter.livepeer.query import Scope
from exporter.polling.plan import PollStart
from exporter.polling.recordings import CLOCK_TOLERANCE, Recordings, kept, to_keep
from exporter.sessions.session import INVALID_TIME, Session
from tests.support.accounts import session
from tests.support.cooperative import run_to_end
from tests.support.rows import START

SCOPE = Scope(session_window=3600, recording_window=14_400)
REQUESTED = PollStart(START, 1000.0, b"key")


def recorded(age: float, status: str | None = "waiting", **changes: Any) -> Session:
    """Return a recorded session that was last seen some seconds before ``START``."""
    return session(1, **({"last_seen": (START - age) * 1000, "record": True, "recording_status": status} | changes))


@pytest.mark.parametrize(
    ("seconds", "credentials", "due"),
    [(0, b"key", False), (299.9, b"key", False), (300, b"key", True), (30, b"other", True), (30, None, True)],
)
def test_recordings_are_due_after_the_interval_or_with_another_key(
    seconds: float, credentials: bytes | None, due: bool
) -> None:
    started = PollStart(START + seconds, 1000.0 + seconds, credentials)
    assert Recordings(REQUESTED).are_due(started, 300.0) == due


@pytest.mark.parametrize(
    ("each", "keeps"),
    [
        pytest.param(recorded(5000), True, id="before the window"),
        pytest.param(recorded(3301), True, id="leaves the window before the next request"),
        pytest.param(recorded(3200), False, id="stays in the window until the next request"),
        pytest.param(recorded(5000, "failed"), True, id="failed"),
        pytest.param(recorded(5000, "none"), True, id="never made"),
        pytest.param(recorded(5000, "ready"), False, id="ready, so not exported before the window"),
        pytest.param(recorded(5000, None), False, id="unknown status"),
        pytest.param(recorded(5000, record=None), False, id="not recorded"),
        pytest.param(recorded(5000, last_seen=None), False, id="never seen"),
        pytest.param(recorded(5000, last_seen=INVALID_TIME), False, id="invalid time"),
    ],
)
def test_unfinished_recordings_that_may_leave_the_window_are_kept(each: Session, keeps: bool) -> None:
    assert run_to_end(to_keep([each], SCOPE, 300.0, START)) == ([each] if keeps else [])


@pytest.mark.parametrize(
    ("age", "keeps"),
    [
        (3600 + 1, True),
        (3600 - CLOCK_TOLERANCE + 1, True),
        (3600 - CLOCK_TOLERANCE - 1, False),
        (14_400 - 1, True),
        (14_400 + 1, False),
    ],
)
def test_a_session_that_was_not_read_is_kept_between_the_windows(age: float, keeps: bool) -> None:
    each = recorded(age)
    assert run_to_end(kept(Recordings(REQUESTED, [each]), [], SCOPE, START)) == ([each] if keeps else [])


def test_a_session_that_was_read_is_not_kept() -> None:
    assert run_to_end(kept(Recordings(REQUESTED, [recorded(5000)]), [session(1)], SCOPE, START)) == []

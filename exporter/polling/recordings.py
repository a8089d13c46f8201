"""Recorded sessions that have left the session window, which only some polls request.

They are a third of a poll's cost for the API, and hardly change. Those that a poll does not request keep their series:
the ones of the last poll that requested them, and the ones that have left the window since.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from exporter.cooperative import Cooperative, batches
from exporter.livepeer.query import Scope
from exporter.polling.plan import PollStart
from exporter.sessions.session import Session
from exporter.sessions.snapshot import UNFINISHED_RECORDINGS, recording_status

CLOCK_TOLERANCE: Final = 60.0
"""Seconds by which the known time of the API may change from one poll to the next."""


class Recordings(msgspec.Struct, frozen=True):
    """Sessions with unfinished or failed recordings.

    Attributes:
        requested: the start of the last good poll that requested the ones before the session window.
        sessions: those that have left the window, and those that may leave it before the next request.
    """

    requested: PollStart
    sessions: Sequence[Session] = ()

    def are_due(self, started: PollStart, interval: float) -> bool:
        """Return whether a poll requests them: after the interval, and at once with another key.

        Args:
            started: when the poll begins.
            interval: seconds from one request to the next.
        """
        age = started.monotonic - self.requested.monotonic
        return age >= interval or started.credentials != self.requested.credentials


def kept(recordings: Recordings, read: Sequence[Session], scope: Scope, now: float) -> Cooperative[list[Session]]:
    """Return the sessions before the window that a poll did not request, so they keep their series.

    A session that should still have been in the window has been deleted, and is not kept.

    Args:
        recordings: after the last good poll.
        read: what the poll has read.
        scope: the sessions that polls request.
        now: the API's Unix seconds when the poll began.
    """
    earliest = now - scope.recording_window
    latest = now - scope.session_window + CLOCK_TOLERANCE
    found = {each.id: each for each in recordings.sessions if earliest <= (each.last_seen or 0) / 1000 < latest}
    for part in batches(read) if found else ():
        for session in part:
            found.pop(session.id, None)
        yield
    return list(found.values())


def to_keep(sessions: Sequence[Session], scope: Scope, interval: float, now: float) -> Cooperative[list[Session]]:
    """Return the sessions that the next poll keeps if it does not request them.

    Args:
        sessions: all that a poll has read or kept.
        scope: the sessions that polls request.
        interval: seconds from one request for recordings to the next.
        now: the API's Unix seconds when the poll began.
    """
    latest = (now - scope.session_window + interval + CLOCK_TOLERANCE) * 1000
    found: list[Session] = []
    for part in batches(sessions):
        found += [
            each
            for each in part
            if each.record and 0 < (each.last_seen or 0) < latest and recording_status(each) in UNFINISHED_RECORDINGS
        ]
        yield
    return found

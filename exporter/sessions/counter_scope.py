"""Which sessions the polls could show: what a poll could not show before is not growth (D02 of docs/reliability.md)."""

from statistics import median
from typing import Final

import msgspec

from exporter.sessions.session import INVALID_TIME, Session

MAX_HISTORY: Final = 16
"""Changes of the scope that are remembered; sessions of earlier ones count as shown since the oldest of these."""


class CounterScope(msgspec.Struct, frozen=True):
    """The sessions that a poll can show.

    Attributes:
        base_url: of the API.
        stream_ids: the parent streams; empty for all.
        session_window: seconds; sessions last seen within it, and those created within it and never seen.
        recording_window: seconds; recorded sessions last seen within it.
    """

    base_url: str
    stream_ids: frozenset[str]
    session_window: float
    recording_window: float

    def has_stream(self, session: Session) -> bool:
        """Return whether a session's stream is in the scope."""
        return self.has_parent(session.parent_id)

    def has_parent(self, parent_id: str | None) -> bool:
        """Return whether the sessions with this ``parentId`` are in the scope."""
        return not self.stream_ids or parent_id in self.stream_ids

    def shows(self, session: Session, now: float) -> bool:
        """Return whether a poll at server time ``now`` (Unix seconds) could show a session."""
        if not self.has_stream(session):
            return False
        window = max(self.session_window, self.recording_window) if session.record else self.session_window
        # A session whose `lastSeen` is invalid was last seen at some time after its creation.
        last = session.created_at if session.last_seen == INVALID_TIME else session.last_seen or session.created_at
        return last is None or now - last / 1000 <= window


class PollTime(msgspec.Struct, frozen=True):
    """When a poll began.

    Attributes:
        server: the API's Unix seconds.
        wall: Unix seconds of our wall clock.
        monotonic: seconds of our monotonic clock.
    """

    server: float
    wall: float
    monotonic: float

    def seen_from(self, now: "PollTime") -> float:
        """Return the API's Unix seconds at this time, although one of the clocks may be wrong (D01).

        The median of what the API's clock showed then, what it shows now less the time in between, and what our wall
        clock showed then. So a fault of the API's clock, then or now, does not move a baseline.
        """
        return median((self.server, now.server - (now.monotonic - self.monotonic), self.wall))


class ScopeHistory(msgspec.Struct, frozen=True):
    """The scopes of the polls so far, each with the time of its first good poll; the newest first."""

    scopes: tuple[tuple[CounterScope, PollTime], ...] = ()

    @property
    def current(self) -> CounterScope | None:
        """Return the scope of the last good poll."""
        return self.scopes[0][0] if self.scopes else None

    def followed_by(self, scope: CounterScope, time: PollTime) -> "ScopeHistory":
        """Return the history after a good poll."""
        if scope == self.current:
            return self
        return ScopeHistory(((scope, time), *self.scopes)[:MAX_HISTORY])

    def shown_since(self, session: Session) -> PollTime:
        """Return since when the stream of a session has been in the scope without a break."""
        since = self.scopes[0][1]
        for scope, started in self.scopes:
            if not scope.has_stream(session):
                break
            since = started
        return since

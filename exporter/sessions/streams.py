"""Streams: the sessions of an account grouped by their parent stream."""

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from exporter.cooperative import Cooperative, batches
from exporter.sessions.session import MAX_ID, Session
from exporter.sessions.snapshot import ACTIVE, ENDED, PENDING, SessionState, State
from exporter.text import clean


class Stream(msgspec.Struct, frozen=True):
    """All exported sessions with the same parent stream.

    Attributes:
        id: of the parent stream, cleaned for labels; None for the sessions without a parent.
        sessions: each with its state, at least one.
    """

    id: str | None
    sessions: Sequence[SessionState]

    @property
    def state(self) -> State:
        """Return active if any session is active, else pending if any is pending, else ended."""
        states = {state for _, state in self.sessions}
        return ACTIVE if ACTIVE in states else PENDING if PENDING in states else ENDED

    @property
    def latest(self) -> SessionState:
        """Return the session that was created last; of several, the first in id order."""
        return max(self.sessions, key=lambda each: each[0].created_at or 0)

    @property
    def last_seen(self) -> float | None:
        """Return the latest ``lastSeen``, in milliseconds."""
        return max((session.last_seen for session, _ in self.sessions if session.last_seen is not None), default=None)


StreamState = tuple[Stream, State]


def stream_id(session: Session) -> str | None:
    """Return the id of a session's parent stream, see `stream_of`."""
    return stream_of(session.parent_id)


def stream_of(parent_id: str | None) -> str | None:
    """Return the id of a stream, cleaned for labels; ids that become the same text are one stream."""
    return clean(parent_id, MAX_ID) if parent_id else None


def group_by_stream(sessions: Sequence[SessionState]) -> Cooperative[list[StreamState]]:
    """Group sessions by parent stream.

    Returns:
        Each stream with its state, ordered by id; the sessions without a parent come first.
    """
    members: defaultdict[str | None, list[SessionState]] = defaultdict(list)
    for part in batches(sessions):
        for each in part:
            members[stream_id(each[0])].append(each)
        yield
    streams: list[StreamState] = []
    for ids in batches(sorted(members, key=lambda name: name or "")):
        found = [Stream(name, members[name]) for name in ids]
        streams += [(stream, stream.state) for stream in found]
        yield
    return streams

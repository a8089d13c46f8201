"""A session that the status page lists, and why."""

import math
from collections.abc import Mapping
from enum import IntEnum
from typing import Final

import msgspec

from exporter.sessions.history import SessionHistory
from exporter.sessions.session import Session

MAX_LISTED: Final = 50
"""Maximum number of sessions with problems that are listed; a longer list is not read."""


class Kind(IntEnum):
    """Why a session is listed, the worst first. From `ENDED` on the kinds are not problems."""

    UNHEALTHY = 0
    ISSUES = 1
    NO_INGEST = 2
    RECORDING_FAILED = 3
    ENDED = 4
    WAITING = 5
    LIVE = 6
    RECONNECTING = 7  # the latest session stands for its stream, an active one if there is any


PROBLEM_KINDS: Final = (Kind.UNHEALTHY, Kind.ISSUES, Kind.NO_INGEST, Kind.RECORDING_FAILED)

LIST_LIMITS: Final[Mapping[Kind, int]] = {
    Kind.UNHEALTHY: MAX_LISTED,
    Kind.ISSUES: MAX_LISTED,
    Kind.NO_INGEST: MAX_LISTED,
    Kind.RECORDING_FAILED: 5,  # one broken storage fails the recordings of hours, which must not hide everything else
    Kind.ENDED: 20,
    Kind.WAITING: 20,
    Kind.LIVE: 100,
    Kind.RECONNECTING: 20,
}
"""How many sessions of a kind are listed."""


class Problem(msgspec.Struct, frozen=True, gc=False):
    """A session that is listed.

    Attributes:
        kind: why.
        account: the account's name.
        session: the session.
        active: whether it is active.
        created_ago: seconds since it was created, None if unknown.
        seen_ago: seconds since its last media, None if it was never seen.
        resumed: for an ended session, whether another session of its stream had media after it.
        history: of the session and its stream.
    """

    kind: Kind
    account: str
    session: Session
    active: bool
    created_ago: float | None
    seen_ago: float | None
    resumed: bool = False
    history: SessionHistory = SessionHistory()

    def aged(self, seconds: float) -> "Problem":
        """Return the same problem, some seconds later."""
        created, seen = (None if each is None else each + seconds for each in (self.created_ago, self.seen_ago))
        history = self.history.aged(seconds)
        return msgspec.structs.replace(self, created_ago=created, seen_ago=seen, history=history)

    @property
    def rank(self) -> tuple[bool, float]:
        """The place among the problems of its kind; the smallest comes first.

        Active sessions with the oldest media come first: the API updates a live session every 50 to 52 s, so one that
        is older than that is likely to have stopped. All others are listed with the most recent first, and ended ones
        whose stream has not returned before those whose stream has. Sessions without a known age come last. The stream
        that reconnected most often comes first.
        """
        if self.kind == Kind.RECONNECTING:
            return False, -self.history.reconnects
        age = self.created_ago if self.kind in (Kind.WAITING, Kind.LIVE) else self.seen_ago
        if age is None:
            return self.resumed, math.inf
        return self.resumed, -age if self.kind < Kind.RECORDING_FAILED else age

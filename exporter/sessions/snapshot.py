"""The last good answer of an account: its sessions, their state, and their totals.

Everything here is a value, or a function from values to values; nothing knows HTTP, the clock or the exposition.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from exporter.cooperative import Cooperative, batches
from exporter.sessions.session import Session

PENDING: Final = "pending"
ACTIVE: Final = "active"
ENDED: Final = "ended"
STATES: Final = (PENDING, ACTIVE, ENDED)
HEALTH: Final = ("healthy", "unhealthy", "unknown")
RECORDING_STATUSES: Final = ("waiting", "ready", "failed", "deleted", "none", "unknown")
UNFINISHED_RECORDINGS: Final = frozenset({"waiting", "failed", "none"})
"""A recorded session further back than the window stays while its recording is one of these."""

FINISHED: Final = ("ready", "failed")
COUNTED: Final = (
    "source_segments",
    "transcoded_segments",
    "source_segments_duration",
    "transcoded_segments_duration",
    "source_bytes",
    "transcoded_bytes",
)
"""The cumulative fields whose positive changes an account counts."""


def recording_status(session: Session) -> str | None:
    """One of ``RECORDING_STATUSES``; None for a session that is not recorded."""
    if not session.record:
        return None
    return session.recording_status if session.recording_status in RECORDING_STATUSES else "unknown"


def health(session: Session) -> str:
    """One of ``HEALTH``; only to be believed while the session is active."""
    return "unknown" if session.is_healthy is None else "healthy" if session.is_healthy else "unhealthy"


@dataclass(frozen=True, slots=True)
class Windows:
    """How old a session may be; seconds.

    Attributes:
        session: seen, or created and not seen yet, within it: it is shown.
        active: seen within it: it is active. Upstream writes ``lastSeen`` every 50 to 52 s; its own constant is 90 s.
    """

    session: float
    active: float

    def state(self, session: Session, now: float) -> str:
        """One of ``STATES`` at the server's time ``now``, Unix seconds. A time slightly in the future is now."""
        if session.last_seen:
            return ACTIVE if now - session.last_seen / 1000 <= self.active else ENDED
        return PENDING if session.created_at is not None and self.holds(session.created_at, now) else ENDED

    def shows(self, session: Session, now: float) -> bool:
        """Whether a session belongs on the page: within the window, or with a recording that is not finished.

        Where ``lastSeen`` is 0 or unreadable the server's own filter is believed.
        """
        if not session.last_seen or self.holds(session.last_seen, now):
            return True
        return recording_status(session) in UNFINISHED_RECORDINGS

    def holds(self, milliseconds: float, now: float) -> bool:
        """Whether a moment lies within the window."""
        return now - milliseconds / 1000 <= self.session


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all sessions of a snapshot, whatever the budget keeps off the page; rates over active ones, bytes/s."""

    sessions: Mapping[str, int]
    health: Mapping[str, int]
    recordings: Mapping[str, int]
    ingest_rate: float
    outgoing_rate: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One complete answer.

    Attributes:
        account: the label's value.
        began: our Unix seconds when the walk began.
        server_time: the server's Unix seconds at the same moment.
        sessions: all that are shown, ordered by id; on the board no longer, since they are most of the memory.
        states: the state of each, in the same order.
        totals: the sums over them.
    """

    account: str
    began: float
    server_time: float
    sessions: Sequence[Session]
    states: Sequence[str]
    totals: Totals


def take(
    account: str, sessions: Sequence[Session], *, windows: Windows, began: float, server_time: float
) -> Cooperative[Snapshot]:
    """Make a snapshot of what a walk has read; sessions that the windows do not show are left out."""
    shown: list[Session] = []
    for part in batches(sessions):
        shown += [each for each in part if windows.shows(each, server_time)]
        yield
    shown.sort(key=attrgetter("id"))
    yield
    states: list[str] = []
    sums = _Sums()
    for part in batches(shown):
        found = [windows.state(each, server_time) for each in part]
        sums.add(part, found)
        states += found
        yield
    return Snapshot(account, began, server_time, shown, states, sums.totals())


class _Sums:
    """Adds up totals part by part."""

    def __init__(self) -> None:
        self._states: Counter[str] = Counter()
        self._health: Counter[str] = Counter()
        self._recordings: Counter[str] = Counter()
        self._ingest: list[float] = []
        self._outgoing: list[float] = []

    def add(self, sessions: Sequence[Session], states: Sequence[str]) -> None:
        active = [session for session, state in zip(sessions, states, strict=True) if state == ACTIVE]
        self._states.update(states)
        self._health.update(map(health, active))
        self._recordings.update(status for status in map(recording_status, sessions) if status)
        self._ingest += [session.ingest_rate for session in active if session.ingest_rate]
        self._outgoing += [session.outgoing_rate for session in active if session.outgoing_rate]

    def totals(self) -> Totals:
        """Every state, health and status is there, with zero where nothing is."""
        return Totals(
            sessions={name: self._states[name] for name in STATES},
            health={name: self._health[name] for name in HEALTH},
            recordings={name: self._recordings[name] for name in RECORDING_STATUSES},
            ingest_rate=math.fsum(self._ingest),
            outgoing_rate=math.fsum(self._outgoing),
        )

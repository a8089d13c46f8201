"""The last good answer of an account: its sessions, their state, their totals, and what happened since the one before.

Everything here is a value, or a function from values to values; nothing knows HTTP, the clock or the exposition.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from typing import Final

from exporter.session import Session
from exporter.steps import Steps, slices

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
) -> Steps[Snapshot]:
    """Make a snapshot of what a walk has read; sessions that the windows do not show are left out."""
    shown: list[Session] = []
    for part in slices(sessions):
        shown += [each for each in part if windows.shows(each, server_time)]
        yield
    shown.sort(key=attrgetter("id"))
    yield
    states: list[str] = []
    sums = _Sums()
    for part in slices(shown):
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


Cumulative = tuple[float | None, ...]
Entry = tuple[Cumulative, str | None, float | None]
"""What is remembered of a session: its cumulative values, the status of its recording, and ``createdAt``."""

MISSING: Final = 10_000
"""Missing sessions that are remembered in any case; without any end, a crowd that comes and goes fills the memory."""

_cumulative = attrgetter(*COUNTED)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What an account's counters need to know of the poll before: per session its cumulative values and its recording.

    Attributes:
        entries: None before the first poll, which is the baseline: what it holds was there before us. Sessions that
            are missing stand behind those that are there, the longest missing last.
        most: sessions that a poll had at most; so many missing ones are remembered, or ``MISSING`` if that is more.
    """

    entries: Mapping[str, Entry] | None = None
    most: int = 0


@dataclass(frozen=True, slots=True)
class Growth:
    """What happened between two polls.

    Attributes:
        amounts: per field of ``COUNTED`` the sum of the positive changes.
        regressions: per field how many values fell; a fall counts nothing.
        started: sessions that were created since.
        recordings: per result of ``FINISHED`` how many recordings got there.
    """

    amounts: Mapping[str, float] = field(default_factory=dict)
    regressions: Mapping[str, int] = field(default_factory=dict)
    started: int = 0
    recordings: Mapping[str, int] = field(default_factory=dict)


def compare(
    ledger: Ledger, sessions: Sequence[Session], *, windows: Windows, now: float
) -> Steps[tuple[Ledger, Growth]]:
    """Compare a poll with the one before.

    A session that is new counts in full if it was created within the window; else it left the window and came back,
    and its values are its baseline. A value that is missing for once keeps its last one, and a session that is missing
    for once is remembered for as long as it would count as new when it comes back.

    Args:
        ledger: the poll before.
        sessions: everything that this poll read, also what is not shown: recordings finish after the window, too.
        windows: for what counts as new.
        now: the server's Unix seconds.
    """
    before = ledger.entries
    entries: dict[str, Entry] = {}
    amounts: dict[str, float] = dict.fromkeys(COUNTED, 0.0)
    regressions: dict[str, int] = dict.fromkeys(COUNTED, 0)
    finished: dict[str, int] = dict.fromkeys(FINISHED, 0)
    started = unknown = 0
    for part in slices(sessions):
        changes: list[tuple[Cumulative, Cumulative]] = []
        for session in part:
            entry: Entry = (_cumulative(session), recording_status(session), session.created_at)
            known = before.get(session.id) if before is not None else entry
            if known is None:
                unknown += 1
                known = entry
                if session.created_at is not None and windows.holds(session.created_at, now):
                    started += 1
                    known = (_NOTHING, None, None)
            if entry != known:
                status = known[1] if entry[1] in _UNTOLD else entry[1]
                if status != known[1] and status in finished:
                    finished[status] += 1
                created = known[2] if entry[2] is None else entry[2]
                changes.append((known[0], entry[0]))
                entry = (_kept(known[0], entry[0]), status, created)
            entries[session.id] = entry
        _add_up(changes, amounts, regressions)
        yield
    most = max(ledger.most, len(sessions))
    missing: dict[str, Entry] = {}
    earlier = before or {}
    all_there = len(entries) - unknown == len(earlier)
    for names in slices(() if all_there else tuple(earlier)):
        gone = [name for name in names if name not in entries]
        missing |= {name: earlier[name] for name in gone if _would_be_new(earlier[name], windows, now)}
        yield
    entries |= islice(missing.items(), max(most, MISSING))
    return Ledger(entries, most), Growth(amounts, regressions, started, finished)


_NOTHING: Final[Cumulative] = (0.0,) * len(COUNTED)
_UNTOLD: Final = (None, "unknown")


def _would_be_new(entry: Entry, windows: Windows, now: float) -> bool:
    return entry[2] is not None and windows.holds(entry[2], now)


def _kept(before: Cumulative, after: Cumulative) -> Cumulative:
    """The values to compare with next time."""
    if all(after):  # no None, nor 0, which is much faster to tell
        return after
    return tuple(old if new is None else new for old, new in zip(before, after, strict=True))


def _add_up(
    changes: Sequence[tuple[Cumulative, Cumulative]], amounts: dict[str, float], regressions: dict[str, int]
) -> None:
    """Add up what has changed in some sessions, one field after the other."""
    if not changes:
        return
    befores, afters = zip(*changes, strict=True)
    columns = zip(COUNTED, zip(*befores, strict=True), zip(*afters, strict=True), strict=True)
    for name, olds, news in columns:
        grown = [new - old for old, new in zip(olds, news, strict=True) if old is not None and new is not None]
        amounts[name] += sum([each for each in grown if each > 0])
        regressions[name] += sum([each < 0 for each in grown])

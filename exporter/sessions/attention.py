"""The sessions that the status page lists: those that need attention, those that have changed recently, live ones."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from heapq import nsmallest
from itertools import chain
from operator import attrgetter
from typing import Final

import msgspec
from msgspec.structs import replace

from exporter.cooperative import Cooperative, batches
from exporter.sessions.history import history_of
from exporter.sessions.lifecycle import LifecycleState
from exporter.sessions.problem import LIST_LIMITS, MAX_LISTED, PROBLEM_KINDS, Kind, Problem
from exporter.sessions.session import Session
from exporter.sessions.snapshot import ACTIVE, ENDED, PENDING, SessionState, Snapshot, State
from exporter.sessions.stream_life import recent
from exporter.sessions.streams import stream_id

RECENT_END: Final = 900.0
"""Seconds after the last media within which the end of a session is listed."""

SLOW_START: Final = 180.0
"""Seconds after its creation from which a session without any media is listed."""


class Problems(msgspec.Struct, frozen=True):
    """The listed sessions of one or several accounts.

    Attributes:
        listed: per kind the first few, see `LIST_LIMITS`.
        counts: per kind the number of all.
    """

    listed: Mapping[Kind, tuple[Problem, ...]] = msgspec.field(default_factory=dict)
    counts: Mapping[Kind, int] = msgspec.field(default_factory=dict)

    @property
    def worst(self) -> tuple[Problem, ...]:
        """Return the sessions with problems, the worst first, at most ``MAX_LISTED``."""
        return tuple(chain.from_iterable(self.listed.get(kind, ()) for kind in PROBLEM_KINDS))[:MAX_LISTED]

    @property
    def count(self) -> int:
        """Return the number of sessions with problems."""
        return sum(self.counts.get(kind, 0) for kind in PROBLEM_KINDS)

    def merged(self, other: "Problems") -> "Problems":
        """Return the problems of two accounts."""
        return self.extended(other.listed, other.counts)

    def extended(self, found: Mapping[Kind, Sequence[Problem]], counts: Mapping[Kind, int]) -> "Problems":
        """Return these problems and others; ``counts`` are the numbers of all others, listed or not."""
        first = {
            kind: tuple(nsmallest(LIST_LIMITS[kind], (*self.listed.get(kind, ()), *many), key=attrgetter("rank")))
            for kind, many in found.items()
        }
        return Problems({**self.listed, **first}, Counter(self.counts) + Counter(counts))

    def aged(self, seconds: float) -> "Problems":
        """Return the same problems, some seconds later."""
        listed = {kind: tuple(each.aged(seconds) for each in many) for kind, many in self.listed.items()}
        return replace(self, listed=listed)


_NO_LIFECYCLE: Final = LifecycleState()


def find_problems(account: str, snapshot: Snapshot, lifecycle: LifecycleState = _NO_LIFECYCLE) -> Cooperative[Problems]:
    """Find the sessions of a snapshot to list; no reference to any other is kept.

    Args:
        account: its name.
        snapshot: of the poll.
        lifecycle: after the poll; without streams if a poll sees only some sessions of each.
    """
    finder = _Finder(account, snapshot, lifecycle)
    for part in batches(snapshot.sessions):
        finder.add(part)
        yield
    finder.add_live()
    yield
    yield from finder.add_reconnecting()
    yield from finder.add_ended()
    return finder.problems


class _Finder:
    """Finds the sessions to list, some at a time.

    Attributes:
        problems: what was found.
    """

    def __init__(self, account: str, snapshot: Snapshot, lifecycle: LifecycleState) -> None:
        self.problems = Problems()
        self._account = account
        self._snapshot = snapshot
        self._lifecycle = lifecycle
        self._now = snapshot.server_time
        self._live: list[Session] = []
        self._ended: list[Session] = []
        self._reconnecting: Collection[str] = ()

    def add(self, sessions: Sequence[SessionState]) -> None:
        """Find problems and slow starts, and collect live sessions and those that have ended."""
        now = self._now
        found: defaultdict[Kind, list[Problem]] = defaultdict(list)
        for session, state in sessions:
            kind = _problem(session, state)
            if kind is not None:
                found[kind].append(self._listed(kind, session, active=state == ACTIVE))
            if state == ACTIVE:
                self._live.append(session)
            elif state == PENDING and _is_slow(session, now):
                found[Kind.WAITING].append(self._listed(Kind.WAITING, session))
            elif state == ENDED and _has_ended_recently(session, now):
                self._ended.append(session)
        if found:
            self.problems = self.problems.extended(found, {kind: len(many) for kind, many in found.items()})

    def add_live(self) -> None:
        """Find the live sessions that were created last."""
        latest = nsmallest(LIST_LIMITS[Kind.LIVE], self._live, key=_by_creation)
        self._extend([self._listed(Kind.LIVE, session, active=True) for session in latest], len(self._live))

    def add_reconnecting(self) -> Cooperative[None]:
        """Find the streams that have reconnected in the last hour."""
        streams, now = self._lifecycle.streams.present, self._now
        times = {name: recent(life.recent_reconnects, now) for name, life in streams.items() if life.recent_reconnects}
        counts = {name: len(found) for name, found in times.items() if name and found}
        latest: dict[str, SessionState] = {}
        for part in batches(self._snapshot.sessions) if counts else ():
            for each in part:
                name = stream_id(each[0])
                if name in counts and (name not in latest or _by_activity(each) < _by_activity(latest[name])):
                    latest[name] = each
            yield
        self._reconnecting = latest.keys()
        listed = nsmallest(LIST_LIMITS[Kind.RECONNECTING], latest, key=lambda name: -counts[name])
        rows = (self._listed(Kind.RECONNECTING, latest[name][0], active=latest[name][1] == ACTIVE) for name in listed)
        self._extend(list(rows), len(latest))

    def add_ended(self) -> Cooperative[None]:
        """Find the sessions that have ended, except for those that a reconnecting stream has continued."""
        last_media = yield from _last_media(self._ended, self._live)
        gone, resumed = [], []
        for sessions in batches(self._ended):
            for session in sessions:
                if last_media.get(session.parent_id or "", 0.0) <= (session.last_seen or 0.0):
                    gone.append(session)
                elif stream_id(session) not in self._reconnecting:
                    resumed.append(session)
            yield
        latest = [nsmallest(LIST_LIMITS[Kind.ENDED], sessions, key=_by_last_media) for sessions in (gone, resumed)]
        for sessions, is_resumed in zip(latest, (False, True), strict=True):
            rows = [self._listed(Kind.ENDED, session, resumed=is_resumed) for session in sessions]
            self._extend(rows, len(resumed if is_resumed else gone))

    def _extend(self, found: Sequence[Problem], count: int) -> None:
        """Add sessions of one kind; ``count`` is the number of all, listed or not."""
        if found:
            kind = found[0].kind
            self.problems = self.problems.extended({kind: found}, {kind: count})

    def _listed(self, kind: Kind, session: Session, *, active: bool = False, resumed: bool = False) -> Problem:
        created, seen = _age(session.created_at, self._now), _age(session.last_seen, self._now)
        history = history_of(session, self._lifecycle, self._now)
        return Problem(kind, self._account, session, active, created, seen, resumed, history)


def _last_media(ended: Sequence[Session], live: Sequence[Session]) -> Cooperative[Mapping[str, float]]:
    """Return the latest ``lastSeen`` of the streams of the sessions that have ended recently, by ``parentId``.

    All others had their last media before these.
    """
    latest = {session.parent_id: 0.0 for session in ended if session.parent_id}
    for part in (*batches(ended), *batches(live)) if latest else ():
        for session in part:
            parent, seen = session.parent_id, session.last_seen
            if parent in latest and seen and seen > latest[parent]:
                latest[parent] = seen
        yield
    return latest


def _age(milliseconds: float | None, now: float) -> float | None:
    return max(0.0, now - milliseconds / 1000) if milliseconds and milliseconds > 0 else None


def _problem(session: Session, state: State) -> Kind | None:
    if state == ACTIVE:
        if session.is_healthy is False:
            return Kind.UNHEALTHY
        if session.issues:
            return Kind.ISSUES
        if session.ingest_rate == 0:
            return Kind.NO_INGEST
    return Kind.RECORDING_FAILED if session.record and session.recording_status == "failed" else None


def _has_ended_recently(session: Session, now: float) -> bool:
    return bool(session.last_seen) and now - (session.last_seen or 0.0) / 1000 <= RECENT_END


def _is_slow(session: Session, now: float) -> bool:
    return bool(session.created_at) and now - (session.created_at or 0.0) / 1000 >= SLOW_START


def _by_creation(session: Session) -> float:
    return -(session.created_at or 0.0)


def _by_activity(each: SessionState) -> tuple[bool, float]:
    session, state = each
    return state != ACTIVE, _by_creation(session)


def _by_last_media(session: Session) -> float:
    return -(session.last_seen or 0.0)

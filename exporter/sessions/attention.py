"""The sessions that the status page lists: those that need attention, those that have changed recently, live ones."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from heapq import nsmallest
from itertools import chain
from typing import Final

from exporter.cooperative import Cooperative, batches
from exporter.sessions.session import Session
from exporter.sessions.snapshot import ACTIVE, ENDED, PENDING, Snapshot, State, recording_status

MAX_LISTED: Final = 50
"""Maximum number of sessions with problems that are listed; a longer list is not read."""

RECENT_END: Final = 900.0
"""Seconds after the last media within which the end of a session is listed."""

SLOW_START: Final = 180.0
"""Seconds after its creation from which a session without any media is listed."""


class Kind(IntEnum):
    """Why a session is listed, the worst first. From `ENDED` on the kinds are not problems."""

    UNHEALTHY = 0
    ISSUES = 1
    NO_INGEST = 2
    RECORDING_FAILED = 3
    ENDED = 4
    WAITING = 5
    LIVE = 6


PROBLEM_KINDS: Final = (Kind.UNHEALTHY, Kind.ISSUES, Kind.NO_INGEST, Kind.RECORDING_FAILED)

LIST_LIMITS: Final[Mapping[Kind, int]] = {
    Kind.UNHEALTHY: MAX_LISTED,
    Kind.ISSUES: MAX_LISTED,
    Kind.NO_INGEST: MAX_LISTED,
    Kind.RECORDING_FAILED: 5,  # one broken storage fails the recordings of hours, which must not hide everything else
    Kind.ENDED: 20,
    Kind.WAITING: 20,
    Kind.LIVE: 100,
}
"""How many sessions of a kind are listed."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A session that is listed.

    Attributes:
        kind: why.
        account: the account's name.
        session: the session.
        active: whether it is active.
        created_ago: seconds since it was created, None if unknown.
        seen_ago: seconds since its last media, None if it was never seen.
        resumed: for an ended session, whether another session of its stream had media after it.
    """

    kind: Kind
    account: str
    session: Session
    active: bool
    created_ago: float | None
    seen_ago: float | None
    resumed: bool = False

    def aged(self, seconds: float) -> "Problem":
        """Return the same problem, some seconds later."""
        created, seen = (None if each is None else each + seconds for each in (self.created_ago, self.seen_ago))
        return replace(self, created_ago=created, seen_ago=seen)


@dataclass(frozen=True, slots=True)
class Problems:
    """The listed sessions of one or several accounts.

    Attributes:
        listed: per kind the first few, see `LIST_LIMITS`.
        counts: per kind the number of all.
    """

    listed: Mapping[Kind, tuple[Problem, ...]] = field(default_factory=dict)
    counts: Mapping[Kind, int] = field(default_factory=dict)

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
            kind: tuple(nsmallest(LIST_LIMITS[kind], (*self.listed.get(kind, ()), *many), key=_rank))
            for kind, many in found.items()
        }
        return Problems({**self.listed, **first}, Counter(self.counts) + Counter(counts))

    def aged(self, seconds: float) -> "Problems":
        """Return the same problems, some seconds later."""
        listed = {kind: tuple(each.aged(seconds) for each in many) for kind, many in self.listed.items()}
        return replace(self, listed=listed)


def _rank(problem: Problem) -> tuple[bool, float]:
    """Order the sessions of a kind, the smaller first.

    Active sessions with the oldest media come first: the API updates a live session every 50 to 52 s, so one that is
    older than that is likely to have stopped. All others are listed with the most recent first, and ended ones whose
    stream has not returned before those whose stream has. Sessions without a known age come last.
    """
    age = problem.created_ago if problem.kind in (Kind.WAITING, Kind.LIVE) else problem.seen_ago
    if age is None:
        return problem.resumed, math.inf
    return problem.resumed, -age if problem.kind < Kind.RECORDING_FAILED else age


def find_problems(account: str, snapshot: Snapshot) -> Cooperative[Problems]:
    """Find the sessions of a snapshot to list; no reference to any other is kept."""
    now = snapshot.server_time
    problems = Problems()
    recently_ended: list[Session] = []
    for part in batches(snapshot.sessions):
        found: defaultdict[Kind, list[Problem]] = defaultdict(list)
        live: list[Session] = []
        for session, state in part:
            kind = _problem(session, state)
            if kind is not None:
                found[kind].append(_listed(kind, account, session, now, active=state == ACTIVE))
            if state == ACTIVE:
                live.append(session)
            elif state == PENDING and _is_slow(session, now):
                found[Kind.WAITING].append(_listed(Kind.WAITING, account, session, now))
            elif state == ENDED and _has_ended_recently(session, now):
                recently_ended.append(session)
        counts = {kind: len(many) for kind, many in found.items()}
        if live:
            latest = nsmallest(LIST_LIMITS[Kind.LIVE], live, key=_by_creation)
            found[Kind.LIVE] = [_listed(Kind.LIVE, account, session, now, active=True) for session in latest]
            counts[Kind.LIVE] = len(live)
        if found:
            problems = problems.extended(found, counts)
        yield
    last_media = yield from _last_media(recently_ended, snapshot)
    for sessions in batches(recently_ended):
        ended = [_ended(account, session, now, last_media) for session in sessions]
        problems = problems.extended({Kind.ENDED: ended}, {Kind.ENDED: len(ended)})
        yield
    return problems


def _last_media(ended: Sequence[Session], snapshot: Snapshot) -> Cooperative[Mapping[str, float]]:
    """Return the latest ``lastSeen`` of the streams of some sessions, by ``parentId``."""
    latest = {session.parent_id: 0.0 for session in ended if session.parent_id}
    for part in batches(snapshot.sessions) if latest else ():
        for session, _ in part:
            parent, seen = session.parent_id, session.last_seen
            if parent in latest and seen and seen > latest[parent]:
                latest[parent] = seen
        yield
    return latest


def _ended(account: str, session: Session, now: float, last_media: Mapping[str, float]) -> Problem:
    resumed = last_media.get(session.parent_id or "", 0.0) > (session.last_seen or 0.0)
    return replace(_listed(Kind.ENDED, account, session, now), resumed=resumed)


def _listed(kind: Kind, account: str, session: Session, now: float, *, active: bool = False) -> Problem:
    created, seen = _age(session.created_at, now), _age(session.last_seen, now)
    return Problem(kind, account, session, active, created, seen)


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
    return Kind.RECORDING_FAILED if recording_status(session) == "failed" else None


def _has_ended_recently(session: Session, now: float) -> bool:
    return bool(session.last_seen) and now - (session.last_seen or 0.0) / 1000 <= RECENT_END


def _is_slow(session: Session, now: float) -> bool:
    return bool(session.created_at) and now - (session.created_at or 0.0) / 1000 >= SLOW_START


def _by_creation(session: Session) -> float:
    return -(session.created_at or 0.0)

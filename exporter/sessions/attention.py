"""Which sessions need attention, the worst first, and which have changed recently; for the status page."""

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
    """Why a session is listed, the worst first. `ENDED` and `WAITING` are events rather than problems."""

    UNHEALTHY = 0
    ISSUES = 1
    NO_INGEST = 2
    RECORDING_FAILED = 3
    ENDED = 4
    WAITING = 5


PROBLEM_KINDS: Final = (Kind.UNHEALTHY, Kind.ISSUES, Kind.NO_INGEST, Kind.RECORDING_FAILED)

LIST_LIMITS: Final[Mapping[Kind, int]] = {
    Kind.UNHEALTHY: MAX_LISTED,
    Kind.ISSUES: MAX_LISTED,
    Kind.NO_INGEST: MAX_LISTED,
    Kind.RECORDING_FAILED: 5,  # one broken storage fails the recordings of hours, which must not hide everything else
    Kind.ENDED: 20,
    Kind.WAITING: 20,
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
        resumed: for an ended session, whether its stream is live in another one.
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


def _rank(problem: Problem) -> float:
    """Order the sessions of a kind, the smaller first.

    Active sessions with the oldest media come first: the API updates a live session every 50 to 52 s, so one that is
    older than that is likely to have stopped. All others are listed with the most recent first. Sessions without a
    known age come last.
    """
    age = problem.created_ago if problem.kind == Kind.WAITING else problem.seen_ago
    if age is None:
        return math.inf
    return -age if problem.kind < Kind.RECORDING_FAILED else age


def find_problems(account: str, snapshot: Snapshot) -> Cooperative[Problems]:
    """Find the sessions of a snapshot to list; no reference to any other is kept."""
    now = snapshot.server_time
    problems = Problems()
    for part in batches(snapshot.sessions):
        found: defaultdict[Kind, list[Problem]] = defaultdict(list)
        for session, state in part:
            for kind in (_problem(session, state), _event(session, state, now)):
                if kind is not None:
                    found[kind].append(_listed(kind, account, session, state, now))
        if found:
            problems = problems.extended(found, {kind: len(many) for kind, many in found.items()})
        yield
    return (yield from _mark_resumed(problems, snapshot))


def _mark_resumed(problems: Problems, snapshot: Snapshot) -> Cooperative[Problems]:
    """Mark the ended sessions whose stream is live in another session."""
    ended = problems.listed.get(Kind.ENDED, ())
    parents = {each.session.parent_id for each in ended if each.session.parent_id}
    live: set[str | None] = set()
    for part in batches(snapshot.sessions) if parents else ():
        live |= {session.parent_id for session, state in part if state == ACTIVE and session.parent_id in parents}
        yield
    marked = tuple(replace(each, resumed=each.session.parent_id in live) for each in ended)
    return replace(problems, listed={**problems.listed, Kind.ENDED: marked}) if live else problems


def _listed(kind: Kind, account: str, session: Session, state: State, now: float) -> Problem:
    created, seen = _age(session.created_at, now), _age(session.last_seen, now)
    return Problem(kind, account, session, state == ACTIVE, created, seen)


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


def _event(session: Session, state: State, now: float) -> Kind | None:
    if state == ENDED and session.last_seen and now - session.last_seen / 1000 <= RECENT_END:
        return Kind.ENDED
    if state == PENDING and session.created_at and now - session.created_at / 1000 >= SLOW_START:
        return Kind.WAITING
    return None

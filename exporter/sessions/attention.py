"""Which sessions people should look at first, for the page that they read."""

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
from exporter.sessions.snapshot import ACTIVE, ENDED, PENDING, Snapshot, recording_status

MOST: Final = 50
"""Sessions in trouble that are listed; more of them nobody reads."""

LATELY: Final = 900.0
"""Seconds after the last media for which the end of a session is news."""

PATIENCE: Final = 180.0
"""Seconds after which it is news that a session was created and has no media yet."""


class Kind(IntEnum):
    """Why a session is listed: the smaller, the worse. The last two are no trouble, only news."""

    UNHEALTHY = 0
    ISSUES = 1
    SILENT = 2
    RECORDING = 3
    ENDED = 4
    WAITING = 5


PROBLEM_KINDS: Final = (Kind.UNHEALTHY, Kind.ISSUES, Kind.SILENT, Kind.RECORDING)

LISTED: Final[Mapping[Kind, int]] = {
    Kind.UNHEALTHY: MOST,
    Kind.ISSUES: MOST,
    Kind.SILENT: MOST,
    Kind.RECORDING: 5,  # one broken storage fails the recordings of hours, which must not hide everything else
    Kind.ENDED: 20,
    Kind.WAITING: 20,
}
"""How many sessions of a kind are listed."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A session that is listed.

    ``started`` and ``age`` are seconds since it was created, and since its last media. ``back`` tells of a session
    that ended whether its stream is live in another one.
    """

    kind: Kind
    account: str
    session: Session
    active: bool
    started: float | None
    age: float | None
    back: bool = False

    def later(self, seconds: float) -> "Problem":
        """The same when nothing more was heard of it for so many seconds."""
        started, age = (None if each is None else each + seconds for each in (self.started, self.age))
        return replace(self, started=started, age=age)


@dataclass(frozen=True, slots=True)
class Problems:
    """The sessions that are listed.

    Attributes:
        listed: the first few of each kind.
        counts: how many there are of each kind in all.
    """

    listed: Mapping[Kind, tuple[Problem, ...]] = field(default_factory=dict)
    counts: Mapping[Kind, int] = field(default_factory=dict)

    @property
    def worst(self) -> tuple[Problem, ...]:
        """The sessions in trouble, the worst first."""
        return tuple(chain.from_iterable(self.listed.get(kind, ()) for kind in PROBLEM_KINDS))[:MOST]

    @property
    def count(self) -> int:
        """How many sessions are in trouble."""
        return sum(self.counts.get(kind, 0) for kind in PROBLEM_KINDS)

    def with_(self, others: "Problems") -> "Problems":
        """Those of two accounts together."""
        return self.and_(others.listed, others.counts)

    def and_(self, found: Mapping[Kind, Sequence[Problem]], counts: Mapping[Kind, int]) -> "Problems":
        """These and others, which are so many in all."""
        first = {
            kind: tuple(nsmallest(LISTED[kind], (*self.listed.get(kind, ()), *many), key=_order))
            for kind, many in found.items()
        }
        return Problems({**self.listed, **first}, Counter(self.counts) + Counter(counts))

    def later(self, seconds: float) -> "Problems":
        """The same when nothing more was heard for so many seconds."""
        return replace(
            self, listed={kind: tuple(each.later(seconds) for each in many) for kind, many in self.listed.items()}
        )


def _order(problem: Problem) -> float:
    """Among sessions of a kind the smaller comes first.

    Of those that are live the longest silent: upstream writes every 50 to 52 s, so who is silent for longer than that
    goes dark next. Of all others the latest, which is the one that can still be news. Who has no age comes last.
    """
    age = problem.started if problem.kind == Kind.WAITING else problem.age
    if age is None:
        return math.inf
    return -age if problem.kind < Kind.RECORDING else age


def find(snapshot: Snapshot) -> Cooperative[Problems]:
    """The sessions of a snapshot that are listed; of the others none is kept beyond a step."""
    now = snapshot.server_time
    problems = Problems()
    for part, states in zip(batches(snapshot.sessions), batches(snapshot.states), strict=True):
        found: defaultdict[Kind, list[Problem]] = defaultdict(list)
        for session, state in zip(part, states, strict=True):
            active = state == ACTIVE
            if (kind := _problem(session, active=active)) is not None:
                found[kind].append(_listed(kind, snapshot, session, active=active))
            if not active and (kind := _news(session, state, now)) is not None:
                found[kind].append(_listed(kind, snapshot, session, active=False))
        if found:
            problems = problems.and_(found, {kind: len(many) for kind, many in found.items()})
        yield
    return (yield from _back(problems, snapshot))


def _back(problems: Problems, snapshot: Snapshot) -> Cooperative[Problems]:
    """Mark the ends of streams that are live again."""
    ended = problems.listed.get(Kind.ENDED, ())
    streams = {each.session.parent_id for each in ended if each.session.parent_id}
    live: set[str | None] = set()
    for part, states in zip(batches(snapshot.sessions), batches(snapshot.states), strict=True) if streams else ():
        pairs = zip(part, states, strict=True)
        live |= {each.parent_id for each, state in pairs if each.parent_id in streams and state == ACTIVE}
        yield
    marked = tuple(replace(each, back=each.session.parent_id in live) for each in ended)
    return replace(problems, listed={**problems.listed, Kind.ENDED: marked}) if live else problems


def _listed(kind: Kind, snapshot: Snapshot, session: Session, *, active: bool) -> Problem:
    started, age = (_age(snapshot.server_time, when) for when in (session.created_at, session.last_seen))
    return Problem(kind, snapshot.account, session, active, started, age)


def _age(now: float, milliseconds: float | None) -> float | None:
    return max(0.0, now - milliseconds / 1000) if milliseconds else None


def _problem(session: Session, *, active: bool) -> Kind | None:
    if active and session.is_healthy is False:
        return Kind.UNHEALTHY
    if active and session.issues:
        return Kind.ISSUES
    if active and session.ingest_rate == 0:
        return Kind.SILENT
    if recording_status(session) == "failed":
        return Kind.RECORDING
    return None


def _news(session: Session, state: str, now: float) -> Kind | None:
    if state == ENDED and session.last_seen and now - session.last_seen / 1000 <= LATELY:
        return Kind.ENDED
    if state == PENDING and session.created_at and now - session.created_at / 1000 >= PATIENCE:
        return Kind.WAITING
    return None

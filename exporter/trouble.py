"""Which sessions need attention first, for the page that people read."""

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nsmallest
from typing import Final

from exporter.session import Session
from exporter.snapshot import ACTIVE, Snapshot, recording_status
from exporter.steps import Steps, slices

MOST: Final = 50
"""Sessions that are listed; more of them nobody reads."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A session that needs attention; a smaller ``rank`` is worse.

    ``started`` and ``age`` are seconds since it was created, and since its last media.
    """

    rank: int
    reason: str
    account: str
    session: Session
    active: bool
    started: float | None
    age: float | None


@dataclass(frozen=True, slots=True)
class Troubles:
    """The worst sessions, and how many there are in all."""

    worst: tuple[Trouble, ...] = ()
    count: int = 0

    def with_(self, others: "Troubles") -> "Troubles":
        """Those of two accounts together."""
        return Troubles(worst((*self.worst, *others.worst)), self.count + others.count)


def worst(troubles: Iterable[Trouble]) -> tuple[Trouble, ...]:
    """The worst first; among equals the one that was seen last."""
    return tuple(nsmallest(MOST, troubles, key=lambda each: (each.rank, each.age if each.age is not None else 0.0)))


def find(snapshot: Snapshot) -> Steps[Troubles]:
    """The sessions of a snapshot that need attention."""
    found: list[Trouble] = []
    for part, states in zip(slices(snapshot.sessions), slices(snapshot.states), strict=True):
        for session, state in zip(part, states, strict=True):
            ranked = _rank(session, active=state == ACTIVE)
            if ranked is not None:
                started, seen = (_age(snapshot, when) for when in (session.created_at, session.last_seen))
                found.append(Trouble(*ranked, snapshot.account, session, state == ACTIVE, started, seen))
        yield
    return Troubles(worst(found), len(found))


def _age(snapshot: Snapshot, milliseconds: float | None) -> float | None:
    return max(0.0, snapshot.server_time - milliseconds / 1000) if milliseconds else None


def _rank(session: Session, *, active: bool) -> tuple[int, str] | None:
    if active and session.is_healthy is False:
        return 0, "unhealthy"
    if active and session.issues:
        return 1, "has issues"
    if active and session.ingest_rate == 0:
        return 2, "active, but nothing arrives"
    if recording_status(session) == "failed":
        return 3, "recording failed"
    return None

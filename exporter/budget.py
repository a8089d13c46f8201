"""Which sessions get series of their own: all of them, unless that would be more series than the page may carry."""

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.catalogue import SessionFamily
from exporter.session import Session
from exporter.snapshot import ACTIVE, Snapshot
from exporter.steps import Steps, slices


@dataclass(frozen=True, slots=True)
class Selection:
    """The sessions of a snapshot that are shown one by one, ordered by id, and how many had to be left out."""

    sessions: Sequence[Session]
    active: Sequence[bool]
    dropped: int


def select(snapshot: Snapshot, families: Sequence[SessionFamily], limit: int) -> Steps[Selection]:
    """Choose sessions until their series fill the limit: active ones first, then the most recently seen.

    Args:
        snapshot: what there is.
        families: what is shown of each session.
        limit: series that there may be.
    """
    active = [state == ACTIVE for state in snapshot.states]
    everything = Selection(snapshot.sessions, active, dropped=0)
    if all(family.most for family in families):
        at_most = len(active) * sum(family.most for family in families)
        if at_most <= limit:
            return everything
    order = sorted(
        range(len(active)),
        key=lambda place: (active[place], snapshot.sessions[place].last_seen or 0),
        reverse=True,
    )
    yield
    chosen: list[int] = []
    series = 0
    for part in slices(order):
        for place in part:
            session, live = snapshot.sessions[place], active[place]
            series += sum(len(tuple(family.samples(session, live))) for family in families)
            if series > limit:
                break
            chosen.append(place)
        if series > limit:
            break
        yield
    if len(chosen) == len(active):
        return everything
    chosen.sort()
    return Selection(
        [snapshot.sessions[place] for place in chosen],
        [active[place] for place in chosen],
        dropped=len(active) - len(chosen),
    )

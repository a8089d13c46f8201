"""What happens to the sessions of a world: the truth with which tests compare what an exporter has counted."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from exporter.simulator.lifecycle import Lifecycle, Outcome, Pace
from exporter.simulator.streams import ISSUES

RECONNECTED_WITHIN = 300.0
"""Seconds of server time from the last update of a session to the next one of its stream, which is a reconnect then."""

NEVER_STARTED_AFTER = 300.0
"""Seconds of server time after which a session without an update counts as never started."""

MAX_EVENT_DELAY = NEVER_STARTED_AFTER
"""Seconds of server time after the end of a session within which all its events happen, except for its recording."""


class EventKind(StrEnum):
    """What happens to a session."""

    CREATED = "created"
    RECONNECTED = "reconnected"  # it is created, and media of its stream was seen a short time ago
    STARTED = "started"  # first update
    NEVER_STARTED = "never started"
    UNHEALTHY = "unhealthy"
    HEALTHY = "healthy"  # also at the start
    ENDED = "ended"  # the API sets the rates to 0; the last update was a little earlier
    RECORDING_READY = "recording ready"
    RECORDING_FAILED = "recording failed"
    RECORDING_NONE = "recording none"
    RECORDING_DELETED = "recording deleted"


_OUTCOMES: dict[Outcome, EventKind] = {
    "ready": EventKind.RECORDING_READY,
    "failed": EventKind.RECORDING_FAILED,
    "none": EventKind.RECORDING_NONE,
    "deleted": EventKind.RECORDING_DELETED,
}


@dataclass(frozen=True, slots=True)
class Event:
    """What happens to a session at a time of the server, in Unix seconds."""

    time: float
    kind: EventKind
    stream_id: str
    session_id: str


def events_of(session: Lifecycle, before: Lifecycle | None, pace: Pace) -> list[Event]:
    """Return all events of a session.

    Args:
        session: the session.
        before: the one before of the same stream.
        pace: converts world time to server time.
    """
    return [
        Event(time, kind, session.stream.id, session.id)
        for times in (_start(session, before, pace), _health(session, pace), _end(session, pace))
        for time, kind in times
    ]


def _start(session: Lifecycle, before: Lifecycle | None, pace: Pace) -> Iterator[tuple[float, EventKind]]:
    created = pace.server_time(session.created)
    yield created, EventKind.CREATED
    seen = before.last_update(session.created) if before else None
    if seen is not None and created - pace.server_time(seen) <= RECONNECTED_WITHIN:
        yield created, EventKind.RECONNECTED
    started = pace.server_time(session.first_seen) if session.updates else float("inf")
    if started > created + NEVER_STARTED_AFTER:
        yield created + NEVER_STARTED_AFTER, EventKind.NEVER_STARTED
    if session.updates:
        yield started, EventKind.STARTED


def _health(session: Lifecycle, pace: Pace) -> Iterator[tuple[float, EventKind]]:
    if not session.updates:
        return
    yield pace.server_time(session.first_seen), EventKind.HEALTHY
    for begin, end in session.degraded_periods(session.ended) if session.stream.behavior in ISSUES else ():
        if begin < session.ended:
            yield pace.server_time(begin), EventKind.UNHEALTHY
        if end < session.ended:
            yield pace.server_time(end), EventKind.HEALTHY


def _end(session: Lifecycle, pace: Pace) -> Iterator[tuple[float, EventKind]]:
    if session.updates:
        yield pace.server_time(session.ended), EventKind.ENDED
    if session.stream.is_recorded:
        yield pace.server_time(session.recording_finished), _OUTCOMES[session.outcome]

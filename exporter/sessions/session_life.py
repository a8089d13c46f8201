"""What is remembered of the life of each session: its health, whether it has started, and whether it has ended."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from exporter.sessions.lifecycle_poll import Elapsed, LifecyclePoll
from exporter.sessions.session import Session
from exporter.sessions.snapshot import HEALTH_OF, PENDING

START_DEADLINE: Final = 300.0
"""Seconds after its creation at which a session without any media counts as never started."""


class SessionLife(msgspec.Struct, frozen=True, gc=False):
    """What is remembered of a session.

    Attributes:
        health: at the last good poll; None if the session was not active.
        since: server time of the first poll of the present run of good polls with this health.
        mark: the observed seconds of the account, see `LifecycleState`, at the start of this run. So a session whose
            health stays the same needs no new value at each poll.
        healthy: observed seconds before this run in which the session was healthy.
        unhealthy: observed seconds before this run in which the session was unhealthy.
        parent_id: of the session, while it is active.
        may_end: the session was active, or it counts as started, so that its end counts.
        ended: a poll has seen the end; another one does not count.
        start_decided: a poll has decided whether the session counts as never started.
    """

    health: str | None = None
    since: float = 0.0
    mark: float = 0.0
    healthy: float = 0.0
    unhealthy: float = 0.0
    parent_id: str | None = None
    may_end: bool = False
    ended: bool = False
    start_decided: bool = False


_UNKNOWN: Final = SessionLife()
_STARTED: Final = SessionLife(may_end=True)
_ENDED: Final = {decided: SessionLife(ended=True, start_decided=decided) for decided in (False, True)}
"""Most sessions have ended; they share these two."""


class SessionIncrements(msgspec.Struct, frozen=True):
    """What happened to sessions between two polls.

    Attributes:
        never_started: sessions that count as never started.
        durations: seconds of source media of each session that has ended, as far as they are known.
        unhealthy_ratios: of each session that has ended, the unhealthy share of its observed time, if there is any.
    """

    never_started: int = 0
    durations: Sequence[float] = msgspec.field(default_factory=list)
    unhealthy_ratios: Sequence[float] = msgspec.field(default_factory=list)


class SessionPass:
    """Takes in the sessions of one good poll: first all by `read`, then `leave`, then all by `examine`.

    Attributes:
        lives: what to remember, by session id.
        active: the same of the active sessions only.
        stream_health: the health of the streams with an active session, by ``parentId``.
    """

    def __init__(
        self,
        lives: Mapping[str, SessionLife],
        active: Mapping[str, SessionLife],
        poll: LifecyclePoll,
        *,
        observed: float,
        elapsed: Elapsed,
    ) -> None:
        self.lives = dict(lives)
        self.active: dict[str, SessionLife] = {}
        self.stream_health: dict[str | None, str] = {}
        self._active_before = active
        self._poll = poll
        self._observed_before = observed
        self._observed = observed + elapsed.observed
        self._never_started = 0
        self._durations: list[float] = []
        self._ratios: list[float] = []
        self.lives.update((session.id, _STARTED) for session in poll.events.started)

    def read(self, sessions: Sequence[Session]) -> None:
        """Take in the active ones of some sessions."""
        active_before, active, worst = self._active_before.get, self.active, self.stream_health
        for session in self._poll.windows.active_of(sessions, self._poll.time.server):
            name, parent, current = session.id, session.parent_id, HEALTH_OF[session.is_healthy]
            life = active_before(name)
            if life is None or life.health != current:
                life = self.lives[name] = self._turned(self.lives.get(name, _UNKNOWN), current, parent)
            active[name] = life
            if worst.get(parent) != current:
                worst[parent] = worse(worst.get(parent), current)

    def leave(self) -> None:
        """Take in that sessions are no longer active."""
        for name in self._active_before.keys() - self.active.keys():
            life = self.lives[name]
            if life.ended:
                self.lives[name] = _ENDED[life.start_decided]
                continue
            is_in_scope = self._poll.scope.has_parent(life.parent_id)
            healthy, unhealthy = _own_time(life, self._observed if is_in_scope else self._observed_before)
            self.lives[name] = msgspec.structs.replace(life, health=None, healthy=healthy, unhealthy=unhealthy)

    def _turned(self, known: SessionLife, current: str, parent_id: str | None) -> SessionLife:
        """Return what to remember of an active session with another health than at the good poll before."""
        healthy, unhealthy = _own_time(known, self._observed)
        return SessionLife(
            health=current,
            since=self._poll.time.server,
            mark=self._observed,
            healthy=healthy,
            unhealthy=unhealthy,
            parent_id=parent_id,
            may_end=True,
            ended=known.ended,
            start_decided=known.start_decided,
        )

    def examine(self, sessions: Sequence[Session]) -> None:
        """Count the sessions that have ended, or have not started in time."""
        life_of, active = self.lives.get, self.active
        for session in sessions:
            if session.id in active:
                continue
            life = life_of(session.id, _UNKNOWN)
            if not session.last_seen:
                if not life.start_decided:
                    self._decide_start(session, life)
            elif not life.ended and session.last_seen > 0:
                self._end(session, life)

    def increments(self) -> SessionIncrements:
        """Return what has happened."""
        return SessionIncrements(self._never_started, self._durations, self._ratios)

    def _end(self, session: Session, life: SessionLife) -> None:
        self.lives[session.id] = _ENDED[life.start_decided]
        if not life.may_end or self._poll.is_new_to_scope(session.parent_id):
            return
        if session.source_segments_duration is not None:
            self._durations.append(session.source_segments_duration)
        total = life.healthy + life.unhealthy
        if total > 0:
            self._ratios.append(life.unhealthy / total)

    def _decide_start(self, session: Session, life: SessionLife) -> None:
        poll = self._poll
        if session.created_at is None or poll.windows.state(session, poll.time.server) != PENDING:
            return
        if poll.time.server - session.created_at / 1000 < START_DEADLINE:
            return
        self.lives[session.id] = msgspec.structs.replace(life, start_decided=True)
        self._never_started += not poll.is_baseline_of(session, START_DEADLINE)


def _own_time(life: SessionLife, observed: float) -> tuple[float, float]:
    """Return the healthy and the unhealthy seconds of a session, up to a number of observed seconds of the account."""
    run = observed - life.mark
    return life.healthy + run * (life.health == "healthy"), life.unhealthy + run * (life.health == "unhealthy")


_WORST: Final = {"unhealthy": 2, "healthy": 1, "unknown": 0}


def worse(one: str | None, other: str) -> str:
    """Return the health of a stream from that of two of its parts: unhealthy before healthy before unknown."""
    return other if one is None or _WORST[other] > _WORST[one] else one

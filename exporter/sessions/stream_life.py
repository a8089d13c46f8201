"""What is remembered of the life of each stream: its health over time, and what has happened to its sessions."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Final

import msgspec

from exporter.cooperative import Cooperative, batches
from exporter.sessions.lifecycle_poll import Elapsed, LifecyclePoll
from exporter.sessions.session import Session
from exporter.sessions.session_events import STREAM_AMOUNTS, SessionEvents
from exporter.sessions.session_life import worse
from exporter.sessions.snapshot import HEALTH
from exporter.sessions.streams import stream_of

MAX_ABSENT_STREAMS: Final = 10_000
"""Absent streams that are remembered; the longest absent are forgotten first."""

MAX_ABSENCE: Final = 86_400.0
"""Seconds after a stream was last in an answer at which it is forgotten."""

MAX_RECENT: Final = 3600.0
"""Seconds for which the times of single events are remembered, for the status page."""

MAX_RECENT_EVENTS: Final = 100


class StreamLife(msgspec.Struct, frozen=True, gc=False):
    """What is remembered of a stream. The numbers are since the exporter started, or since the stream was forgotten.

    Attributes:
        health: at the last good poll; None if no session was active.
        since: server time of the first poll of the present run of good polls with this health.
        healthy, unhealthy, unknown: observed seconds in each state of health.
        episodes: times at which the stream became unhealthy.
        started: sessions that count as started.
        ready, failed: recordings that have finished with this result.
        source_bytes, ...: per field of ``STREAM_AMOUNTS`` the growth over all sessions.
        last_answer: monotonic seconds of the last good poll with the stream; None while it is present.
        recent_episodes: server times of the last hour at which the stream became unhealthy, the latest last.
        recent_reconnects: for each reconnect of the last hour the server time of the poll that found it, the latest
            last.
    """

    health: str | None = None
    since: float = 0.0
    healthy: float = 0.0
    unhealthy: float = 0.0
    unknown: float = 0.0
    episodes: int = 0
    started: int = 0
    ready: int = 0
    failed: int = 0
    source_bytes: float = 0.0
    transcoded_bytes: float = 0.0
    source_segments_duration: float = 0.0
    transcoded_segments_duration: float = 0.0
    last_answer: float | None = None
    recent_episodes: tuple[float, ...] = ()
    recent_reconnects: tuple[float, ...] = ()


_NEW: Final = StreamLife()


class StreamStates(msgspec.Struct, frozen=True):
    """The streams of the last answer, and absent ones with the longest absent first, by id; None has no parent."""

    present: Mapping[str | None, StreamLife] = msgspec.field(default_factory=dict)
    absent: Mapping[str | None, StreamLife] = msgspec.field(default_factory=dict)


class StreamIncrements(msgspec.Struct, frozen=True):
    """What happened to streams between two polls.

    Attributes:
        observed: by health the seconds, over all streams.
        unobserved: seconds in which streams were active that no poll covered.
        episodes: times at which a stream became unhealthy.
        reconnects: sessions that continue another session of their stream.
    """

    observed: Mapping[str, float] = msgspec.field(default_factory=dict)
    unobserved: float = 0.0
    episodes: int = 0
    reconnects: int = 0


def reconnects(sessions: Iterable[Session], started: Iterable[Session], gap: float) -> list[Session]:
    """Return the started sessions that continue a session of their stream that was created before.

    Args:
        sessions: all of a poll.
        started: those that count as started.
        gap: seconds before the creation within which the other session must have been seen.
    """
    new = {session.id for session in started if session.parent_id}
    streams = {session.parent_id: stream_of(session.parent_id) for session in started if session.parent_id}
    created: defaultdict[str | None, list[tuple[float, str, float]]] = defaultdict(list)
    for session in sessions if streams else ():
        if session.parent_id in streams and session.created_at is not None:
            created[streams[session.parent_id]].append((session.created_at, session.id, session.last_seen or 0.0))
    names = set()
    for members in created.values():
        latest = 0.0
        for created_at, name, last_seen in sorted(members):
            if name in new and latest > 0 and latest >= created_at - gap * 1000:
                names.add(name)
            latest = max(latest, last_seen)
    return [session for session in started if session.id in names]


class StreamPass:
    """Takes in the streams of one good poll.

    Args:
        before: the streams after the good poll before, which began at monotonic ``last_answer``.
        poll: the good poll.
        elapsed: the time in between.
        reconnected: the sessions that count as reconnects.
    """

    def __init__(
        self,
        before: StreamStates,
        last_answer: float,
        poll: LifecyclePoll,
        elapsed: Elapsed,
        reconnected: Iterable[Session],
    ) -> None:
        self._before = before
        self._scope = frozenset(map(stream_of, poll.scope.stream_ids))
        self._last_answer = last_answer
        self._poll = poll
        self._elapsed = elapsed
        self._reconnected = Counter(stream_of(session.parent_id) for session in reconnected)
        self._observed: Counter[str] = Counter()
        self._unobserved = 0
        self._episodes = 0

    def streams(self, health: Mapping[str | None, str]) -> Cooperative[StreamStates]:
        """Return the streams after the poll.

        Args:
            health: of the streams with an active session, by ``parentId``.
        """
        parents = {session.parent_id for session in chain(self._poll.sessions, self._poll.unread)}
        names = {parent: stream_of(parent) for parent in parents}
        yield
        current: dict[str | None, str] = {}
        for some in batches(tuple(health.items())):
            for parent, one in some:
                current[names[parent]] = worse(current.get(names[parent]), one)
            yield
        new_to_scope: set[str | None] = set()
        if self._poll.previous_scope != self._poll.scope:
            new_to_scope = {name for parent, name in names.items() if self._poll.is_new_to_scope(parent)}
        additions = yield from _additions(self._poll.events, names)
        absent = dict(self._remembered())
        present: dict[str | None, StreamLife] = {}
        for part in batches(sorted(set(names.values()), key=lambda name: name or "")):
            for name in part:
                known = self._before.present.get(name) or absent.pop(name, _NEW)
                found = current.get(name)
                self._credit(known)
                if found or known.health or known.last_answer is not None or name in additions:
                    known = self._updated(name, known, found, additions.get(name, {}), baseline=name in new_to_scope)
                present[name] = known
            yield
        for part in batches([name for name in self._before.present if name not in present]):
            absent |= {name: self._left(name, self._before.present[name]) for name in part}
            yield
        excess = len(absent) - MAX_ABSENT_STREAMS
        return StreamStates(present, dict(islice(absent.items(), max(0, excess), None)))

    def increments(self) -> StreamIncrements:
        """Return what has happened."""
        return StreamIncrements(
            {name: self._observed[name] * self._elapsed.observed for name in HEALTH},
            self._unobserved * self._elapsed.unobserved,
            self._episodes,
            self._reconnected.total(),
        )

    def _remembered(self) -> Iterator[tuple[str | None, StreamLife]]:
        now = self._poll.time.monotonic
        for name, life in self._before.absent.items():
            if life.last_answer is not None and now - life.last_answer < MAX_ABSENCE:
                yield name, life

    def _credit(self, known: StreamLife) -> None:
        """Count the time since the poll before, in which the stream was active."""
        if known.health is not None:
            self._observed[known.health] += 1
            self._unobserved += 1

    def _left(self, name: str | None, known: StreamLife) -> StreamLife:
        """Return what to remember of a stream that is not in the answer; out of scope it has no time."""
        times: Mapping[str, float] = {}
        if not self._scope or name in self._scope:
            self._credit(known)
            times = self._times(known)
        return msgspec.structs.replace(known, health=None, last_answer=self._last_answer, **times)

    def _times(self, known: StreamLife) -> Mapping[str, float]:
        if known.health is None:
            return {}
        return {known.health: getattr(known, known.health) + self._elapsed.observed}

    def _updated(
        self,
        name: str | None,
        known: StreamLife,
        health: str | None,
        additions: Mapping[str, float],
        *,
        baseline: bool,
    ) -> StreamLife:
        now = self._poll.time.server
        changes: dict[str, object] = {
            "health": health,
            "since": known.since if health == known.health else now,
            "last_answer": None,
            **self._times(known),
            **{field: getattr(known, field) + amount for field, amount in additions.items()},
        }
        if health == "unhealthy" and known.health != "unhealthy" and not baseline:
            self._episodes += 1
            changes |= {"episodes": known.episodes + 1, "recent_episodes": _with_new(known.recent_episodes, now)}
        if count := self._reconnected[name]:
            changes["recent_reconnects"] = _with_new(known.recent_reconnects, now, count)
        return msgspec.structs.replace(known, **changes)


def _additions(
    events: SessionEvents, names: Mapping[str | None, str | None]
) -> Cooperative[Mapping[str | None, Mapping[str, float]]]:
    """Return what the events of a poll add to the fields of each stream."""
    found: defaultdict[str | None, dict[str, float]] = defaultdict(dict)
    for part in batches(tuple(events.grown.items())):
        for parent, amounts in part:
            addition = found[names[parent]]
            for field, amount in zip(STREAM_AMOUNTS, amounts, strict=True):
                addition[field] = addition.get(field, 0.0) + amount
        yield
    for session, event in (*((session, "started") for session in events.started), *events.finished):
        addition = found[names[session.parent_id]]
        addition[event] = addition.get(event, 0) + 1
    return found


def recent(times: Iterable[float], now: float) -> list[float]:
    """Return the times of the last hour."""
    return [time for time in times if now - time <= MAX_RECENT]


def _with_new(times: tuple[float, ...], now: float, count: int = 1) -> tuple[float, ...]:
    """Return times with those of events that a poll has found now, without those that are too old or too many."""
    return (*recent(times, now), *[now] * count)[-MAX_RECENT_EVENTS:]

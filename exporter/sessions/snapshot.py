"""One complete poll of an account: its sessions, each with its state, and their totals."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import attrgetter
from typing import Final, Literal

import msgspec

from exporter.cooperative import Cooperative, batches
from exporter.sessions.session import INVALID_TIME, Session

PENDING: Final = "pending"
ACTIVE: Final = "active"
ENDED: Final = "ended"
STATES: Final = (PENDING, ACTIVE, ENDED)
HEALTH: Final = ("healthy", "unhealthy", "unknown")
HEALTH_OF: Final[Mapping[bool | None, str]] = {True: "healthy", False: "unhealthy", None: "unknown"}
"""One of ``HEALTH`` for each value of ``is_healthy``."""

RECORDING_STATUSES: Final = ("waiting", "ready", "failed", "deleted", "none", "unknown")
UNFINISHED_RECORDINGS: Final = frozenset({"waiting", "failed", "none"})
"""A recorded session older than the session window is kept while its recording has one of these statuses."""

FINISHED: Final = ("ready", "failed")
"""The statuses that count as the result of a recording."""

LIVE: Final = "live"
IDLE: Final = "idle"
ABSENT: Final = "absent"
STREAM_STATES: Final = (LIVE, IDLE, ABSENT)
"""The states of a configured stream: with an active session, with other sessions only, without any session."""

State = Literal["pending", "active", "ended"]
SessionState = tuple[Session, State]
"""A session with the state that was decided for it, once per poll."""


def recording_status(session: Session) -> str | None:
    """Return one of ``RECORDING_STATUSES``, or None if the session is not recorded."""
    if not session.record:
        return None
    return session.recording_status if session.recording_status in RECORDING_STATUSES else "unknown"


def health(session: Session) -> str:
    """Return one of ``HEALTH``. It is valid for active sessions only: the API may keep the last value forever."""
    return HEALTH_OF[session.is_healthy]


def transcoding_lag(session: Session) -> float | None:
    """Return the seconds of source media that are not transcoded yet, as the mean of the renditions.

    It is negative if more is transcoded than was received, and None without profiles or if a field is unknown. The
    API's durations are sums with floating-point noise, so it is rounded to milliseconds.
    """
    source, transcoded, profiles = (
        session.source_segments_duration,
        session.transcoded_segments_duration,
        session.profiles,
    )
    if source is None or transcoded is None or not profiles:
        return None
    return round(source - transcoded / len(profiles), 3) + 0.0  # which makes 0.0 of -0.0


class Windows(msgspec.Struct, frozen=True):
    """The ages, in seconds, by which sessions are selected and classified.

    Attributes:
        session: sessions seen within it, or created within it and never seen, are exported.
        active: sessions seen within it are active. The API updates ``lastSeen`` every 50 to 52 s, and its own
            constant for active streams is 90 s.
    """

    session: float
    active: float

    def state(self, session: Session, now: float) -> State:
        """Return the state of a session at server time ``now`` (Unix seconds). A ``lastSeen`` in the future is now."""
        if session.last_seen:
            return ACTIVE if now - session.last_seen / 1000 <= self.active else ENDED
        return PENDING if session.created_at is not None and self.contains(session.created_at, now) else ENDED

    def active_of(self, sessions: Sequence[Session], now: float) -> list[Session]:
        """Return the active sessions, in the same order."""
        # Written out, since it runs for each session of each poll.
        return [each for each in sessions if each.last_seen and now - each.last_seen / 1000 <= self.active]

    def exports(self, session: Session, now: float) -> bool:
        """Return whether a session is exported: it is within the window, or its recording is unfinished.

        Sessions whose ``lastSeen`` is 0 or invalid were selected by the API's own filter.
        """
        if not session.last_seen or session.last_seen == INVALID_TIME or self.contains(session.last_seen, now):
            return True
        return recording_status(session) in UNFINISHED_RECORDINGS

    def exported_of(self, sessions: Sequence[Session], now: float) -> list[Session]:
        """Return the exported sessions, in the same order."""
        # The common case is written out, since it runs for each session of each poll.
        return [
            each
            for each in sessions
            if (each.last_seen and now - each.last_seen / 1000 <= self.session) or self.exports(each, now)
        ]

    def contains(self, milliseconds: float, now: float) -> bool:
        """Return whether a time is within the session window."""
        return now - milliseconds / 1000 <= self.session


class Totals(msgspec.Struct, frozen=True):
    """Sums over all sessions of a snapshot, including those without series of their own.

    Attributes:
        sessions: sessions by state.
        health: active sessions by health.
        recordings: recorded sessions by recording status.
        ingest_rate, outgoing_rate: bytes per second, over active sessions.
        configured_streams: configured streams by state; empty if none are configured.
    """

    sessions: Mapping[str, int]
    health: Mapping[str, int]
    recordings: Mapping[str, int]
    ingest_rate: float
    outgoing_rate: float
    configured_streams: Mapping[str, int] = msgspec.field(default_factory=dict)


class Snapshot(msgspec.Struct, frozen=True):
    """The exported sessions of one poll.

    Attributes:
        server_time: the API's Unix seconds when the poll began.
        sessions: each with its state, ordered by id.
        totals: the sums over them.
        absent_streams: the ids of the configured streams without sessions, in order.
    """

    server_time: float
    sessions: Sequence[SessionState]
    totals: Totals
    absent_streams: tuple[str, ...] = ()


def take_snapshot(
    sessions: Sequence[Session], windows: Windows, server_time: float, stream_ids: Collection[str] = frozenset()
) -> Cooperative[Snapshot]:
    """Select and classify the sessions that a poll has read.

    Args:
        sessions: in any order.
        windows: the sessions outside of them are dropped.
        server_time: the API's Unix seconds when the poll began.
        stream_ids: the configured streams, whose state is reported.
    """
    exported: list[Session] = []
    for part in batches(sessions):
        exported += windows.exported_of(part, server_time)
        yield
    exported.sort(key=attrgetter("id"))
    yield
    classified: list[SessionState] = []
    sums = _Sums(frozenset(stream_ids))
    for part in batches(exported):
        pairs: list[SessionState] = [(each, windows.state(each, server_time)) for each in part]
        sums.add(pairs)
        classified += pairs
        yield
    return Snapshot(server_time, classified, sums.totals(), sums.absent_streams())


def merge_stream(
    snapshot: Snapshot,
    is_replaced: Callable[[Session], bool],
    part: Snapshot,
    stream_ids: Collection[str] = frozenset(),
) -> Cooperative[Snapshot]:
    """Return a snapshot in which some sessions are replaced by those of a poll of them alone.

    All others keep the state that was decided for them, since this poll has not seen them.

    Args:
        snapshot: of the account.
        is_replaced: whether a session was asked for by the poll.
        part: of the poll.
        stream_ids: the configured streams, whose state is reported.
    """
    merged: list[SessionState] = []
    for pairs in batches(snapshot.sessions):
        merged += [pair for pair in pairs if not is_replaced(pair[0])]
        yield
    merged += part.sessions
    merged.sort(key=lambda pair: pair[0].id)
    yield
    sums = _Sums(frozenset(stream_ids))
    for pairs in batches(merged):
        sums.add(pairs)
        yield
    return Snapshot(snapshot.server_time, merged, sums.totals(), sums.absent_streams())


class _Sums:
    """Adds up totals, some sessions at a time."""

    def __init__(self, stream_ids: frozenset[str]) -> None:
        self._stream_ids = stream_ids
        self._streams: set[str] = set()
        self._live_streams: set[str] = set()
        self._states: Counter[str] = Counter()
        self._health: Counter[str] = Counter()
        self._recordings: Counter[str | None] = Counter()
        self._ingest: list[float] = []
        self._outgoing: list[float] = []

    def add(self, sessions: Sequence[SessionState]) -> None:
        active = [session for session, state in sessions if state == ACTIVE]
        self._states.update([state for _, state in sessions])
        self._health.update(map(health, active))
        self._recordings.update([recording_status(session) for session, _ in sessions if session.record])
        self._ingest += [session.ingest_rate for session in active if session.ingest_rate]
        self._outgoing += [session.outgoing_rate for session in active if session.outgoing_rate]
        if self._stream_ids:
            self._streams |= self._stream_ids.intersection(session.parent_id or "" for session, _ in sessions)
            self._live_streams |= self._stream_ids.intersection(session.parent_id or "" for session in active)

    def absent_streams(self) -> tuple[str, ...]:
        """Return the configured streams without sessions."""
        return tuple(sorted(self._stream_ids - self._streams))

    def totals(self) -> Totals:
        """Return the totals with every label value, 0 where there is no session."""
        return Totals(
            sessions={name: self._states[name] for name in STATES},
            health={name: self._health[name] for name in HEALTH},
            recordings={name: self._recordings[name] for name in RECORDING_STATUSES},
            ingest_rate=math.fsum(self._ingest),
            outgoing_rate=math.fsum(self._outgoing),
            configured_streams=self._configured_streams(),
        )

    def _configured_streams(self) -> Mapping[str, int]:
        if not self._stream_ids:
            return {}
        known, live = len(self._streams), len(self._live_streams)
        return {LIVE: live, IDLE: known - live, ABSENT: len(self._stream_ids) - known}

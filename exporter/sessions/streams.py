"""Sessions added up by their parent stream, for accounts whose sessions would be too many series."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from exporter.cooperative import Cooperative, batches
from exporter.sessions.session import MAX_ID, Profile, Session
from exporter.sessions.snapshot import ACTIVE, COUNTED, STATES, Snapshot, recording_status
from exporter.text import clean


@dataclass(frozen=True, slots=True)
class Stream:
    """What the sessions of one parent stream come to; None where no session has the value.

    Attributes:
        id: of the parent stream, readable; None gathers the sessions without one.
        name: of the session that was created last.
        states: how many sessions are in each state.
        sums: per field of ``SUMMED`` over all sessions; the rates over the active ones.
        is_healthy: the worst of the active sessions: False before True before None.
        issues: of the active sessions; None if none of them says anything.
        last_seen: the latest, milliseconds.
        created_at: the latest, milliseconds.
        recorded: sessions that are recorded.
        recordings: how many of them have each status.
        available: recordings that can be fetched, by format.
        profiles: of the session that was created last.
        playback_id, project_id: of the session that was created last.
    """

    id: str | None
    name: str | None
    states: Mapping[str, int]
    sums: Mapping[str, float | None]
    is_healthy: bool | None
    issues: tuple[str, ...] | None
    last_seen: float | None
    created_at: float | None
    recorded: int
    recordings: Mapping[str, int]
    available: Mapping[str, int]
    profiles: tuple[Profile, ...] | None
    playback_id: str | None
    project_id: str | None

    @property
    def active(self) -> bool:
        """Whether any of its sessions is active."""
        return self.states[ACTIVE] > 0


RATES = ("ingest_rate", "outgoing_rate")
SUMMED = (*COUNTED, *RATES)


def stream_id(session: Session) -> str | None:
    """The id of a session's parent stream as a label may hold it; two that look the same there are the same."""
    return clean(session.parent_id, MAX_ID) if session.parent_id else None


def group(snapshot: Snapshot) -> Cooperative[list[Stream]]:
    """The streams of a snapshot, ordered by id."""
    members: defaultdict[str | None, list[tuple[Session, str]]] = defaultdict(list)
    for part in batches(tuple(zip(snapshot.sessions, snapshot.states, strict=True))):
        for session, state in part:
            members[stream_id(session)].append((session, state))
        yield
    streams = []
    for names in batches(sorted(members, key=lambda name: name or "")):
        streams += [_stream(name, members[name]) for name in names]
        yield
    return streams


def _stream(name: str | None, members: Sequence[tuple[Session, str]]) -> Stream:
    sessions = [session for session, _ in members]
    active = [session for session, state in members if state == ACTIVE]
    recorded = [session for session in sessions if session.record]
    states = Counter(state for _, state in members)
    latest = max(sessions, key=lambda session: session.created_at or 0)
    issues = [session.issues for session in active if session.issues is not None]
    health = {session.is_healthy for session in active}
    return Stream(
        id=name,
        name=latest.name,
        states={state: states[state] for state in STATES},
        sums={
            **{field: _sum(getattr(session, field) for session in sessions) for field in COUNTED},
            **{field: _sum(getattr(session, field) for session in active) for field in RATES},
        },
        is_healthy=False if False in health else True if True in health else None,
        issues=tuple(chain.from_iterable(issues)) if issues else None,
        last_seen=_latest(sessions, lambda session: session.last_seen),
        created_at=_latest(sessions, lambda session: session.created_at),
        recorded=len(recorded),
        recordings=Counter(filter(None, map(recording_status, recorded))),
        available={
            "hls": sum(bool(session.recording_url) for session in recorded),
            "mp4": sum(bool(session.mp4_url) for session in recorded),
        },
        profiles=latest.profiles,
        playback_id=latest.playback_id,
        project_id=latest.project_id,
    )


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _latest(sessions: Iterable[Session], time: Callable[[Session], float | None]) -> float | None:
    return max((moment for session in sessions if (moment := time(session))), default=None)

"""What the counters of an account grow by from one poll to the next, and the state that this needs.

The first poll is the baseline: it counts nothing. A session that is not remembered counts in full if it was created
after the baseline; otherwise its values are a baseline of their own. See D01 to D04 of docs/reliability.md.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import islice
from operator import attrgetter
from typing import Final

import msgspec

from exporter.cooperative import Cooperative, batches
from exporter.sessions.counter_scope import CounterScope, PollTime, ScopeHistory
from exporter.sessions.growth import Entry, Growth, entry_of
from exporter.sessions.session import Session
from exporter.sessions.session_events import STREAM_AMOUNTS, SessionEvents
from exporter.sessions.snapshot import FINISHED

MIN_REMEMBERED: Final = 10_000
"""Absent sessions that are remembered in any case; a bound, so that turnover does not fill the memory."""


SEVERAL_USERS: Final = "several users"
"""The owner of the sessions that the key of an administrator reads."""


class CounterState(msgspec.Struct, frozen=True):
    """What the counters need to know of earlier polls.

    Attributes:
        entries: by session id; None before the baseline. Absent sessions follow the present ones, the longest absent
            last.
        history: the scopes of the polls.
        user_id: the owner of the sessions, `SEVERAL_USERS` once there were several, or None if it is unknown.
        forgotten: the latest creation time of a forgotten session, milliseconds.
        max_sessions: the most sessions that any poll has read. As many absent sessions are remembered, or
            ``MIN_REMEMBERED`` if that is more.
    """

    entries: Mapping[str, Entry] | None = None
    history: ScopeHistory = ScopeHistory()
    user_id: str | None = None
    forgotten: float = 0.0
    max_sessions: int = 0


class Increments(msgspec.Struct, frozen=True):
    """What happened between two polls.

    Attributes:
        amounts: per field of ``COUNTED`` the growth.
        regressions: per field the number of values below the one read before.
        started: sessions that were created since.
        recordings: per result of ``FINISHED`` the number of recordings that reached it.
        events: the sessions behind these numbers.
    """

    amounts: Mapping[str, float] = msgspec.field(default_factory=dict)
    regressions: Mapping[str, int] = msgspec.field(default_factory=dict)
    started: int = 0
    recordings: Mapping[str, int] = msgspec.field(default_factory=dict)
    events: SessionEvents = SessionEvents()


def diff(
    state: CounterState,
    sessions: Sequence[Session],
    *,
    scope: CounterScope,
    time: PollTime,
    recordings: bool = True,
) -> Cooperative[tuple[CounterState, Increments]]:
    """Compare the sessions of a poll with those of the polls before.

    A value that is missing in one poll keeps its last known one. Sessions are forgotten by number only, and never by
    age.

    Args:
        state: after the poll before.
        sessions: all that this poll has read, also those that are not exported: recordings finish after the window.
        scope: the sessions that this poll could show.
        time: when it began.
        recordings: whether the poll requested recorded sessions before the session window. If not, those that it has
            not read are not absent.
    """
    user_id = _user_of(sessions)
    state = _for_this_poll(state, user_id, scope)
    tally = _Tally(state, scope, time)
    entries: dict[str, Entry] = {}
    for part in batches(sessions):
        entries |= tally.add(part)
        yield
    max_sessions = max(state.max_sessions, len(sessions))
    forgotten = state.forgotten
    if len(entries) - tally.new != len(state.entries or {}):
        unread, absent = yield from _not_read(state.entries or {}, entries, time.monotonic, recordings=recordings)
        entries |= unread
        remembered = max(max_sessions, MIN_REMEMBERED)
        entries |= islice(absent.items(), remembered)
        dropped = islice(absent.values(), remembered, None)
        forgotten = max((entry.created_at for entry in dropped if entry.created_at), default=0.0)
        forgotten = max(forgotten, state.forgotten)
    history, owner = state.history.followed_by(scope, time), _owner(state, user_id)
    return CounterState(entries, history, owner, forgotten, max_sessions), tally.increments()


def _for_this_poll(state: CounterState, user_id: str | None, scope: CounterScope) -> CounterState:
    """Return the state, or a new baseline if the sessions are those of another API or user."""
    current = state.history.current
    other_api = current is not None and current.base_url != scope.base_url
    # Some polls with the key of an administrator may read the sessions of one user only.
    other_user = user_id is not None and state.user_id not in (None, SEVERAL_USERS, user_id)
    return CounterState() if other_api or other_user else state


def _user_of(sessions: Sequence[Session]) -> str | None:
    """Return the owner of the sessions, `SEVERAL_USERS`, or None if it is unknown."""
    users = {*map(attrgetter("user_id"), sessions)} - {None}
    return SEVERAL_USERS if len(users) > 1 else next(iter(users), None)


def _owner(state: CounterState, user_id: str | None) -> str | None:
    """Return the owner of the sessions after a poll that has read those of a user."""
    return state.user_id if state.user_id == SEVERAL_USERS or user_id is None else user_id


class _Tally:
    """Compares some sessions at a time, and adds up what has changed."""

    def __init__(self, state: CounterState, scope: CounterScope, time: PollTime) -> None:
        self.new = 0
        self._known = state.entries
        self._forgotten = state.forgotten
        self._previous = state.history.current if state.history.current != scope else None
        self._history = state.history.followed_by(scope, time)
        self._time = time
        self._growth = Growth()
        self._started: list[Session] = []
        self._finished: list[tuple[Session, str]] = []
        self._grown: defaultdict[str | None, list[float]] = defaultdict(lambda: [0.0] * len(STREAM_AMOUNTS))

    def add(self, sessions: Sequence[Session]) -> dict[str, Entry]:
        """Compare sessions; return their new entries by id."""
        entries: dict[str, Entry] = {}
        changed: list[Session] = []
        known_entries: list[Entry] = []
        read_entries: list[Entry] = []
        remembered = self._known or {}
        for session in sessions:
            read = entries[session.id] = entry_of(session)
            known = remembered.get(session.id)
            if known is None or known.absent_since is not None:
                known = self._reference(session, known, read)
            if read != known:
                changed.append(session)
                known_entries.append(known)
                read_entries.append(read)
        merged, amounts = self._growth.add(known_entries, read_entries)
        self._add_to_streams(changed, amounts)
        entries.update(zip([session.id for session in changed], merged, strict=True))
        self._finished += [
            (session, entry.recording)
            for session, known, entry in zip(changed, known_entries, merged, strict=True)
            if entry.recording != known.recording and entry.recording in FINISHED
        ]
        return entries

    def _add_to_streams(self, sessions: Sequence[Session], amounts: Mapping[str, Sequence[float]]) -> None:
        # Written out, since it runs for each session that has changed.
        columns = (amounts[name] for name in STREAM_AMOUNTS)
        for session, source, transcoded, source_duration, transcoded_duration in zip(sessions, *columns, strict=True):
            total = self._grown[session.parent_id]
            total[0] += source
            total[1] += transcoded
            total[2] += source_duration
            total[3] += transcoded_duration

    def increments(self) -> Increments:
        events = SessionEvents(self._known is None, self._started, self._finished, self._grown)
        results = [result for _, result in events.finished]
        recordings = {result: results.count(result) for result in FINISHED}
        return Increments(self._growth.amounts, self._growth.regressions, len(events.started), recordings, events)

    def _reference(self, session: Session, known: Entry | None, read: Entry) -> Entry:
        """Return what to compare a session with that the previous poll did not show."""
        if known is not None and known.absent_since is not None:
            return known if self._history.shown_since(session).monotonic <= known.absent_since else read
        self.new += 1
        if self._known is None or not self._counts_in_full(session):
            return read
        self._started.append(session)
        return _ZERO

    def _counts_in_full(self, session: Session) -> bool:
        if session.created_at is None or session.created_at <= self._forgotten:
            return False
        if self._previous is not None and not self._previous.shows(session, self._time.server):
            return False
        return session.created_at > self._history.shown_since(session).seen_from(self._time) * 1000


_ZERO: Final = Entry()


def _not_read(
    before: Mapping[str, Entry], present: Mapping[str, Entry], monotonic: float, *, recordings: bool
) -> Cooperative[tuple[dict[str, Entry], dict[str, Entry]]]:
    """Return the entries of sessions that were not requested, and those of absent ones, the longest absent last."""
    unread: dict[str, Entry] = {}
    absent: dict[str, Entry] = {}
    for names in batches(tuple(before)):
        for name in names:
            if name not in present:
                entry = before[name]
                if not recordings and entry.recording is not None and entry.absent_since is None:
                    unread[name] = entry
                    continue
                absent[name] = entry if entry.absent_since else msgspec.structs.replace(entry, absent_since=monotonic)
        yield
    return unread, absent

"""What the counters of an account grow by from one poll to the next, and the state that this needs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from typing import Final

import msgspec

from exporter.cooperative import Cooperative, batches
from exporter.sessions.session import Session
from exporter.sessions.snapshot import FINISHED, Windows, recording_status

COUNTED: Final = (
    "source_segments",
    "transcoded_segments",
    "source_segments_duration",
    "transcoded_segments_duration",
    "source_bytes",
    "transcoded_bytes",
)
"""The cumulative fields of a session whose increases are counted."""

MIN_REMEMBERED: Final = 10_000
"""Absent sessions that are remembered in any case; a bound, so that turnover does not fill the memory."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """What is remembered of a session: its recording status, its creation time and its cumulative values.

    The garbage collector does not track entries: there is one per session, and traversing them blocks the event loop.
    """

    recording: str | None = None
    created_at: float | None = None
    source_segments: float | None = 0.0
    transcoded_segments: float | None = 0.0
    source_segments_duration: float | None = 0.0
    transcoded_segments_duration: float | None = 0.0
    source_bytes: float | None = 0.0
    transcoded_bytes: float | None = 0.0


@dataclass(frozen=True, slots=True)
class CounterState:
    """What the counters need to know of earlier polls.

    Attributes:
        entries: by session id. None before the first poll, which is the baseline: it counts nothing. Absent sessions
            follow the present ones, the longest absent last.
        max_sessions: the most sessions that any poll has read. As many absent sessions are remembered, or
            ``MIN_REMEMBERED`` if that is more.
    """

    entries: Mapping[str, Entry] | None = None
    max_sessions: int = 0


@dataclass(frozen=True, slots=True)
class Increments:
    """What happened between two polls.

    Attributes:
        amounts: per field of ``COUNTED`` the sum of its increases.
        regressions: per field the number of values that fell. A fall counts nothing.
        started: sessions that were created since.
        recordings: per result of ``FINISHED`` the number of recordings that reached it.
    """

    amounts: Mapping[str, float] = field(default_factory=dict)
    regressions: Mapping[str, int] = field(default_factory=dict)
    started: int = 0
    recordings: Mapping[str, int] = field(default_factory=dict)


def diff(
    state: CounterState, sessions: Sequence[Session], *, windows: Windows, now: float
) -> Cooperative[tuple[CounterState, Increments]]:
    """Compare the sessions of a poll with those of the polls before.

    A session that is not remembered counts in full if it was created within the window; otherwise its values are a
    baseline. A value that is missing in one poll keeps its last known one. An absent session is remembered for as long
    as it would count in full on its return.

    Args:
        state: after the poll before.
        sessions: all that this poll has read, also those that are not exported: recordings finish after the window.
        windows: for what counts in full.
        now: the API's Unix seconds.
    """
    before = state.entries
    tally = _Tally()
    entries: dict[str, Entry] = {}
    unknown = 0
    for part in batches(sessions):
        pairs: list[tuple[Entry, Entry]] = []
        for session in part:
            entry = Entry(recording_status(session), session.created_at, *_values(session))
            known = before.get(session.id) if before is not None else entry
            if known is None:
                unknown += 1
                known = tally.start() if _counts_in_full(entry, windows, now) else entry
            if entry != known:
                pairs.append((known, entry))
                entry = _merged(known, entry)
                tally.add_recording(known, entry)
            entries[session.id] = entry
        tally.add_changes(pairs)
        yield
    max_sessions = max(state.max_sessions, len(sessions))
    earlier = before or {}
    if len(entries) - unknown != len(earlier):
        absent = yield from _absent(earlier, entries, windows, now)
        entries |= islice(absent.items(), max(max_sessions, MIN_REMEMBERED))
    return CounterState(entries, max_sessions), tally.increments()


_ZERO: Final = Entry()
_UNKNOWN_RECORDING: Final = (None, "unknown")
_values = attrgetter(*COUNTED)


class _Tally:
    """Adds up what has changed, some sessions at a time."""

    def __init__(self) -> None:
        self.started = 0
        self._amounts: dict[str, float] = dict.fromkeys(COUNTED, 0.0)
        self._regressions: dict[str, int] = dict.fromkeys(COUNTED, 0)
        self._recordings: dict[str, int] = dict.fromkeys(FINISHED, 0)

    def start(self) -> Entry:
        """Count a session that counts in full; return the entry to compare it with."""
        self.started += 1
        return _ZERO

    def add_recording(self, before: Entry, after: Entry) -> None:
        if after.recording != before.recording and after.recording in self._recordings:
            self._recordings[after.recording] += 1

    def add_changes(self, pairs: Sequence[tuple[Entry, Entry]]) -> None:
        """Add the changes of the cumulative values, one field after the other."""
        before, after = [old for old, _ in pairs], [new for _, new in pairs]
        for name in COUNTED:
            value = attrgetter(name)
            changes = _changes(map(value, before), map(value, after))
            if not changes:
                continue
            if min(changes) < 0:
                self._regressions[name] += sum(each < 0 for each in changes)
                changes = [each for each in changes if each > 0]
            self._amounts[name] += sum(changes)

    def increments(self) -> Increments:
        return Increments(self._amounts, self._regressions, self.started, self._recordings)


def _changes(before: Iterable[float | None], after: Iterable[float | None]) -> list[float]:
    return [new - old for old, new in zip(before, after, strict=True) if old is not None and new is not None]


def _absent(
    before: Mapping[str, Entry], present: Mapping[str, Entry], windows: Windows, now: float
) -> Cooperative[dict[str, Entry]]:
    """Return the entries of absent sessions that would count in full on their return."""
    absent: dict[str, Entry] = {}
    for names in batches(tuple(before)):
        gone = [name for name in names if name not in present]
        absent |= {name: before[name] for name in gone if _counts_in_full(before[name], windows, now)}
        yield
    return absent


def _counts_in_full(entry: Entry, windows: Windows, now: float) -> bool:
    return entry.created_at is not None and windows.contains(entry.created_at, now)


def _merged(before: Entry, after: Entry) -> Entry:
    """Return the entry to compare the next poll with: what is unknown now keeps its last known value."""
    values = _values(after)
    if None not in values and after.created_at is not None and after.recording == before.recording:
        return after
    return Entry(
        before.recording if after.recording in _UNKNOWN_RECORDING else after.recording,
        before.created_at if after.created_at is None else after.created_at,
        *(old if new is None else new for old, new in zip(_values(before), values, strict=True)),
    )

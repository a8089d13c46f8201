"""What an account's counters grew by between two polls, and what has to be remembered for that."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from typing import Final

import msgspec

from exporter.cooperative import Cooperative, batches
from exporter.sessions.session import Session
from exporter.sessions.snapshot import COUNTED, FINISHED, Windows, recording_status

MISSING: Final = 10_000
"""Missing sessions that are remembered in any case; without any end, a crowd that comes and goes fills the memory."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """What is remembered of a session: the status of its recording, ``createdAt``, and its cumulative values.

    The garbage collector does not look at it: there is one to a session, and going through them stops the loop.
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
    """What an account's counters need to know of the poll before: per session its cumulative values and its recording.

    Attributes:
        entries: None before the first poll, which is the baseline: what it holds was there before us. Sessions that
            are missing stand behind those that are there, the longest missing last.
        most: sessions that a poll had at most; so many missing ones are remembered, or ``MISSING`` if that is more.
    """

    entries: Mapping[str, Entry] | None = None
    most: int = 0


@dataclass(frozen=True, slots=True)
class Increments:
    """What happened between two polls.

    Attributes:
        amounts: per field of ``COUNTED`` the sum of the positive changes.
        regressions: per field how many values fell; a fall counts nothing.
        started: sessions that were created since.
        recordings: per result of ``FINISHED`` how many recordings got there.
    """

    amounts: Mapping[str, float] = field(default_factory=dict)
    regressions: Mapping[str, int] = field(default_factory=dict)
    started: int = 0
    recordings: Mapping[str, int] = field(default_factory=dict)


def compare(
    counter_state: CounterState, sessions: Sequence[Session], *, windows: Windows, now: float
) -> Cooperative[tuple[CounterState, Increments]]:
    """Compare a poll with the one before.

    A session that is new counts in full if it was created within the window; else it left the window and came back,
    and its values are its baseline. A value that is missing for once keeps its last one, and a session that is missing
    for once is remembered for as long as it would count as new when it comes back.

    Args:
        counter_state: the poll before.
        sessions: everything that this poll read, also what is not shown: recordings finish after the window, too.
        windows: for what counts as new.
        now: the server's Unix seconds.
    """
    before = counter_state.entries
    entries: dict[str, Entry] = {}
    amounts: dict[str, float] = dict.fromkeys(COUNTED, 0.0)
    regressions: dict[str, int] = dict.fromkeys(COUNTED, 0)
    finished: dict[str, int] = dict.fromkeys(FINISHED, 0)
    started = unknown = 0
    for part in batches(sessions):
        olds: list[Entry] = []
        news: list[Entry] = []
        for session in part:
            entry = Entry(recording_status(session), session.created_at, *_values(session))
            known = before.get(session.id) if before is not None else entry
            if known is None:
                unknown += 1
                known = entry
                if session.created_at is not None and windows.holds(session.created_at, now):
                    started += 1
                    known = _NOTHING
            if entry != known:
                olds.append(known)
                news.append(entry)
                entry = _kept(known, entry)
                if entry.recording != known.recording and entry.recording in finished:
                    finished[entry.recording] += 1
            entries[session.id] = entry
        _add_up(olds, news, amounts, regressions)
        yield
    most = max(counter_state.most, len(sessions))
    missing: dict[str, Entry] = {}
    earlier = before or {}
    all_there = len(entries) - unknown == len(earlier)
    for names in batches(() if all_there else tuple(earlier)):
        gone = [name for name in names if name not in entries]
        missing |= {name: earlier[name] for name in gone if _would_be_new(earlier[name], windows, now)}
        yield
    entries |= islice(missing.items(), max(most, MISSING))
    return CounterState(entries, most), Increments(amounts, regressions, started, finished)


_NOTHING: Final = Entry()
_UNTOLD: Final = (None, "unknown")
_values = attrgetter(*COUNTED)


def _would_be_new(entry: Entry, windows: Windows, now: float) -> bool:
    return entry.created_at is not None and windows.holds(entry.created_at, now)


def _kept(before: Entry, after: Entry) -> Entry:
    """What to compare with next time: what is not told any more stays as it was."""
    values = _values(after)
    if None not in values and after.created_at is not None and after.recording == before.recording:
        return after
    return Entry(
        before.recording if after.recording in _UNTOLD else after.recording,
        before.created_at if after.created_at is None else after.created_at,
        *(old if new is None else new for old, new in zip(_values(before), values, strict=True)),
    )


def _add_up(
    olds: Sequence[Entry], news: Sequence[Entry], amounts: dict[str, float], regressions: dict[str, int]
) -> None:
    """Add up what has changed in some sessions, one field after the other."""
    for name in COUNTED:
        grown = _grown(map(attrgetter(name), olds), map(attrgetter(name), news))
        if not grown:
            continue
        if min(grown) < 0:
            regressions[name] += sum(each < 0 for each in grown)
            grown = [each for each in grown if each > 0]
        amounts[name] += sum(grown)


def _grown(olds: Iterable[float | None], news: Iterable[float | None]) -> list[float]:
    return [new - old for old, new in zip(olds, news, strict=True) if old is not None and new is not None]

"""By how much the cumulative values of a session have grown, although they may fall (D04 of docs/reliability.md).

A value grows only beyond the highest value seen of its session, so a value that alternates between two replicas of the
API's database is counted once. If a value stays lower for `MAX_FALL` good polls in a row, the API has restarted it:
the first of these values is the new reference, and what came after it counts.
"""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Final

import msgspec

COUNTED: Final = (
    "source_segments",
    "transcoded_segments",
    "source_segments_duration",
    "transcoded_segments_duration",
    "source_bytes",
    "transcoded_bytes",
)
"""The cumulative fields of a session whose growth is counted."""

MAX_FALL: Final = 3
"""Good polls in a row with a value below the highest one, after which the value counts as restarted."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """What is remembered of a session.

    The garbage collector does not track entries: there is one per session, and traversing them blocks the event loop.

    Attributes:
        recording: the recording status.
        created_at: creation time, milliseconds.
        falls: per field whose value is below the highest one, the values since it fell.
        absent_since: monotonic seconds of the first good poll without the session; None while it is present.
        source_segments, ...: per field of ``COUNTED`` the highest value; None if it was never known.
    """

    recording: str | None = None
    created_at: float | None = None
    source_segments: float | None = 0.0
    transcoded_segments: float | None = 0.0
    source_segments_duration: float | None = 0.0
    transcoded_segments_duration: float | None = 0.0
    source_bytes: float | None = 0.0
    transcoded_bytes: float | None = 0.0
    falls: Mapping[str, tuple[float, ...]] | None = None
    absent_since: float | None = None


values_of: Final = attrgetter(*COUNTED)
_UNKNOWN_RECORDING: Final = (None, "unknown")


class Growth:
    """Adds up the growth of many sessions.

    Attributes:
        amounts: per field of ``COUNTED`` the growth.
        regressions: per field the number of values below the one read before.
    """

    def __init__(self) -> None:
        self.amounts: dict[str, float] = dict.fromkeys(COUNTED, 0.0)
        self.regressions: dict[str, int] = dict.fromkeys(COUNTED, 0)

    def add(self, known: Sequence[Entry], read: Sequence[Entry]) -> tuple[list[Entry], Mapping[str, Sequence[float]]]:
        """Add the growth of sessions.

        Args:
            known: what is remembered of each.
            read: the values of this poll, in the same order.

        Returns:
            What to remember of each, and per field of ``COUNTED`` the growth of each.
        """
        fallen = {place for place, entry in enumerate(known) if entry.falls}
        changes: dict[str, list[float]] = {}
        for name in COUNTED:
            value = attrgetter(name)
            changes[name] = found = _changes(map(value, known), map(value, read))
            if min(found, default=0.0) < 0:
                fallen.update(place for place, change in enumerate(found) if change < 0)
        entries = [_merged(old, new) for old, new in zip(known, read, strict=True)]
        for place in fallen:
            entries[place], growth = self._compare_fallen(known[place], entries[place], read[place])
            for name, amount in zip(COUNTED, growth, strict=True):
                changes[name][place] = amount
        for name, found in changes.items():
            self.amounts[name] += sum(found)
        return entries, changes

    def _compare_fallen(self, known: Entry, merged: Entry, read: Entry) -> tuple[Entry, Sequence[float]]:
        """Compare a session with values below their highest ones, field by field.

        Returns:
            What to remember of it, and its growth per field of ``COUNTED``.
        """
        references: dict[str, float | None] = {}
        falls: dict[str, tuple[float, ...]] = {}
        growths = []
        for name, reference, value in zip(COUNTED, values_of(known), values_of(read), strict=True):
            fall = (known.falls or {}).get(name, ())
            growth = 0.0
            if reference is None or value is None:
                references[name] = value if reference is None else reference
            else:
                self.regressions[name] += value < (fall[-1] if fall else reference)
                growth, references[name], fall = _step(reference, fall, value)
            growths.append(growth)
            if fall:
                falls[name] = fall
        return msgspec.structs.replace(merged, falls=falls or None, **references), growths


def _changes(known: Iterable[float | None], read: Iterable[float | None]) -> list[float]:
    return [0.0 if old is None or new is None else new - old for old, new in zip(known, read, strict=True)]


def _step(reference: float, fall: tuple[float, ...], value: float) -> tuple[float, float, tuple[float, ...]]:
    """Return the growth of a value, its new reference, and the values since it fell."""
    if value >= reference:
        return value - reference, value, ()
    fall = (*fall, value)
    if len(fall) < MAX_FALL:
        return 0.0, reference, fall
    # The value was restarted: the same again with the first of the lower values as the reference.
    growth, reference = 0.0, fall[0]
    rest: tuple[float, ...] = ()
    for each in fall[1:]:
        more, reference, rest = _step(reference, rest, each)
        growth += more
    return growth, reference, rest


def _merged(known: Entry, read: Entry) -> Entry:
    """Return what to remember of a session: what is unknown in this poll keeps its last known value."""
    values = values_of(read)
    keeps_recording = read.recording in _UNKNOWN_RECORDING and read.recording != known.recording
    if None not in values and read.created_at is not None and not keeps_recording:
        return read
    return Entry(
        known.recording if keeps_recording else read.recording,
        known.created_at if read.created_at is None else read.created_at,
        *(old if new is None else new for old, new in zip(values_of(known), values, strict=True)),
    )

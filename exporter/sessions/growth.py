"""By how much the cumulative values of a session have grown, although they may fall (D04 of docs/reliability.md).

A value grows only beyond the highest value seen of its session, so a value that alternates between two replicas of the
API's database is counted once. If a value stays lower for `MAX_FALL` good polls in a row, the API has restarted it:
the first of these values is the new reference, and what came after it counts.
"""

from collections.abc import Mapping, Sequence
from operator import attrgetter, sub
from typing import Final

import msgspec

from exporter.sessions.session import Session
from exporter.sessions.snapshot import FINISHED, recording_status

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
        recording: the recording status, or the result of a recording that waits again.
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


def entry_of(session: Session) -> Entry:
    """Return the values of a session at a poll. Each is written out, since it runs for each session of each poll."""
    return Entry(
        recording_status(session),
        session.created_at,
        session.source_segments,
        session.transcoded_segments,
        session.source_segments_duration,
        session.transcoded_segments_duration,
        session.source_bytes,
        session.transcoded_bytes,
    )


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
        # All values of a field are subtracted at once. Sessions of which there is more to remember than the values of
        # this poll, with lower or with unknown values, are compared by field. If no value is lower, falls have ended.
        single = {
            place
            for place, (old, new) in enumerate(zip(known, read, strict=True))
            if new.created_at is None or (new.recording != old.recording and _keeps_recording(old, new))
        }
        changes: dict[str, list[float]] = {}
        for name in COUNTED:
            before, now = ([*map(attrgetter(name), entries)] for entries in (known, read))
            try:
                changes[name] = found = [*map(sub, now, before)]
            except TypeError:
                pairs = [*zip(before, now, strict=True)]
                single.update(place for place, pair in enumerate(pairs) if None in pair)
                changes[name] = found = [0.0 if old is None or new is None else new - old for old, new in pairs]
            if min(found, default=0.0) < 0:
                single.update(place for place, change in enumerate(found) if change < 0)
        entries = [*read]
        for place in single:
            entries[place], growth = self._compare_by_field(known[place], read[place])
            for name, amount in zip(COUNTED, growth, strict=True):
                changes[name][place] = amount
        for name, found in changes.items():
            self.amounts[name] += sum(found)
        return entries, changes

    def _compare_by_field(self, known: Entry, read: Entry) -> tuple[Entry, Sequence[float]]:
        """Compare a session field by field: its values may be unknown, or below their highest ones.

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
        entry = Entry(
            recording=known.recording if _keeps_recording(known, read) else read.recording,
            created_at=known.created_at if read.created_at is None else read.created_at,
            falls=falls or None,
            **references,
        )
        return entry, growths


def _keeps_recording(known: Entry, read: Entry) -> bool:
    """Whether the known status of a recording is kept: the new one is unknown, or that of a finished one waits again.

    A replica that is behind shows a finished recording as waiting; each recording counts once per result (D04).
    """
    return read.recording in _UNKNOWN_RECORDING or (known.recording in FINISHED and read.recording == "waiting")


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

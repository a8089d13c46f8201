"""The sessions of an evening, and what faults do to some of them. Times are minutes of the evening."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.simulator.query import Row
from tests.support.rows import START, ident, row

MINUTE: Final = 60.0
UPDATE: Final = 50.0
"""Seconds between updates of session values, as Livepeer Studio makes them."""

INGEST_RATE: Final = 750_000.0
PROFILES: Final = [{"name": f"{height}p", "height": height, "bitrate": 3_000_000} for height in (720, 480, 360)]
READY_AFTER: Final = 5.0
"""Minutes between the end of a session and its recording."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What happens to a broadcast between two times.

    Attributes:
        start, end: minutes.
        speed: seconds of source that arrive per second.
        transcoded: seconds that are transcoded per second of normal speed, for each rendition.
        rate: ingest rate as a ratio of the normal one.
        health: as Livepeer Studio reports it.
        issues: the issue texts.
    """

    start: float
    end: float
    speed: float = 1.0
    transcoded: float = 1.0
    rate: float = 1.0
    health: bool | None = True
    issues: tuple[str, ...] = ()

    def seconds_until(self, time: float) -> float:
        """Return for how many seconds it has lasted at a time in minutes."""
        return max(0.0, min(time, self.end) - self.start) * MINUTE


@dataclass(frozen=True, slots=True)
class Broadcast:
    """One session.

    Attributes:
        number: determines its id.
        stream: id of its stream.
        start, end: minutes between which media arrives; equal if none ever does.
        effects: what happens to it, one after the other.
        recording: the status of the recording when it is finished; ``waiting`` if it never is.
    """

    number: int
    stream: str
    start: float
    end: float
    effects: Sequence[Effect] = ()
    recording: str = "ready"

    def row(self, time: float) -> Row:
        """Return the session at a time as the API lists it."""
        update = self._last_update(time)
        now = next((each for each in self.effects if each.start <= time < each.end), Effect(0, 0))
        is_live = update is not None and time < self.end
        media = update - self.start if update is not None else 0.0
        source, transcoded = (media * MINUTE + gain for gain in self._gains(self.start + media))
        rate = INGEST_RATE * now.rate if is_live else 0.0
        is_finished = self.recording != "waiting" and time >= self.end + READY_AFTER
        return row(
            self.number,
            id=ident(self.number),
            name=self.stream.title(),
            parentId=self.stream,
            createdAt=_milliseconds(self.start),
            lastSeen=0 if update is None else _milliseconds(update),
            sourceSegments=int(source / 2),
            transcodedSegments=int(3 * transcoded / 2),
            sourceSegmentsDuration=source,
            transcodedSegmentsDuration=3 * transcoded,
            sourceBytes=int(source * INGEST_RATE),
            transcodedBytes=int(transcoded * INGEST_RATE),
            ingestRate=rate,
            outgoingRate=rate,
            isHealthy=now.health if is_live else None,
            issues=list(now.issues) if is_live else None,
            recordingStatus=self.recording if is_finished else "waiting",
            profiles=PROFILES,
        )

    def _gains(self, time: float) -> tuple[float, float]:
        """Return the seconds of source and of renditions that the effects added until a time; mostly negative."""
        return (
            sum((each.speed - 1) * each.seconds_until(time) for each in self.effects),
            sum((each.transcoded - 1) * each.seconds_until(time) for each in self.effects),
        )

    def _last_update(self, time: float) -> float | None:
        """Return the minute of the last update of its values."""
        elapsed = (min(time, self.end) - self.start) * MINUTE
        return self.start + elapsed // UPDATE * UPDATE / MINUTE if elapsed > 0 else None


class Sessions:
    """The sessions of an account as a source for the simulated API."""

    def __init__(self, broadcasts: Iterable[Broadcast]) -> None:
        self._broadcasts = tuple(broadcasts)

    def rows(self, now: float) -> Sequence[Row]:
        """Return the sessions at a time in Unix seconds."""
        time = (now - START) / MINUTE
        return [each.row(time) for each in self._broadcasts if each.start <= time]


def _milliseconds(time: float) -> int:
    return round((START + time * MINUTE) * 1000)

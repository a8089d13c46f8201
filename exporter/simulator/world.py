"""A seeded world of streams with whole lives: what an account looks like at any moment.

Nothing is remembered that could not be worked out again: a world is a function of its seed and the time. So two
worlds of the same seed agree, time may jump, and a world that has run for a month holds as much as a young one.
"""

from collections.abc import Sequence
from functools import lru_cache

from exporter.simulator.counters import figures, rates
from exporter.simulator.lifecycle import Life, Pace, make_life, make_rhythm
from exporter.simulator.query import Row
from exporter.simulator.streams import PROJECT_ID, USER_ID, Habit, make_stream

DEMO_SPEED = 15.0
"""At this speed everything that can happen to a stream is seen within two minutes."""

DEMO_STREAMS = 12
"""Enough for every habit, with the more lively ones twice."""

MEMORY_SECONDS = 24 * 3600.0
"""Sessions that ended longer ago, in world time, are forgotten."""

_LIVES_KEPT = 8192  # worked out again when they are needed after all

_STATISTICS = (
    "lastSeen",
    "sourceSegments",
    "transcodedSegments",
    "sourceSegmentsDuration",
    "transcodedSegmentsDuration",
    "sourceBytes",
    "transcodedBytes",
    "ingestRate",
    "outgoingRate",
)

_ISSUES = {
    Habit.SAGGING: ("Ingest bitrate is far below the source's average",),
    Habit.LAGGING: ("Transcoding is slower than real time",),
    Habit.AILING: (
        'Key frames come irregularly ("GOP" of 11.2 s)',
        "Audio track \\ video track out of step 🔇",
    ),
}


class World:
    """The sessions of an account, from a seed.

    Args:
        seed: worlds of one seed are the same.
        streams: how many parent streams there are; 7 show every habit.
        start: the server's Unix seconds at which `speed` sets in. Before, there is history of natural length.
        speed: how much faster than life sessions start, end and step. Dates and amounts stay true to the
            server's clock.
        memory: how long ended sessions are remembered, in seconds of world time.
    """

    def __init__(
        self,
        seed: int,
        streams: int,
        *,
        start: float,
        speed: float = 1.0,
        memory: float = MEMORY_SECONDS,
    ) -> None:
        self._seed = seed
        self._pace = Pace(start, speed)
        self._memory = memory
        self._streams = tuple(make_stream(seed, number) for number in range(streams))
        self._rhythms = tuple(make_rhythm(seed, number, stream.habit) for number, stream in enumerate(self._streams))
        self._life = lru_cache(_LIVES_KEPT)(self._make_life)

    def rows(self, now: float) -> Sequence[Row]:
        """All sessions at the server's Unix seconds, as the API's list shows them."""
        world = self._pace.world(now)
        return [tell(life, self._pace, world) for life in self._lives(world)]

    def _lives(self, world: float) -> list[Life]:
        since = world - self._memory
        lives = (
            self._life(number, slot)
            for number, rhythm in enumerate(self._rhythms)
            for slot in rhythm.slots(since, world)
        )
        return [life for life in lives if life.created <= world and life.over >= since]

    def _make_life(self, number: int, slot: int) -> Life:
        return make_life(self._seed, number, self._streams[number], self._rhythms[number], slot)


def tell(life: Life, pace: Pace, world: float) -> Row:
    """A session at a time of the world, as the API's list shows it."""
    stream = life.stream
    row: Row = {
        "id": life.id,
        "kind": "session",
        "name": stream.name,
        "userId": USER_ID,
        "projectId": PROJECT_ID,
        "parentId": stream.id,
        "playbackId": stream.playback_id,
        "createdAt": _milliseconds(pace.server(life.created)),
        **_statistics(life, pace, world),
        "profiles": list(stream.profiles),
        "recordingSpec": {"profiles": []},
    }
    if stream.recorded is not None:
        row["record"] = stream.recorded
    if stream.recorded:
        row |= _recording(life, world)
    row["parentStream"] = stream.document
    return row


def _statistics(life: Life, pace: Pace, world: float) -> Row:
    sight = life.sight(world)
    if sight is None:
        return dict.fromkeys(_STATISTICS, 0)  # never reported: no `isHealthy`, no `issues`
    sums = figures(life, pace, sight)
    ingest, outgoing = (0.0, 0.0) if world >= life.over else rates(life, pace, sight)
    segment = life.stream.segment
    return {
        "lastSeen": _milliseconds(pace.server(sight)),
        "sourceSegments": sums.source_segments,
        "transcodedSegments": sums.transcoded_segments,
        "sourceSegmentsDuration": sums.source_segments * segment,
        "transcodedSegmentsDuration": sums.transcoded_segments * segment,
        "sourceBytes": int(sums.source_bytes),
        "transcodedBytes": int(sums.transcoded_bytes),
        "ingestRate": ingest,
        "outgoingRate": outgoing,
        **_health(life, world),
    }


def _health(life: Life, world: float) -> Row:
    if world >= life.over:
        return {"isHealthy": True if life.stays_healthy else None, "issues": None}
    issues = _ISSUES.get(life.stream.habit)
    if issues and life.in_trouble(world):
        return {"isHealthy": False, "issues": list(issues)}
    return {"isHealthy": True, "issues": None}


def _recording(life: Life, world: float) -> Row:
    status = life.recording_status(world)
    if status != "ready":
        return {"recordingStatus": status}
    place = f"https://recordings.example.com/{life.stream.playback_id}/{life.id}"
    return {
        "recordingStatus": status,
        "recordingUrl": f"{place}/output.m3u8",
        "mp4Url": f"{place}/download/high.mp4",
    }


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)

"""A seeded world of streams whose sessions start, degrade and end.

A world is a function of its seed and the time and keeps no other state: worlds of the same seed are equal, time may
jump, and a world that has run for a month needs as much memory as a new one.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain, pairwise
from operator import attrgetter

from exporter.simulator.counters import counters_at, rates_at
from exporter.simulator.events import MAX_EVENT_DELAY, Event, events_of
from exporter.simulator.lifecycle import NO_RECORDING_AFTER, Lifecycle, Pace, make_lifecycle, make_slots
from exporter.simulator.query import Row
from exporter.simulator.streams import ISSUES, PROJECT_ID, make_stream

DEMO_SPEED = 15.0
"""At this speed every behavior of a stream shows within two minutes."""

DEMO_STREAMS = 12
"""Enough for every behavior, with three steady streams."""

HISTORY = 24 * 3600.0
"""Seconds of world time after which ended sessions are no longer listed."""

_CACHED_LIFECYCLES = 8192  # others are computed again when they are needed

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


class World:
    """The sessions of a simulated account.

    Args:
        seed: worlds of the same seed are equal.
        streams: number of parent streams; 10 have all behaviors.
        start: time of the server, in Unix seconds, from which `speed` applies. The history before has realistic length.
        speed: factor by which sessions start, end and are updated faster. Timestamps and amounts of media remain
            correct by the server's clock.
        history: seconds of world time for which ended sessions are listed.
        users: number of users to whom the streams belong.
    """

    def __init__(
        self,
        seed: int,
        streams: int,
        *,
        start: float,
        speed: float = 1.0,
        history: float = HISTORY,
        users: int = 1,
    ) -> None:
        self._seed = seed
        self._pace = Pace(start, speed)
        self._history = history
        self._streams = tuple(make_stream(seed, number, users) for number in range(streams))
        self._slots = tuple(
            make_slots(seed, number, stream.behavior, start) for number, stream in enumerate(self._streams)
        )
        self._lifecycle = lru_cache(_CACHED_LIFECYCLES)(self._make_lifecycle)

    def rows(self, now: float) -> Sequence[Row]:
        """Return all sessions at a time of the server, in Unix seconds, as the API lists them."""
        world_time = self._pace.world_time(now)
        return [make_row(session, self._pace, world_time) for session in self._sessions(world_time)]

    def events(self, since: float, until: float) -> list[Event]:
        """Return what happens after a time of the server and until another one, ordered by time.

        The history limits what is listed, but not the events.
        """
        begin, end = self._pace.world_time(since - MAX_EVENT_DELAY), self._pace.world_time(until)
        found = (
            event
            for slots in self._between(begin - NO_RECORDING_AFTER, end)
            for before, session in pairwise([None, *slots])
            if session is not None
            for event in events_of(session, before, self._pace)
            if since < event.time <= until
        )
        return sorted(found, key=attrgetter("time"))

    def stream(self, stream_id: str) -> Row:
        """Return the document of a stream, which contains its key."""
        return next(stream.document for stream in self._streams if stream.id == stream_id)

    def _sessions(self, now: float) -> list[Lifecycle]:
        since = now - self._history
        sessions = chain.from_iterable(self._between(since, now))
        return [session for session in sessions if session.created <= now and session.ended >= since]

    def _between(self, since: float, until: float) -> Iterator[list[Lifecycle]]:
        """Yield per stream the sessions of a span of world time, and the one before, which may last into it."""
        for number, slots in enumerate(self._slots):
            yield [self._lifecycle(number, slot) for slot in slots.between(since - slots.duration, until)]

    def _make_lifecycle(self, number: int, slot: int) -> Lifecycle:
        return make_lifecycle(self._seed, number, self._streams[number], self._slots[number], slot)


def make_row(session: Lifecycle, pace: Pace, now: float) -> Row:
    """Return a session at a world time, as the API lists it."""
    stream = session.stream
    row: Row = {
        "id": session.id,
        "kind": "session",
        "name": stream.name,
        "userId": stream.user_id,
        "projectId": PROJECT_ID,
        "parentId": stream.id,
        "playbackId": stream.playback_id,
        "createdAt": _milliseconds(pace.server_time(session.created)),
        **_statistics(session, pace, now),
        "profiles": list(stream.profiles),
        "recordingSpec": {"profiles": []},
    }
    if stream.is_recorded is not None:
        row["record"] = stream.is_recorded
    if stream.is_recorded:
        row |= _recording(session, now)
    row["parentStream"] = stream.document
    return row


def _statistics(session: Lifecycle, pace: Pace, now: float) -> Row:
    update = session.last_update(now)
    if update is None:
        return dict.fromkeys(_STATISTICS, 0)  # before the first update there is no `isHealthy` and no `issues`
    counters = counters_at(session, pace, update)
    ingest_rate, outgoing_rate = (0.0, 0.0) if now >= session.ended else rates_at(session, pace, update)
    segment_duration = session.stream.segment_duration
    return {
        "lastSeen": _milliseconds(pace.server_time(update)),
        "sourceSegments": counters.source_segments,
        "transcodedSegments": counters.transcoded_segments,
        "sourceSegmentsDuration": counters.source_segments * segment_duration,
        "transcodedSegmentsDuration": counters.transcoded_segments * segment_duration,
        "sourceBytes": int(counters.source_bytes),
        "transcodedBytes": int(counters.transcoded_bytes),
        "ingestRate": ingest_rate,
        "outgoingRate": outgoing_rate,
        **_health(session, now),
    }


def _health(session: Lifecycle, now: float) -> Row:
    if now >= session.ended:
        return {"isHealthy": True if session.stays_healthy else None, "issues": None}
    issues = ISSUES.get(session.stream.behavior)
    if issues and session.is_degraded(now):
        return {"isHealthy": False, "issues": list(issues)}
    return {"isHealthy": True, "issues": None}


def _recording(session: Lifecycle, now: float) -> Row:
    status = session.recording_status(now)
    if status != "ready":
        return {"recordingStatus": status}
    url = f"https://recordings.example.com/{session.stream.playback_id}/{session.id}"
    return {
        "recordingStatus": status,
        "recordingUrl": f"{url}/output.m3u8",
        "mp4Url": f"{url}/download/high.mp4",
    }


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)

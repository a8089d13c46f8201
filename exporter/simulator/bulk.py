"""Many sessions at once, quickly made: for benchmarks and for big accounts."""

import random
from collections.abc import Sequence

from exporter.simulator.query import Row
from exporter.simulator.streams import PROJECT_ID, USER_ID, Stream, make_stream, random_uuid

_SESSIONS_PER_STREAM = 20
_STEP_SECONDS = 50.0


def dense_rows(count: int, seed: int, now: float, *, recorded_share: float = 0.3, live_share: float = 0.6) -> list[Row]:
    """That many sessions at the server's Unix seconds: live ones, and others that ended within the last hour.

    The same arguments give the same sessions; the same seed gives the same ids at any time. Sessions of one
    stream share its `parentStream`, so that memory holds it once.

    Args:
        count: how many sessions.
        seed: of everything that is random in them.
        now: the server's Unix seconds.
        recorded_share: of the sessions, which part is recorded.
        live_share: of the sessions, which part was seen in the last 50 seconds.
    """
    rng = random.Random(f"dense:{seed}")
    streams = [make_stream(seed, number) for number in range(count // _SESSIONS_PER_STREAM + 1)]
    return [
        _dense_row(
            rng,
            streams[number % len(streams)],
            now,
            recorded=rng.random() < recorded_share,
            live=rng.random() < live_share,
        )
        for number in range(count)
    ]


def _dense_row(rng: random.Random, stream: Stream, now: float, *, recorded: bool, live: bool) -> Row:
    age = rng.uniform(0, _STEP_SECONDS) if live else rng.uniform(120, 3500)
    length = rng.uniform(60, 14_400)
    segments = int(length / stream.segment)
    renditions = len(stream.profiles)
    outgoing = sum(profile["bitrate"] for profile in stream.profiles) / 8
    healthy = rng.random() < 0.95
    row: Row = {
        "id": random_uuid(rng),
        "kind": "session",
        "name": stream.name,
        "userId": USER_ID,
        "projectId": PROJECT_ID,
        "parentId": stream.id,
        "playbackId": stream.playback_id,
        "createdAt": int((now - age - length) * 1000),
        "lastSeen": int((now - age) * 1000),
        "sourceSegments": segments,
        "transcodedSegments": segments * renditions,
        "sourceSegmentsDuration": segments * stream.segment,
        "transcodedSegmentsDuration": segments * renditions * stream.segment,
        "sourceBytes": int(length * stream.bitrate / 8),
        "transcodedBytes": int(length * outgoing),
        "ingestRate": stream.bitrate / 8 * rng.uniform(0.95, 1.05) if live else 0,
        "outgoingRate": outgoing * rng.uniform(0.95, 1.05) if live else 0,
        "isHealthy": healthy if live else None,
        "issues": None if healthy or not live else ["Ingest bitrate is far below the source's average"],
        "profiles": stream.profiles,
        "record": recorded,
        "parentStream": stream.document,
    }
    if recorded:
        row["recordingStatus"] = "waiting"
    if recorded and not live:
        place = f"https://recordings.example.com/{stream.playback_id}/{row['id']}"
        row |= {"recordingStatus": "ready", "recordingUrl": f"{place}/output.m3u8"}
        row["mp4Url"] = f"{place}/download/high.mp4"
    return row


class Crowd:
    """Dense rows that go on living: the live ones take a step every 50 seconds, the others stay ended.

    All of them step together, which upstream's do not; so between two steps the rows are one unchanged sequence,
    and the cost of serving them is that of the pages.
    """

    def __init__(self, rows: Sequence[Row], start: float) -> None:
        self._rows = rows
        self._start = start
        self._steps = 0

    def rows(self, now: float) -> Sequence[Row]:
        """All sessions at the server's Unix seconds, which must not run backwards."""
        steps = int((now - self._start) // _STEP_SECONDS)
        if steps > self._steps:
            passed = (steps - self._steps) * _STEP_SECONDS
            self._rows = [_moved_on(row, passed) if row["ingestRate"] else row for row in self._rows]
            self._steps = steps
        return self._rows


def _moved_on(row: Row, seconds: float) -> Row:
    """A live row some seconds later. `ingestRate` alone tells the live ones: it is ours, and never 0 in them."""
    per_segment = row["sourceSegmentsDuration"] / row["sourceSegments"]
    segments = row["sourceSegments"] + round(seconds / per_segment)
    renditions = len(row["profiles"])
    return row | {
        "lastSeen": row["lastSeen"] + int(seconds * 1000),
        "sourceSegments": segments,
        "transcodedSegments": segments * renditions,
        "sourceSegmentsDuration": segments * per_segment,
        "transcodedSegmentsDuration": segments * renditions * per_segment,
        "sourceBytes": row["sourceBytes"] + int(row["ingestRate"] * seconds),
        "transcodedBytes": row["transcodedBytes"] + int(row["outgoingRate"] * seconds),
    }

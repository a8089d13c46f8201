"""Many sessions at once, generated quickly, for benchmarks and for tests of large accounts."""

import random
from collections.abc import Sequence

from exporter.simulator.query import Row
from exporter.simulator.streams import PROJECT_ID, Stream, make_stream, random_uuid

_SESSIONS_PER_STREAM = 20
_UPDATE_INTERVAL = 50.0  # seconds


def bulk_rows(
    count: int, seed: int, now: float, *, recorded_share: float = 0.3, live_share: float = 0.6, users: int = 1
) -> list[Row]:
    """Generate sessions: live ones, and others that ended within the last hour.

    The same arguments produce the same sessions, and the same seed the same ids at any time. Sessions of one stream
    share one `parentStream` object, which saves memory.

    Args:
        count: number of sessions.
        seed: seed of all random values.
        now: time of the server, Unix seconds.
        recorded_share: fraction of the sessions that are recorded.
        live_share: fraction of the sessions that were seen within the last 50 seconds.
        users: number of users to whom the streams belong.
    """
    rng = random.Random(f"bulk:{seed}")
    streams = [make_stream(seed, number, users) for number in range(count // _SESSIONS_PER_STREAM + 1)]
    return [
        _row(
            rng,
            streams[number % len(streams)],
            now,
            is_recorded=rng.random() < recorded_share,
            is_live=rng.random() < live_share,
        )
        for number in range(count)
    ]


def _row(rng: random.Random, stream: Stream, now: float, *, is_recorded: bool, is_live: bool) -> Row:
    age = rng.uniform(0, _UPDATE_INTERVAL) if is_live else rng.uniform(120, 3500)
    duration = rng.uniform(60, 14_400)
    segments = int(duration / stream.segment_duration)
    renditions = len(stream.profiles)
    outgoing = sum(profile["bitrate"] for profile in stream.profiles) / 8
    is_healthy = rng.random() < 0.95
    row: Row = {
        "id": random_uuid(rng),
        "kind": "session",
        "name": stream.name,
        "userId": stream.user_id,
        "projectId": PROJECT_ID,
        "parentId": stream.id,
        "playbackId": stream.playback_id,
        "createdAt": int((now - age - duration) * 1000),
        "lastSeen": int((now - age) * 1000),
        "sourceSegments": segments,
        "transcodedSegments": segments * renditions,
        "sourceSegmentsDuration": segments * stream.segment_duration,
        "transcodedSegmentsDuration": segments * renditions * stream.segment_duration,
        "sourceBytes": int(duration * stream.bitrate / 8),
        "transcodedBytes": int(duration * outgoing),
        "ingestRate": stream.bitrate / 8 * rng.uniform(0.95, 1.05) if is_live else 0,
        "outgoingRate": outgoing * rng.uniform(0.95, 1.05) if is_live else 0,
        "isHealthy": is_healthy if is_live else None,
        "issues": None if is_healthy or not is_live else ["Ingest bitrate is far below the source's average"],
        "profiles": stream.profiles,
        "record": is_recorded,
        "parentStream": stream.document,
    }
    if is_recorded:
        row["recordingStatus"] = "waiting"
    if is_recorded and not is_live:
        url = f"https://recordings.example.com/{stream.playback_id}/{row['id']}"
        row |= {"recordingStatus": "ready", "recordingUrl": f"{url}/output.m3u8"}
        row["mp4Url"] = f"{url}/download/high.mp4"
    return row


class BulkSource:
    """Bulk rows over time: the live sessions are updated every 50 seconds, the others stay ended.

    All live sessions are updated at the same time, unlike in the real API. Between two updates the rows are therefore
    one unchanged sequence, and requests cost only what the pages cost.

    Args:
        rows: the sessions at the start.
        start: time of the server at the start, Unix seconds.
    """

    def __init__(self, rows: Sequence[Row], start: float) -> None:
        self._rows = rows
        self._start = start
        self._updates = 0

    def rows(self, now: float) -> Sequence[Row]:
        """Return all sessions at a time of the server, in Unix seconds, which must not decrease."""
        updates = int((now - self._start) // _UPDATE_INTERVAL)
        if updates > self._updates:
            elapsed = (updates - self._updates) * _UPDATE_INTERVAL
            self._rows = [_updated(row, elapsed) if _is_live(row) else row for row in self._rows]
            self._updates = updates
        return self._rows


def _is_live(row: Row) -> bool:
    return bool(row["ingestRate"])  # never 0 in a live row


def _updated(row: Row, seconds: float) -> Row:
    """A live row some seconds later."""
    segment_duration = row["sourceSegmentsDuration"] / row["sourceSegments"]
    segments = row["sourceSegments"] + round(seconds / segment_duration)
    renditions = len(row["profiles"])
    return row | {
        "lastSeen": row["lastSeen"] + int(seconds * 1000),
        "sourceSegments": segments,
        "transcodedSegments": segments * renditions,
        "sourceSegmentsDuration": segments * segment_duration,
        "transcodedSegmentsDuration": segments * renditions * segment_duration,
        "sourceBytes": row["sourceBytes"] + int(row["ingestRate"] * seconds),
        "transcodedBytes": row["transcodedBytes"] + int(row["outgoingRate"] * seconds),
    }

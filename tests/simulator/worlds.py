"""Worlds over time."""

from collections.abc import Iterator

from exporter.simulator.api import Row
from exporter.simulator.world import World

START = 1_800_000_000.0
HOUR = 3600.0
Snapshots = list[tuple[float, dict[str, Row]]]
"""The sessions by id at some times of the server."""
STATISTICS = ("sourceSegmentsDuration", "transcodedSegmentsDuration", "sourceBytes", "transcodedBytes")


def by_id(world: World, now: float) -> dict[str, Row]:
    return {row["id"]: row for row in world.rows(now)}


def is_active(row: Row, now: float) -> bool:
    return bool(row["lastSeen"] > (now - 90) * 1000)


def has_rates(row: Row) -> bool:
    return bool(row["ingestRate"])


def lag(row: Row) -> float:
    """Seconds by which the average rendition is behind the source."""
    return float(row["sourceSegmentsDuration"] - row["transcodedSegmentsDuration"] / len(row["profiles"]))


def snapshots(world: World, seconds: float, every: float = 1.0) -> Iterator[tuple[float, dict[str, Row]]]:
    """Yield the sessions by id at regular times after the start."""
    for number in range(int(seconds / every)):
        now = START + number * every
        yield now, by_id(world, now)


def live_session(world: World, span: float) -> tuple[float, str]:
    """A time after the start, and the id of a session that is live from then on for some seconds."""
    for number in range(1, 100):
        begin = START + 60 * number
        before, after = by_id(world, begin), by_id(world, begin + span)
        for session, row in before.items():
            if has_rates(row) and has_rates(after[session]):
                return begin, session
    raise AssertionError

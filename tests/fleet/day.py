"""A simulated day of a fleet: accounts come and go by reload, and every counter is compared with its expected value.

On the manual clock a day takes as long as its polls: ``python -m tests.fleet.day --hours 24``, or ``make soak-fleet``.
The expected values are computed from the simulated worlds, independently of the exporter's code.
"""

import argparse
import asyncio
import gc
import logging
import os
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from exporter.sessions.snapshot import FINISHED
from exporter.simulator.api import Row
from exporter.simulator.events import EventKind
from exporter.simulator.world import World
from tests.fleet.manual import Fleet, fleet
from tests.support.canary import KEY
from tests.support.rows import START

HOUR = 3600.0
ACCOUNTS = ("anna", "bert", "cleo", "dora")
STREAM_COUNT = 10
"""Each behavior of the simulator once."""
API_FIELDS = {
    "source_segments": "sourceSegments",
    "transcoded_segments": "transcodedSegments",
    "source_segments_duration": "sourceSegmentsDuration",
    "transcoded_segments_duration": "transcodedSegmentsDuration",
    "source_bytes": "sourceBytes",
    "transcoded_bytes": "transcodedBytes",
}
COUNTERS = {
    (f"{name}_seconds_total" if "duration" in name else f"{name}_total"): field for name, field in API_FIELDS.items()
}
"""The API field that each counter sums up."""

EVENT_COUNTERS = (
    "sessions_started_total",
    "reconnects_total",
    "sessions_never_started_total",
    "ended_session_duration_seconds_count",
)

ACTIVE_WINDOW = 90.0

MAX_MEMORY_GROWTH = 0.05
"""Growth of resident memory from the first quarter to the end that fragmentation of the allocator can cause."""


def create_world(name: str, history: float) -> World:
    """Return the world of an account, which keeps ended sessions for `history` seconds."""
    return World(ACCOUNTS.index(name), STREAM_COUNT, start=START, history=history)


@dataclass(frozen=True, slots=True)
class PolledPeriod:
    """The period in which an account has been polled.

    Attributes:
        account: its name.
        first: Unix seconds of the first poll.
        last: Unix seconds of the last poll.
    """

    account: str
    first: float
    last: float

    def expected_counters(self) -> dict[str, float]:
        """Return the values of the counters after the last poll, by name."""
        world = create_world(self.account, self.last - self.first + 5 * HOUR)
        before = {row["id"]: row for row in world.rows(self.first)}
        after = {row["id"]: row for row in world.rows(self.last)}
        increments = {
            counter: sum(row.get(field, 0) - before.get(id_, {}).get(field, 0) for id_, row in after.items())
            for counter, field in COUNTERS.items()
        }
        started = sum(id_ not in before for id_ in after)
        finished = {
            f"recordings_finished_total {result}": sum(
                _has_result(row, result) and not _has_result(before.get(id_, {}), result) for id_, row in after.items()
            )
            for result in FINISHED
        }
        return {**increments, "sessions_started_total": started, **finished, **self._expected_events(before, after)}

    def _expected_events(self, before: Mapping[str, Row], after: Mapping[str, Row]) -> dict[str, float]:
        """Return the values of the counters of events in the lifecycle of sessions."""
        world = create_world(self.account, self.last - START)
        kinds = Counter(event.kind for event in world.events(self.first, self.last))
        had_ended = {id_ for id_, row in before.items() if _has_ended(row, self.first)}
        ended = sum(_has_ended(row, self.last) and id_ not in had_ended for id_, row in after.items())
        return {
            "reconnects_total": kinds[EventKind.RECONNECTED],
            "sessions_never_started_total": kinds[EventKind.NEVER_STARTED],
            "ended_session_duration_seconds_count": ended,
        }


def _has_ended(row: Row, now: float) -> bool:
    return bool(row["lastSeen"]) and now - row["lastSeen"] / 1000 > ACTIVE_WINDOW


def _has_result(row: Mapping[str, object], result: str) -> bool:
    return row.get("recordingStatus") == result


def exported_counters(running: Fleet, account: str) -> dict[str, float]:
    """Return the counters of an account on the page, by the names of `PolledPeriod.expected_counters`."""
    page = running.scrape()
    plain = {name: page.value(name, account=account) or 0.0 for name in (*COUNTERS, *EVENT_COUNTERS)}
    finished = page.all("recordings_finished_total", account=account)
    return plain | {f"recordings_finished_total {labels['result']}": value for labels, value in finished}


def differences(period: PolledPeriod, exported: Mapping[str, float]) -> list[str]:
    """Return a line for each counter that differs from its expected value by more than the rounding of sums."""
    expected = period.expected_counters()
    assert expected.keys() == exported.keys()
    return [
        f"{period.account}: {name} is {exported[name]!r}, expected {value!r}"
        for name, value in expected.items()
        if abs(exported[name] - value) > 1e-9 * max(abs(value), 1.0)
    ]


@dataclass(frozen=True, slots=True)
class Hour:
    """The state after a simulated hour.

    Attributes:
        number: hours since the start.
        resident_bytes: resident memory of this process.
        poll_count: polls since the start.
        errors: differences between the page and what is expected.
    """

    number: int
    resident_bytes: int
    poll_count: int
    errors: tuple[str, ...]


async def simulate(hours: float, key_file: str, interval: float = 60.0) -> AsyncIterator[Hour]:
    """Simulate some hours; yields the state after each.

    Every hour, one of two accounts is added and the other one removed. Two further accounts remain, and one of these
    changes its poll interval back and forth.

    Args:
        hours: simulated hours.
        key_file: path of a file that contains `KEY`.
        interval: seconds between two polls of an account.
    """
    sources = {name: create_world(name, 5 * HOUR) for name in ACCOUNTS}
    async with fleet(
        sources, *ACCOUNTS[:2], key_file=key_file, poll_interval=interval, recording_interval=1
    ) as running:
        scheduler, clock = running.scheduler, running.scheduler.clock
        first_polls: dict[str, float] = {}
        end, hour = clock.now() + hours * HOUR, 0
        present: tuple[str, ...] = ACCOUNTS[:2]
        while clock.now() < end:
            began = clock.now()
            await scheduler.run_for(HOUR)
            hour += 1
            for name in present:
                first_polls.setdefault(name, began + scheduler.first_delays[name])
            periods = [PolledPeriod(name, first_polls[name], scheduler.last_runs[name]) for name in present]
            errors = [line for each in periods for line in differences(each, exported_counters(running, each.account))]
            shown = {labels["account"] for labels, _ in running.scrape().all("up")}
            errors += [] if shown == set(present) else [f"the page has the accounts {sorted(shown)}"]
            yield Hour(hour, _resident_bytes(), scheduler.run_count, tuple(errors))
            present = (*ACCOUNTS[:2], ACCOUNTS[2 + hour % 2])
            first_polls = {name: time for name, time in first_polls.items() if name in present}
            changed_interval = {"poll_interval": f"{interval * (1 + hour % 2):g}s"}
            await running.apply(ACCOUNTS[0], {"name": ACCOUNTS[1], **changed_interval}, *present[2:])


def _resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def _report(hours: float) -> int:
    """Print a line per hour; return 1 if a counter was wrong, or if memory grew after the first quarter."""
    began = time.monotonic()
    results = []
    with tempfile.TemporaryDirectory() as directory:
        key_file = Path(directory) / "key"
        key_file.write_text(KEY, encoding="ascii")
        async for hour in simulate(hours, str(key_file)):
            results.append(hour)
            verdict = "; ".join(hour.errors) or "all counters correct"
            print(
                f"hour {hour.number:3}  {hour.poll_count:6} polls  {hour.resident_bytes / 1e6:6.1f} MB  {verdict}",
                flush=True,
            )
    warm = max(hour.resident_bytes for hour in results[: max(1, len(results) // 4)])
    growth = results[-1].resident_bytes / warm - 1
    print(f"{time.monotonic() - began:.0f} s; memory grew by {growth:+.1%} since the first quarter")
    return int(growth > MAX_MEMORY_GROWTH or any(hour.errors for hour in results))


def main() -> int:
    """Simulate some hours, by default a day."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--hours", type=float, default=24.0)
    logging.getLogger("exporter").setLevel(logging.ERROR)
    return asyncio.run(_report(parser.parse_args().hours))


if __name__ == "__main__":
    raise SystemExit(main())

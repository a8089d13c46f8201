"""P4: the latency of scrapes while polls run without pauses."""

import json
import time
from collections.abc import Sequence
from typing import Final

from tests.bench.processes import Server, running_module, running_upstream
from tests.bench.report import EXPORTER, GoalResult, Measurement, Results
from tests.bench.scraper import Scraper

PAGE_BYTES: Final = 100_000
BYTES_PER_SESSION: Final = 640
"""Compressed bytes of a page per session, which gives the number of sessions for a page of 100 kB."""

SCRAPE_INTERVAL: Final = 0.004
CHANGE: Final = ("--change", "/change?share=0.05")
IDLE: Final = f"{EXPORTER}, idle"
POLLING: Final = f"{EXPORTER}, polling"
LATENCY: Final = "latency of a scrape of 100 kB, due every 4 ms"
BLOCKED: Final = "longest block of the event loop in a poll"


def compare(rounds: int, scrapes: int, *, sessions: int) -> Results:
    """Compare scrapes while idle and while polling; then measure the blocks of the event loop.

    Args:
        rounds: rounds of both.
        scrapes: in each round.
        sessions: for the blocks of the event loop.
    """
    count = PAGE_BYTES // BYTES_PER_SESSION
    latencies: dict[str, list[float]] = {IDLE: [], POLLING: []}
    with running_upstream(count) as upstream:
        for _ in range(rounds):
            for name, flags in ((IDLE, ("--idle",)), (POLLING, CHANGE)):
                with running_module("tests.bench.poll_loop", "--url", upstream.url, *flags) as server:
                    latencies[name] += measure_latencies(server, scrapes)
    p99 = {name: percentile(values, 0.99) * 1000 for name, values in latencies.items()}
    measurements = [
        Measurement(LATENCY, name, count, "ms", tuple(seconds * 1000 for seconds in values))
        for name, values in latencies.items()
    ]
    measurements += [Measurement(f"{LATENCY}, p99", name, count, "ms", (value,)) for name, value in p99.items()]
    records = _poll_records(sessions, polls=4 * rounds)
    measurements += [
        Measurement(quantity, EXPORTER, sessions, "ms", tuple(seconds * 1000 for seconds in records[key]))
        for quantity, key in ((BLOCKED, "blocked"), (f"{BLOCKED}, CPU", "blocked_cpu"))
    ]
    longest = max(records["blocked"]) * 1000
    ratio = p99[POLLING] / p99[IDLE]
    return Results(
        tuple(measurements),
        (
            GoalResult("P4", "p99 of a scrape during polls, compared with the idle p99", ratio, goal=5),
            GoalResult("P4", "p99 of a scrape during polls", p99[POLLING], goal=10, unit="ms"),
            GoalResult("P4", f"longest block of the event loop, {sessions:,} sessions", longest, goal=20, unit="ms"),
        ),
    )


def measure_latencies(server: Server, count: int) -> list[float]:
    """Return the seconds from the time when each scrape is due to the end of its response.

    A scrape is due every 4 ms, regardless of the earlier ones. A block of the event loop therefore counts for all
    scrapes that are due while it lasts.
    """
    latencies = []
    with Scraper(server.port) as scraper:
        scraper.scrape()
        start = time.perf_counter()
        for number in range(1, count + 1):
            due = start + number * SCRAPE_INTERVAL
            time.sleep(max(0.0, due - time.perf_counter()))
            scraper.scrape()
            latencies.append(time.perf_counter() - due)
    return latencies


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that the given share of the values does not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _poll_records(sessions: int, polls: int) -> dict[str, list[float]]:
    with (
        running_upstream(sessions) as upstream,
        running_module("tests.bench.poll_loop", "--url", upstream.url, *CHANGE, "--polls", str(polls)) as server,
    ):
        records: dict[str, list[float]] = json.loads(server.last_line())
        return records

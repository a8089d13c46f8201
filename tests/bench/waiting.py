"""P4: how long a scrape waits while polls run back to back."""

import json
import time
from collections.abc import Sequence

from tests.bench.processes import Running, running
from tests.bench.report import OURS, Figure, Findings, Verdict
from tests.bench.scraper import Scraper

BODY = 100_000
BYTES_PER_SESSION = 640
"""Compressed, of a page; so many sessions make a body of 100 kB."""

PACE = 0.004
IDLE = f"{OURS}, idle"
BUSY = f"{OURS}, polling"


def compare(rounds: int, scrapes: int, *, crowd: int) -> Findings:
    """Scrapes of a body of 100 kB, idle and while polling; then the longest gap of the loop with many sessions."""
    count = BODY // BYTES_PER_SESSION
    waits: dict[str, list[float]] = {IDLE: [], BUSY: []}
    with running(["tests.bench.upstream", "--sessions", str(count)]) as upstream:
        for _ in range(rounds):
            for name, flags in ((IDLE, ["--idle"]), (BUSY, ["--change", "/change?share=0.05"])):
                with running(["tests.bench.beside", "--url", upstream.url, *flags]) as program:
                    waits[name] += waited(program, scrapes)
    high = {name: percentile(values, 0.99) for name, values in waits.items()}
    figures = [
        Figure("wait for a scrape of 100 kB, due every 4 ms", name, count, "ms", tuple(each * 1000 for each in values))
        for name, values in waits.items()
    ]
    figures += [Figure("the same, p99", name, count, "ms", (value * 1000,)) for name, value in high.items()]
    diary = _diary(crowd, polls=4 * rounds)
    figures += [
        Figure(what, OURS, crowd, "ms", tuple(each * 1000 for each in diary[kind]))
        for what, kind in (("longest gap of the loop in a poll", "gaps"), ("the same, CPU", "work"))
    ]
    return Findings(
        tuple(figures),
        (
            Verdict("P4", "p99 of a scrape while polling, to the idle p99", 5).of(high[BUSY] / high[IDLE]),
            Verdict("P4", "p99 of a scrape while polling", 10, "ms").of(high[BUSY] * 1000),
            Verdict("P4", f"longest gap of the loop, {crowd:,} sessions", 20, "ms").of(max(diary["gaps"]) * 1000),
        ),
    )


def waited(program: Running, count: int) -> list[float]:
    """Seconds from when each scrape was due, every 4 ms whatever became of those before, to the end of its answer.

    So a standstill counts for every scrape that fell due in it, and not for one alone.
    """
    found = []
    with Scraper(program.port) as scraper:
        scraper.scrape()
        start = time.perf_counter()
        for number in range(1, count + 1):
            due = start + number * PACE
            time.sleep(max(0.0, due - time.perf_counter()))
            scraper.scrape()
            found.append(time.perf_counter() - due)
    return found


def percentile(values: Sequence[float], part: float) -> float:
    """The value that so great a part of them does not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def _diary(sessions: int, polls: int) -> dict[str, list[float]]:
    with (
        running(["tests.bench.upstream", "--sessions", str(sessions)]) as upstream,
        running(
            ["tests.bench.beside", "--url", upstream.url, "--change", "/change?share=0.05", "--polls", str(polls)]
        ) as program,
    ):
        found: dict[str, list[float]] = json.loads(program.last_line())
        return found

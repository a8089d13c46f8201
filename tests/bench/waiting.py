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
                    waits[name] += scraped(program, scrapes)
    high = {name: percentile(values, 0.99) for name, values in waits.items()}
    figures = [
        Figure("scrape of 100 kB, every 4 ms", name, count, "ms", tuple(each * 1000 for each in values))
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
            Verdict("P4", f"CPU of the longest gap of the loop, {crowd:,} sessions", 20, "ms").of(
                max(diary["work"]) * 1000
            ),
        ),
    )


def scraped(program: Running, count: int) -> list[float]:
    """Seconds of each scrape, one every 4 ms, or as soon as the one before is done."""
    found = []
    with Scraper(program.port) as scraper:
        scraper.scrape()
        due = time.perf_counter()
        for _ in range(count):
            due = max(due + PACE, time.perf_counter())
            time.sleep(max(0.0, due - time.perf_counter()))
            found.append(scraper.scrape().seconds)
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

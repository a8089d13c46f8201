"""P6: the resident memory of the daemon, and its growth over turnovers of all sessions."""

import json
import time
from typing import Final

from tests.bench.processes import running_exporter, running_module, running_upstream
from tests.bench.report import EXPORTER, GoalResult, Measurement, Results
from tests.bench.scraper import Scraper

POLLS: Final = 6


def daemon(sessions: int) -> Results:
    """Measure the daemon after several polls, with 5 % of the sessions changed before each and a scrape after each."""
    with (
        running_upstream(sessions) as upstream,
        running_exporter(f"{upstream.url}/api", "--poll-interval", "2s") as server,
    ):
        memory = []
        for _ in range(POLLS):
            upstream.post("/change?share=0.05")
            time.sleep(2)
            with Scraper(server.port) as scraper:
                scraper.scrape()
            memory.append(server.memory() / 2**20)
    measurement = Measurement("resident memory of the daemon", EXPORTER, sessions, "MiB", tuple(memory))
    description = f"resident memory of the daemon, {sessions:,} sessions"
    return Results((measurement,), (GoalResult("P6", description, max(memory), goal=128, unit="MiB"),))


def turnovers(sessions: int, count: int) -> Results:
    """Measure the exporter after each of several polls, with a complete turnover of the sessions before each.

    All polls request the recordings. Between two requests, the sessions that have left with an unfinished recording are
    remembered, which would be those of all turnovers, since the polls have no pauses.
    """
    flags = ("--change", "/turnover", "--polls", str(count), "--recording-interval", "0.001")
    with (
        running_upstream(sessions) as upstream,
        running_module("tests.bench.poll_loop", "--url", upstream.url, *flags) as server,
    ):
        memory = [size / 2**20 for size in json.loads(server.last_line())["memory"]]
    measurement = Measurement(f"resident memory over {count} turnovers", EXPORTER, sessions, "MiB", tuple(memory))
    description = f"memory after {count} complete turnovers of the sessions, compared with after the first"
    return Results((measurement,), (GoalResult("P6", description, memory[-1] / memory[0], goal=1.1),))

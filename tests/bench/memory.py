"""P6, what is resident: the daemon with many sessions, and the program after many turnovers of all of them."""

import json
import time

from tests.bench.processes import exporter, running
from tests.bench.report import OURS, Figure, Findings, Verdict
from tests.bench.scraper import Scraper

LIMIT = 128
POLLS = 6


def daemon(sessions: int) -> Findings:
    """The daemon after some polls, in each of which 5 % had changed; it is scraped once to a poll."""
    with (
        running(["tests.bench.upstream", "--sessions", str(sessions)]) as upstream,
        exporter(f"{upstream.url}/api", "--poll-interval", "2s") as program,
    ):
        seen = []
        for _ in range(POLLS):
            upstream.post("/change?share=0.05")
            time.sleep(2)
            with Scraper(program.port) as scraper:
                scraper.scrape()
            seen.append(program.memory() / 2**20)
    figure = Figure("memory of the daemon, resident", OURS, sessions, "MiB", tuple(seen))
    verdict = Verdict("P6", f"memory of the daemon, resident, {sessions:,} sessions", LIMIT, "MiB").of(max(seen))
    return Findings((figure,), (verdict,))


def turnovers(sessions: int, count: int) -> Findings:
    """The program after each complete turnover of its sessions, scraped once to each."""
    with (
        running(["tests.bench.upstream", "--sessions", str(sessions)]) as upstream,
        running(
            ["tests.bench.beside", "--url", upstream.url, "--change", "/turnover", "--polls", str(count)]
        ) as program,
    ):
        memory = [each / 2**20 for each in json.loads(program.last_line())["memory"]]
    figure = Figure(f"memory over {count} turnovers, resident", OURS, sessions, "MiB", tuple(memory))
    verdict = Verdict("P6", f"memory after {count} turnovers, to that after the first", 1.1).of(memory[-1] / memory[0])
    return Findings((figure,), (verdict,))

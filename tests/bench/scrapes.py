"""P1 and P2: a scrape of this program, of the obvious one, and of a static file with the same bytes, in turns."""

import gzip
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.bench.contestants import OBVIOUS
from tests.bench.processes import PATIENCE, Running, exporter, running
from tests.bench.report import OURS, Figure, Findings, Verdict
from tests.bench.scraper import Scraper

FILE = "a static file"
LATENCY = "latency of a scrape"
CPU = "CPU of a scrape"
SCRAPES = 20
"""To a round of those that are quick; the obvious program has one, since it takes seconds."""

_SESSION = b"livepeer_studio_session_"


def compare(sessions: int, rounds: int) -> Findings:
    """Three servers in processes of their own, each with one connection that stays."""
    with running(["tests.bench.upstream", "--sessions", str(sessions)]) as upstream:
        base_url = f"{upstream.url}/api"
        with (
            tempfile.NamedTemporaryFile() as file,
            exporter(base_url, "--poll-interval", "1h") as ours,
            running(["tests.bench.obvious", "--base-url", base_url]) as obvious,
        ):
            page = _page(ours, "/metrics")
            _same_samples(page, _page(obvious, "/metrics/"))
            Path(file.name).write_bytes(page)
            with running(["tests.bench.static", file.name]) as static:
                servers = {OURS: (ours, "/metrics"), FILE: (static, "/metrics"), OBVIOUS: (obvious, "/metrics/")}
                return _in_turns(servers, sessions, rounds)


def _in_turns(servers: dict[str, tuple[Running, str]], sessions: int, rounds: int) -> Findings:
    waits: dict[str, list[float]] = {name: [] for name in servers}
    costs: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(rounds):
        for name, (server, path) in servers.items():
            count = 1 if name == OBVIOUS else SCRAPES
            with Scraper(server.port, path) as scraper:
                before = server.cpu()
                waits[name] += [scraper.scrape().seconds * 1000 for _ in range(count)]
                costs[name].append((server.cpu() - before) / count * 1000)
    figures = [Figure(LATENCY, name, sessions, "ms", tuple(values)) for name, values in waits.items()]
    figures += [Figure(CPU, name, sessions, "ms", tuple(values)) for name, values in costs.items()]
    latency = {figure.who: figure.median for figure in figures if figure.what == LATENCY}
    cpu = {figure.who: figure.median for figure in figures if figure.what == CPU}
    return Findings(
        tuple(figures),
        (
            Verdict("P1", f"CPU of a scrape, to the obvious program's, {sessions:,} sessions", 1 / 500).of(
                cpu[OURS] / cpu[OBVIOUS]
            ),
            Verdict("P2", f"latency of a scrape, to a static file's, {sessions:,} sessions", 1.3).of(
                latency[OURS] / latency[FILE]
            ),
        ),
    )


def _page(server: Running, path: str) -> bytes:
    """The compressed page, once the first poll is on it.

    Raises:
        RuntimeError: it never came.
    """
    for _ in range(int(PATIENCE)):
        with Scraper(server.port, path) as scraper:
            page = scraper.body()
        if _samples(page):
            return page
        time.sleep(1)
    raise RuntimeError("the first poll never ended")


def _samples(page: bytes) -> Counter[bytes]:
    lines = gzip.decompress(page).splitlines()
    return Counter(line.partition(b"{")[0] for line in lines if line.startswith(_SESSION))


def _same_samples(ours: bytes, theirs: bytes) -> None:
    """Raise RuntimeError unless both show as many samples of each family: else they do not do the same work."""
    if _samples(ours) != _samples(theirs):
        raise RuntimeError("the contestants do not show the same samples")

"""P1 and P2: scrapes of the exporter, of the reference program, and of a static file with the same bytes."""

import gzip
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

from tests.bench.processes import START_TIMEOUT, Server, running_exporter, running_module, running_upstream
from tests.bench.reference import REFERENCE
from tests.bench.report import EXPORTER, GoalResult, Measurement, Results
from tests.bench.scraper import Scraper

STATIC_FILE: Final = "static file"
LATENCY: Final = "latency of a scrape"
CPU: Final = "CPU of a scrape"
SCRAPES: Final = 20
"""Scrapes in each round; the reference program has one, since it takes seconds."""

_SESSION: Final = b"livepeer_studio_session_"


def compare(sessions: int, rounds: int) -> Results:
    """Compare three servers in separate processes, each with a kept connection.

    The exporter's page also has the lifecycle metrics, which the reference program does not compute.

    Raises:
        RuntimeError: the exporter does not have all samples of the reference program.
    """
    with running_upstream(sessions) as upstream:
        base_url = f"{upstream.url}/api"
        with (
            tempfile.NamedTemporaryFile() as file,
            running_exporter(base_url, "--poll-interval", "1h") as exporter,
            running_module("tests.bench.reference", "--base-url", base_url) as reference,
        ):
            page = _first_page(exporter, "/metrics")
            samples, expected = _samples(page), _samples(_first_page(reference, "/metrics/"))
            if any(samples[family] != count for family, count in expected.items()):
                raise RuntimeError("the candidates have different numbers of samples")
            Path(file.name).write_bytes(page)
            with running_module("tests.bench.static_file", file.name) as static:
                servers = {
                    EXPORTER: (exporter, "/metrics"),
                    STATIC_FILE: (static, "/metrics"),
                    REFERENCE: (reference, "/metrics/"),
                }
                return _measure(servers, sessions, rounds)


def _measure(servers: dict[str, tuple[Server, str]], sessions: int, rounds: int) -> Results:
    latencies: dict[str, list[float]] = {name: [] for name in servers}
    costs: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(rounds):
        for name, (server, path) in servers.items():
            count = 1 if name == REFERENCE else SCRAPES
            with Scraper(server.port, path) as scraper:
                before = server.cpu()
                latencies[name] += [scraper.scrape().seconds * 1000 for _ in range(count)]
                costs[name].append((server.cpu() - before) / count * 1000)
    latency = {name: Measurement(LATENCY, name, sessions, "ms", tuple(values)) for name, values in latencies.items()}
    cpu = {name: Measurement(CPU, name, sessions, "ms", tuple(values)) for name, values in costs.items()}
    cpu_ratio = cpu[EXPORTER].median / cpu[REFERENCE].median
    latency_ratio = latency[EXPORTER].median / latency[STATIC_FILE].median
    to_reference = f"compared with the reference program's, {sessions:,} sessions"
    to_file = f"compared with a static file's, {sessions:,} sessions"
    return Results(
        (*latency.values(), *cpu.values()),
        (
            GoalResult("P1", f"{CPU}, {to_reference}", cpu_ratio, goal=1 / 500),
            GoalResult("P2", f"{LATENCY}, {to_file}", latency_ratio, goal=1.3),
        ),
    )


def _first_page(server: Server, path: str) -> bytes:
    """Wait for the first poll, and return the compressed page with its sessions."""
    for _ in range(int(START_TIMEOUT)):
        with Scraper(server.port, path) as scraper:
            page = scraper.body()
        if _samples(page):
            return page
        time.sleep(1)
    raise RuntimeError(f"no sessions on the page within {START_TIMEOUT:.0f} s")


def _samples(page: bytes) -> Counter[bytes]:
    """Count the samples of each family for sessions."""
    lines = gzip.decompress(page).splitlines()
    return Counter(line.partition(b"{")[0] for line in lines if line.startswith(_SESSION))

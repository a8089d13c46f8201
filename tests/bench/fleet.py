"""The cost of a million sessions in 500 accounts, and of one account: 10,000 sessions, and 100,000 in four shards.

The exporters are processes on loopback. All accounts of a fleet have the same sessions, so that the simulator stays
small. The values are those of one round, in which every account is polled once.

    python -m tests.bench.fleet [--parts account] [--accounts 500] [--interval 120]
"""

import argparse
import gzip
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import yaml

from tests.bench.processes import KEY, Server, environment, running_module, terminate
from tests.bench.report import number
from tests.bench.scraper import Scraper
from tests.support.ports import free_ports

SCRAPES: Final = 5
"""Scrapes in a round; few, so that they hardly slow down the polls."""

FIRST_ROUND_TIMEOUT: Final = 180.0
"""Seconds that the first round may take in addition to an interval."""

UNLIMITED_SERIES: Final = 100_000_000

DETAILS: Final = ("account", "stream", "session")
PARTS: Final = ("fleet", "account", "shards")
SINGLE_SESSIONS: Final = 10_000
SINGLE_INTERVAL: Final = 30.0


@dataclass(frozen=True, slots=True)
class Case:
    """An exporter and its accounts.

    Attributes:
        name: its name in the table.
        accounts: the number of accounts.
        sessions: of each account.
        settings: the settings in addition to the accounts.
    """

    name: str
    accounts: int
    sessions: int
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Round:
    """The costs of one exporter in a round.

    Attributes:
        requests: to the API.
        received: bytes of the API's responses.
        cpu: seconds of CPU time.
        memory: resident bytes at its end.
        series: on the page.
        dropped: sessions that the limit of series dropped.
        compressed: bytes of the compressed page.
        page: bytes of the page.
        scrape: seconds of a scrape, the median.
        poll: seconds of a poll, the mean.
    """

    requests: float
    received: float
    cpu: float
    memory: int
    series: int
    dropped: float
    compressed: int
    page: int
    scrape: float
    poll: float


@dataclass(frozen=True, slots=True)
class Page:
    """A scraped page.

    Attributes:
        seconds: of the scrape.
        compressed: bytes of the compressed page.
        size: bytes of the page.
        series: on the page.
        sums: of each family over all labels, by name without the prefix.
    """

    seconds: float
    compressed: int
    size: int
    series: int
    sums: Mapping[str, float]

    @classmethod
    def scrape(cls, exporter: Server) -> "Page":
        """Scrape with the headers of Prometheus."""
        with Scraper(exporter.port) as scraper:
            scrape = scraper.scrape()
            text = gzip.decompress(scraper.body())
        sums: dict[str, float] = {}
        series = 0
        for line in text.decode().splitlines():
            if not line.startswith("#"):
                series += 1
                name = re.split(r"[{ ]", line, maxsplit=1)[0].removeprefix("livepeer_studio_")
                sums[name] = sums.get(name, 0.0) + float(line.rpartition(" ")[2])
        return cls(scrape.seconds, scrape.size, len(text), series, sums)


@contextmanager
def running_case(base_url: str, case: Case) -> Iterator[Server]:
    """Run the daemon with a settings file; it logs errors only, to stderr."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "key").write_text(KEY, encoding="ascii")
        accounts = [
            {"name": f"account-{index:03}", "api_key_file": str(directory / "key")} for index in range(case.accounts)
        ]
        settings = {"base_url": base_url, "accounts": accounts, "log_level": "error", **case.settings}
        (directory / "settings.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        [port] = free_ports(1)
        flags = ["--config.file", str(directory / "settings.yaml"), "--web.listen-address", f"127.0.0.1:{port}"]
        process = subprocess.Popen([sys.executable, "-m", "exporter", *flags], env=environment(), text=True)
        try:
            yield Server(process.pid, port)
        finally:
            terminate(process)


def measure(exporters: Sequence[tuple[Case, Server]], interval: float) -> list[Round]:
    """Measure a round of exporters that run at the same time, after the first round, in which all sessions are new.

    Args:
        exporters: with their accounts.
        interval: seconds to measure.

    Raises:
        RuntimeError: an account could not be polled.
    """
    deadline = time.monotonic() + interval + FIRST_ROUND_TIMEOUT
    while not all(_accounts_up(exporter) == case.accounts for case, exporter in exporters):
        if time.monotonic() > deadline:
            raise RuntimeError("not every account was polled in time")
        time.sleep(5)
    before = [Page.scrape(exporter) for _, exporter in exporters]
    cpu_before = [exporter.cpu() for _, exporter in exporters]
    scrapes: list[list[float]] = [[] for _ in exporters]
    end = time.monotonic() + interval
    for _ in range(SCRAPES):
        time.sleep(max(0.0, (end - time.monotonic()) / SCRAPES))
        for (_, exporter), seconds in zip(exporters, scrapes, strict=True):
            with Scraper(exporter.port) as scraper:
                seconds.append(scraper.scrape().seconds)
    time.sleep(max(0.0, end - time.monotonic()))
    rounds = []
    for index, (case, exporter) in enumerate(exporters):
        cpu, memory = exporter.cpu() - cpu_before[index], exporter.memory()
        rounds.append(_round(case.accounts, before[index], Page.scrape(exporter), cpu, memory, scrapes[index]))
    return rounds


def _accounts_up(exporter: Server) -> float:
    try:
        return Page.scrape(exporter).sums.get("up", 0.0)
    except OSError:  # it does not listen yet
        return 0.0


def _round(accounts: int, before: Page, after: Page, cpu: float, memory: int, scrapes: Sequence[float]) -> Round:
    def increase(name: str) -> float:
        return after.sums[name] - before.sums[name]

    if increase("exporter_poll_failures_total") or increase("exporter_polls_skipped_total"):
        raise RuntimeError("polls failed, or took longer than the interval")
    rounds = increase("exporter_polls_total") / accounts
    return Round(
        requests=increase("exporter_api_requests_total") / rounds,
        received=increase("exporter_api_response_bytes_total") / rounds,
        cpu=cpu / rounds,
        memory=memory,
        series=after.series,
        dropped=after.sums["exporter_sessions_dropped"],
        compressed=after.compressed,
        page=after.size,
        scrape=median(scrapes),
        poll=increase("exporter_poll_duration_seconds_sum") / increase("exporter_poll_duration_seconds_count"),
    )


COLUMNS: Final = (
    "exporter",
    "accounts",
    "sessions",
    "requests",
    "received, MB",
    "CPU, s",
    "memory, MB",
    "series",
    "dropped",
    "page, MB",
    "compressed, MB",
    "scrape, s",
    "poll, s",
)


def cells(case: Case, found: Round) -> tuple[str, ...]:
    """Format a row of the table."""
    return (
        case.name,
        f"{case.accounts:,}",
        f"{case.accounts * case.sessions:,}",
        f"{found.requests:,.0f}",
        number(found.received / 1e6),
        number(found.cpu),
        number(found.memory / 1e6),
        f"{found.series:,}",
        f"{found.dropped:,.0f}",
        number(found.page / 1e6),
        number(found.compressed / 1e6),
        number(found.scrape),
        number(found.poll),
    )


def row(columns: Sequence[str]) -> str:
    """Format a row of a table in Markdown."""
    return f"| {' | '.join(columns)} |"


def fleets(accounts: int, interval: float) -> list[Case]:
    """Return a fleet for each level of detail; the finer levels reach the limit of series."""
    return [
        Case(f"fleet, {detail}", accounts, 2_000, {"poll_interval": interval, "detail": detail}) for detail in DETAILS
    ]


def single(sessions: int, interval: float) -> list[Case]:
    """Return one account with each level of detail."""
    return [
        Case(f"one account, {detail}", 1, sessions, {"poll_interval": interval, "detail": detail}) for detail in DETAILS
    ]


def sharded(count: int, sessions: int, interval: float) -> list[Case]:
    """Return the shards of one large account with series for each session, polled twice as often as a fleet."""
    shared = {"poll_interval": interval / 2, "max_series": UNLIMITED_SERIES, "shard_count": count}
    return [Case(f"shard {index} of {count}", 1, sessions, {**shared, "shard_index": index}) for index in range(count)]


def main() -> None:
    """Measure all cases and print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--accounts", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=100_000, help="of the sharded account")
    parser.add_argument("--interval", type=float, default=120.0, help="seconds")
    options = parser.parse_args()
    interval = options.interval
    groups = {
        "fleet": [[case] for case in fleets(options.accounts, interval)],
        "account": [[case] for case in single(SINGLE_SESSIONS, SINGLE_INTERVAL)],
        "shards": [sharded(count, options.sessions, interval) for count in (1, 4)],
    }
    print(row(COLUMNS), row(["---"] * len(COLUMNS)), sep="\n", flush=True)
    for group in (each for part in options.parts for each in groups[part]):
        with ExitStack() as stack:
            upstream = stack.enter_context(
                running_module("tests.bench.cached_upstream", "--sessions", str(group[0].sessions))
            )
            base_url = f"{upstream.url}/api"
            started = [(case, stack.enter_context(running_case(base_url, case))) for case in group]
            rounds = measure(started, interval)
            for case, each in zip(group, rounds, strict=True):
                print(row(cells(case, each)), flush=True)


if __name__ == "__main__":
    main()

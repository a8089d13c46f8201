"""What a fleet costs: a million sessions in 500 accounts, and 100,000 sessions of one account in four shards.

Real processes on loopback; the accounts of a fleet share one crowd of sessions, so that the simulator stays small. What
is measured comes to one round, in which every account is polled once.

    python -m tests.bench.fleet [--accounts 500] [--interval 120]
"""

import argparse
import gzip
import re
import socket
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

from tests.bench.processes import KEY, Running, end, environ, running
from tests.bench.report import number
from tests.bench.scraper import Scraper

SCRAPES: Final = 5
"""In a round; the pauses between them leave the polls most of the time."""

PATIENCE: Final = 180.0
"""Seconds beyond an interval that the first round may take: the machine may be slow."""

ALL_SERIES: Final = 100_000_000


@dataclass(frozen=True, slots=True)
class Case:
    """One exporter among others.

    Attributes:
        name: what is shown in the table.
        accounts: how many it polls.
        sessions: of each account.
        settings: what is set beside the accounts.
    """

    name: str
    accounts: int
    sessions: int
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of one exporter took: seconds, bytes, and counts."""

    requests: float
    read: float
    processor: float
    memory: int
    series: int
    dropped: float
    packed: int
    page: int
    scrape: float
    poll: float


@dataclass(frozen=True, slots=True)
class Page:
    """One scrape: how long it took, its sizes, and the sums of its families over all labels."""

    seconds: float
    packed: int
    size: int
    series: int
    sums: Mapping[str, float]

    @classmethod
    def of(cls, exporter: Running) -> "Page":
        """Scrape as Prometheus does."""
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
def exporting(base_url: str, case: Case) -> Iterator[Running]:
    """The daemon with a settings file; it logs nothing but errors, since nobody reads them."""
    with tempfile.TemporaryDirectory() as name, socket.socket() as free:
        directory = Path(name)
        (directory / "key").write_text(KEY, encoding="ascii")
        accounts = [
            {"name": f"account-{place:03}", "api_key_file": str(directory / "key")} for place in range(case.accounts)
        ]
        settings = {"base_url": base_url, "accounts": accounts, "log_level": "error", **case.settings}
        (directory / "settings.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        flags = ["--config.file", str(directory / "settings.yaml"), "--web.listen-address", f"127.0.0.1:{port}"]
        process = subprocess.Popen([sys.executable, "-m", "exporter", *flags], env=environ(), text=True)
        try:
            yield Running(process.pid, port)
        finally:
            end(process)


def measured(exporters: Sequence[tuple[Case, Running]], interval: float) -> list[Round]:
    """A round of exporters that run side by side, after the first, in which everything is new.

    Args:
        exporters: what they poll, and the processes.
        interval: seconds that are measured.

    Raises:
        RuntimeError: an account could not be polled.
    """
    deadline = time.monotonic() + interval + PATIENCE
    while not all(_up(exporter) == case.accounts for case, exporter in exporters):
        if time.monotonic() > deadline:
            raise RuntimeError("not every account was polled in time")
        time.sleep(5)
    before = [Page.of(exporter) for _, exporter in exporters]
    spent = [exporter.cpu() for _, exporter in exporters]
    took: list[list[float]] = [[] for _ in exporters]
    until = time.monotonic() + interval
    for _ in range(SCRAPES):
        time.sleep(max(0.0, (until - time.monotonic()) / SCRAPES))
        for (_, exporter), seconds in zip(exporters, took, strict=True):
            with Scraper(exporter.port) as scraper:
                seconds.append(scraper.scrape().seconds)
    time.sleep(max(0.0, until - time.monotonic()))
    found = []
    for place, (case, exporter) in enumerate(exporters):
        processor, memory = exporter.cpu() - spent[place], exporter.memory()
        found.append(_round(case.accounts, before[place], Page.of(exporter), processor, memory, took[place]))
    return found


def _up(exporter: Running) -> float:
    try:
        return Page.of(exporter).sums.get("up", 0.0)
    except OSError:  # it does not listen yet
        return 0.0


def _round(accounts: int, before: Page, after: Page, processor: float, memory: int, scrapes: Sequence[float]) -> Round:
    def grown(name: str) -> float:
        return after.sums[name] - before.sums[name]

    if grown("exporter_poll_failures_total") or grown("exporter_polls_skipped_total"):
        raise RuntimeError("polls failed, or took longer than the interval")
    rounds = grown("exporter_polls_total") / accounts
    return Round(
        requests=grown("exporter_api_requests_total") / rounds,
        read=grown("exporter_api_response_bytes_total") / rounds,
        processor=processor / rounds,
        memory=memory,
        series=after.series,
        dropped=after.sums["exporter_sessions_dropped"],
        packed=after.packed,
        page=after.size,
        scrape=median(scrapes),
        poll=grown("exporter_poll_duration_seconds_sum") / grown("exporter_poll_duration_seconds_count"),
    )


COLUMNS: Final = (
    "exporter",
    "accounts",
    "sessions",
    "requests",
    "read, MB",
    "CPU, s",
    "memory, MB",
    "series",
    "dropped",
    "page, MB",
    "packed, MB",
    "scrape, s",
    "poll, s",
)


def row(case: Case, found: Round) -> tuple[str, ...]:
    """A line of the table; requests, bytes and CPU are those of a round, in which every account is polled once."""
    return (
        case.name,
        f"{case.accounts:,}",
        f"{case.accounts * case.sessions:,}",
        f"{found.requests:,.0f}",
        number(found.read / 1e6),
        number(found.processor),
        number(found.memory / 1e6),
        f"{found.series:,}",
        f"{found.dropped:,.0f}",
        number(found.page / 1e6),
        number(found.packed / 1e6),
        number(found.scrape),
        number(found.poll),
    )


def line(cells: Sequence[str]) -> str:
    """A line of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


def fleets(accounts: int, interval: float) -> list[Case]:
    """A fleet at each level of detail; the finer ones run into the limit of series."""
    return [
        Case(f"fleet, {detail}", accounts, 2_000, {"poll_interval": interval, "detail": detail})
        for detail in ("account", "stream", "session")
    ]


def sharded(count: int, sessions: int, interval: float) -> list[Case]:
    """One large account, shown session by session, and polled twice as often as a fleet."""
    shared = {"poll_interval": interval / 2, "max_series": ALL_SERIES, "shard_count": count}
    return [Case(f"shard {place} of {count}", 1, sessions, {**shared, "shard_index": place}) for place in range(count)]


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--accounts", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=100_000, help="of the account that is sharded")
    parser.add_argument("--interval", type=float, default=120.0, help="seconds")
    options = parser.parse_args()
    interval = options.interval
    groups = [
        *([case] for case in fleets(options.accounts, interval)),
        sharded(1, options.sessions, interval),
        sharded(4, options.sessions, interval),
    ]
    print(line(COLUMNS), line(["---"] * len(COLUMNS)), sep="\n", flush=True)
    for group in groups:
        with ExitStack() as stack:
            upstream = stack.enter_context(running(["tests.bench.crowd", "--sessions", str(group[0].sessions)]))
            base_url = f"http://127.0.0.1:{upstream.port}/api"
            started = [(case, stack.enter_context(exporting(base_url, case))) for case in group]
            found = measured(started, interval)
            for case, each in zip(group, found, strict=True):
                print(line(row(case, each)), flush=True)


if __name__ == "__main__":
    main()

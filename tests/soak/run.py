"""The course of a soak: start the exporter and the scrapers, measure the process, and collect the results."""

import math
import multiprocessing
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from typing import Final

from exporter.metrics.catalogue import PREFIX
from tests.soak.process_stats import ProcessStats, measure
from tests.soak.report import Report
from tests.soak.scraper import ScrapeResults, scrape_until
from tests.soak.turnover import SESSION_SECONDS
from tests.soak.upstream import Upstream
from tests.support.canary import scanner
from tests.support.running import Exporter, running_exporter, wait_until

POLL_INTERVAL: Final = 2.0
"""Seconds between polls."""

SESSION_WINDOW: Final = 100.0
"""Seconds of the session window, longer than any time without a successful poll, so that every session is counted."""

RECORDING_INTERVAL: Final = 6.0
"""Seconds between two requests for recordings before the session window."""

POLL_TIMEOUT: Final = 200.0
"""Seconds within which a poll succeeds without faults; it may be delayed by a pause and by the backoff."""

MEASURE_INTERVAL: Final = 2.0
RELOAD_INTERVAL: Final = 15.0
FLAGS: Final = (
    *("--poll-interval", f"{POLL_INTERVAL:g}s", "--session-window", f"{SESSION_WINDOW:g}s", "--max-staleness", "20s"),
    *("--recording-interval", f"{RECORDING_INTERVAL:g}s"),
    *("--web.header-timeout", "2s", "--web.idle-timeout", "5s", "--log.level", "info"),
)


@dataclass(frozen=True, slots=True)
class SoakRun:
    """The options of a run, and its phases as events that synchronize its threads.

    Attributes:
        minutes: the duration after each fault has occurred once.
        scrapers: the number of scraping processes.
        seed: of all random numbers.
        sessions_change: whether sessions start, change and end.
        faults_occur: whether faults are injected.
        all_faults_occurred: whether each fault has occurred once. The first measured minute begins then, since some
            faults allocate memory that Python and the C library keep for later use.
    """

    minutes: float
    scrapers: int
    seed: int
    sessions_change: threading.Event = field(default_factory=threading.Event)
    faults_occur: threading.Event = field(default_factory=threading.Event)
    all_faults_occurred: threading.Event = field(default_factory=threading.Event)

    @property
    def retention(self) -> float:
        """Seconds for which the upstream returns a session after its end, longer than any query reaches back."""
        return SESSION_WINDOW + SESSION_SECONDS[0]


def run_soak(run: SoakRun, upstream: Upstream) -> Report:
    """Run the exporter against an upstream, until the duration is over, and return the results."""
    wrapper = (sys.executable, "-m", "tests.soak.with_task_count")
    with running_exporter("--base-url", upstream.url, *FLAGS, wrapper=wrapper) as exporter:
        _wait_for_poll_after(exporter, 0.0)
        run.sessions_change.set()
        run.faults_occur.set()
        scrape_results, stats = _scrape_and_measure(run, exporter)
        run.faults_occur.clear()
        upstream.fault = None
        run.sessions_change.clear()
        _wait_for_poll_after(exporter, time.time() + POLL_INTERVAL)
        stats.append(measure(exporter))
        page = exporter.request().values
        exporter.send_signal(signal.SIGTERM)
        exit_code = exporter.wait_for_exit()
    minute = max(1, int(60 / MEASURE_INTERVAL))
    return Report(
        seed=run.seed,
        minutes=run.minutes,
        first_minute=ProcessStats.median(stats[:minute]),
        last_minute=ProcessStats.median(stats[-minute:]),
        maximum=ProcessStats.maximum(stats),
        by_minute=[ProcessStats.median(stats[start : start + minute]) for start in range(0, len(stats), minute)],
        scrapes=scrape_results,
        page=page,
        truth=upstream.turnover.truth,
        faulty_requests=upstream.faulty_requests,
        unauthorized_requests=upstream.unauthorized_requests,
        key_findings=len(scanner.findings),
        exit_code=exit_code,
    )


def _wait_for_poll_after(exporter: Exporter, moment: float) -> None:
    """Wait until a poll has succeeded after a moment, in Unix seconds."""
    name = f'{PREFIX}exporter_poll_last_success_timestamp_seconds{{account="default"}}'
    wait_until(lambda: (exporter.value(name) or 0.0) > moment, "a successful poll", POLL_TIMEOUT)


def _scrape_and_measure(run: SoakRun, exporter: Exporter) -> tuple[list[ScrapeResults], list[ProcessStats]]:
    """Run the scrapers and measure the process until the duration is over."""
    spawn = multiprocessing.get_context("spawn")
    stop, queue = spawn.Event(), spawn.Queue()
    scrapers = [
        spawn.Process(target=scrape_until, args=(stop, queue, exporter.port, run.seed + number))
        for number in range(run.scrapers)
    ]
    for scraper in scrapers:
        scraper.start()
    try:
        stats = _measure_and_reload(run, exporter)
    finally:
        stop.set()
    return _collect(scrapers, queue), stats


def _measure_and_reload(run: SoakRun, exporter: Exporter) -> list[ProcessStats]:
    stats: list[ProcessStats] = []
    end, reload_at = math.inf, time.monotonic()
    while time.monotonic() < end:
        if end == math.inf and run.all_faults_occurred.is_set():
            end = time.monotonic() + run.minutes * 60
            stats.clear()
        stats.append(measure(exporter))
        if time.monotonic() >= reload_at:
            exporter.send_signal(signal.SIGHUP)
            reload_at += RELOAD_INTERVAL
        time.sleep(MEASURE_INTERVAL)
    return stats


def _collect(scrapers: Sequence[BaseProcess], queue: "Queue[ScrapeResults]") -> list[ScrapeResults]:
    results = [queue.get(timeout=POLL_TIMEOUT) for _ in scrapers]
    for scraper in scrapers:
        scraper.join()
    return results

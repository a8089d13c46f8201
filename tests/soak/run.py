"""The course of a soak: start the exporter and the scrapers, measure the process, and collect the results."""

import math
import multiprocessing
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from exporter.metrics.catalogue import PREFIX
from tests.soak.disturbances import Disturbances
from tests.soak.login import authorization, write_web_config
from tests.soak.process_stats import ProcessStats, measure, trend
from tests.soak.reloads import WIDE_SESSION_WINDOW, SettingsFile
from tests.soak.report import Report
from tests.soak.scraper import ScrapeResults, scrape_until
from tests.soak.turnover import SESSION_SECONDS
from tests.soak.upstream import Upstream
from tests.support.canary import scanner
from tests.support.running import Exporter, running_exporter, wait_until

POLL_INTERVAL: Final = 2.0
"""Seconds between polls."""

POLL_TIMEOUT: Final = 200.0
"""Seconds within which a poll succeeds without faults; it may be delayed by a pause and by the backoff."""

RECORDING_INTERVAL: Final = 6.0
"""Seconds between two requests for recordings before the session window."""

PAGE_LIMIT: Final = 200
"""Sessions per page, so that the sessions of a poll need several pages."""

MEASURE_INTERVAL: Final = 2.0
FLAGS: Final = (
    *("--poll-interval", f"{POLL_INTERVAL:g}s", "--page-limit", f"{PAGE_LIMIT}", "--max-staleness", "20s"),
    *("--recording-interval", f"{RECORDING_INTERVAL:g}s"),
    *("--web.header-timeout", "2s", "--web.idle-timeout", "5s", "--log.level", "info"),
)


@dataclass(frozen=True, slots=True)
class SoakRun:
    """The options of a run, and its phases as events that synchronize its threads.

    Attributes:
        minutes: the duration after the warm-up.
        scrapers: the number of scraping processes.
        seed: of all random numbers.
        sessions_change: whether sessions start, change and end.
        faults_occur: whether faults are injected.
        all_faults_occurred: whether each fault has occurred once. The first measured minute begins then, since some
            faults allocate memory that Python and the C library keep for later use.
        memory_is_full: whether the exporter remembers as many absent sessions as it ever does.
    """

    minutes: float
    scrapers: int
    seed: int
    sessions_change: threading.Event = field(default_factory=threading.Event)
    faults_occur: threading.Event = field(default_factory=threading.Event)
    all_faults_occurred: threading.Event = field(default_factory=threading.Event)
    memory_is_full: threading.Event = field(default_factory=threading.Event)

    @property
    def is_warm(self) -> bool:
        """Whether no more memory is expected to be taken."""
        return self.all_faults_occurred.is_set() and self.memory_is_full.is_set()

    @property
    def retention(self) -> float:
        """Seconds for which the upstream returns a session after its end, longer than any query reaches back."""
        return WIDE_SESSION_WINDOW + SESSION_SECONDS[0]


def run_soak(run: SoakRun, upstream: Upstream) -> Report:
    """Run the exporter against an upstream, until the duration is over, and return the results."""
    wrapper, began = (sys.executable, "-m", "tests.soak.with_task_count"), time.monotonic()
    with TemporaryDirectory() as directory:
        settings, web_config = SettingsFile(Path(directory) / "settings.yaml"), Path(directory) / "web.yaml"
        settings.write()
        write_web_config(web_config)
        files = ("--config.file", str(settings.path), "--web.config.file", str(web_config))
        with running_exporter("--base-url", upstream.url, *files, *FLAGS, wrapper=wrapper) as exporter:
            disturbances = Disturbances(exporter, settings, random.Random(run.seed))
            _wait_for_poll_after(exporter, 0.0)
            run.sessions_change.set()
            run.faults_occur.set()
            scrape_results, stats = _scrape_and_measure(run, disturbances)
            run.faults_occur.clear()
            upstream.fault = None
            run.sessions_change.clear()
            _wait_for_poll_after(exporter, time.time() + RECORDING_INTERVAL + POLL_INTERVAL)
            stats.append(measure(exporter))
            page = _samples(exporter)
            exporter.send_signal(signal.SIGTERM)
            exit_code = exporter.wait_for_exit()
    minute, quarter = max(1, int(60 / MEASURE_INTERVAL)), max(1, len(stats) // 4)
    return Report(
        seed=run.seed,
        minutes=run.minutes,
        first_quarter=ProcessStats.median(stats[:quarter]),
        last_quarter=ProcessStats.median(stats[-quarter:]),
        rss_trend=trend([each.rss for each in stats]),
        maximum=ProcessStats.maximum(stats),
        by_minute=[ProcessStats.median(stats[start : start + minute]) for start in range(0, len(stats), minute)],
        scrapes=scrape_results,
        disturbances=disturbances.counts,
        disturbance_problems=disturbances.problems,
        log_lines=Counter(each for each in exporter.event_names() if each != "tasks"),
        total_minutes=(time.monotonic() - began) / 60,
        page=page,
        truth=upstream.turnover.truth,
        faulty_requests=upstream.faulty_requests,
        unauthorized_requests=upstream.unauthorized_requests,
        key_findings=len(scanner.findings),
        exit_code=exit_code,
    )


def _samples(exporter: Exporter) -> Mapping[str, float]:
    return exporter.request(Authorization=authorization()).values


def _wait_for_poll_after(exporter: Exporter, moment: float) -> None:
    """Wait until a poll has succeeded after a moment, in Unix seconds."""
    name = f'{PREFIX}exporter_poll_last_success_timestamp_seconds{{account="default"}}'
    wait_until(lambda: _samples(exporter).get(name, 0.0) > moment, "a successful poll", POLL_TIMEOUT)


def _scrape_and_measure(run: SoakRun, disturbances: Disturbances) -> tuple[list[ScrapeResults], list[ProcessStats]]:
    """Run the scrapers and the disturbances, and measure the process until the duration is over."""
    spawn = multiprocessing.get_context("spawn")
    stop, queue = spawn.Event(), spawn.Queue()
    scrapers = [
        spawn.Process(target=scrape_until, args=(stop, queue, disturbances.exporter.port, run.seed + number))
        for number in range(run.scrapers)
    ]
    for scraper in scrapers:
        scraper.start()
    disturber = threading.Thread(target=disturbances.run)
    disturber.start()
    try:
        stats = _measure(run, disturbances)
    finally:
        disturbances.stop.set()
        disturber.join()
        stop.set()
    return _collect(scrapers, queue), stats


def _measure(run: SoakRun, disturbances: Disturbances) -> list[ProcessStats]:
    stats: list[ProcessStats] = []
    end = math.inf
    while time.monotonic() < end:
        if end == math.inf and run.is_warm and disturbances.all_occurred.is_set():
            end = time.monotonic() + run.minutes * 60
            stats.clear()
        stats.append(measure(disturbances.exporter))
        time.sleep(MEASURE_INTERVAL)
    return stats


def _collect(scrapers: Sequence[BaseProcess], queue: "Queue[ScrapeResults]") -> list[ScrapeResults]:
    results = [queue.get(timeout=POLL_TIMEOUT) for _ in scrapers]
    for scraper in scrapers:
        scraper.join()
    return results

"""The course of a soak: start the program and the scrapers, wait, look, and compare at the end."""

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

from exporter.metrics.catalogue import PREFIX
from tests.soak.report import Report
from tests.soak.scraper import Score, scrape_until
from tests.soak.turnover import LIFE
from tests.soak.upstream import Upstream
from tests.soak.vitals import Vitals, look
from tests.support.canary import scanner
from tests.support.running import Exporter, running_exporter, wait_until

INTERVAL = 2.0
"""Seconds between polls."""

WINDOW = 100.0
"""Seconds of the session window: longer than the longest time without a good poll, so that nothing is lost in it."""

PATIENCE = 200.0
"""Seconds at the end for a good poll, which may have to wait for a pause and for its backoff."""

LOOK_EVERY = 2.0
RELOAD_EVERY = 15.0
FLAGS = (
    *("--poll-interval", f"{INTERVAL:g}s", "--session-window", f"{WINDOW:g}s", "--max-staleness", "20s"),
    *("--web.header-timeout", "2s", "--web.idle-timeout", "5s", "--log.level", "info"),
)


@dataclass(frozen=True, slots=True)
class Play:
    """What was asked for, and what the upstream and those who watch tell each other.

    Attributes:
        minutes: how long it takes.
        scrapers: how many there are.
        seed: of what happens by chance.
        moving: whether sessions start, report and end.
        stormy: whether there are faults.
        paraded: whether every fault was there once. The first minute begins then: some faults need more memory than any
            before, which Python and the C library keep for the next time.
    """

    minutes: float
    scrapers: int
    seed: int
    moving: threading.Event = field(default_factory=threading.Event)
    stormy: threading.Event = field(default_factory=threading.Event)
    paraded: threading.Event = field(default_factory=threading.Event)

    @property
    def memory(self) -> float:
        """Seconds for which the upstream remembers what has ended: longer than anybody asks for."""
        return WINDOW + LIFE[0]


def conduct(play: Play, upstream: Upstream) -> Report:
    """Do everything; blocks until it is over."""
    wrapper = (sys.executable, "-m", "tests.soak.watched")
    with running_exporter("--base-url", upstream.url, *FLAGS, wrapper=wrapper) as exporter:
        _succeeds_after(exporter, 0.0)
        play.moving.set()
        play.stormy.set()
        scores, looks = _scraped(play, exporter)
        play.stormy.clear()
        upstream.fault = None
        play.moving.clear()
        _succeeds_after(exporter, time.time() + INTERVAL)
        looks.append(look(exporter))
        page = exporter.request().values
        exporter.send_signal(signal.SIGTERM)
        code = exporter.wait_for_exit()
    minute = max(1, int(60 / LOOK_EVERY))
    return Report(
        seed=play.seed,
        minutes=play.minutes,
        first=Vitals.typical(looks[:minute]),
        last=Vitals.typical(looks[-minute:]),
        most=Vitals.most(looks),
        minutely=[Vitals.typical(looks[at : at + minute]) for at in range(0, len(looks), minute)],
        scores=scores,
        page=page,
        truth=upstream.crowd.truth,
        met=upstream.met,
        strangers=upstream.strangers,
        leaks=len(scanner.findings),
        code=code,
    )


def _succeeds_after(exporter: Exporter, moment: float) -> None:
    """Wait for a good poll that ended after a moment, in Unix seconds."""
    name = f'{PREFIX}exporter_poll_last_success_timestamp_seconds{{account="default"}}'
    wait_until(lambda: (exporter.value(name) or 0.0) > moment, "a good poll", PATIENCE)


def _scraped(play: Play, exporter: Exporter) -> tuple[list[Score], list[Vitals]]:
    """Let the scrapers loose for as long as it takes, and look at the process all the while."""
    spawn = multiprocessing.get_context("spawn")
    stop, queue = spawn.Event(), spawn.Queue()
    scrapers = [
        spawn.Process(target=scrape_until, args=(stop, queue, exporter.port, play.seed + number))
        for number in range(play.scrapers)
    ]
    for scraper in scrapers:
        scraper.start()
    try:
        looks = _watched(play, exporter)
    finally:
        stop.set()
    return _collected(scrapers, queue), looks


def _watched(play: Play, exporter: Exporter) -> list[Vitals]:
    looks: list[Vitals] = []
    end, reload_at = math.inf, time.monotonic()
    while time.monotonic() < end:
        if end == math.inf and play.paraded.is_set():
            end = time.monotonic() + play.minutes * 60
            looks.clear()
        looks.append(look(exporter))
        if time.monotonic() >= reload_at:
            exporter.send_signal(signal.SIGHUP)
            reload_at += RELOAD_EVERY
        time.sleep(LOOK_EVERY)
    return looks


def _collected(scrapers: Sequence[BaseProcess], queue: "Queue[Score]") -> list[Score]:
    scores = [queue.get(timeout=PATIENCE) for _ in scrapers]
    for scraper in scrapers:
        scraper.join()
    return scores

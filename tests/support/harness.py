"""The program without its process: the settings, one account's poller, the pages; time and chance are the test's own.

It holds the general promise of every fault: whatever the upstream does, and also while it does it, ``/metrics``
answers 200 in under a second with a body that prometheus-client's parser of each format accepts.
"""

import asyncio
import gzip
import io
import logging
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import httpx
from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from pydantic import SecretStr
from starlette.types import ASGIApp

from exporter.config import Settings
from exporter.livepeer import transport
from exporter.logs import PACKAGE, configure
from exporter.metrics.catalogue import PREFIX
from exporter.metrics.instruments import Telemetry
from exporter.metrics.page_store import PageStore
from exporter.metrics.text_format import Format
from exporter.pages import routes as web
from exporter.pages import status_page as landing
from exporter.polling.poller import Poller
from exporter.runtime.build import (
    create_http_client,
    create_livepeer_client,
    create_page_store,
    create_poller,
    create_process_metrics,
)
from exporter.runtime.environment import Environment
from exporter.runtime.trust_store import create_ssl_context
from tests.support.canary import KEY, heard
from tests.support.rows import START

WAIT: Final = 10.0
"""Seconds in which a scrape must be answered on a machine that others load as well."""


class Time:
    """Clocks that stand still until they are told to move; who sleeps moves them.

    Attributes:
        slept: how long each sleep was, in seconds.
    """

    def __init__(self, start: float = START) -> None:
        self._now = start
        self._monotonic = 1_000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._now += seconds
        self._monotonic += seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class Scrape:
    """What one scrape showed: every sample by its name and labels."""

    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float] = field(repr=False)
    text: str = field(repr=False)

    def all(self, name: str, /, **labels: str) -> list[tuple[dict[str, str], float]]:
        """The samples of a name (the prefix left out) that have these labels, among others."""
        wanted = labels.items()
        found = ((sample, dict(its), value) for (sample, its), value in self.samples.items())
        return [(its, value) for sample, its, value in found if sample == PREFIX + name and wanted <= its.items()]

    def value(self, name: str, /, **labels: str) -> float | None:
        """The only such sample's value; None where there is none."""
        found = self.all(name, **labels)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    def sessions(self) -> set[str]:
        """The ids of the sessions that are shown one by one."""
        return {labels["session_id"] for labels, _ in self.all("session_active")}

    def failures(self) -> dict[str, float]:
        """How many polls failed, by class, without the classes that none failed in."""
        return {labels["class"]: count for labels, count in self.all("exporter_poll_failures_total") if count}

    def invalid(self) -> dict[tuple[str, str], float]:
        """How many values were left out, by field and reason, without those of which there were none."""
        found = self.all("exporter_invalid_values_total")
        return {(labels["field"], labels["reason"]): count for labels, count in found if count}


def read(families: Iterable[Metric], text: str) -> Scrape:
    """Samples as a parser finds them; one that is there twice is a failure."""
    samples: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in families:
        for sample in family.samples:
            place = (sample.name, frozenset(sample.labels.items()))
            assert place not in samples, f"twice on the page: {place}"
            samples[place] = sample.value
    return Scrape(samples, text)


class Harness:
    """One account of the program.

    Attributes:
        poller: polls when it is told to.
        board: where it publishes.
        time: the clocks that everything goes by.
        learnt: the secrets that the logs were told of.
        shown: what the last scrape showed.
    """

    def __init__(self, poller: Poller, board: PageStore, app: ASGIApp, clocks: Time, learnt: list[str]) -> None:
        self.poller = poller
        self.board = board
        self.app = app
        self.time = clocks
        self.learnt = learnt
        self.shown = Scrape({}, "")

    async def poll(self) -> float:
        """Poll, with a scrape in the middle and one at the end; answers after how many seconds to poll again."""
        polling = asyncio.create_task(self.poller.poll())
        try:
            await asyncio.sleep(0.01)
            parse_all(await self.get(Format.TEXT), Format.TEXT)
            wait = await polling
        finally:
            polling.cancel()
        await self.scrape()
        return wait

    async def scrape(self) -> Scrape:
        """Ask for both formats as Prometheus does, and hold the general promise."""
        parse_all(await self.get(Format.OPENMETRICS), Format.OPENMETRICS)
        self.shown = parse_all(await self.get(Format.TEXT), Format.TEXT)
        return self.shown

    async def get(self, form: Format) -> str:
        """The page in a format, for which nobody works longer than a second, and nobody waits."""
        headers = {"Accept": form.value, "Accept-Encoding": "gzip"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://exporter") as client:
            began = time.process_time()  # what others take of the machine meanwhile is none of our doing
            async with asyncio.timeout(WAIT), client.stream("GET", "/metrics", headers=headers) as response:
                body = b"".join([part async for part in response.aiter_raw()])
            took = time.process_time() - began
        assert response.status_code == 200
        assert response.headers["Content-Type"] == form.value
        assert took < 1.0
        page = gzip.decompress(body)
        heard.take("a scrape of the harness", page)
        return page.decode()

    async def people(self) -> str:
        """The page for people."""
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://exporter") as client:
            response = await client.get("/")
        assert response.status_code == 200
        heard.take("the page for people", response.content)
        return response.text

    def keeps(self, failure: str, *sessions: str) -> None:
        """The last poll failed in this class alone, and the sessions of the last good one are still shown."""
        assert self.shown.value("up") == 0
        assert set(self.shown.failures()) == {failure}
        assert self.shown.sessions() == set(sessions)


def parse_all(text: str, form: Format) -> Scrape:
    """A page as prometheus-client's parser of its format reads it."""
    parse = parse_openmetrics if form is Format.OPENMETRICS else parse_text
    return read(parse(text), text)


@asynccontextmanager
async def harness(url: str, *, jitter: float = 0.5, **settings: Any) -> AsyncIterator[Harness]:
    """The program for an upstream.

    Args:
        url: where the upstream is.
        jitter: what chance always says, between 0 and 1.
        settings: other settings by their field names; without ``api_key_file`` the key is ``KEY``.
    """
    if "api_key_file" not in settings:
        settings["api_key"] = SecretStr(KEY)
    chosen = Settings(base_url=url, **settings)
    clocks, learnt = Time(), list[str]()
    environment = Environment(clocks.now, clocks.monotonic, lambda: jitter, learnt.append, sleep=clocks.sleep)
    board = create_page_store(chosen, environment)
    process = create_process_metrics(chosen, environment, board)
    account = chosen.accounts[0]
    telemetry = Telemetry(account.name)
    ssl_context = create_ssl_context(chosen) if chosen.ca_file else _usual_trust()
    async with create_http_client(account, chosen, ssl_context) as http_client:
        client = create_livepeer_client(http_client, account, chosen, environment, telemetry)
        poller = create_poller(account, chosen, environment, client, telemetry, board)
        poller.publish_initial()

        def people() -> str:
            return landing.render(
                [(poller.plan, poller.status)], board.account_pages(), now=clocks.now(), metrics_path="/metrics"
            )

        health = web.Health(alive=lambda: True, ready=lambda: True)
        app = web.create_app(board, process, health, people, metrics_path="/metrics")
        yield Harness(poller, board, app, clocks, learnt)


@cache
def _usual_trust() -> ssl.SSLContext:
    return transport.create_ssl_context(ca_file=None, trust_env=False)


@contextmanager
def written() -> Iterator[io.StringIO]:
    """What the program logs at debug, without the help of the redactor."""
    logger, stream = logging.getLogger(PACKAGE), io.StringIO()
    handlers, level = logger.handlers[:], logger.level
    configure("debug", "json", stream, redact=str, root=logger)
    try:
        yield stream
    finally:
        logger.handlers[:] = handlers
        logger.setLevel(level)
        heard.take("a log of the harness", stream.getvalue())

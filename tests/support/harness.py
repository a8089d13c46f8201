"""One account of the program without its process, with a manual clock and constant jitter.

Every scrape checks the guarantee that holds for all faults: whatever the upstream does, even during a poll,
``/metrics`` returns 200, takes less than a second of processor time, and is valid for prometheus-client's parser.
"""

import asyncio
import gzip
import io
import logging
import re
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
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
from exporter.pages import routes, status_page
from exporter.pages.session_lists import Fold
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
from tests.support.canary import KEY, scanner
from tests.support.clock import ManualClock
from tests.support.deadlines import HANG


@dataclass(frozen=True, slots=True)
class Scrape:
    """The samples of a scrape by name and labels."""

    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float] = field(repr=False)
    text: str = field(repr=False)

    def all(self, name: str, /, **labels: str) -> list[tuple[dict[str, str], float]]:
        """Return labels and value of each sample with a name (without the prefix) and at least these labels."""
        samples = ((sample, dict(pairs), value) for (sample, pairs), value in self.samples.items())
        return [
            (found, value)
            for sample, found, value in samples
            if sample == PREFIX + name and labels.items() <= found.items()
        ]

    def value(self, name: str, /, **labels: str) -> float | None:
        """Return the value of the only such sample, or None if there is none."""
        found = self.all(name, **labels)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    def sessions(self) -> set[str]:
        """Return the ids of the exported sessions."""
        return {labels["session_id"] for labels, _ in self.all("session_active")}

    def failures(self) -> dict[str, float]:
        """Return the number of failed polls by class, without zeros."""
        return {labels["class"]: count for labels, count in self.all("exporter_poll_failures_total") if count}

    def invalid(self) -> dict[tuple[str, str], float]:
        """Return the number of dropped values by field and reason, without zeros."""
        found = self.all("exporter_invalid_values_by_field_total")
        return {(labels["field"], labels["reason"]): count for labels, count in found if count}


def to_scrape(families: Iterable[Metric], text: str) -> Scrape:
    """Return the samples of parsed families; a duplicate sample is a failure."""
    samples: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in families:
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in samples, f"duplicate sample: {key}"
            samples[key] = sample.value
    return Scrape(samples, text)


class Harness:
    """One account of the program.

    Attributes:
        poller: the poller of the account.
        page_store: the page store that it publishes to.
        app: the ASGI application with all pages.
        time: the clock of all parts.
        redacted_secrets: the secrets that were registered with the log redactor.
        last_scrape: the result of the last scrape.
    """

    def __init__(
        self, poller: Poller, page_store: PageStore, app: ASGIApp, clock: ManualClock, redacted_secrets: list[str]
    ) -> None:
        self.poller = poller
        self.page_store = page_store
        self.app = app
        self.time = clock
        self.redacted_secrets = redacted_secrets
        self.last_scrape = Scrape({}, "")

    async def poll(self) -> float:
        """Poll, with a scrape meanwhile and one afterwards; return the delay until the next poll in seconds."""
        polling = asyncio.create_task(self.poller.poll())
        try:
            await asyncio.sleep(0.01)
            parse_page(await self.get(Format.TEXT), Format.TEXT)
            delay = await polling
        finally:
            polling.cancel()
        await self.scrape()
        return delay

    async def scrape(self) -> Scrape:
        """Request and check both formats; return the text format."""
        parse_page(await self.get(Format.OPENMETRICS), Format.OPENMETRICS)
        self.last_scrape = parse_page(await self.get(Format.TEXT), Format.TEXT)
        return self.last_scrape

    async def get(self, form: Format) -> str:
        """Return the metrics page in a format; check that it takes less than a second of processor time."""
        headers = {"Accept": form.value, "Accept-Encoding": "gzip"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://exporter") as client:
            began = time.process_time()  # not wall-clock time, which depends on the load of the machine
            async with client.stream("GET", "/metrics", headers=headers) as response:
                body = b"".join([part async for part in response.aiter_raw()])
            took = time.process_time() - began
        assert response.status_code == 200
        assert response.headers["Content-Type"] == form.value
        assert took < 1.0
        page = gzip.decompress(body)
        scanner.scan("a scrape of the harness", page)
        return page.decode()

    async def status_page(self) -> str:
        """Return the status page."""
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://exporter") as client:
            response = await client.get("/")
        assert response.status_code == 200
        scanner.scan("the status page of the harness", response.content)
        return response.text

    def assert_poll_failed(self, failure: str, *sessions: str) -> None:
        """Check that all failed polls had this class, and that the sessions of the last good poll are still there."""
        assert self.last_scrape.value("up") == 0
        assert set(self.last_scrape.failures()) == {failure}
        assert self.last_scrape.sessions() == set(sessions)


def parse_page(text: str, form: Format) -> Scrape:
    """Parse a page by prometheus-client's parser of its format.

    Each family is parsed alone, since most are the same on many pages, and parsing takes most of the time of the tests.
    What the parser of OpenMetrics checks of a page as a whole is checked here.
    """
    end = "# EOF\n" if form is Format.OPENMETRICS else ""
    assert text.endswith(end)
    before, *blocks = _FAMILY_START.split(text.removesuffix(end))
    assert before == ""
    assert "# EOF" not in text.removesuffix(end).splitlines()
    families = [family for block in blocks for family in _parse_family(block + end, form)]
    names = [family.name for family in families]
    assert len(names) == len(set(names)) == len(blocks)
    return to_scrape(families, text)


_FAMILY_START: Final = re.compile(r"^(?=# HELP )", re.MULTILINE)


def _parse_family(block: str, form: Format) -> list[Metric]:
    return _parse_small_family(block, form) if len(block) < 10_000 else _parse(block, form)


@lru_cache(256)  # a larger one grows for days, which the test of memory in `tests/fleet/day.py` would count
def _parse_small_family(block: str, form: Format) -> list[Metric]:
    return _parse(block, form)


def _parse(text: str, form: Format) -> list[Metric]:
    parse = parse_openmetrics if form is Format.OPENMETRICS else parse_text
    return list(parse(text))


@asynccontextmanager
async def harness(url: str, *, jitter: float = 0.5, **settings: Any) -> AsyncIterator[Harness]:
    """Create the program for one upstream.

    Args:
        url: the base URL of the upstream.
        jitter: the constant in place of a random number between 0 and 1.
        settings: other settings by their field names; without ``api_key_file`` the key is ``KEY``.
    """
    if "api_key_file" not in settings:
        settings["api_key"] = SecretStr(KEY)
    chosen = Settings(base_url=url, **settings)
    clock, secrets = ManualClock(), list[str]()
    environment = Environment(clock.now, clock.monotonic, lambda: jitter, secrets.append, sleep=clock.sleep)
    page_store = create_page_store(chosen, environment)
    process = create_process_metrics(chosen, environment, page_store)
    account = chosen.accounts[0]
    if settings.keys().isdisjoint({"poll_deadline", "request_timeout"}):
        # These are times of the event loop, which a loaded machine exceeds; tests of timeouts set them.
        account = replace(account, poll_deadline=HANG, request_timeout=HANG)
    telemetry = Telemetry(account.name)
    ssl_context = create_ssl_context(chosen) if chosen.ca_file else _default_ssl_context()
    async with create_http_client(account, chosen, ssl_context) as http_client:
        client = create_livepeer_client(http_client, account, chosen, environment, telemetry)
        poller = create_poller(account, chosen, environment, client, telemetry, page_store)
        poller.publish_initial()

        def render_status_page(fold: Fold) -> str:
            accounts, pages = [(poller.plan, poller.status)], page_store.account_pages()
            return status_page.render(accounts, pages, now=clock.now(), metrics_path="/metrics", fold=fold)

        health = routes.Health(alive=lambda: True, ready=lambda: True)
        app = routes.create_app(page_store, process, health, render_status_page, metrics_path="/metrics")
        yield Harness(poller, page_store, app, clock, secrets)


@cache
def _default_ssl_context() -> ssl.SSLContext:
    return transport.create_ssl_context(ca_file=None, trust_env=False)


@contextmanager
def captured_log() -> Iterator[io.StringIO]:
    """Capture what the program logs at level debug, without redaction."""
    logger, stream = logging.getLogger(PACKAGE), io.StringIO()
    handlers, level = logger.handlers[:], logger.level
    configure("debug", "json", stream, redact=str, root=logger)
    try:
        yield stream
    finally:
        logger.handlers[:] = handlers
        logger.setLevel(level)
        scanner.scan("a log of the harness", stream.getvalue())

"""Row V08 of the fault matrix: pages that are too large for the API."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.simulator.api import create_app
from exporter.simulator.pool import ConnectionPool
from exporter.simulator.serve import serving
from tests.livepeer.clients import FixedAccount
from tests.support.canary import KEY
from tests.support.clock import ManualClock
from tests.support.harness import Harness, harness
from tests.support.loop import advance, in_loop
from tests.support.rows import START, row
from tests.support.simulated import never_respond, static_response

HOUR = 3600.0
SETTINGS: dict[str, Any] = {
    "poll_interval": 40 * HOUR,
    "poll_deadline": 39 * HOUR,
    "request_timeout": HOUR,
    "recording_window": HOUR,
    "walk_concurrency": 1,
    "detail": "account",
}
"""One request at a time, for pending and then for recently seen sessions; timeouts expire if a test advances time.

Pages of series for each of 1,000 sessions would take most of the tests' time.
"""
ACCOUNT = FixedAccount(*(row(number) for number in range(1000)))


def session_count(program: Harness) -> float:
    """Return the number of sessions in all states."""
    return sum(count for _, count in program.last_scrape.all("sessions"))


@dataclass
class LimitedAPI:
    """An API that fails for pages that are larger than it can deliver.

    Attributes:
        failure: responds instead of a page that is too large.
        largest: the number of sessions of the largest page that it delivers.
        first_pages: whether first pages can fail too.
        limits: the limit of every request for recently seen sessions so far.
    """

    failure: ASGIApp
    largest: int
    first_pages: bool = False
    limits: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._api = create_app(ACCOUNT, key=KEY, now=lambda: START)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        fails = False
        if "createdAt" not in query["filters"]:
            self.limits.append(int(query["limit"]))
            fails = self.limits[-1] > self.largest and ("cursor" in query or self.first_pages)
        await (self.failure if fails else self._api)(scope, receive, send)


async def time_out(scope: Scope, receive: Receive, send: Send) -> None:
    """Let the time of a request pass."""
    advance(HOUR)
    await never_respond(scope, receive, send)


FAILURES = [pytest.param(static_response(status), id=str(status)) for status in (500, 504)]


@pytest.mark.parametrize("failure", [*FAILURES, pytest.param(time_out, id="timeout")])
@in_loop
async def test_V08_after_a_failure_the_rest_is_read_in_smaller_pages(failure: ASGIApp) -> None:
    api = LimitedAPI(failure, largest=250)
    async with serving(api) as url, harness(url, page_limit=400, **SETTINGS) as program:
        await program.poll()
        assert session_count(program) == 1000
        assert api.limits == [400, 400, 200, 200, 200, 200]
        assert program.last_scrape.value("exporter_api_retries_total") == 1


@in_loop
async def test_V08_after_each_good_poll_pages_are_twice_as_large() -> None:
    api = LimitedAPI(static_response(500), largest=100)
    async with serving(api) as url, harness(url, page_limit=400, **SETTINGS) as program:
        await program.poll()
        assert api.limits[:4] == [400, 400, 200, 100]
        api.largest = 1000
        first_limits = []
        for _ in range(4):
            api.limits.clear()
            await program.poll()
            first_limits.append(api.limits[0])
            assert set(api.limits) == {api.limits[0]}
        assert first_limits == [100, 200, 400, 400]


@in_loop
async def test_V08_pages_of_100_sessions_are_requested_as_often_as_any_other_that_fails() -> None:
    api = LimitedAPI(static_response(500), largest=50)
    async with serving(api) as url, harness(url, page_limit=400, **SETTINGS) as program:
        await program.poll()
        by_keyset, by_offset = [400, 400, 200, 100, 100, 100], [100, 100, 100, 100]
        assert api.limits == by_keyset + by_offset
        assert program.last_scrape.failures() == {"server": 1}


@in_loop
async def test_V08_a_first_page_that_fails_is_read_in_smaller_pages_if_the_api_responds_at_all() -> None:
    api = LimitedAPI(static_response(500), largest=250, first_pages=True)
    async with serving(api) as url, harness(url, page_limit=400, **SETTINGS) as program:
        await program.poll()
        assert session_count(program) == 1000
        assert api.limits == [400, *[200] * 6]


@in_loop
async def test_V08_an_api_that_does_not_respond_is_not_asked_for_smaller_pages() -> None:
    sent = []

    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        sent.append(parse_qs(scope["query_string"].decode())["limit"])
        await time_out(scope, receive, send)

    async with serving(fail) as url, harness(url, page_limit=400, **SETTINGS) as program:
        for _ in range(2):
            await program.poll()
        assert sent == [["400"]] * 2
        assert program.last_scrape.failures() == {"timeout": 2}


@in_loop
async def test_V08_recorded_sessions_that_exhaust_the_connections_of_the_database_are_read() -> None:
    # A page of 1000 recorded sessions would need 0.1 s on ten connections, but a statement waits for 0.04 s.
    clock = ManualClock()
    pool = ConnectionPool(0.001, timeout=0.04, monotonic=clock.monotonic, sleep=clock.sleep)
    api = create_app(ACCOUNT, key=KEY, now=lambda: START, pool=pool)
    async with serving(api) as url, harness(url, **SETTINGS) as program:
        await program.poll()
        assert session_count(program) == 1000
        assert program.last_scrape.value("exporter_api_requests_total", code="500") == 2

"""Row V07 of the fault matrix: a slow API makes data older, not absent."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from exporter.config import load
from exporter.metrics.text_format import Format
from tests.faults.scripted import VALID, polled
from tests.support.accounts import Accounts, FakeClient, session
from tests.support.loop import advance, in_loop
from tests.support.rows import ident, page, row
from tests.support.upstream import Request, reply

MAX_STALENESS = 5 * 3600.0
INTERVAL = 1800.0
"""Times of the event loop that expire only if a script advances it. Without a deadline, a poll ends after 8100 s."""
SETTINGS = {
    "poll_interval": INTERVAL,
    "max_staleness": MAX_STALENESS,
    "request_timeout": 600.0,
    "recording_window": 3600.0,
    "page_limit": 2,
    "walk_concurrency": 1,
    "jitter": 0,
}
SECONDS_PER_PAGE = 500.0


class SlowAPI:
    """An API without pending sessions, whose pages of recently seen ones take a while.

    Args:
        pages: number of pages with sessions.
    """

    def __init__(self, pages: int) -> None:
        self._pages = pages
        self._sent = 0

    async def __call__(self, request: Request) -> AsyncIterator[bytes]:
        if "createdAt" in request.query["filters"]:
            yield reply(b"[]")
            return
        advance(SECONDS_PER_PAGE)
        self._sent += 1
        number = 2 * self._sent
        rows = (row(number), row(number + 1)) if self._sent < self._pages else (row(number),)
        more = {"Link": '<http://x/?cursor=skip2>; rel="next"'} if self._sent < self._pages else {}
        yield reply(page(*rows), headers=more)


@in_loop
async def test_V07_a_poll_continues_while_pages_arrive() -> None:
    async with polled(**SETTINGS) as (server, program):
        server.script = SlowAPI(pages=15)  # 7500 s, longer than the interval
        assert await program.poll() == INTERVAL
        assert program.last_scrape.value("up") == 1
        assert program.last_scrape.sessions() == {ident(number) for number in range(2, 31)}


@in_loop
async def test_V07_a_poll_ends_before_its_data_would_be_too_old() -> None:
    async with polled(**SETTINGS) as (server, program):
        server.script = SlowAPI(pages=18)
        await program.poll()
        program.assert_poll_failed("timeout", ident(1))
        assert program.poller.status.failure == ("timeout", "the poll took longer than 8100 s")
        server.script = VALID
        await program.poll()
        assert program.last_scrape.value("up") == 1


@in_loop
async def test_V07_a_poll_without_a_page_ends_at_the_request_timeout() -> None:
    async def script(_request: Request) -> AsyncIterator[bytes]:
        advance(600)
        await asyncio.Event().wait()
        yield b""

    async with polled(**SETTINGS) as (server, program):
        server.script = script
        await program.poll()
        program.assert_poll_failed("timeout", ident(1))
        assert program.poller.status.failure == ("timeout", "no complete response within 600 s")


@in_loop
async def test_V07_a_deadline_is_a_hard_limit() -> None:
    async with polled(**(SETTINGS | {"poll_deadline": 1700.0})) as (server, program):
        server.script = SlowAPI(pages=4)
        await program.poll()
        program.assert_poll_failed("timeout", ident(1))
        assert program.poller.status.failure == ("timeout", "the poll took longer than 1700 s")


def has_sessions(accounts: Accounts) -> bool:
    return b"session_active{" in b"".join(accounts.pages.page(Format.TEXT).plain())


@pytest.mark.parametrize(("interval", "staleness"), [("30s", None), ("1m", None), ("10m", None), ("20s", "1m")])
def test_V07_data_does_not_expire_during_polls_of_maximum_duration(interval: str, staleness: str | None) -> None:
    arguments = {"poll_interval": interval} | ({"max_staleness": staleness} if staleness else {})
    (account,) = load(arguments, {}).settings.accounts
    accounts, client = Accounts(), FakeClient([session(1)])
    poller = accounts.poller(
        client,
        interval=account.poll_interval,
        deadline=account.poll_deadline,
        max_staleness=account.max_staleness,
    )
    shown: list[bool] = []

    def slow() -> None:
        accounts.time.advance(account.poll_deadline - 0.001)
        shown.append(has_sessions(accounts))

    client.during = slow
    for _ in range(4):
        asyncio.run(poller.poll())
        accounts.time.advance(account.poll_interval)  # at most: the next poll begins with the next interval
        shown.append(has_sessions(accounts))
    assert shown == [False, *[True] * 7]
    assert account.poll_deadline == (account.max_staleness - account.poll_interval) / 2

"""What Livepeer Studio is asked, and how its headers are read; what can go wrong stands in ``tests/faults``."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

import httpx
import pytest

from exporter.livepeer.client import LivepeerClient, SessionsResult
from exporter.livepeer.endpoint import SessionsEndpoint
from exporter.livepeer.errors import MissingKeyError
from exporter.livepeer.id_range import IdRange
from exporter.livepeer.query import MAX_PARENT_QUERIES, Scope
from exporter.livepeer.server_clock import ServerClock
from exporter.livepeer.transport import create_http_client, create_ssl_context
from exporter.simulator.api import Row, create_app
from exporter.simulator.serve import serving
from exporter.version import VERSION
from tests.support.canary import KEY
from tests.support.harness import Time
from tests.support.loop import in_loop
from tests.support.rows import START, ident, page, row
from tests.support.upstream import Request, always, reply, upstream

TRUST = create_ssl_context(ca_file=None, trust_env=False)
SCOPE = Scope(session_window=3600, recording_window=14_400)
HOUR = 3_600_000


@dataclass
class Heard:
    """A meter that remembers what it was told."""

    requests: list[tuple[str, int]] = field(default_factory=list)
    retries: int = 0
    throttles: int = 0

    def request(self, code: str, seconds: float, size: int) -> None:
        self.requests.append((code, size))

    def retry(self) -> None:
        self.retries += 1

    def throttled(self) -> None:
        self.throttles += 1


@asynccontextmanager
async def studio(
    url: str,
    clocks: Time | None = None,
    meter: Heard | None = None,
    *,
    key: Callable[[], str] = lambda: KEY,
    concurrency: int = 4,
    **more: Any,
) -> AsyncIterator[LivepeerClient]:
    """A studio that asks an upstream with clocks that stand still."""
    clocks = clocks or Time()
    async with create_http_client(TRUST, trust_env=False, connections=4) as client:
        endpoint = SessionsEndpoint(
            client,
            url,
            key=key,
            clock=ServerClock(clocks.now, clocks.monotonic),
            meter=meter or Heard(),
            jitter=lambda: 0.5,
            sleep=clocks.sleep,
            concurrency=concurrency,
        )
        yield LivepeerClient(endpoint, **more)


def filters(request: Request) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(request.query["filters"])
    return found


class Shelf:
    """Sessions for the simulator that do not change."""

    def __init__(self, *rows: Row) -> None:
        self._rows = rows

    def rows(self, now: float) -> tuple[Row, ...]:
        return self._rows


async def asked(rows: list[Row], scope: Scope = SCOPE, *, ahead: float = 0.0, **more: Any) -> SessionsResult:
    """What the simulator answers when its clock is so many seconds ahead of ours."""
    api = create_app(Shelf(*rows), key=KEY, now=lambda: START + ahead)
    async with serving(api) as url, studio(url, **more) as ours:
        return await ours.sessions(scope)


@in_loop
async def test_three_questions_are_asked_and_the_window_comes_last() -> None:
    async with upstream(always(reply())) as server, studio(server.url) as ours:
        await ours.sessions(SCOPE)
    now = START * 1000
    pending = [{"id": "createdAt", "value": {"gte": now - HOUR}}, {"id": "lastSeen", "value": 0}]
    past = [{"id": "lastSeen", "value": {"gte": now - 4 * HOUR}}, {"id": "lastSeen", "value": {"lt": now - HOUR}}]
    *earlier, last = map(filters, server.requests)
    assert sorted(earlier, key=str) == sorted([pending, [{"id": "record", "value": True}, *past]], key=str)
    assert last == [{"id": "lastSeen", "value": {"gte": now - HOUR}}]
    assert {(each.query["limit"], each.query["order"]) for each in server.requests} == {("1000", "id-false")}


@in_loop
async def test_without_a_longer_window_for_recordings_they_are_not_asked_for() -> None:
    async with upstream(always(reply())) as server, studio(server.url) as ours:
        await ours.sessions(Scope(session_window=3600, recording_window=3600))
    assert len(server.requests) == 2


@in_loop
async def test_all_that_the_windows_ask_for_comes_and_nothing_else() -> None:
    rows = [
        row(1),
        row(2, lastSeen=0),
        row(3, lastSeen=0, createdAt=(START - 4000) * 1000),
        row(4, lastSeen=(START - 4000) * 1000),
        row(5, lastSeen=(START - 4000) * 1000, record=False),
        row(6, lastSeen=(START - 15_000) * 1000),
    ]
    answer = await asked(rows)
    assert {session.id for session in answer.sessions} == {ident(1), ident(2), ident(4)}


@in_loop
async def test_the_windows_go_by_the_servers_clock() -> None:
    rows = [row(1, lastSeen=(START + 100_000 - 10) * 1000, createdAt=START * 1000), row(2)]
    answer = await asked(rows, ahead=100_000)
    assert [session.id for session in answer.sessions] == [ident(1)]
    assert answer.server_time == pytest.approx(START + 100_000, abs=1)


@in_loop
async def test_a_clock_that_is_wrong_costs_a_second_reading_only_once() -> None:
    clocks = Time(START - 7200)
    ahead = {"Date": formatdate(START, usegmt=True)}
    async with upstream(always(reply(headers=ahead))) as server, studio(server.url, clocks) as ours:
        await ours.sessions(SCOPE)
        assert len(server.requests) == 6
        await ours.sessions(SCOPE)
        assert len(server.requests) == 9
        assert ours.clock.skew == 7200.5


@in_loop
async def test_some_parent_streams_are_asked_for_one_by_one() -> None:
    rows = [row(1), row(2), row(3)]
    answer = await asked(rows, Scope(3600, 14_400, stream_ids=frozenset({"parent-1", "parent-3"})))
    assert {session.id for session in answer.sessions} == {ident(1), ident(3)}


@in_loop
async def test_for_many_parent_streams_all_are_read_and_filtered() -> None:
    wanted = frozenset(f"parent-{number}" for number in range(MAX_PARENT_QUERIES + 1))
    async with upstream(always(reply(page(row(1), row(99))))) as server, studio(server.url) as ours:
        answer = await ours.sessions(Scope(3600, 14_400, stream_ids=wanted))
    assert [session.id for session in answer.sessions] == [ident(1)]
    assert len(server.requests) == 3


@in_loop
async def test_a_part_of_the_ids_is_asked_for_and_nothing_else_kept() -> None:
    rows = [row(number << 28) for number in range(16)]
    answer = await asked(rows, Scope(3600, 14_400, ids=IdRange("4", "8")), page_limit=2)
    assert {session.id for session in answer.sessions} == {ident(number << 28) for number in (4, 5, 6, 7)}


@in_loop
async def test_a_large_account_is_read_whole_from_the_simulator() -> None:
    rows = [row(number << 20) for number in range(600)]
    answer = await asked(rows, page_limit=50)
    assert len(answer.sessions) == 600
    assert answer.duplicates == 0


@in_loop
async def test_the_program_says_who_it_is_and_sends_the_key_with_every_request() -> None:
    async with upstream(always(reply())) as server, studio(server.url) as ours:
        await ours.sessions(SCOPE)
    assert {request.headers["user-agent"] for request in server.requests} == {f"livepeer-session-exporter/{VERSION}"}
    assert all(request.headers["authorization"].endswith(KEY) for request in server.requests)


@in_loop
async def test_cookies_are_neither_kept_nor_sent() -> None:
    biscuit = {"Set-Cookie": "tracker=1; Path=/"}
    async with upstream(always(reply(headers=biscuit))) as server, studio(server.url) as ours:
        await ours.sessions(SCOPE)
    assert not [request for request in server.requests if "cookie" in request.headers]


@in_loop
async def test_no_more_requests_than_allowed_are_under_way() -> None:
    under_way = most = 0

    async def script(_request: Request) -> AsyncIterator[bytes]:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        yield reply()
        under_way -= 1

    async with upstream(script) as server, studio(server.url, concurrency=2) as ours:
        wanted = frozenset(f"parent-{number}" for number in range(MAX_PARENT_QUERIES))
        await ours.sessions(Scope(3600, 14_400, stream_ids=wanted))
    assert most == 2


@in_loop
async def test_every_request_is_metered_with_its_code_and_size() -> None:
    meter = Heard()
    body = page(row(1))
    async with upstream(always(reply(body))) as server, studio(server.url, meter=meter) as ours:
        await ours.check()
        server.script = always(reply(b"", 418))
        with pytest.raises(Exception, match="418"):
            await ours.check()
        server.script = always(b"")
        with pytest.raises(Exception, match="connection failed"):
            await ours.check()
    assert meter.requests == [("200", len(body)), ("418", 0), ("none", 0)]


@in_loop
async def test_without_a_key_nothing_is_asked() -> None:
    def no_key() -> str:
        raise MissingKeyError("no API key is set")

    async with upstream(always(reply())) as server, studio(server.url, key=no_key) as ours:
        with pytest.raises(MissingKeyError):
            await ours.check()
    assert server.connections == 0


@in_loop
async def test_a_check_asks_for_one_page_and_tells_the_total() -> None:
    async with (
        upstream(always(reply(page(row(1)), headers={"X-Total-Count": "77"}))) as server,
        studio(server.url) as ours,
    ):
        found = await ours.check()
    assert (found.total, found.decoded.items, len(server.requests)) == (77, 1, 1)


@pytest.mark.parametrize("told", ["", "many", "-1", "1" * 17, "\u0661"])
@in_loop
async def test_a_total_that_is_no_number_is_no_total(told: str) -> None:
    answer = reply(page(row(1))).replace(b"Connection", f"X-Total-Count: {told}\r\nConnection".encode(), 1)
    async with upstream(always(answer)) as server, studio(server.url) as ours:
        assert (await ours.check()).total is None


def test_the_proxies_of_the_environment_are_used_only_when_asked_for() -> None:
    with_env = create_http_client(TRUST, trust_env=True, connections=1)
    without = create_http_client(TRUST, trust_env=False, connections=1)
    assert (with_env.trust_env, without.trust_env) == (True, False)
    assert without.follow_redirects is False


def test_the_clients_own_timeouts_are_off_since_ours_bound_the_whole_request() -> None:
    client = create_http_client(TRUST, trust_env=False, connections=1)
    assert client.timeout == httpx.Timeout(None)

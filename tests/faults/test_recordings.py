"""The request for recordings before the session window, when it or the polls without it fail."""

from collections.abc import AsyncIterator

from tests.support.harness import Harness, harness
from tests.support.loop import in_loop
from tests.support.rows import START, Row, ident, page, row
from tests.support.upstream import Request, reply, upstream

KEPT = row(1, createdAt=(START - 9000) * 1000, lastSeen=(START - 7200) * 1000)
LIVE = row(2, lastSeen=(START + 3600) * 1000)
SETTINGS = {"poll_interval": 30.0, "recording_interval": 300.0, "max_staleness": 300.0, "jitter": 0}


class API:
    """An API with one recorded session before the window, and a live one; the requests for each can fail."""

    def __init__(self) -> None:
        self.fails = {"recorded": False, "live": False}
        self.recorded_requests = 0

    async def __call__(self, request: Request) -> AsyncIterator[bytes]:
        filters = request.query["filters"]
        kind = "recorded" if "record" in filters else "pending" if "createdAt" in filters else "live"
        self.recorded_requests += kind == "recorded"
        rows: list[Row] = {"recorded": [KEPT], "pending": [], "live": [LIVE]}[kind]
        yield reply(b"", 400) if self.fails.get(kind) else reply(page(*rows))


async def poll_after(program: Harness, seconds: float) -> None:
    program.time.advance(seconds)
    await program.poll()


@in_loop
async def test_a_due_request_for_recordings_that_fails_fails_the_poll_and_is_due_again() -> None:
    api = API()
    async with upstream(api) as server, harness(server.url, **SETTINGS) as program:
        await program.poll()
        began = program.last_scrape.value("recordings_snapshot_timestamp_seconds")
        assert began == START
        api.fails["recorded"] = True
        await poll_after(program, 290)
        assert (program.last_scrape.value("up"), api.recorded_requests) == (1, 1)
        before = api.recorded_requests
        await poll_after(program, 30)
        assert api.recorded_requests > before
        program.assert_poll_failed("client", ident(1), ident(2))
        assert program.last_scrape.value("recordings_snapshot_timestamp_seconds") == began
        api.fails["recorded"] = False
        await poll_after(program, 30)
        assert program.last_scrape.value("recordings_snapshot_timestamp_seconds") == program.time.now()


@in_loop
async def test_kept_recordings_disappear_after_the_recording_interval_and_the_staleness() -> None:
    api = API()
    async with upstream(api) as server, harness(server.url, **SETTINGS) as program:
        await program.poll()
        api.fails["recorded"] = True
        await poll_after(program, 299)
        assert program.last_scrape.value("up") == 1
        await poll_after(program, 299)
        program.assert_poll_failed("client", ident(1), ident(2))
        program.time.advance(1)
        await program.scrape()
        assert program.last_scrape.sessions() == set()


@in_loop
async def test_a_failed_poll_without_the_request_keeps_the_recordings() -> None:
    api = API()
    async with upstream(api) as server, harness(server.url, **SETTINGS) as program:
        await program.poll()
        api.fails["live"] = True
        await poll_after(program, 30)
        program.assert_poll_failed("client", ident(1), ident(2))
        api.fails["live"] = False
        await poll_after(program, 30)
        assert program.last_scrape.sessions() == {ident(1), ident(2)}
        assert api.recorded_requests == 1

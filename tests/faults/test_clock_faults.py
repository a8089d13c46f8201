"""Row D01 of the fault matrix: responses whose `Date` is wrong."""

from collections.abc import Mapping
from email.utils import formatdate

import pytest

from tests.support.harness import Harness, harness
from tests.support.loop import in_loop
from tests.support.rows import START, ident, page, row
from tests.support.upstream import Script, always, reply, upstream

WRONG = START + 7200


def dated(now: float, *, status: int = 200, received: int = 1000, headers: Mapping[str, str] | None = None) -> Script:
    """Send one session, or an error, at a time of the server."""
    body = page(row(1, sourceBytes=received)) if status == 200 else b""
    return always(reply(body, status, {"Date": formatdate(now, usegmt=True), **(headers or {})}))


def received_bytes(program: Harness) -> float | None:
    return program.last_scrape.value("source_bytes_total")


@in_loop
async def test_D01_a_wrong_date_fails_one_poll_and_changes_no_counter() -> None:
    async with upstream(dated(START)) as server, harness(server.url) as program:
        await program.poll()
        server.script = dated(WRONG, received=5000)
        await program.poll()
        program.assert_poll_failed("clock", ident(1))
        assert received_bytes(program) == 0
        server.script = dated(START, received=5000)
        await program.poll()
        assert program.last_scrape.value("up") == 1
        assert (program.last_scrape.sessions(), received_bytes(program)) == ({ident(1)}, 4000)


@pytest.mark.parametrize(("status", "failure"), [(401, "auth"), (429, "rate_limited"), (503, "server")])
@in_loop
async def test_D01_the_date_of_an_error_changes_neither_the_class_nor_the_clock(status: int, failure: str) -> None:
    async with upstream(dated(START)) as server, harness(server.url, jitter=0, max_staleness=3600) as program:
        await program.poll()
        server.script = dated(WRONG, status=status, headers={"Retry-After": "500"})
        for _ in range(2):
            assert await program.poll() == 500
            program.assert_poll_failed(failure, ident(1))
            program.time.advance(500)
        server.script = dated(program.time.now())
        await program.poll()
        assert program.last_scrape.value("up") == 1

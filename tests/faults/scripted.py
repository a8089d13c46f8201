"""The exporter against a scripted upstream."""

import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from tests.support.harness import Harness, harness
from tests.support.rows import ident, page, row
from tests.support.upstream import Script, Upstream, always, reply, upstream

VALID = always(reply(page(row(1))))
MIB = 1024 * 1024


@asynccontextmanager
async def polled(**settings: Any) -> AsyncIterator[tuple[Upstream, Harness]]:
    """Run the exporter against an upstream with one session, and poll it once."""
    async with upstream(VALID) as server, harness(server.url, **settings) as program:
        await program.poll()
        assert program.last_scrape.value("up") == 1
        assert program.last_scrape.sessions() == {ident(1)}
        server.requests.clear()
        yield server, program


async def assert_fails(script: Script, failure: str, **settings: Any) -> None:
    """Check that a poll fails in a class and keeps the last data, and that the next poll succeeds."""
    async with polled(**settings) as (server, program):
        server.script = script
        await program.poll()
        program.assert_poll_failed(failure, ident(1))
        server.script = VALID
        await program.poll()
        assert program.last_scrape.value("up") == 1
        assert program.last_scrape.value("exporter_poll_consecutive_failures") == 0


@contextmanager
def memory_bounded(limit: int) -> Iterator[None]:
    """Check that Python never allocates more than `limit` bytes in addition."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < limit

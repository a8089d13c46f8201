"""The exposition of a page of JSON, both over real sockets, with a manual clock."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import httpx

from exporter.config import Address
from exporter.metrics.catalogue import PREFIX
from exporter.metrics.text_format import Format
from exporter.server.listener import Listener
from tests.support.harness import harness
from tests.support.upstream import Request, reply, upstream

PAGE: Final = Path(__file__).with_name("page.json")
METRICS: Final = Path(__file__).with_name("metrics.txt")

EXCLUDED: Final = (f"{PREFIX}exporter_", "process_", "python_")
"""Prefixes of families of the process and its polling, which vary or have tests of their own."""


async def exposition() -> str:
    """Return the response to a client that accepts no compression, without the excluded families."""

    async def script(request: Request) -> AsyncIterator[bytes]:
        is_session_window = len(json.loads(request.query["filters"])) == 1  # the other walks have more filters
        yield reply(PAGE.read_bytes() if is_session_window else b"[]")

    async with upstream(script) as server, harness(server.url) as program:
        await program.poll()
        listener = Listener(program.app, Address("127.0.0.1", 0))
        await listener.start()
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                url = f"http://127.0.0.1:{listener.port}/metrics"
                response = await client.get(url, headers={"Accept": Format.TEXT.value, "Accept-Encoding": "identity"})
        finally:
            await listener.stop(1.0)
    return "".join(line for line in response.text.splitlines(keepends=True) if not _family(line).startswith(EXCLUDED))


def _family(line: str) -> str:
    return line.split()[2] if line.startswith("#") else line

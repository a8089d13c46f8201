"""Random requests to the real command over real sockets, with checks of every response."""

import asyncio
import gzip
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from exporter.metrics.text_format import Format
from tests.fuzz.requests import GENERATORS
from tests.support.canary import scanner
from tests.support.deadlines import HANG
from tests.support.harness import parse_page
from tests.support.running import running_exporter
from tests.support.simulated import Upstream, live_row, serving_in_thread

CONNECTIONS: Final = 32
"""Concurrent connections."""

FLAGS: Final = ("--web.header-timeout", "400ms", "--web.idle-timeout", "200ms", "--log.level", "info")
_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3}) ")


@dataclass
class RequestResults:
    """The outcomes of a run.

    Attributes:
        requests: the number of requests by kind.
        statuses: the number of connections by the status of their first response, or ``none``.
        parsed: the number of metrics pages that the parser of their format accepted.
        problems: descriptions of unexpected outcomes, with seed and number of the request.
        seconds: the duration of the run.
    """

    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    parsed: int = 0
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


def fuzz_requests(count: int, seed: int) -> RequestResults:
    """Send random requests to a running exporter.

    A problem names the call that generates its request again: ``request(seed, number)``.
    """
    began, results = time.monotonic(), RequestResults()
    with (
        serving_in_thread(Upstream([live_row(number) for number in range(3)])) as url,
        running_exporter("--base-url", url, *FLAGS) as exporter,
    ):
        exporter.wait_for_event("poll finished")
        asyncio.run(_send_all(exporter.port, count, seed, results))
        if exporter.request("/livez").status != 200:
            results.problems.append("/livez does not return 200 after the last request")
        parse_page(exporter.request(Accept=Format.TEXT.value).body.decode(), Format.TEXT)
        unexpected = [
            line for line in exporter.lines if '"level": "error"' in line or "Traceback" in line or line[:1] != "{"
        ]
        results.problems += [f"a log line: {line}"[:300] for line in unexpected]
    results.problems += [f"the key is in {source}" for source in scanner.findings]
    results.seconds = time.monotonic() - began
    return results


def request(seed: int, number: int) -> tuple[str, bytes]:
    """Return the kind and the bytes of a request, which depend on nothing but seed and number."""
    rng = random.Random(f"{seed}:{number}")
    kind = rng.choices(tuple(GENERATORS), [share for _, share in GENERATORS.values()])[0]
    generate, _ = GENERATORS[kind]
    return kind, generate(rng)


async def _send_all(port: int, count: int, seed: int, results: RequestResults) -> None:
    numbers = iter(range(count))

    async def client() -> None:
        for number in numbers:
            kind, data = request(seed, number)
            results.requests[kind] += 1
            try:
                _check(await asyncio.wait_for(_send(port, data, number), HANG), results)
            except Exception as error:  # noqa: BLE001 - any exception is a finding
                problem = f"request({seed}, {number}), {kind}: {type(error).__name__}: {error}"
                results.problems.append(problem[:300])

    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))


async def _send(port: int, data: bytes, number: int) -> bytes:
    """Send a request, one in three in two parts, and return what is received until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = bytearray()
    cut = len(data) // 2 if number % 3 == 0 else len(data)
    try:
        with suppress(ConnectionError):  # the server resets a connection with unread data
            for part in (data[:cut], data[cut:]):
                writer.write(part)
                await writer.drain()
            while part := await reader.read(1 << 16):
                received += part
    finally:
        writer.transport.abort()
    return bytes(received)


def _check(received: bytes, results: RequestResults) -> None:
    statuses = _STATUS.findall(received)
    if received and not _STATUS.match(received):
        raise ValueError(f"not HTTP: {received[:40]!r}")
    if any(status >= b"500" for status in statuses):
        raise ValueError(f"status {statuses}")
    results.statuses[statuses[0].decode() if statuses else "none"] += 1
    for form, page in _metrics_pages(received):
        parse_page(page, form)
        results.parsed += 1


def _metrics_pages(received: bytes) -> Iterator[tuple[Format, str]]:
    """Yield the metrics page of the first response, if it is one and complete."""
    head, _, rest = received.partition(b"\r\n\r\n")
    headers = {
        name.lower(): value for name, _, value in (line.partition(b": ") for line in head.lower().split(b"\r\n"))
    }
    media, _, parameters = headers.get(b"content-type", b"").decode().partition("; version=")
    form = next((form for form in Format if parameters and form.value.startswith(f"{media};")), None)
    size = int(headers.get(b"content-length", b"0"))
    is_head = rest.startswith(b"HTTP/")  # the response to a HEAD request, followed by the next response
    if form is not None and head.startswith(b"HTTP/1.1 200") and len(rest) >= size and not is_head:
        body = gzip.decompress(rest[:size]) if headers.get(b"content-encoding") == b"gzip" else rest[:size]
        yield form, body.decode()

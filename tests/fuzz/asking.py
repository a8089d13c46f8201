"""Requests into the real command, over real sockets, many at once; every answer is looked at."""

import asyncio
import gzip
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from exporter.metrics.text_format import Format
from tests.fuzz.requests import MAKERS, Maker
from tests.support.canary import scanner
from tests.support.deadlines import HANG
from tests.support.harness import parse_page
from tests.support.running import running_exporter
from tests.support.simulated import Upstream, live_row, serving_in_thread

AT_ONCE = 32
"""Connections that are open side by side."""

"""Seconds after which a connection that the server has not closed is a problem; its own limits are far below."""

FLAGS = ("--web.header-timeout", "400ms", "--web.idle-timeout", "200ms", "--log.level", "info")
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


@dataclass
class Answers:
    """How many requests were made of each kind, and what came back.

    Attributes:
        requests: by kind.
        statuses: of the first answer on a connection; ``none`` where it was closed without one.
        parsed: pages with metrics that a parser of their format took.
        problems: what should not have happened.
        seconds: how long it took.
    """

    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    parsed: int = 0
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


def ask(count: int, seed: int) -> Answers:
    """Make requests, and send them to a running exporter."""
    began, found = time.monotonic(), Answers()
    with (
        serving_in_thread(Upstream([live_row(number) for number in range(3)])) as url,
        running_exporter("--base-url", url, *FLAGS) as exporter,
    ):
        exporter.wait_for_event("poll finished")
        asyncio.run(_ask_all(exporter.port, count, seed, found))
        if exporter.request("/livez").status != 200:
            found.problems.append("the exporter is not well any more")
        parse_page(exporter.request(Accept=Format.TEXT.value).body.decode(), Format.TEXT)
        lines = [
            line for line in exporter.lines if '"level": "error"' in line or "Traceback" in line or line[:1] != "{"
        ]
        found.problems += [f"a log line: {line}"[:300] for line in lines]
    found.problems += [f"the key is in {source}" for source in scanner.findings]
    found.seconds = time.monotonic() - began
    return found


def request(seed: int, number: int) -> tuple[str, bytes]:
    """The kind and the bytes of a request; always the same for a seed and a number."""
    rng = random.Random(f"{seed}:{number}")
    kind = rng.choices(tuple(MAKERS), [share for _, share in MAKERS.values()])[0]
    maker: Maker = MAKERS[kind][0]
    return kind, maker(rng)


async def _ask_all(port: int, count: int, seed: int, found: Answers) -> None:
    numbers = iter(range(count))

    async def client() -> None:
        for number in numbers:
            kind, text = request(seed, number)
            found.requests[kind] += 1
            try:
                _look(await asyncio.wait_for(_answer(port, text, number), HANG), found)
            except Exception as error:  # noqa: BLE001 - whatever goes wrong is what we are looking for
                found.problems.append(f"request({seed}, {number}), {kind}: {type(error).__name__}: {error}"[:300])

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))


async def _answer(port: int, text: bytes, number: int) -> bytes:
    """Everything that comes back until the server closes; a third of the requests arrives in two pieces."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    got = bytearray()
    cut = len(text) // 2 if number % 3 == 0 else len(text)
    try:
        for piece in (text[:cut], text[cut:]):
            writer.write(piece)
            await writer.drain()
        while piece := await reader.read(1 << 16):
            got += piece
    except ConnectionError:
        pass  # closed with a reset, since we had said more than anybody wanted to hear
    finally:
        writer.transport.abort()
    return bytes(got)


def _look(answer: bytes, found: Answers) -> None:
    statuses = _STATUS.findall(answer)
    if answer and not _STATUS.match(answer):
        raise ValueError(f"no HTTP: {answer[:40]!r}")
    if any(status >= b"500" for status in statuses):
        raise ValueError(f"answered {statuses}")
    found.statuses[statuses[0].decode() if statuses else "none"] += 1
    for form, page in _pages(answer):
        parse_page(page, form)
        found.parsed += 1


def _pages(answer: bytes) -> Iterator[tuple[Format, str]]:
    """The metrics in the first of the answers, if it has them all."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    headers = {
        name.lower(): value for name, _, value in (line.partition(b": ") for line in head.lower().split(b"\r\n"))
    }
    form = next((form for form in Format if form.value.encode() == headers.get(b"content-type")), None)
    size = int(headers.get(b"content-length", b"0"))
    answers_head = rest.startswith(b"HTTP/")  # what follows is the answer to the next request
    if form is not None and head.startswith(b"HTTP/1.1 200") and len(rest) >= size and not answers_head:
        body = gzip.decompress(rest[:size]) if headers.get(b"content-encoding") == b"gzip" else rest[:size]
        yield form, body.decode()

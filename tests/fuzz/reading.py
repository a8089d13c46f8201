"""Pages into the reader, and some of them through everything: poll, exposition, both parsers."""

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import msgspec

from exporter.livepeer.decoding import decode_page
from exporter.livepeer.errors import PollError
from exporter.sessions.session import MAX_ID, Session
from tests.fuzz.pages import MAKERS, Maker
from tests.support.harness import captured_log, harness
from tests.support.rows import START
from tests.support.upstream import Request, reply, upstream


@dataclass
class Readings:
    """How many pages were made of each kind, and what became of them.

    Attributes:
        pages: by kind.
        outcomes: by the class of the failure, or ``read``.
        sessions: that could be read.
        left_out: values and sessions that could not.
        polls: pages that went through everything, by the class of the failure, or ``shown``.
        problems: what should not have happened.
        seconds: how long it took.
    """

    pages: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    sessions: int = 0
    left_out: int = 0
    polls: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


def read_pages(count: int, every: int, seed: int) -> Readings:
    """Make pages and read them; every so manieth goes through everything.

    A page that breaks something is made again by its number: ``page(seed, number)``.
    """
    began, found = time.monotonic(), Readings()
    for number in range(count):
        kind, body = page(seed, number)
        found.pages[kind] += 1
        try:
            read(body, found)
        except Exception as error:  # noqa: BLE001 - that nothing else is raised is what we are here to see
            found.problems.append(f"page({seed}, {number}), {kind}: {type(error).__name__}")
    with captured_log():
        asyncio.run(_poll(range(0, count, every), seed, found))
    found.seconds = time.monotonic() - began
    return found


def page(seed: int, number: int) -> tuple[str, bytes]:
    """The kind and the bytes of a page; always the same for a seed and a number."""
    rng = random.Random(f"{seed}:{number}")
    kind = rng.choices(tuple(MAKERS), [share for _, share in MAKERS.values()])[0]
    maker: Maker = MAKERS[kind][0]
    return kind, maker(rng)


def read(body: bytes, found: Readings) -> None:
    """Read one page, and count what becomes of it; what should not be raised is."""
    try:
        reading = decode_page(body, START)
    except PollError as error:
        found.outcomes[error.failure] += 1
        return
    found.outcomes["read"] += 1
    found.sessions += len(reading.sessions)
    found.left_out += reading.invalid_values.total() + reading.invalid_sessions.total()
    assert reading.items == len(reading.sessions) + reading.invalid_sessions.total()
    for session in reading.sessions:
        _check(session)


def _check(session: Session) -> None:
    """No value gets in that no page may show."""
    assert 1 <= len(session.id) <= MAX_ID
    assert session.id.isprintable()
    for value in msgspec.structs.astuple(session):
        if isinstance(value, float | int):
            assert math.isfinite(value)
            assert value >= 0


async def _poll(numbers: range, seed: int, found: Readings) -> None:
    body = b""

    async def script(_request: Request) -> AsyncIterator[bytes]:
        yield reply(body)

    async with upstream(script) as server, harness(server.url, profile_series=True, playback_ids=True) as program:
        for number in numbers:
            kind, body = page(seed, number)
            try:
                await program.poll()
            except Exception as error:  # noqa: BLE001 - as above
                found.problems.append(f"poll of page({seed}, {number}), {kind}: {type(error).__name__}: {error}"[:300])
                continue
            failure = program.poller.status.failure
            found.polls["shown" if failure is None else failure[0]] += 1
            if failure and failure[0] == "internal":
                found.problems.append(f"poll of page({seed}, {number}), {kind}: internal")

"""Random pages for the decoder, and some of them for a whole poll, the exposition and both parsers."""

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, cast

import msgspec

from exporter.cooperative import Cooperative
from exporter.livepeer.decoding import decode_page
from exporter.livepeer.errors import PollError
from exporter.sessions.session import INVALID_TIME, MAX_ID, Session
from tests.fuzz.loop_blocks import measured_blocks
from tests.fuzz.pages import GENERATORS, LARGE
from tests.support.cooperative import run_to_end
from tests.support.harness import Harness, captured_log, harness
from tests.support.rows import START
from tests.support.upstream import Request, reply, upstream

T = TypeVar("T")


@dataclass
class PageResults:
    """The outcomes of a run.

    Attributes:
        pages: the number of pages by kind.
        outcomes: the number of pages by class of failure, or ``decoded``.
        sessions: the number of decoded sessions.
        dropped: the number of invalid values and sessions.
        polls: the number of polls by class of failure, or ``published``.
        longest_step: the longest step of decoding in seconds of CPU, in which no scrape is answered.
        longest_block: the longest block of the event loop in the polls of large pages, in seconds of CPU.
        problems: descriptions of unexpected outcomes, with seed and number of the page.
        seconds: the duration of the run.
    """

    pages: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    sessions: int = 0
    dropped: int = 0
    polls: Counter[str] = field(default_factory=Counter)
    longest_step: float = 0.0
    longest_block: float = 0.0
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


def fuzz_pages(count: int, every: int, seed: int, max_step: float = math.inf) -> PageResults:
    """Decode random pages, and poll every n-th of them, and all large ones.

    A problem names the call that generates its page again: ``page(seed, number)``.

    Args:
        count: the number of pages.
        every: one of this many pages is polled.
        seed: of the random pages.
        max_step: seconds of CPU that a step of decoding may take, and that a poll may block the event loop.
    """
    began, results = time.monotonic(), PageResults()
    polled: list[int] = []
    for number in range(count):
        kind, body = page(seed, number)
        results.pages[kind] += 1
        if kind == LARGE or number % every == 0:
            polled.append(number)
        longest = results.longest_step
        try:
            decode(body, results)
        except Exception as error:  # noqa: BLE001 - any other exception is a finding
            results.problems.append(f"page({seed}, {number}), {kind}: {type(error).__name__}")
        if results.longest_step > max(longest, max_step):
            results.problems.append(f"page({seed}, {number}), {kind}: a step of {results.longest_step:.3f} s")
    with captured_log():
        asyncio.run(_poll(polled, seed, results, max_step))
    results.seconds = time.monotonic() - began
    return results


def page(seed: int, number: int) -> tuple[str, bytes]:
    """Return the kind and the bytes of a page, which depend on nothing but seed and number."""
    rng = random.Random(f"{seed}:{number}")
    kind = rng.choices(tuple(GENERATORS), [share for _, share in GENERATORS.values()])[0]
    generate, _ = GENERATORS[kind]
    return kind, generate(rng)


def decode(body: bytes, results: PageResults) -> None:
    """Decode a page and count the outcome.

    Raises:
        AssertionError: the decoder returned a value that must not be exported.
    """
    try:
        decoded = run_to_end(_measured(decode_page(body, START), results))
    except PollError as error:
        results.outcomes[error.failure] += 1
        return
    results.outcomes["decoded"] += 1
    results.sessions += len(decoded.sessions)
    results.dropped += decoded.invalid_values.total() + decoded.invalid_sessions.total()
    assert decoded.items == len(decoded.sessions) + decoded.invalid_sessions.total()
    for session in decoded.sessions:
        _check(session)


def _measured(computation: Cooperative[T], results: PageResults) -> Cooperative[T]:
    """Run a computation and record its longest step in CPU time."""
    while True:
        began = time.thread_time()
        try:
            next(computation)
        except StopIteration as finished:
            return cast("T", finished.value)
        finally:
            results.longest_step = max(results.longest_step, time.thread_time() - began)
        yield


def _check(session: Session) -> None:
    assert 1 <= len(session.id) <= MAX_ID
    assert session.id.isprintable()
    for value in msgspec.structs.astuple(session):
        if isinstance(value, float | int):
            assert math.isfinite(value)
            assert value >= 0 or value == session.last_seen == INVALID_TIME


async def _poll(numbers: Sequence[int], seed: int, results: PageResults, max_block: float) -> None:
    body = b""

    async def script(_request: Request) -> AsyncIterator[bytes]:
        yield reply(body)

    async with (
        upstream(script) as server,
        harness(server.url, profile_series=True, playback_ids=True) as program,
        harness(server.url, profile_series=True, playback_ids=True) as measured,
    ):
        for number in numbers:
            kind, body = page(seed, number)
            name = f"poll of page({seed}, {number}), {kind}"
            polling = measured if kind == LARGE else program
            try:
                block = await _poll_and_measure(measured) if kind == LARGE else await _poll_and_scrape(program)
            except Exception as error:  # noqa: BLE001 - a poll raises nothing, so any exception is a finding
                results.problems.append(f"{name}: {type(error).__name__}: {error}"[:300])
                continue
            results.longest_block = max(results.longest_block, block)
            if block > max_block:
                results.problems.append(f"{name}: the event loop was blocked for {block:.3f} s")
            failure = polling.poller.status.failure
            results.polls["published" if failure is None else failure[0]] += 1
            if failure and failure[0] == "internal":
                results.problems.append(f"{name}: internal")


async def _poll_and_scrape(program: Harness) -> float:
    await program.poll()
    return 0.0  # not measured: scraping and parsing run in the same loop


async def _poll_and_measure(program: Harness) -> float:
    """Poll without a scrape, whose parsing would take seconds; return the longest block of the event loop."""
    async with measured_blocks() as blocks:
        await program.poller.poll()
    return blocks.longest

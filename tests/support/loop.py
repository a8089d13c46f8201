"""Runs asynchronous tests in an event loop whose time a test can advance."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec

from tests.support.deadlines import HANG

P = ParamSpec("P")


class SteppableLoop(asyncio.SelectorEventLoop):
    """An event loop whose time a test can advance, so that long timeouts expire at once, and only then."""

    def __init__(self) -> None:
        super().__init__()
        self._advanced = 0.0

    def time(self) -> float:
        """Return the monotonic time, plus what it has been advanced by."""
        return super().time() + self._advanced

    def advance(self, seconds: float) -> None:
        """Advance the time; timers that become due run in the next iteration, after the I/O that is ready."""
        self._advanced += seconds


def advance(seconds: float) -> None:
    """Advance the time of the running event loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SteppableLoop)
    loop.advance(seconds)


async def advance_until(condition: Callable[[], bool], step: float) -> None:
    """Advance the time of the running event loop in steps, with I/O in between, until a condition holds."""
    while not condition():
        advance(step)
        await asyncio.sleep(0.001)


async def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; `run_in_loop` bounds the wait."""
    while not condition():  # noqa: ASYNC110  # no event signals what the conditions of tests depend on
        await asyncio.sleep(0.005)


def run_in_loop(main: Callable[[], Awaitable[None]], loop_factory: Callable[[], SteppableLoop] = SteppableLoop) -> None:
    """Run an asynchronous function in an event loop of its own.

    Raises:
        TimeoutError: it hangs.
    """
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(_bounded(main))


async def _bounded(main: Callable[[], Awaitable[None]]) -> None:
    """Cancel `main` after `HANG` seconds of real time; a timeout of the loop would expire when a test advances it."""
    loop, task, end = asyncio.get_running_loop(), asyncio.current_task(), time.monotonic() + HANG
    assert task is not None
    hangs = False
    timer: asyncio.TimerHandle | None = None

    def check() -> None:
        nonlocal hangs, timer
        if (remaining := end - time.monotonic()) > 0:
            timer = loop.call_later(remaining, check)
        else:
            hangs = True
            task.cancel()

    check()
    try:
        await main()
    except asyncio.CancelledError as error:
        if hangs:
            raise TimeoutError(f"still running after {HANG:g} s") from error
        raise
    finally:
        if timer is not None:
            timer.cancel()


def in_loop(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Make a test of an asynchronous function; see `run_in_loop`."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        run_in_loop(lambda: test(*args, **kwargs))

    return run

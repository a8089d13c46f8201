"""What the program takes from its surroundings, as arguments."""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

_OUT_OF_DESCRIPTORS: Final = (errno.EMFILE, errno.ENFILE)


class Environment(msgspec.Struct, frozen=True):
    """Clocks, randomness and the log redactor; tests pass their own.

    Attributes:
        now: wall clock, Unix seconds.
        monotonic: monotonic clock, seconds.
        jitter: returns a random number between 0 and 1.
        redact: called with every secret in use; the logs replace it from then on.
        revision: the commit that the program was built from.
        sleep: waits the given number of seconds before a request is retried.
    """

    now: Callable[[], float]
    monotonic: Callable[[], float]
    jitter: Callable[[], float]
    redact: Callable[[str], None]
    revision: str = "unknown"
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


def is_out_of_descriptors(error: OSError) -> bool:
    """Whether the process or the system has no file descriptors left, which passes when clients disconnect."""
    return error.errno in _OUT_OF_DESCRIPTORS

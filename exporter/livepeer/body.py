"""Reads the body of an answer within bounds, however much the other side sends; and undoes a compression.

Bounds hold for all answers of an account together: small ones may be read side by side, but only one at a time may
grow beyond its share. A body that is larger than a page should be goes into memory of its own, and not into that of the
C library, which would keep as much and more for good once it was given back (M_MMAP_THRESHOLD in mallopt(3)).
"""

import asyncio
import zlib
from collections.abc import AsyncIterable
from contextlib import AsyncExitStack
from mmap import mmap
from types import TracebackType
from typing import Final, Self

from exporter.livepeer.errors import DecodeError, ResponseTooLargeError

MAX_PAGE_BYTES: Final = 16 * 1024 * 1024
"""A page of 1000 sessions has 1.65 MB upstream."""

ORDINARY: Final = 2 * 1024 * 1024
"""Bytes up to which a body is nothing unusual; fresh memory from the system costs time."""

INFLATED_AT_ONCE: Final = 256 * 1024
"""Bytes that are inflated in one go, so that a bomb is noticed before it is large."""

PARTS_AT_ONCE: Final = 100
"""Parts of a body after which others get their turn: 64 kB can be thousands of parts with a byte each."""

Body = bytes | bytearray


class BodyBudget:
    """The memory that the answers of one account may fill at once: twice the largest page.

    Args:
        readers: how many answers are read at once at most.
    """

    def __init__(self, readers: int) -> None:
        self._share = MAX_PAGE_BYTES // readers
        self._large = asyncio.Lock()

    async def read(self, parts: AsyncIterable[bytes], declared: str) -> Body:
        """Read a body to its end.

        An answer that outgrows its share waits until no other does; the deadline of the request bounds that, too.

        Args:
            parts: the body as it arrives.
            declared: the header ``Content-Length``, or nothing.

        Raises:
            ResponseTooLargeError: it has, or will have, more than ``MAX_PAGE_BYTES``; U13 of the fault matrix.
        """
        if declared.isdecimal() and int(declared) > MAX_PAGE_BYTES:
            raise _too_large()
        with _Buffer() as body:
            async with AsyncExitStack() as turn:
                count = 0
                async for part in parts:
                    count += 1
                    if count % PARTS_AT_ONCE == 0:  # what has arrived already is read without a pause
                        await asyncio.sleep(0)
                    before = body.size
                    body.add(part)
                    if before <= self._share < body.size:
                        await turn.enter_async_context(self._large)
                return body.content()


def decompress(body: Body, encoding: str) -> Body:
    """Undo a compression that we did not ask for; a CDN may insist.

    Args:
        body: as it was sent.
        encoding: the header ``Content-Encoding``, or nothing.

    Raises:
        ResponseTooLargeError: inflated, it has more than ``MAX_PAGE_BYTES``; no more than that is ever inflated.
        DecodeError: it is compressed in another way, broken, or more than one member.
    """
    encoding = encoding.strip().lower()
    if encoding in ("identity", ""):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise DecodeError("the answer is compressed in a way that was not asked for")
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)
    with _Buffer() as plain:
        try:
            while body and not inflater.eof:
                plain.add(inflater.decompress(body, INFLATED_AT_ONCE))
                body = inflater.unconsumed_tail
        except zlib.error:
            raise DecodeError("the answer is compressed, and broken") from None
        if not inflater.eof or inflater.unused_data:
            raise DecodeError("the answer is compressed, and does not end where it should")
        return plain.content()


class _Buffer:
    """A body as far as it is known; what is unusual about its size goes back to the system at the end."""

    def __init__(self) -> None:
        self.size = 0
        self._usual = bytearray()
        self._unusual: mmap | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._unusual is not None:
            self._unusual.close()

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > MAX_PAGE_BYTES:
            raise _too_large()
        if self.size > ORDINARY and self._unusual is None:
            self._unusual = mmap(-1, MAX_PAGE_BYTES)
            self._unusual.write(self._usual)
            self._usual = bytearray()
        if self._unusual is None:
            self._usual += piece
        else:
            self._unusual.write(piece)

    def content(self) -> Body:
        return self._usual if self._unusual is None else self._unusual[: self.size]


def _too_large() -> ResponseTooLargeError:
    return ResponseTooLargeError(f"a page of more than {MAX_PAGE_BYTES} bytes")

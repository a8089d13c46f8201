"""Reads response bodies with bounded memory, and decompresses them.

The bound applies to all responses of an account together: bodies up to a share of the budget are read concurrently, and
only one at a time may be larger. The memory of a large body is mapped separately, since the C library would otherwise
raise its threshold for such mappings and keep freed memory (`M_MMAP_THRESHOLD` in mallopt(3)).
"""

import asyncio
import zlib
from collections.abc import AsyncIterable
from contextlib import AsyncExitStack
from mmap import mmap
from types import TracebackType
from typing import Final, Self

from exporter.cooperative import Cooperative
from exporter.livepeer.errors import DecodeError, ResponseTooLargeError

MAX_PAGE_BYTES: Final = 16 * 1024 * 1024
"""A page of 1000 sessions has 1.65 MB."""

NORMAL_BODY_BYTES: Final = 2 * 1024 * 1024
"""Bytes from which a body gets memory of its own. For smaller ones, mapping new memory is slower."""

INFLATE_BYTES: Final = 256 * 1024
"""Bytes that are inflated in one step, so that a decompression bomb is detected before it is large."""

CHUNKS_PER_TURN: Final = 100
"""Chunks of a body after which other tasks run; 64 kB can arrive as thousands of chunks of one byte."""

Body = bytes | bytearray


class BodyBudget:
    """The memory for concurrent response bodies of one account: at most twice `MAX_PAGE_BYTES`.

    Args:
        readers: maximum number of bodies that are read concurrently.
    """

    def __init__(self, readers: int) -> None:
        self._share = MAX_PAGE_BYTES // readers
        self._large = asyncio.Lock()

    async def read(self, chunks: AsyncIterable[bytes], content_length: str) -> Body:
        """Read a body to its end.

        A body that exceeds its share of the budget waits until no other one does; the caller's timeout applies.

        Args:
            chunks: the body as it arrives.
            content_length: the `Content-Length` header, or an empty string.

        Raises:
            ResponseTooLargeError: the body has, or is declared to have, more than `MAX_PAGE_BYTES`; U13 of the fault
                matrix.
        """
        if content_length.isdecimal() and int(content_length) > MAX_PAGE_BYTES:
            raise _too_large()
        with _Buffer() as buffer:
            async with AsyncExitStack() as lock:
                count = 0
                async for chunk in chunks:
                    count += 1
                    if count % CHUNKS_PER_TURN == 0:  # iteration does not suspend while there is buffered data
                        await asyncio.sleep(0)
                    size_before = buffer.size
                    buffer.add(chunk)
                    if size_before <= self._share < buffer.size:
                        await lock.enter_async_context(self._large)
                return buffer.content()


def decompress(body: Body, encoding: str) -> Cooperative[Body]:
    """Decompress a body in short steps. Compression is not requested, but a CDN may apply it regardless.

    Args:
        body: the body as received.
        encoding: the `Content-Encoding` header, or an empty string.

    Raises:
        ResponseTooLargeError: the decompressed body has more than `MAX_PAGE_BYTES`.
        DecodeError: the encoding is unsupported, or the data is invalid or has more than one member.
    """
    encoding = encoding.strip().lower()
    if encoding in ("identity", ""):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise DecodeError("the response has an unsupported Content-Encoding")
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)
    with _Buffer() as buffer:
        try:
            while body and not inflater.eof:
                buffer.add(inflater.decompress(body, INFLATE_BYTES))
                body = inflater.unconsumed_tail
                yield
        except zlib.error:
            raise DecodeError("the compressed response is invalid") from None
        if not inflater.eof or inflater.unused_data:
            raise DecodeError("the compressed response is truncated or has trailing data")
        return buffer.content()


class _Buffer:
    """A growing buffer of at most `MAX_PAGE_BYTES`. A large one returns its memory to the system on exit."""

    def __init__(self) -> None:
        self.size = 0
        self._heap = bytearray()
        self._mapped: mmap | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._mapped is not None:
            self._mapped.close()

    def add(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > MAX_PAGE_BYTES:
            raise _too_large()
        if self.size > NORMAL_BODY_BYTES and self._mapped is None:
            self._mapped = mmap(-1, MAX_PAGE_BYTES)
            self._mapped.write(self._heap)
            self._heap = bytearray()
        if self._mapped is None:
            self._heap += data
        else:
            self._mapped.write(data)

    def content(self) -> Body:
        return self._heap if self._mapped is None else self._mapped[: self.size]


def _too_large() -> ResponseTooLargeError:
    return ResponseTooLargeError(f"a page has more than {MAX_PAGE_BYTES} bytes")

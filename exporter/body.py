"""Reads the body of an answer within bounds, however much the other side sends; and undoes a compression.

Bounds hold for all answers of an account together: small ones may be read side by side, but only one at a time may
grow beyond its share.
"""

import asyncio
import zlib
from collections.abc import AsyncIterable
from contextlib import AsyncExitStack
from typing import Final

from exporter.errors import TooLarge, Undecodable

MAX_PAGE_BYTES: Final = 16 * 1024 * 1024
"""A page of 1000 sessions has 1.65 MB upstream."""

Body = bytes | bytearray


class Room:
    """The memory that the answers of one account may fill at once: twice the largest page.

    Args:
        readers: how many answers are read at once at most.
    """

    def __init__(self, readers: int) -> None:
        self._share = MAX_PAGE_BYTES // readers
        self._large = asyncio.Lock()

    async def read(self, parts: AsyncIterable[bytes], declared: str) -> bytearray:
        """Read a body to its end.

        An answer that outgrows its share waits until no other does; the deadline of the request bounds that, too.

        Args:
            parts: the body as it arrives.
            declared: the header ``Content-Length``, or nothing.

        Raises:
            TooLarge: it has, or will have, more than ``MAX_PAGE_BYTES``; U13 of the fault matrix.
        """
        if declared.isdecimal() and int(declared) > MAX_PAGE_BYTES:
            raise _too_large()
        body = bytearray()
        async with AsyncExitStack() as turn:
            async for part in parts:
                before = len(body)
                body += part
                if len(body) > MAX_PAGE_BYTES:
                    raise _too_large()
                if before <= self._share < len(body):
                    await turn.enter_async_context(self._large)
        return body


def inflated(body: Body, encoding: str) -> Body:
    """Undo a compression that we did not ask for; a CDN may insist.

    Args:
        body: as it was sent.
        encoding: the header ``Content-Encoding``, or nothing.

    Raises:
        TooLarge: inflated, it has more than ``MAX_PAGE_BYTES``; no more than that is ever inflated.
        Undecodable: it is compressed in another way, broken, or more than one member.
    """
    encoding = encoding.strip().lower()
    if encoding in ("identity", ""):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise Undecodable("the answer is compressed in a way that was not asked for")
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        plain = inflater.decompress(body, MAX_PAGE_BYTES + 1)
    except zlib.error:
        raise Undecodable("the answer is compressed, and broken") from None
    if len(plain) > MAX_PAGE_BYTES:
        raise _too_large()
    if not inflater.eof or inflater.unused_data:
        raise Undecodable("the answer is compressed, and does not end where it should")
    return plain


def _too_large() -> TooLarge:
    return TooLarge(f"a page of more than {MAX_PAGE_BYTES} bytes")

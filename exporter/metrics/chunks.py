"""Compressed pieces of a page that can be put together in any order without compressing them again.

A chunk ends with a full flush of the compressor, so chunks in a row are one valid deflate stream, and one gzip member
with a freshly compressed tail. Several gzip members would not do: httpx and browsers read the first one alone.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import Final

from isal import isal_zlib

LEVEL: Final = 1
"""The fastest useful level of ISA-L; docs/performance.md compares it with zlib."""

MIN_MAPPED: Final = 1024 * 1024
"""Bytes from which a page gets its own memory mapping, which is returned to the system when it is released."""

GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a page.

    Attributes:
        data: raw deflate up to a full flush.
        size: bytes of the text.
        crc: CRC-32 of the text.
    """

    data: bytes | memoryview
    size: int
    crc: int


EMPTY: Final = Chunk(b"", 0, 0)


class Deflater:
    """Compresses texts to chunks. A full flush resets its window, so the chunks do not depend on each other."""

    def __init__(self) -> None:
        self._compressor = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, -isal_zlib.MAX_WBITS)

    def chunk(self, text: bytes, *, last: bool = False) -> Chunk:
        """Compress a text; ``last`` ends the stream, so that nothing can follow."""
        start = self._compressor.compress(text)
        end = self._compressor.flush(isal_zlib.Z_FINISH if last else isal_zlib.Z_FULL_FLUSH)
        return Chunk(start + end, len(text), isal_zlib.crc32(text))


def deflate(text: bytes, *, last: bool = False) -> Chunk:
    """Compress one text."""
    if not text and not last:
        return EMPTY
    return Deflater().chunk(text, last=last)


def inflate(chunk: Chunk) -> bytes:
    """Return the text of a chunk, for clients that do not accept gzip."""
    return isal_zlib.decompressobj(-isal_zlib.MAX_WBITS).decompress(chunk.data)


def join(chunks: Sequence[Chunk]) -> Chunk:
    """Concatenate chunks."""
    size = crc = 0
    for chunk in chunks:
        crc = isal_zlib.crc32_combine(crc, chunk.crc, chunk.size)
        size += chunk.size
    return Chunk(_concatenated([chunk.data for chunk in chunks]), size, crc)


def _concatenated(pieces: Sequence[bytes | memoryview]) -> bytes | memoryview:
    length = sum(map(len, pieces))
    if length < MIN_MAPPED:
        return b"".join(pieces)
    memory = mmap(-1, length, flags=MAP_PRIVATE | MAP_ANONYMOUS)  # shared memory, the default, takes longer to map
    for piece in pieces:
        memory.write(piece)
    return memoryview(memory).toreadonly()


def slices_of(whole: Chunk, pieces: Sequence[Chunk], start: int) -> list[Chunk]:
    """Return the pieces as views of a chunk that concatenates them from byte ``start`` on, so bytes are kept once."""
    view = memoryview(whole.data)
    found = []
    for piece in pieces:
        end = start + len(piece.data)
        found.append(Chunk(view[start:end], piece.size, piece.crc))
        start = end
    return found


def gzip_trailer(whole: Chunk) -> bytes:
    """Return the end of a gzip member (RFC 1952, section 2.3.1)."""
    return struct.pack("<II", whole.crc, whole.size & 0xFFFFFFFF)

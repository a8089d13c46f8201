"""Compressed pieces of a page that can be put together in any order without compressing them again.

A chunk ends with a full flush of the compressor, so chunks in a row are one valid deflate stream, and one gzip member
with a freshly compressed tail. Several gzip members would not do: httpx and browsers read the first one alone.
"""

import struct
from collections.abc import Iterator, Sequence
from itertools import chain
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import Final

import msgspec
from isal import isal_zlib

LEVEL: Final = 1
"""The fastest useful level of ISA-L; docs/performance.md compares it with zlib."""

MIN_MAPPED: Final = 1024 * 1024
"""Bytes from which a page gets its own memory mapping, which is returned to the system when it is released."""

BLOCK_SIZE: Final = 48 * 1024
"""Maximum bytes of text in a block, which is inflated at once for a client that does not accept gzip.

A client that does not read holds one block. Smaller blocks compress worse.
"""

GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


class Chunk(msgspec.Struct, frozen=True, gc=False):
    """A piece of a page. The garbage collector does not track chunks, of which a large account has thousands.

    Attributes:
        data: raw deflate up to a full flush.
        size: bytes of the text.
        crc: CRC-32 of the text.
        blocks: bytes of data in each block; a block ends with a full flush and can be inflated on its own.
        samples: the number of series in the text, if it has those of sessions or streams.
        key: of the values that the text was made of. Chunks with the same key have the same text.
    """

    data: bytes | memoryview
    size: int
    crc: int
    blocks: tuple[int, ...] = ()
    samples: int = 0
    key: bytes = b""


EMPTY: Final = Chunk(b"", 0, 0)


class Deflater:
    """Compresses texts to chunks. A full flush resets its window, so the chunks do not depend on each other."""

    def __init__(self) -> None:
        self._compressor = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, -isal_zlib.MAX_WBITS)

    def chunk(self, text: bytes, *, last: bool = False) -> Chunk:
        """Compress a text; ``last`` ends the stream, so that nothing can follow."""
        view, blocks = memoryview(text), []
        for start in range(0, max(len(text), 1), BLOCK_SIZE):
            is_last = last and start + BLOCK_SIZE >= len(text)
            block = self._compressor.compress(view[start : start + BLOCK_SIZE])
            blocks.append(block + self._compressor.flush(isal_zlib.Z_FINISH if is_last else isal_zlib.Z_FULL_FLUSH))
        return Chunk(b"".join(blocks), len(text), isal_zlib.crc32(text), tuple(map(len, blocks)))


def deflate(text: bytes, *, last: bool = False) -> Chunk:
    """Compress one text."""
    if not text and not last:
        return EMPTY
    return Deflater().chunk(text, last=last)


def inflate(chunk: Chunk) -> Iterator[bytes]:
    """Return the text of a chunk, block by block, for clients that do not accept gzip."""
    view, start = memoryview(chunk.data), 0
    for length in chunk.blocks:
        yield isal_zlib.decompressobj(-isal_zlib.MAX_WBITS).decompress(view[start : start + length])
        start += length


def join(chunks: Sequence[Chunk]) -> Chunk:
    """Concatenate chunks."""
    size = crc = 0
    for chunk in chunks:
        crc = isal_zlib.crc32_combine(crc, chunk.crc, chunk.size)
        size += chunk.size
    blocks = tuple(chain.from_iterable(chunk.blocks for chunk in chunks))
    return Chunk(_concatenated([chunk.data for chunk in chunks]), size, crc, blocks)


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
        found.append(msgspec.structs.replace(piece, data=view[start:end]))
        start = end
    return found


def gzip_trailer(whole: Chunk) -> bytes:
    """Return the end of a gzip member (RFC 1952, section 2.3.1)."""
    return struct.pack("<II", whole.crc, whole.size & 0xFFFFFFFF)

"""Chunks: compressed texts that can be put together, and taken apart again, without compressing them again."""

import gzip

import pytest

from exporter.metrics.chunks import (
    BLOCK_SIZE,
    EMPTY,
    GZIP_HEADER,
    MIN_MAPPED,
    Chunk,
    deflate,
    gzip_trailer,
    inflate,
    join,
    slices_of,
)

TEXTS = (b"a 1\n", b"b 2\nb 3\n", b"c 4\n")


def incompressible(size: int) -> Chunk:
    """Return a chunk whose data has this many bytes."""
    return Chunk(bytes(size), size=size, crc=0)


def test_an_empty_text_is_an_empty_chunk() -> None:
    assert deflate(b"") == EMPTY


def test_a_chunk_is_inflated_to_its_text() -> None:
    assert list(inflate(deflate(TEXTS[1]))) == [TEXTS[1]]


@pytest.mark.parametrize("size", [0, BLOCK_SIZE, 2 * BLOCK_SIZE, 2 * BLOCK_SIZE + 1])
def test_the_last_chunk_ends_the_stream_whatever_its_size(size: int) -> None:
    text = bytes(size)
    last = deflate(text, last=True)
    assert gzip.decompress(GZIP_HEADER + last.data + gzip_trailer(last)) == text


def test_joined_chunks_are_one_gzip_member() -> None:
    whole = join([*map(deflate, TEXTS), deflate(b"", last=True)])
    assert gzip.decompress(GZIP_HEADER + bytes(whole.data) + gzip_trailer(whole)) == b"".join(TEXTS)


@pytest.mark.parametrize(("size", "kind"), [(MIN_MAPPED - 1, bytes), (MIN_MAPPED, memoryview)])
def test_a_large_page_has_its_own_memory(size: int, kind: type) -> None:
    assert isinstance(join([incompressible(size)]).data, kind)


def test_a_large_page_has_the_data_of_its_chunks_in_order() -> None:
    chunks = [Chunk(bytes([number]) * MIN_MAPPED, size=1, crc=0) for number in range(3)]
    assert join(chunks).data == b"".join(bytes(chunk.data) for chunk in chunks)


def test_a_large_page_cannot_be_written_to() -> None:
    data = join([incompressible(MIN_MAPPED)]).data
    assert isinstance(data, memoryview)
    assert data.readonly


def test_the_slices_of_a_joined_chunk_are_the_chunks() -> None:
    first, *others = map(deflate, TEXTS)
    slices = slices_of(join([first, *others]), others, len(first.data))
    assert [list(inflate(each)) for each in slices] == [[text] for text in TEXTS[1:]]
    assert [(each.size, each.crc) for each in slices] == [(each.size, each.crc) for each in others]

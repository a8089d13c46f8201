"""Rows U11 to U15 and U18 of the fault matrix: bodies and headers that are invalid, compressed or endless."""

import asyncio
import gc
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import pytest

from exporter.livepeer.body import MAX_PAGE_BYTES
from tests.faults.scripted import MIB, assert_fails, memory_bounded, polled
from tests.support.loop import in_loop
from tests.support.rows import ident, page, row
from tests.support.upstream import Request, Script, always, reply


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><html>Just a moment</html>", b"OK", b"upstream connect error"])
@in_loop
async def test_U11_html_and_plain_text_are_decode_failures(body: bytes) -> None:
    await assert_fails(always(reply(body, headers={"Content-Type": "text/html"})), "decode")


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(page(row(2)))),
        ("x-gzip", gzip.compress(page(row(2)))),
        ("deflate", zlib.compress(page(row(2)))),
        ("identity", page(row(2))),
    ],
    ids=["gzip", "x-gzip", "deflate", "identity"],
)
@in_loop
async def test_U12_an_unrequested_compression_is_decompressed(encoding: str, body: bytes) -> None:
    async with polled() as (server, program):
        server.script = always(reply(body, headers={"Content-Encoding": encoding}))
        await program.poll()
        assert server.requests[0].headers["accept-encoding"] == "identity"
        assert program.last_scrape.sessions() == {ident(2)}


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("br", page(row(2))),
        ("gzip, gzip", gzip.compress(gzip.compress(page(row(2))))),
        ("gzip", page(row(2))),
        ("gzip", gzip.compress(page(row(2)))[:-10]),
        ("gzip", gzip.compress(page(row(2))) + b"junk"),
        ("gzip", gzip.compress(b"[") + gzip.compress(b"]")),
        ("gzip", b""),
    ],
    ids=["unsupported", "twice", "uncompressed", "truncated", "trailing data", "two members", "empty"],
)
@in_loop
async def test_U12_an_unsupported_or_invalid_compression_is_a_decode_failure(encoding: str, body: bytes) -> None:
    await assert_fails(always(reply(body, headers={"Content-Encoding": encoding})), "decode")


def endless(head: str, piece: bytes) -> Script:
    async def script(_request: Request) -> AsyncIterator[bytes]:
        yield f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode()
        while True:
            yield piece

    return script


CHUNK = f"{65_536:x}\r\n".encode() + b" " * 65_536 + b"\r\n"


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(always(reply(b"[]", headers={"Content-Length": str(10**9)})), id="wrong Content-Length"),
        pytest.param(endless("Transfer-Encoding: chunked", CHUNK), id="endless chunks"),
        pytest.param(endless("Connection: close", b" " * 65_536), id="endless body"),
        pytest.param(endless(f"Content-Length: {MAX_PAGE_BYTES + 1}", b" " * 65_536), id="one byte too many"),
    ],
)
@in_loop
async def test_U13_an_endless_body_is_aborted_with_bounded_memory(script: Script) -> None:
    async with polled() as (server, program):
        server.script = script
        with memory_bounded(64 * MIB):
            await program.poll()
        program.assert_poll_failed("too_large", ident(1))


@pytest.mark.parametrize(
    "body", [pytest.param(CHUNK, id="endless chunks"), pytest.param(b" " * MIB, id="endless body")]
)
@in_loop
async def test_U13_concurrent_endless_bodies_are_bounded_together(body: bytes) -> None:
    async with polled(page_limit=2, walk_concurrency=4) as (server, program):
        all_started = asyncio.Event()

        async def script(request: Request) -> AsyncIterator[bytes]:
            if request.query.get("count"):
                headers = {"X-Total-Count": "40000", "Link": '<http://localhost/?cursor=x>; rel="next"'}
                yield reply(page(row(1), row(2)), headers=headers)
                return
            if sum("cursor" in each.query for each in server.requests) >= 4:
                all_started.set()
            yield b"HTTP/1.1 200 OK\r\n"
            yield b"Transfer-Encoding: chunked\r\n\r\n" if body is CHUNK else b"Connection: close\r\n\r\n"
            await all_started.wait()
            while True:
                yield body

        server.script = script
        with memory_bounded(64 * MIB):
            await program.poll()
        assert all_started.is_set()
        program.assert_poll_failed("too_large", ident(1))


@in_loop
async def test_U13_a_failed_poll_keeps_no_memory() -> None:
    async with polled() as (server, program):
        server.script = endless("Transfer-Encoding: chunked", CHUNK)
        await program.poll()
        gc.collect()
        gc.disable()  # otherwise it may not run for hours
        tracemalloc.start()
        try:
            for _ in range(3):
                await program.poll()
            allocated, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            gc.enable()
        assert allocated < 8 * MIB


def repeated(item: bytes, size: int) -> bytes:
    """Return a page of `size` bytes that contains an item repeatedly."""
    return b"[" + (item + b",") * (size // (len(item) + 1) - 1) + item + b"]"


@pytest.mark.untraced
@pytest.mark.parametrize("size", [MIB, MAX_PAGE_BYTES])
@pytest.mark.parametrize("item", [b"0", b"{}", b'{"id":"a"}', b"[NaN]"])
@in_loop
async def test_U13_a_page_of_very_many_tiny_items_is_too_large(item: bytes, size: int) -> None:
    # Seconds, since the memory of each of 100,000s of items is traced.
    response = reply(repeated(item, size))

    async def script(_request: Request) -> AsyncIterator[bytes]:
        for start in range(0, len(response), 65_536):  # in parts: the server is in this process
            yield response[start : start + 65_536]

    async with polled() as (server, program):
        server.script = script
        with memory_bounded(64 * MIB):
            await program.poll()
        program.assert_poll_failed("too_large", ident(1))


@in_loop
async def test_U13_a_page_of_very_many_invalid_sessions_is_too_large() -> None:
    await assert_fails(always(reply(repeated(b'{"id":1}', MIB // 2))), "too_large")


@pytest.mark.parametrize("length", ["-1", "x", "1" * 5000, "2, 3"])
@in_loop
async def test_U13_an_invalid_content_length_is_a_connect_failure(length: str) -> None:
    await assert_fails(always(reply(b"[]", headers={"Content-Length": length})), "connect")


def bomb() -> bytes:
    """Return a gzip member of about 100 kB that contains 100 MiB."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([compressor.compress(b" " * MIB) for _ in range(100)]) + compressor.flush()


@in_loop
async def test_U14_a_decompression_bomb_is_too_large() -> None:
    async with polled() as (server, program):
        server.script = always(reply(bomb(), headers={"Content-Encoding": "gzip"}))
        with memory_bounded(64 * MIB):
            await program.poll()
        program.assert_poll_failed("too_large", ident(1))


@pytest.mark.parametrize(
    "line", [pytest.param(b"X-Bomb: boom\r\n" * 1000, id="many"), pytest.param(b"X" * 65_536, id="one endless")]
)
@in_loop
async def test_U15_endless_headers_are_a_connect_failure(line: bytes) -> None:
    async def script(_request: Request) -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n"
        while True:
            yield line

    async with polled() as (server, program):
        server.script = script
        with memory_bounded(64 * MIB):
            await program.poll()
        program.assert_poll_failed("connect", ident(1))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(page(row(2))[:-1], id="no end"),
        pytest.param(page(row(2))[: len(page(row(2))) // 2], id="half"),
        pytest.param(b"\xef\xbb\xbf" + page(row(2)), id="byte order mark"),
        pytest.param(page(row(2)) + b"junk", id="trailing data"),
        pytest.param(page(row(2)) + page(row(2)), id="twice"),
        pytest.param(page(row(2, id=5)) + b"junk", id="trailing data after an invalid session"),
        pytest.param(page(row(2)).decode().encode("utf-16"), id="UTF-16"),
    ],
)
@in_loop
async def test_U18_a_body_that_is_not_entirely_json_is_a_decode_failure(body: bytes) -> None:
    await assert_fails(always(reply(body)), "decode")

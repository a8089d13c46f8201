"""Rows U01 to U22 of the fault matrix: whatever HTTP, TCP, TLS and DNS can do to a poll."""

import asyncio
import gc
import gzip
import io
import socket
import ssl
import tracemalloc
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import trustme

from exporter.cli.arguments import parse
from exporter.cli.commands import run
from exporter.cli.terminal import Terminal
from exporter.config import load
from exporter.livepeer.body import MAX_PAGE_BYTES
from tests.support.canary import KEY, MARK
from tests.support.harness import Harness, harness, written
from tests.support.loop import in_loop
from tests.support.rows import START, ident, page, row
from tests.support.upstream import Request, Script, Upstream, always, drip, reply, truncated, upstream

GOOD = always(reply(page(row(1))))
MIB = 1024 * 1024


@asynccontextmanager
async def polled(**settings: Any) -> AsyncIterator[tuple[Upstream, Harness]]:
    """An upstream with one session, and the program that has polled it once."""
    async with upstream(GOOD) as server, harness(server.url, **settings) as program:
        await program.poll()
        assert program.shown.value("up") == 1
        assert program.shown.sessions() == {ident(1)}
        server.requests.clear()
        yield server, program


async def fails(answer: Script, failure: str, **settings: Any) -> None:
    """Hold that a script is a failure of this class and keeps the last snapshot, and that the next good poll heals."""
    async with polled(**settings) as (server, program):
        server.script = answer
        await program.poll()
        program.keeps(failure, ident(1))
        server.script = GOOD
        await program.poll()
        assert program.shown.value("up") == 1
        assert program.shown.value("exporter_poll_consecutive_failures") == 0


@contextmanager
def memory_bounded(most: int) -> Iterator[None]:
    """Hold that Python's memory never grows by more than so many bytes."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < most


def knows(key: str, otherwise: bytes) -> Script:
    """A script that answers the holder of a key, and others something else."""

    async def script(request: Request) -> AsyncIterator[bytes]:
        yield reply(page(row(1))) if request.headers["authorization"] == f"Bearer {key}" else otherwise

    return script


UNKNOWN = reply(f'{{"errors": ["no token {KEY} found"]}}'.encode(), 401)


@in_loop
async def test_U01_an_unknown_key_is_auth_and_tried_again_slowly() -> None:
    async with polled(poll_interval=1, jitter=0) as (server, program):
        server.script = always(UNKNOWN)
        assert await program.poll() >= 60
        program.keeps("auth", ident(1))
        assert max(Counter(request.target for request in server.requests).values()) == 1


@in_loop
async def test_U01_a_key_file_is_read_again_and_a_new_key_used_at_once(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("old-key\n")
    async with upstream(GOOD) as server, harness(server.url, api_key_file=file) as program:

        async def script(request: Request) -> AsyncIterator[bytes]:
            file.write_text(f" {KEY}\n")
            yield reply(page(row(1))) if request.headers["authorization"] == f"Bearer {KEY}" else UNKNOWN

        server.script = script
        await program.poll()
        assert program.shown.value("up") == 1
        assert max(Counter(request.target for request in server.requests).values()) <= 2
        assert program.learnt == ["old-key", KEY]


@in_loop
async def test_U01_a_new_key_that_is_unknown_too_is_not_tried_a_third_time(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("key-0")
    async with upstream(GOOD) as server, harness(server.url, api_key_file=file) as program:

        async def script(_request: Request) -> AsyncIterator[bytes]:
            file.write_text(f"key-{len(server.requests)}")
            yield UNKNOWN

        server.script = script
        await program.poll()
        assert set(program.shown.failures()) == {"auth"}
        assert max(Counter(request.target for request in server.requests).values()) <= 2


@in_loop
async def test_U01_the_body_that_echoes_the_key_is_neither_logged_nor_shown() -> None:
    with written() as log:
        async with polled() as (server, program):
            server.script = always(UNKNOWN)
            await program.poll()
            shown = program.shown.text + await program.people()
    assert "the API rejected the key" in log.getvalue()
    assert MARK not in log.getvalue() + shown
    assert "no token" not in log.getvalue() + shown


@in_loop
async def test_U02_a_forbidden_key_is_tried_again_slowly() -> None:
    async with polled(poll_interval=1, jitter=0) as (server, program):
        server.script = always(reply(b'{"errors": ["forbidden"]}', 403))
        assert await program.poll() >= 60
        program.keeps("forbidden", ident(1))


@in_loop
async def test_U03_a_wrong_path_comes_with_a_hint_at_the_base_url() -> None:
    async with polled() as (server, program):
        server.script = always(reply(b'{"errors": ["not found"]}', 404))
        await program.poll()
        program.keeps("not_found", ident(1))
        assert "check the base URL" in await program.people()


@pytest.mark.parametrize("status", [400, 409, 422])
@in_loop
async def test_U04_a_refused_request_restarts_the_walk_once(status: int) -> None:
    async with polled() as (server, program):
        server.script = always(reply(b'{"errors": ["error parsing filters"]}', status))
        await program.poll()
        program.keeps("client", ident(1))
        assert max(Counter(request.target for request in server.requests).values()) == 2


@in_loop
async def test_U04_a_walk_that_was_restarted_may_succeed() -> None:
    async with polled() as (server, program):

        async def script(_request: Request) -> AsyncIterator[bytes]:
            yield reply(b"{}", 400) if len(server.requests) == 1 else reply(page(row(1)))

        server.script = script
        await program.poll()
        assert program.shown.value("up") == 1


def http_date(seconds: float) -> str:
    return formatdate(START + seconds, usegmt=True)


@pytest.mark.parametrize(
    ("asked", "date", "wait"),
    [
        ("120", None, 120),
        ("0", None, 1),
        ("1000000000", None, 900),
        (http_date(300), http_date(0), 300),
        (http_date(86_700), http_date(86_400), 300),  # the answer's own clock counts, not ours
        (http_date(-300), http_date(0), 1),
        (http_date(1e9), http_date(0), 900),
        (None, None, 1),
        ("-5", None, 1),
        ("1e9", None, 1),
        ("soon", None, 1),
        ("", None, 1),
    ],
)
@in_loop
async def test_U05_retry_after_is_honoured_between_a_second_and_a_quarter_of_an_hour(
    asked: str | None, date: str | None, wait: float
) -> None:
    async with polled(poll_interval=1, jitter=0) as (server, program):
        headers = {"Retry-After": asked, "Date": date}
        server.script = always(reply(b"", 429, {name: value for name, value in headers.items() if value is not None}))
        assert await program.poll() == wait
        program.keeps("rate_limited", ident(1))
        assert (program.shown.value("exporter_api_throttled_total") or 0) >= 1


@pytest.mark.parametrize(
    ("status", "failure"), [(401, "auth"), (403, "forbidden"), (404, "not_found"), (408, "client"), (501, "server")]
)
@in_loop
async def test_U05_retry_after_is_honoured_with_every_refusal(status: int, failure: str) -> None:
    async with polled(poll_interval=1, jitter=0) as (server, program):
        server.script = always(reply(b"{}", status, {"Retry-After": "700"}))
        assert await program.poll() == 700
        program.keeps(failure, ident(1))


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@in_loop
async def test_U06_a_failing_server_is_asked_twice_more_and_then_left_alone(status: int) -> None:
    async with polled(walk_concurrency=1) as (server, program):
        server.script = always(reply(b"<h1>Bad gateway</h1>", status))
        await program.poll()
        program.keeps("server", ident(1))
        assert max(Counter(request.target for request in server.requests).values()) == 3
        assert all(0.5 <= slept <= 2 for slept in program.time.slept)


@in_loop
async def test_U06_a_server_that_recovers_within_the_poll_is_no_failure() -> None:
    async with polled() as (server, program):

        async def script(_request: Request) -> AsyncIterator[bytes]:
            hurt = reply(b"", 503, {"Retry-After": "2"})
            yield hurt if len(server.requests) == 1 else reply(page(row(1)))

        server.script = script
        await program.poll()
        assert program.shown.value("up") == 1
        assert program.shown.value("exporter_api_retries_total") == 1
        assert program.time.slept == [2]


@in_loop
async def test_U06_a_long_retry_after_is_left_to_the_next_poll() -> None:
    async with polled(poll_interval=1) as (server, program):
        server.script = always(reply(b"", 503, {"Retry-After": "600"}))
        assert await program.poll() == 600
        program.keeps("server", ident(1))
        assert program.time.slept == []


@in_loop
async def test_U06_a_server_that_fails_slowly_is_not_asked_again_when_the_poll_would_time_out() -> None:
    async with polled(poll_interval=30, walk_concurrency=1) as (server, program):

        async def script(_request: Request) -> AsyncIterator[bytes]:
            program.time.advance(15)
            yield reply(b"", 504)

        server.script = script
        await program.poll()
        program.keeps("server", ident(1))
        assert program.time.slept == []


@in_loop
async def test_U06_a_server_that_fails_slowly_in_mid_walk_is_not_asked_again_in_another_way() -> None:
    async with polled(poll_interval=30, walk_concurrency=1, page_limit=2) as (server, program):

        async def script(request: Request) -> AsyncIterator[bytes]:
            if "cursor" in request.query:
                program.time.advance(15)
                yield reply(b"", 500)
            else:
                more = '<http://x.invalid/api/session?cursor=skip2>; rel="next"'
                yield reply(page(row(1), row(2)), headers={"Link": more})

        server.script = script
        asked = len(server.requests)
        await program.poll()
        program.keeps("server", ident(1))
        assert not [request for request in server.requests[asked:] if "skip" in request.query.get("cursor", "")]


@in_loop
async def test_U06_data_disappears_when_it_is_too_old_and_the_rest_stays() -> None:
    async with polled(max_staleness=300) as (server, program):
        server.script = always(reply(b"", 502))
        for _ in range(3):
            program.time.advance(80)
            await program.poll()
            program.keeps("server", ident(1))
        program.time.advance(100)
        await program.scrape()
        assert program.shown.sessions() == set()
        assert not program.shown.all("sessions")
        assert program.shown.value("up") == 0
        assert program.shown.value("snapshot_timestamp_seconds") == START
        assert program.shown.value("exporter_poll_failures_total", **{"class": "server"}) == 3
        assert program.shown.value("exporter_poll_consecutive_failures") == 3
        assert program.shown.value("source_bytes_total") == 0


@in_loop
async def test_U07_no_ingest_is_the_servers_failure_with_a_hint() -> None:
    async with polled() as (server, program):
        server.script = always(reply(b"", 501))
        await program.poll()
        program.keeps("server", ident(1))
        assert "no ingest configured" in await program.people()
        assert program.time.slept == []


@pytest.mark.parametrize("answer", [b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", reply(b""), reply(b" \n")])
@in_loop
async def test_U08_an_empty_answer_does_not_mean_no_sessions(answer: bytes) -> None:
    await fails(always(answer), "decode")


@in_loop
async def test_U09_an_empty_list_is_a_true_zero() -> None:
    async with polled() as (server, program):
        server.script = always(reply(b"[]"))
        await program.poll()
        assert program.shown.value("up") == 1
        assert program.shown.sessions() == set()
        assert {value for _, value in program.shown.all("sessions")} == {0}
        assert program.shown.value("ingest_rate_bytes_per_second") == 0


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
@in_loop
async def test_U10_a_redirect_is_not_followed(status: int) -> None:
    async with upstream(GOOD) as other:
        for target in (f"{other.url}/session", "/api/elsewhere"):
            await fails(always(reply(b"", status, {"Location": target})), "redirect")
        assert other.connections == 0


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><html>Just a moment</html>", b"OK", b"upstream connect error"])
@in_loop
async def test_U11_a_page_for_people_is_no_answer(body: bytes) -> None:
    await fails(always(reply(body, headers={"Content-Type": "text/html"})), "decode")


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(page(row(2)))),
        ("x-gzip", gzip.compress(page(row(2)))),
        ("deflate", zlib.compress(page(row(2)))),
        ("identity", page(row(2))),
    ],
)
@in_loop
async def test_U12_an_answer_compressed_without_asking_is_inflated(encoding: str, body: bytes) -> None:
    async with polled() as (server, program):
        server.script = always(reply(body, headers={"Content-Encoding": encoding}))
        await program.poll()
        assert server.requests[0].headers["accept-encoding"] == "identity"
        assert program.shown.sessions() == {ident(2)}


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
    ids=["another", "twice", "not at all", "cut", "junk behind it", "two members", "empty"],
)
@in_loop
async def test_U12_a_compression_that_is_unknown_or_broken_is_refused(encoding: str, body: bytes) -> None:
    await fails(always(reply(body, headers={"Content-Encoding": encoding})), "decode")


def endless(head: str, piece: bytes) -> Script:
    async def script(_request: Request) -> AsyncIterator[bytes]:
        yield f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode()
        while True:
            yield piece

    return script


CHUNK = f"{65_536:x}\r\n".encode() + b" " * 65_536 + b"\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(always(reply(b"[]", headers={"Content-Length": str(10**9)})), id="a length that lies"),
        pytest.param(endless("Transfer-Encoding: chunked", CHUNK), id="chunks without end"),
        pytest.param(endless("Connection: close", b" " * 65_536), id="no length and no end"),
        pytest.param(endless(f"Content-Length: {MAX_PAGE_BYTES + 1}", b" " * 65_536), id="a byte too many"),
    ],
)
@in_loop
async def test_U13_an_answer_without_bounds_is_given_up_while_reading(answer: Script) -> None:
    async with polled() as (server, program):
        server.script = answer
        with memory_bounded(64 * MIB):
            await program.poll()
        program.keeps("too_large", ident(1))


@pytest.mark.parametrize(
    "body", [pytest.param(CHUNK, id="chunks without end"), pytest.param(b" " * MIB, id="a body without end")]
)
@in_loop
async def test_U13_answers_without_bounds_side_by_side_are_bounded_together(body: bytes) -> None:
    """Four parts of a walk at once, which is what is asked at most unless a setting says otherwise."""
    async with polled(page_limit=2, walk_concurrency=4) as (server, program):
        begun = asyncio.Event()

        async def script(request: Request) -> AsyncIterator[bytes]:
            if request.query.get("count"):
                headers = {"X-Total-Count": "40000", "Link": '<http://localhost/?cursor=x>; rel="next"'}
                yield reply(page(row(1), row(2)), headers=headers)
                return
            gather_or_cancel = sum("cursor" in each.query for each in server.requests)
            if gather_or_cancel >= 4:
                begun.set()
            yield b"HTTP/1.1 200 OK\r\n"
            yield b"Transfer-Encoding: chunked\r\n\r\n" if body is CHUNK else b"Connection: close\r\n\r\n"
            await begun.wait()
            while True:
                yield body

        server.script = script
        with memory_bounded(64 * MIB):
            await program.poll()
        assert begun.is_set()
        program.keeps("too_large", ident(1))


@in_loop
async def test_U13_a_poll_that_failed_keeps_nothing_of_what_it_read() -> None:
    """Without the garbage collector, which may not run for hours."""
    async with polled() as (server, program):
        server.script = endless("Transfer-Encoding: chunked", CHUNK)
        await program.poll()
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            for _ in range(3):
                await program.poll()
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            gc.enable()
        assert kept < 8 * MIB


def crowd(item: bytes, size: int) -> bytes:
    """A page of so many bytes that holds an item again and again."""
    return b"[" + (item + b",") * (size // (len(item) + 1) - 1) + item + b"]"


@pytest.mark.untraced
@pytest.mark.parametrize("size", [2 * MIB, MAX_PAGE_BYTES])
@pytest.mark.parametrize("item", [b"0", b"{}", b'{"id":"a"}', b"[NaN]"])
@in_loop
async def test_U13_a_page_of_very_many_tiny_items_is_given_up(item: bytes, size: int) -> None:
    answer = reply(crowd(item, size))

    async def script(_request: Request) -> AsyncIterator[bytes]:
        for place in range(0, len(answer), 65_536):  # so that this process holds it once
            yield answer[place : place + 65_536]

    async with polled() as (server, program):
        server.script = script
        with memory_bounded(64 * MIB):
            await program.poll()
        program.keeps("too_large", ident(1))


@in_loop
async def test_U13_a_page_of_very_many_mistakes_is_given_up() -> None:
    await fails(always(reply(crowd(b'{"id":1}', MIB // 2))), "too_large")


@pytest.mark.parametrize("length", ["-1", "x", "1" * 5000, "2, 3"])
@in_loop
async def test_U13_a_length_that_is_no_length_is_a_broken_connection(length: str) -> None:
    await fails(always(reply(b"[]", headers={"Content-Length": length})), "connect")


def bomb() -> bytes:
    """A gzip member of some 100 kB with 100 MiB of spaces in it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([packer.compress(b" " * MIB) for _ in range(100)]) + packer.flush()


@in_loop
async def test_U14_a_gzip_bomb_does_not_go_off() -> None:
    async with polled() as (server, program):
        server.script = always(reply(bomb(), headers={"Content-Encoding": "gzip"}))
        with memory_bounded(64 * MIB):
            await program.poll()
        program.keeps("too_large", ident(1))


@pytest.mark.parametrize(
    "line", [pytest.param(b"X-Bomb: boom\r\n" * 1000, id="many"), pytest.param(b"X" * 65_536, id="one without end")]
)
@in_loop
async def test_U15_headers_without_end_are_a_broken_connection(line: bytes) -> None:
    async def script(_request: Request) -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n"
        while True:
            yield line

    async with polled() as (server, program):
        server.script = script
        with memory_bounded(64 * MIB):
            await program.poll()
        program.keeps("connect", ident(1))


async def silence(_request: Request) -> AsyncIterator[bytes]:
    await asyncio.sleep(60)
    yield b""


async def headers_alone(_request: Request) -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n["
    await asyncio.sleep(60)


SLOW = {"poll_interval": 2, "poll_deadline": 1.9, "request_timeout": 1.0, "jitter": 0}
"""Short, and still long enough for a good answer on a machine that has much else to do."""


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(silence, id="no answer"),
        pytest.param(drip(reply(page(row(1))), 0.05), id="a byte at a time"),
        pytest.param(headers_alone, id="headers and no body"),
    ],
)
@in_loop
async def test_U16_slowness_ends_at_the_deadline_of_the_request(answer: Script) -> None:
    async with polled(**SLOW) as (server, program):
        server.script = answer
        assert await program.poll() == 2  # the next poll is on time
        program.keeps("timeout", ident(1))
        assert program.poller.status.failure == ("timeout", "no complete response within 1 s")
        server.script = GOOD
        await program.poll()
        assert program.shown.value("up") == 1


@in_loop
async def test_U16_many_quick_pages_end_at_the_deadline_of_the_poll() -> None:
    async def script(request: Request) -> AsyncIterator[bytes]:
        await asyncio.sleep(0.05)
        place = len(server.requests) * 2
        yield reply(page(row(place), row(place + 1)), headers={"Link": '<http://x/?cursor=skip2>; rel="next"'})

    async with polled(**SLOW, page_limit=2) as (server, program):
        server.script = script
        assert await program.poll() == 2
        program.keeps("timeout", ident(1))
        assert program.poller.status.failure == ("timeout", "the poll took longer than 1.9 s")


@in_loop
async def test_U16_a_server_that_does_not_accept_ends_at_the_deadline() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        async with harness(f"http://127.0.0.1:{listener.getsockname()[1]}", **SLOW) as program:
            assert await program.poll() == 2
        assert program.shown.failures() == {"timeout": 1}
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        pytest.param(truncated(reply(page(row(2)))[:-500], reset=True), "connect", id="reset"),
        pytest.param(truncated(reply(b"[]", headers={"Content-Length": "100"}), reset=False), "connect", id="short"),
        pytest.param(
            always(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n"), "connect", id="no last chunk"
        ),
        pytest.param(
            always(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + page(row(2))[:-1]), "decode", id="no length"
        ),
        pytest.param(always(reply(page(row(2)), headers={"Content-Length": "700"})), "decode", id="a length too short"),
        pytest.param(truncated(b"HTTP/1.1 200 O", reset=True), "connect", id="reset in the head"),
        pytest.param(always(b""), "connect", id="closed at once"),
        pytest.param(always(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), "connect", id="no HTTP at all"),
    ],
)
@in_loop
async def test_U17_a_prefix_is_never_taken_for_the_whole(answer: Script, failure: str) -> None:
    await fails(answer, failure)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(page(row(2))[:-1], id="no end"),
        pytest.param(page(row(2))[: len(page(row(2))) // 2], id="half"),
        pytest.param(b"\xef\xbb\xbf" + page(row(2)), id="byte order mark"),
        pytest.param(page(row(2)) + b"junk", id="junk"),
        pytest.param(page(row(2)) + page(row(2)), id="twice"),
        pytest.param(page(row(2, id=5)) + b"junk", id="junk behind a bad session"),
        pytest.param(page(row(2)).decode().encode("utf-16"), id="UTF-16"),
    ],
)
@in_loop
async def test_U18_what_is_not_json_from_end_to_end_is_not_read(body: bytes) -> None:
    await fails(always(reply(body)), "decode")


@in_loop
async def test_U19_a_port_that_nobody_listens_on_is_a_failed_connection() -> None:
    async with upstream(GOOD) as server:
        gone = server.url
    async with harness(gone) as program:
        await program.poll()
        assert program.shown.failures() == {"connect": 1}


@in_loop
async def test_U19_an_address_that_cannot_be_reached_is_a_failed_connection() -> None:
    # The kernel refuses to connect to the broadcast address, so no packet leaves this machine.
    async with harness("https://255.255.255.255/api") as program:
        await program.poll()
        assert program.shown.failures() == {"connect": 1}


class Names(asyncio.SelectorEventLoop):
    """An event loop with names of its own: a host has an address only once it was given one."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: dict[str, str] = {}
        self.asked: list[str] = []

    async def getaddrinfo(self, host: Any, port: Any, **rest: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name == "127.0.0.1":
            return await super().getaddrinfo(host, port, **rest)
        self.asked.append(name)
        if name not in self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.addresses[name], port))]


def test_U19_an_unknown_host_is_asked_for_again_with_every_poll() -> None:
    with asyncio.Runner(loop_factory=Names) as runner:
        names = runner.get_loop()
        assert isinstance(names, Names)

        async def scenario() -> None:
            async with (
                upstream(GOOD) as server,
                harness(f"http://livepeer.invalid:{server.port}/api", allow_insecure_http=True) as program,
            ):
                await program.poll()
                assert program.shown.failures() == {"dns": 1}
                asked = len(names.asked)
                names.addresses["livepeer.invalid"] = "127.0.0.1"
                await program.poll()
                assert len(names.asked) > asked
                assert program.shown.value("up") == 1

        runner.run(scenario())


@in_loop
async def test_U19_a_host_that_cannot_be_a_name_is_an_unknown_host() -> None:
    async with harness("https://xn--a/api") as program:
        await program.poll()
        assert program.shown.failures() == {"dns": 1}


def secured(authority: trustme.CA, *names: str, ends: datetime | None = None) -> ssl.SSLContext:
    """A TLS server context with a certificate for some names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, not_after=ends).configure_cert(context)
    return context


YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@pytest.mark.parametrize(
    ("names", "ends", "trusted"),
    [
        pytest.param(["127.0.0.1"], None, False, id="self-signed"),
        pytest.param(["127.0.0.1"], YESTERDAY, True, id="expired"),
        pytest.param(["other.example"], None, True, id="wrong host"),
    ],
)
@in_loop
async def test_U20_a_certificate_that_does_not_hold_ends_the_connection_before_the_key_is_sent(
    tmp_path: Path, names: list[str], ends: datetime | None, trusted: bool
) -> None:
    authority, file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    async with (
        upstream(GOOD, tls=secured(authority, *names, ends=ends)) as server,
        harness(server.url, ca_file=file if trusted else None) as program,
    ):
        await program.poll()
        assert program.shown.failures() == {"tls": 1}
        assert server.requests == []


@in_loop
async def test_U20_an_own_authority_is_trusted_by_its_file(tmp_path: Path) -> None:
    authority, file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    async with (
        upstream(GOOD, tls=secured(authority, "127.0.0.1")) as server,
        harness(server.url, ca_file=file) as program,
    ):
        await program.poll()
        assert program.shown.value("up") == 1


@in_loop
async def test_U20_a_server_without_tls_is_never_spoken_to_in_plain() -> None:
    heard_in_plain = b""

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard_in_plain
        heard_in_plain += await reader.read(4096)
        writer.write(reply(b"", 400))
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        async with harness(f"https://{host}:{port}/api") as program:
            await program.poll()
    assert program.shown.failures() == {"tls": 1}
    assert heard_in_plain.startswith(b"\x16")
    assert MARK.encode() not in heard_in_plain


def started_with(url: str, *flags: str) -> tuple[int, str]:
    """The exit code of the command with a base URL, and all that it printed."""
    out, err = io.StringIO(), io.StringIO()
    code = run(parse(["check", "--base-url", url, *flags]), {"LIVEPEER_API_KEY": KEY}, Terminal(out, err))
    return code, out.getvalue() + err.getvalue()


def test_U21_plain_http_to_another_machine_is_a_mistake() -> None:
    code, said = started_with("http://livepeer.example/api")
    assert code == 2
    assert "plain http" in said
    assert "livepeer.example" not in said
    assert MARK not in said


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/api", "http://localhost/api", "http://[::1]/api"])
def test_U21_plain_http_to_this_machine_is_fine(url: str) -> None:
    assert load({"base_url": url}, {}).settings.base_url == url


def test_U21_plain_http_is_fine_when_it_is_allowed() -> None:
    url = "http://livepeer.example/api"
    assert load({"base_url": url, "allow_insecure_http": True}, {}).settings.base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "https://someone:secret-word@livepeer.example/api",
        "https://livepeer.example/api?secret-word",
        "https://livepeer.example/api#secret-word",
        "ftp://livepeer.example/secret-word",
        "file:///secret-word",
        "livepeer.example/secret-word",
        "https:///secret-word",
    ],
)
def test_U22_a_base_url_with_more_than_an_address_is_a_mistake_that_is_not_printed(url: str) -> None:
    code, said = started_with(url)
    assert code == 2
    assert "--base-url" in said
    assert "secret-word" not in said

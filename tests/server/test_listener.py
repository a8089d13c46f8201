"""The server on a real socket: what it serves, what it refuses, and how it ends."""

import asyncio
import errno
import logging
import os
import resource
import socket
import threading
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from exporter.config import Address
from exporter.server.connection import PIPELINED, Limits
from exporter.server.listener import Listener
from tests.server.wire import GET, Wire, listening, page, run, until
from tests.support.logged import lines

QUICK = Limits(header_timeout=0.4, answer_timeout=0.8, idle_timeout=0.4)


def test_a_connection_is_kept_for_the_next_request() -> None:
    async def scenario() -> None:
        async with listening(page()) as listener:
            wire = await Wire.to(listener.port)
            answers = [await wire.ask(), await wire.ask()]
            assert [(answer.status, answer.body) for answer in answers] == [(200, b"up 1\n")] * 2
            await wire.close()

    run(scenario)


def test_the_body_does_not_wait_for_the_headers_to_be_acknowledged() -> None:
    async def scenario() -> None:
        async with listening(page()) as listener:
            wire = await Wire.to(listener.port)
            await wire.ask()
            (connection,) = listener._connections()
            accepted = connection.transport.get_extra_info("socket")
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            await wire.close()

    run(scenario)


def test_answers_carry_a_date_and_no_server() -> None:
    async def scenario() -> None:
        listener = Listener(page(), Address("127.0.0.1", 0), now=lambda: 1_700_000_000.0)
        await listener.start()
        wire = await Wire.to(listener.port)
        headers = (await wire.ask()).headers
        assert parsedate_to_datetime(headers["date"]).timestamp() == 1_700_000_000.0
        assert "server" not in headers
        await wire.close()
        await listener.stop(0)

    run(scenario)


def test_the_date_goes_on() -> None:
    async def scenario() -> None:
        seconds = iter(range(1_700_000_000, 1_800_000_000))
        listener = Listener(page(), Address("127.0.0.1", 0), limits=QUICK, now=lambda: next(seconds))
        await listener.start()
        dates = set()
        for _ in range(3):
            wire = await Wire.to(listener.port)
            dates.add((await wire.ask()).headers["date"])
            await wire.close()
            await asyncio.sleep(0.3)
        assert len(dates) > 1
        await listener.stop(0)

    run(scenario)


def test_no_host_means_both_ip_4_and_ip_6() -> None:
    async def scenario() -> None:
        listener = Listener(page(), Address("", 0))
        await listener.start()
        hosts = ["127.0.0.1", "::1"] if socket.has_dualstack_ipv6() else ["127.0.0.1"]
        for host in hosts:
            wire = Wire(*await asyncio.open_connection(host, listener.port))
            assert (await wire.ask()).status == 200
            await wire.close()
        await listener.stop(0)

    run(scenario)


def test_R07_a_taken_port_is_told_in_one_line() -> None:
    async def scenario() -> None:
        async with listening(page()) as first:
            second = Listener(page(), Address("127.0.0.1", first.port))
            with pytest.raises(OSError, match=r"^cannot listen on 127\.0\.0\.1:\d+: Address already in use$"):
                await second.start()
            await second.stop(0)

    run(scenario)


def test_R07_an_unknown_host_is_told_in_one_line() -> None:
    async def scenario() -> None:
        with pytest.raises(OSError, match=r"^cannot listen on no-such-host\.invalid:1: [^\n]+$"):
            await Listener(page(), Address("no-such-host.invalid", 1)).start()

    run(scenario)


def test_the_port_is_free_again_after_the_end() -> None:
    async def scenario() -> None:
        async with listening(page()) as listener:
            port = listener.port
            wire = await Wire.to(port)
            await wire.ask()
        again = Listener(page(), Address("127.0.0.1", port))
        await again.start()
        await again.stop(0)
        await wire.close()

    run(scenario)


def test_R03_an_idle_connection_does_not_hold_up_the_end() -> None:
    async def scenario() -> None:
        listener = Listener(page(), Address("127.0.0.1", 0))
        await listener.start()
        wire = await Wire.to(listener.port)
        await wire.ask()
        async with asyncio.timeout(20):
            await listener.stop(grace=1000)
        assert await wire.rest() == b""
        await wire.close()

    run(scenario)


def test_R03_a_connection_that_was_just_accepted_is_closed_at_the_end() -> None:
    async def scenario() -> None:
        listener = Listener(page(), Address("127.0.0.1", 0))
        await listener.start()
        client = socket.create_connection(("127.0.0.1", listener.port))
        while listener.connections == 0:  # noqa: ASYNC110  # turn by turn, so as not to miss this one
            await asyncio.sleep(0)
        await listener.stop(0)
        client.setblocking(True)
        assert await asyncio.to_thread(client.recv, 1) == b""
        client.close()

    run(scenario)


def test_R03_an_answer_on_its_way_is_finished_before_the_end() -> None:
    async def scenario() -> None:
        asked, may_answer = asyncio.Event(), asyncio.Event()

        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            asked.set()
            await may_answer.wait()
            await page(b"x" * 5_000_000)(scope, receive, send)

        listener = Listener(slow, Address("127.0.0.1", 0))
        await listener.start()
        wire = await Wire.to(listener.port)
        await wire.send(GET)
        await asked.wait()
        stopping = asyncio.create_task(listener.stop(grace=30))
        await asyncio.sleep(0)
        with pytest.raises(ConnectionRefusedError):
            await Wire.to(listener.port or 1)
        may_answer.set()
        answer = await wire.answer()
        assert (len(answer.body), answer.headers["connection"]) == (5_000_000, "close")
        await stopping
        await wire.close()

    run(scenario)


def test_R03_an_answer_that_takes_longer_than_the_grace_is_cut_off() -> None:
    async def scenario() -> None:
        listener = Listener(page(b"x" * 50_000_000), Address("127.0.0.1", 0))
        await listener.start()
        wire = await Wire.to(listener.port, limit=1024)
        await wire.send(GET)
        await wire.reader.readline()
        await listener.stop(grace=0.2)
        assert listener.connections == 0
        await wire.close()

    run(scenario)


def test_R03_an_answer_that_never_comes_is_cut_off_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        asked = asyncio.Event()

        async def pondering(_scope: Scope, _receive: Receive, _send: Send) -> None:
            asked.set()
            await asyncio.Event().wait()

        listener = Listener(pondering, Address("127.0.0.1", 0))
        await listener.start()
        wire = await Wire.to(listener.port)
        await wire.send(GET)
        await asked.wait()
        await listener.stop(grace=0.2)
        await wire.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(scenario)
    assert caplog.records == []


def test_R05_a_client_that_vanishes_leaves_no_trace_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def scenario() -> None:
        async with listening(page(b"x" * 20_000_000)) as listener:
            wire = await Wire.to(listener.port, limit=1024)
            await wire.send(GET)
            await wire.reader.readline()
            await wire.close()
            await until(lambda: listener.connections == 0)

    run(scenario)
    assert caplog.records == []


def test_S04_silent_sockets_leave_room_for_a_scrape() -> None:
    async def scenario() -> None:
        async with listening(page(), limits=Limits(max_connections=100)) as listener:
            threads = threading.active_count()
            silent = [await Wire.to(listener.port) for _ in range(150)]
            for half in silent[::2]:
                await half.send(b"GET /metrics HTTP/1.1\r\nX-")
            async with asyncio.timeout(10):
                scraper = await Wire.to(listener.port)
                assert (await scraper.ask()).status == 200
            assert listener.connections <= 100
            assert threading.active_count() <= threads  # those of tests before may end meanwhile
            for wire in (*silent, scraper):
                await wire.close()

    run(scenario)


def test_S04_a_burst_of_connections_does_not_exceed_the_limit() -> None:
    async def scenario() -> None:
        async with listening(page(), limits=Limits(max_connections=10)) as listener:
            settled = [await Wire.to(listener.port) for _ in range(10)]
            await until(lambda: listener.connections == 10)
            # Connected without a turn of the loop, so that they are accepted in one.
            burst = [socket.create_connection(("127.0.0.1", listener.port)) for _ in range(60)]
            wire = await Wire.to(listener.port)
            assert (await wire.ask()).status == 200
            assert listener.connections <= 10
            for connection in burst:
                connection.close()
            for each in (*settled, wire):
                await each.close()

    run(scenario)


def test_S04_of_busy_connections_none_is_closed_for_a_new_one() -> None:
    async def scenario() -> None:
        may_answer = asyncio.Event()
        asked = asyncio.Semaphore(0)

        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            asked.release()
            await may_answer.wait()
            await page()(scope, receive, send)

        async with listening(slow, limits=Limits(max_connections=2)) as listener:
            busy = [await Wire.to(listener.port) for _ in range(2)]
            for wire in busy:
                await wire.send(GET)
                await asked.acquire()
            third = await Wire.to(listener.port)
            assert await third.rest() == b""
            may_answer.set()
            assert [(await wire.answer()).status for wire in busy] == [200, 200]
            for wire in (*busy, third):
                await wire.close()

    run(scenario)


def test_S04_a_connection_that_says_nothing_is_closed() -> None:
    async def scenario() -> None:
        async with listening(page(), limits=QUICK) as listener:
            wire = await Wire.to(listener.port)
            assert await wire.rest() == b""
            await wire.close()

    run(scenario)


@pytest.mark.parametrize("drop", [b"\r\n", b"X-Drip: 1\r\n"], ids=["empty lines", "headers"])
def test_S04_dripped_headers_do_not_put_off_the_deadline(drop: bytes) -> None:
    async def scenario() -> None:
        async with listening(page(), limits=QUICK) as listener:
            wire = await Wire.to(listener.port)
            await wire.send(b"GET / HTTP/1.1\r\n" if drop.strip() else b"\r\n")

            async def drip() -> None:
                while True:
                    await wire.send(drop)
                    await asyncio.sleep(0.05)

            dripping = asyncio.create_task(drip())
            assert await wire.rest() == b""
            dripping.cancel()
            await asyncio.wait([dripping])
            if not dripping.cancelled():
                assert isinstance(dripping.exception(), ConnectionError)
            await wire.close()

    run(scenario)


def test_S04_a_further_request_has_its_own_deadline() -> None:
    async def scenario() -> None:
        async with listening(page(), limits=Limits(header_timeout=0.4)) as listener:
            wire = await Wire.to(listener.port)
            await wire.ask()
            await wire.send(b"GET / HTTP/1.1\r\nX-")
            assert await wire.rest() == b""
            await wire.close()

    run(scenario)


def test_an_answer_may_take_longer_than_the_headers() -> None:
    async def scenario() -> None:
        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            await asyncio.sleep(0.6)
            await page()(scope, receive, send)

        async with listening(slow, limits=Limits(header_timeout=0.2)) as listener:
            wire = await Wire.to(listener.port)
            assert (await wire.ask()).status == 200
            await wire.close()

    run(scenario)


def test_S04_a_kept_connection_is_closed_when_it_is_silent_too_long() -> None:
    async def scenario() -> None:
        async with listening(page(), limits=QUICK) as listener:
            wire = await Wire.to(listener.port)
            await wire.ask()
            assert await wire.rest() == b""
            await wire.close()

    run(scenario)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 20_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X-Many: a\r\n" * 2_000 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nX-Endless: " + b"a" * 20_000, 431),
    ],
    ids=["path", "header", "many headers", "unfinished header"],
)
def test_S05_too_large_a_request_is_refused(request_: bytes, status: int) -> None:
    async def scenario() -> None:
        async with listening(page()) as listener:
            wire = await Wire.to(listener.port)
            answer = await wire.ask(request_)
            assert (answer.status, answer.headers["connection"]) == (status, "close")
            assert await wire.rest() == b""
            await wire.close()

    run(scenario)


def test_S05_headers_that_come_in_pieces_are_counted_once() -> None:
    async def scenario() -> None:
        async with listening(page(), limits=Limits(max_header_bytes=1000)) as listener:
            wire = await Wire.to(listener.port)
            for _ in range(3):
                await wire.send(b"GET / HTTP/1.1\r\nX-First: " + b"a" * 800 + b"\r\n")
                await asyncio.sleep(0.05)
                assert (await wire.ask(b"X-Second: b\r\n\r\n")).status == 200
            await wire.close()

    run(scenario)


def test_S06_many_scrapes_at_once_are_all_answered_whole() -> None:
    async def scenario() -> None:
        body = bytes(range(256)) * 4000
        async with listening(page(body)) as listener:
            wires = [await Wire.to(listener.port) for _ in range(200)]
            answers = await asyncio.gather(*(wire.ask() for wire in wires))
            assert all(answer.body == body for answer in answers)
            for wire in wires:
                await wire.close()

    run(scenario)


def test_S08_a_slow_reader_holds_a_slice_of_the_body_and_not_a_copy() -> None:
    async def scenario() -> None:
        body = b"x" * 30_000_000
        async with listening(page(body)) as listener:
            wires = [await Wire.to(listener.port, limit=1024) for _ in range(20)]
            before = resident()
            for wire in wires:
                await wire.send(GET)
                await wire.reader.readline()
            await asyncio.sleep(0.2)
            assert resident() - before < 100 << 20  # twenty copies were 600 MB
            for wire in wires:
                await wire.close()

    run(scenario)


def test_S08_a_reader_that_does_not_take_the_answer_in_time_is_cut_off() -> None:
    async def scenario() -> None:
        limits = Limits(answer_timeout=0.4)
        async with listening(page(b"x" * 30_000_000), limits=limits) as listener:
            wire = await Wire.to(listener.port, limit=1024)
            await wire.send(GET)
            await wire.reader.readline()
            await until(lambda: listener.connections == 0)
            assert len(await wire.rest()) < 30_000_000
            await wire.close()

    run(scenario)


@pytest.mark.parametrize(
    "noise",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00" * 100,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET\r\n\r\n",
    ],
    ids=["TLS hello", "zeros", "HTTP/2", "no path"],
)
def test_S09_what_is_no_request_is_closed_without_a_line_in_the_log(
    noise: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def scenario() -> None:
        async with listening(page()) as listener:
            wire = await Wire.to(listener.port)
            await wire.send(noise)
            assert (await wire.rest()).startswith(b"HTTP/1.1 400 ")
            await wire.close()

    run(scenario)
    assert caplog.records == []


def test_S09_noise_after_a_request_does_not_spoil_its_answer() -> None:
    async def scenario() -> None:
        async with listening(page(b"x" * 3_000_000)) as listener:
            wire = await Wire.to(listener.port)
            await wire.send(GET + b"\x00\x00\x00\x00")
            assert (await wire.answer()).body == b"x" * 3_000_000
            assert await wire.rest() == b""
            await wire.close()

    run(scenario)


def test_requests_sent_ahead_are_answered_in_order_up_to_a_limit() -> None:
    async def scenario() -> None:
        async def echo(scope: Scope, receive: Receive, send: Send) -> None:
            await page(str(scope["path"]).encode())(scope, receive, send)

        async with listening(echo) as listener:
            wire = await Wire.to(listener.port)
            await wire.send(b"".join(b"GET /%d HTTP/1.1\r\n\r\n" % number for number in range(PIPELINED)))
            assert [(await wire.answer()).body for _ in range(PIPELINED)] == [
                b"/%d" % number for number in range(PIPELINED)
            ]
            await wire.send(GET * 10_000)
            assert (await wire.rest()).count(b"HTTP/1.1 200") <= PIPELINED + 1
            await wire.close()

    run(scenario)


def test_S05_requests_sent_ahead_do_not_count_for_the_one_behind_them() -> None:
    async def scenario() -> None:
        async with listening(page()) as listener:
            wire = await Wire.to(listener.port)
            large = GET.replace(b"\r\n\r\n", b"\r\nX-Large: " + b"a" * 4000 + b"\r\n\r\n")
            await wire.send(large * 6 + GET[:10])
            assert [(await wire.answer()).status for _ in range(6)] == [200] * 6
            assert (await wire.ask(GET[10:])).status == 200
            await wire.close()

    run(scenario)


def test_S05_too_large_a_request_behind_others_is_not_waited_for() -> None:
    async def scenario() -> None:
        async with listening(page()) as listener:
            wire = await Wire.to(listener.port)
            await wire.send(GET * 2 + b"GET / HTTP/1.1\r\nX-Endless: " + b"a" * 20_000)
            assert [(await wire.answer()).status for _ in range(2)] == [200] * 2
            assert await wire.rest() == b""
            await wire.close()

    run(scenario)


def test_the_body_of_a_request_is_not_waited_for() -> None:
    async def scenario() -> None:
        async with listening(page()) as listener:
            wire = await Wire.to(listener.port)
            answer = await wire.ask(b"POST / HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n")
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            await wire.close()

    run(scenario)


def test_an_offer_of_another_protocol_is_answered_in_this_one(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with listening(page()) as listener:
            wire = await Wire.to(listener.port)
            answer = await wire.ask(b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            await wire.close()

    run(scenario)
    assert [record for record in caplog.records if record.levelno >= logging.INFO] == []


def test_R11_the_listener_survives_without_descriptors(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with listening(page()) as listener:
            kept = await Wire.to(listener.port)
            await kept.ask()
            waiting = socket.socket()
            waiting.setblocking(False)
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (free_descriptor(), hard))
            try:
                with pytest.raises(BlockingIOError):
                    waiting.connect(("127.0.0.1", listener.port))
                wire = Wire(*await asyncio.open_connection(sock=waiting))
                async with asyncio.timeout(20):
                    assert (await wire.ask()).status == 200, "in place of the silent one"
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            await kept.close()
            await wire.close()

    run(scenario)
    assert lines(caplog) == [("WARNING", "cannot accept a connection", {"reason": os.strerror(errno.EMFILE)})]


def test_R11_without_descriptors_a_scrape_behind_many_others_need_not_wait_long(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        async with listening(page()) as listener:
            silent = [await Wire.to(listener.port) for _ in range(80)]
            for each in silent:
                await each.ask()
            crowd = [socket.socket() for _ in range(80)]
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (free_descriptor(), hard))
            try:
                for waiting in crowd:
                    waiting.setblocking(False)
                    with pytest.raises(BlockingIOError):
                        waiting.connect(("127.0.0.1", listener.port))
                scrape = Wire(*await asyncio.open_connection(sock=crowd[-1]))
                async with asyncio.timeout(6):  # it would be 8 s with the pause between two looks for descriptors
                    assert (await scrape.ask()).status == 200
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for wire in (*silent, scrape):
                await wire.close()
            for waiting in crowd:
                waiting.close()

    run(scenario)
    assert len(caplog.records) == 1, "not a line for each"


REQUESTS = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda method, path, version, headers, end: (
            b" ".join((method, path, version)) + b"\r\n" + b"".join(headers) + end
        ),
        st.sampled_from([b"GET", b"HEAD", b"POST", b"CONNECT", b"OPTIONS", b"", b"get", b"\xff"]),
        st.one_of(st.sampled_from([b"/metrics", b"*", b"http://x", b"//", b"/%zz", b"/%ff", b"x:1"]), st.binary()),
        st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/9.9", b"HTTP/2.0", b""]),
        st.lists(
            st.sampled_from(
                [
                    b"Host: x\r\n",
                    b"Connection: close\r\n",
                    b"Connection: upgrade\r\n",
                    b"Upgrade: websocket\r\n",
                    b"Content-Length: 3\r\n",
                    b"Content-Length: -1\r\n",
                    b"Transfer-Encoding: chunked\r\n",
                    b"Expect: 100-continue\r\n",
                    b"X: \x00\r\n",
                    b" folded\r\n",
                    b": \r\n",
                ]
            ),
            max_size=4,
        ),
        st.sampled_from([b"\r\n", b"\r\nabc", b"\n", b"", b"\r\n0\r\n\r\n"]),
    ),
)


def test_any_bytes_leave_the_server_standing_and_no_answer_is_5xx(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    loop = asyncio.new_event_loop()
    listener = Listener(page(), Address("127.0.0.1", 0))
    loop.run_until_complete(listener.start())

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(requests=st.lists(REQUESTS, min_size=1, max_size=3))
    def attempt(requests: list[bytes]) -> None:
        async def scenario() -> None:
            wire = await Wire.to(listener.port)
            await wire.send(b"".join(requests))
            wire.writer.write_eof()
            async with asyncio.timeout(20):
                assert b"HTTP/1.1 5" not in await wire.rest()
            await wire.close()
            healthy = await Wire.to(listener.port)
            assert (await healthy.ask()).status == 200
            await healthy.close()

        loop.run_until_complete(scenario())

    try:
        attempt()
    finally:
        loop.run_until_complete(listener.stop(0))
        loop.close()
    assert caplog.records == []


def resident() -> int:
    """Bytes of memory that this process has in RAM."""
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * resource.getpagesize()


def free_descriptor() -> int:
    """The lowest descriptor that is not in use."""
    number = os.open(os.devnull, os.O_RDONLY)
    os.close(number)
    return number

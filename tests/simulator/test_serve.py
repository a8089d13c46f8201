"""The simulator on a socket, in this process and in a subprocess."""

import asyncio
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from exporter.simulator.__main__ import main
from exporter.simulator.serve import serving
from tests.support.deadlines import HANG
from tests.support.loop import run_in_loop

KEY = "synthetic-key-of-the-tests"


async def no_content(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_the_base_url_contains_the_port_that_the_system_assigned() -> None:
    async def use() -> None:
        async with serving(no_content) as base_url, httpx.AsyncClient(trust_env=False) as client:
            assert re.fullmatch(r"http://127\.0\.0\.1:[1-9][0-9]*/api", base_url)
            assert (await client.get(base_url)).status_code == 204

    asyncio.run(use())


def test_an_idle_connection_does_not_delay_the_shutdown() -> None:
    async def use() -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            async with serving(no_content) as base_url:
                await client.get(base_url)
            with pytest.raises(httpx.TransportError):
                await client.get(base_url)

    run_in_loop(use)


def test_two_servers_in_one_process_are_independent() -> None:
    async def use() -> list[int]:
        async with (
            serving(no_content) as one,
            serving(no_content) as other,
            httpx.AsyncClient(trust_env=False) as client,
        ):
            assert one != other
            return [(await client.get(url)).status_code for url in (one, other)]

    assert asyncio.run(use()) == [204, 204]


def test_a_port_in_use_is_an_os_error() -> None:
    async def use() -> None:
        async with serving(no_content) as base_url, serving(no_content, port=httpx.URL(base_url).port or 0):
            pass

    with pytest.raises(OSError, match="in use"):
        asyncio.run(use())


def test_an_error_inside_the_context_stops_the_server_and_propagates() -> None:
    async def use() -> None:
        async with serving(no_content):
            raise LookupError

    with pytest.raises(LookupError):
        run_in_loop(use)


def test_the_signal_handlers_of_the_process_are_unchanged() -> None:
    async def use() -> object:
        async with serving(no_content):
            return signal.getsignal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    assert asyncio.run(use()) == before


@contextmanager
def simulator(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "exporter.simulator", "--key", KEY, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_prints_its_url_and_exits_with_0_on_a_signal(number: signal.Signals) -> None:
    with simulator("--sessions", "50") as (process, base_url):
        headers = {"Authorization": f"Bearer {KEY}"}
        answer = httpx.get(f"{base_url}/session?limit=1000&count=1", headers=headers, trust_env=False)
        assert answer.headers["x-total-count"] == "50"
        process.send_signal(number)
        assert process.wait(HANG) == 0


@pytest.mark.process
def test_the_command_serves_a_world_by_default() -> None:
    with simulator("--streams", "7", "--speed", "5", "--seed", "3") as (_process, base_url):
        headers = {"Authorization": f"Bearer {KEY}"}
        rows = httpx.get(f"{base_url}/session?limit=1000", headers=headers, trust_env=False).json()
        assert len({row["parentId"] for row in rows}) == 7


def test_the_command_prints_one_line_if_its_port_is_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--sessions", "1", "--port", str(port)]) == 1
    assert capsys.readouterr().err == f"cannot listen on 127.0.0.1:{port}: Address already in use\n"

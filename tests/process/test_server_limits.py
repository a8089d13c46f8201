"""The limits of the server are settings, and reach the server."""

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from exporter.config import Settings
from exporter.server.connection import Limits
from tests.support.running import Exporter, running_exporter

pytestmark = pytest.mark.process

UPSTREAM = ("--base-url", "http://127.0.0.1:9/api")
FEW = ("--web.max-connections", "4", "--web.max-header-bytes", "2048", "--web.header-timeout", "200ms")
GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def strict() -> Iterator[Exporter]:
    with running_exporter(*UPSTREAM, *FEW) as exporter:
        yield exporter


def answered(connection: socket.socket) -> socket.socket:
    """Ask, and read the whole answer; the connection stays open."""
    connection.sendall(GET)
    got = b""
    while not got.endswith(b"ok\n"):
        got += (piece := connection.recv(4096))
        assert piece, "closed instead of answered"
    return connection


def ends(connection: socket.socket) -> None:
    """Wait until the server closes the connection; a timeout of the socket is the test's failure."""
    with suppress(ConnectionResetError):
        while connection.recv(4096):
            pass


def test_the_settings_have_the_defaults_of_the_listener() -> None:
    settings, limits = Settings(), Limits()
    assert settings.web_max_connections == limits.max_connections
    assert settings.web_max_header_bytes == limits.max_header_bytes
    assert settings.web_header_timeout == limits.header_timeout
    assert settings.web_response_timeout == limits.response_timeout
    assert settings.web_idle_timeout == limits.idle_timeout


def test_headers_beyond_the_setting_are_refused(strict: Exporter) -> None:
    assert strict.ask("/livez", X="y" * 1000).status == 200
    assert strict.ask("/livez", X="y" * 3000).status == 431


def test_a_connection_that_says_nothing_is_closed_after_the_setting(strict: Exporter) -> None:
    with strict.connect() as connection:
        assert connection.recv(1) == b""


def test_of_too_many_connections_the_one_that_is_silent_longest_is_closed(strict: Exporter) -> None:
    connections = [answered(strict.connect()) for _ in range(5)]
    try:
        ends(connections[0])  # the idle timeout is far off
        answered(connections[4])
    finally:
        for connection in connections:
            connection.close()


def test_a_connection_that_asks_nothing_more_is_closed_after_the_setting() -> None:
    with running_exporter(*UPSTREAM, "--web.idle-timeout", "300ms") as exporter, exporter.connect() as connection:
        ends(answered(connection))

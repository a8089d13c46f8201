"""The server applies the limits in the settings."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from exporter.config import Settings
from exporter.server.connection import Limits
from tests.support.running import Exporter, running_exporter

pytestmark = pytest.mark.process

UNREACHABLE_API = ("--base-url", "http://127.0.0.1:9/api")
LIMITS = ("--web.max-connections", "4", "--web.max-header-bytes", "2048")
LONG_TIMEOUTS = ("--web.header-timeout", "1h", "--web.response-timeout", "1h", "--web.idle-timeout", "1h")
"""A test that waits for one of these hangs, and fails. Later flags override them."""
GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def limited() -> Iterator[Exporter]:
    with running_exporter(*UNREACHABLE_API, *LIMITS, *LONG_TIMEOUTS) as exporter:
        yield exporter


def request_probe(connection: socket.socket) -> socket.socket:
    """Request the probe and read the whole response; the connection stays open."""
    connection.sendall(GET)
    received = b""
    while not received.endswith(b"ok\n"):
        received += (piece := connection.recv(4096))
        assert piece, "closed without a response"
    return connection


def wait_until_closed(connection: socket.socket) -> None:
    """Wait until the server closes the connection; a timeout of the socket fails the test."""
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


def test_headers_larger_than_the_limit_are_rejected(limited: Exporter) -> None:
    assert limited.request("/livez", X="y" * 1000).status == 200
    assert limited.request("/livez", X="y" * 3000).status == 431


def test_a_connection_without_a_request_is_closed_after_the_header_timeout() -> None:
    flags = (*LONG_TIMEOUTS, "--web.header-timeout", "200ms")
    with running_exporter(*UNREACHABLE_API, *flags) as exporter, exporter.connect() as connection:
        assert connection.recv(1) == b""


def test_V01_above_the_maximum_the_longest_idle_connection_is_closed_and_counted(limited: Exporter) -> None:
    connections = [request_probe(limited.connect()) for _ in range(5)]
    try:
        wait_until_closed(connections[0])
        request_probe(connections[4])
        assert (limited.value('livepeer_studio_exporter_connections_closed_total{reason="evicted"}') or 0) >= 1
    finally:
        for connection in connections:
            connection.close()


def test_an_idle_connection_is_closed_after_the_idle_timeout() -> None:
    flags = (*LONG_TIMEOUTS, "--web.idle-timeout", "300ms")
    with running_exporter(*UNREACHABLE_API, *flags) as exporter, exporter.connect() as connection:
        wait_until_closed(request_probe(connection))


def test_V14_the_rate_limit_of_the_web_config_file_applies_to_pages_and_not_to_probes(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text("rate_limit: {interval: 1h, burst: 2}\n")
    with running_exporter(*UNREACHABLE_API, "--web.config.file", str(path)) as exporter:
        pages = ("/metrics", "/livez", "/readyz", "/", "/metrics", "/", "/livez", "/readyz")
        assert [exporter.request(page).status for page in pages] == [200, 200, 200, 200, 429, 429, 200, 200]

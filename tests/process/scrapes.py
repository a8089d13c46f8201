"""A scrape whose response the client does not read until the test does."""

import socket

from tests.support.deadlines import HANG
from tests.support.running import Exporter


def start_scrape(exporter: Exporter) -> socket.socket:
    """Request the page and read only the status line, so that the exporter cannot send the whole response."""
    scrape = socket.socket()
    scrape.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    scrape.settimeout(HANG)
    scrape.connect(("127.0.0.1", exporter.port))
    scrape.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert scrape.recv(15) == b"HTTP/1.1 200 OK"
    return scrape


def read_rest(scrape: socket.socket) -> bytes:
    """Read until the exporter closes the connection."""
    parts = []
    while part := scrape.recv(65536):
        parts.append(part)
    return b"".join(parts)

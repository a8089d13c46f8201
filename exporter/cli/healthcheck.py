"""Asks a running exporter whether it is alive; what a container's health check runs, so it imports little."""

import http.client
import ssl
from contextlib import closing
from typing import Final, TextIO
from urllib.parse import urlsplit

from exporter.config import Address, Settings

TIMEOUT: Final = 3.0


def url_of(settings: Settings) -> str:
    """Where the probes of an exporter with these settings answer on this machine."""
    address = settings.web_health_listen_address or settings.web_listen_address
    secure = settings.web_health_listen_address is None and _has_tls(settings)
    return f"{'https' if secure else 'http'}://{_reachable(address)}/livez"


def _has_tls(settings: Settings) -> bool:
    from exporter.server.web_config import read_web_config

    return settings.web_config_file is not None and read_web_config(settings.web_config_file).tls is not None


def _reachable(address: Address) -> Address:
    everywhere = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - it is compared with, not bound
    return Address(everywhere.get(address.host, address.host), address.port)


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme != "https":
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # why: see `ask`
    return http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)


def ask(url: str, out: TextIO) -> int:
    """Ask ``/livez``; 0 if it answers 200, else 1 with a line that says why.

    The certificate is not verified: the question goes to this very machine, carries no secret, and the certificate
    is made out to the name that others use.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "127.0.0.1", parts.port
    except ValueError:
        print("no answer: that is no address, or has no proper port", file=out)
        return 1
    try:
        with closing(_connection(parts.scheme, host, port)) as connection:
            connection.request("GET", parts.path or "/livez")
            status = connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: no name that can be looked up
        print(f"no answer: {getattr(error, 'strerror', None) or type(error).__name__}", file=out)
        return 1
    print("alive" if status == 200 else f"not alive: HTTP {status}", file=out)
    return 0 if status == 200 else 1

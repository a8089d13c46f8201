"""`healthcheck`: query the liveness probe of a running exporter, for container health checks.

It runs every few seconds in a container, so it imports as little as possible.
"""

import http.client
import ssl
from contextlib import closing
from typing import Final, TextIO
from urllib.parse import urlsplit

from exporter.cli.terminal import FAILURE, SUCCESS
from exporter.config import Address, Settings

TIMEOUT: Final = 3.0
"""Seconds to wait for the response."""


def url_of(settings: Settings) -> str:
    """Return the URL of the liveness probe of an exporter with these settings on this machine.

    Raises:
        WebConfigError: the web config file is invalid.
    """
    address = settings.web_health_listen_address or settings.web_listen_address[0]
    is_secured = settings.web_health_listen_address is None and has_tls(settings)
    return f"{'https' if is_secured else 'http'}://{_connectable(address)}/livez"


def has_tls(settings: Settings) -> bool:
    """Return whether the pages are served with TLS.

    Raises:
        WebConfigError: the web config file is invalid.
    """
    from exporter.server.web_config import read_web_config

    return settings.web_config_file is not None and read_web_config(settings.web_config_file).tls is not None


def _connectable(address: Address) -> Address:
    """The address, or loopback if it is that of all interfaces."""
    loopback = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound
    return Address(loopback.get(address.host, address.host), address.port)


def query(url: str, out: TextIO) -> int:
    """Query the probe, print one line with the result and return the exit code.

    The certificate is not verified: the request stays on this machine and carries no secret, and the certificate is
    issued for the name that other machines use.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or parts.scheme not in ("http", "https"):
        print("--url: must be an http or https URL such as http://127.0.0.1:9877/livez", file=out)
        return FAILURE
    try:
        with closing(_connection(parts.scheme, host, port)) as connection:
            connection.request("GET", parts.path or "/livez")
            status = connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: the host is not a valid name
        reason = getattr(error, "strerror", None) or type(error).__name__
        print(f"no response from {host}{f':{port}' if port else ''}: {reason}", file=out)
        return FAILURE
    print("alive" if status == 200 else f"not alive: HTTP {status}", file=out)
    return SUCCESS if status == 200 else FAILURE


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme != "https":
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # why: see `query`
    return http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)

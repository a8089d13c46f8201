"""The web config file: TLS, passwords and response headers, in the format of Prometheus's exporter-toolkit.

What Python cannot do is refused by name where leaving it out would weaken the server, and ignored with a warning
where it would not. The format: docs/web-configuration.md of github.com/prometheus/exporter-toolkit.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Tls:
    """How the server speaks TLS.

    Attributes:
        cert_file: the server's certificate and those between it and the CA, PEM.
        key_file: its key, PEM, not encrypted.
        client_ca_file: who signs the certificates of clients; None where none is asked for.
        verify: whether a client's certificate is asked for, and required.
        minimum, maximum: protocol versions.
        ciphers: OpenSSL's names of the suites for TLS 1.2; empty for Python's own choice.
        prefer_own_order: the server's order of suites counts, not the client's.
    """

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None
    verify: ssl.VerifyMode
    minimum: ssl.TLSVersion
    maximum: ssl.TLSVersion
    ciphers: tuple[str, ...]
    prefer_own_order: bool

    def files(self) -> tuple[Path, ...]:
        """The files that the TLS context is made of."""
        return tuple(path for path in (self.cert_file, self.key_file, self.client_ca_file) if path is not None)


@dataclass(frozen=True, slots=True)
class WebConfig:
    """What the file says; without a file, nothing: plain HTTP for everybody.

    Attributes:
        tls: None for plain HTTP.
        users: bcrypt hashes by name, both as bytes; empty where no password is asked for.
        headers: added to every answer, ready for ASGI: lower-case names.
        warnings: what was accepted and ignored, one line each.
    """

    tls: Tls | None = None
    users: Mapping[bytes, bytes] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    headers: tuple[tuple[bytes, bytes], ...] = ()
    warnings: tuple[str, ...] = ()


class WebConfigError(Exception):
    """The file cannot be used; `problems` has one line for each mistake, and none of them shows a value."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def read_web_config(path: Path) -> WebConfig:
    """Read the file; paths in it are relative to its own directory, as in the toolkit.

    Raises:
        WebConfigError: it cannot be read, or something in it is wrong. Certificates are not looked at here.
    """
    from exporter.server.web_config.schema import read  # most run without a file, and need not pay for its model

    return read(path)

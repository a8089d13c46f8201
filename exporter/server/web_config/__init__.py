"""The web config file: TLS, basic authentication and response headers in the format of the Prometheus exporter-toolkit.

Options that Python cannot provide are rejected if ignoring them would weaken the server, and otherwise ignored with a
warning. Format: docs/web-configuration.md in github.com/prometheus/exporter-toolkit.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class TLSConfig:
    """TLS of the server.

    Attributes:
        cert_file: certificate of the server, followed by intermediate certificates; PEM.
        key_file: key of the certificate; PEM, not encrypted.
        client_ca_file: CAs that sign client certificates; None if clients need none.
        verify_mode: whether client certificates are requested and required.
        min_version, max_version: protocol versions.
        ciphers: OpenSSL names of the cipher suites for TLS 1.2; empty for Python's default.
        prefer_server_ciphers: whether the order of the server's suites takes precedence over the client's.
    """

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None
    verify_mode: ssl.VerifyMode
    min_version: ssl.TLSVersion
    max_version: ssl.TLSVersion
    ciphers: tuple[str, ...]
    prefer_server_ciphers: bool

    def files(self) -> tuple[Path, ...]:
        """Return the files that a TLS context is created from."""
        return tuple(path for path in (self.cert_file, self.key_file, self.client_ca_file) if path is not None)


@dataclass(frozen=True, slots=True)
class WebConfig:
    """Content of a web config file; the default is plain HTTP without authentication.

    Attributes:
        tls: None for plain HTTP.
        users: bcrypt hash by user name, both as bytes; empty to disable authentication.
        headers: headers added to each response, in ASGI form (lower-case names).
        warnings: options that are ignored, one line each.
    """

    tls: TLSConfig | None = None
    users: Mapping[bytes, bytes] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    headers: tuple[tuple[bytes, bytes], ...] = ()
    warnings: tuple[str, ...] = ()


class WebConfigError(Exception):
    """The web config file or one of its certificates cannot be used.

    Attributes:
        problems: all errors, one line each, without any value of the file.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(f"web config file: {problem}" for problem in problems))
        self.problems = problems


def read_web_config(path: Path) -> WebConfig:
    """Read a web config file. Relative paths in it are resolved against its directory, as in the toolkit.

    Raises:
        WebConfigError: the file cannot be read or has errors. Certificates are not checked here.
    """
    from exporter.server.web_config.schema import read  # deferred: most installations have no web config file

    return read(path)

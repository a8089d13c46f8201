"""The web config file of the Prometheus exporter-toolkit: TLS, passwords, response headers and a rate limit.

Options that Python cannot provide are rejected, never ignored; docs/settings.md lists every key. Format:
docs/web-configuration.md in github.com/prometheus/exporter-toolkit.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

WEB_CONFIG_FLAG: Final = "--web.config.file"


@dataclass(frozen=True, slots=True)
class TLSConfig:
    """TLS of the server. Certificates and keys are PEM: the path of a file, or the text itself as bytes.

    Attributes:
        cert: certificate of the server, followed by intermediate certificates.
        key: key of the certificate, not encrypted.
        client_ca: CAs that sign client certificates; None for those that the system trusts.
        verify_mode: whether client certificates are requested and required.
        allowed_sans: a client certificate needs one of these subject alternative names; None to accept any.
        min_version, max_version: protocol versions.
        ciphers: OpenSSL names of the cipher suites for TLS 1.2; empty for Python's default.
        prefer_server_ciphers: whether the order of the server's suites takes precedence over the client's.
        curve: OpenSSL name of the only curve for key exchange; None for OpenSSL's default.
    """

    cert: Path | bytes
    key: Path | bytes = field(repr=False)
    client_ca: Path | bytes | None = None
    verify_mode: ssl.VerifyMode = ssl.VerifyMode.CERT_NONE
    allowed_sans: frozenset[str] | None = None
    min_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    max_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    ciphers: tuple[str, ...] = ()
    prefer_server_ciphers: bool = True
    curve: str | None = None

    def files(self) -> tuple[Path, ...]:
        """Return the files that a TLS context is created from."""
        return tuple(source for source in (self.cert, self.key, self.client_ca) if isinstance(source, Path))


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Limit for the requests of all clients together, as a token bucket that is full at first.

    Attributes:
        interval: seconds until one more request is allowed.
        burst: the most requests that can be allowed at once.
    """

    interval: float
    burst: int


@dataclass(frozen=True, slots=True)
class WebConfig:
    """Content of a web config file; the default is plain HTTP without authentication.

    Attributes:
        tls: None for plain HTTP.
        users: bcrypt hash by user name, both as bytes; empty to disable authentication.
        headers: headers added to each response, in ASGI form (lower-case names).
        rate_limit: None for no limit.
        warnings: options that are probably not meant as written, one line each.
    """

    tls: TLSConfig | None = None
    users: Mapping[bytes, bytes] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    headers: tuple[tuple[bytes, bytes], ...] = ()
    rate_limit: RateLimit | None = None
    warnings: tuple[str, ...] = ()


class WebConfigError(Exception):
    """A web config file or one of its certificates cannot be used.

    Args:
        flag: of the setting that names the file.

    Attributes:
        problems: all errors, one line each, without any value of the file.
    """

    def __init__(self, *problems: str, flag: str = WEB_CONFIG_FLAG) -> None:
        super().__init__("\n".join(f"{flag}: {problem}" for problem in problems))
        self.problems = problems


def read_web_config(path: Path) -> WebConfig:
    """Read a web config file. Relative paths in it are resolved against its directory, as in the toolkit.

    Raises:
        WebConfigError: the file cannot be read or has errors. Certificates are not checked here.
    """
    from exporter.server.web_config.schema import read  # deferred: most installations have no web config file

    return read(path)

"""The certificate authorities that the API's certificate is verified against."""

import hashlib
import ssl
from pathlib import Path

import msgspec

from exporter.config import Settings, open_regular_file
from exporter.livepeer import transport
from exporter.runtime.environment import is_out_of_descriptors


class TrustStore(msgspec.Struct, frozen=True):
    """Certificate authorities, loaded once and shared by all accounts.

    Attributes:
        context: the TLS context of every client.
        digest: differs between trust stores of different content.
    """

    context: ssl.SSLContext
    digest: bytes


def load_trust_store(settings: Settings) -> TrustStore:
    """Load the certificate authorities and compute their digest.

    It takes about 20 ms, so call it in a thread once the event loop serves requests.

    Raises:
        OSError: the CA file cannot be used.
    """
    content, context = _load(settings)
    # The file is part of the digest because it may hold a server's own certificate, which `get_ca_certs` omits.
    authorities = sorted(context.get_ca_certs(binary_form=True))
    return TrustStore(context, hashlib.sha256(b"".join((content, *authorities))).digest())


def create_ssl_context(settings: Settings) -> ssl.SSLContext:
    """Create the TLS context of every account's client.

    Without TLS anywhere it is empty, which saves loading the default certificate authorities.

    Raises:
        OSError: the CA file cannot be used.
    """
    return _load(settings)[1]


def _load(settings: Settings) -> tuple[bytes, ssl.SSLContext]:
    """Return the content of the CA file, if there is one, and the context."""
    is_plain = all(account.base_url.startswith("http://") for account in settings.accounts)
    if is_plain and settings.ca_file is None and not settings.trust_env:
        return b"", ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        # Read before the context is created: a change in between changes the digest of the next load. Besides, OpenSSL
        # would wait for the writer of a pipe.
        content = _read(settings.ca_file) if settings.ca_file else b""
        ca_file = str(settings.ca_file) if settings.ca_file else None
        return content, transport.create_ssl_context(ca_file=ca_file, trust_env=settings.trust_env)
    except OSError as error:
        # Without file descriptors the file itself may be fine, and the key log has a message of its own.
        if is_out_of_descriptors(error) or isinstance(error, transport.KeyLogError):
            raise
        name = "--ca-file" if settings.ca_file else "SSL_CERT_FILE"
        is_content = isinstance(error, ssl.SSLError)
        reason = "contains no valid PEM certificate" if is_content else f"cannot be read: {error.strerror}"
        raise OSError(f"{name}: {reason}") from None


def _read(path: Path) -> bytes:
    with open_regular_file(path) as file:
        return file.read()

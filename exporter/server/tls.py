"""TLS context of the server."""

import os
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from exporter.config import open_regular_file
from exporter.server.client_sans import checking_class
from exporter.server.web_config import TLSConfig, WebConfigError

_DEFAULT_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!SHA1:!AESCCM"
"""The suites with forward secrecy of Python's own default, which Debian's Python replaces by that of OpenSSL."""


def create_server_context(config: TLSConfig) -> ssl.SSLContext:
    """Create a TLS context for new connections with the certificates as they are now.

    Raises:
        WebConfigError: a file cannot be read or has the wrong content, certificate and key do not match, or OpenSSL
            lacks a cipher suite or curve.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = config.min_version
    context.maximum_version = config.max_version
    # Renegotiation lets a client cause expensive handshakes; TLS 1.3 removed it.
    context.options |= ssl.OP_NO_RENEGOTIATION
    if not config.prefer_server_ciphers:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    _set_algorithms(context, config)
    _load_server_certificate(context, config)
    if config.verify_mode != ssl.CERT_NONE:
        _load_client_authorities(context, config.client_ca)
    context.verify_mode = config.verify_mode
    if config.allowed_sans is not None:
        context.sslobject_class = checking_class(config.allowed_sans)
    return context


def _set_algorithms(context: ssl.SSLContext, config: TLSConfig) -> None:
    if config.ciphers:
        try:
            context.set_ciphers(":".join(config.ciphers))
            missing = set(config.ciphers) - {str(cipher["name"]) for cipher in context.get_ciphers()}
        except ssl.SSLError:
            missing = set(config.ciphers)
        if missing:  # OpenSSL ignores unknown names
            raise WebConfigError(f"cipher_suites: OpenSSL has no {', '.join(sorted(missing))}")
    else:
        context.set_ciphers(_DEFAULT_CIPHERS)
    if config.curve is not None:
        try:
            context.set_ecdh_curve(config.curve)
        except (ssl.SSLError, ValueError):
            raise WebConfigError(
                f"curve_preferences: this Python cannot use {config.curve} as the only curve"
            ) from None


def _load_server_certificate(context: ssl.SSLContext, config: TLSConfig) -> None:
    cert_name, key_name = _name("cert", config.cert), _name("key", config.key)
    is_encrypted = False

    def on_password_needed() -> bytes:
        nonlocal is_encrypted
        is_encrypted = True
        return b""

    with _as_file(cert_name, config.cert) as cert, _as_file(key_name, config.key) as key:
        try:
            # Without a callback, OpenSSL would prompt for the password on the terminal and block.
            context.load_cert_chain(cert, key, on_password_needed)
        except ssl.SSLError as error:
            if is_encrypted:
                problem = f"{key_name}: is encrypted; remove its password"
            elif error.reason == "KEY_VALUES_MISMATCH":
                problem = f"{cert_name} and {key_name} do not match"
            else:
                problem = f"{cert_name} or {key_name}: is not valid PEM, or too weak for OpenSSL's security level"
            raise WebConfigError(problem) from None


def _load_client_authorities(context: ssl.SSLContext, source: Path | bytes | None) -> None:
    if source is None:
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
        return
    name = _name("client_ca", source)
    try:
        if isinstance(source, bytes):
            context.load_verify_locations(cadata=source.decode("ascii"))
        else:
            _check_readable(name, source)
            context.load_verify_locations(source)
    except ssl.SSLError:
        raise WebConfigError(f"{name}: contains no PEM certificate") from None


def _name(key: str, source: Path | bytes) -> str:
    return key if isinstance(source, bytes) else f"{key}_file"


@contextmanager
def _as_file(name: str, source: Path | bytes) -> Iterator[str]:
    """Provide a path that OpenSSL can open; text of the web config file is never written to a disk."""
    if isinstance(source, Path):
        _check_readable(name, source)
        yield str(source)
        return
    if sys.platform != "linux":
        raise WebConfigError(f"{name}: PEM text requires Linux; write it to a file and set {name}_file")
    try:
        descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    except OSError as error:
        raise WebConfigError(f"{name}: cannot be passed to OpenSSL in memory: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(source)
        file.flush()
        yield f"/proc/self/fd/{descriptor}"


def _check_readable(name: str, path: Path) -> None:
    try:
        # OpenSSL's own error has no reason, and OpenSSL would wait for a writer of a pipe.
        open_regular_file(path).close()
    except OSError as error:
        raise WebConfigError(f"{name}: cannot be read: {error.strerror}") from None

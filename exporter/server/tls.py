"""TLS context of the server."""

import ssl
from pathlib import Path

from exporter.config import open_regular_file
from exporter.server.web_config import TLSConfig, WebConfigError


def create_server_context(config: TLSConfig) -> ssl.SSLContext:
    """Create a TLS context for new connections with the certificates as they are now.

    Raises:
        WebConfigError: a file cannot be read or has the wrong content, or certificate and key do not match.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = config.min_version
    context.maximum_version = config.max_version
    # Renegotiation lets a client cause expensive handshakes; TLS 1.3 removed it.
    context.options |= ssl.OP_NO_RENEGOTIATION
    if not config.prefer_server_ciphers:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    if config.ciphers:
        context.set_ciphers(":".join(config.ciphers))
    _load_server_certificate(context, config)
    if config.client_ca_file is not None:
        _check_readable("client_ca_file", config.client_ca_file)
        try:
            context.load_verify_locations(config.client_ca_file)
        except ssl.SSLError:
            raise WebConfigError("client_ca_file: contains no PEM certificate") from None
    context.verify_mode = config.verify_mode
    return context


def _load_server_certificate(context: ssl.SSLContext, config: TLSConfig) -> None:
    _check_readable("cert_file", config.cert_file)
    _check_readable("key_file", config.key_file)
    is_encrypted = False

    def on_password_needed() -> bytes:
        nonlocal is_encrypted
        is_encrypted = True
        return b""

    try:
        # Without a callback, OpenSSL would prompt for the password on the terminal and block.
        context.load_cert_chain(config.cert_file, config.key_file, on_password_needed)
    except ssl.SSLError as error:
        if is_encrypted:
            problem = "key_file: is encrypted; remove its password"
        elif error.reason == "KEY_VALUES_MISMATCH":
            problem = "cert_file and key_file do not match"
        else:
            problem = "cert_file or key_file: is not valid PEM, or too weak for OpenSSL's security level"
        raise WebConfigError(problem) from None


def _check_readable(name: str, path: Path) -> None:
    try:
        # OpenSSL's own error has no reason, and OpenSSL would wait for a writer of a pipe.
        open_regular_file(path).close()
    except OSError as error:
        raise WebConfigError(f"{name}: cannot be read: {error.strerror}") from None

"""Makes the server's TLS context from what the web config file says."""

import ssl
import stat
from pathlib import Path

from exporter.server.web_config import Tls, WebConfigError


def server_context(tls: Tls) -> ssl.SSLContext:
    """A context for new connections; it holds the certificates as they are now.

    Raises:
        WebConfigError: a file cannot be read, is not what it should be, or key and certificate do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = tls.minimum
    context.maximum_version = tls.maximum
    # A client that renegotiates makes the server work for nothing; TLS 1.3 has done away with it.
    context.options |= ssl.OP_NO_RENEGOTIATION
    if not tls.prefer_own_order:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    if tls.ciphers:
        context.set_ciphers(":".join(tls.ciphers))
    _load_own(context, tls)
    if tls.client_ca_file is not None:
        _readable("client_ca_file", tls.client_ca_file)
        try:
            context.load_verify_locations(tls.client_ca_file)
        except ssl.SSLError:
            raise WebConfigError("client_ca_file: holds no certificate in PEM") from None
    context.verify_mode = tls.verify
    return context


def _load_own(context: ssl.SSLContext, tls: Tls) -> None:
    _readable("cert_file", tls.cert_file)
    _readable("key_file", tls.key_file)
    asked: list[None] = []

    def no_password() -> bytes:
        asked.append(None)
        return b""

    try:
        # Without a function that answers, OpenSSL would ask the terminal for the password and wait.
        context.load_cert_chain(tls.cert_file, tls.key_file, no_password)
    except ssl.SSLError as error:
        if asked:
            problem = "key_file: is encrypted, and there is nobody to ask for the password"
        elif error.reason == "KEY_VALUES_MISMATCH":
            problem = "cert_file and key_file do not belong together"
        else:
            problem = "cert_file or key_file: is not PEM, or not safe enough for OpenSSL"
        raise WebConfigError(problem) from None


def _readable(name: str, path: Path) -> None:
    try:
        # Asked before it is opened: a pipe would stop the whole program until somebody writes into it.
        if not stat.S_ISREG(path.stat().st_mode):
            raise WebConfigError(f"{name}: is not a regular file")
        path.open("rb").close()
    except OSError as error:
        raise WebConfigError(f"{name}: cannot be read: {error.strerror}") from None

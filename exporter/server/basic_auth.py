"""HTTP basic authentication and additional response headers, as ASGI middleware."""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Callable, Collection, Mapping
from typing import Final

import bcrypt
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.server.middleware import respond, with_headers
from exporter.server.password_checks import CheckPassword, PasswordChecks, QueueFullError
from exporter.server.web_config import WebConfig

MAX_PASSWORD_SIZE: Final = 72
"""Bytes. bcrypt uses no more; Python's raises, others silently truncate."""


class BasicAuth:
    """Require basic authentication except on open paths, and add response headers.

    Results of bcrypt are cached by a keyed digest of user name, hash and password, so no password is kept in memory and
    a changed hash invalidates its results. An unknown user takes as long as a known one.

    Args:
        app: ASGI application.
        config: returns the users and headers in force.
        open_paths: paths that need no authentication, as the application sees them.
        check_password: bcrypt.
        random_bytes: returns n random bytes, for the key of the digests.
    """

    def __init__(
        self,
        app: ASGIApp,
        config: Callable[[], WebConfig],
        *,
        open_paths: Collection[str] = (),
        check_password: CheckPassword = bcrypt.checkpw,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._app = app
        self._config = config
        self._open_paths = frozenset(open_paths)
        self._checks = PasswordChecks(check_password)
        self._digest_key = random_bytes(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application, or respond with 401 or 503."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        config = self._config()
        if config.headers:
            send = with_headers(send, config.headers)
        if not config.users or scope["path"] in self._open_paths:
            await self._app(scope, receive, send)
            return
        credentials = _credentials(scope["headers"])
        host = scope["client"][0] if scope.get("client") else ""
        try:
            is_authenticated = credentials is not None and await self._authenticate(config.users, host, *credentials)
        except QueueFullError:
            await respond(send, 503, b"Too many passwords to check\n", (b"retry-after", b"1"))
            return
        if is_authenticated:
            await self._app(scope, receive, send)
        else:
            await respond(send, 401, b"Unauthorized\n", (b"www-authenticate", b'Basic realm="metrics"'))

    async def _authenticate(self, users: Mapping[bytes, bytes], host: str, name: bytes, password: bytes) -> bool:
        if len(password) > MAX_PASSWORD_SIZE:  # for known and unknown users alike
            return False
        # An unknown user is checked against the hash of another one, always the same, to take the same time.
        substitute = list(users.values())[self._digest(name)[0] % len(users)]
        hashed = users.get(name, substitute)
        is_match = await self._checks.matches(host, self._digest(name, hashed, password), password, hashed)
        return is_match and name in users  # False if the password of the other user matched

    def _digest(self, *parts: bytes) -> bytes:
        digest = hashlib.blake2b(key=self._digest_key, digest_size=32)
        for part in parts:
            digest.update(len(part).to_bytes(4, "big"))
            digest.update(part)
        return digest.digest()


def _credentials(headers: Collection[tuple[bytes, bytes]]) -> tuple[bytes, bytes] | None:
    """Return name and password (RFC 7617), or None unless exactly one header contains them."""
    values = [value for name, value in headers if name == b"authorization"]
    if len(values) != 1:
        return None
    scheme, _, encoded = values[0].partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(b" "), validate=True).partition(b":")
    except binascii.Error:
        return None
    return (name, password) if colon else None

"""Asks for a password before the pages, and adds the headers of the web config file to every answer."""

import asyncio
import base64
import binascii
import hashlib
import secrets
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import bcrypt
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.server.web_config import WebConfig

LONGEST_PASSWORD: Final = 72
"""Bytes. bcrypt reads no more; Python's raises, where others silently compare the beginning."""
REMEMBERED: Final = 256
"""Answers of bcrypt that are kept, of the good and of the bad ones each."""
QUEUED: Final = 32
"""Passwords that wait for bcrypt; whoever comes when the queue is full is told to come back."""

CheckPassword = Callable[[bytes, bytes], bool]
"""Tells whether a password (first) fits a bcrypt hash (second)."""


class BasicAuth:
    """ASGI middleware: basic authentication, except on the open paths, and extra response headers.

    bcrypt runs in a thread of its own, since the loop's are shared with name servers that may not answer; one password
    at a time, in their order, as in the exporter-toolkit. Its answer is kept by a keyed digest of name, hash and
    password: no password stays in memory, and a changed hash forgets its answers. Requests with the same credentials
    wait for the same answer. An unknown user costs what a known one does.

    Args:
        app: the pages.
        config: what is in force now: users and headers.
        open_paths: paths that need no password, exactly as the application sees them.
        check: bcrypt.
        random_bytes: n random bytes, for the key of the digests.
    """

    def __init__(
        self,
        app: ASGIApp,
        config: Callable[[], WebConfig],
        *,
        open_paths: Collection[str] = (),
        check: CheckPassword = bcrypt.checkpw,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._app = app
        self._config = config
        self._open_paths = frozenset(open_paths)
        self._check = check
        self._salt = random_bytes(32)
        self._good: dict[bytes, None] = {}
        self._bad: dict[bytes, None] = {}
        self._asked: dict[bytes, asyncio.Task[bool]] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 or 503 ourselves, or let the pages answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        config = self._config()
        if config.headers:
            send = _with_headers(send, config.headers)
        if not config.users or scope["path"] in self._open_paths:
            await self._app(scope, receive, send)
            return
        credentials = _credentials(scope["headers"])
        try:
            known = credentials is not None and await self._knows(config.users, *credentials)
        except _QueueFull:
            await _refuse(send, 503, b"Too many passwords to check\n", (b"retry-after", b"1"))
            return
        if known:
            await self._app(scope, receive, send)
        else:
            await _refuse(send, 401, b"Unauthorized\n", (b"www-authenticate", b'Basic realm="metrics"'))

    async def _knows(self, users: Mapping[bytes, bytes], name: bytes, password: bytes) -> bool:
        if len(password) > LONGEST_PASSWORD:  # for every name alike, so that it tells nothing about them
            return False
        # An unknown name is held against somebody's hash, always the same one: it takes the time of a known name.
        anybody = list(users.values())[self._digest(name)[0] % len(users)]
        hashed = users.get(name, anybody)
        asked = self._digest(name, hashed, password)
        if asked in self._bad:
            return False
        if asked not in self._good and not await self._ask(asked, password, hashed):
            return False
        return name in users  # else it was somebody else's password

    async def _ask(self, asked: bytes, password: bytes, hashed: bytes) -> bool:
        task = self._asked.get(asked)
        if task is None:
            if len(self._asked) >= QUEUED:
                raise _QueueFull
            task = asyncio.create_task(self._compare(asked, password, hashed))
            self._asked[asked] = task
        return await asyncio.shield(task)

    async def _compare(self, asked: bytes, password: bytes, hashed: bytes) -> bool:
        try:
            fits = await asyncio.get_running_loop().run_in_executor(self._thread, self._check, password, hashed)
        finally:
            del self._asked[asked]
        # Kept apart: a flood of wrong passwords must not push out the right one.
        answers = self._good if fits else self._bad
        if len(answers) >= REMEMBERED:
            del answers[next(iter(answers))]
        answers[asked] = None
        return fits

    def _digest(self, *parts: bytes) -> bytes:
        digest = hashlib.blake2b(key=self._salt, digest_size=32)
        for part in parts:
            digest.update(len(part).to_bytes(4, "big"))
            digest.update(part)
        return digest.digest()


class _QueueFull(Exception):
    pass


def _credentials(headers: Collection[tuple[bytes, bytes]]) -> tuple[bytes, bytes] | None:
    """Name and password by RFC 7617, or None where there is not exactly one header that holds them."""
    given = [value for name, value in headers if name == b"authorization"]
    if len(given) != 1:
        return None
    scheme, _, encoded = given[0].partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(b" "), validate=True).partition(b":")
    except binascii.Error:
        return None
    return (name, password) if colon else None


def _with_headers(send: Send, headers: tuple[tuple[bytes, bytes], ...]) -> Send:
    ours = {name for name, _ in headers}

    async def send_more(message: Message) -> None:
        if message["type"] == "http.response.start":
            # The operator's word counts before the page's own.
            kept = [header for header in message.get("headers", ()) if header[0].lower() not in ours]
            message = {**message, "headers": [*kept, *headers]}
        await send(message)

    return send_more


async def _refuse(send: Send, status: int, body: bytes, header: tuple[bytes, bytes]) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        header,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

"""A simulated account for tests of the running program, whose sessions and responses a test can change."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.simulator.api import create_app
from exporter.simulator.serve import serving
from tests.support.canary import KEY
from tests.support.deadlines import HANG
from tests.support.rows import Row, row


def live_row(number: int, /, *, age: float = -600.0, **fields: Any) -> Row:
    """Return a row as `tests.support.rows` does, last seen `age` seconds ago by the wall clock.

    By default that is in the future, so that the session is active no matter how slow the machine is.
    """
    now = time.time()
    times = {"createdAt": int(now - age - 600) * 1000, "lastSeen": int((now - age) * 1000)}
    return row(number, **(times | fields))


class Upstream:
    """The API of one account.

    Args:
        rows: its sessions.
        key: the accepted API key.
        now: its clock, Unix seconds.

    Attributes:
        current_rows: the sessions; assign another sequence to change them.
        key: the accepted API key; assign another one to change it.
        override: an application that handles all requests instead of the API while it is set.
        authorization_headers: the `Authorization` header of each request so far.
    """

    def __init__(self, rows: Sequence[Row], *, key: str = KEY, now: Callable[[], float] = time.time) -> None:
        self.current_rows: Sequence[Row] = tuple(rows)
        self.key = key
        self.override: ASGIApp | None = None
        self.authorization_headers: list[str] = []
        self._now = now

    def rows(self, now: float) -> Sequence[Row]:
        """Return the sessions for the simulated API."""
        return self.current_rows

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        self.authorization_headers.append(dict(scope["headers"]).get(b"authorization", b"").decode())
        app = self.override or create_app(self, key=self.key, now=self._now)
        await app(scope, receive, send)


def static_response(status: int, body: bytes = b"", *, headers: Mapping[str, str] | None = None) -> ASGIApp:
    """Return an application that sends the same response to every request."""
    fields = {"content-length": str(len(body)), **(headers or {})}
    pairs = [(name.lower().encode(), value.encode()) for name, value in fields.items()]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": body})

    return app


async def never_respond(scope: Scope, receive: Receive, send: Send) -> None:
    """Handle a request without a response, until the client disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass


@contextmanager
def serving_in_thread(app: ASGIApp) -> Iterator[str]:
    """Serve an application from a thread of its own within the context; yields the base URL of the API."""
    started: queue.Queue[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = queue.Queue()

    async def serve() -> None:
        stop = asyncio.Event()
        async with serving(app) as url:
            started.put((url, asyncio.get_running_loop(), stop))
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    url, loop, stop = started.get(timeout=HANG)
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()

"""A simulated account for tests of the running program: its sessions can change, and it can be told to fail."""

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
from tests.support.rows import Row, row


def live(number: int, /, *, age: float = -600.0, **fields: Any) -> Row:
    """A session as `tests.support.rows` makes it, seen `age` seconds ago by the real clock.

    By default it will be seen in a while, which counts as now: it stays active however slow the machine is.
    """
    now = time.time()
    times = {"createdAt": int(now - age - 600) * 1000, "lastSeen": int((now - age) * 1000)}
    return row(number, **(times | fields))


class Upstream:
    """The API of one account.

    Args:
        rows: its sessions.
        key: what it lets in.
        now: its clock, Unix seconds.

    Attributes:
        rows_: the sessions at the moment; put another sequence here to change them.
        key: the key that is let in at the moment.
        instead: answers in the API's place while it is set.
        keys: the `Authorization` header of every request so far.
    """

    def __init__(self, rows: Sequence[Row], *, key: str = KEY, now: Callable[[], float] = time.time) -> None:
        self.rows_: Sequence[Row] = tuple(rows)
        self.key = key
        self.instead: ASGIApp | None = None
        self.keys: list[str] = []
        self._now = now

    def rows(self, now: float) -> Sequence[Row]:
        """What the simulator asks for."""
        return self.rows_

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """SessionsResult one request."""
        self.keys.append(dict(scope["headers"]).get(b"authorization", b"").decode())
        app = self.instead or create_app(self, key=self.key, now=self._now)
        await app(scope, receive, send)


def answering(status: int, body: bytes = b"", *, headers: Mapping[str, str] | None = None) -> ASGIApp:
    """An application that always says the same."""
    written = {"content-length": str(len(body)), **(headers or {})}

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        pairs = [(name.lower().encode(), value.encode()) for name, value in written.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": body})

    return answer


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that takes a request and never answers."""
    while (await receive())["type"] != "http.disconnect":
        pass


@contextmanager
def aside(app: ASGIApp) -> Iterator[str]:
    """Serve an application from a thread of its own; gives the API's base URL."""
    told: queue.Queue[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = queue.Queue()

    async def serve() -> None:
        stop = asyncio.Event()
        async with serving(app) as url:
            told.put((url, asyncio.get_running_loop(), stop))
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    url, loop, stop = told.get(timeout=30)
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()

"""The pages: ``/``, the metrics, ``/livez``, ``/readyz``. Anything else is 404, other methods are 405."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from exporter.metrics.page_store import Page, PageStore
from exporter.metrics.process import Process
from exporter.pages.negotiation import choose_content_type, wants_gzip
from exporter.pages.session_lists import OPEN_FOLD, Fold
from exporter.pages.site import HEADERS, create_site

PLAIN_PIECE: Final = 16 * 1024
"""Bytes from which inflated blocks are sent to a client that does not accept gzip; fewer would cost more calls."""

_PAGE_HEADERS: Final = {
    **HEADERS,
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
}


class Health(msgspec.Struct, frozen=True):
    """What the probes ask.

    Attributes:
        alive: whether the clock still ticks. The upstream has no say in it.
        ready: whether we take scrapes, that is, are not stopping.
    """

    alive: Callable[[], bool]
    ready: Callable[[], bool]


def create_app(
    board: PageStore, process: Process, health: Health, landing: Callable[[Fold], str], *, metrics_path: str
) -> Starlette:
    """All pages as one application."""

    async def metrics(request: Request) -> Response:
        chosen = choose_content_type(_listed(request, "Accept"))
        headers = {**HEADERS, "Content-Type": chosen.header, "Vary": "Accept, Accept-Encoding"}
        answer = _packed if wants_gzip(_listed(request, "Accept-Encoding")) else _plain
        return answer(board.page(chosen.form), process.tail(chosen.form), headers)

    async def people(request: Request) -> Response:
        fold: Fold = "open" if OPEN_FOLD in request.query_params else "closed"
        return HTMLResponse(landing(fold), headers=_PAGE_HEADERS)

    return create_site([_page("/", people), _page(metrics_path, metrics), *probes(health)])


def create_probe_app(health: Health) -> Starlette:
    """The probes alone, for a port of their own."""
    return create_site(probes(health))


def probes(health: Health) -> list[Route]:
    """``/livez`` and ``/readyz``, without any dependence on the upstream: a sidecar must not end its whole pod."""

    async def alive(_request: Request) -> Response:
        return _verdict(health.alive(), "the clock has stopped ticking")

    async def ready(_request: Request) -> Response:
        return _verdict(health.ready(), "stopping")

    return [_page("/livez", alive), _page("/readyz", ready)]


def _page(path: str, answer: Callable[[Request], Awaitable[Response]]) -> Route:
    return Route(path, answer, methods=["GET"])


def _verdict(good: bool, otherwise: str) -> Response:
    return PlainTextResponse("ok\n" if good else f"{otherwise}\n", 200 if good else 503, headers=HEADERS)


def _listed(request: Request, name: str) -> str:
    """A header that holds a list; its lines are one list (RFC 9110, section 5.3)."""
    return ",".join(request.headers.getlist(name))


def _packed(page: Page, tail: bytes, headers: dict[str, str]) -> Response:
    parts = page.packed(tail)
    return LargeResponse(parts, sum(map(len, parts)), {**headers, "Content-Encoding": "gzip"})


def _plain(page: Page, tail: bytes, headers: dict[str, str]) -> Response:
    return LargeResponse(_bundled(page.plain(), tail), page.size + len(tail), headers)


def _bundled(blocks: Iterator[bytes], tail: bytes) -> Iterator[bytes]:
    """Join blocks into pieces of a size that is worth a write, the tail last."""
    bundle: list[bytes] = []
    size = 0
    for block in blocks:
        bundle.append(block)
        size += len(block)
        if size >= PLAIN_PIECE:
            piece, size = b"".join(bundle), 0
            bundle.clear()
            del block  # a slow client holds the piece alone
            yield piece
    yield b"".join((*bundle, tail))


class LargeResponse(Response):
    """A response whose body is sent in parts, so that a large one is never copied or held as a whole.

    Starlette's streaming response runs three tasks for each client, which is most of the memory that a client needs.

    Args:
        parts: the body; the next part is requested when the client has received most of the one before.
        size: bytes of all parts.
        headers: of the response.
    """

    def __init__(self, parts: Iterable[bytes | memoryview], size: int, headers: Mapping[str, str]) -> None:
        self._parts = parts
        super().__init__(headers={**headers, "Content-Length": str(size)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as ASGI has it
        """Send the parts."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for part in self._parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

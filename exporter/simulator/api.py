"""The HTTP surface of Livepeer Studio's session API, as a plain Starlette application."""

import re
from collections.abc import Callable, Sequence
from email.utils import formatdate
from typing import Protocol
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from exporter.simulator.query import FailureError, Row, read_query
from exporter.simulator.table import Shelf, encode, encode_page

__all__ = ["Row", "Rows", "create_app"]


class Rows(Protocol):
    """Anything that can tell its sessions."""

    def rows(self, now: float) -> Sequence[Row]:
        """All sessions of the account at the server's Unix seconds; asked once a request.

        What was returned once must not change any more. Return the same object as long as nothing changed:
        its sorted pages are kept. Return a new one after a change.
        """
        ...


def create_app(
    source: Rows,
    *,
    key: str,
    now: Callable[[], float],
    restricted: frozenset[str] = frozenset(),
    orphaned: frozenset[str] = frozenset(),
) -> ASGIApp:
    """Serve `GET /api/session` and `GET /api/session/{id}` for the holder of a key.

    Args:
        source: whose sessions are served.
        key: the API key that is let in.
        now: the server's clock in Unix seconds; every answer's `Date` comes from it, so the server that runs
            the application must not add its own.
        restricted: keys that exist but may not read sessions (403).
        orphaned: keys whose user is gone (401, which echoes the whole header).
    """
    desk = _Desk(source, _Door(key, restricted, orphaned), now)
    app = Starlette(
        routes=[
            Route("/api/session", desk.list_sessions, methods=["GET"]),
            Route("/api/session/{id}", desk.show_session, methods=["GET"]),
        ],
        exception_handlers={FailureError: desk.fail, HTTPException: desk.fail},
    )
    app.router.redirect_slashes = False  # the real server never redirects
    return app


class _Door:
    """Who is let in."""

    def __init__(self, key: str, restricted: frozenset[str], orphaned: frozenset[str]) -> None:
        self._key = key
        self._restricted = restricted
        self._orphaned = orphaned

    def admit(self, header: str) -> None:
        """Raise FailureError unless the header holds the key. The texts echo the key, as upstream's do."""
        form = re.fullmatch(r"\s*(\w+)\s+(.+)", header)
        if form is None:
            raise FailureError(401, "request is not authenticated")
        scheme, token = form[1], form[2].strip()
        if scheme.lower() != "bearer":
            raise FailureError(401, f"unsupported authorization header scheme: {scheme}")
        if token in self._orphaned:
            raise FailureError(401, f"no user found from authorization header: {header}")
        if token in self._restricted:
            raise FailureError(403, "credential has insufficient privileges")
        if token != self._key:
            raise FailureError(401, f"no token {token} found")


class _Desk:
    """Answers requests; keeps the rows it showed last, made ready."""

    def __init__(self, source: Rows, door: _Door, now: Callable[[], float]) -> None:
        self._source = source
        self._door = door
        self._now = now
        self._shelf = Shelf(())

    async def list_sessions(self, request: Request) -> Response:
        self._door.admit(request.headers.get("authorization", ""))
        instant = self._now()
        query = read_query(_joined(request.query_params))
        page = self._shelf_at(instant).page(query)
        answer = _json(encode_page(page.rows), instant)
        if query.count and page.rows:
            answer.headers["X-Total-Count"] = str(page.total)
        if page.following is not None:
            answer.headers["Link"] = f'<{_next_url(request, page.following)}>; rel="next"'
        return answer

    async def show_session(self, request: Request) -> Response:
        self._door.admit(request.headers.get("authorization", ""))
        instant = self._now()
        row = self._shelf_at(instant).find(request.path_params["id"])
        if row is None:
            raise FailureError(404, "not found")
        return _json(encode({field: row[field] for field in row if field != "parentStream"}), instant)

    async def fail(self, _request: Request, error: Exception) -> Response:
        # What is no failure of ours is Starlette's: upstream does not tell a wrong method from a wrong path.
        failure = error if isinstance(error, FailureError) else FailureError(404, "not found")
        return _json(encode({"errors": [failure.text]}), self._now(), failure.status)

    def _shelf_at(self, instant: float) -> Shelf:
        rows = self._source.rows(instant)
        if rows is not self._shelf.rows:
            self._shelf = Shelf(rows)
        return self._shelf


def _joined(parameters: QueryParams) -> dict[str, str]:
    """Each parameter once: upstream joins the values of a repeated one by commas."""
    return {name: ",".join(parameters.getlist(name)) for name in parameters}


def _next_url(request: Request, offset: int) -> str:
    """The address of the next page: always plain http, on whatever host the request named."""
    parameters = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    query = urlencode([*parameters, ("cursor", f"skip{offset}")])
    return f"http://{request.headers.get('host', '')}{request.url.path}?{query}"


def _json(body: bytes, instant: float, status: int = 200) -> Response:
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Date": formatdate(instant, usegmt=True),
        "Keep-Alive": "timeout=5",
        "Vary": "Authorization",
    }
    return Response(body, status, headers)

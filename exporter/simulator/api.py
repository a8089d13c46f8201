"""The HTTP endpoints of Livepeer Studio's session API as a Starlette application."""

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

from exporter.simulator.query import APIError, Row, parse_query
from exporter.simulator.table import Table, encode, encode_page

__all__ = ["Row", "SessionSource", "create_app"]


class SessionSource(Protocol):
    """Anything that has the sessions of an account."""

    def rows(self, now: float) -> Sequence[Row]:
        """Return all sessions at a time of the server, in Unix seconds; called once per request.

        A returned sequence must not change afterwards. Its sorted pages are cached: return the same object as long as
        the sessions have not changed, and a new one after a change.
        """
        ...


def create_app(
    source: SessionSource,
    *,
    key: str,
    now: Callable[[], float],
    restricted: frozenset[str] = frozenset(),
    orphaned: frozenset[str] = frozenset(),
) -> ASGIApp:
    """Create an application with `GET /api/session` and `GET /api/session/{id}`.

    Args:
        source: the sessions.
        key: the accepted API key.
        now: the server's clock in Unix seconds. It sets the `Date` header of every response, so the server that runs
            the application must not add its own.
        restricted: keys that are valid but have no access to sessions (403).
        orphaned: keys whose user has been deleted (401, with the whole `Authorization` header in the body).
    """
    handlers = _Handlers(source, _Authentication(key, restricted, orphaned), now)
    app = Starlette(
        routes=[
            Route("/api/session", handlers.list_sessions, methods=["GET"]),
            Route("/api/session/{id}", handlers.get_session, methods=["GET"]),
        ],
        exception_handlers={APIError: handlers.on_error, HTTPException: handlers.on_error},
    )
    app.router.redirect_slashes = False  # the real server never redirects
    return app


class _Authentication:
    def __init__(self, key: str, restricted: frozenset[str], orphaned: frozenset[str]) -> None:
        self._key = key
        self._restricted = restricted
        self._orphaned = orphaned

    def check(self, header: str) -> None:
        """Raise `APIError` unless the header contains the key; like the real API, its text may repeat the sent key."""
        match = re.fullmatch(r"\s*(\w+)\s+(.+)", header)
        if match is None:
            raise APIError(401, "request is not authenticated")
        scheme, token = match[1], match[2].strip()
        if scheme.lower() != "bearer":
            raise APIError(401, f"unsupported authorization header scheme: {scheme}")
        if token in self._orphaned:
            raise APIError(401, f"no user found from authorization header: {header}")
        if token in self._restricted:
            raise APIError(403, "credential has insufficient privileges")
        if token != self._key:
            raise APIError(401, f"no token {token} found")


class _Handlers:
    def __init__(self, source: SessionSource, authentication: _Authentication, now: Callable[[], float]) -> None:
        self._source = source
        self._authentication = authentication
        self._now = now
        self._table = Table(())

    async def list_sessions(self, request: Request) -> Response:
        self._authentication.check(request.headers.get("authorization", ""))
        now = self._now()
        query = parse_query(_joined(request.query_params))
        page = self._table_at(now).page(query)
        response = _json(encode_page(page.rows), now)
        if query.count and page.rows:
            response.headers["X-Total-Count"] = str(page.total)
        if page.next_offset is not None:
            response.headers["Link"] = f'<{_next_url(request, page.next_offset)}>; rel="next"'
        return response

    async def get_session(self, request: Request) -> Response:
        self._authentication.check(request.headers.get("authorization", ""))
        now = self._now()
        row = self._table_at(now).find(request.path_params["id"])
        if row is None:
            raise APIError(404, "not found")
        return _json(encode({field: row[field] for field in row if field != "parentStream"}), now)

    async def on_error(self, _request: Request, error: Exception) -> Response:
        # Starlette's errors are a wrong path or a wrong method; the real API responds to both with the same 404.
        response = error if isinstance(error, APIError) else APIError(404, "not found")
        return _json(encode({"errors": [response.text]}), self._now(), response.status)

    def _table_at(self, now: float) -> Table:
        rows = self._source.rows(now)
        if rows is not self._table.rows:
            self._table = Table(rows)
        return self._table


def _joined(parameters: QueryParams) -> dict[str, str]:
    """Each parameter once; the real API joins the values of a repeated one with commas."""
    return {name: ",".join(parameters.getlist(name)) for name in parameters}


def _next_url(request: Request, offset: int) -> str:
    """The URL of the next page: always http, on the host of the request."""
    parameters = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    query = urlencode([*parameters, ("cursor", f"skip{offset}")])
    return f"http://{request.headers.get('host', '')}{request.url.path}?{query}"


def _json(body: bytes, now: float, status: int = 200) -> Response:
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Date": formatdate(now, usegmt=True),
        "Keep-Alive": "timeout=5",
        "Vary": "Authorization",
    }
    return Response(body, status, headers)

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
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.simulator.authentication import Keys
from exporter.simulator.collation import Collation, code_points
from exporter.simulator.pool import ConnectionPool
from exporter.simulator.query import APIError, Row, parse_query
from exporter.simulator.table import Table, encode, encode_page

__all__ = ["Keys", "Row", "SessionSource", "create_app"]


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
    key: str | Keys,
    now: Callable[[], float],
    collation: Collation = code_points,
    pool: ConnectionPool | None = None,
    user_id: str | None = None,
) -> ASGIApp:
    """Create an application with `GET /api/session` and `GET /api/session/{id}`.

    Args:
        source: the sessions.
        key: the accepted API key, or all keys.
        now: the server's clock in Unix seconds. It sets the `Date` header of every response, so the server that runs
            the application must not add its own.
        collation: the order of ids and other texts.
        pool: runs the statements of each request; without one they take no time.
        user_id: the user whose sessions the accepted key lists; None for all sessions. The administrator's key lists
            those of all users, each with a `user`.
    """
    keys = Keys(key) if isinstance(key, str) else key
    handlers = _Handlers(source, keys, now, collation, pool or ConnectionPool(), user_id)
    app = Starlette(
        routes=[
            Route("/api/session", handlers.list_sessions, methods=["GET"]),
            Route("/api/session/{id}", handlers.get_session, methods=["GET"]),
        ],
        exception_handlers={APIError: handlers.on_error, HTTPException: handlers.on_error},
    )
    app.router.redirect_slashes = False  # the real server never redirects
    return _normalized_paths(app)


def _normalized_paths(app: ASGIApp) -> ASGIApp:
    """Ignore the case of paths and one trailing slash, as Express does. The raw path stays as it is, for links."""

    async def normalized(scope: Scope, receive: Receive, send: Send) -> None:
        match = re.fullmatch(r"/api/session(/[^/]+)?/?", scope.get("path", ""), re.IGNORECASE)
        path = {"path": f"/api/session{match[1] or ''}"} if match else {}
        await app({**scope, **path}, receive, send)

    return normalized


class _Handlers:
    def __init__(
        self,
        source: SessionSource,
        keys: Keys,
        now: Callable[[], float],
        collation: Collation,
        pool: ConnectionPool,
        user_id: str | None,
    ) -> None:
        self._source = source
        self._keys = keys
        self._now = now
        self._collation = collation
        self._pool = pool
        self._user_id = user_id
        self._rows: Sequence[Row] = ()
        self._tables: dict[bool, Table] = {}

    async def list_sessions(self, request: Request) -> Response:
        is_admin = self._is_admin(request)
        now = self._now()
        query = parse_query(_joined(request.query_params))
        page = self._table_at(now, is_admin=is_admin).page(query)
        await self._pool.run(1 + sum(row.get("record") is True for row in page.rows))
        response = _json(encode_page(page.rows), now)
        if query.count and page.rows:
            response.headers["X-Total-Count"] = str(page.total)
        if page.next_offset is not None:
            response.headers["Link"] = f'<{_next_url(request, page.next_offset)}>; rel="next"'
        return response

    async def get_session(self, request: Request) -> Response:
        is_admin = self._is_admin(request)
        now = self._now()
        row = self._table_at(now, is_admin=is_admin).find(request.path_params["id"])
        if row is None:
            raise APIError(404, "not found")
        await self._pool.run(2 if row.get("record") is True else 1)
        return _json(encode({field: row[field] for field in row if field not in ("parentStream", "user")}), now)

    async def on_error(self, _request: Request, error: Exception) -> Response:
        # Starlette's errors are a wrong path or a wrong method; the real API responds to both with the same 404.
        response = error if isinstance(error, APIError) else APIError(404, "not found")
        return _json(encode({"errors": [response.text]}), self._now(), response.status)

    def _is_admin(self, request: Request) -> bool:
        return self._keys.check(request.headers.get("authorization", ""))

    def _table_at(self, now: float, *, is_admin: bool) -> Table:
        rows = self._source.rows(now)
        if rows is not self._rows:
            self._rows = rows
            self._tables.clear()
        if is_admin not in self._tables:
            self._tables[is_admin] = Table(self._listed(rows, is_admin=is_admin), self._collation)
        return self._tables[is_admin]

    def _listed(self, rows: Sequence[Row], *, is_admin: bool) -> Sequence[Row]:
        if is_admin:
            return [row | {"user": _user(str(row.get("userId")))} for row in rows]
        return rows if self._user_id is None else [row for row in rows if row.get("userId") == self._user_id]


def _user(user_id: str) -> Row:
    return {"id": user_id, "email": f"{user_id}@example.com", "emailValid": True, "admin": False}


def _joined(parameters: QueryParams) -> dict[str, str]:
    """Each parameter once; the real API joins the values of a repeated one with commas."""
    return {name: ",".join(parameters.getlist(name)) for name in parameters}


def _next_url(request: Request, offset: int) -> str:
    """The URL of the next page: always http, on the host of the request."""
    parameters = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    query = urlencode([*parameters, ("cursor", f"skip{offset}")])
    path = request.scope.get("raw_path", b"").partition(b"?")[0].decode("latin-1") or request.url.path
    return f"http://{request.headers.get('host', '')}{path}?{query}"


def _json(body: bytes, now: float, status: int = 200) -> Response:
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Date": formatdate(now, usegmt=True),
        "Keep-Alive": "timeout=5",
        "Vary": "Authorization",
    }
    return Response(body, status, headers)

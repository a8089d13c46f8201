"""What all sites have in common: the headers of their responses, and the responses to unknown paths and methods."""

from collections.abc import Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


def create_site(routes: Sequence[Route]) -> Starlette:
    """Create an application; a path without a route is 404, another method than the route's is 405."""
    site = Starlette(routes=routes, exception_handlers={HTTPException: _error})
    site.router.redirect_slashes = False  # 404 for `/metrics/`, not a redirect to the Host header's address
    return site


async def _error(_request: Request, error: Exception) -> Response:
    """Return the response for an unknown path or method, with the headers of the other pages."""
    assert isinstance(error, HTTPException)  # noqa: S101  # it is registered for this class
    return PlainTextResponse(f"{error.detail}\n", error.status_code, headers={**HEADERS, **(error.headers or {})})

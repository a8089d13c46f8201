"""The status and the headers of a response of the API."""

from typing import Final

import httpx

from exporter.livepeer.errors import (
    BadRequestError,
    DecodeError,
    ForbiddenError,
    NotFoundError,
    PaginationError,
    RateLimitError,
    RedirectError,
    ServerError,
    UnauthorizedError,
)
from exporter.livepeer.server_clock import parse_retry_after

MAX_LINK_URL: Final = 1024
"""Characters of the URL of the next page; the API's have about 200."""

_MAX_COUNT_DIGITS: Final = 15


def raise_for_status(response: httpx.Response) -> None:
    """Raise the error of a response without sessions.

    Raises:
        PollError: the status is not 200; the class depends on the status.
    """
    status = response.status_code
    if status == 200:
        return
    if 300 <= status < 400:
        raise RedirectError(f"the API returned a redirect (HTTP {status}): check the base URL")
    if status < 400:
        raise DecodeError(f"the API returned an unexpected status (HTTP {status})")
    wait = parse_retry_after(response.headers.get("Retry-After"), response.headers.get("Date"))
    if status == 401:
        raise UnauthorizedError(status, hint="check the API key", retry_after=wait)
    if status == 403:
        hint = (
            "the user is suspended, the key's access rules exclude GET /session, "
            "the key is limited to browsers (CORS), or its project belongs to another user"
        )
        raise ForbiddenError(status, hint=hint, retry_after=wait)
    if status == 404:
        raise NotFoundError(status, hint="check the base URL", retry_after=wait)
    if status == 429:
        raise RateLimitError(status, retry_after=wait)
    if status < 500:
        raise BadRequestError(status, retry_after=wait)
    raise ServerError(status, hint="no ingest configured" if status == 501 else "", retry_after=wait)


def has_next_page(response: httpx.Response) -> bool:
    """Whether the response links to a next page, which means that the page is full.

    The URL is not used: it may name another scheme or host, which must not receive the API key.

    Raises:
        PaginationError: the URL is too long.
    """
    link = response.links.get("next")
    if link and len(link["url"]) > MAX_LINK_URL:
        raise PaginationError("the URL of the next page is too long")
    return link is not None


def total_count(response: httpx.Response) -> int | None:
    """Return the number of sessions that match the query (`X-Total-Count`), or None if it is missing or invalid."""
    text = response.headers.get("X-Total-Count", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_COUNT_DIGITS else None

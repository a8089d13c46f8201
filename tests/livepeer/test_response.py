"""The status and the headers of responses."""

import httpx
import pytest

from exporter.livepeer.errors import (
    BadRequestError,
    DecodeError,
    ForbiddenError,
    NotFoundError,
    PaginationError,
    PollError,
    RateLimitError,
    RedirectError,
    ServerError,
    StatusError,
    UnauthorizedError,
)
from exporter.livepeer.response import MAX_LINK_URL, has_next_page, raise_for_status, total_count


def test_a_response_with_status_200_is_no_error() -> None:
    raise_for_status(httpx.Response(200))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (202, DecodeError),
        (204, DecodeError),
        (301, RedirectError),
        (304, RedirectError),
        (400, BadRequestError),
        (401, UnauthorizedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (418, BadRequestError),
        (429, RateLimitError),
        (500, ServerError),
        (501, ServerError),
        (599, ServerError),
        (999, ServerError),
    ],
)
def test_every_other_status_is_an_error_of_its_class(status: int, error: type[PollError]) -> None:
    with pytest.raises(error, match=rf"HTTP {status}\b") as caught:
        raise_for_status(httpx.Response(status))
    assert type(caught.value) is error


@pytest.mark.parametrize("status", [401, 403, 404, 418, 429, 503])
def test_an_error_status_has_the_wait_that_the_response_asks_for(status: int) -> None:
    with pytest.raises(StatusError) as caught:
        raise_for_status(httpx.Response(status, headers={"Retry-After": "7"}))
    assert (caught.value.status, caught.value.retry_after) == (status, 7)


def test_U02_the_error_of_a_403_names_every_cause() -> None:
    with pytest.raises(ForbiddenError) as caught:
        raise_for_status(httpx.Response(403))
    assert all(cause in str(caught.value) for cause in ("suspended", "access rules", "CORS", "project"))


def test_no_error_contains_the_body() -> None:
    with pytest.raises(UnauthorizedError) as caught:
        raise_for_status(httpx.Response(401, content=b"no token secret-key found"))
    assert "secret-key" not in str(caught.value)


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ('<http://x.invalid/api/session?cursor=skip2>; rel="next"', True),
        ('</a>; rel="prev", </b>; rel="next"', True),
        ('</style.css>; rel="preload"', False),
        ("", False),
        ("<<<>>>;;; rel=next", False),
    ],
)
def test_a_link_to_a_next_page_is_recognised(link: str, expected: bool) -> None:
    assert has_next_page(httpx.Response(200, headers={"Link": link})) is expected


def test_a_link_with_a_very_long_url_is_an_error() -> None:
    link = f'<http://x.invalid/?cursor=skip{"9" * MAX_LINK_URL}>; rel="next"'
    with pytest.raises(PaginationError):
        has_next_page(httpx.Response(200, headers={"Link": link}))


@pytest.mark.parametrize(("text", "total"), [("0", 0), ("77", 77), ("9" * 15, 10**15 - 1)])
def test_the_total_is_read(text: str, total: int) -> None:
    assert total_count(httpx.Response(200, headers={"X-Total-Count": text})) == total


@pytest.mark.parametrize("text", ["", "many", "-1", "1.5", "1" * 16, "\u0661"])
def test_an_invalid_total_is_unknown(text: str) -> None:
    assert total_count(httpx.Response(200, headers=[(b"X-Total-Count", text.encode())])) is None


def test_a_missing_total_is_unknown() -> None:
    assert total_count(httpx.Response(200)) is None

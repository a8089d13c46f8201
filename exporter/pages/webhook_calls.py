"""``POST /webhook/<account>``; any other path is 404, any other method 405."""

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from exporter.pages.site import HEADERS, create_site
from exporter.webhooks.intake import TOO_LARGE, TOO_SLOW, Intake, Verdict

MAX_BODY: Final = 64 * 1024
"""Bytes of a body."""

BODY_TIMEOUT: Final = 10.0
"""Seconds that a body may take."""

SIGNATURE_HEADER: Final = "Livepeer-Signature"


class _BodyError(Exception):
    """The body is not read to its end."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.result)
        self.verdict = verdict


def create_webhook_app(
    intake_of: Callable[[str], Intake | None],
    *,
    has_started: Callable[[], bool] = lambda: True,
    body_timeout: float = BODY_TIMEOUT,
) -> Starlette:
    """Create the application.

    Args:
        intake_of: returns the webhook of an account by its name, or None if it has none.
        has_started: whether the webhooks of all accounts can be received.
        body_timeout: seconds that a body may take.
    """

    async def receive(request: Request) -> Response:
        intake = intake_of(request.path_params["account"])
        if intake is None:
            # Livepeer repeats a call after a status of 500 and above only.
            raise HTTPException(404 if has_started() else 503)
        try:
            body = await _read_body(request, body_timeout)
        except _BodyError as error:
            # The rest of the body would be taken for another request.
            return _response(intake.refuse(error.verdict), Connection="close")
        except ClientDisconnect:
            return Response(status_code=400)  # it is not received
        return _response(intake.take(body, request.headers.get(SIGNATURE_HEADER, "")))

    return create_site([Route("/webhook/{account}", receive, methods=["POST"])])


async def _read_body(request: Request, timeout: float) -> bytes:  # noqa: ASYNC109  # becomes an error of its own
    """Return the body.

    Raises:
        _BodyError: it is too large, or takes too long.
    """
    announced = request.headers.get("Content-Length", "")
    if announced.isdecimal() and len(announced) < 20 and int(announced) > MAX_BODY:
        raise _BodyError(TOO_LARGE)
    body = bytearray()
    try:
        async with asyncio.timeout(timeout):
            async for part in request.stream():
                body += part
                if len(body) > MAX_BODY:
                    raise _BodyError(TOO_LARGE)
    except TimeoutError:
        raise _BodyError(TOO_SLOW) from None
    return bytes(body)


def _response(verdict: Verdict, **headers: str) -> Response:
    if verdict.status == 204:
        return Response(status_code=204, headers=HEADERS)
    return PlainTextResponse(f"{verdict.result}\n", verdict.status, headers={**HEADERS, **headers})

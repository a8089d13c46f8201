"""An HTTP transport that replays the recorded responses of an API, so that no network is measured."""

import re
from typing import Final

import httpx
from starlette.types import ASGIApp

_TIMES: Final = re.compile(r"\d{13}")


class RecordedApi(httpx.AsyncBaseTransport):
    """Records the responses of an API, and replays them without it.

    Requests that differ only in the times of their URL have the same response. The responses are recorded by
    generation: each generation has the sessions between two changes of the API's data.

    Args:
        api: the application that responds until `stop_recording`.
    """

    def __init__(self, api: ASGIApp) -> None:
        self._api: httpx.ASGITransport | None = httpx.ASGITransport(api)
        self._responses: dict[str, tuple[httpx.Headers, bytes]] = {}
        self._generations = [self._responses]

    def next_generation(self) -> None:
        """Record the following responses as a new generation."""
        self._responses = {}
        self._generations.append(self._responses)

    def stop_recording(self) -> None:
        """Release the API and its data."""
        self._api = None

    def replay(self, generation: int) -> None:
        """Respond with a generation; the first one is 0."""
        self._responses = self._generations[generation]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Respond to one request.

        Raises:
            RuntimeError: there is no recorded response, and recording has been stopped.
        """
        key = _TIMES.sub("T", str(request.url))
        if key not in self._responses:
            if self._api is None:
                raise RuntimeError(f"no response is recorded for {key}")
            response = await self._api.handle_async_request(request)
            self._responses[key] = response.headers, await response.aread()
        headers, body = self._responses[key]
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(body), request=request)

"""The simulator's API as a separate process whose clock runs, for any number of accounts with the same sessions."""

import argparse
import re
import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.simulator.api import create_app
from exporter.simulator.bulk import BulkSource, bulk_rows
from tests.bench.processes import KEY
from tests.bench.upstream import serve

_TIMES: Final = re.compile(rb"\d{13}")
_CACHE_SECONDS: Final = 5.0


class CachedApi:
    """An API that caches its responses for some seconds, since its own cost is not part of the measurement.

    Requests that differ only in the times of their query have the same response.
    """

    def __init__(self, api: ASGIApp) -> None:
        self._api = api
        self._period = 0
        self._responses: dict[bytes, list[Message]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to a request."""
        if (period := int(time.monotonic() // _CACHE_SECONDS)) != self._period:
            self._period, self._responses = period, {}
        key = _TIMES.sub(b"T", scope["query_string"])
        if key not in self._responses:
            messages: list[Message] = []

            async def keep(message: Message) -> None:
                messages.append(message)

            await self._api(scope, receive, keep)
            self._responses[key] = messages
        for message in self._responses[key]:
            await send(message)


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--sessions", type=int, required=True)
    now = time.time()
    source = BulkSource(bulk_rows(parser.parse_args().sessions, 1, now), now)
    serve(CachedApi(create_app(source, key=KEY, now=time.time)))


if __name__ == "__main__":
    main()

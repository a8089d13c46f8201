"""A Livepeer Studio in a process of its own whose clock runs: any number of accounts see the same crowd of sessions."""

import argparse
import re
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.simulator.api import create_app
from exporter.simulator.bulk import BulkSource, bulk_rows
from tests.bench.processes import KEY
from tests.bench.upstream import serve

_TIMES = re.compile(rb"\d{13}")
_KEPT = 5.0
"""Seconds that an answer is good for; accounts that ask the same with slightly other times get the same."""


class Repeated:
    """An API that answers the same question from memory for some seconds: it is not what is to be measured."""

    def __init__(self, api: ASGIApp) -> None:
        self._api = api
        self._period = 0
        self._answers: dict[bytes, list[Message]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if (period := int(time.monotonic() // _KEPT)) != self._period:
            self._period, self._answers = period, {}
        question = _TIMES.sub(b"T", scope["query_string"])
        if question not in self._answers:
            answer: list[Message] = []

            async def keep(message: Message) -> None:
                answer.append(message)

            await self._api(scope, receive, keep)
            self._answers[question] = answer
        for message in self._answers[question]:
            await send(message)


def main() -> None:
    """Serve until a signal says stop."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--sessions", type=int, required=True)
    now = time.time()
    crowd = BulkSource(bulk_rows(parser.parse_args().sessions, 1, now), now)
    serve(Repeated(create_app(crowd, key=KEY, now=time.time)))


if __name__ == "__main__":
    main()

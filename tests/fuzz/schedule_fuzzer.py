"""Sessions that come and go while the simulator's pages are read, in random schedules.

Ids are UUIDs and others, sorted by either collation. The pages are read by keyset or by offsets, for one account or by
shards, one after the other or in parallel parts. Every session that exists all the time must be read, and by one shard
alone.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import httpx
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as ASGIScope

from exporter.livepeer.client import LivepeerClient
from exporter.livepeer.endpoint import SessionsEndpoint
from exporter.livepeer.errors import PaginationError
from exporter.livepeer.id_range import ALL_IDS
from exporter.livepeer.query import Scope
from exporter.livepeer.server_clock import ServerClock
from exporter.livepeer.transport import HTTPClient
from exporter.simulator.api import create_app
from exporter.simulator.collation import COLLATIONS
from exporter.simulator.streams import random_uuid
from tests.fleet.shards import without_keyset
from tests.livepeer.clients import RecordingMeter
from tests.support.canary import KEY
from tests.support.clock import ManualClock
from tests.support.rows import START, Row, row

MAX_ROWS: Final = 30
SHARDS: Final = (1, 1, 2, 4)
BORDERS: Final = ("4", "40000000", "80000000", "8", "C0000000", "7fffffff-", "80000000-0", "Bfffffff", "c000000")
"""Ids next to the borders of shards and of parts."""


@dataclass
class ScheduleResults:
    """The outcomes of a run.

    Attributes:
        schedules: the number of schedules by collation, way of pagination and number of shards.
        refused: the number of schedules in which so much changed that a poll failed with `PaginationError`.
        sessions: the number of sessions read.
        requests: the number of requests.
        problems: descriptions of sessions that were missed or read twice, with seed and number of the schedule.
        seconds: the duration of the run.
    """

    schedules: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    sessions: int = 0
    requests: int = 0
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


class ChangingAccount:
    """An account whose sessions are created, changed and removed at random.

    Attributes:
        always: ids of the sessions that have existed since the start.
        ever: ids of all sessions.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._rows: dict[str, Row] = {}
        self._listed: Sequence[Row] | None = None
        self.ever: set[str] = set()
        self._odd_share = rng.choice((0.0, 0.1, 0.3, 1.0))
        for _ in range(rng.randint(0, MAX_ROWS)):
            self._create()
        self.always = set(self._rows)

    def rows(self, now: float) -> Sequence[Row]:
        if self._listed is None:
            self._listed = tuple(self._rows.values())
        return self._listed

    def change(self) -> None:
        for _ in range(self._rng.choice((0, 0, 1, 1, 2))):
            self._rng.choice((self._create, self._update, self._remove, self._remove))()
            self._listed = None

    def _create(self) -> None:
        session_id = self._odd_id() if self._rng.random() < self._odd_share else random_uuid(self._rng)
        if session_id not in self.ever:  # the API never gives an id twice, not even after the session's removal
            self._rows[session_id] = row(id=session_id, record=False)
            self.ever.add(session_id)

    def _odd_id(self) -> str:
        uuid = random_uuid(self._rng)
        text = "".join(self._rng.choices("0123456789abcdefABCDEFzZ-_", k=self._rng.randint(1, 4)))
        return self._rng.choice((uuid.upper(), uuid.capitalize(), text, self._rng.choice(BORDERS), uuid + text))

    def _update(self) -> None:
        if self._rows:
            session_id = self._rng.choice(sorted(self._rows))
            self._rows[session_id] = self._rows[session_id] | {"sourceBytes": self._rng.randrange(10**9)}

    def _remove(self) -> None:
        if self._rows:
            session_id = self._rng.choice(sorted(self._rows))
            del self._rows[session_id]
            self.always.discard(session_id)


def fuzz_schedules(count: int, seed: int) -> ScheduleResults:
    """Read the pages of random schedules.

    A problem names the call that repeats it: ``run_schedule(seed, number, ScheduleResults())``.

    Args:
        count: the number of schedules.
        seed: of the random schedules.
    """
    began, results = time.monotonic(), ScheduleResults()
    for number in range(count):
        asyncio.run(run_schedule(seed, number, results))
    results.seconds = time.monotonic() - began
    return results


async def run_schedule(seed: int, number: int, results: ScheduleResults) -> None:
    """Read the sessions of one account, by all shards, while they change."""
    rng = random.Random(f"{seed}:{number}")
    account = ChangingAccount(rng)
    collation, keyset, shards = rng.choice(sorted(COLLATIONS)), rng.random() < 0.6, rng.choice(SHARDS)
    kind = f"{collation} by {'keyset' if keyset else 'offset'}, {shards} shards"
    results.schedules[kind] += 1
    api = create_app(account, key=KEY, now=lambda: START, collation=COLLATIONS[collation])
    app = _changing(api if keyset else without_keyset(api), account, rng, results)
    ids = ALL_IDS.split(shards)
    async with _client(app, page_limit=rng.randint(2 if keyset else 4, 8), parts=rng.choice((1, 2, 4))) as client:
        try:
            found = [await client.sessions(Scope(3600, 3600, ids=part)) for part in ids]
        except PaginationError:
            results.refused += 1
            return
    read = Counter(session.id for each in found for session in each.sessions)
    results.sessions += read.total()
    place = f"run_schedule({seed}, {number}, ScheduleResults()), {kind}"
    if missed := account.always - set(read):
        results.problems.append(f"{place}: missed {sorted(missed)}")
    if repeated := [each for each, times in read.items() if times > 1]:
        results.problems.append(f"{place}: read by several shards: {sorted(repeated)}")
    if unknown := set(read) - account.ever:
        results.problems.append(f"{place}: never existed: {sorted(unknown)}")


def _changing(api: ASGIApp, account: ChangingAccount, rng: random.Random, results: ScheduleResults) -> ASGIApp:
    async def app(scope: ASGIScope, receive: Receive, send: Send) -> None:
        for _ in range(rng.randrange(3)):  # requests that are sent together are answered in any order
            await asyncio.sleep(0)
        account.change()
        results.requests += 1
        await api(scope, receive, send)

    return app


@asynccontextmanager
async def _client(app: ASGIApp, *, page_limit: int, parts: int) -> AsyncIterator[LivepeerClient]:
    clock = ManualClock()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http_client:
        endpoint = SessionsEndpoint(
            HTTPClient(kept=http_client, fresh=http_client),
            "https://livepeer.test/api",
            key=lambda: KEY,
            clock=ServerClock(clock.now, clock.monotonic),
            meter=RecordingMeter(),
            jitter=lambda: 0.5,
            sleep=clock.sleep,
        )
        yield LivepeerClient(endpoint, page_limit=page_limit, parts=parts)

"""``python -m tests.bench.api_load``: what the polls of a large account cost the API per minute.

The simulator counts its SQL statements as the real API runs them: one for each page, and one for each recorded session
on it. The clocks are simulated, so the run takes as long as its polls.
"""

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from exporter.simulator.api import Row, create_app
from exporter.simulator.bulk import bulk_rows
from exporter.simulator.pool import ConnectionPool
from exporter.simulator.serve import serving
from tests.support.canary import KEY
from tests.support.clock import ManualClock
from tests.support.harness import harness
from tests.support.rows import START

INTERVAL: Final = 30.0
MINUTES: Final = 10

VARIANTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "recordings with every poll, 6 parts": {"recording_interval": 1.0, "walk_concurrency": 6},
    "recordings with every poll, 2 parts": {"recording_interval": 1.0},
    "the defaults": {},
}


class AgeingAccount:
    """Sessions in the window of which the live ones stay live, and recorded ones that were last seen before it."""

    def __init__(self, sessions: int, recordings: int) -> None:
        before = bulk_rows(recordings, 2, START - 2 * 3600, recorded_share=1.0, live_share=0.0)
        unfinished = {"recordingStatus": "waiting"}
        self._rows = [*bulk_rows(sessions, 1, START), *(row | unfinished for row in before)]
        self._time = START
        self._current: Sequence[Row] = self._rows

    def rows(self, now: float) -> Sequence[Row]:
        """Return the sessions at a time."""
        if now != self._time:
            age = (now - START) * 1000
            self._time = now
            self._current = [
                row | {"lastSeen": int(row["lastSeen"] + age)} if row["isHealthy"] is not None else row
                for row in self._rows
            ]
        return self._current


async def measure(account: AgeingAccount, settings: Mapping[str, Any]) -> tuple[float, float, float]:
    """Return requests, bytes and SQL statements per minute."""
    pool, clocks = ConnectionPool(), list[ManualClock]()
    api = create_app(account, key=KEY, now=lambda: clocks[0].now() if clocks else START, pool=pool)
    async with serving(api) as url, harness(url, poll_interval=INTERVAL, detail="account", **settings) as program:
        clocks.append(program.time)
        for _ in range(round(MINUTES * 60 / INTERVAL)):
            await program.poller.poll()
            assert program.poller.status.failure is None, program.poller.status
            program.time.advance(INTERVAL)
        page = await program.scrape()
    requests = sum(count for _, count in page.all("exporter_api_requests_total"))
    return (
        requests / MINUTES,
        (page.value("exporter_api_response_bytes_total") or 0) / MINUTES,
        pool.statements / MINUTES,
    )


def main() -> None:
    """Measure all variants and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.api_load", description=__doc__)
    parser.add_argument("--sessions", type=int, default=20_000, help="sessions in the window, 30 %% of them recorded")
    parser.add_argument("--recordings", type=int, default=6_000, help="unfinished recordings before the window")
    options = parser.parse_args()
    account = AgeingAccount(options.sessions, options.recordings)
    print("| per minute | requests | MB | SQL statements |\n|---|---|---|---|")
    for name, settings in VARIANTS.items():
        requests, size, statements = asyncio.run(measure(account, settings))
        print(f"| {name} | {requests:.1f} | {size / 1e6:.1f} | {statements:,.0f} |", flush=True)


if __name__ == "__main__":
    main()

"""An API that fails at regular times."""

import asyncio
from functools import partial

import httpx
import pytest
from starlette.types import ASGIApp

from exporter.simulator.api import create_app
from exporter.simulator.outages import FailingSource, Outages
from tests.simulator.api_requests import KEY, FixedSource, rows_of
from tests.simulator.worlds import START

OUTAGES = Outages(first=START + 60, every=600, duration=30)


@pytest.mark.parametrize(
    ("seconds", "fails"),
    [(0, False), (59.9, False), (60, True), (89.9, True), (90, False), (659.9, False), (660, True), (690, False)],
)
def test_outages_begin_and_end_regularly(seconds: float, fails: bool) -> None:
    assert OUTAGES.include(START + seconds) == fails


def test_during_an_outage_every_request_fails_as_if_the_database_was_unavailable() -> None:
    source = FailingSource(FixedSource(rows_of(3)), OUTAGES)
    apps = [create_app(source, key=KEY, now=partial(float, START + seconds)) for seconds in (0, 60, 90)]

    async def response(app: ASGIApp) -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="https://studio.test") as client:
            return await client.get("/api/session", headers={"Authorization": f"Bearer {KEY}"})

    before, during, after = (asyncio.run(response(app)) for app in apps)
    assert before.json() == after.json() == rows_of(3)[::-1]
    assert (during.status_code, during.json()) == (500, {"errors": ["Internal server error: error"]})

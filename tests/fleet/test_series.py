"""How many series there are at each level of detail: the formulas of docs/scaling.md."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from exporter.metrics.catalogue import PREFIX
from tests.fleet.shards import Account, shards
from tests.support.harness import Scrape
from tests.support.rows import START, Row, row

ENDED = {"lastSeen": (START - 600) * 1000}
PLAIN = {"record": False}
PER_ACCOUNT = 171


def shown(rows: Sequence[Row], detail: str, **settings: Any) -> Scrape:
    async def poll() -> Scrape:
        account = Account()
        async with shards(account, 1, detail=detail, **settings) as (shard,):
            account.now = rows
            await shard.poll()
            return shard.scrape()

    return asyncio.run(poll())


def count(scrape: Scrape, kind: str) -> int:
    return sum(name.startswith(f"{PREFIX}{kind}_") for name, _ in scrape.samples)


@pytest.mark.parametrize(
    ("fields", "series"),
    [
        ({}, 16 + 8),
        (PLAIN, 16),
        (ENDED, 12 + 8),
        (ENDED | PLAIN, 12),
        (PLAIN | {"isHealthy": False, "issues": ["late", "thin"]}, 16 + 2),
    ],
)
def test_a_session_has_as_many_series_as_the_formula_says(fields: Row, series: int) -> None:
    assert count(shown([row(1, **fields)], "session"), "session") == series


@pytest.mark.parametrize(
    ("fields", "series"),
    [
        ({}, 19 + 8),
        (PLAIN, 19),
        (ENDED, 15 + 8),
        (ENDED | PLAIN, 15),
        (PLAIN | {"isHealthy": False, "issues": ["late", "thin"]}, 19 + 2),
    ],
)
def test_a_stream_has_as_many_series_as_the_formula_says_whatever_its_sessions(fields: Row, series: int) -> None:
    rows = [row(number, parentId="one", **fields) for number in range(5)]
    assert count(shown(rows, "stream"), "stream") == series


def test_profile_series_are_two_to_a_profile() -> None:
    more = count(shown([row(1)], "session", profile_series=True), "session")
    assert more == count(shown([row(1)], "session"), "session") + 2


def test_an_account_has_as_many_series_as_the_formula_says_whatever_its_sessions() -> None:
    for number in (0, 7):
        page = shown([row(each) for each in range(number)], "account")
        assert len(page.samples) == PER_ACCOUNT
        assert count(page, "session") == count(page, "stream") == 0

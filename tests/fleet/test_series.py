"""The number of exported series at each level of detail is the number in docs/scaling.md."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import pytest

from exporter.metrics.catalogue import PREFIX
from tests.fleet.shards import Account, shards
from tests.support.generated_docs import DOCS, generated
from tests.support.harness import Scrape
from tests.support.rows import START, Row, row

SCALING = (DOCS / "scaling.md").read_text(encoding="utf-8")
ENDED = {"lastSeen": (START - 600) * 1000}
NOT_RECORDED = {"record": False}


def numbers(detail: str) -> list[int]:
    """Return the numbers of a level of detail in the first table of docs/scaling.md."""
    formula = re.findall(rf"^\| `{detail}` \| (.*) \|$", SCALING, re.MULTILINE)[0]
    return [int(each) for each in re.findall(r"\d+", formula)]


def scrape(rows: Sequence[Row], detail: str, **settings: Any) -> Scrape:
    async def poll() -> Scrape:
        async with shards(Account(rows), 1, detail=detail, **settings) as (shard,):
            await shard.poll()
            return shard.scrape()

    return asyncio.run(poll())


def count(page: Scrape, subject: str) -> int:
    return sum(name.startswith(f"{PREFIX}{subject}_") for name, _ in page.samples)


def test_the_table_of_series_is_up_to_date() -> None:
    assert generated(SCALING, "scaling.md") == SCALING, "run: make generated"


@pytest.mark.parametrize("subject", ["session", "stream"])
@pytest.mark.parametrize(
    ("fields", "terms"),
    [
        ({}, ("live", "recorded")),
        (NOT_RECORDED, ("live",)),
        (ENDED, ("ended", "recorded")),
        (ENDED | NOT_RECORDED, ("ended",)),
        (NOT_RECORDED | {"isHealthy": False, "issues": ["late", "thin"]}, ("live", "issue", "issue")),
    ],
)
def test_sessions_and_streams_have_the_documented_number_of_series(
    subject: str, fields: Row, terms: Sequence[str]
) -> None:
    formula = dict(zip(("live", "ended", "recorded", "issue"), numbers(subject), strict=False))
    rows = [row(number, parentId="one", **fields) for number in range(5 if subject == "stream" else 1)]
    assert count(scrape(rows, subject), subject) == sum(formula[term] for term in terms)


@pytest.mark.parametrize(("fields", "place"), [({}, -2), (ENDED, -1)])
def test_the_streams_of_sessions_have_the_documented_number_of_series(fields: Row, place: int) -> None:
    page = scrape([row(number, parentId="one", **fields) for number in range(5)], "session")
    assert count(page, "stream") == numbers("session")[place]


def test_profiles_have_the_documented_number_of_series() -> None:
    (each,) = re.findall(r"`--profile-series` \| (\d+) more", SCALING)
    more = count(scrape([row(1)], "session", profile_series=True), "session")
    assert more == count(scrape([row(1)], "session"), "session") + int(each)


def test_accounts_without_exporter_metrics_have_the_documented_number_of_series() -> None:
    page = scrape([row(1)], "account", web_disable_exporter_metrics=True)
    every, fewer, *_ = numbers("account")
    assert len(page.samples) == every - fewer


@pytest.mark.parametrize("sessions", [0, 7])
def test_accounts_have_the_documented_number_of_series(sessions: int) -> None:
    page = scrape([row(each) for each in range(sessions)], "account")
    assert len(page.samples) == numbers("account")[0]
    assert count(page, "session") == count(page, "stream") == 0

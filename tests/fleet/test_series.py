"""The number of series on the page at each level of detail is the one that docs/scaling.md gives."""

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

PAGE = (DOCS / "scaling.md").read_text(encoding="utf-8")
ENDED = {"lastSeen": (START - 600) * 1000}
PLAIN = {"record": False}


def numbers(detail: str) -> list[int]:
    """Return the numbers that the page gives for a level of detail."""
    (formula,) = re.findall(rf"^\| `{detail}` \| (.*) \|$", PAGE, re.MULTILINE)
    return [int(each) for each in re.findall(r"\d+", formula)]


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


def test_the_table_of_series_follows_from_the_catalogue() -> None:
    assert generated(PAGE, "scaling.md") == PAGE, "run: make generated"


@pytest.mark.parametrize("subject", ["session", "stream"])
@pytest.mark.parametrize(
    ("fields", "terms"),
    [
        ({}, ("live", "recorded")),
        (PLAIN, ("live",)),
        (ENDED, ("ended", "recorded")),
        (ENDED | PLAIN, ("ended",)),
        (PLAIN | {"isHealthy": False, "issues": ["late", "thin"]}, ("live", "issue", "issue")),
    ],
)
def test_a_subject_has_as_many_series_as_the_page_says(subject: str, fields: Row, terms: Sequence[str]) -> None:
    formula = dict(zip(("live", "ended", "recorded", "issue"), numbers(subject), strict=False))
    rows = [row(number, parentId="one", **fields) for number in range(5 if subject == "stream" else 1)]
    assert count(shown(rows, subject), subject) == sum(formula[term] for term in terms)


def test_a_profile_has_as_many_series_as_the_page_says() -> None:
    (each,) = re.findall(r"`--profile-series` \| (\d+) more", PAGE)
    more = count(shown([row(1)], "session", profile_series=True), "session")
    assert more == count(shown([row(1)], "session"), "session") + int(each)


@pytest.mark.parametrize("sessions", [0, 7])
def test_an_account_has_as_many_series_as_the_page_says(sessions: int) -> None:
    page = shown([row(each) for each in range(sessions)], "account")
    assert len(page.samples) == numbers("account")[0]
    assert count(page, "session") == count(page, "stream") == 0

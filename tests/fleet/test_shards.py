"""Shards: together they show what one exporter shows, and together they read what one exporter reads."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.metrics.catalogue import AMOUNTS, EXPORTED, PREFIX, RECORDINGS, REGRESSIONS, STARTED, TOTAL_FAMILIES
from exporter.sessions.session import MAX_ID
from exporter.simulator.bulk import bulk_rows
from exporter.text import clean
from tests.fleet.shards import Account, Shard, shards
from tests.support.harness import Scrape
from tests.support.loop import in_loop
from tests.support.rows import START, Row

pytestmark = pytest.mark.untraced

Sample = tuple[str, frozenset[tuple[str, str]]]
Samples = dict[Sample, float]

ADDED_UP = {family.name for family in (*TOTAL_FAMILIES, *AMOUNTS.values(), STARTED, RECORDINGS, REGRESSIONS, EXPORTED)}
LEAST = {"stream_healthy"}
MOST = {"stream_active", "stream_last_seen_timestamp_seconds", "stream_created_timestamp_seconds"}
OF_THE_LATEST = {
    "stream_info",
    "stream_profiles",
    "stream_profile_info",
    "stream_profile_bitrate_bytes_per_second",
}
TOGETHER = {"stream_issue_info"}

# Quarters, so that sums are exact in any order.
amounts = st.integers(0, 2**30).map(lambda number: number / 4)
odd_ids = st.text("0123456789abcdefABCDEFxyz-!~é😀\x01\x7f\u202e ", min_size=1, max_size=6)
ids = st.uuids(version=4).map(str) | odd_ids | odd_ids.map("\x01".__add__)


def profiles(count: int) -> list[Row]:
    return [{"name": f"{number}p", "bitrate": number * 1000} for number in range(count)]


sessions = st.fixed_dictionaries(
    {
        "lastSeen": st.sampled_from([10, 10, 10, 80, 600, 3000, 7200, 13_000, 0]).map(
            lambda age: (START - age) * 1000 if age else 0
        ),
        "record": st.booleans(),
        "profiles": st.integers(0, 3).map(profiles),
    },
    optional={
        "name": st.sampled_from(["news", "radio"]),
        "parentId": st.sampled_from(["p", "q", "r"]),
        "sourceSegments": amounts,
        "sourceBytes": amounts,
        "transcodedBytes": amounts,
        "transcodedSegmentsDuration": amounts,
        "ingestRate": amounts,
        "outgoingRate": amounts,
        "isHealthy": st.none() | st.booleans(),
        "issues": st.none() | st.lists(st.sampled_from(["late", "thin", "lost"]), max_size=3),
        "recordingStatus": st.sampled_from(["waiting", "ready", "failed", "none", "new"]),
        "recordingUrl": st.just("https://example.invalid/recording"),
    },
)
lives = st.lists(
    st.tuples(ids, st.none() | sessions, sessions | st.none()),
    min_size=10,
    max_size=30,
    unique_by=lambda life: clean(life[0], MAX_ID),
)
"""Sessions with what they are at a first poll and at a second one; None is not there."""

Lives = Sequence[tuple[str, Row | None, Row | None]]


def world(of: Lives, poll: int) -> list[Row]:
    """What the account has at a poll. No two sessions are created at the same time."""
    return [
        {"id": life[0], "createdAt": (START - 3 * place) * 1000} | row
        for place, life in enumerate(of)
        if (row := (life[1], life[2])[poll]) is not None
    ]


async def polled(count: int, of: Lives, look: Callable[[Shard], Any], **setting: Any) -> list[Any]:
    """What a look at each shard finds after the account's two polls."""
    account = Account()
    async with shards(account, count, profile_series=True, **setting) as made:
        for poll in (0, 1):
            account.now = world(of, poll)
            for shard in made:
                await shard.poll()
        return [look(shard) for shard in made]


def scrapes(count: int, of: Lives, **setting: Any) -> list[Scrape]:
    return asyncio.run(polled(count, of, Shard.scrape, **setting))


def chosen(scrape: Scrape, wanted: Callable[[str], bool]) -> Samples:
    """The samples of some families, told by their names without the prefix."""
    return {key: value for key, value in scrape.samples.items() if wanted(key[0].removeprefix(PREFIX))}


def about_sessions(name: str) -> bool:
    return name.startswith("session_")


def added_up(found: Sequence[Samples]) -> Mapping[Sample, float]:
    total: Counter[Sample] = Counter()
    for samples in found:
        for key, value in samples.items():
            total[key] += value  # type: ignore[assignment]  # typeshed's Counter counts whole things
    return total


# Each example is many exporters with two polls, so there are fewer of them than usual.
few = settings(max_examples=25)
shard_worlds = given(st.integers(2, 6), lives, st.booleans(), st.integers(2, 4))


@few
@shard_worlds
def test_all_shards_together_show_each_session_once_and_as_one_exporter_does(
    count: int, of: Lives, keyset: bool, limit: int
) -> None:
    (whole,) = scrapes(1, of, keyset=keyset, page_limit=limit)
    parts = [chosen(part, about_sessions) for part in scrapes(count, of, keyset=keyset, page_limit=limit)]
    gather_or_cancel = {key: value for part in parts for key, value in part.items()}
    assert sum(map(len, parts)) == len(gather_or_cancel)
    assert gather_or_cancel == chosen(whole, about_sessions)


@few
@shard_worlds
def test_totals_and_counters_of_all_shards_add_up_to_those_of_one_exporter(
    count: int, of: Lives, keyset: bool, limit: int
) -> None:
    (whole,) = scrapes(1, of, keyset=keyset, page_limit=limit, detail="account")
    parts = scrapes(count, of, keyset=keyset, page_limit=limit, detail="account")

    def wanted(name: str) -> bool:
        return PREFIX + name in ADDED_UP

    assert added_up([chosen(part, wanted) for part in parts]) == chosen(whole, wanted)


@few
@shard_worlds
def test_streams_of_all_shards_come_to_those_of_one_exporter(count: int, of: Lives, keyset: bool, limit: int) -> None:
    (whole,) = scrapes(1, of, keyset=keyset, page_limit=limit, detail="stream")
    parts = scrapes(count, of, keyset=keyset, page_limit=limit, detail="stream")
    special = LEAST | MOST | OF_THE_LATEST | TOGETHER

    def summed(name: str) -> bool:
        return name.startswith("stream_") and name not in special

    assert added_up([chosen(part, summed) for part in parts]) == chosen(whole, summed)
    for names, choose in ((LEAST, min), (MOST, max), (TOGETHER, max)):
        found: defaultdict[Sample, list[float]] = defaultdict(list)
        for part in parts:
            for key, value in chosen(part, names.__contains__).items():
                found[key].append(value)
        assert {key: choose(values) for key, values in found.items()} == chosen(whole, names.__contains__)
    assert of_the_latest(parts) == of_the_latest([whole])


def of_the_latest(parts: Sequence[Scrape]) -> Samples:
    """What is told of a stream's latest session, from the shard that has it."""
    latest: dict[str | None, tuple[float, Scrape]] = {}
    for part in parts:
        for labels, created in part.all("stream_created_timestamp_seconds"):
            stream = labels.get("stream_id")
            latest[stream] = max(latest.get(stream, (0.0, part)), (created, part), key=lambda each: each[0])
    return {
        key: value
        for stream, (_, part) in latest.items()
        for key, value in chosen(part, OF_THE_LATEST.__contains__).items()
        if dict(key[1]).get("stream_id") == stream
    }


def sizes(shard: Shard) -> dict[str, list[int]]:
    """The sizes of the answers to the last poll, by walk."""
    return dict(shard.meter.sizes)


@few
@given(st.integers(2, 6), lives, st.integers(2, 6))
def test_all_shards_together_read_one_walk_and_at_most_one_page_each(count: int, of: Lives, limit: int) -> None:
    (whole,) = asyncio.run(polled(1, of, sizes, page_limit=limit, walk_concurrency=1))
    parts = asyncio.run(polled(count, of, sizes, page_limit=limit, walk_concurrency=1))
    for walk, pages in whole.items():
        answers = [size for part in parts for size in part[walk]]
        assert len(answers) <= len(pages) + count
        assert sum(answers) <= sum(pages) + count * max(answers)


@pytest.mark.parametrize("count", [2, 4])
@in_loop
async def test_of_a_large_account_shards_with_parts_read_no_more_than_a_page_each(count: int) -> None:
    account = Account()
    account.now = bulk_rows(4_000, 7, START)
    read = []
    for shard_count in (1, count):
        async with shards(account, shard_count, page_limit=50) as made:
            for shard in made:
                await shard.poll()
            read.append([len(pages) for shard in made for pages in shard.meter.sizes.values()])
    walks = len(read[0])
    assert walks == 3
    assert sum(read[1]) <= sum(read[0]) + walks * count


@in_loop
async def test_without_keyset_every_shard_reads_up_to_its_end_and_shows_its_part_alone() -> None:
    account = Account()
    account.now = bulk_rows(400, 7, START)
    async with shards(account, 4, keyset=False, page_limit=20) as made:
        shown, read = [], []
        for shard in made:
            await shard.poll()
            shown.append(shard.scrape().sessions())
            read.append(max(map(len, shard.meter.sizes.values())))
    assert sum(map(len, shown)) == len(set().union(*shown)) == 400
    assert all(50 < len(part) < 150 for part in shown)
    assert read == sorted(read)

"""All shards together export what a single exporter exports, and read what it reads."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.metrics.catalogue import (
    AMOUNTS,
    ENDED_DURATION,
    ENDED_UNHEALTHY,
    EVERY_OPTION,
    EXPORTED,
    NEVER_STARTED,
    PREFIX,
    PROCESSING,
    RECORDINGS,
    REGRESSIONS,
    STARTED,
    TOTAL_FAMILIES,
    everything,
)
from exporter.sessions.session import MAX_ID
from exporter.simulator.bulk import bulk_rows
from exporter.text import clean
from tests.fleet.shards import Account, Shard, shards
from tests.support.harness import Scrape
from tests.support.loop import in_loop
from tests.support.rows import START, Row

pytestmark = pytest.mark.untraced

SampleKey = tuple[str, frozenset[tuple[str, str]]]
Samples = dict[SampleKey, float]

SUMMED = {
    family.name + suffix
    for family in (
        *(*TOTAL_FAMILIES, *AMOUNTS.values(), STARTED, RECORDINGS, REGRESSIONS, EXPORTED),
        *(NEVER_STARTED, ENDED_DURATION, ENDED_UNHEALTHY, PROCESSING),
    )
    for suffix in (("_bucket", "_count", "_sum") if family.type == "histogram" else ("",))
}
NOT_IN_SHARDS = {family.name.removeprefix(PREFIX) for family, _ in everything(EVERY_OPTION) if not family.in_shards}
MINIMUM = {"stream_healthy"}
MAXIMUM = {
    "stream_active",
    "stream_last_seen_timestamp_seconds",
    "stream_created_timestamp_seconds",
    "stream_transcoding_lag_seconds",
}
UNION = {"stream_issue_info"}
OF_LATEST_SESSION = {
    "stream_info",
    "stream_profiles",
    "stream_profile_info",
    "stream_profile_bitrate_bytes_per_second",
}

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
        "sourceSegmentsDuration": amounts,
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
histories = st.lists(
    st.tuples(ids, st.none() | sessions, sessions | st.none()),
    min_size=10,
    max_size=30,
    unique_by=lambda history: clean(history[0], MAX_ID),
)
"""Sessions at two polls: the id and the fields at each poll, None if the session does not exist then."""

Histories = Sequence[tuple[str, Row | None, Row | None]]


def rows_at(histories: Histories, poll: int) -> list[Row]:
    """Return the sessions of the account at a poll. No two sessions are created at the same time."""
    return [
        {"id": history[0], "createdAt": (START - 3 * index) * 1000} | row
        for index, history in enumerate(histories)
        if (row := (history[1], history[2])[poll]) is not None
    ]


async def poll_twice(count: int, histories: Histories, result_of: Callable[[Shard], Any], **setting: Any) -> list[Any]:
    """Poll an account twice with some shards; return a result of each shard."""
    account = Account()
    async with shards(account, count, profile_series=True, **setting) as created:
        for poll in (0, 1):
            account.current_rows = rows_at(histories, poll)
            for shard in created:
                await shard.poll()
        return [result_of(shard) for shard in created]


def scrapes(count: int, histories: Histories, **setting: Any) -> list[Scrape]:
    return asyncio.run(poll_twice(count, histories, Shard.scrape, **setting))


def select(scrape: Scrape, predicate: Callable[[str], bool]) -> Samples:
    """Return the samples whose name without the prefix satisfies a predicate."""
    return {key: value for key, value in scrape.samples.items() if predicate(key[0].removeprefix(PREFIX))}


def is_of_session(name: str) -> bool:
    return name.startswith("session_")


def sum_of(parts: Sequence[Samples]) -> Mapping[SampleKey, float]:
    total: Counter[SampleKey] = Counter()
    for samples in parts:
        for key, value in samples.items():
            total[key] += value  # type: ignore[assignment]  # typeshed's Counter has int values
    return total


# Each example runs many exporters and parses their pages: with fewer examples than by default, it takes seconds.
few = settings(max_examples=25)
arguments = given(st.integers(2, 6), histories, st.booleans(), st.integers(2, 4))


@few
@arguments
def test_all_shards_together_export_each_session_once_and_as_a_single_exporter_does(
    count: int, histories: Histories, keyset: bool, limit: int
) -> None:
    (single,) = scrapes(1, histories, keyset=keyset, page_limit=limit)
    parts = [select(part, is_of_session) for part in scrapes(count, histories, keyset=keyset, page_limit=limit)]
    merged = {key: value for part in parts for key, value in part.items()}
    assert sum(map(len, parts)) == len(merged)
    assert merged == select(single, is_of_session)


@few
@arguments
def test_totals_and_counters_of_all_shards_add_up_to_those_of_a_single_exporter(
    count: int, histories: Histories, keyset: bool, limit: int
) -> None:
    (single,) = scrapes(1, histories, keyset=keyset, page_limit=limit, detail="account")
    parts = scrapes(count, histories, keyset=keyset, page_limit=limit, detail="account")

    def is_summed(name: str) -> bool:
        return PREFIX + name in SUMMED

    assert sum_of([select(part, is_summed) for part in parts]) == select(single, is_summed)


@few
@arguments
def test_streams_of_all_shards_combine_to_those_of_a_single_exporter(
    count: int, histories: Histories, keyset: bool, limit: int
) -> None:
    (single,) = scrapes(1, histories, keyset=keyset, page_limit=limit, detail="stream")
    parts = scrapes(count, histories, keyset=keyset, page_limit=limit, detail="stream")
    not_summed = MINIMUM | MAXIMUM | OF_LATEST_SESSION | UNION | NOT_IN_SHARDS
    assert not any(select(part, NOT_IN_SHARDS.__contains__) for part in parts)

    def is_summed(name: str) -> bool:
        return name.startswith("stream_") and name not in not_summed

    assert sum_of([select(part, is_summed) for part in parts]) == select(single, is_summed)
    for names, combine in ((MINIMUM, min), (MAXIMUM, max), (UNION, max)):
        values: defaultdict[SampleKey, list[float]] = defaultdict(list)
        for part in parts:
            for key, value in select(part, names.__contains__).items():
                values[key].append(value)
        assert {key: combine(each) for key, each in values.items()} == select(single, names.__contains__)
    assert of_latest_sessions(parts) == of_latest_sessions([single])


def of_latest_sessions(parts: Sequence[Scrape]) -> Samples:
    """Return the samples of each stream's latest session, from the shard that has it."""
    latest: dict[str | None, tuple[float, Scrape]] = {}
    for part in parts:
        for labels, created in part.all("stream_created_timestamp_seconds"):
            stream = labels.get("stream_id")
            latest[stream] = max(latest.get(stream, (0.0, part)), (created, part), key=lambda each: each[0])
    return {
        key: value
        for stream, (_, part) in latest.items()
        for key, value in select(part, OF_LATEST_SESSION.__contains__).items()
        if dict(key[1]).get("stream_id") == stream
    }


def response_sizes(shard: Shard) -> dict[str, list[int]]:
    """Return the sizes of the pages of the last poll, by walk."""
    return dict(shard.transport.sizes)


@few
@given(st.integers(2, 6), histories, st.integers(2, 6))
def test_all_shards_together_read_the_account_once_and_at_most_one_page_more_each(
    count: int, histories: Histories, limit: int
) -> None:
    (single,) = asyncio.run(poll_twice(1, histories, response_sizes, page_limit=limit, walk_concurrency=1))
    parts = asyncio.run(poll_twice(count, histories, response_sizes, page_limit=limit, walk_concurrency=1))
    for walk, pages in single.items():
        sizes = [size for part in parts for size in part[walk]]
        assert len(sizes) <= len(pages) + count
        assert sum(sizes) <= sum(pages) + count * max(sizes)


@pytest.mark.parametrize("count", [2, 4])
@in_loop
async def test_shards_that_read_a_large_account_in_parts_read_at_most_one_page_more_each(count: int) -> None:
    account = Account(bulk_rows(4_000, 7, START))
    page_counts, border_requests = [], 0
    for shard_count in (1, count):
        async with shards(account, shard_count, page_limit=50) as created:
            for shard in created:
                await shard.poll()
                border_requests += shard.transport.border_requests
            page_counts.append([len(pages) for shard in created for pages in shard.transport.sizes.values()])
    walks = len(page_counts[0])
    assert walks == 3
    assert border_requests == 0
    assert sum(page_counts[1]) <= sum(page_counts[0]) + walks * count


@in_loop
async def test_without_keyset_pagination_each_shard_reads_up_to_the_end_of_its_part_and_exports_only_this() -> None:
    account = Account(bulk_rows(400, 7, START))
    async with shards(account, 4, keyset=False, page_limit=20) as created:
        exported, page_counts = [], []
        for shard in created:
            await shard.poll()
            exported.append(shard.scrape().sessions())
            page_counts.append(max(map(len, shard.transport.sizes.values())))
    assert sum(map(len, exported)) == len(set().union(*exported)) == 400
    assert all(50 < len(part) < 150 for part in exported)
    assert page_counts == sorted(page_counts)

"""The lifecycle metrics on the page, at every level of detail, read by prometheus-client's OpenMetrics parser."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from prometheus_client.core import Sample
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from exporter.livepeer.id_range import ALL_IDS
from exporter.livepeer.query import Scope
from exporter.metrics.catalogue import PREFIX, SESSION_LIFE_FAMILIES, STREAM_LIFE_FAMILIES
from exporter.metrics.catalogue.lifecycle import ACCOUNT_LIFE_FAMILIES
from exporter.metrics.page_store import PageStore
from exporter.metrics.process import Process
from exporter.metrics.text_format import Format
from exporter.sessions.session import Session
from tests.support.accounts import Accounts, FakeClient, session
from tests.support.rows import START

Page = dict[str, tuple[str, dict[tuple[str, ...], float]]]

SESSIONS = {each.name.removeprefix(PREFIX) for each in SESSION_LIFE_FAMILIES}
STREAMS = {each.name.removeprefix(PREFIX).removesuffix("_total") for each in STREAM_LIFE_FAMILIES}
ACCOUNTS = {each.name.removeprefix(PREFIX).removesuffix("_total") for each in ACCOUNT_LIFE_FAMILIES}
NOT_IN_SHARDS = {
    each.name.removeprefix(PREFIX).removesuffix("_total")
    for each in (*STREAM_LIFE_FAMILIES, *ACCOUNT_LIFE_FAMILIES)
    if not each.in_shards
}


def parsed(pages: PageStore) -> Page:
    """Return type and samples of each family; samples by name suffix and the labels after the account."""
    process = Process(revision="r", series=pages.series, series_limit=1, shard=(0, 1), now=lambda: 1.0)
    text = b"".join((*pages.page(Format.OPENMETRICS).plain(), process.tail(Format.OPENMETRICS))).decode()
    return {
        family.name.removeprefix(PREFIX): (
            family.type,
            {_key(each, family.name): each.value for each in family.samples},
        )
        for family in parse_openmetrics(text)  # type: ignore[no-untyped-call]
        if family.samples
    }


def _key(sample: Sample, family: str) -> tuple[str, ...]:
    labels = [value for name, value in sample.labels.items() if name != "account"]
    return (sample.name.removeprefix(family), *labels)


def polled(polls: Sequence[Sequence[Session]], **changes: Any) -> Page:
    """Return the page after polls of an account, 30 seconds apart; the server's time is that of the first."""
    accounts, client = Accounts(), FakeClient()
    poller = accounts.poller(client, **changes)
    for sessions in polls:
        client.result = sessions
        asyncio.run(poller.poll())
        accounts.time.advance(30)
    return parsed(accounts.pages)


UNHEALTHY = session(1, is_healthy=False, source_bytes=5000.0)
POLLS = [
    [session(1), session(2, source_segments_duration=60.0)],
    [UNHEALTHY, session(2, last_seen=(START - 200) * 1000, source_segments_duration=60.0)],
    [UNHEALTHY],
]


@pytest.mark.parametrize(
    ("detail", "present", "absent"),
    [
        ("session", SESSIONS | STREAMS | ACCOUNTS, set()),
        ("stream", STREAMS | ACCOUNTS, SESSIONS),
        ("account", ACCOUNTS, SESSIONS | STREAMS),
    ],
)
def test_each_level_of_detail_has_its_lifecycle_metrics(detail: str, present: set[str], absent: set[str]) -> None:
    page = polled(POLLS, detail=detail)
    assert present <= page.keys()
    assert not absent & page.keys()


def test_a_shard_has_only_what_adds_up_over_shards() -> None:
    part = ALL_IDS.split(2)[0]
    page = polled(POLLS, scope=Scope(3600.0, 14_400.0, ids=part))
    assert NOT_IN_SHARDS
    assert not NOT_IN_SHARDS & page.keys()
    assert page.keys() >= (SESSIONS | STREAMS | ACCOUNTS) - NOT_IN_SHARDS


def test_the_counters_of_streams_are_counters_in_openmetrics() -> None:
    page = polled(POLLS)
    kind, samples = page["stream_observed_seconds"]
    assert kind == "counter"
    assert samples["_total", "parent-1", "healthy"] == 30
    assert samples["_total", "parent-1", "unhealthy"] == 30
    assert page["stream_unhealthy_episodes"] == ("counter", {("_total", "parent-1"): 1})
    assert page["stream_observed_source_bytes"][1]["_total", "parent-1"] == 4000


def test_the_histograms_are_histograms_in_openmetrics() -> None:
    page = polled(POLLS)
    kind, samples = page["ended_session_duration_seconds"]
    assert kind == "histogram"
    assert samples["_count",] == 1
    assert samples["_sum",] == 60
    assert [samples["_bucket", bound] for bound in ("30.0", "60.0", "+Inf")] == [0, 1, 1]


def test_a_stream_without_sessions_in_the_window_is_not_on_the_page() -> None:
    assert {name[1] for name in polled(POLLS)["stream_sessions_started"][1]} == {"parent-1"}

"""What the soak goes by is right: its truth, its faults, its judgement."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from tests.docs.test_reliability import IDS
from tests.soak.faults import FAULTS, Fault
from tests.soak.turnover import COUNTERS, Turnover
from tests.soak.vitals import Vitals, grown
from tests.support.rows import START, encoded, row
from tests.support.upstream import reply


def test_the_truth_is_what_all_sessions_have_grown_by() -> None:
    crowd = Turnover(random.Random(1), rate=4, memory=300, now=START)
    before = {each["id"]: each for each in crowd.rows()}
    for second in range(200):
        crowd.advance(START + second)
    after = {each["id"]: each for each in crowd.rows()}
    nothing = row(sourceBytes=0, recordingStatus="waiting")
    grown_by = sum(each["sourceBytes"] - before.get(name, nothing)["sourceBytes"] for name, each in after.items())
    ready = Counter(
        each["recordingStatus"]
        for name, each in after.items()
        if before.get(name, nothing)["recordingStatus"] == "waiting"
    )
    assert crowd.truth["source_bytes_total"] == grown_by
    assert crowd.truth["sessions_started_total"] == len(after.keys() - before.keys())
    assert crowd.truth['recordings_finished_total{result="ready"}'] == ready["ready"]
    assert set(crowd.truth) == set(COUNTERS)


def test_a_crowd_is_as_large_at_the_beginning_as_later() -> None:
    crowd = Turnover(random.Random(1), rate=4, memory=60, now=START)
    size = len(crowd.rows())
    for second in range(300):
        crowd.advance(START + second)
    assert 0.8 * size < len(crowd.rows()) < 1.25 * size


def test_every_fault_is_one_of_the_matrix() -> None:
    assert {fault.id for fault in FAULTS} <= set(IDS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_every_fault_changes_what_is_written(fault: Fault) -> None:
    fields = {"kind": "session", "projectId": "project-1"}
    rows = [row(number, **fields) for number in range(100)]
    whole = reply(encoded(rows))
    if fault.content is not None:
        assert fault.content(rows, random.Random(1)) != encoded(rows)
    else:
        assert fault.wire is not None
        pieces = fault.wire(whole, random.Random(1))
        assert asyncio.run(first(pieces)) != whole


async def first(pieces: AsyncIterator[bytes]) -> bytes:
    return await anext(pieces)


@pytest.mark.parametrize(
    ("last", "names"),
    [
        (Vitals(60_000, 10, 2, 5), []),
        (Vitals(90_000, 10, 2, 5), ["rss"]),
        (Vitals(60_000, 30, 3, 40), ["descriptors", "threads", "tasks"]),
    ],
)
def test_what_has_grown_is_named(last: Vitals, names: list[str]) -> None:
    assert grown(Vitals(60_000, 10, 2, 5), last) == names

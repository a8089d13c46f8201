"""Tests of the parts of a soak: the true values, the faults, the checks of the process."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from tests.docs.test_reliability import IDS
from tests.soak.faults import FAULTS, Fault
from tests.soak.process_stats import ProcessStats, grown_resources
from tests.soak.turnover import COUNTERS, Turnover
from tests.support.rows import START, encoded, row
from tests.support.upstream import reply


def test_the_truth_is_the_increase_of_all_sessions() -> None:
    turnover = Turnover(random.Random(1), rate=4, retention=300, now=START)
    before = {each["id"]: each for each in turnover.rows()}
    for second in range(200):
        turnover.advance(START + second)
    after = {each["id"]: each for each in turnover.rows()}
    unseen = row(sourceBytes=0, recordingStatus="waiting")
    increase = sum(each["sourceBytes"] - before.get(name, unseen)["sourceBytes"] for name, each in after.items())
    ready = Counter(
        each["recordingStatus"]
        for name, each in after.items()
        if before.get(name, unseen)["recordingStatus"] == "waiting"
    )
    assert turnover.truth["source_bytes_total"] == increase
    assert turnover.truth["sessions_started_total"] == len(after.keys() - before.keys())
    assert turnover.truth['recordings_finished_total{result="ready"}'] == ready["ready"]
    assert set(turnover.truth) == set(COUNTERS)


def test_the_number_of_sessions_is_constant() -> None:
    turnover = Turnover(random.Random(1), rate=4, retention=60, now=START)
    size = len(turnover.rows())
    for second in range(300):
        turnover.advance(START + second)
    assert 0.8 * size < len(turnover.rows()) < 1.25 * size


def test_every_fault_has_a_row_in_the_matrix() -> None:
    assert {fault.id for fault in FAULTS} <= set(IDS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_every_fault_changes_the_response(fault: Fault) -> None:
    fields = {"kind": "session", "projectId": "project-1"}
    rows = [row(number, **fields) for number in range(100)]
    valid = reply(encoded(rows))
    if fault.content is not None:
        assert fault.content(rows, random.Random(1)) != encoded(rows)
    else:
        assert fault.response is not None
        sent = fault.response(valid, random.Random(1))
        assert asyncio.run(first(sent)) != valid


async def first(sent: AsyncIterator[bytes]) -> bytes:
    return await anext(sent)


@pytest.mark.parametrize(
    ("last", "names"),
    [
        (ProcessStats(60_000, 10, 2, 5), []),
        (ProcessStats(90_000, 10, 2, 5), ["rss"]),
        (ProcessStats(60_000, 30, 3, 40), ["descriptors", "threads", "tasks"]),
    ],
)
def test_the_resources_that_have_grown_are_reported(last: ProcessStats, names: list[str]) -> None:
    assert grown_resources(ProcessStats(60_000, 10, 2, 5), last) == names

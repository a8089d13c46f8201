"""Tests of the parts of a soak: the true values, the faults, the checks of the process."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from exporter.metrics.catalogue import PREFIX
from exporter.simulator.table import encode_page
from tests.docs.test_reliability import IDS
from tests.soak.faults import FAULTS, MAX_RECORDED, Fault
from tests.soak.process_stats import ProcessStats, grown_resources, is_rising, trend
from tests.soak.report import ACCOUNT, MAX_LINES_PER_MINUTE, Report
from tests.soak.scraper import ScrapeResults
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


@pytest.mark.parametrize("fault", [each for each in FAULTS if each.response or each.content], ids=lambda each: each.id)
def test_every_fault_changes_the_response(fault: Fault) -> None:
    fields = {"kind": "session", "projectId": "project-1"}
    rows = [row(number, **fields) for number in range(MAX_RECORDED + 1)]
    valid = reply(encode_page(rows), headers={"Date": "Sun, 01 Mar 2026 00:00:00 GMT"})
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


def test_a_rising_trend_of_the_memory_is_reported() -> None:
    first = ProcessStats(60_000, 10, 2, 5)
    assert trend([60_000.0, 60_500.0, 61_000.0]) == pytest.approx(1000.0)
    assert not is_rising(first, trend([60_000.0, 66_000.0, 60_000.0]))
    assert is_rising(first, trend([60_000.0 + 100 * each for each in range(120)]))


@pytest.mark.parametrize("changed", [{"exit_code": 1}, {"disturbance_problems": ["V01"]}, {"rss_trend": 90_000.0}])
def test_a_finding_fails_the_soak(changed: dict[str, Any]) -> None:
    assert report().passed
    assert not report(**changed).passed
    assert report(**changed).table()


def test_too_many_log_lines_fail_the_soak() -> None:
    assert report(log_lines={"poll": int(2 * MAX_LINES_PER_MINUTE)}).passed
    assert not report(log_lines={"poll": int(2 * MAX_LINES_PER_MINUTE) + 1}).passed


def report(**changed: Any) -> Report:
    """Return a report without findings, except for what is changed."""
    stats = ProcessStats(60_000, 10, 2, 5)
    page = {}
    for name in COUNTERS:
        family, _, labels = name.rstrip("}").partition("{")
        page[f"{PREFIX}{family}{{" + ",".join(filter(None, (ACCOUNT, labels))) + "}"] = 1.0
    good: dict[str, Any] = {
        "seed": 1,
        "minutes": 2.0,
        "total_minutes": 2.0,
        "exit_code": 0,
        "rss_trend": 0.0,
        "first_quarter": stats,
        "last_quarter": stats,
        "maximum": stats,
        "by_minute": [stats],
        "scrapes": [ScrapeResults(scrapes=1)],
        "disturbances": {},
        "disturbance_problems": [],
        "log_lines": {},
        "page": page,
        "truth": dict.fromkeys(COUNTERS, 1.0),
        "faulty_requests": {},
        "unauthorized_requests": 0,
        "key_findings": 0,
    }
    return Report(**(good | changed))

"""A small part of `make fuzz` in every run of the test suite, with fixed seeds."""

import asyncio
import time

import pytest

from tests.fuzz import lifecycle_fuzzer, page_fuzzer, pages, request_fuzzer, requests, schedule_fuzzer
from tests.fuzz.loop_blocks import measured_blocks


def test_random_pages_cause_no_problem() -> None:
    results = page_fuzzer.fuzz_pages(1000, 100, seed=1)
    assert results.problems == []
    assert results.pages.total() == 1000
    assert results.polls.total() >= 10
    assert set(results.pages) == set(pages.GENERATORS)


@pytest.mark.process
def test_random_requests_cause_no_problem() -> None:
    results = request_fuzzer.fuzz_requests(300, seed=1)
    assert results.problems == []
    assert results.requests.total() == 300
    assert set(results.requests) == set(requests.GENERATORS)
    assert results.parsed


@pytest.mark.untraced
def test_D07_no_session_is_missed_or_read_by_two_shards_in_random_schedules() -> None:
    results = schedule_fuzzer.fuzz_schedules(200, seed=1)
    assert results.problems == []
    assert results.schedules.total() == 200
    assert len(results.schedules) == 12  # both collations, both ways of pagination, 1, 2 and 4 shards
    assert results.refused <= 2


def test_random_histories_have_the_lifecycle_of_the_model() -> None:
    results = lifecycle_fuzzer.fuzz_lifecycles(10, seed=5000)
    assert results.problems == []
    assert results.comparisons > 1000
    assert min(results.events.values()) > 0


@pytest.mark.untraced
def test_V02_blocks_of_the_event_loop_are_measured() -> None:
    async def block() -> float:
        async with measured_blocks() as blocks:
            end = time.thread_time() + 0.05
            while time.thread_time() < end:
                pass
            await asyncio.sleep(0)
        return blocks.longest

    assert asyncio.run(block()) >= 0.05


def test_a_page_is_determined_by_seed_and_number() -> None:
    assert page_fuzzer.page(7, 8) == page_fuzzer.page(7, 8)


def test_a_request_is_determined_by_seed_and_number() -> None:
    assert request_fuzzer.request(7, 8) == request_fuzzer.request(7, 8)


def test_a_lone_surrogate_in_place_of_a_number_is_dropped() -> None:
    results = page_fuzzer.PageResults()
    page_fuzzer.decode(b'[{"id": "a", "createdAt": "\\ud800", "profiles": [{"width": "\\ud800"}]}]', results)
    assert (results.sessions, results.dropped) == (1, 2)

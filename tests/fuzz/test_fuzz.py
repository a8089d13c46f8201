"""A taste of `make fuzz` for every run of the suite, with fixed seeds."""

import pytest

from tests.fuzz import asking, pages, reading, requests


def test_pages_made_up_at_random_break_nothing() -> None:
    found = reading.read_pages(1000, 100, seed=1)
    assert found.problems == []
    assert found.pages.total() == 1000
    assert found.polls.total() == 10
    assert set(found.pages) == set(pages.MAKERS)


@pytest.mark.process
def test_requests_made_up_at_random_break_nothing() -> None:
    found = asking.ask(300, seed=1)
    assert found.problems == []
    assert found.requests.total() == 300
    assert set(found.requests) == set(requests.MAKERS)
    assert found.parsed


def test_a_page_and_a_request_can_be_made_again_by_seed_and_number() -> None:
    assert reading.page(7, 8) == reading.page(7, 8)
    assert asking.request(7, 8) == asking.request(7, 8)


def test_half_a_surrogate_pair_in_the_place_of_a_number_is_left_out() -> None:
    found = reading.Readings()
    reading.read(b'[{"id": "a", "createdAt": "\\ud800", "profiles": [{"width": "\\ud800"}]}]', found)
    assert (found.sessions, found.left_out) == (1, 2)

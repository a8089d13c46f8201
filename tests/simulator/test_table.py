"""Pages and order are those that were observed on the real API; one test per observation."""

import pytest

from exporter.simulator.collation import COLLATIONS, icu_en_us
from tests.simulator.api_requests import error, filters, get, numbers, row, rows_of


def test_a_full_page_links_to_the_next_one_with_http_on_the_host_of_the_request() -> None:
    response = get(rows_of(5), limit=2, order="id-false", host="anything.test:8443")
    link = "<http://anything.test:8443/api/session?limit=2&order=id-false&cursor=skip2>"
    assert response.headers["link"] == f'{link}; rel="next"'


def test_a_link_replaces_the_cursor_of_the_request() -> None:
    assert "cursor=skip4>" in get(rows_of(5), limit=2, cursor="skip2").headers["link"]


def test_a_full_last_page_links_to_an_empty_page_without_link() -> None:
    assert "cursor=skip4>" in get(rows_of(4), limit=2, cursor="skip2").headers["link"]
    after = get(rows_of(4), limit=2, cursor="skip4")
    assert after.json() == []
    assert "link" not in after.headers


def test_a_page_that_is_not_full_has_no_link() -> None:
    assert "link" not in get(rows_of(3), limit=4).headers


def test_offset_cursors_skip_rows() -> None:
    assert numbers(get(rows_of(9), limit=3, order="id-false", cursor="skip3")) == [4, 5, 6]


@pytest.mark.parametrize("cursor", ["skipabc", "skip", "skip-1", "skip1.5"])
def test_an_invalid_offset_is_an_internal_error(cursor: str) -> None:
    assert error(get(rows_of(3), cursor=cursor)) == (500, "Internal server error: error")


def test_any_other_cursor_is_the_id_before_the_page() -> None:
    response = get(rows_of(9), limit=3, order="id-false", cursor=row(4)["id"])
    assert numbers(response) == [5, 6, 7]


def test_the_id_of_a_cursor_need_not_exist() -> None:
    rows = [row(1, id="1a"), row(2, id="7f"), row(3, id="c0")]
    assert [item["id"] for item in get(rows, order="id-false", cursor="8").json()] == ["c0"]


def test_an_id_cursor_filters_by_id_in_any_order() -> None:
    response = get(rows_of(9), order="lastSeen-true", cursor=row(6)["id"])
    assert numbers(response) == [9, 8, 7]


def test_the_link_of_a_page_after_an_id_has_an_unusable_offset() -> None:
    assert "cursor=skip3>" in get(rows_of(9), limit=3, order="id-false", cursor=row(4)["id"]).headers["link"]


def test_the_total_is_sent_only_on_request() -> None:
    assert get(rows_of(30), count="1").headers["x-total-count"] == "30"
    assert "x-total-count" not in get(rows_of(30)).headers


def test_the_total_is_that_of_the_filtered_rows() -> None:
    wanted = filters({"id": "record", "value": True})
    assert get(rows_of(30), count="1", filters=wanted).headers["x-total-count"] == "15"


def test_a_page_without_rows_has_no_total() -> None:
    assert "x-total-count" not in get(rows_of(30), count="1", cursor="skip30").headers


def test_with_an_id_cursor_the_total_is_that_of_the_rows_after_it() -> None:
    response = get(rows_of(30), count="1", order="id-false", limit=2, cursor=row(20)["id"])
    assert response.headers["x-total-count"] == "10"


def test_the_default_order_is_the_most_recently_seen_and_then_created_first() -> None:
    rows = [row(1, lastSeen=5), row(2, lastSeen=9), row(3, lastSeen=5)]
    assert numbers(get(rows)) == [2, 3, 1]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("id-false", [1, 2, 3]),
        ("id-true", [3, 2, 1]),
        ("record-true,id-false", [2, 1, 3]),
        ("nonsense-true,id-true", [3, 2, 1]),
        ("issues-true", [1, 2, 3]),
        ("id", [1, 2, 3]),
        ("name-false", [1, 2, 3]),
    ],
)
def test_unknown_fields_of_the_order_are_ignored(order: str, expected: list[int]) -> None:
    assert numbers(get(rows_of(3), order=order)) == expected


@pytest.mark.parametrize("value", [None, "yesterday", True])
def test_one_invalid_last_seen_fails_the_default_order(value: object) -> None:
    assert error(get([*rows_of(3), row(4, lastSeen=value)]))[0] == 500


def test_an_invalid_last_seen_does_not_fail_a_query_whose_filters_exclude_it() -> None:
    rows = [*rows_of(2), row(3, lastSeen=None)]
    response = get(rows, filters=filters({"id": "parentId", "value": "parent-1"}))
    assert numbers(response) == [1]


def test_an_invalid_last_seen_does_not_affect_the_order_by_id() -> None:
    assert numbers(get([*rows_of(2), row(3, lastSeen=None)], order="id-false")) == [1, 2, 3]


def test_a_missing_last_seen_is_ordered_as_zero() -> None:
    rows = rows_of(2)
    del rows[1]["lastSeen"]
    assert numbers(get(rows)) == [1, 2]


def test_ids_are_sorted_by_the_collation_of_the_database() -> None:
    rows = [row(number, id=session_id) for number, session_id in enumerate(("b1", "A1", "a1", "B1", "1a"))]
    in_order = {
        name: [each["id"] for each in get(rows, order="id-false", app={"collation": collation}).json()]
        for name, collation in COLLATIONS.items()
    }
    assert in_order == {"C": ["1a", "A1", "B1", "a1", "b1"], "en-US": ["1a", "a1", "A1", "b1", "B1"]}


@pytest.mark.parametrize("order", ["id-false", "lastSeen-false"])
def test_an_id_cursor_is_compared_by_the_collation_of_the_database(order: str) -> None:
    rows = [row(number, id=session_id) for number, session_id in enumerate(("a1", "A1", "b1", "B1"))]
    response = get(rows, order=order, cursor="A1", app={"collation": icu_en_us})
    assert [each["id"] for each in response.json()] == ["b1", "B1"]

"""Limits and filters are parsed as was observed on the real API; one test per observation."""

from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from tests.simulator.api_requests import error, filters, get, numbers, row, rows_of


@pytest.mark.parametrize(
    ("limit", "count"),
    [("7", 7), ("1000", 1000), ("1001", 1000), ("99999999999999999999", 1000), ("7abc", 7)]
    + [(invalid, 20) for invalid in ("", "abc", "0", "-5", "NaN")],
)
def test_the_limit_is_at_most_1000_and_20_if_it_is_invalid(limit: str, count: int) -> None:
    assert len(get(rows_of(1100), limit=limit).json()) == count


def test_the_default_limit_is_20() -> None:
    assert len(get(rows_of(30)).json()) == 20


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([{"id": "lastSeen", "value": 3000}], [3]),
        ([{"id": "lastSeen", "value": {"gt": 3000}}], [4, 5]),
        ([{"id": "lastSeen", "value": {"gte": 3000}}], [3, 4, 5]),
        ([{"id": "lastSeen", "value": {"lt": 3000}}], [1, 2]),
        ([{"id": "lastSeen", "value": {"lte": 3000}}], [1, 2, 3]),
        ([{"id": "lastSeen", "value": {"gt": 1000, "lt": 4000}}], [2, 3]),
        ([{"id": "lastSeen", "value": {}}], [1, 2, 3, 4, 5]),
        ([{"id": "lastSeen", "value": {"gte": None}}], []),
        ([{"id": "createdAt", "value": {"gte": 2000}}], [4, 5]),
        ([{"id": "parentId", "value": "parent-2"}], [2, 5]),
        ([{"id": "parentId", "value": 2}], []),
        ([{"id": "id", "value": row(4)["id"]}], [4]),
        ([{"id": "record", "value": True}], [2, 4]),
        ([{"id": "record", "value": False}], [1, 3, 5]),
        ([{"id": "name", "value": "NAME _"}], [1, 2, 3, 4, 5]),
        ([{"id": "record", "value": True}, {"id": "lastSeen", "value": {"gte": 3000}}], [4]),
        ([], [1, 2, 3, 4, 5]),
    ],
)
def test_rows_match_all_filters(conditions: list[dict[str, Any]], expected: list[int]) -> None:
    assert numbers(get(rows_of(5), order="id-false", filters=filters(*conditions))) == expected


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "{}",
        "7",
        "[7]",
        "[null]",
        "[NaN]",
        "[" * 5_000,
        filters({"id": "lastSeen"}),
        filters({"value": 1}),
        filters({"id": "lastSeen", "value": {"eq": 1}}),
        filters({"id": "lastSeen", "value": {"about": 1}}),
        filters({"id": "record", "value": "true"}),
        *(filters({"id": field, "value": True}) for field in ("isHealthy", "playbackId", "issues", "nonsense")),
    ],
    ids=lambda text: text[:40],
)
def test_a_bad_filter_is_a_bad_request(text: str) -> None:
    status, reason = error(get(rows_of(1), filters=text))
    assert status == 400
    assert reason.startswith("error parsing filters: ")


@pytest.mark.parametrize("value", [{"gte": "abc"}, "abc", {"gte": []}])
def test_a_number_compared_with_a_text_is_an_internal_error(value: object) -> None:
    assert error(get(rows_of(1), filters=filters({"id": "lastSeen", "value": value})))[0] == 500


def test_values_that_are_not_numbers_are_compared_as_jsonb() -> None:
    kinds: tuple[Any, ...] = (None, "9999", 1, 9, True, [], {}, msgspec.Raw(b"9"))
    rows = [row(number, lastSeen=value) for number, value in enumerate(kinds)]
    for comparison, expected in (("gte", [3, 4, 5, 6]), ("lt", [0, 1, 2])):
        wanted = filters({"id": "lastSeen", "value": {comparison: 5}})
        found = [int(item["id"][:8], 16) for item in get(rows, order="id-false", filters=wanted).json()]
        assert found == expected


def test_filters_use_the_outdated_recording_status_in_the_database() -> None:
    rows = [row(2, recordingStatus="ready"), row(3, recordingStatus="ready")]
    assert numbers(get(rows, filters=filters({"id": "recordingStatus", "value": "waiting"}))) == [2]
    assert numbers(get(rows, filters=filters({"id": "recordingStatus", "value": "ready"}))) == []


def test_filters_may_be_percent_encoded_twice() -> None:
    assert numbers(get(rows_of(3), filters=quote(filters({"id": "lastSeen", "value": 2000})))) == [2]


def test_last_seen_filters_do_not_find_sessions_that_were_never_seen() -> None:
    rows = [row(1), row(2, lastSeen=0), row(3, lastSeen=0, createdAt=1)]
    del rows[2]["lastSeen"]
    assert numbers(get(rows, filters=filters({"id": "lastSeen", "value": {"gte": 500}}))) == [1]
    pending = filters({"id": "createdAt", "value": {"gte": 500}}, {"id": "lastSeen", "value": 0})
    assert numbers(get(rows, filters=pending)) == [2]


def test_the_parent_parameter_is_a_filter() -> None:
    assert numbers(get(rows_of(5), order="id-false", parentId="parent-2")) == [2, 5]
    assert get(rows_of(5), parentId="unknown").json() == []

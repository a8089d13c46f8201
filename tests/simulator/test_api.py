"""The simulator behaves as was observed on the real API; one test per observation."""

import asyncio
import json
from collections.abc import Sequence
from email.utils import formatdate
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.simulator.api import Row, create_app
from exporter.simulator.serve import serving

KEY = "synthetic-key-of-the-tests"
NOW = 1_800_000_000.0
ERRORS_TYPE = "application/json; charset=utf-8"


class FixedSource:
    """Constant rows, and the times at which they were requested."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self.times: list[float] = []

    def rows(self, now: float) -> Sequence[Row]:
        self.times.append(now)
        return self._rows


def row(number: int, **fields: Any) -> Row:
    return {
        "id": f"{number:08x}-0000-4000-8000-000000000000",
        "name": f"name {number}",
        "lastSeen": 1_000 * number,
        "createdAt": 500 * number,
        "parentId": f"parent-{number % 3}",
        "record": number % 2 == 0,
        "parentStream": {"streamKey": f"synthetic-{number}"},
    } | fields


def rows_of(count: int) -> list[Row]:
    return [row(number) for number in range(1, count + 1)]


def get(
    rows: Sequence[Row],
    path: str = "/session",
    *,
    authorization: str | None = f"Bearer {KEY}",
    host: str = "studio.test",
    method: str = "GET",
    **parameters: Any,
) -> httpx.Response:
    app = create_app(
        FixedSource(rows),
        key=KEY,
        now=lambda: NOW,
        restricted=frozenset({"restricted-key"}),
        orphaned=frozenset({"orphaned-key"}),
    )
    headers = {"Authorization": authorization} if authorization is not None else {}

    async def request() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=f"https://{host}") as client:
            return await client.request(method, f"/api{path}", params=parameters or None, headers=headers)

    return asyncio.run(request())


def numbers(response: httpx.Response) -> list[int]:
    assert response.status_code == 200, response.text
    return [int(item["id"][:8], 16) for item in response.json()]


def filters(*conditions: dict[str, Any]) -> str:
    return json.dumps(conditions)


def error(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == ERRORS_TYPE
    (text,) = response.json()["errors"]
    assert list(response.json()) == ["errors"]
    return response.status_code, text


# Credentials


@pytest.mark.parametrize("header", [None, "", "Bearer", KEY, "Bearer "])
def test_a_missing_or_malformed_header_is_not_authenticated(header: str | None) -> None:
    assert error(get([], authorization=header)) == (401, "request is not authenticated")


def test_an_unknown_key_is_repeated_in_the_error() -> None:
    assert error(get([], authorization="Bearer wrong")) == (401, "no token wrong found")


def test_the_whole_header_is_repeated_if_the_user_of_the_key_is_deleted() -> None:
    status, text = error(get([], authorization="Bearer orphaned-key"))
    assert status == 401
    assert text.endswith(": Bearer orphaned-key")


def test_another_scheme_is_not_supported() -> None:
    assert error(get([], authorization=f"Digest {KEY}"))[0] == 401


def test_a_restricted_key_is_forbidden() -> None:
    assert error(get([], authorization="Bearer restricted-key"))[0] == 403


def test_a_single_session_requires_the_key_too() -> None:
    assert error(get(rows_of(1), f"/session/{row(1)['id']}", authorization="Bearer wrong"))[0] == 401


def test_authentication_errors_have_no_challenge_and_no_retry_after() -> None:
    response = get([], authorization=None)
    assert "www-authenticate" not in response.headers
    assert "retry-after" not in response.headers


# Headers and bodies


def test_the_list_is_an_array_of_sessions_with_their_parent_streams() -> None:
    response = get(rows_of(2))
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert [item["parentStream"]["streamKey"] for item in response.json()] == ["synthetic-2", "synthetic-1"]


def test_no_response_is_compressed() -> None:
    assert "content-encoding" not in get(rows_of(50)).headers


@pytest.mark.parametrize("parameters", [{}, {"filters": "no json"}, {"cursor": "skipabc"}])
def test_every_response_has_one_date_of_the_simulated_clock(parameters: dict[str, str]) -> None:
    assert get(rows_of(1), **parameters).headers.get_list("date") == [formatdate(NOW, usegmt=True)]


def test_the_keep_alive_timeout_is_five_seconds() -> None:
    assert get([]).headers["keep-alive"] == "timeout=5"


def test_free_text_is_returned_unchanged() -> None:
    name = 'two\nlines, "quotes", \\ and \x07 and 🍲' + "x" * 3000
    assert get([row(1, name=name)]).json()[0]["name"] == name


def test_a_lone_surrogate_is_escaped_as_javascript_does() -> None:
    assert b'"\\ud800"' in get([row(1, name="\ud800")]).content


def test_raw_values_are_sent_unchanged() -> None:
    assert b'"sourceBytes":1e400,' in get([row(1, sourceBytes=msgspec.Raw(b"1e400"), z=1)]).content


def test_a_single_session_has_no_parent_stream() -> None:
    session = get(rows_of(3), f"/session/{row(2)['id']}").json()
    assert session == {field: value for field, value in row(2).items() if field != "parentStream"}


@pytest.mark.parametrize("path", ["/session/unknown", "/sessions", "/session/", "/session/a/b", ""])
def test_unknown_paths_and_ids_are_not_found(path: str) -> None:
    assert error(get(rows_of(3), path)) == (404, "not found")


def test_another_method_is_not_found() -> None:
    assert error(get(rows_of(3), method="POST"))[0] == 404


# Pages


@pytest.mark.parametrize(
    ("limit", "count"),
    [("7", 7), ("1000", 1000), ("1001", 1000), ("99999999999999999999", 1000), ("7abc", 7)]
    + [(invalid, 20) for invalid in ("", "abc", "0", "-5", "NaN")],
)
def test_the_limit_is_at_most_1000_and_20_if_it_is_invalid(limit: str, count: int) -> None:
    assert len(get(rows_of(1100), limit=limit).json()) == count


def test_the_default_limit_is_20() -> None:
    assert len(get(rows_of(30)).json()) == 20


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


# Order


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


def test_an_invalid_last_seen_does_not_affect_the_order_by_id() -> None:
    assert numbers(get([*rows_of(2), row(3, lastSeen=None)], order="id-false")) == [1, 2, 3]


def test_a_missing_last_seen_is_ordered_as_zero() -> None:
    rows = rows_of(2)
    del rows[1]["lastSeen"]
    assert numbers(get(rows)) == [1, 2]


# Filters


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


@settings(max_examples=200, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "limit": st.one_of(st.text(max_size=8), st.integers().map(str)),
            "cursor": st.one_of(st.text(max_size=8), st.text(max_size=4).map("skip{}".format)),
            "order": st.text(alphabet="idlastSeen-true,", max_size=20),
            "count": st.text(max_size=2),
            "parentId": st.text(max_size=4),
            "filters": st.one_of(
                st.text(max_size=20),
                st.recursive(
                    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                    lambda inner: (
                        st.lists(inner, max_size=3)
                        | st.dictionaries(st.sampled_from(["gt", "gte", "lt", "x"]), inner, max_size=2)
                        | st.fixed_dictionaries(
                            {"id": st.sampled_from(["id", "name", "lastSeen", "record"]), "value": inner}
                        )
                    ),
                    max_leaves=8,
                ).map(json.dumps),
            ),
        },
    )
)
def test_any_query_has_one_of_the_observed_responses(parameters: dict[str, str]) -> None:
    response = get(rows_of(3), **parameters)
    if response.status_code == 200:
        assert isinstance(response.json(), list)
    else:
        assert error(response)[0] in (400, 500)


# On a real socket


def test_pagination_on_a_socket_finds_all_rows_with_the_simulated_date() -> None:
    source = FixedSource(rows_of(25))

    async def paginate() -> list[int]:
        found: list[int] = []
        async with (
            serving(create_app(source, key=KEY, now=lambda: NOW)) as base_url,
            httpx.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}, trust_env=False) as client,
        ):
            cursor = ""
            while True:
                response = await client.get(
                    f"{base_url}/session", params={"limit": 10, "order": "id-false", "cursor": cursor}
                )
                assert response.headers.get_list("date") == [formatdate(NOW, usegmt=True)]
                assert "server" not in response.headers
                found += numbers(response)
                if len(response.json()) < 10:
                    return found
                cursor = response.json()[-1]["id"]

    assert asyncio.run(paginate()) == list(range(1, 26))
    assert source.times == [NOW] * 3


def test_replaced_rows_are_listed_immediately() -> None:
    class Growing:
        def __init__(self) -> None:
            self._count = 0

        def rows(self, now: float) -> Sequence[Row]:
            self._count += 1
            return rows_of(self._count)

    app = create_app(Growing(), key=KEY, now=lambda: NOW)

    async def request_twice() -> list[int]:
        transport = httpx.ASGITransport(app)
        headers = {"Authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://t", headers=headers) as client:
            return [len((await client.get("/api/session")).json()) for _ in range(2)]

    assert asyncio.run(request_twice()) == [1, 2]

"""Authentication, headers and bodies are those that were observed on the real API; one test per observation."""

import asyncio
import json
from collections.abc import Sequence
from email.utils import formatdate
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.simulator.api import Row, create_app
from exporter.simulator.serve import serving
from tests.simulator.api_requests import KEY, NOW, FixedSource, error, get, numbers, row, rows_of


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


@pytest.mark.parametrize(
    ("key", "text"),
    [("restricted-key", "credential has insufficent privileges"), ("suspended-key", "user is suspended")],
)
def test_a_restricted_key_and_that_of_a_suspended_user_are_forbidden(key: str, text: str) -> None:
    assert error(get([], authorization=f"Bearer {key}")) == (403, text)


def test_the_key_of_an_administrator_lists_the_sessions_of_all_users_with_their_users() -> None:
    rows = [row(1, userId="a"), row(2, userId="b")]
    sessions = get(rows, authorization="Bearer admin-key", app={"user_id": "a"}).json()
    assert [each["user"]["id"] for each in sessions] == ["b", "a"]
    assert all("@" in each["user"]["email"] for each in sessions)


def test_another_key_lists_the_sessions_of_its_user_alone_and_without_a_user() -> None:
    rows = [row(1, userId="a"), row(2, userId="b")]
    (session,) = get(rows, app={"user_id": "a"}).json()
    assert (session["userId"], "user" in session) == ("a", False)


def test_a_single_session_requires_the_key_too() -> None:
    assert error(get(rows_of(1), f"/session/{row(1)['id']}", authorization="Bearer wrong"))[0] == 401


def test_authentication_errors_have_no_challenge_and_no_retry_after() -> None:
    response = get([], authorization=None)
    assert "www-authenticate" not in response.headers
    assert "retry-after" not in response.headers


def test_the_list_is_an_array_of_sessions_with_their_parent_streams() -> None:
    response = get(rows_of(2))
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert [item["parentStream"]["streamKey"] for item in response.json()] == ["synthetic-2", "synthetic-1"]


def test_no_response_is_compressed() -> None:
    assert "content-encoding" not in get(rows_of(50)).headers


@pytest.mark.parametrize("parameters", [{}, {"filters": "no json"}, {"cursor": "skipabc"}])
def test_every_response_has_one_date_of_the_simulated_clock(parameters: dict[str, Any]) -> None:
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


@pytest.mark.parametrize("path", ["/session/unknown", "/sessions", "/session//", "/session/a/b", ""])
def test_unknown_paths_and_ids_are_not_found(path: str) -> None:
    assert error(get(rows_of(3), path)) == (404, "not found")


@pytest.mark.parametrize("path", ["/session/", "/Session", "/SESSION/"])
@pytest.mark.parametrize("base", ["/api", "/API"])
def test_the_case_of_a_path_and_a_trailing_slash_are_ignored(base: str, path: str) -> None:
    assert numbers(get(rows_of(2), path, base=base)) == [2, 1]


def test_the_case_of_an_id_is_not_ignored() -> None:
    assert get([row(1, id="Ab")], "/SESSION/Ab/").json()["id"] == "Ab"
    assert error(get([row(1, id="Ab")], "/session/ab")) == (404, "not found")


def test_a_link_has_the_path_of_the_request() -> None:
    assert "<http://studio.test/API/Session/?" in get(rows_of(2), "/Session/", base="/API", limit=1).headers["link"]


def test_another_method_is_not_found() -> None:
    assert error(get(rows_of(3), method="POST"))[0] == 404


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
def test_any_query_has_one_of_the_observed_responses(parameters: dict[str, Any]) -> None:
    response = get(rows_of(3), **parameters)
    if response.status_code == 200:
        assert isinstance(response.json(), list)
    else:
        assert error(response)[0] in (400, 500)


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

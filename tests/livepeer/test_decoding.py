"""Decoding of pages: their sessions, ids and times, and what is not a page."""

import json

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.livepeer.decoding import EARLIEST_TIME, MAX_FUTURE, decode_page
from exporter.livepeer.errors import DecodeError, SchemaError
from exporter.sessions.session import FIELDS, INVALID_TIME
from tests.livepeer.pages import JSON, check_page
from tests.support.rows import START, STREAM_KEY, ident, page, row


def test_sessions_are_in_the_order_of_the_page() -> None:
    decoded = decode_page(page(row(1), row(2)), START)
    assert [session.id for session in decoded.sessions] == [ident(1), ident(2)]
    assert (decoded.items, decoded.ids) == (2, [ident(1), ident(2)])
    assert not decoded.invalid_values
    assert not decoded.invalid_sessions


def test_every_field_is_decoded() -> None:
    (session,) = decode_page(page(row(7)), START).sessions
    found, sent = json.loads(msgspec.json.encode(session)), row(7)
    profile = {name: value for name, value in found["profiles"][0].items() if value is not None}
    assert {**found, "profiles": [profile]} == {name: sent[name] for name in FIELDS}


def test_equal_profiles_are_decoded_once() -> None:
    first, second = decode_page(page(row(1), row(2)), START).sessions
    assert first.profiles is second.profiles is not None


def test_an_empty_page_has_no_ids() -> None:
    decoded = decode_page(b"[]", START)
    assert (decoded.sessions, decoded.items, decoded.ids) == ([], 0, [])


def test_other_fields_are_skipped_whatever_their_value() -> None:
    decoded = decode_page(page(row(1, parentStream=[{"streamKey": 1}], kind={"deep": [None]})), START)
    assert len(decoded.sessions) == 1
    assert not decoded.invalid_values


def test_the_embedded_parent_stream_is_not_kept() -> None:
    (session,) = decode_page(page(row(1)), START).sessions
    assert STREAM_KEY not in str(msgspec.to_builtins(session))


def test_the_representation_of_a_session_contains_only_its_id() -> None:
    (session,) = decode_page(page(row(1)), START).sessions
    assert repr(session) == f"Session(id='{ident(1)}')"


def test_P15_of_a_repeated_key_the_last_value_is_used() -> None:
    body = b'[{"id": "a", "sourceBytes": -1, "sourceBytes": 5, "name": "x", "name": "y"}]'
    decoded = decode_page(body, START)
    assert (decoded.sessions[0].source_bytes, decoded.sessions[0].name) == (5, "y")
    assert not decoded.invalid_values


def test_integers_up_to_2_to_the_63_are_valid() -> None:
    decoded = decode_page(page(row(1, sourceBytes=2**53 + 2, transcodedBytes=2**63)), START)
    assert decoded.sessions[0].source_bytes == 2**53 + 2
    assert not decoded.invalid_values


@pytest.mark.parametrize("time", [EARLIEST_TIME, START * 1000 + MAX_FUTURE])
def test_P21_the_earliest_and_the_latest_possible_time_are_valid(time: float) -> None:
    decoded = decode_page(page(row(1, lastSeen=time, createdAt=time)), START)
    assert (decoded.sessions[0].last_seen, decoded.sessions[0].created_at) == (time, time)
    assert not decoded.invalid_values


@pytest.mark.parametrize("time", [EARLIEST_TIME - 1, START * 1000 + MAX_FUTURE + 1])
def test_P21_an_impossible_time_is_dropped(time: float) -> None:
    decoded = decode_page(page(row(1, lastSeen=time, createdAt=time)), START)
    assert (decoded.sessions[0].last_seen, decoded.sessions[0].created_at) == (INVALID_TIME, None)
    assert decoded.invalid_values == {("lastSeen", "range"): 1, ("createdAt", "range"): 1}


@pytest.mark.parametrize("time", [(START + 5 * 86_400) * 1000, "yesterday", -1, True])
def test_D06_an_invalid_last_seen_is_not_the_same_as_never_seen(time: object) -> None:
    (session,) = decode_page(page(row(1, lastSeen=time)), START).sessions
    assert session.last_seen == INVALID_TIME


def test_D06_a_last_seen_of_null_means_never_seen() -> None:
    (session,) = decode_page(page(row(1, lastSeen=None)), START).sessions
    assert session.last_seen is None


def test_a_last_seen_of_0_is_valid() -> None:
    decoded = decode_page(page(row(1, lastSeen=0)), START)
    assert decoded.sessions[0].last_seen == 0
    assert not decoded.invalid_values


def test_unprintable_characters_of_an_id_are_replaced_but_the_cursor_is_the_servers_id() -> None:
    decoded = decode_page(page(row(1, id="a\u202eb\n")), START)
    assert decoded.sessions[0].id == "a\ufffdb "
    assert decoded.ids == ["a\u202eb\n"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[", b'[{"id":"a"}', b"[] x", b"\xef\xbb\xbf[]", b'[{"id":1}] x'])
def test_a_body_that_is_not_json_is_a_decode_error(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_page(body, START)


@pytest.mark.parametrize("body", [b"null", b"{}", b"1", b'"x"', b'{"errors": ["no"]}', b"NaN"])
def test_json_that_is_not_an_array_is_a_schema_error(body: bytes) -> None:
    with pytest.raises(SchemaError):
        decode_page(body, START)


@pytest.mark.parametrize("before", [b"", b'{"id": 1}, '])
def test_P14_deep_nesting_is_a_decode_error(before: bytes) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    with pytest.raises(DecodeError):
        decode_page(b"[" + before + b'{"id": "a", "x": ' + deep + b"}]", START)


def test_no_error_refers_to_the_body() -> None:
    with pytest.raises(DecodeError) as caught:
        decode_page(b'[{"id": "a", "parentStream": {"streamKey": "secret"', START)
    assert caught.value.__suppress_context__
    assert "secret" not in repr([caught.value, caught.value.__cause__])


@given(JSON)
@example([{"id": "a", "profiles": [[]]}])
def test_any_json_is_decoded_or_an_error(value: object) -> None:
    check_page(json.dumps(value).encode())


@given(st.binary())
@example(b'[{"id":"a","name":"\xff"}]')
def test_any_bytes_are_decoded_or_an_error(body: bytes) -> None:
    check_page(body)


@given(st.integers(0, 2000), st.binary(max_size=4))
def test_a_corrupted_page_is_decoded_or_an_error(position: int, corruption: bytes) -> None:
    whole = page(row(1), row(2))
    check_page(whole[:position] + corruption + whole[position + len(corruption) :])

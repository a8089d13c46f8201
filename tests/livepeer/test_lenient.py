"""Pages with invalid values: a value is dropped without its session, a session without its page; both are counted."""

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.livepeer.decoding import decode_page
from exporter.livepeer.errors import DecodeError, ResponseTooLargeError
from exporter.livepeer.lenient import MAX_LENIENT_BYTES, MAX_LENIENT_OBJECTS, MAX_PROFILES_BYTES, parse_json
from exporter.sessions.session import FIELDS, INVALID_TIME, MAX_PROFILES, Session
from tests.livepeer.pages import ANY_TEXT, INVALID_ITEMS, INVALID_VALUES, JSON, check_page, valid_sessions, with_value
from tests.support.rows import START, ident, page, row


def fields_except(session: Session, name: str) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(session)
    return {field: value for field, value in fields.items() if field != name}


@pytest.mark.parametrize(("field", "fault", "text"), INVALID_VALUES, ids=lambda each: str(each)[:20])
def test_P09_an_invalid_value_is_dropped_alone(field: str, fault: str, text: str) -> None:
    (valid,) = decode_page(page(row(1)), START).sessions
    decoded = decode_page(with_value(row(1), field, text), START)
    (session,) = decoded.sessions
    assert msgspec.to_builtins(session)[field] == (INVALID_TIME if field == "lastSeen" else None)
    assert fields_except(session, field) == fields_except(valid, field)
    assert decoded.invalid_values == {(field, fault): 1}
    assert not decoded.invalid_sessions


@pytest.mark.untraced
@given(fields=valid_sessions(), invalid=st.sampled_from(INVALID_VALUES))
def test_P09_an_invalid_value_of_any_session_is_dropped_alone(
    fields: dict[str, Any], invalid: tuple[str, str, str]
) -> None:
    field, fault, text = invalid
    (valid,) = decode_page(page(fields), START).sessions
    decoded = decode_page(with_value(fields, field, text), START)
    (session,) = decoded.sessions
    assert fields_except(session, field) == fields_except(valid, field)
    assert decoded.invalid_values == {(field, fault): 1}


@pytest.mark.parametrize(("fault", "text"), INVALID_ITEMS, ids=lambda each: str(each)[:20])
def test_P07_an_invalid_item_is_dropped_alone(fault: str, text: str) -> None:
    decoded = decode_page(page(row(1))[:-1] + f", {text}, ".encode() + page(row(3))[1:], START)
    assert [session.id for session in decoded.sessions] == [ident(1), ident(3)]
    assert decoded.items == 3
    assert decoded.invalid_sessions == {fault: 1}
    assert not decoded.invalid_values


@pytest.mark.parametrize("item", [b'{"id": "b", "sourceBytes": NaN}', b'{"id": "b", "name": "\\ud800"}'])
def test_on_a_page_with_a_wrong_type_and_invalid_json_only_the_invalid_parts_are_dropped(item: bytes) -> None:
    # msgspec reports the wrong type first, and only then that the rest is not JSON.
    decoded = decode_page(b'[{"id": 1}, ' + item + b"]", START)
    assert [session.id for session in decoded.sessions] == ["b"]
    assert decoded.invalid_sessions == {"no_id": 1}


@pytest.mark.parametrize("other", [{}, {"sourceBytes": -1}, {"sourceBytes": math.nan}])
def test_too_many_profiles_are_one_invalid_value(other: dict[str, Any]) -> None:
    allowed = [{"name": "720p"}] * MAX_PROFILES
    too_many: list[dict[str, Any]] = [{}] * (MAX_PROFILES + 1)
    decoded = decode_page(page(row(1, profiles=too_many), row(2, profiles=allowed, **other)), START)
    assert [each.profiles and len(each.profiles) for each in decoded.sessions] == [None, MAX_PROFILES]
    assert decoded.invalid_values["profiles", "range"] == 1
    assert decoded.invalid_values.total() == 1 + len(other)


@pytest.mark.parametrize("index", [1, 2])
@pytest.mark.parametrize("other", [{}, {"sourceBytes": -1}, {"sourceBytes": math.nan}])
def test_profiles_with_too_much_text_are_one_invalid_value(other: dict[str, Any], index: int) -> None:
    long = [{"name": "x" * (MAX_PROFILES_BYTES + 1)}]
    rows = [row(1, profiles=long), row(2, profiles=[{}]), row(3, profiles=long)]
    rows[index] |= other
    decoded = decode_page(page(*rows), START)
    assert [each.profiles and len(each.profiles) for each in decoded.sessions] == [None, 1, None]
    assert decoded.invalid_values["profiles", "range"] == 2
    assert decoded.invalid_values.total() == 2 + len(other)


def test_P18_a_lone_surrogate_on_a_page_with_many_profiles_drops_nothing() -> None:
    rows = [row(number, profiles=[{"name": "720p", "fps": 30}] * MAX_PROFILES) for number in range(1, 1001)]
    decoded = decode_page(page(*rows).replace(b'"720p"', b'"\\ud800"', 1), START)
    assert [each.profiles and len(each.profiles) for each in decoded.sessions] == [MAX_PROFILES] * 1000
    assert not decoded.invalid_values


def test_sessions_and_profiles_with_invalid_values_are_limited_together() -> None:
    invalid = [{"width": -1}] * 20
    rows = [row(number, profiles=invalid) for number in range(1, 2 + MAX_LENIENT_OBJECTS // 21)]
    assert len(decode_page(page(*rows[:-1]), START).sessions) == len(rows) - 1
    with pytest.raises(ResponseTooLargeError, match="objects with invalid values"):
        decode_page(page(*rows), START)


def test_invalid_values_of_a_profile_are_counted_under_profiles() -> None:
    profiles = [{"name": "720p", "width": "wide", "height": 720}, 7, {"fps": -1}]
    decoded = decode_page(page(row(1, profiles=profiles)), START)
    (session,) = decoded.sessions
    assert session.profiles is not None
    assert [(each.name, each.width, each.height, each.fps) for each in session.profiles] == [
        ("720p", None, 720, None),
        (None, None, None, None),
    ]
    assert decoded.invalid_values == {("profiles", "type"): 2, ("profiles", "range"): 1}


def test_an_issue_that_is_not_a_text_is_dropped_alone() -> None:
    decoded = decode_page(page(row(1, issues=["one", 2, None, "three"])), START)
    assert decoded.sessions[0].issues == ("one", "three")
    assert decoded.invalid_values == {("issues", "type"): 2}


@pytest.mark.untraced
@settings(max_examples=50)
@given(st.lists(st.fixed_dictionaries({}, optional={**dict.fromkeys(FIELDS, JSON), "id": ANY_TEXT | JSON}), max_size=4))
def test_any_values_of_the_fields_are_decoded_or_counted(rows: list[dict[str, Any]]) -> None:
    decoded = check_page(json.dumps(rows).encode())
    assert decoded is not None
    assert decoded.items == len(rows)


@pytest.mark.parametrize("body", [b"<html>", b"\xef\xbb\xbf[]"])
def test_a_body_that_does_not_begin_like_json_is_not_parsed_even_if_it_is_large(body: bytes) -> None:
    with pytest.raises(DecodeError):
        parse_json(body.ljust(MAX_LENIENT_BYTES + 1))


def test_a_large_body_is_not_parsed() -> None:
    with pytest.raises(ResponseTooLargeError):
        parse_json(b"[]".ljust(MAX_LENIENT_BYTES + 1))

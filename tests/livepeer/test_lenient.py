"""Pages with invalid values: a value is dropped without its session, a session without its page; both are counted."""

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.livepeer.errors import ResponseTooLargeError
from exporter.livepeer.lenient import MAX_INVALID_OBJECTS, MAX_INVALID_VALUES, MAX_PARSED_BYTES, MAX_PROFILES_BYTES
from exporter.sessions.session import FIELDS, INVALID_TIME, MAX_ISSUES, MAX_PROFILES, Session
from tests.livepeer.pages import (
    ANY_TEXT,
    INVALID_ITEMS,
    INVALID_VALUES,
    JSON,
    check_page,
    decode,
    valid_sessions,
    with_value,
)
from tests.support.rows import NUMBERS, ident, page, row


def fields_except(session: Session, name: str) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(session)
    return {field: value for field, value in fields.items() if field != name}


@pytest.mark.parametrize(("field", "fault", "text"), INVALID_VALUES, ids=lambda each: str(each)[:20])
def test_P09_an_invalid_value_is_dropped_alone(field: str, fault: str, text: str) -> None:
    (valid,) = decode(page(row(1))).sessions
    decoded = decode(with_value(row(1), field, text))
    (session,) = decoded.sessions
    assert msgspec.to_builtins(session)[field] == (INVALID_TIME if field == "lastSeen" else None)
    assert fields_except(session, field) == fields_except(valid, field)
    assert decoded.invalid_values == {(field, fault): 1}
    assert not decoded.invalid_sessions


@given(fields=valid_sessions(), invalid=st.sampled_from(INVALID_VALUES))
def test_P09_an_invalid_value_of_any_session_is_dropped_alone(
    fields: dict[str, Any], invalid: tuple[str, str, str]
) -> None:
    field, fault, text = invalid
    (valid,) = decode(page(fields)).sessions
    decoded = decode(with_value(fields, field, text))
    (session,) = decoded.sessions
    assert fields_except(session, field) == fields_except(valid, field)
    assert decoded.invalid_values == {(field, fault): 1}


@pytest.mark.parametrize(("fault", "text"), INVALID_ITEMS, ids=lambda each: str(each)[:20])
def test_P07_an_invalid_item_is_dropped_alone(fault: str, text: str) -> None:
    decoded = decode(page(row(1))[:-1] + f", {text}, ".encode() + page(row(3))[1:])
    assert [session.id for session in decoded.sessions] == [ident(1), ident(3)]
    assert decoded.items == 3
    assert decoded.invalid_sessions == {fault: 1}
    assert not decoded.invalid_values


@pytest.mark.parametrize("item", [b'{"id": "b", "sourceBytes": NaN}', b'{"id": "b", "name": "\\ud800"}'])
def test_on_a_page_with_a_wrong_type_and_invalid_json_only_the_invalid_parts_are_dropped(item: bytes) -> None:
    # msgspec reports the wrong type first, and only then that the rest is not JSON.
    decoded = decode(b'[{"id": 1}, ' + item + b"]")
    assert [session.id for session in decoded.sessions] == ["b"]
    assert decoded.invalid_sessions == {"no_id": 1}


@pytest.mark.parametrize("other", [{}, {"sourceBytes": -1}, {"sourceBytes": math.nan}])
def test_too_many_profiles_are_one_invalid_value(other: dict[str, Any]) -> None:
    allowed = [{"name": "720p"}] * MAX_PROFILES
    too_many: list[dict[str, Any]] = [{}] * (MAX_PROFILES + 1)
    decoded = decode(page(row(1, profiles=too_many), row(2, profiles=allowed, **other)))
    assert [each.profiles and len(each.profiles) for each in decoded.sessions] == [None, MAX_PROFILES]
    assert decoded.invalid_values["profiles", "range"] == 1
    assert decoded.invalid_values.total() == 1 + len(other)


@pytest.mark.parametrize("index", [1, 2])
@pytest.mark.parametrize("other", [{}, {"sourceBytes": -1}, {"sourceBytes": math.nan}])
def test_profiles_with_too_much_text_are_one_invalid_value(other: dict[str, Any], index: int) -> None:
    long = [{"name": "x" * (MAX_PROFILES_BYTES + 1)}]
    rows = [row(1, profiles=long), row(2, profiles=[{}]), row(3, profiles=long)]
    rows[index] |= other
    decoded = decode(page(*rows))
    assert [each.profiles and len(each.profiles) for each in decoded.sessions] == [None, 1, None]
    assert decoded.invalid_values["profiles", "range"] == 2
    assert decoded.invalid_values.total() == 2 + len(other)


@pytest.mark.untraced
def test_P18_a_lone_surrogate_on_a_page_with_many_profiles_drops_nothing() -> None:
    rows = [row(number, profiles=[{"name": "720p", "fps": 30}] * MAX_PROFILES) for number in range(1, 1001)]
    decoded = decode(page(*rows).replace(b'"720p"', b'"\\ud800"', 1))
    assert [each.profiles and len(each.profiles) for each in decoded.sessions] == [MAX_PROFILES] * 1000
    assert not decoded.invalid_values


def test_sessions_and_profiles_with_invalid_values_are_limited_together() -> None:
    invalid = [{"width": -1}] * 20
    rows = [row(number, profiles=invalid) for number in range(1, 2 + MAX_INVALID_OBJECTS // 21)]
    assert len(decode(page(*rows[:-1])).sessions) == len(rows) - 1
    with pytest.raises(ResponseTooLargeError, match="objects with invalid values"):
        decode(page(*rows))


@pytest.mark.untraced
def test_V02_the_number_of_invalid_values_is_limited() -> None:
    fields = dict.fromkeys(NUMBERS, -1)
    count = MAX_INVALID_VALUES // len(fields)
    rows = [{"id": ident(number), **fields} for number in range(count + 1)]
    assert decode(page(*rows[:-1])).invalid_values.total() == count * len(fields)
    with pytest.raises(ResponseTooLargeError, match="invalid values"):
        decode(page(*rows))


@pytest.mark.parametrize("other", [{}, {"sourceBytes": -1}, {"sourceBytes": math.nan}])
def test_V02_too_many_issues_are_one_invalid_value(other: dict[str, Any]) -> None:
    allowed, too_many = ["late"] * MAX_ISSUES, ["late"] * (MAX_ISSUES + 1)
    decoded = decode(page(row(1, issues=too_many, **other), row(2, issues=allowed)))
    assert [each.issues and len(each.issues) for each in decoded.sessions] == [None, MAX_ISSUES]
    assert decoded.invalid_values["issues", "range"] == 1
    assert decoded.invalid_values.total() == 1 + len(other)


def test_invalid_values_of_a_profile_are_counted_under_profiles() -> None:
    profiles = [{"name": "720p", "width": "wide", "height": 720}, 7, {"fps": -1}]
    decoded = decode(page(row(1, profiles=profiles)))
    (session,) = decoded.sessions
    assert session.profiles is not None
    assert [(each.name, each.width, each.height, each.fps) for each in session.profiles] == [
        ("720p", None, 720, None),
        (None, None, None, None),
    ]
    assert decoded.invalid_values == {("profiles", "type"): 2, ("profiles", "range"): 1}


def test_an_issue_that_is_not_a_text_is_dropped_alone() -> None:
    decoded = decode(page(row(1, issues=["one", 2, None, "three"])))
    assert decoded.sessions[0].issues == ("one", "three")
    assert decoded.invalid_values == {("issues", "type"): 2}


@settings(max_examples=50)
@given(st.lists(st.fixed_dictionaries({}, optional={**dict.fromkeys(FIELDS, JSON), "id": ANY_TEXT | JSON}), max_size=4))
def test_any_values_of_the_fields_are_decoded_or_counted(rows: list[dict[str, Any]]) -> None:
    decoded = check_page(json.dumps(rows).encode())
    assert decoded is not None
    assert decoded.items == len(rows)


@pytest.mark.parametrize("item", [b"[" * 100 + b"]" * 100, b"7", b'"' + b"x" * MAX_PARSED_BYTES + b'"'])
def test_an_item_that_is_no_object_is_dropped_alone(item: bytes) -> None:
    decoded = decode(b'[{"id": "a"}, ' + item.ljust(MAX_PARSED_BYTES + 1) + b"]")
    assert [session.id for session in decoded.sessions] == ["a"]
    assert decoded.invalid_sessions == {"not_an_object": 1}


LONG = "x" * MAX_PARSED_BYTES


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("name", LONG, True),
        ("issues", [LONG, LONG], True),
        ("issues", [LONG, 5], False),
        ("issues", [""] * MAX_PARSED_BYTES, False),
        ("isHealthy", [LONG], False),
        ("sourceBytes", LONG, False),
        ("profiles", [{"name": LONG}], False),
    ],
)
def test_a_long_value_of_a_session_with_an_invalid_one_is_kept_if_it_is_valid(
    field: str, value: Any, kept: bool
) -> None:
    decoded = decode(page(row(1, **{field: value}, transcodedBytes=-1)))
    (session,) = decoded.sessions
    assert json.loads(msgspec.json.encode(session))[field] == (value if kept else None)
    faults = {("transcodedBytes", "range"): 1} | ({} if kept else {(field, "range"): 1})
    assert decoded.invalid_values == faults


def test_a_long_text_that_is_not_utf_8_is_dropped() -> None:
    body = page(row(1, name=LONG, transcodedBytes=-1)).replace(b"xxx", b"xx\xff", 1)
    decoded = decode(body)
    assert decoded.sessions[0].name is None
    assert decoded.invalid_values["name", "range"] == 1


def test_a_long_session_without_an_id_is_dropped() -> None:
    assert decode(page(row(1, id=None, name=LONG))).invalid_sessions == {"no_id": 1}

"""DecodedPage sessions: one bad value costs that value, one bad session costs that session, and both are counted."""

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.livepeer.decoding import EARLIEST_TIME, decode_page
from exporter.livepeer.errors import DecodeError, ResponseTooLargeError, SchemaError
from exporter.livepeer.lenient import MAX_LENIENT_OBJECTS, MAX_PROFILES_BYTES
from exporter.metrics.catalogue.label_values import SESSION_FAULTS, VALUE_FAULTS
from exporter.sessions.session import FIELDS, MAX_ID, MAX_PROFILES, Session
from exporter.text import clean
from tests.support.rows import START, ident, page, row

AMOUNTS = (
    "createdAt",
    "lastSeen",
    "sourceSegments",
    "transcodedSegments",
    "sourceSegmentsDuration",
    "transcodedSegmentsDuration",
    "sourceBytes",
    "transcodedBytes",
    "ingestRate",
    "outgoingRate",
)
FLAGS = ("isHealthy", "record")
TEXTS = ("name", "parentId", "recordingStatus", "recordingUrl", "mp4Url", "playbackId", "projectId")
LISTS = ("issues", "profiles")

BAD_AMOUNTS = (
    ("type", '"12"'),
    ("type", "true"),
    ("type", "[1]"),
    ("type", "{}"),
    ("range", "-1"),
    ("range", "-0.5"),
    ("range", "1e308"),
    ("not_finite", "NaN"),
    ("not_finite", "Infinity"),
    ("not_finite", "-Infinity"),
    ("not_finite", "1e400"),
    ("not_finite", "1" + "0" * 400),
    ("not_finite", "9" * 5000),
)
BAD_VALUES = (
    *[(field, reason, text) for field in AMOUNTS for reason, text in BAD_AMOUNTS],
    *[(field, "type", text) for field in FLAGS for text in ("1", '"true"', "[]", "{}", "0.5")],
    *[(field, "type", text) for field in TEXTS for text in ("1", "true", "[]", "{}", "0.5")],
    *[(field, "type", text) for field in LISTS for text in ("1", "true", '"text"', "{}", "0.5")],
    *[(field, "not_finite", "NaN") for field in (*FLAGS, *TEXTS, *LISTS)],
    *[(field, "range", text) for field in ("createdAt", "lastSeen") for text in ("1760000000", "1.8e12", "1")],
)
"""Field, reason and JSON text of each kind of bad value."""


def with_text(fields: dict[str, Any], name: str, text: str) -> bytes:
    """A page with one session, one field of which is written just so."""
    rest = json.dumps({key: value for key, value in fields.items() if key != name})
    return f'[{{"{name}": {text}, {rest[1:]}]'.encode()


@st.composite
def sessions(draw: st.DrawFn) -> dict[str, Any]:
    """Any valid session: each field there, null or missing."""
    amount = st.floats(0, 2.0**62) | st.integers(0, 2**62)
    moment = st.floats(EARLIEST_TIME, START * 1000)
    text = st.text(max_size=20)
    profile = st.fixed_dictionaries({}, optional={"name": text, "width": amount, "height": amount, "fps": amount})
    kinds: dict[str, st.SearchStrategy[Any]] = {
        **dict.fromkeys(AMOUNTS, amount),
        **dict.fromkeys(TEXTS, text),
        **dict.fromkeys(FLAGS, st.booleans()),
        "createdAt": moment,
        "lastSeen": moment | st.just(0),
        "issues": st.lists(text, max_size=3),
        "profiles": st.lists(profile, max_size=2),
    }
    optional = {name: kind | st.none() for name, kind in kinds.items()}
    return {"id": ident(1), **draw(st.fixed_dictionaries({}, optional=optional))}


def comparable(session: Session, without: str) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(session)
    return {name: value for name, value in shown.items() if name != without}


def test_a_page_is_read_in_its_order() -> None:
    reading = decode_page(page(row(1), row(2)), START)
    assert [session.id for session in reading.sessions] == [ident(1), ident(2)]
    assert (reading.items, reading.first_id, reading.last_id, reading.ascending) == (2, ident(1), ident(2), True)
    assert not reading.invalid_values
    assert not reading.invalid_sessions


def test_every_field_arrives() -> None:
    (session,) = decode_page(page(row(7)), START).sessions
    arrived, sent = json.loads(msgspec.json.encode(session)), row(7)
    profile = {name: value for name, value in arrived["profiles"][0].items() if value is not None}
    assert {**arrived, "profiles": [profile]} == {name: sent[name] for name in FIELDS}


def test_a_page_without_sessions_has_no_ids() -> None:
    reading = decode_page(b"[]", START)
    assert (reading.sessions, reading.items, reading.first_id, reading.last_id) == ([], 0, None, None)


def test_ids_out_of_order_are_noticed() -> None:
    assert not decode_page(page(row(2), row(1)), START).ascending


def test_the_same_id_twice_is_still_in_order() -> None:
    assert decode_page(page(row(1), row(1), row(2)), START).ascending


def test_fields_that_are_not_ours_are_skipped_whatever_they_hold() -> None:
    reading = decode_page(page(row(1, parentStream=[{"streamKey": 1}], userId={"deep": [None]})), START)
    assert len(reading.sessions) == 1
    assert not reading.invalid_values


def test_the_embedded_stream_leaves_no_trace() -> None:
    (session,) = decode_page(page(row(1)), START).sessions
    assert "stream-key" not in str(msgspec.to_builtins(session))


def test_a_session_shows_nothing_but_its_id() -> None:
    (session,) = decode_page(page(row(1)), START).sessions
    assert repr(session) == f"Session(id='{ident(1)}')"


@pytest.mark.parametrize(("field", "reason", "text"), BAD_VALUES, ids=lambda each: str(each)[:20])
def test_a_bad_value_costs_that_value_alone(field: str, reason: str, text: str) -> None:
    (good,) = decode_page(page(row(1)), START).sessions
    reading = decode_page(with_text(row(1), field, text), START)
    (session,) = reading.sessions
    assert msgspec.to_builtins(session)[field] is None
    assert comparable(session, field) == comparable(good, field)
    assert reading.invalid_values == {(field, reason): 1}
    assert not reading.invalid_sessions


@pytest.mark.untraced
@given(fields=sessions(), bad=st.sampled_from(BAD_VALUES))
def test_whatever_the_session_one_bad_value_costs_that_value_alone(
    fields: dict[str, Any], bad: tuple[str, str, str]
) -> None:
    field, reason, text = bad
    (good,) = decode_page(page(fields), START).sessions
    reading = decode_page(with_text(fields, field, text), START)
    (session,) = reading.sessions
    assert comparable(session, field) == comparable(good, field)
    assert reading.invalid_values == {(field, reason): 1}


@pytest.mark.parametrize("text", ["1", '"x"', "true", "null", "[]", "-1.5", "NaN"])
def test_an_item_that_is_no_object_costs_that_item_alone(text: str) -> None:
    body = page(row(1))[:-1] + b", " + text.encode() + b"]"
    reading = decode_page(body, START)
    assert [session.id for session in reading.sessions] == [ident(1)]
    assert reading.items == 2
    assert reading.invalid_sessions == {"not_an_object": 1}


@pytest.mark.parametrize("bad", [..., None, 5, "", "x" * (MAX_ID + 1), [], True, math.nan])
def test_an_item_without_a_usable_id_costs_that_item_alone(bad: object) -> None:
    reading = decode_page(page(row(1), row(2, id=bad), row(3)), START)
    assert [session.id for session in reading.sessions] == [ident(1), ident(3)]
    assert reading.invalid_sessions == {"no_id": 1}


@pytest.mark.parametrize("worse", [b'{"id": "b", "sourceBytes": NaN}', b'{"id": "b", "name": "\\ud800"}'])
def test_a_page_that_is_bad_in_two_ways_loses_no_more_than_what_is_bad(worse: bytes) -> None:
    # msgspec finds the wrong type first, and only then that it cannot read the rest at all.
    reading = decode_page(b'[{"id": 1}, ' + worse + b"]", START)
    assert [session.id for session in reading.sessions] == ["b"]
    assert reading.invalid_sessions == {"no_id": 1}


@pytest.mark.parametrize("beside", [{}, {"sourceBytes": -1}, {"sourceBytes": math.nan}])
def test_more_profiles_than_a_session_can_have_are_one_bad_value(beside: dict[str, Any]) -> None:
    few = [{"name": "720p"}] * MAX_PROFILES
    many: list[dict[str, Any]] = [{}] * (MAX_PROFILES + 1)
    reading = decode_page(page(row(1, profiles=many), row(2, profiles=few, **beside)), START)
    assert [each.profiles and len(each.profiles) for each in reading.sessions] == [None, MAX_PROFILES]
    assert reading.invalid_values["profiles", "range"] == 1
    assert reading.invalid_values.total() == 1 + len(beside)


@pytest.mark.parametrize("place", [1, 2])
@pytest.mark.parametrize("beside", [{}, {"sourceBytes": -1}, {"sourceBytes": math.nan}])
def test_profiles_of_far_too_much_text_are_one_bad_value(beside: dict[str, Any], place: int) -> None:
    long = [{"name": "x" * (MAX_PROFILES_BYTES + 1)}]
    rows = [row(1, profiles=long), row(2, profiles=[{}]), row(3, profiles=long)]
    rows[place] |= beside
    reading = decode_page(page(*rows), START)
    assert [each.profiles and len(each.profiles) for each in reading.sessions] == [None, 1, None]
    assert reading.invalid_values["profiles", "range"] == 2
    assert reading.invalid_values.total() == 2 + len(beside)


def test_P18_a_lone_surrogate_loses_nothing_of_a_page_with_many_profiles() -> None:
    rows = [row(number, profiles=[{"name": "720p", "fps": 30}] * MAX_PROFILES) for number in range(1, 1001)]
    reading = decode_page(page(*rows).replace(b'"720p"', b'"\\ud800"', 1), START)
    assert [each.profiles and len(each.profiles) for each in reading.sessions] == [MAX_PROFILES] * 1000
    assert not reading.invalid_values


def test_bad_profiles_take_as_long_to_read_as_sessions_and_count_like_them() -> None:
    bad = [{"width": -1}] * 20
    rows = [row(number, profiles=bad) for number in range(1, 2 + MAX_LENIENT_OBJECTS // 21)]
    assert len(decode_page(page(*rows[:-1]), START).sessions) == len(rows) - 1
    with pytest.raises(ResponseTooLargeError, match="objects with invalid values"):
        decode_page(page(*rows), START)


def test_bad_values_inside_of_a_profile_count_for_the_profiles() -> None:
    profiles = [{"name": "720p", "width": "wide", "height": 720}, 7, {"fps": -1}]
    reading = decode_page(page(row(1, profiles=profiles)), START)
    (session,) = reading.sessions
    assert session.profiles is not None
    assert [(each.name, each.width, each.height, each.fps) for each in session.profiles] == [
        ("720p", None, 720, None),
        (None, None, None, None),
    ]
    assert reading.invalid_values == {("profiles", "type"): 2, ("profiles", "range"): 1}


def test_an_issue_that_is_no_text_is_left_out_of_the_issues() -> None:
    reading = decode_page(page(row(1, issues=["one", 2, None, "three"])), START)
    assert reading.sessions[0].issues == ("one", "three")
    assert reading.invalid_values == {("issues", "type"): 2}


def test_of_a_key_that_is_there_twice_the_last_value_wins() -> None:
    body = b'[{"id": "a", "sourceBytes": -1, "sourceBytes": 5, "name": "x", "name": "y"}]'
    reading = decode_page(body, START)
    assert (reading.sessions[0].source_bytes, reading.sessions[0].name) == (5, "y")
    assert not reading.invalid_values


def test_numbers_beyond_the_integers_of_floats_are_read() -> None:
    reading = decode_page(page(row(1, sourceBytes=2**53 + 2, transcodedBytes=2**63)), START)
    assert reading.sessions[0].source_bytes == 2**53 + 2
    assert not reading.invalid_values


def test_a_time_within_a_day_of_the_future_is_believed() -> None:
    soon = (START + 86_000) * 1000
    assert decode_page(page(row(1, lastSeen=soon)), START).sessions[0].last_seen == soon


def test_a_last_seen_of_zero_is_no_bad_value() -> None:
    reading = decode_page(page(row(1, lastSeen=0)), START)
    assert reading.sessions[0].last_seen == 0
    assert not reading.invalid_values


def test_an_id_is_made_printable_but_paging_goes_by_what_the_server_says() -> None:
    reading = decode_page(page(row(1, id="a\u202eb\n")), START)
    assert reading.sessions[0].id == "a\ufffdb "
    assert reading.last_id == "a\u202eb\n"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[", b'[{"id":"a"}', b"[] x", b"\xef\xbb\xbf[]", b'[{"id":1}] x'])
def test_what_is_no_json_is_undecodable(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_page(body, START)


@pytest.mark.parametrize("body", [b"null", b"{}", b"1", b'"x"', b'{"errors": ["no"]}', b"NaN"])
def test_json_that_is_no_list_is_a_wrong_schema(body: bytes) -> None:
    with pytest.raises(SchemaError):
        decode_page(body, START)


@pytest.mark.parametrize("before", [b"", b'{"id": 1}, '])
def test_nesting_without_end_is_undecodable(before: bytes) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    with pytest.raises(DecodeError):
        decode_page(b"[" + before + b'{"id": "a", "x": ' + deep + b"}]", START)


def test_no_error_holds_what_was_read() -> None:
    with pytest.raises(DecodeError) as caught:
        decode_page(b'[{"id": "a", "parentStream": {"streamKey": "stays-secret"', START)
    chain = [caught.value, caught.value.__cause__]
    assert caught.value.__suppress_context__
    assert "stays-secret" not in repr(chain)


ANY_TEXT = st.text(st.characters())
"""With lone surrogates, which are legal in JSON."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT | st.sampled_from(FIELDS), inner, max_size=6),
    max_leaves=20,
)


@given(JSON)
@example([{"id": "a", "profiles": [[]]}])
def test_any_json_is_read_or_refused_with_a_class(value: object) -> None:
    check_reading(json.dumps(value).encode())


@pytest.mark.untraced
@settings(max_examples=50)
@given(st.lists(st.fixed_dictionaries({}, optional={**dict.fromkeys(FIELDS, JSON), "id": ANY_TEXT | JSON}), max_size=4))
def test_any_values_in_our_fields_are_read_or_counted(rows: list[dict[str, Any]]) -> None:
    reading = check_reading(json.dumps(rows).encode())
    assert reading is not None
    assert reading == len(rows)


@given(st.binary())
@example(b'[{"id":"a","name":"\xff"}]')
def test_any_bytes_are_read_or_refused_with_a_class(body: bytes) -> None:
    check_reading(body)


@given(st.integers(0, 2000), st.binary(max_size=4))
def test_a_page_with_some_bytes_spoilt_is_read_or_refused_with_a_class(place: int, spoilt: bytes) -> None:
    whole = page(row(1), row(2))
    check_reading(whole[:place] + spoilt + whole[place + len(spoilt) :])


def check_reading(body: bytes) -> int | None:
    """Read a page: no value in it may be one that must not be shown. Answers how many items were accounted for."""
    try:
        reading = decode_page(body, START)
    except (DecodeError, SchemaError):
        return None
    assert {field for field, _ in reading.invalid_values} <= set(FIELDS)
    assert {reason for _, reason in reading.invalid_values} <= set(VALUE_FAULTS)
    assert set(reading.invalid_sessions) <= set(SESSION_FAULTS)
    for session in reading.sessions:
        assert 1 <= len(session.id) <= MAX_ID
        assert clean(session.id, MAX_ID) == session.id
        for value in msgspec.structs.astuple(session):
            if isinstance(value, float):
                assert 0 <= value <= 2.0**63
    return len(reading.sessions) + sum(reading.invalid_sessions.values())


@given(ANY_TEXT, st.integers(0, 40))
def test_cleaned_text_is_short_printable_and_clean_already(text: str, limit: int) -> None:
    found = clean(text, limit)
    assert len(found) <= limit
    assert clean(found, limit) == found
    found.encode()
    assert not set(found) & set("\n\r\t\0\u2028\u2029\u202e\u200f\ufeff")


@given(st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters="\ufffe\uffff"), max_size=40))
def test_cleaning_leaves_letters_digits_and_signs_alone(text: str) -> None:
    assert clean(text, 40) == text

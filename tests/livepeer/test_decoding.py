"""Decoding of pages: their sessions, ids and times, and what is not a page."""

import asyncio
import json

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.cooperative import BATCH_SIZE
from exporter.livepeer.decoding import (
    BATCH_ITEMS,
    EARLIEST_TIME,
    MAX_FUTURE,
    MAX_ITEMS,
    MAX_VALUES,
    STEP_OBJECTS,
    decode_page,
)
from exporter.livepeer.errors import DecodeError, ResponseTooLargeError, SchemaError
from exporter.sessions.session import FIELDS, INVALID_TIME, MAX_PROFILES
from tests.livepeer.clients import RecordingMeter, livepeer_client
from tests.livepeer.pages import JSON, check_page, decode
from tests.support.cooperative import count_steps
from tests.support.loop import in_loop
from tests.support.rows import START, STREAM_KEY, ident, page, row
from tests.support.upstream import always, reply, upstream


def test_sessions_are_in_the_order_of_the_page() -> None:
    decoded = decode(page(row(1), row(2)))
    assert [session.id for session in decoded.sessions] == [ident(1), ident(2)]
    assert (decoded.items, decoded.ids) == (2, [ident(1), ident(2)])
    assert not decoded.invalid_values
    assert not decoded.invalid_sessions


def test_every_field_is_decoded() -> None:
    (session,) = decode(page(row(7))).sessions
    found, sent = json.loads(msgspec.json.encode(session)), row(7)
    profile = {name: value for name, value in found["profiles"][0].items() if value is not None}
    assert {**found, "profiles": [profile]} == {name: sent[name] for name in FIELDS}


def test_equal_profiles_are_decoded_once() -> None:
    first, second = decode(page(row(1), row(2))).sessions
    assert first.profiles is second.profiles is not None


def test_an_empty_page_has_no_ids() -> None:
    decoded = decode(b"[]")
    assert (decoded.sessions, decoded.items, decoded.ids) == ([], 0, [])


def test_other_fields_are_skipped_whatever_their_value() -> None:
    decoded = decode(page(row(1, parentStream=[{"streamKey": 1}], kind={"deep": [None]})))
    assert len(decoded.sessions) == 1
    assert not decoded.invalid_values


def test_the_embedded_parent_stream_is_not_kept() -> None:
    (session,) = decode(page(row(1))).sessions
    assert STREAM_KEY not in str(msgspec.to_builtins(session))


def test_the_representation_of_a_session_contains_only_its_id() -> None:
    (session,) = decode(page(row(1))).sessions
    assert repr(session) == f"Session(id='{ident(1)}')"


def test_P15_of_a_repeated_key_the_last_value_is_used() -> None:
    body = b'[{"id": "a", "sourceBytes": -1, "sourceBytes": 5, "name": "x", "name": "y"}]'
    decoded = decode(body)
    assert (decoded.sessions[0].source_bytes, decoded.sessions[0].name) == (5, "y")
    assert not decoded.invalid_values


def test_integers_up_to_2_to_the_63_are_valid() -> None:
    decoded = decode(page(row(1, sourceBytes=2**53 + 2, transcodedBytes=2**63)))
    assert decoded.sessions[0].source_bytes == 2**53 + 2
    assert not decoded.invalid_values


@pytest.mark.parametrize("time", [EARLIEST_TIME, START * 1000 + MAX_FUTURE])
def test_P21_the_earliest_and_the_latest_possible_time_are_valid(time: float) -> None:
    decoded = decode(page(row(1, lastSeen=time, createdAt=time)))
    assert (decoded.sessions[0].last_seen, decoded.sessions[0].created_at) == (time, time)
    assert not decoded.invalid_values


@pytest.mark.parametrize("time", [EARLIEST_TIME - 1, START * 1000 + MAX_FUTURE + 1])
def test_P21_an_impossible_time_is_dropped(time: float) -> None:
    decoded = decode(page(row(1, lastSeen=time, createdAt=time)))
    assert (decoded.sessions[0].last_seen, decoded.sessions[0].created_at) == (INVALID_TIME, None)
    assert decoded.invalid_values == {("lastSeen", "range"): 1, ("createdAt", "range"): 1}


@pytest.mark.parametrize("time", [(START + 5 * 86_400) * 1000, "yesterday", -1, True])
def test_D06_an_invalid_last_seen_is_not_the_same_as_never_seen(time: object) -> None:
    (session,) = decode(page(row(1, lastSeen=time))).sessions
    assert session.last_seen == INVALID_TIME


def test_D06_a_last_seen_of_null_means_never_seen() -> None:
    (session,) = decode(page(row(1, lastSeen=None))).sessions
    assert session.last_seen is None


def test_a_last_seen_of_0_is_valid() -> None:
    decoded = decode(page(row(1, lastSeen=0)))
    assert decoded.sessions[0].last_seen == 0
    assert not decoded.invalid_values


def test_unprintable_characters_of_an_id_are_replaced_but_the_cursor_is_the_servers_id() -> None:
    decoded = decode(page(row(1, id="a\u202eb\n")))
    assert decoded.sessions[0].id == "a\ufffdb "
    assert decoded.ids == ["a\u202eb\n"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[", b'[{"id":"a"}', b"[] x", b"\xef\xbb\xbf[]", b'[{"id":1}] x'])
def test_a_body_that_is_not_json_is_a_decode_error(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(body)


@pytest.mark.parametrize("body", [b"null", b"{}", b"1", b'"x"', b'{"errors": ["no"]}', b"NaN"])
def test_json_that_is_not_an_array_is_a_schema_error(body: bytes) -> None:
    with pytest.raises(SchemaError):
        decode(body)


@pytest.mark.parametrize("before", [b"", b'{"id": 1}, '])
def test_P14_deep_nesting_is_a_decode_error(before: bytes) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    with pytest.raises(DecodeError):
        decode(b"[" + before + b'{"id": "a", "x": ' + deep + b"}]")


@pytest.mark.parametrize("token", [b"NaN", b'"\\ud800"', b"1"])
def test_no_error_refers_to_the_body(token: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(b'[{"id": "a", "x": ' + token + b', "parentStream": {"streamKey": "secret"')
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
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


def sessions_of(count: int, fields: str = "") -> bytes:
    """Return a page with many small sessions."""
    items = (f'{{"id":"{number}"{fields}}}' for number in range(count))
    return f"[{','.join(items)}]".encode()


@pytest.mark.parametrize(
    ("body", "least"),
    [
        pytest.param(sessions_of(MAX_ITEMS), MAX_ITEMS // BATCH_SIZE, id="valid sessions"),
        pytest.param(
            sessions_of(MAX_ITEMS, ',"sourceBytes":-1').replace(b"-1", b"1", MAX_ITEMS - 10_000),
            10_000 // STEP_OBJECTS,
            id="invalid values",
        ),
        pytest.param(
            page(row(1, profiles=[{"width": -1}] * MAX_PROFILES, name="a\ud800"))[:-1] + b',{"id":"b"}]',
            2,
            id="invalid profiles",
        ),
        pytest.param(
            page(*(row(number) for number in range(1, 3000))),
            3000 // BATCH_ITEMS,
            id="a large page",
        ),
        pytest.param(sessions_of(9_000, ',"x":"' + "x" * 200 + '"')[:-1] + b',{"id":NaN}]', 9 + 20, id="NaN"),
    ],
)
def test_V02_a_page_is_decoded_in_steps(body: bytes, least: int) -> None:
    assert count_steps(decode_page(body, START)) >= least
    assert len(decode(body).sessions) > 1


def test_V02_a_usual_page_is_decoded_in_one_step() -> None:
    assert count_steps(decode_page(page(*(row(number) for number in range(1, 1000))), START)) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (sessions_of(MAX_ITEMS + 1), "items"),
        (b"[" + b"1," * MAX_ITEMS + b"1]", "items"),
        (b"[" + b"1234," * MAX_VALUES + b"1]", "values"),
        (b'[{"id":1,"x":[' + b"1234," * MAX_VALUES + b"1]}]", "values"),
    ],
)
def test_V02_the_number_of_items_and_values_is_limited(body: bytes, reason: str) -> None:
    with pytest.raises(ResponseTooLargeError, match=reason):
        decode(body)


@in_loop
async def test_V02_other_tasks_run_while_a_page_is_decoded() -> None:
    turns = turns_before = 0

    class Meter(RecordingMeter):
        def request(self, code: str, seconds: float, size: int) -> None:
            nonlocal turns_before
            turns_before = turns  # the body has been received, and is decoded next

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    body = sessions_of(1_000, ',"sourceBytes":-1')
    async with upstream(always(reply(body))) as server, livepeer_client(server.url, meter=Meter()) as client:
        counting = asyncio.create_task(count_turns())
        await client.check()
        steps = turns - turns_before
        counting.cancel()
    assert steps >= 1_000 // STEP_OBJECTS

"""The event of a body: closed sets, and nothing else of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.catalogue.outcomes import TARGET_RESULTS as RESULTS
from exporter.metrics.catalogue.webhooks import WEBHOOK_EVENTS
from exporter.webhooks.event import CONCERNING_SESSIONS, OTHER, TARGET_RESULTS, Event, parse_event
from tests.support.rows import START, STREAM_KEY
from tests.webhooks.calls import body

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def test_an_event_has_its_name_its_time_and_its_stream() -> None:
    content = body("recording.ready", timestamp=(START + 7) * 1000)
    assert parse_event(content) == Event("event-1", "recording.ready", START, START + 7, "parent-1")


def test_an_event_without_the_time_when_it_happened_has_that_of_the_call() -> None:
    event = parse_event(body(createdAt=None, timestamp=(START + 7) * 1000))
    assert event is not None
    assert event.time == event.sent == START + 7
    assert parse_event(body(createdAt=None, timestamp=None)) == Event(
        "event-1", "stream.started", None, None, "parent-1"
    )


def test_a_session_names_its_parent_stream() -> None:
    event = parse_event(body(stream={"id": "session-1", "parentId": "parent-7"}))
    assert event is not None
    assert event.stream_id == "parent-7"


def test_an_unknown_event_counts_as_another() -> None:
    event = parse_event(body("asset.ready", stream=None))
    assert event == Event("event-1", OTHER, START, START, None)


@given(st.binary(max_size=100))
def test_any_bytes_are_an_event_or_refused(content: bytes) -> None:
    assert parse_event(content) is None


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("id", "event", "timestamp", "stream", "payload"), values)))
def test_any_object_is_an_event_or_refused(fields: dict[str, object]) -> None:
    event = parse_event(json.dumps(fields).encode())
    if event is not None:
        assert event.name in (*WEBHOOK_EVENTS, OTHER)
        assert event.time is None or 0 < event.time < 1e12


@given(values)
def test_a_time_or_a_stream_of_any_type_does_not_refuse_the_event(value: object) -> None:
    content = body(timestamp=value, createdAt=value, stream={"id": value, "streamKey": STREAM_KEY})
    event = parse_event(content)
    assert event is not None
    assert STREAM_KEY not in repr(event)


@pytest.mark.parametrize(
    ("milliseconds", "seconds"),
    [(0, None), (1, 0.001), (1e15 - 1, 1e12 - 0.001), (1e15, None), (-1, None), (True, None)],
)
def test_a_time_is_positive_and_bounded(milliseconds: float, seconds: float | None) -> None:
    event = parse_event(body(createdAt=milliseconds, timestamp=None))
    assert event is not None
    assert event.time == seconds


@pytest.mark.parametrize("name", ["", "a b", "x" * 129, "ä", "../x"])
def test_an_id_that_is_none_is_refused(name: str) -> None:
    assert parse_event(body(id=name)) is None
    event = parse_event(body(stream={"id": name}))
    assert event is not None
    assert event.stream_id is None


def test_deep_nesting_is_refused() -> None:
    assert parse_event(b'{"id": "a", "event": "b", "payload": ' + b"[" * 60_000) is None


def test_the_sets_of_events_are_closed() -> None:
    assert set(WEBHOOK_EVENTS) >= CONCERNING_SESSIONS | set(TARGET_RESULTS)
    assert set(TARGET_RESULTS.values()) == set(RESULTS)
    assert "stream.idle" not in CONCERNING_SESSIONS

"""Valid and invalid pages, and what holds for all of them."""

import json
from typing import Any

import msgspec
from hypothesis import strategies as st

from exporter.livepeer.decoding import EARLIEST_TIME, DecodedPage, decode_page
from exporter.livepeer.errors import DecodeError, SchemaError
from exporter.metrics.catalogue.outcomes import SESSION_FAULTS, VALUE_FAULTS
from exporter.sessions.session import FIELDS, INVALID_TIME, MAX_ID
from exporter.text import clean
from tests.support.cooperative import run_to_end
from tests.support.rows import START, ident

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

_INVALID_AMOUNTS = (
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
INVALID_VALUES = (
    *[(field, fault, text) for field in AMOUNTS for fault, text in _INVALID_AMOUNTS],
    *[(field, "type", text) for field in FLAGS for text in ("1", '"true"', "[]", "{}", "0.5")],
    *[(field, "type", text) for field in TEXTS for text in ("1", "true", "[]", "{}", "0.5")],
    *[(field, "type", text) for field in LISTS for text in ("1", "true", '"text"', "{}", "0.5")],
    *[(field, "not_finite", "NaN") for field in (*FLAGS, *TEXTS, *LISTS)],
    *[(field, "range", text) for field in ("createdAt", "lastSeen") for text in ("1760000000", "1.8e12", "1")],
)
"""Field, fault and JSON text of each kind of invalid value."""

INVALID_ITEMS = (
    *[("not_an_object", text) for text in ("1", '"x"', "true", "null", "[]", "-1.5", "NaN")],
    *[("no_id", text) for text in ("{}", '{"id": null}', '{"id": 5}', '{"id": ""}', '{"id": []}', '{"id": NaN}')],
    ("no_id", f'{{"id": "{"x" * (MAX_ID + 1)}"}}'),
)
"""Fault and JSON text of each kind of invalid item."""


def with_value(fields: dict[str, Any], name: str, text: str) -> bytes:
    """Return a page with one session, one field of which has a value given as JSON text."""
    rest = json.dumps({key: value for key, value in fields.items() if key != name})
    return f'[{{"{name}": {text}, {rest[1:]}]'.encode()


ANY_TEXT = st.text(st.characters())
"""Texts, including lone surrogates, which JSON allows."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT | st.sampled_from(FIELDS), inner, max_size=6),
    max_leaves=20,
)


@st.composite
def valid_sessions(draw: st.DrawFn) -> dict[str, Any]:
    """A session as the API returns it; any field except the id may be null or missing."""
    amount = st.floats(0, 2.0**62) | st.integers(0, 2**62)
    time = st.floats(EARLIEST_TIME, START * 1000)
    text = st.text(max_size=20)
    profile = st.fixed_dictionaries({}, optional={"name": text, "width": amount, "height": amount, "fps": amount})
    fields: dict[str, st.SearchStrategy[Any]] = {
        **dict.fromkeys(AMOUNTS, amount),
        **dict.fromkeys(TEXTS, text),
        **dict.fromkeys(FLAGS, st.booleans()),
        "createdAt": time,
        "lastSeen": time | st.just(0),
        "issues": st.lists(text, max_size=3),
        "profiles": st.lists(profile, max_size=2),
    }
    optional = {name: values | st.none() for name, values in fields.items()}
    return {"id": ident(1), **draw(st.fixed_dictionaries({}, optional=optional))}


def decode(body: bytes, now: float = START) -> DecodedPage:
    """Decode a page."""
    return run_to_end(decode_page(body, now))


def check_page(body: bytes) -> DecodedPage | None:
    """Decode a page and check that it contains no invalid value; None if it is an error."""
    try:
        decoded = decode(body)
    except (DecodeError, SchemaError):
        return None
    assert {field for field, _ in decoded.invalid_values} <= set(FIELDS)
    assert {fault for _, fault in decoded.invalid_values} <= set(VALUE_FAULTS)
    assert set(decoded.invalid_sessions) <= set(SESSION_FAULTS)
    assert decoded.items == len(decoded.sessions) + sum(decoded.invalid_sessions.values())
    for session in decoded.sessions:
        assert 1 <= len(session.id) <= MAX_ID
        assert clean(session.id, MAX_ID) == session.id
        for value in msgspec.structs.astuple(session):
            if isinstance(value, float):
                assert 0 <= value <= 2.0**63 or value == session.last_seen == INVALID_TIME
    return decoded

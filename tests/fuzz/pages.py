"""Random pages: valid ones, pages with errors in values, text or bytes, arbitrary data, and large pages."""

import json
import random
from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.fuzz.large_pages import large
from tests.support.rows import Row, row

SCALARS: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 1, 0.5, -0.0, 1e-320, 2**31, 2**53 + 1, 2**63, 2**64, 10**30, 1e308, 1.7e12, 4e15),
    *(float("nan"), float("inf"), -float("inf"), "", " ", "0", "NaN", "ready", "waiting", "paused", "true"),
    *('"} 1\nfake{', "\\", "a\\", "\r\n", "\t", "\x00", "\x1b[0m", "\x7f", "\x85", "\u2028", "\u202e", "\ufeff", "%s"),
    *(
        "\ud800",
        "a\udfffb",
        "\ud83d\ude00",
        "e\u0301",
        "é" * 300,
        "x" * 70_000,
        "#",
        "# EOF",
        "{}",
        "a" * 129,
        "\uffff",
    ),
)
"""Values that replace the value of a field."""

TOKENS: Final = (
    *(b"NaN", b"-Infinity", b"1e400", b"-1e400", b"1e-400", b"9" * 5000, b"1" + b"0" * 400, b"01", b"+1", b".5", b"1."),
    *(
        b"null",
        b"true",
        b"[]",
        b"{}",
        b"[",
        b"]",
        b"{",
        b"}",
        b",",
        b":",
        b'"',
        b"\\",
        b'"\\ud800"',
        b'"\\u0000"',
        b"//",
    ),
    *(b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\x00", b"[" * 2000, b'{"a":' * 2000, b'"id":', b'"name":"first",'),
)
"""Bytes that are inserted at any position of a page."""

Generator = Callable[[random.Random], bytes]


def valid(rng: random.Random) -> bytes:
    """Generate a page in the format of the API."""
    return _encoded(_rows(rng))


def invalid_values(rng: random.Random) -> bytes:
    """Generate a page with arbitrary values, missing and unknown fields, and items that are no sessions."""
    rows: list[Any] = [_with_errors(each, rng) for each in _rows(rng)]
    if rng.random() < 0.1:
        rows.insert(rng.randint(0, len(rows)), random_value(rng, 2))
    return _encoded(rows)


def inserted_tokens(rng: random.Random) -> bytes:
    """Generate a page with tokens that are inserted or replace some bytes."""
    text = rng.choice((valid, invalid_values))(rng)
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(text) + 1)
        text = text[:start] + rng.choice(TOKENS) + text[start + rng.choice((0, 0, 1, 5, 50)) :]
    return text


def corrupted_bytes(rng: random.Random) -> bytes:
    """Generate a page with bytes that are changed, deleted or repeated."""
    text = bytearray(valid(rng))
    for _ in range(rng.randint(1, 8)):
        start = rng.randrange(len(text))
        match rng.randrange(4):
            case 0:
                text[start] = rng.randrange(256)
            case 1 if len(text) > 1:
                del text[start : start + rng.randint(1, len(text) - 1)]
            case 2:
                text[start:start] = text[start : start + rng.randint(1, 200)]
            case _:
                text[start] ^= 1 << rng.randrange(8)
    return bytes(text)


def random_json(rng: random.Random) -> bytes:
    """Generate a JSON document of any shape."""
    return json.dumps(random_value(rng, 5)).encode()


def random_bytes(rng: random.Random) -> bytes:
    """Generate arbitrary bytes."""
    return rng.randbytes(rng.randint(0, 300))


LARGE: Final = "large"
"""The kind of the pages that are slow to decode (V02)."""

GENERATORS: Final[Mapping[str, tuple[Generator, float]]] = {
    "valid": (valid, 9.7),
    "invalid values": (invalid_values, 40),
    "inserted tokens": (inserted_tokens, 20),
    "corrupted bytes": (corrupted_bytes, 20),
    "random JSON": (random_json, 8),
    "random bytes": (random_bytes, 2),
    LARGE: (large, 0.3),
}
"""The kinds of pages, with the percentage of each."""


def random_value(rng: random.Random, depth: int) -> Any:
    """Generate a JSON value with arrays and objects nested up to a depth."""
    kind = rng.random()
    if depth and kind < 0.3:
        return [random_value(rng, depth - 1) for _ in range(rng.randint(0, 4))]
    if depth and kind < 0.6:
        names = (*row(), "unknown", "", "\ud800")
        return {rng.choice(names): random_value(rng, depth - 1) for _ in range(rng.randint(0, 6))}
    return rng.choice(SCALARS)


_PROFILE: Final = row()["profiles"][0]


def _rows(rng: random.Random) -> list[Row]:
    return [row(number) for number in sorted(rng.sample(range(100), rng.randint(0, 4)))]


def _with_errors(session: Row, rng: random.Random) -> Row:
    for _ in range(rng.randint(0, 3)):
        name = rng.choice(tuple(session))
        match rng.randrange(5):
            case 0 if len(session) > 1:
                session = {each: value for each, value in session.items() if each != name}
            case 1:
                session = session | {name: random_value(rng, 2)}
            case 2 if "profiles" in session:
                session = session | {"profiles": [_with_errors(_PROFILE, rng), random_value(rng, 1)]}
            case _:
                session = session | {name: rng.choice(SCALARS)}
    return session


def _encoded(rows: list[Any]) -> bytes:
    return json.dumps(rows).encode()

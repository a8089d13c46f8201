"""Makes up pages: realistic ones, spoilt in their values, in their text or in their bytes, and plain nonsense."""

import json
import random
from collections.abc import Callable, Mapping
from typing import Any

from tests.support.rows import Row, row

SCALARS: tuple[Any, ...] = (
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
"""What a field may be instead of what it should be."""

TOKENS = (
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
"""What may stand anywhere in a page's text."""

Maker = Callable[[random.Random], bytes]


def good(rng: random.Random) -> bytes:
    """A page as the API would send it."""
    return _encoded(_rows(rng))


def bad_values(rng: random.Random) -> bytes:
    """Fields with other values, missing fields, unknown ones, and sessions that are none."""
    rows: list[Any] = [_spoilt(each, rng) for each in _rows(rng)]
    if rng.random() < 0.1:
        rows.insert(rng.randint(0, len(rows)), any_value(rng, 2))
    return _encoded(rows)


def bad_text(rng: random.Random) -> bytes:
    """Tokens put in, or in the place of something else."""
    text = rng.choice((good, bad_values))(rng)
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(text) + 1)
        text = text[:start] + rng.choice(TOKENS) + text[start + rng.choice((0, 0, 1, 5, 50)) :]
    return text


def bad_bytes(rng: random.Random) -> bytes:
    """Bytes changed, dropped, doubled or cut off."""
    text = bytearray(good(rng))
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


def any_json(rng: random.Random) -> bytes:
    """JSON of any shape."""
    return json.dumps(any_value(rng, 5)).encode()


def any_bytes(rng: random.Random) -> bytes:
    """Bytes of any kind."""
    return rng.randbytes(rng.randint(0, 300))


MAKERS: Mapping[str, tuple[Maker, int]] = {
    "good": (good, 10),
    "bad values": (bad_values, 40),
    "bad text": (bad_text, 20),
    "bad bytes": (bad_bytes, 20),
    "any JSON": (any_json, 8),
    "any bytes": (any_bytes, 2),
}
"""The kinds of pages, and how many of a hundred are of each."""


def any_value(rng: random.Random, depth: int) -> Any:
    """A value of JSON, lists and objects within each other up to a depth."""
    kind = rng.random()
    if depth and kind < 0.3:
        return [any_value(rng, depth - 1) for _ in range(rng.randint(0, 4))]
    if depth and kind < 0.6:
        names = (*row(), "unknown", "", "\ud800")
        return {rng.choice(names): any_value(rng, depth - 1) for _ in range(rng.randint(0, 6))}
    return rng.choice(SCALARS)


_PROFILE = row()["profiles"][0]


def _rows(rng: random.Random) -> list[Row]:
    return [row(number) for number in sorted(rng.sample(range(100), rng.randint(0, 4)))]


def _spoilt(session: Row, rng: random.Random) -> Row:
    for _ in range(rng.randint(0, 3)):
        name = rng.choice(tuple(session))
        match rng.randrange(5):
            case 0 if len(session) > 1:
                session = {each: value for each, value in session.items() if each != name}
            case 1:
                session = session | {name: any_value(rng, 2)}
            case 2 if "profiles" in session:
                session = session | {"profiles": [_spoilt(_PROFILE, rng), any_value(rng, 1)]}
            case _:
                session = session | {name: rng.choice(SCALARS)}
    return session


def _encoded(rows: list[Any]) -> bytes:
    return json.dumps(rows).encode()

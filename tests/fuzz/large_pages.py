"""Random pages that are slow to decode: megabytes of items, values, digits, escapes or brackets."""

import random
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from exporter.sessions.session import Session
from tests.support.rows import ident, page, row

MIB: Final = 1024 * 1024

FIELDS: Final = [each.encode_name for each in msgspec.structs.fields(Session) if each.encode_name != "id"]
"""The fields of a session that can be invalid without making its item invalid."""

Shape = Callable[[random.Random], bytes]


def large(rng: random.Random) -> bytes:
    """Generate a large page of any shape."""
    return rng.choice(SHAPES)(rng)


def _count(rng: random.Random, largest: int) -> int:
    """A random number, often near the largest one."""
    return rng.choice((largest, rng.randint(1, largest), rng.randint(1, max(1, largest // 20))))


def invalid_fields(rng: random.Random) -> bytes:
    """Items in which some or all fields are invalid."""
    wrong = rng.choice(('"x"', "-1", "1e400", "NaN", "[]", "{}", '"\\ud800"'))
    names = rng.sample(FIELDS, _count(rng, len(FIELDS)))
    fields = ",".join(f'"{name}":{wrong}' for name in names)
    return _array(f'{{"id":"{ident(number)}",{fields}}}' for number in range(_count(rng, 15_000)))


def long_list(rng: random.Random) -> bytes:
    """A session with a list of very many values."""
    value = rng.choice(("1", '""', '"late"', "null", "[]", "{}", "NaN", '{"width":-1}', "1e999"))
    name = rng.choice(("issues", "profiles", "name", "sourceBytes", "unknown"))
    values = ",".join([value] * _count(rng, 1_000_000))
    invalid = rng.choice(("", ',"sourceBytes":-1'))
    return f'[{{"id":"a","{name}":[{values}]{invalid}}}]'.encode()


def many_items(rng: random.Random) -> bytes:
    """Very many small items."""
    item = rng.choice(("1", "{}", "[]", '"x"', "null", '{"id":"a"}', '{"id":"a","lastSeen":1}', '{"id":"\\u202e"}'))
    return _array([item] * _count(rng, 1_000_000))


def many_sessions(rng: random.Random) -> bytes:
    """Very many complete sessions, one of which may be invalid."""
    rows = [row(number) for number in range(_count(rng, 9_000))]
    rows[rng.randrange(len(rows))] |= rng.choice(({}, {"sourceBytes": -1}, {"sourceBytes": float("nan")}, {"id": None}))
    return page(*rows)


def many_keys(rng: random.Random) -> bytes:
    """A session with very many fields, or a profile with them."""
    fields = ",".join(f'"{number}":1' for number in range(_count(rng, 300_000)))
    text = rng.choice((f'{{"id":"a",{fields}}}', f'{{"id":"a","profiles":[{{{fields}}}]}}'))
    return f"[{text}{rng.choice(('', ',NaN', ',{}'))}]".encode()


def different_profiles(rng: random.Random) -> bytes:
    """Sessions with many profiles of which none is equal to another."""
    invalid = rng.choice((1, 1, -1))
    rows = (
        row(number, profiles=[{"name": f"{number}-{each}", "width": invalid * each} for each in range(1, 65)])
        for number in range(_count(rng, 1_000))
    )
    return page(*rows)


def long_text(rng: random.Random) -> bytes:
    """A long text: escapes, surrogates, bytes that are not UTF-8, quotes without an end."""
    piece = rng.choice((b"x", b"\\n", b'\\"', b"\\u0041", b"\\ud800", b"\xff", b"\xc3", "é".encode(), b"NaN", b"\\\\"))
    text = piece * (_count(rng, rng.choice((4, 15)) * MIB) // len(piece))
    name = rng.choice((b"name", b"id", b"sourceBytes", b"issues", b"unknown"))
    end = rng.choice((b'"}]', b'"}]', b'","sourceBytes":NaN}]', b'","sourceBytes":-1}]', b""))
    return b'[{"id":"a","' + name + b'":"' + text + end


def long_number(rng: random.Random) -> bytes:
    """A number with very many digits."""
    digits = rng.choice(("9", "0.", "1e", "-0.")) + "1" * _count(rng, 15 * MIB)
    return f'[{{"id":"a","sourceBytes":{digits}}}{rng.choice(("", ",NaN"))}]'.encode()


def brackets(rng: random.Random) -> bytes:
    """Nested or empty arrays and objects, and whitespace."""
    count = _count(rng, 500_000)
    text = rng.choice(
        ("[" * count + "]" * count, "[]," * count + "1", '{"a":' * count + "1" + "}" * count, " " * count)
    )
    return f'[{{"id":"a","x":[{text or 1}]}}{rng.choice(("", ",NaN"))}]'.encode()


def _array(items: Iterable[str]) -> bytes:
    return f"[{','.join(items)}]".encode()


SHAPES: Final[tuple[Shape, ...]] = (
    invalid_fields,
    long_list,
    many_items,
    many_sessions,
    many_keys,
    different_profiles,
    long_text,
    long_number,
    brackets,
)

"""The faults of the matrix that an upstream can have while everything goes on: each by its row's id.

A fault of the wire takes a request and a whole answer, and says what is written instead. A fault of the content takes
the rows of a page, and spoils them. None of them makes up plausible amounts: no reader could tell those from the truth.
"""

import asyncio
import gzip
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from tests.support.canary import KEY
from tests.support.rows import Row
from tests.support.upstream import Reset, reply

Wire = Callable[[bytes, random.Random], AsyncIterator[bytes]]
"""From the answer as it should be to what is written, piece by piece; then the connection is closed, or reset."""

Content = Callable[[Sequence[Row], random.Random], bytes]
"""From the rows of a page to its body; they must not be changed in place."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One row of the matrix; it has a wire or a content. ``rest``: polls stop for a minute after it."""

    id: str
    wire: Wire | None = None
    content: Content | None = None
    rest: bool = False


def _status(*statuses: int, headers: Callable[[random.Random], Mapping[str, str]] = lambda _: {}) -> Wire:
    async def wire(_whole: bytes, rng: random.Random) -> AsyncIterator[bytes]:
        body = json.dumps({"errors": [f"no token {KEY} found"]}).encode()
        yield reply(body, rng.choice(statuses), headers(rng))

    return wire


def _bytes(*answers: bytes) -> Wire:
    async def wire(_whole: bytes, rng: random.Random) -> AsyncIterator[bytes]:
        yield rng.choice(answers)

    return wire


def _waits(rng: random.Random) -> Mapping[str, str]:
    soon = formatdate(0, usegmt=True), formatdate(2, usegmt=True)
    return rng.choice(({"Retry-After": "2"}, {"Retry-After": "-5"}, {"Retry-After": "soon"}, {},
                       {"Date": soon[0], "Retry-After": soon[1]}))  # fmt: skip


async def _squeezed(whole: bytes, _rng: random.Random) -> AsyncIterator[bytes]:
    yield reply(gzip.compress(whole.partition(b"\r\n\r\n")[2]), headers={"Content-Encoding": "gzip"})


async def _endless(_whole: bytes, _rng: random.Random) -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for _ in range(40):  # 40 MiB, were it not for the limit
        yield b"100000\r\n" + b" " * 0x100000 + b"\r\n"


async def _drip(whole: bytes, rng: random.Random) -> AsyncIterator[bytes]:
    start = rng.choice((0, len(whole) // 2))  # the headers, or the body
    yield whole[:start]
    for place in range(start, start + 100):
        yield whole[place : place + 1]
        await asyncio.sleep(0.1)


async def _cut(whole: bytes, rng: random.Random) -> AsyncIterator[bytes]:
    yield whole[: rng.randrange(len(whole))]
    if rng.random() < 0.5:
        await asyncio.sleep(0.05)
        raise Reset


async def _hang_up(_whole: bytes, _rng: random.Random) -> AsyncIterator[bytes]:
    yield b""
    raise Reset


async def _misspelt(whole: bytes, rng: random.Random) -> AsyncIterator[bytes]:
    body = whole.partition(b"\r\n\r\n")[2]
    yield reply(rng.choice((b"\xef\xbb\xbf" + body, body + b"x", body[:-1] + b",", b"[" + body)))


def _linking(*links: str) -> Wire:
    async def wire(whole: bytes, rng: random.Random) -> AsyncIterator[bytes]:
        yield reply(whole.partition(b"\r\n\r\n")[2], headers={"Link": f'<{rng.choice(links)}>; rel="next"'})

    return wire


def _victims(spoil: Callable[[Row, random.Random], Row]) -> Content:
    """Spoil some rows of a page."""

    def content(rows: Sequence[Row], rng: random.Random) -> bytes:
        return _encoded([row | spoil(row, rng) if rng.random() < 0.2 else row for row in rows])

    return content


def _encoded(rows: Sequence[Row]) -> bytes:
    return json.dumps(rows).encode()  # with NaN and Infinity, which no good server writes


def _one_of(names: Sequence[str], values: Sequence[Any]) -> Content:
    return _victims(lambda _, rng: {rng.choice(names): rng.choice(values)})


def _twice(rows: Sequence[Row], rng: random.Random) -> bytes:
    older = {"lastSeen": 1_700_000_000_000}
    return _encoded([each for row in rows for each in ((row, row | older) if rng.random() < 0.2 else (row,))])


def _text(old: bytes, new: bytes) -> Content:
    """Put a text into the page that a JSON library would not write."""
    return lambda rows, _: _encoded(rows).replace(old, new)


_AMOUNTS = (
    "sourceSegments",
    "transcodedSegments",
    "sourceSegmentsDuration",
    "transcodedSegmentsDuration",
    "sourceBytes",
    "transcodedBytes",
    "ingestRate",
    "outgoingRate",
)
_TEXTS = ("name", "parentId", "playbackId", "projectId")
_NASTY = ('"} 1\nfake{', "a\\", "line\nbreak", "\x00", "\u2028", "\u202eright", "%s %d", "\x1b[31mred", "\ufeff")
_HOSTILE = ("http://other.example.invalid/api/session?cursor=skip1", "ftp://x", "//x/y?cursor=skip2")

FAULTS = (
    Fault("U01", _status(401), rest=True),
    Fault("U02", _status(403), rest=True),
    Fault("U03", _status(404)),
    Fault("U04", _status(400, 409, 422)),
    Fault("U05", _status(429, headers=_waits)),
    Fault("U06", _status(500, 502, 503, 504, headers=_waits)),
    Fault("U07", _status(501)),
    Fault("U08", _bytes(reply(b""), b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")),
    Fault("U09", _bytes(reply(b"[]"))),
    Fault("U10", _status(301, 302, 307, 308, headers=lambda _: {"Location": "http://127.0.0.1:9/"})),
    Fault("U11", _bytes(reply(b"<html>Bad gateway</html>", headers={"Content-Type": "text/html"}), reply(b"hello"))),
    Fault("U12", _squeezed),
    Fault("U13", _endless),
    Fault("U13", _bytes(reply(b"[]", headers={"Content-Length": "99999999999"}))),
    Fault("U14", _bytes(reply(gzip.compress(bytes(64 * 2**20)), headers={"Content-Encoding": "gzip"}))),
    Fault("U15", _bytes(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 500_000 + b"\r\n\r\n[]")),
    Fault("U16", _drip),
    Fault("U17", _cut),
    Fault("U17", _hang_up),
    Fault("U18", _misspelt),
    Fault("P01", _linking(*_HOSTILE)),
    Fault("P02", _linking("http://x/?cursor=skip" + "9" * 5000, "http://x/?cursor=" + "z" * 7000)),
    Fault("P06", content=_twice),
    Fault("P07", content=_victims(lambda _, rng: {"id": rng.choice((None, "", 7))})),
    Fault("P08", content=_one_of(("name",), (None, ""))),
    Fault("P09", content=_one_of((*_AMOUNTS, *_TEXTS), ({}, [], True))),
    Fault("P09", content=_one_of((*_AMOUNTS, "isHealthy", "issues", "record", "lastSeen", "profiles"), ("3", {}))),
    Fault("P10", _bytes(reply(b'{"errors": ["no"]}'), reply(b"null"), reply(b"3"))),
    Fault("P11", content=_one_of(_AMOUNTS, (float("nan"), float("inf"), -float("inf")))),
    Fault("P12", content=_one_of(_AMOUNTS, (-1, -0.5, -(2**60)))),
    Fault("P13", content=_text(b'"projectId": "project-1"', b'"ingestRate": 1' + b"0" * 400)),
    Fault("P13", content=_text(b'"projectId": "project-1"', b'"ingestRate": ' + b"9" * 5000)),
    Fault("P14", _bytes(reply(b"[" * 100_000), reply(b"[" + b'{"id":' * 100_000))),
    Fault("P15", content=_text(b'"kind": "session"', b'"name": "first", "name": "second"')),
    Fault("P16", content=_victims(lambda *_: {"brandNew": {"a": [1]}, "recordingStatus": "paused"})),
    Fault("P17", content=_victims(lambda _, rng: {"name": rng.choice(_NASTY), "issues": [rng.choice(_NASTY)]})),
    Fault("P18", content=_one_of(_TEXTS, ("\ud800", "a\udfffb"))),
    Fault("P19", content=_one_of(_TEXTS, ("é" * 65_536,))),
    Fault("P21", content=_victims(lambda row, rng: {"lastSeen": rng.choice((4e15, row["lastSeen"] / 1000))})),
)
"""Every fault that is drawn from."""
